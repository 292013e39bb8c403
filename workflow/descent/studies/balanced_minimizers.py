"""Does weight decay balance the layers of a ReLU network, and which penalties do not? (jhu.1a-1d)"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Positive
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table

TITLE = "Weight decay and balanced minimizers"
PART = "landscapes"


class Settings(Block):
    """Settings of the study; spec items jhu.1a to jhu.1d give the values of config.yaml."""

    samples: int = Field(..., ge=4, le=100, description="Samples N of the problems with several units")
    input_dimension: int = Field(..., ge=2, le=10, description="D")
    output_dimension: int = Field(..., ge=1, le=5, description="n")
    units: int = Field(..., ge=2, le=10, description="Hidden units r")
    replicates: int = Field(..., ge=2, le=50, description="Random problems of every kind")
    decay: float = Field(..., gt=0, le=10**6, description="lambda of the squared loss and penalty (jhu.1b)")
    mixed_decay: float = Field(..., gt=0, le=10**6, description="The same with the mixed penalty (jhu.1c)")
    logistic_decays: list[Positive] = Field(..., min_length=1, description="The same for the logistic loss")
    starts: int = Field(..., ge=2, le=1000, description="Starts for each problem with the squared penalty (jhu.1b)")
    target_scales: list[Positive] = Field(..., min_length=3, description="Norms of the targets, mixed penalty (jhu.1c)")
    sweep_starts: int = Field(..., ge=2, le=1000, description="Starts for each problem with the mixed penalty (jhu.1c)")
    scalar_decays: list[Positive] = Field(..., min_length=2, description="lambda of the scalar problem, one < 1/4")
    scalar_targets: int = Field(..., ge=6, le=1000, multiple_of=2, description="Targets for each of them (jhu.1c)")
    doublings: int = Field(..., ge=2, le=8, description="Rescalings alpha go from 2^-this to 2^this (jhu.1d)")
    step_fraction: float = Field(..., gt=0, lt=1, description="Fixed step over the largest stable one (jhu.1d)")
    steps: int = Field(..., ge=50, le=10**5, description="Steps of descent from each rescaled minimizer (jhu.1d)")

    @model_validator(mode="after")
    def _below_a_quarter(self):
        if min(self.scalar_decays) >= 0.25 or min(self.scalar_decays + self.logistic_decays + self.target_scales) <= 0:
            raise ValueError("decays and target_scales must be positive, and the least of scalar_decays below 1/4")
        return self


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the minimizations, the rescaled minimizers, and what is read from them."""
    shared = {"master_seed": study.master_seed, **settings.model_dump()}
    problems = settings.replicates * (settings.starts * (1 + len(settings.logistic_decays)) + settings.sweep_starts
                                      * (len(settings.target_scales) + len(settings.logistic_decays)))
    scalars = settings.scalar_targets * len(settings.scalar_decays)
    tables = {
        "minimizers": study.table("minimizers", shared, {}, seconds=0.015 * problems),
        "scalar": study.table("scalar", shared, {}, seconds=0.012 * scalars),
        "rescaling": study.table("rescaling", shared, {}, seconds=2e-3 * settings.replicates * settings.steps),
    }
    study.figure("balance", {"scalar_decays": settings.scalar_decays}, tables)
    study.figure("sharpness", {}, tables)
    study.claims(shared, tables)
    study.values(shared, tables)


def _problem(settings: Mapping[str, Any], loss: str, replicate: int):
    from descent.bounds.balanced import draw_problem

    sizes = {name: settings[name] for name in ("samples", "input_dimension", "output_dimension")}
    draws = generator(settings["master_seed"], f"balanced_{loss}", replicate, **sizes)
    return draw_problem(draws, *sizes.values(), loss)


def _weights(settings: Mapping[str, Any], role: str, replicate: int):
    from descent.bounds.balanced import draw_weights

    sizes = {name: settings[name] for name in ("units", "input_dimension", "output_dimension")}
    return draw_weights(generator(settings["master_seed"], role, replicate, **sizes), *sizes.values())


