"""How many steps of stochastic gradient descent until the expected gradient is small? Constant and decaying steps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Positive
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table

TITLE = "Stochastic gradients: constant and decaying steps"
PART = "stochastic"


class Settings(Block):
    """Settings of the study; spec items tau.2.1 and tau.2.2 give the values of config.yaml."""

    dimension: int = Field(..., ge=2, le=1000, description="d of all functions but the line (tau.2.1: at least 10)")
    least_curvature: float = Field(..., gt=0, le=1, description="Least curvature of the stretched quadratic over beta")
    start: float = Field(..., gt=0, le=100, description="Every coordinate of w_1")
    sigma: float = Field(..., gt=0, le=100, description="Square root of the noise's total variance (tau.2.1)")
    steps: int = Field(..., ge=64, le=10**6, description="T up to which the runs go")
    replicates: int = Field(
        ..., ge=100, le=10**7, multiple_of=20, description="Trajectories of each run (tau.2.1: at least 10,000)")
    dependent_replicates: int = Field(
        ..., ge=20, le=10**6, multiple_of=20, description="The same where the noise depends on the past (tau.2.2)")
    constant_targets: list[Positive] = Field(..., min_length=2, description="eps of eps + sigma, falling (tau.2.1)")
    decaying_targets: list[Positive] = Field(..., min_length=2, description="eps of decaying steps, falling (tau.2.2)")

    @model_validator(mode="after")
    def _falling_targets(self):
        for targets in (self.constant_targets, self.decaying_targets):
            if targets != sorted(set(targets), reverse=True) or targets[-1] <= 0:
                raise ValueError("targets must be positive and fall")
        return self


QUADRATICS = ("line", "quadratic", "stretched")


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the runs with random signs and with Gaussian noise, and what is read from them."""
    shared = {"master_seed": study.master_seed, **settings.model_dump(exclude={"constant_targets", "decaying_targets"})}
    # Measured at d = 10: seconds for each coordinate, step and trajectory of three functions and two schedules.
    size = settings.replicates * settings.steps * settings.dimension
    tables = {name: study.table(name, {**shared, "noises": noises}, {}, "table_descent", seconds=cost * size,
                                memory_mb=300)
              for name, noises, cost in (("signs", ["rademacher", "frozen", "opposed"], 3e-8),
                                         ("gaussian", ["gaussian"], 5.5e-8))}
    targets = settings.model_dump(include={"constant_targets", "decaying_targets"})
    study.figure("constant_step", shared, tables)
    study.figure("decaying_step", shared, tables)
    study.figure("sufficient_steps", {**shared, **targets}, tables)
    study.claims(shared, tables, seconds=2)
    study.values({**shared, **targets}, tables, seconds=1)


