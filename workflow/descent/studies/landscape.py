"""What does gradient descent meet on its way through a deep linear network's landscape? (tau.2.4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Positive, Size
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, table_settings, write_table

TITLE = "The landscape of deep linear networks: saddle, escape, curvature"
PART = "linear"


class Settings(Block):
    """Settings of the study; spec item tau.2.4 gives the values of config.yaml."""

    depths: list[Size] = Field(..., min_length=1, description="Numbers of layers N, from 2 to 6, rising (tau.2.4)")
    width: int = Field(..., ge=2, le=50, description="Hidden units (tau.2.4)")
    data: list[Literal["synthetic_regression", "diabetes", "user_regression"]] = Field(
        ..., min_length=1, description="Regression sets; user_regression is the file named under data (tau.2.4)")
    scales: list[Positive] = Field(..., min_length=3, max_length=10,
                                   description="Scales a of a layer, each half the last")
    replicates: int = Field(..., ge=1, le=100, description="Initializations of every kind and scale (tau.2.4)")
    step_fraction: float = Field(
        ..., gt=0, le=0.5, description="eta over 2 / lambda_max at the balanced minimum: small, so that GD is flow")
    tolerance: float = Field(..., gt=0, le=1e-3, description="Excess loss over that of w = 0 at which training ends")
    most_steps: int = Field(..., ge=1000, le=10**9, description="Steps after which it ends in any case")
    change: float = Field(..., gt=0, le=0.5, description="Relative change of w between kept steps")

    @model_validator(mode="after")
    def _rising_depths_halved_scales(self):
        if self.depths != sorted(set(self.depths)) or self.depths[0] < 2 or self.depths[-1] > 6:
            raise ValueError("depths must be rising, from 2 to 6")
        if any(abs(2 * b / a - 1) > 1e-9 for a, b in zip(self.scales, self.scales[1:])) or self.scales[0] > 1:
            raise ValueError("scales must begin at 1 or less and halve from each to the next")
        return self


STARTS = ("balanced", "gaussian")
WHITENED = "whitened"


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare a run with its spectrum for each data set and for a whitened one, and what is read from them."""
    shared = {"master_seed": study.master_seed, **settings.model_dump()}
    data = {name: study.data(name) for name in settings.data}
    data[WHITENED] = study.table(WHITENED, {}, {"data": data[settings.data[0]]})
    paths = {f"data_{name}": path for name, path in data.items()}
    trajectories = {}
    for name, path in data.items():
        starts = ["aligned"] if name == WHITENED else list(STARTS)
        one = {key: value for key, value in shared.items() if key != "data"}
        replicates = 1 if name == WHITENED else settings.replicates
        runs = replicates * len(settings.depths) * len(settings.scales) * len(starts)
        made = study.train({"data": name}, {**one, "starts": starts}, {"data": path}, range(replicates),
                           seconds=1 + 0.08 * runs, megabytes=0.2 * runs)
        spectrum = study.analysis({"data": name}, "hessian_spectrum",
                                  "descent.curvature.hessian_spectrum:hessian_spectrum", {},
                                  {"trajectory": made["trajectory"], "data": path}, seconds=1 + 0.006 * runs)
        paths |= {f"metrics_{name}": made["metrics"], f"spectrum_{name}": spectrum}
        if name != WHITENED:
            trajectories[f"trajectory_{name}"] = made["trajectory"]
    paths["runs"] = study.table("runs", shared, paths, seconds=1)
    paths["reference"] = study.table("reference", shared, paths, seconds=4)
    first = settings.data[0]
    for figure in ("landscape", "data_sets"):
        study.figure(figure, shared, paths)
    study.figure("escape", {**shared, "data": first}, paths)
    study.figure("aligned", shared, paths)
    study.claims(shared, {**paths, **trajectories}, seconds=1.5)
    study.values(shared, paths)


def _first_layers(settings: Mapping[str, Any], start: str, depth: int, scale: float, replicate: int, slope):
    import numpy as np

    from descent.networks.linear_network import balanced_layers, gaussian_layers

    d, width = len(slope), settings["width"]
    if start == "aligned":
        return balanced_layers(scale**depth * slope[None] / np.linalg.norm(slope), depth, width)
    # One draw for all scales: runs that differ in the scale alone are compared.
    draws = generator(settings["master_seed"], f"landscape_{start}", replicate, depth=depth, d=d, width=width)
    if start == "balanced":
        direction = draws.standard_normal(d)
        return balanced_layers(scale**depth * direction[None] / np.linalg.norm(direction), depth, width)
    return gaussian_layers(draws, [d, *[width] * (depth - 1), 1], scale)


