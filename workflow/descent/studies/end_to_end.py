"""What does a deep linear network's product do by itself? (end-to-end dynamics, tau.3.1 to tau.3.4)"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.checkpoint import Checkpoint
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Size
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table

TITLE = "End to end: the dynamics of the product of linear layers"
PART = "linear"


class Settings(Block):
    """Settings of the study; spec items tau.3.1 to tau.3.4 give the values of config.yaml."""

    depths: list[Size] = Field(..., min_length=1, description="Numbers of layers N, from 2 to 6, rising (tau.3.4)")
    width: int = Field(..., ge=1, le=50, description="Hidden units of the regression networks (tau.3.4)")
    data: list[Literal["synthetic_regression", "diabetes"]] = Field(
        ..., min_length=1, description="Regression sets (tau.3.4)")
    replicates: int = Field(..., ge=1, le=100, description="Initializations (tau.3.4)")
    initial_norm: float = Field(..., gt=0, le=1, description="Norm of the end-to-end weights at the start (tau.3.4)")
    step: float = Field(..., gt=0, le=0.1, description="Largest eta on the mean half squared error (tau.3.4)")
    halvings: int = Field(..., ge=4, le=12, description="Times that eta is halved (tau.3.4)")
    flow_time: float = Field(..., gt=0, le=1000, description="Common horizon t = eta k (tau.3.4)")
    points: int = Field(..., ge=10, le=2000, description="Times at which trajectories are compared")
    matrix_size: int = Field(..., ge=2, le=10, description="d of the square factors (tau.3.1, tau.3.2)")
    draws: int = Field(..., ge=10, le=10**5, description="Random points at which identities are evaluated")

    @model_validator(mode="after")
    def _rising_depths_whole_steps(self):
        if self.depths != sorted(set(self.depths)) or self.depths[0] < 2 or self.depths[-1] > 6:
            raise ValueError("depths must be rising, from 2 to 6")
        between = self.flow_time / self.points / self.step
        if between < 1 or abs(between - round(between)) > 1e-9 * between:
            raise ValueError("flow_time / points must be a whole number of steps")
        return self


STARTS = ("balanced", "gaussian")


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare a comparison for each data set, the flows of square factors, and what is read from them."""
    shared = {"master_seed": study.master_seed, **settings.model_dump()}
    sets = {name: study.data(name) for name in settings.data}
    steps = settings.flow_time / settings.step * 2 ** (settings.halvings + 1)
    cost = 1.0 + 1.2e-6 * steps * settings.replicates * len(settings.depths) * len(STARTS)
    tables = {}
    for name, path in sets.items():
        one = {key: value for key, value in shared.items() if key not in ("data", "matrix_size", "draws")}
        tables[f"distances_{name}"] = study.table(f"distances_{name}", one, {"data": path}, "table_distances",
                                                  seconds=cost)
        tables[f"paths_{name}"] = study.table(f"paths_{name}", one, {"data": path}, "table_paths",
                                              seconds=cost / 2 ** (settings.halvings - 1))
    identity = {key: shared[key] for key in ("master_seed", "depths", "matrix_size", "replicates")}
    tables["powers"] = study.table("powers", identity, {}, seconds=1 + 0.3 * settings.replicates)
    first = settings.data[0]
    study.figure("trajectories", {"depths": settings.depths}, {"paths": tables[f"paths_{first}"]})
    study.figure("distance", {"depths": settings.depths, "data": settings.data}, tables)
    study.figure("mechanism", {"depths": settings.depths}, {**tables, "paths": tables[f"paths_{first}"]})
    study.claims(shared, tables, seconds=2)
    study.values(shared, {**sets, **tables})


def _first_layers(settings: Mapping[str, Any], start: str, depth: int, replicate: int, d: int):
    import numpy as np

    from descent.networks.linear_network import balanced_layers, gaussian_layers, product

    norm, width = settings["initial_norm"], settings["width"]
    draws = generator(settings["master_seed"], f"end_to_end_{start}", replicate, depth=depth, d=d, width=width)
    if start == "balanced":
        direction = draws.standard_normal(d)
        return balanced_layers(norm * direction[None] / np.linalg.norm(direction), depth, width)
    layers = gaussian_layers(draws, [d, *[width] * (depth - 1), 1], 1.0)
    # All layers by the same factor, so that both starts have a product of the same norm.
    factor = (norm / np.linalg.norm(product(layers))) ** (1 / depth)
    return [factor * layer for layer in layers]