def table_descent(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Means over trajectories at every step, for every function, noise and schedule."""
    import numpy as np

    from descent.bounds.stationarity_runs import LABELS
    from descent.dynamics.stochastic_descent import objectives

    parts = []
    for name, objective in objectives(settings["dimension"], settings["least_curvature"]).items():
        for noise in settings["noises"]:
            for schedule, rows in _descents(settings, objective, noise).items():
                labels = dict.fromkeys(LABELS)
                labels |= {"objective": name, "noise": noise, "schedule": schedule}
                parts.append({**{key: [text] * settings["steps"] for key, text in labels.items()}, **rows})
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    write_table(outputs["table"], {key: list(column) if key in LABELS else column for key, column in columns.items()},
                {}, settings)


def _descents(settings: Mapping[str, Any], objective, noise: str) -> Mapping[str, Mapping[str, Any]]:
    from descent.bounds.stationarity_runs import DEPENDENT
    from descent.dynamics.stochastic_descent import ensemble
    from descent.dynamics.stochastic_descent import noise as gradient_noise

    count, dimension = settings["dependent_replicates" if noise in DEPENDENT else "replicates"], objective.dimension
    # Small enough for the cache, and a divisor of the number of batches.
    groups = min(group for group in (1, 2, 4, 5, 10, 20) if count <= 25000 * group / dimension or group == 20)
    draws = [gradient_noise(noise, settings["sigma"], dimension, count // groups, generator(
        settings["master_seed"], "gradient_noise", group, kind=noise, d=dimension, n=count // groups))
        for group in range(groups)]
    return ensemble(objective, ("constant", "decaying"), settings["steps"], settings["start"], draws, count // groups)


def _runs(settings: Mapping[str, Any], inputs: Mapping[str, Path]) -> list:
    from descent.bounds.stationarity_runs import runs_of

    return runs_of([read_table(inputs[name]) for name in ("signs", "gaussian")], settings)


def figure_constant_step(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The average and the minimum against their bounds, constant step (tau.2.1)."""
    from descent.bounds.stationarity_figures import draw_descents

    save_figure(draw_descents(_runs(settings, inputs), settings["sigma"], "constant"), outputs, settings["preview"])


def figure_decaying_step(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The same, decaying step (tau.2.2)."""
    from descent.bounds.stationarity_figures import draw_descents

    save_figure(draw_descents(_runs(settings, inputs), settings["sigma"], "decaying"), outputs, settings["preview"])


def figure_sufficient_steps(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """How many steps suffice and how many were needed (tau.2.1, tau.2.2)."""
    from descent.bounds.stationarity_figures import draw_sufficient_steps

    figure = draw_sufficient_steps(_runs(settings, inputs), settings["sigma"], settings["constant_targets"],
                                   settings["decaying_targets"])
    save_figure(figure, outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for tau.2.1 and tau.2.2."""
    runs = _runs(settings, inputs)
    write_claims(outputs["claims"], [*_constant_claims(runs, settings["sigma"]),
                                     *_decaying_claims(runs, settings["sigma"]), *_rate_claims(runs, settings)])


COORDINATE = r"$\sigma$ taken for each coordinate: $\sigma^2/d$ in place of $\sigma^2$"
FUNCTIONS = "on the quadratics and on $\\sum_i \\log(1 + w_i^2)$, with random signs and with Gaussian noise"


def _constant_claims(runs: list, sigma: float) -> list:
    from fractions import Fraction

    from descent.bounds import stationarity_checks as checks
    from descent.bounds.stationarity_runs import DEPENDENT, chosen
    from descent.claims import check

    constant, shown = chosen(runs, "constant"), {"figure": "stochastic_gradient/constant_step"}
    given, per = {"runs": constant, "sigma": sigma}, {"per_coordinate": True}
    every = (*DEPENDENT, "rademacher", "gaussian")
    exact = {"steps": 10, "sigma": Fraction(2), "part": Fraction(1)}
    cases = [tuple(map(Fraction, case)) for case in (("1", "1", "60"), ("1/2", "1", "40"), ("2", "1", "200"))]
    return [
        check("tau.2.1.minimum", "theorem", r"With $\eta = 1/\beta$ and $T \ge 2\beta\Delta/\epsilon^2$: "
              r"$\min_{t \le T} E\|\nabla f(w_t)\| \le \epsilon + \sigma$, " + FUNCTIONS,
              checks.minimum, {**given, "schedule": "constant"}, per, COORDINATE, **shown),
        check("tau.2.1.average", "theorem", r"$\frac1T \sum_{t \le T} E\|\nabla f(w_t)\|^2 \le 2\beta\Delta/T + "
              r"\sigma^2$ for every $T$, " + FUNCTIONS, checks.plain_average, given, per, COORDINATE, **shown),
        check("tau.2.1.sharp", "theorem", r"The same with $(2\beta\Delta - \sigma^2)/T + \sigma^2$, so that "
              r"$T \ge (2\beta\Delta - \sigma^2)/(\epsilon^2 + 2\epsilon\sigma)$ suffices",
              checks.sharp_average, given, per, COORDINATE, form="our own", **shown),
        check("tau.2.1.floor", "theorem", r"On $\beta w^2/2$ with $\xi = \pm\sigma$: $E g_t^2 = (E|g_t|)^2 = \sigma^2$ "
              r"for all $t \ge 2$, exactly, so that $\sigma$ cannot be improved", checks.floor_attained, exact,
              {"part": Fraction(1, 2)}, r"half the step, $\eta = 1/(2\beta)$", form="our own"),
        check("tau.2.1.needed", "theorem", r"Some function needs $T > 1 + (2\beta\Delta - s^2) / (2s(s + \sigma))$ for "
              r"$\epsilon + \sigma$, for each slope $s > \epsilon + \sigma$: exactly, on Huber's function with "
              r"$\xi = \pm\sigma$", checks.steps_needed, {"cases": cases}, {"sufficient": True},
              r"as many steps as suffice, $(2\beta\Delta - \sigma^2)/(\epsilon^2 + 2\epsilon\sigma)$", form="our own"),
        check("tau.2.1.any_noise", "theorem", r"With $\eta = 1/\beta$ neither $E\xi_t = 0$ nor independence is needed: "
              r"$\sum_{t \le T} \|\nabla f(w_t)\|^2 \le 2\beta\Delta + \sum_{t < T} \|\xi_t\|^2$ along every path",
              checks.along_every_path, {"runs": chosen(runs, "constant", every)},
              {"runs": chosen(runs, "decaying", every)},
              r"the corresponding sums with the step $\eta_t = 1/(\beta\sqrt t)$", form="our own", **shown),
        check("tau.2.1.recursion", "theorem", r"On the quadratics every measured $E\|\nabla f(w_t)\|^2$ agrees with "
              "the exact recursion", checks.exact_expectation,
              {"runs": chosen(runs, "constant", names=QUADRATICS), "sigma": sigma}, {"noise_power": 1},
              r"the noise enters with $\eta\lambda_i$ in place of its square", form="our own", **shown),
    ]


def _decaying_claims(runs: list, sigma: float) -> list:
    from fractions import Fraction

    from descent.bounds import stationarity_checks as checks
    from descent.bounds.stationarity_runs import DEPENDENT, chosen
    from descent.claims import check

    decaying, shown = chosen(runs, "decaying"), {"figure": "stochastic_gradient/decaying_step"}
    given, per = {"runs": decaying, "sigma": sigma}, {"per_coordinate": True}
    step = r"With $\eta_t = 1/(\beta\sqrt t)$: "
    right = r"$\left[2\beta\Delta + \sigma^2(1 + \ln T)\right] / \left[2(\sqrt{T + 1} - 1)\right]$"
    exact = {"steps": 10, "sigma": Fraction(2), "start": Fraction(3)}
    return [
        check("tau.2.2.minimum", "theorem", step + r"$(\min_{t \le T} E\|\nabla f(w_t)\|)^2 \le$ " + right
              + ", " + FUNCTIONS, checks.minimum, {**given, "schedule": "decaying"},
              {"runs": chosen(runs, "constant")}, r"the step $1/\beta$ not decaying", **shown),
        check("tau.2.2.average", "theorem", step + r"$\sum_{t \le T} \eta_t E\|\nabla f(w_t)\|^2 / \sum_{t \le T} "
              r"\eta_t \le$ " + right, checks.plain_average, given, per, COORDINATE, form="our own", **shown),
        check("tau.2.2.sharp", "theorem", "The weighted average of the sharp theorem stays below its bound, for every "
              "$T$", checks.sharp_average, given, per, COORDINATE, form="our own", **shown),
        check("tau.2.2.identity", "theorem", r"On $\beta w^2/2$ the sharp theorem is an identity, exactly, for every "
              r"$T$, here with $c_t = 1/\lceil\sqrt t\,\rceil$", checks.identity, exact, {"second_order": 0},
              r"the weights $2c_t$ in place of $c_t(2 - c_t)$", form="our own"),
        check("tau.2.2.recursion", "theorem", r"On the quadratics every measured $E\|\nabla f(w_t)\|^2$ agrees with "
              "the exact recursion", checks.exact_expectation,
              {"runs": chosen(runs, "decaying", names=QUADRATICS), "sigma": sigma}, {"noise_power": 1},
              r"the noise enters with $\eta_t\lambda_i$ in place of its square", form="our own", **shown),
        check("tau.2.2.printed_noise", "theorem", "\"Time-independent noise\", read as noise that does not change with "
              r"time: the decaying step still brings $\min_{t \le T} E\|\nabla f(w_t)\|$ below the bound",
              checks.minimum, {"runs": chosen(runs, "decaying", DEPENDENT[:1]), "sigma": sigma, "schedule": "decaying"},
              {"factor": 1.5}, "one and a half times the bound", form="erratum", **shown),
    ]


def _rate_claims(runs: list, settings: Mapping[str, Any]) -> list:
    from fractions import Fraction

    import numpy as np

    from descent.bounds import stationarity_checks as checks
    from descent.bounds.stationarity_runs import chosen
    from descent.bounds.stationarity_summary import decaying_bounds
    from descent.claims import check
    from descent.dynamics.stochastic_descent import step_parts

    shown = {"figure": "stochastic_gradient/sufficient_steps"}
    quadratic = chosen(runs, "decaying", names=("quadratic",))[0]
    bounds = list(decaying_bounds(quadratic.excess, settings["sigma"]).values())
    cases = [(Fraction(*epsilon), Fraction(excess), Fraction(variance))
             for epsilon, excess, variance in (((1, 2), 4, 1), ((1, 3), 2, 1), ((1, 1), 9, 4), ((3, 4), 30, 4))]
    measured = chosen(runs, "decaying", names=("quadratic", "logarithm"))
    return [
        check("tau.2.2.rate", "asymptotic", r"The bounds give $T(\epsilon) = \tilde O(\epsilon^{-4})$: the slope of "
              r"$\ln[T/(\ln T)^2]$ in $\ln \epsilon$ is within $-4 \pm 0.1$ for $\epsilon/\sigma$ from $10^{-6}$ to "
              "$10^{-4}$", checks.bound_exponent,
              {"bounds": bounds, "epsilons": settings["sigma"] * np.geomspace(1e-6, 1e-4, 9), "margin": 0.1},
              {"power": 1}, r"$\epsilon$ in place of $\epsilon^2$ as the target of the squared norm", **shown),
        check("tau.2.2.measured_rate", "asymptotic", r"The measured $T(\epsilon) \sim \epsilon^p$ has $p$ within "
              r"$-4 \pm 0.5$, on $\beta\|w\|^2/2$ and $\sum_i \log(1 + w_i^2)$", checks.measured_exponent,
              {"runs": measured, "margin": 0.5}, {"power": 2}, r"$\|\nabla f\|^2$ in place of $\|\nabla f\|$",
              form="our own", **shown),
        check("tau.2.2.limit", "asymptotic", r"On $\beta\|w\|^2/2$: $\sqrt T\, E\|\nabla f(w_T)\|^2 \to \sigma^2/2$, "
              r"within 0.2% at $T = 10^6$", checks.quadratic_limit,
              {"parts": step_parts("decaying", 10**6), "excess": quadratic.excess, "variance": settings["sigma"] ** 2,
               "margin": 2e-3}, {"constant": 1.0}, r"$\sigma^2$ in place of $\sigma^2/2$", form="our own", **shown),
        check("tau.2.2.known_target", "theorem", r"A constant step $\beta\eta = \epsilon^2/(\epsilon^2 + \sigma^2)$ "
              r"reaches $\epsilon$ at $T = 1 + \lceil(2\beta\Delta - \epsilon^2)(\epsilon^2 + \sigma^2)/\epsilon^4"
              r"\rceil$, without a logarithm; the average on $\beta\|w\|^2/2$, exactly", checks.known_target_reached,
              {"cases": cases}, {"fewer": 1}, "one step fewer", form="our own"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds.stationarity_summary import summary

    found = summary(_runs(settings, inputs), settings)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
