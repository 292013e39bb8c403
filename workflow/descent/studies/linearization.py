"""How far is a network from its linearization, and what does width have to do with it? (the exercise's problem 2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Size
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table

TITLE = "Near initialization: how far is a network from its linearization?"
PART = "kernels"


class Draws(Block):
    """Random and adversarial displacements (eth.2c)."""

    count: int = Field(..., ge=4, le=10000, description="Draws for each activation, direction, width and dimension")
    widths: list[Size] = Field(..., min_length=1, description="Widths m, up to 4096 (beyond, z²/2 would round)")
    dimensions: list[Size] = Field(..., min_length=1, description="Input dimensions d, up to 64")
    exponents: tuple[int, int] = Field(..., description="Displacements have scale 2^k, k between these two, up to 2")

    @model_validator(mode="after")
    def _exact(self):
        if not (1 <= min(self.widths) <= max(self.widths) <= 4096
                and 1 <= min(self.dimensions) <= max(self.dimensions) <= 64
                and -20 <= self.exponents[0] <= self.exponents[1] <= 2):
            raise ValueError("widths must be in 1..4096, dimensions in 1..64, exponents rise within -20..2")
        return self


class Training(Block):
    """Training at growing width (eth.2d)."""

    data: list[Literal["synthetic_regression", "diabetes"]] = Field(
        ..., min_length=1, max_length=2, description="Regression sets, their inputs scaled to unit length")
    widths: list[Size] = Field(..., min_length=3, description="Widths m, rising")
    replicates: int = Field(..., ge=2, le=100, description="Initializations of every width")
    steps: int = Field(..., ge=10, le=10**5, description="Steps of gradient descent on all samples")
    stable_fraction: float = Field(..., gt=0, lt=1, description="Step over 2 / ‖X‖₂², stable at every width")
    recorded: int = Field(..., ge=4, le=200, description="Steps at which outputs are compared, even in the logarithm")
    shown: int = Field(..., ge=1, le=8, description="Samples whose outputs are drawn")

    @model_validator(mode="after")
    def _rising_widths(self):
        if self.widths != sorted(set(self.widths)) or self.widths[0] < 1 or len(set(self.data)) < len(self.data):
            raise ValueError("widths must be positive and rising, data sets different")
        return self


class Settings(Block):
    """Settings of the study; spec items eth.2a to eth.2d give the values of config.yaml."""

    draws: Draws = Field(..., description="Draws that test the bound (eth.2c)")
    training: Training = Field(..., description="Training at growing width (eth.2d)")


SIGNS = ("random", "equal")


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the draws, one training run for each data set and choice of signs, and what is read from them."""
    drawn = {"master_seed": study.master_seed, **settings.draws.model_dump()}
    weights = settings.draws.count * sum(settings.draws.widths) * sum(settings.draws.dimensions)
    draws = study.table("draws", drawn, {}, seconds=0.3 + 7e-7 * weights, memory_mb=500, megabytes=1)
    runs = {f"{name}_{signs}": _plan_run(study, settings.training, name, signs)
            for name in settings.training.data for signs in SIGNS}
    metrics = {name: paths["metrics"] for name, paths in runs.items()}
    study.figure("linearization_ratio", {}, {"draws": draws}, seconds=2)
    study.figure("linearization_outputs", {}, {"trajectory": runs[f"{settings.training.data[0]}_random"]["trajectory"]},
                 seconds=1.5)
    study.figure("linearization_widths", {}, metrics, seconds=2.5)
    evidence = {"draws": draws, **metrics}
    study.claims({"master_seed": study.master_seed}, evidence)
    study.values({}, evidence)


def _plan_run(study: StudyPlan, training: Training, name: str, signs: str) -> dict[str, str]:
    shared = training.model_dump(exclude={"data", "replicates"})
    samples = 442 if name == "diabetes" else 128
    # Measured: 3.5 ns for each unit, sample and step (d = 10), and an eigendecomposition for each width.
    each = 3.5e-9 * sum(training.widths) * samples * training.steps + 5e-10 * samples**3 * len(training.widths)
    return study.train({"data": name, "signs": signs}, {"signs": signs, "master_seed": study.master_seed, **shared},
                       {"data": study.data(name)}, range(training.replicates),
                       seconds=0.3 + training.replicates * each, memory_mb=500)


