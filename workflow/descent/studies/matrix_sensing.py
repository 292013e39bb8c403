"""How does a deep linear network find a matrix? (matrix sensing under gradient flow, eth.1a to eth.1f)"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.checkpoint import Checkpoint
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Positive, Size
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table

TITLE = "Matrix sensing: what deep linear networks conserve, and what they learn first"
PART = "linear"
STARTS = ("balanced", "gaussian")


class Settings(Block):
    """Settings of the study; spec items eth.1a to eth.1f give the values of config.yaml."""

    singular_values: list[Positive] = Field(..., min_length=2, max_length=20,
                                            description="Of the target W*, falling (eth.1)")
    depths: list[Size] = Field(..., min_length=1, description="Numbers of layers L, from 2 to 5, rising (eth.1)")
    replicates: int = Field(..., ge=1, le=50, description="Targets and starts (eth.1)")
    initial_norm: float = Field(..., gt=0, le=1, description="Frobenius norm of the first product")
    flow_time: float = Field(..., gt=0, le=1000, description="Horizon of the gradient flow")
    points: int = Field(..., ge=10, le=1000, description="Times at which the layers are kept")
    descent_steps: list[Positive] = Field(..., min_length=3, description="Learning rates, each half of the last")
    measurements: list[Size] = Field(..., min_length=1, description="Numbers of measurements A_n (eth.1a)")
    expectation_draws: int = Field(..., ge=100, le=10**6, description="Measurements that test E<M, A>^2 (eth.1a)")

    @model_validator(mode="after")
    def _falling_rising_halving(self):
        s, steps = self.singular_values, self.descent_steps
        if s != sorted(set(s), reverse=True) or s[-1] <= 0:
            raise ValueError("singular_values must be falling and positive")
        if self.depths != sorted(set(self.depths)) or self.depths[0] < 2 or self.depths[-1] > 5:
            raise ValueError("depths must be rising, from 2 to 5")
        if any(abs(a / b - 2) > 1e-9 for a, b in zip(steps, steps[1:])):
            raise ValueError("descent_steps must be halved from one to the next")
        between = self.flow_time / (self.points - 1) / steps[0]
        if between < 1 or abs(between - round(between)) > 1e-9 * between:
            raise ValueError("flow_time / (points - 1) must be a whole number of the largest of descent_steps")
        return self


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare flow and descent for every depth, runs with finitely many measurements, and what is read from them."""
    shared = {"master_seed": study.master_seed, **settings.model_dump()}
    flow = {key: shared[key] for key in
            ("master_seed", "singular_values", "replicates", "initial_norm", "flow_time", "points")}
    cost = settings.replicates * settings.flow_time / 15
    tables = {}
    for depth in settings.depths:
        tables[f"flow_{depth}"] = study.table(f"flow_{depth}", {**flow, "depth": depth}, {}, "table_flow",
                                              seconds=1 + 0.5 * cost)
    tables["descent"] = study.table(
        "descent", {**flow, "depths": settings.depths, "descent_steps": settings.descent_steps}, dict(tables),
        seconds=1 + cost)
    tables["sensing"] = study.table(
        "sensing", {**flow, "depths": settings.depths, "measurements": settings.measurements}, {}, seconds=2 * cost)
    shown = {"depths": settings.depths, "singular_values": settings.singular_values}
    study.figure("singular_values", shown, tables)
    study.figure("conservation", {**shown, **flow}, tables)
    study.figure("measurements", {**shown, "measurements": settings.measurements}, tables)
    study.claims(shared, tables, seconds=3)
    study.values(shared, tables, seconds=2)


def _target(settings: Mapping[str, Any], replicate: int):
    from descent.bounds.matrix_sensing import target_matrix

    values = settings["singular_values"]
    return target_matrix(generator(settings["master_seed"], "sensing_target", replicate, values=values), values)


def _start(settings: Mapping[str, Any], kind: str, depth: int, replicate: int):
    import numpy as np

    from descent.bounds.matrix_sensing import starting_layers

    d = len(settings["singular_values"])
    draws = generator(settings["master_seed"], f"sensing_{kind}", replicate, depth=depth, d=d)
    sign = np.linalg.det(_target(settings, replicate))
    return starting_layers(draws, kind, depth, d, settings["initial_norm"], sign)


def _times(settings: Mapping[str, Any]):
    import numpy as np

    return np.linspace(0.0, settings["flow_time"], settings["points"])