def _compare(layers, moments, eta: float, every: int, points: int):
    import numpy as np

    from descent.dynamics.end_to_end import EndToEndDescent
    from descent.dynamics.linear_descent import LinearDescent
    from descent.networks.linear_network import product

    start = product(layers)[0]
    network, direct = LinearDescent(layers, moments, eta), EndToEndDescent(start, moments, len(layers), eta)
    shortened = EndToEndDescent(start, moments, len(layers), eta, last_term=False)
    paths = np.empty((3, points + 1, len(start)))
    paths[:, 0] = start
    for k in range(1, points + 1):
        for run in (network, direct, shortened):
            run.step(every)
        paths[:, k] = product(network.layers)[0], direct.weights, shortened.weights
    return paths


def table_distances(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """sup_t of the distance between network and end-to-end update over ‖w*‖, for every start, depth and η."""
    import numpy as np

    from descent.dynamics.linear_descent import Moments

    data = read_table(inputs["data"])
    moments, rows = Moments(data["x"], data["y"]), []
    scale, base = np.linalg.norm(moments.least_squares()), settings["flow_time"] / settings["points"]
    cases = list(itertools.product(STARTS, settings["depths"], range(settings["replicates"]),
                                   range(settings["halvings"] + 1)))
    for start, depth, replicate, halving in Checkpoint(rows).over(cases):
        layers = _first_layers(settings, start, depth, replicate, data["x"].shape[1])
        eta = settings["step"] / 2**halving
        paths = _compare(layers, moments, eta, round(base / eta), settings["points"])
        apart = np.linalg.norm(paths[1:] - paths[0], axis=2).max(axis=1) / scale
        rows.append((start, depth, replicate, eta, *apart))
    names = ("start", "depth", "replicate", "eta", "distance", "without_last_term")
    columns = dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))
    write_table(outputs["table"], columns, {"distance": "norm of the least-squares solution"}, settings)


def table_paths(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """w of network and end-to-end update at all compared times, with gradients: replicate 0, half the largest η."""
    import numpy as np

    from descent.dynamics.linear_descent import Moments

    data = read_table(inputs["data"])
    moments, parts = Moments(data["x"], data["y"]), []
    eta, base = settings["step"] / 2, settings["flow_time"] / settings["points"]
    for start in STARTS:
        for depth in settings["depths"]:
            layers = _first_layers(settings, start, depth, 0, data["x"].shape[1])
            network, direct, _ = _compare(layers, moments, eta, round(base / eta), settings["points"])
            times = base * np.arange(len(network))
            parts.append({"start": np.full(len(times), start), "depth": np.full(len(times), depth), "flow_time": times,
                          "network": network, "end_to_end": direct, "gradient": network @ moments.S - moments.q})
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    write_table(outputs["table"], columns, {"flow_time": "flow time"},
                {**settings, "least_squares": moments.least_squares().tolist()})


def _matrix_start(settings: Mapping[str, Any], start: str, depth: int, replicate: int):
    from descent.networks.linear_network import balanced_layers, gaussian_layers

    d = settings["matrix_size"]
    draws = generator(settings["master_seed"], "square_factors", replicate, depth=depth, d=d)
    target, matrix = draws.standard_normal((2, d, d))
    if start == "balanced":
        return balanced_layers(0.5 * matrix / d**0.5, depth, d), target
    return gaussian_layers(draws, [d] * (depth + 1), 0.7), target


def table_powers(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """tau.3.1's residual along the flow of square factors, for both starts and every depth."""
    import numpy as np

    from descent.bounds.end_to_end import factor_flow, power_identity_residual

    times, rows = np.linspace(0.0, 2.0, 21), []
    for start in STARTS:
        for depth in settings["depths"]:
            for replicate in range(settings["replicates"]):
                kept, error = factor_flow(*_matrix_start(settings, start, depth, replicate), times)
                rows += [(start, depth, replicate, t, power_identity_residual(layers), error)
                         for t, layers in zip(times, kept)]
    names = ("start", "depth", "replicate", "flow_time", "residual", "integration_error")
    columns = dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))
    write_table(outputs["table"], columns, {"flow_time": "flow time"}, settings)