def table_draws(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Gaps and what bounds them, for every activation, direction, width and dimension."""
    import numpy as np

    from descent.bounds import linearization
    from descent.networks.smooth_activation import ACTIVATIONS

    exponents, count = tuple(settings["exponents"]), settings["count"]
    cells = [{"activation": name, "direction": direction, "width": width, "dimension": dimension}
             for name in ACTIVATIONS for direction in linearization.DIRECTIONS
             for width in settings["widths"] for dimension in settings["dimensions"]]
    parts = []
    for cell in cells:
        draws = linearization.displacements(
            generator(settings["master_seed"], "displacements", 0, exponents=exponents, **cell),
            ACTIVATIONS[cell["activation"]], cell["direction"], count, cell["width"], cell["dimension"], exponents)
        parts.append(linearization.bound_columns(draws, ACTIVATIONS[cell["activation"]]))
    columns = {key: [cell[key] for cell in cells for _ in range(count)] for key in cells[0]}
    columns |= {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    write_table(outputs["table"], columns, {}, settings)


def train(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path], replicate: int) -> None:
    """One replicate at all widths: gaps and movements at the recorded steps, and the outputs on a few samples."""
    import numpy as np

    from descent.dynamics.kernel_comparison import unit_rows
    from descent.dynamics.recorded_descent import log_spaced_steps
    from descent.dynamics.smooth_descent import measured_descent, stable_step
    from descent.networks.smooth_activation import SOFTPLUS
    from descent.networks.theorem_network import hidden_weights, output_weights

    data, seed = read_table(inputs["data"], ["x", "y"]), settings["master_seed"]
    x, y = unit_rows(data["x"]), data["y"]
    shown = np.argsort(y)[np.linspace(0, len(y) - 1, settings["shown"]).astype(int)]
    eta, steps = stable_step(settings["stable_fraction"], x), log_spaced_steps(settings["steps"], settings["recorded"])
    rows, drawn = [], []
    for width in settings["widths"]:
        signs = (output_weights("theorem", seed, replicate, width, 1)[:, 0] if settings["signs"] == "random"
                 else np.ones(width))
        hidden = hidden_weights(seed, replicate, width, x.shape[1])
        for row, curves in measured_descent(hidden, signs, x, y, eta, SOFTPLUS, steps):
            rows.append({"replicate": replicate, "width": width, **row})
            drawn.append(curves[:, shown])
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    kept = {name: columns[name] for name in ("replicate", "width", "step", "flow_time")}
    kept |= dict(zip(("outputs", "linearized", "model"), np.stack(drawn, axis=1), strict=True))
    write_table(outputs["metrics"], columns, {"flow_time": "flow time", "loss": "squared error"}, settings)
    write_table(outputs["trajectory"], kept, {"flow_time": "flow time"}, settings)


def figure_linearization_ratio(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Gap over bound, and failures of the printed bound (eth.2c)."""
    from descent.bounds.linearization_figures import draw_ratios

    save_figure(draw_ratios(read_table(inputs["draws"])), outputs, settings["preview"])


def figure_linearization_outputs(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Outputs of a network and of its trained linearization (eth.2d)."""
    from descent.bounds.linearization_figures import draw_outputs

    save_figure(draw_outputs(read_table(inputs["trajectory"])), outputs, settings["preview"])


def figure_linearization_widths(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Gaps and movements against the width (eth.2d)."""
    from descent.bounds.linearization_figures import draw_widths

    save_figure(draw_widths({name: read_table(path) for name, path in inputs.items()}), outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for eth.2a to eth.2d."""
    draws = read_table(inputs["draws"])
    runs = {name: read_table(path) for name, path in inputs.items() if name != "draws"}
    write_claims(outputs["claims"], [*_identity_claims(settings), *_printed_claims(draws), *_bound_claims(draws),
                                     *_training_claims(runs), _step_claim(settings), *_width_claims(runs)])


PRINTED = r"$|f(W) - f_0(V)| \le \frac{\beta}{2\sqrt m} \|W - V\|_F^2\, \|x\|^2$ for all $W$ and $V$"
FAILING = "(observed: the share of cases in which it fails)"
HUNDREDFOLD = {"factor": 100.0}, "100 times the bound: no constant helps"


def _identity_claims(settings: dict[str, Any]) -> list:
    from descent.bounds import linearization_checks as checks
    from descent.claims import check
    from descent.networks.smooth_activation import SMOOTHNESS

    draws = generator(settings["master_seed"], "linearization_identities", 0)
    cases = checks.drawn_cases(draws, [(m, d) for m in (1, 4, 16) for d in (1, 3, 8)])
    slopes = {"derivatives": checks.slopes_of(cases)}
    mistaken, mistake = {"derivatives": checks.values_of(cases)}, r"$\sigma$ in place of $\sigma'$"
    return [
        check("eth.2a", "theorem", r"$\nabla f(W) = D\, a\, x^\top$ with $D = \mathrm{diag}(\sigma'(w_j^\top x))$",
              checks.gradient_matches, {"cases": cases, **slopes}, mistaken, mistake),
        check("eth.2b.forms", "theorem", r"$f(W_0) + \langle \nabla f(W_0), W - W_0 \rangle_F$ is the sum over "
              r"units of 2b with $\sigma'(w_{0,j}^\top x)$ for the printed $\sigma'(w_{0,j})$", checks.forms_agree,
              {"cases": cases, "slopes_at": 0.0}, {"slopes_at": 1.0}, r"slopes at $W$ in place of $W_0$",
              form="corrected"),
        check("eth.2b.tangency", "theorem", r"$|f(W) - f_0(W)| = O(\|W - W_0\|_F^2)$ as $W \to W_0$",
              checks.tangency, {"cases": cases, **slopes}, mistaken, mistake, form="our own"),
        check("eth.2c.smoothness", "theorem", r"$\sup|\sigma''|$ is $\frac14$ for softplus, $\frac{4}{3\sqrt3}$ for "
              r"tanh and 1 for $z^2/2$", checks.smoothness_constants,
              {"constants": SMOOTHNESS},
              {"constants": dict.fromkeys(SMOOTHNESS, 1.0)}, r"$\sup|\sigma'| = 1$ for softplus and tanh",
              form="our own"),
    ]


def _printed_claims(draws: Mapping[str, Any]) -> list:
    from descent.bounds import linearization_checks as checks
    from descent.bounds.linearization_summary import smoothness_column
    from descent.claims import check

    table = {"table": draws, "smoothness": smoothness_column(draws)}
    return [
        check("eth.2c.printed", "theorem", f"{PRINTED}; at $V = W$ {FAILING}", checks.printed_bound,
              {**table, "same_point": True}, *HUNDREDFOLD, form="erratum", figure="linearization_ratio"),
        check("eth.2c.printed_pairs", "theorem", f"{PRINTED}; $V$ drawn by itself {FAILING}", checks.printed_bound,
              {**table, "same_point": False}, *HUNDREDFOLD, form="erratum", figure="linearization_ratio"),
    ]


def _bound_claims(draws: Mapping[str, Any]) -> list:
    from descent.bounds import linearization_checks as checks
    from descent.bounds.linearization_summary import rows_of
    from descent.claims import check
    from descent.networks.smooth_activation import SMOOTHNESS

    tables = {name: rows_of(draws, "activation", name) for name in SMOOTHNESS}
    wrong = {"softplus": ({"smoothness": 0.125}, r"$\beta/2$ in place of $\beta$"),
             "tanh": ({"width_power": 1.0}, r"$1/m$ in place of $1/\sqrt m$"),
             "quadratic": ({"input_power": 0.5}, r"$\|x\|$ in place of $\|x\|^2$")}
    bound = r"$|f(W) - f_0(W)| \le \frac{\beta}{2\sqrt m} \|W - W_0\|_F^2\, \|x\|^2$"
    shown = {"form": "corrected", "figure": "linearization_ratio"}
    rows = [check(f"eth.2c.{name}", "theorem", f"{bound}; {label}", checks.corrected_bound,
                  {"table": tables[name], "smoothness": SMOOTHNESS[name]}, *wrong[name], **shown)
            for name, label in zip(SMOOTHNESS, ("softplus", "tanh", "$z^2/2$"), strict=True)]
    return [
        *rows,
        check("eth.2c.equality", "theorem", r"Equality for $z^2/2$ where $W - W_0$ has rows parallel to $x$ and the "
              "units that move have one sign", checks.equality,
              {"table": tables["quadratic"], "smoothness": 1.0, "directions": ["one_signed", "steepest"]},
              {"directions": ["parallel"]}, "random signs", **shown),
        check("eth.2c.sharp", "empirical", r"The constant cannot be lowered: for each $\sigma$ a draw has a gap of "
              "0.999 times the bound or more", checks.sharpness, {"tables": tables}, {"factor": 2.0},
              r"$\beta/\sqrt m$ in place of $\beta/(2\sqrt m)$", form="our own", figure="linearization_ratio"),
    ]


def _training_claims(runs: Mapping[str, Mapping[str, Any]]) -> list:
    from descent.bounds import linearization_checks as checks
    from descent.claims import check
    from descent.networks.smooth_activation import SMOOTHNESS

    tables, shown = list(runs.values()), {"figure": "linearization_widths"}
    run = {"tables": tables, "smoothness": SMOOTHNESS["softplus"]}
    return [
        check("eth.2c.printed_training", "theorem", f"{PRINTED}; in training, $W$ the weights of the network and $V$ "
              f"those of its trained linearization {FAILING}", checks.printed_along_training, run, *HUNDREDFOLD,
              form="erratum", **shown),
        check("eth.2d.bound", "theorem", r"$|f(W_k) - f_0(W_k)| \le \frac{\beta}{2\sqrt m} \|W_k - W_0\|_F^2$ at all "
              "recorded steps of training, on all samples", checks.bound_along_training, run, {"width_power": 1.0},
              r"$1/m$ in place of $1/\sqrt m$", form="corrected", **shown),
        check("eth.2d.movement", "theorem", r"$\|W_k - W_0\|_F^2 \le 2 t_k \left(L(W_0) - L(W_k)\right)$, at any width",
              checks.movement_along_training, {"tables": tables}, {"whole_time": False},
              r"one step's $\eta$ in place of $t_k = \eta k$", form="our own", **shown),
    ]


def _step_claim(settings: dict[str, Any]):
    from descent.bounds import linearization_checks as checks
    from descent.claims import check

    draws = generator(settings["master_seed"], "linearization_steps", 0)
    return check("eth.2d.one_step", "theorem", r"After one step $f(W_1) - f_0(W_1)$ is $\frac12 m^{-3/2} \sum_j a_j\, "
                 r"\sigma''(w_{0,j}^\top x)\, b_j^2$ up to $\frac{\gamma}{6 m^2} \sum_j |b_j|^3$, the $b_j$ without "
                 "the signs", checks.one_step_expansion, {"steps": list(checks.drawn_steps(draws, (4, 16, 64, 256)))},
                 {"signed": False}, "the sum without its signs $a_j$", form="our own")


def _width_claims(runs: Mapping[str, Mapping[str, Any]]) -> list:
    from descent.bounds import linearization_checks as checks
    from descent.bounds.linearization_summary import with_relative_movement
    from descent.claims import check

    tables = {name: with_relative_movement(table) for name, table in runs.items()}
    groups = {signs: [table for name, table in tables.items() if name.endswith(signs)] for signs in SIGNS}
    gap, model = (r"$\sup_t \max_i |f(W_t) - f_0(W_t)|$", r"$\sup_t \max_i |f(W_t) - f_0(V_t)|$, $V_t$ the weights of "
                  "the trained linearization,")
    wrong = {-0.5: ({"expected": -1.0}, "exponent $-1$"), -1.0: ({"expected": -0.5}, r"exponent $-\frac12$"),
             0.0: ({"expected": -0.5}, r"exponent $-\frac12$")}

    def row(name: str, statement: str, chosen, column: str, expected: float, margin: float):
        return check(f"eth.2d.{name}", "asymptotic", statement, checks.slopes_within,
                     {"tables": chosen, "column": column, "expected": expected, "margin": margin}, *wrong[expected],
                     form="our own", figure="linearization_widths")

    half, whole = {"expected": -0.5, "margin": 0.1}, {"expected": -1.0, "margin": 0.25}
    equal, random = "falls like $m^{-1/2}$ when all signs are equal", "falls like $m^{-1}$ with random signs"
    # With random signs the candidates are -1 and -1/2: the interval has to be on the side of -1.
    return [
        row("gap_equal", f"{gap} {equal}", groups["equal"], "gap", **half),
        row("gap_random", f"{gap} {random}", groups["random"], "gap", **whole),
        row("model_equal", f"{model} {equal}", groups["equal"], "model_gap", **half),
        row("model_random", f"{model} {random}", groups["random"], "model_gap", **whole),
        row("total_movement", r"$\sup_t \|W_t - W_0\|_F$ is of the order $m^0$", list(tables.values()),
            "movement", expected=0.0, margin=0.1),
        row("relative_movement", r"$\sup_t \|W_t - W_0\|_F / \|W_0\|_F$ falls like $m^{-1/2}$", list(tables.values()),
            "relative_movement", **half),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds import linearization_summary as summary

    runs = {name: read_table(path) for name, path in inputs.items() if name != "draws"}
    found = summary.draw_values(read_table(inputs["draws"]))
    found["exponents"] = [summary.exponent_row(*name.rsplit("_", 1), table) for name, table in runs.items()]
    found["widths"] = summary.width_rows(runs)
    found |= summary.printed_in_training(list(runs.values()))
    found["findings"] = summary.findings(found)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