def table_flow(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """All layers along the flow, for both starts and every replicate of one depth."""
    import numpy as np

    from descent.bounds.matrix_sensing import population_slope, sensing_flow

    depth, times, parts = settings["depth"], _times(settings), []
    for start in STARTS:
        for replicate in range(settings["replicates"]):
            slope = population_slope(_target(settings, replicate), depth)
            kept, error = sensing_flow(_start(settings, start, depth, replicate), slope, times)
            parts.append({"start": np.full(len(times), start), "replicate": np.full(len(times), replicate),
                          "flow_time": times, "layers": np.array(kept).reshape(len(times), -1),
                          "integration_error": np.full(len(times), error)})
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    write_table(outputs["table"], columns, {"flow_time": "flow time"}, settings)


def _runs(settings: Mapping[str, Any], inputs: Mapping[str, Path], depth: int, start: str) -> list[dict[str, Any]]:
    import numpy as np

    from descent.bounds.matrix_sensing import factor_velocities, population_slope

    table, d, found = read_table(inputs[f"flow_{depth}"]), len(settings["singular_values"]), []
    for replicate in range(settings["replicates"]):
        rows = (np.array(table["start"]) == start) & (table["replicate"] == replicate)
        layers, target = list(table["layers"][rows].reshape(-1, depth, d, d)), _target(settings, replicate)
        slope = population_slope(target, depth)
        speed = max(np.linalg.norm(v) for kept in layers for v in factor_velocities(kept, slope))
        found.append({"layers": layers, "target": target, "slope": slope, "speed": speed,
                      "integration_error": table["integration_error"][rows].max()})
    return found


def table_descent(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Largest distance of descent's product from the flow's over ‖W*‖, for every learning rate (balanced start)."""
    import numpy as np

    from descent.bounds.matrix_sensing import descend
    from descent.networks.linear_network import product

    rows, between = [], settings["flow_time"] / (settings["points"] - 1)
    runs = [(depth, replicate, run) for depth in settings["depths"]
            for replicate, run in enumerate(_runs(settings, inputs, depth, "balanced"))]
    for (depth, replicate, run), eta in Checkpoint(rows).over(list(itertools.product(runs, settings["descent_steps"]))):
        layers, worst = list(run["layers"][0]), 0.0
        for kept in run["layers"][1:]:
            layers = descend(layers, run["slope"], eta, round(between / eta))
            worst = max(worst, np.abs(product(layers) - product(kept)).max())
        rows.append((depth, replicate, eta, worst / np.linalg.norm(run["target"])))
    names = ("depth", "replicate", "eta", "distance")
    write_table(outputs["table"], dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True)), {}, settings)


def table_sensing(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Relative error ‖W − W*‖/‖W*‖ and loss along the flow with finitely many measurements (balanced start)."""
    import numpy as np

    from descent.bounds.matrix_sensing import empirical_slope, sensing_flow
    from descent.networks.linear_network import product

    times, rows, d = _times(settings), [], len(settings["singular_values"])
    cases = list(itertools.product(settings["depths"], range(settings["replicates"]), settings["measurements"]))
    for depth, replicate, n in Checkpoint(rows).over(cases):
        target = _target(settings, replicate)
        draws = generator(settings["master_seed"], "measurements", replicate, d=d)
        matrices = draws.standard_normal((max(settings["measurements"]), d, d))[:n]
        slope = empirical_slope(target, depth, matrices)
        kept, _ = sensing_flow(_start(settings, "balanced", depth, replicate), slope, times)
        for t, layers in zip(times, kept):
            gap = product(layers) - target
            fit = np.mean((matrices.reshape(n, -1) @ gap.ravel()) ** 2) / (2 * depth)
            rows.append((depth, replicate, n, t, np.linalg.norm(gap) / np.linalg.norm(target), fit))
    names = ("depth", "replicate", "measurements", "flow_time", "error", "loss")
    columns = dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))
    write_table(outputs["table"], columns, {"flow_time": "flow time"}, settings)


def _singular_values(settings: Mapping[str, Any], inputs: Mapping[str, Path]) -> dict[int, Any]:
    import numpy as np

    from descent.networks.linear_network import product

    found, d = {}, len(settings["singular_values"])
    for depth in settings["depths"]:
        table = read_table(inputs[f"flow_{depth}"])
        rows = np.array(table["start"]) == "balanced"
        layers = table["layers"][rows].reshape(-1, depth, d, d)
        values = np.array([np.linalg.svd(product(list(kept)), compute_uv=False) for kept in layers])
        times = np.unique(table["flow_time"])
        found[depth] = times, values.reshape(-1, len(times), d)
    return found