def table_whitened(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The first data set with inputs S^{−1/2} x: XᵀX/n = I and the same least-squares fit."""
    import numpy as np

    data = read_table(inputs["data"])
    eigenvalues, vectors = np.linalg.eigh(data["x"].T @ data["x"] / len(data["x"]))
    if eigenvalues[0] < 1e-10 * eigenvalues[-1]:
        raise ValueError("the inputs of the first data set are linearly dependent: it cannot be whitened")
    x = data["x"] @ (vectors / np.sqrt(eigenvalues)) @ vectors.T
    write_table(outputs["table"], {"x": x, "y": data["y"]}, {}, settings)


def train(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path], replicate: int) -> None:
    """All starts, depths and scales of one replicate: metrics and layers at the kept steps."""
    import numpy as np

    from descent.dynamics.aligned import balanced_sharpness
    from descent.dynamics.linear_descent import Moments
    from descent.dynamics.linear_training import converge, excess, flat_rows, gradient_norm
    from descent.networks.linear_network import product

    data = read_table(inputs["data"])
    moments, metrics, trajectory = Moments(data["x"], data["y"]), [], []
    answer = moments.least_squares()
    for depth in settings["depths"]:
        eta = settings["step_fraction"] * 2 / balanced_sharpness(moments, depth)
        for start in settings["starts"]:
            for scale in settings["scales"]:
                layers = _first_layers(settings, start, depth, scale, replicate, moments.q)
                steps, kept = converge(layers, moments, eta, settings["change"], settings["tolerance"],
                                       settings["most_steps"])
                weights = np.concatenate([product(layers) for layers in kept])
                rows = len(steps)
                labels = {"replicate": np.full(rows, replicate), "start": [start] * rows,
                          "depth": np.full(rows, depth), "scale": np.full(rows, scale), "eta": np.full(rows, eta),
                          "step": steps, "flow_time": eta * steps}
                above = excess(weights, answer, moments)
                metrics.append({**labels, "loss": above + moments.loss(answer), "excess": above, "weights": weights,
                                "gradient_norm": np.array([gradient_norm(layers, moments) for layers in kept])})
                trajectory.append({**labels, **flat_rows(kept, settings["depths"][-1])})
    for name, parts in (("metrics", metrics), ("trajectory", trajectory)):
        columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        write_table(outputs[name], columns, {"flow_time": "flow time", "loss": "mean half squared error"}, settings)


def table_runs(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """A row for every run: escape time and its prediction, extremes of the curvature, the end."""
    from descent.bounds.landscape import joined, prediction, run_row, separate_runs
    from descent.dynamics.linear_descent import Moments

    rows = []
    for name in [*settings["data"], WHITENED]:
        data = read_table(inputs[f"data_{name}"])
        moments = Moments(data["x"], data["y"])
        table = joined(read_table(inputs[f"metrics_{name}"]), read_table(inputs[f"spectrum_{name}"]))
        for label, run in separate_runs(table):
            start, depth, scale, replicate = label
            layers = _first_layers(settings, start, depth, scale, replicate, moments.q)
            rows.append({"data": name, "start": start, "depth": depth, "scale": scale, "replicate": replicate,
                         **run_row(run, moments, depth), "predicted": prediction(run, layers, moments, depth, scale)})
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    write_table(outputs["table"], _arrays(columns), {"escape_time": "flow time", "predicted": "flow time"}, settings)


def _arrays(columns: Mapping[str, list]) -> dict[str, Any]:
    import numpy as np

    return {key: values if isinstance(values[0], str) else np.array(values) for key, values in columns.items()}


def table_reference(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Networks from balanced starts beside tau.3.3's equation for w, and beside it with N for N − 1; replicate 0."""
    import numpy as np

    from descent.bounds.landscape import end_to_end_paths, joined, separate_runs
    from descent.dynamics.linear_descent import Moments

    parts = []
    for name in settings["data"]:
        data = read_table(inputs[f"data_{name}"])
        moments = Moments(data["x"], data["y"])
        table = joined(read_table(inputs[f"metrics_{name}"]), read_table(inputs[f"spectrum_{name}"]))
        for (start, depth, scale, replicate), run in separate_runs(table):
            if start == "balanced" and replicate == 0:
                found = end_to_end_paths(run, moments, depth)
                labels = {"data": name, "depth": depth, "scale": scale}
                rows = len(found["flow_time"])
                parts.append({**{key: np.full(rows, value) for key, value in labels.items()}, **found})
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    write_table(outputs["table"], columns, {"flow_time": "flow time"}, settings)


def _followed(settings: Mapping[str, Any], inputs: Mapping[str, Path], name: str) -> list:
    from descent.bounds.landscape import joined, separate_runs

    table = joined(read_table(inputs[f"metrics_{name}"]), read_table(inputs[f"spectrum_{name}"]))
    return separate_runs(table)


def _moments(inputs: Mapping[str, Path], names) -> dict[str, Any]:
    from descent.dynamics.linear_descent import Moments

    tables = {name: read_table(inputs[f"data_{name}"]) for name in names}
    return {name: Moments(table["x"], table["y"]) for name, table in tables.items()}


def figure_landscape(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Objective, gradient norm and both ends of the spectrum against flow time (tau.2.4)."""
    from descent.bounds.landscape_figures import draw_landscape

    runs = _followed(settings, inputs, settings["data"][0])
    save_figure(draw_landscape(runs, settings["depths"], settings["scales"][1]), outputs, settings["preview"])


def figure_data_sets(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Networks and tau.3.3's equation on every data set (tau.2.4)."""
    from descent.bounds.landscape_figures import draw_data_sets

    figure = draw_data_sets(read_table(inputs["reference"]), settings["data"], settings["depths"],
                            settings["scales"][1])
    save_figure(figure, outputs, settings["preview"])


def figure_escape(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Escape time against the scale of a layer, with predictions (tau.2.4)."""
    from descent.bounds.landscape_figures import draw_escape

    save_figure(draw_escape(read_table(inputs["runs"]), settings["data"], settings["depths"]), outputs,
                settings["preview"])


def figure_aligned(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The aligned scalar dynamics and its curvature against the network (tau.2.4)."""
    from descent.bounds.landscape_figures import draw_aligned

    moments = _moments(inputs, [WHITENED])[WHITENED]
    runs = _followed(settings, inputs, WHITENED)
    save_figure(draw_aligned(runs, moments, settings["depths"], settings["scales"][1]), outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for tau.2.4."""
    runs, moments = read_table(inputs["runs"]), _moments(inputs, [*settings["data"], WHITENED])
    write_claims(outputs["claims"], [*_aligned_claims(settings, inputs, runs, moments[WHITENED]),
                                     *_escape_claims(runs), *_end_claims(settings, inputs, runs, moments)])


def _aligned_claims(settings: Mapping[str, Any], inputs: Mapping[str, Path], runs, moments) -> list:
    import numpy as np

    from descent.bounds import landscape as checks
    from descent.claims import check

    followed = _followed(settings, inputs, WHITENED)
    target = float(np.linalg.norm(moments.q))
    return [
        check("tau.2.4.spectrum", "theorem", r"Aligned layers on a whitened set: $\lambda_{\min}$ and $\lambda_{\max}$ "
              "of the full Hessian are the closed ones all along the path", checks.aligned_spectrum,
              {"runs": followed, "target": target}, {"more": 1.0}, "$N$ in place of $N - 1$", form="our own",
              figure="aligned"),
        check("tau.2.4.half_time", "asymptotic", r"Aligned layers on a whitened set reach $s = s^\ast/2$ at the "
              r"half-time of $\dot s = N s^{2 - 2/N} (s^\ast - s)$, within $2\%$", checks.half_times,
              {"runs": runs, "target": target, "within": 0.02}, {"power": 1.0}, "exponent $2 - 1/N$",
              form="our own", figure="aligned"),
        check("tau.2.4.end_to_end", "asymptotic", "From balanced starts on the raw sets $w$ follows the equation of "
              r"tau.3.3 within $5\%$ of $\|w^\ast\|$", checks.follows_end_to_end,
              {"reference": read_table(inputs["reference"]), "within": 0.05}, {"column": "wrong"},
              "$N$ in place of $N - 1$", form="our own", figure="data_sets"),
    ]


def _escape_claims(runs) -> list:
    from descent.bounds import landscape as checks
    from descent.claims import check

    depths = sorted({int(depth) for depth in runs["depth"]})
    found = []
    if 2 in depths:
        found.append(check(
            "tau.2.4.escape_two", "asymptotic", r"$N = 2$: the escape takes $\ln(\sigma/s_0) / (2|\lambda_{\min}|)$, "
            r"$\lambda_{\min}$ at initialization, within $5\%$ at the smallest scale", checks.escape_within,
            {"runs": runs, "depths": [2], "starts": ("aligned", "balanced", "gaussian"), "within": 0.05},
            {"factors": {2: 2.0}}, r"$s_0 e^{|\lambda_{\min}| t}$ in place of $s_0 e^{2|\lambda_{\min}| t}$",
            form="our own", figure="escape"))
    return [
        *found,
        check("tau.2.4.escape_deep", "asymptotic", r"$N \ge 3$, balanced: the escape takes $\int_0^\theta \sin^{N-3} / "
              r"((a \sin\theta)^{N-2} \|q\|)$, aligned $1/((N - 2)\, a^{N-2} s^\ast)$, within $5\%$ at the smallest "
              "scale", checks.escape_within, {"runs": runs, "depths": [N for N in depths if N > 2],
                                              "starts": ("aligned", "balanced"), "within": 0.05},
              {"factors": {N: (N - 2) / (N - 1) for N in depths if N > 2}}, "$N - 1$ in place of $N - 2$",
              form="our own", figure="escape"),
        check("tau.2.4.exponent", "asymptotic", "Escape times grow as $a^{-(N-2)}$, for $N = 2$ as "
              r"$\ln(1/a)$: the last two differences between scales have the exponent $N - 2 \pm 0.05$",
              checks.escape_exponents, {"runs": runs, "within": 0.05}, {"shift": 1.0}, "$N - 1$, the inverse of the "
              "speed at the saddle", form="our own", figure="escape"),
    ]


def _end_claims(settings: Mapping[str, Any], inputs: Mapping[str, Path], runs, moments) -> list:
    import numpy as np

    from descent.bounds import landscape as checks
    from descent.claims import check
    from descent.dynamics.aligned import ray_end

    plateau = {name: one.loss(ray_end(one) * one.q / np.linalg.norm(one.q)) for name, one in moments.items()
               if name != WHITENED}
    fits = {name: checks.least_squares_loss(**read_table(inputs[f"data_{name}"])) for name in moments}
    minima = [(layers, moments[name]) for name in settings["data"]
              for layers in checks.minima(read_table(inputs[f"trajectory_{name}"]), settings["scales"][-1])]
    return [
        check("tau.2.4.least_squares", "empirical", "Every run ends at the loss of least squares, up to "
              r"$10^{-8}$ of the loss at $w = 0$", checks.reaches, {"runs": runs, "losses": fits, "within": 1e-8},
              {"losses": {**fits, **plateau}}, "the best multiple of the direction of escape", form="our own"),
        check("tau.2.4.negative_curvature", "empirical", r"On the way the least $\lambda_{\min}$ is that of aligned "
              r"layers, within $20\%$, at the two smallest scales", checks.least_curvatures,
              {"runs": runs, "within": 0.2}, {"column": "start_lambda_min"}, r"$\lambda_{\min}$ at initialization",
              form="our own", figure="landscape"),
        check("tau.2.4.sharpness", "empirical", r"From balanced starts the run ends at the sharpness "
              r"$\|w^\ast\|^{2 - 2/N} \lambda_{\max}(MSM)$, $M^2 = I + (N - 1)\hat w\hat w^\top$, within $1\%$",
              checks.end_sharpness, {"runs": runs, "moments": moments, "within": 0.01}, {"more": 1.0},
              "$N$ in place of $N - 1$", form="our own", figure="landscape"),
        check("tau.2.4.stability", "empirical", r"At the minima found, gradient descent is stable below "
              r"$\eta = 2/\lambda_{\max}$ and unstable above: at $0.95$ and $1.05$ times", checks.stability_limit,
              {"found": minima, "limit": 2.0}, {"limit": 1.0}, r"$1/\lambda_{\max}$",
              form="our own"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds.landscape_summary import summary

    moments = _moments(inputs, [*settings["data"], WHITENED])
    record = (table_settings(inputs["data_user_regression"]) if "user_regression" in settings["data"] else None)
    found = summary(read_table(inputs["runs"]), read_table(inputs["reference"]), moments, settings, record)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