def figure_trajectories(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Network and end-to-end update, one component against another (tau.3.4)."""
    from descent.bounds.end_to_end_figures import draw_trajectories

    save_figure(draw_trajectories(read_table(inputs["paths"]), settings["depths"]), outputs, settings["preview"])


def figure_distance(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Their distance against the learning rate (tau.3.4)."""
    from descent.bounds.end_to_end_figures import draw_distance

    tables = {name: read_table(inputs[f"distances_{name}"]) for name in settings["data"]}
    save_figure(draw_distance(tables, settings["depths"]), outputs, settings["preview"])


def figure_mechanism(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Why: the power identity, and the share of the motion along the weights (tau.3.1, tau.3.3)."""
    from descent.bounds.end_to_end_figures import draw_mechanism

    figure = draw_mechanism(read_table(inputs["powers"]), read_table(inputs["paths"]), settings["depths"])
    save_figure(figure, outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for tau.3.1 to tau.3.4."""
    tables = {name: read_table(inputs[f"distances_{name}"]) for name in settings["data"]}
    write_claims(outputs["claims"], [*_identity_claims(settings), *_trajectory_claims(settings, tables)])


def _identity_claims(settings: Mapping[str, Any]) -> list:
    import numpy as np

    from descent.bounds import end_to_end as checks
    from descent.claims import check

    d, depths, times = settings["matrix_size"], settings["depths"], np.linspace(0.0, 2.0, 6)
    kept = {start: [checks.factor_flow(*_matrix_start(settings, start, depth, replicate), times)[0]
                    for depth in depths for replicate in range(settings["replicates"])] for start in STARTS}
    draws = generator(settings["master_seed"], "end_to_end_identities", 0, d=d)
    factors, targets = draws.standard_normal((2, settings["draws"], d, d))
    vectors = list(zip(*draws.standard_normal((2, settings["draws"], d))))
    wrong, transposed = {"velocity": checks.untransposed_velocity}, "$-2(GW + WG)$"
    symmetric = {"velocity": checks.symmetric_velocity}
    target = targets[0] @ targets[0].T / d + targets[1] / d
    # Not longer: the wrong form would leave every bound behind.
    start = {"U": factors[0] / d, "target": target, "times": np.linspace(0.0, 1.0, 6) / np.linalg.norm(target, 2)}
    return [
        check("tau.3.1", "theorem", r"From a balanced start $W_{1:j}^\top W_{1:j} = [W_{1:N}^\top W_{1:N}]^{j/N}$ "
              "all along gradient flow", checks.power_identity, {"trajectories": kept["balanced"]},
              {"trajectories": kept["gaussian"]}, "a start that is not balanced", figure="mechanism"),
        check("tau.3.2", "theorem", r"For $W = UU^\top$, $\dot W = -(G + G^\top)W - W(G + G^\top)$ with "
              r"$G = \nabla\ell(W)$",
              checks.symmetric_factor, {"draws": factors, "targets": targets, **symmetric}, wrong, transposed),
        check("tau.3.2.flow", "theorem", "The flow of $W$ by that formula is the flow of $UU^\\top$",
              checks.symmetric_flow, {**start, **symmetric}, wrong, transposed),
        check("tau.3.3", "theorem", r"With one output $\dot w = -\|w\|^{2 - 2/N} \left(g + (N - 1)\, (w^\top g)\, "
              r"w/\|w\|^2\right)$", checks.scalar_form,
              {"draws": vectors, "depths": depths}, {"more": 1.0}, "$N$ in place of $N - 1$", figure="mechanism"),
        check("tau.3.4.update", "theorem", r"One discrete update moves $w$ by $\eta$ times that velocity",
              checks.one_update, {"draws": vectors, "depths": depths, "eta": 0.1}, {"in_place": True},
              "each term of the sum subtracted before the next is computed"),
    ]


def _trajectory_claims(settings: Mapping[str, Any], tables: Mapping[str, Any]) -> list:
    from descent.bounds import end_to_end as checks
    from descent.claims import check

    cases = [(name, depth) for name in tables for depth in settings["depths"]]
    balanced, gaussian = ([checks.groups(tables[name], start=start, depth=depth) for name, depth in cases]
                          for start in STARTS)
    dropped = {name: {**table, "distance": table["without_last_term"]} for name, table in tables.items()}
    short = [checks.groups(dropped[name], start="balanced", depth=depth) for name, depth in cases]
    return [
        check("tau.3.4.balanced", "asymptotic", "From a balanced start the distance between the network and the "
              r"end-to-end update vanishes at first order in $\eta$: the last halving has slope $1 \pm 0.02$",
              checks.first_order, {"distances": balanced, "within": 0.02}, {"distances": short},
              "the term $j = N$ dropped", form="our own", figure="distance"),
        check("tau.3.4.gaussian", "empirical", "From a small Gaussian start of the same size it does not vanish: slope "
              "below 0.1", checks.does_not_vanish, {"distances": gaussian, "slope": 0.1}, {"distances": balanced},
              "the balanced start", form="our own", figure="distance"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds.end_to_end_summary import summary

    distances = {name: read_table(inputs[f"distances_{name}"]) for name in settings["data"]}
    paths, powers = read_table(inputs[f"paths_{settings['data'][0]}"]), read_table(inputs["powers"])
    found = summary(distances, paths, powers, settings)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