def figure_singular_values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Singular values of the product over time, learnt one after the other (eth.1)."""
    from descent.bounds.matrix_sensing_figures import draw_singular_values

    figure = draw_singular_values(_singular_values(settings, inputs), settings["singular_values"])
    save_figure(figure, outputs, settings["preview"])


def figure_conservation(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """What the flow conserves, and what the document says it does (eth.1b); descent against flow."""
    import numpy as np

    from descent.bounds.matrix_sensing import drift
    from descent.bounds.matrix_sensing_figures import draw_conservation

    times, drifts = _times(settings), {}
    for depth in settings["depths"]:
        runs = _runs(settings, inputs, depth, "gaussian")
        drifts[depth] = [np.array([[drift(layers, run, transposed) for layers in run["layers"]] for run in runs])
                         for transposed in (False, True)]
    save_figure(draw_conservation(times, drifts, read_table(inputs["descent"])), outputs, settings["preview"])


def figure_measurements(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The error with finitely many measurements (eth.1a)."""
    from descent.bounds.matrix_sensing_figures import draw_measurements

    d = len(settings["singular_values"])
    figure = draw_measurements(read_table(inputs["sensing"]), settings["depths"], settings["measurements"], d * d)
    save_figure(figure, outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for eth.1a to eth.1f."""
    runs = {start: [run for depth in settings["depths"] for run in _runs(settings, inputs, depth, start)]
            for start in STARTS}
    write_claims(outputs["claims"], [*_gradient_claims(settings, runs), *_conservation_claims(runs),
                                     *_velocity_claims(settings, runs), *_learning_claims(settings, inputs)])


def _gradient_claims(settings: Mapping[str, Any], runs: Mapping[str, list]) -> list:
    from descent.bounds import matrix_sensing as checks
    from descent.claims import check
    from descent.statistics import agreement

    cases = [(run["layers"][len(run["layers"]) // 3], run["target"]) for run in runs["gaussian"]]
    d = len(settings["singular_values"])
    draws = generator(settings["master_seed"], "expected_square", 0, d=d)
    measurements = draws.standard_normal((settings["expectation_draws"], d, d))
    matrices = draws.standard_normal((5, d, d))

    def expectation(order):
        return agreement(*checks.expected_square(matrices, measurements, order), len(measurements))

    return [
        check("eth.1a", "theorem", r"$\partial L/\partial W_k = \frac1L W_{k+1:L}^\top (W - W^\ast) W_{1:k-1}^\top$",
              checks.gradient_formula, {"cases": cases}, {"swapped": True}, "the outer factors exchanged"),
        check("eth.1a.expectation", "theorem",
              r"$E_A \langle M, A \rangle^2 = \|M\|_F^2$ for independent $N(0, 1)$ entries",
              expectation, {"order": "fro"}, {"order": "nuc"}, "the nuclear norm"),
    ]


def _conservation_claims(runs: Mapping[str, list]) -> list:
    from descent.bounds import matrix_sensing as checks
    from descent.bounds.end_to_end import INTEGRATED, ROUNDING
    from descent.claims import check

    integrated, shown = {"tolerance": INTEGRATED}, {"figure": "conservation"}
    generic = {"runs": runs["gaussian"]}
    return [
        check("eth.1b.velocities", "theorem", r"$W_{k+1}^\top \dot W_{k+1} = \dot W_k W_k^\top$", checks.along,
              {**generic, "residual": checks.velocity_identity, "tolerance": ROUNDING, "transposed": False},
              {"transposed": True}, r"$\dot W_k^\top W_k$ on the right"),
        check("eth.1b.printed", "theorem", r"$W_{k+1}^\top W_{k+1} = W_k^\top W_k$, from a balanced start",
              checks.along, {"runs": runs["balanced"], "residual": checks.printed_equality, **integrated}, generic,
              "a start that is not balanced", form="erratum", **shown),
        check("eth.1b", "theorem", r"$W_{k+1}^\top W_{k+1} - W_k W_k^\top$ is constant in time, from every start",
              checks.along, {**generic, "residual": checks.drift, "transposed": False, **integrated},
              {"transposed": True}, r"$W_k^\top W_k$ in place of $W_k W_k^\top$", form="corrected", **shown),
        check("eth.1b.balanced", "theorem",
              r"$W_{k+1}^\top W_{k+1} = W_k W_k^\top$ at all times if it holds at $t = 0$",
              checks.along, {"runs": runs["balanced"], "residual": checks.balance, **integrated}, generic,
              "a start that is not balanced", form="corrected", **shown),
    ]


def _velocity_claims(settings: Mapping[str, Any], runs: Mapping[str, list]) -> list:
    from descent.bounds import matrix_sensing as checks
    from descent.bounds.end_to_end import INTEGRATED
    from descent.claims import check

    given = {"runs": runs["balanced"], "tolerance": INTEGRATED}
    other, unbalanced = {"runs": runs["gaussian"]}, "a start that is not balanced"
    return [
        check("eth.1c", "theorem", r"From a balanced start all layers have the same singular values, and singular "
              "vectors can be chosen with $U_k = V_{k+1}$", checks.along,
              {**given, "residual": checks.alignment}, other, unbalanced, form="corrected"),
        check("eth.1d", "theorem",
              r"From a balanced start $\dot W_k = \frac1L V_{k+1} \Sigma^{L-k} U_L^\top "
              r"(W^\ast - U_L \Sigma^L V_1^\top) "
              r"V_1 \Sigma^{k-1} V_k^\top$", checks.along,
              {**given, "residual": checks.velocity_by_svd}, other, unbalanced, form="corrected"),
        check("eth.1d.printed", "theorem", r"The same with $V_{k-1}^\top$ as the last factor, $k \ge 2$", checks.along,
              {**given, "residual": checks.velocity_by_svd, "printed": True}, other, unbalanced, form="erratum"),
        check("eth.1e", "theorem",
              r"From a balanced start $\dot W = \frac1L \sum_k U_L \Sigma^{2L-2k} U_L^\top "
              r"(W^\ast - U_L \Sigma^L V_1^\top) "
              r"V_1 \Sigma^{2k-2} V_1^\top$", checks.along,
              {**given, "residual": checks.end_velocity_by_svd, "halved": False}, {"halved": True},
              r"$\Sigma^{L-k}$ and $\Sigma^{k-1}$ in place of their squares"),
        check("eth.1f", "theorem", "From a balanced start "
              r"$\dot W = \frac1L \sum_k [WW^\top]^{\frac{L-k}{L}} (W^\ast - W) "
              r"[W^\top W]^{\frac{k-1}{L}}$", checks.along, {**given, "residual": checks.closed_form, "exponent": 1.0},
              {"exponent": 2.0}, "twice the exponents"),
        check("eth.1f.flow", "theorem",
              "From a balanced start with $\\det W \\ne 0$ the flow of $W$ alone by that equation is the flow of the "
              "product of the layers",
              checks.closed_flow, {"runs": runs["balanced"], "times": _times(settings)}, other, unbalanced),
    ]


def _learning_claims(settings: Mapping[str, Any], inputs: Mapping[str, Path]) -> list:
    import numpy as np

    from descent.bounds import matrix_sensing as checks
    from descent.bounds.end_to_end import first_order
    from descent.claims import check, report_only
    from descent.statistics import falling_trend

    table = read_table(inputs["descent"])
    order = np.lexsort((-table["eta"], table["replicate"], table["depth"]))
    distances = table["distance"][order].reshape(-1, len(settings["descent_steps"]))
    goals = np.array(settings["singular_values"])
    earliness = [-checks.half_times(values, t, goals) for t, runs in _singular_values(settings, inputs).values()
                 for values in runs]
    sensing, last = read_table(inputs["sensing"]), settings["flow_time"]
    fewest = min(settings["measurements"])
    errors = sensing["error"][(sensing["flow_time"] == last) & (sensing["measurements"] == fewest)]
    return [
        check("eth.1.descent", "asymptotic", r"Gradient descent approaches the flow at first order in $\eta$: the last "
              r"halving has slope $1 \pm 0.05$", first_order, {"distances": [distances], "within": 0.05},
              {"slope": 2.0}, "second order, slope 2", form="our own", figure="conservation"),
        check("eth.1.order", "empirical",
              r"From small balanced starts larger singular values of $W^\ast$ are learnt first",
              falling_trend, {"samples": earliness, "rotation": 0}, {"rotation": 1}, "each run rotated by one more",
              form="our own", figure="singular_values"),
        report_only("eth.1a.measurements", f"Mean relative error at the end with {fewest} measurements of "
                    f"{goals.size**2} unknowns", float(errors.mean()), len(errors), figure="measurements"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds.matrix_sensing_summary import summary

    tables = {name: read_table(inputs[name]) for name in ("descent", "sensing")}
    errors = [float(read_table(inputs[f"flow_{depth}"])["integration_error"].max()) for depth in settings["depths"]]
    found = summary(_singular_values(settings, inputs), tables["descent"], tables["sensing"], max(errors), settings)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