def _cases(settings: Mapping[str, Any]) -> list[tuple[str, str, float, float, int]]:
    """Penalty, loss, decay, norm of the targets, starts."""
    logistic = [("logistic", decay, 1.0) for decay in settings["logistic_decays"]]
    mixed = [("squared", settings["mixed_decay"], scale) for scale in settings["target_scales"]]
    return [*(("squared", *case, settings["starts"]) for case in [("squared", settings["decay"], 1.0), *logistic]),
            *(("mixed", *case, settings["sweep_starts"]) for case in [*mixed, *logistic])]


def _objective(settings: Mapping[str, Any], case: tuple, replicate: int):
    from descent.networks.relu_objective import ReluObjective

    penalty, loss, decay, scale, _ = case
    inputs, targets = _problem(settings, loss, replicate)
    return ReluObjective(inputs, scale * targets, loss, penalty, decay)


def table_minimizers(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Where every minimization of a problem with several units ended; starts are balanced and unbalanced in turn."""
    from descent.bounds.balanced import columns_of, row_of
    from descent.dynamics.kink_newton import minimize_objective

    rows = []
    for case in _cases(settings):
        for replicate in range(settings["replicates"]):
            objective = _objective(settings, case, replicate)
            for start in range(case[-1]):
                hidden, weights = _weights(settings, f"balanced_start_{start}", replicate)
                factor = (1.0, 4.0, 0.25)[start % 3]
                found = minimize_objective(objective, hidden / factor, factor * weights)
                rows.append({"replicate": replicate, "start": start, "scale": case[3], **row_of(objective, found)})
    write_table(outputs["table"], columns_of(rows), {}, settings)


def table_scalar(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The best minimum found of the scalar problem, for every penalty, decay and target."""
    import numpy as np

    from descent.bounds.balanced import columns_of, scalar_rows, target_grid

    starts, rows = np.array([[0.1, 0.1], [1.0, 1.0], [3.0, 1.5]]), []
    for penalty in ("squared", "mixed"):
        for decay in settings["scalar_decays"]:
            targets = target_grid(decay, settings["scalar_targets"], penalty)
            rows += scalar_rows(penalty, decay, targets, starts)
    write_table(outputs["table"], columns_of(rows), {}, settings)


def table_rescaling(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Sharpness of rescaled minimizers, and descent with one fixed step from near each of them."""
    import numpy as np

    from descent.bounds.balanced import fixed_step, rescaling

    exponents, tables = np.arange(-4 * settings["doublings"], 4 * settings["doublings"] + 1) / 4, []
    for replicate in range(settings["replicates"]):
        x, (hidden, weights) = _problem(settings, "squared", replicate)[0], _weights(settings, "planted", replicate)
        along = rescaling(hidden, weights, x, exponents)
        eta = settings["step_fraction"] * 2 / along["sharpness"].min()
        descent = fixed_step(hidden, weights, x, exponents, eta, settings["steps"], 1e-5)
        constant = {"replicate": np.full(len(exponents), replicate), "eta": np.full(len(exponents), eta)}
        tables.append({**constant, **along, **descent})
    columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    write_table(outputs["table"], columns, {"eta": "flow time"}, settings)


def figure_balance(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Norms of the layers at minimizers under both penalties, and the law of jhu.1c."""
    from descent.bounds.balanced_figures import draw_balance

    figure = draw_balance(read_table(inputs["minimizers"]), read_table(inputs["scalar"]), settings["scalar_decays"])
    save_figure(figure, outputs, settings["preview"])


def figure_sharpness(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Sharpness along rescaled minimizers, and where a fixed step is stable (jhu.1d)."""
    from descent.bounds.balanced_figures import draw_sharpness

    save_figure(draw_sharpness(read_table(inputs["rescaling"])), outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for jhu.1a to jhu.1d."""
    found, scalar = read_table(inputs["minimizers"]), read_table(inputs["scalar"])
    write_claims(outputs["claims"], [*_unbounded_claims(settings), *_balanced_claims(found, scalar),
                                     *_mixed_claims(settings, found, scalar),
                                     *_sharpness_claims(read_table(inputs["rescaling"]))])


def _planted(settings: Mapping[str, Any], replicate: int, scale: int = 0):
    import numpy as np

    from descent.networks.relu_objective import ReluObjective

    x, weights = _problem(settings, "squared", replicate)[0], _weights(settings, "planted", replicate)
    if scale:
        exact = np.vectorize(lambda z: Fraction(round(scale * z), scale), otypes=[object])
        x, weights = exact(x), tuple(exact(part) for part in weights)
    hidden, outputs = weights
    products = x @ hidden.T
    return ReluObjective(x, ((products > 0) * products) @ outputs, "squared", "none", 0.0), hidden, outputs


def _unbounded_claims(settings: Mapping[str, Any]) -> list:
    import numpy as np

    from descent.bounds import balanced_checks as checks
    from descent.claims import check
    from descent.networks.relu_objective import ReluObjective

    replicates = range(settings["replicates"])
    floats = {"problems": [_planted(settings, i) for i in replicates], "factors": 2.0 ** np.arange(-40, 41)}
    exact = {"problems": [_planted(settings, i, 16) for i in replicates],
             "factors": [Fraction(3, 7) ** k for k in range(-6, 7)]}
    zero = [ReluObjective(_problem(settings, loss, 0)[0], targets, loss, "none", 0.0)
            for loss, targets in (("squared", np.zeros((settings["samples"], 1))),)]
    separable = _separable(settings)
    flipped = separable["targets"].copy()
    flipped[0] *= -1
    return [
        check("jhu.1a", "theorem", r"From a global minimizer with $(U, V) \ne 0$ the points $(\alpha U, V/\alpha)$, "
              r"$\alpha > 0$, are global minimizers without bound: equal objectives in floating point, $\alpha = 2^k$",
              checks.rescaling_family, floats, {"sign": -1}, r"$\alpha < 0$, for which ReLU is not homogeneous"),
        check("jhu.1a.rational", "theorem", r"The same for rational weights and $\alpha = (3/7)^k$, in rational "
              r"arithmetic",
              checks.rescaling_family, exact, {"power": -2}, r"$(\alpha U, V/\alpha^2)$"),
        check("jhu.1a.zero", "theorem", "If $(0, 0)$ is a global minimizer, so is $(0, V)$ for every $V$",
              checks.zero_family, {"objectives": zero, "hidden": _weights(settings, "planted", 0)[0],
                                   "factors": 2.0 ** np.arange(41)},
              {"free": False}, r"the orbit of $(0, 0)$ under rescaling alone"),
        check("jhu.1a.separable", "theorem", "On data that the network separates the logistic objective has no "
              "minimizer: it falls to 0 along $(tU, tV)$ and is positive", checks.never_attained, separable,
              {"targets": flipped}, "the labels of one sample flipped", form="our own"),
    ]


def _separable(settings: Mapping[str, Any]) -> dict[str, Any]:
    import numpy as np

    objective, hidden, outputs = _planted(settings, 0)
    # Outputs scaled so that the least margin is 1, on the sample that is activated least of those that are.
    active = np.flatnonzero(np.abs(objective.targets).min(axis=1) > 0)
    x, z = objective.inputs[active], objective.targets[active]
    factors = np.sqrt(2.0 ** np.arange(6) / np.abs(z).min())
    return {"inputs": x, "targets": np.sign(z), "hidden": hidden, "outputs": outputs, "factors": factors}


def _penalized(table: Mapping[str, Any], penalty: str, loss: str | None = None) -> dict[str, Any]:
    import numpy as np

    rows = [i for i, name in enumerate(table["penalty"]) if name == penalty and loss in (None, table["loss"][i])]
    return {name: values[rows] if isinstance(values, np.ndarray) else [values[i] for i in rows]
            for name, values in table.items()}


def _balanced_claims(found: Mapping[str, Any], scalar: Mapping[str, Any]) -> list:
    from descent.bounds import balanced_checks as checks
    from descent.bounds.balanced import scalar_balanced
    from descent.claims import check

    several, one = _penalized(found, "squared"), _penalized(scalar, "squared")
    return [
        check("jhu.1b", "theorem", r"For $\lambda > 0$ every stationary point has $\|U\|_F = \|V\|_F$: $|\|U\|_F - "
              r"\|V\|_F| \le \varepsilon/\lambda$ at a subgradient of norm $\varepsilon$",
              checks.layers_balanced, {"table": several},
              {"entries": True}, "root mean squares of the entries equal", form="corrected", figure="balance"),
        check("jhu.1b.units", "theorem", r"Every unit is balanced: $\|u_j\| = \|v_j\|$", checks.units_balanced,
              {"table": several}, {"rolled": 1}, r"$\|u_j\| = \|v_{j+1}\|$", form="our own", figure="balance"),
        check("jhu.1b.bound", "theorem", r"Every stationary point has $\|U\|_F^2 = \|V\|_F^2 \le (F(0, 0) - F(U, "
              r"V))/\lambda$",
              checks.norms_bounded, {"table": _joined(several, one)}, {"factor": 0.5}, "half of the bound",
              form="corrected", figure="balance"),
        check("jhu.1b.scalar", "theorem", r"For $\frac12(y - uv)^2$ with $v \ge 0$ the global minimizers have $uv = "
              r"\max(y - \lambda, 0)$, $y > 0$", checks.closed_form, {"table": one, "product": scalar_balanced},
              {"factor": 0.5}, r"$\lambda/2$ in place of $\lambda$", form="our own", figure="balance"),
    ]


def _joined(*tables: Mapping[str, Any]) -> dict[str, Any]:
    import numpy as np

    return {name: np.concatenate([table[name] for table in tables])
            for name in ("norm_outputs", "fit_zero", "fit", "decay", "residual")}


def _mixed_claims(settings: Mapping[str, Any], found: Mapping[str, Any], scalar: Mapping[str, Any]) -> list:
    from descent.bounds import balanced_checks as checks
    from descent.bounds.balanced import first_local_target, scalar_mixed
    from descent.claims import check

    several, one, shown = _penalized(found, "mixed"), _penalized(scalar, "mixed"), {"figure": "balance"}
    decays = [Fraction(k, 20) for k in range(1, 20)]
    points = [Fraction(k, 12) for k in range(1, 25)]
    return [
        check("jhu.1c", "theorem", r"With $\frac\lambda2(\|U\|_F + \|V\|_F^2)$ a stationary point with $c = "
              r"\|U\|_F\|V\|_F > 0$ has $\|U\|_F = 2\|V\|_F^2$, that is $\|U\|_F/\|V\|_F = (4c)^{1/3}$",
              checks.ratio_law,
              {"tables": [several, one]}, {"constant": 2.0}, "$(2c)^{1/3}$", **shown),
        check("jhu.1c.units", "theorem", r"All units that are not 0 have the same ratio, $\|u_j\| = 2\|V\|_F \|v_j\|$",
              checks.unit_ratios, {"table": several}, {"factor": 1.0}, "half of the ratio", form="our own", **shown),
        check("jhu.1c.quarter", "theorem", r"For $c > 0$, $\|U\|_F - \|V\|_F$ has the sign of $c - \frac14$: balanced "
              r"if and only if $c = \frac14$", checks.balanced_only_at, {"tables": [several, one]}, {"product": 0.5},
              r"$c = \frac12$", **shown),
        check("jhu.1c.rational", "theorem", r"$(2v^2, v)$ is stationary for the target $2v^3 + \lambda/(2v)$; at $u = "
              r"v = \frac12$ it is a strict local minimizer for $\lambda < \frac34$ and better than $(0, 0)$ only for "
              r"$\lambda < \frac14$: exact",
              checks.rational_points, {"decays": decays, "hidden": points}, {"factor": 1}, "$(v^2, v)$",
              form="our own"),
        check("jhu.1c.scalar", "theorem", r"The global minimizer of the scalar problem is the better one of $(0, 0)$ "
              r"and $(2v^2, v)$, $v$ the largest root of $4v^4 - 2yv + \lambda$", checks.closed_form,
              {"table": one, "product": scalar_mixed}, {"factor": 2.0},
              r"$2\lambda$ in place of $\lambda$", form="our own", **shown),
        check("jhu.1c.threshold", "theorem", r"The scalar problem's global minimizer is $(0, 0)$, balanced, for $0 < y "
              r"< \sqrt2\, \lambda^{3/4}$; above, $c \ge (\lambda^3/4)^{1/4}$", checks.zero_below, {"table": one},
              {"threshold": first_local_target}, r"$8(\lambda/12)^{3/4}$, from where a nonzero local minimizer exists",
              form="our own", **shown),
        check("jhu.1c.least", "theorem", r"Squared loss, $\sigma_{\max}(X) = 1$: a stationary point with $c > 0$ and "
              r"no worse than $(0, 0)$ has $c \ge (\lambda^3/4)^{1/4}$", checks.products_at_least,
              {"table": _concatenated(_penalized(several, "mixed", "squared"), one)}, {"factor": 2.0}, "twice that",
              form="our own", **shown),
        _zero_claim(settings),
    ]


def _concatenated(*tables: Mapping[str, Any]) -> dict[str, Any]:
    import numpy as np

    return {name: np.concatenate([table[name] for table in tables])
            for name in ("norm_outputs", "norm_hidden", "objective", "fit_zero", "decay")}


def _zero_claim(settings: Mapping[str, Any]):
    from dataclasses import replace

    from descent.bounds import balanced_checks as checks
    from descent.claims import check

    cases = [case for case in _cases(settings) if case[0] == "mixed"]
    objectives = [_objective(settings, case, i) for case in cases for i in range(settings["replicates"])]
    sizes = {"units": settings["units"], "input_dimension": settings["input_dimension"]}
    return check("jhu.1c.zero", "theorem", r"With the mixed penalty $(0, 0)$, which is balanced, is a local minimizer "
                 r"for every $\lambda > 0$: $J > J(0, 0)$ for $\|V\|_F < \lambda/(2\|G_0\|_F\,\sigma_{\max}(X))$ and "
                 r"$U \ne 0$",
                 checks.zero_is_a_minimizer,
                 {"objectives": objectives, "units": settings["units"], "count": 4,
                  "draws": lambda i: generator(settings["master_seed"], "balanced_directions", i, **sizes)},
                 {"objectives": [replace(objective, penalty="squared") for objective in objectives]},
                 "the squared penalty", form="our own")


def _sharpness_claims(table: Mapping[str, Any]) -> list:
    from descent.bounds import balanced_checks as checks
    from descent.claims import check

    return [
        check("jhu.1d.sharpness", "theorem", r"At $(\alpha U, V/\alpha)$ with loss 0, $\max(\alpha^2 B, A/\alpha^2) "
              r"\le \lambda_{\max}(\nabla^2 F) \le \alpha^2 B + A/\alpha^2$",
              checks.sharpness_between, {"table": table}, {"power": 1.0},
              r"$\alpha$ in place of $\alpha^2$", form="our own", figure="sharpness"),
        check("jhu.1d.step", "empirical", r"Gradient descent from near $(\alpha U, V/\alpha)$ leaves it where "
              r"$\eta\lambda_{\max} > 2$ and only there",
              checks.stable_below, {"table": table}, {"limit": 1.0}, r"$\eta\lambda_{\max} > 1$",
              form="our own", figure="sharpness"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds.balanced_summary import summary

    found = summary(*(read_table(inputs[name]) for name in ("minimizers", "scalar", "rescaling")), settings)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
