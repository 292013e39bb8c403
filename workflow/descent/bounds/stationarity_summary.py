"""Numbers about stochastic gradient descent against its bounds, for the report's prose and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from descent.bounds.stationarity import constant_steps, decaying_bound, known_target, plain_bound, sufficient_steps
from descent.bounds.stationarity_checks import logarithmic_slope, measured_exponents
from descent.bounds.stationarity_runs import DEPENDENT, Run, chosen, reaching_step
from descent.statistics import mean_interval

NAMES = {"line": r"$\beta w^2/2$, $d = 1$", "quadratic": r"$\beta\|w\|^2/2$", "stretched": "stretched quadratic",
         "logarithm": r"$\sum_i \log(1 + w_i^2)$"}


def decaying_bounds(excess: float, sigma: float) -> dict[str, Callable[[int], float]]:
    """The bounds on min_{t≤T} E‖∇f‖² with η_t = 1/(β√t), each a function of T: the usual one and the sharp one."""
    return {"plain": partial(plain_bound, "decaying", excess=excess, variance=sigma**2),
            "sharp": partial(decaying_bound, excess=excess, variance=sigma**2)}


def _pairs(runs: Sequence[Run], schedule: str) -> list[list[Run]]:
    return [chosen(runs, schedule, names=(name,)) for name in NAMES]


def _reached(pair: Sequence[Run], target: float) -> dict[str, Any]:
    return {f"reached_{run.noise}": reaching_step(run, target) for run in pair}


def _ratio(steps: int, reached: Mapping[str, Any]) -> float | None:
    # Against the noise that took longer.
    found = [step for step in reached.values() if step is not None]
    return steps / max(found) if len(found) == len(reached) else None


def constant_table(runs: Sequence[Run], sigma: float, targets: Sequence[float]) -> list[dict[str, Any]]:
    """For each function and ε: T that suffices for ε + σ in three forms, the step that reached it, and ratios."""
    rows = []
    for pair in _pairs(runs, "constant"):
        for epsilon in targets:
            steps = {form: constant_steps(form, epsilon, pair[0].excess, sigma**2, sigma)
                     for form in ("plain", "tighter", "sharp")}
            reached = _reached(pair, epsilon + sigma)
            rows.append({"function": NAMES[pair[0].name], "epsilon": epsilon, **steps, **reached,
                         "ratio": _ratio(steps["plain"], reached), "sharp_ratio": _ratio(steps["sharp"], reached)})
    return rows


def decaying_table(runs: Sequence[Run], sigma: float, targets: Sequence[float]) -> list[dict[str, Any]]:
    """The same for the decaying step and ε itself, with T of the constant step that knows ε."""
    rows = []
    for pair in _pairs(runs, "decaying"):
        for epsilon in targets:
            steps = {form: sufficient_steps(bound, epsilon**2)
                     for form, bound in decaying_bounds(pair[0].excess, sigma).items()}
            reached = _reached(pair, epsilon)
            rows.append({"function": NAMES[pair[0].name], "epsilon": epsilon, **steps, **reached,
                         "known": known_target(epsilon, pair[0].excess, sigma**2)[1],
                         "ratio": _ratio(steps["plain"], reached), "sharp_ratio": _ratio(steps["sharp"], reached)})
    return rows


def function_table(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """For each function 2βΔ, ‖∇f(w_1)‖ and the last and the least measured E‖∇f(w_t)‖ with their 95% intervals."""
    rows = []
    for name in NAMES:
        row = {"function": NAMES[name]}
        for run in (*chosen(runs, "constant", names=(name,)), *chosen(runs, "decaying", names=(name,))):
            row |= {"excess": run.excess, "first": float(run.rows["norm"][0])}
            key = f"{run.schedule}_{run.noise}"
            last, error = float(run.rows["norm"][-1]), float(run.rows["norm_error"][-1])
            # What does not vary has an error that is all rounding.
            row |= {f"{key}_last": last, f"{key}_half": 1.96 * error if error > 1e-8 * last else 0.0,
                    f"{key}_least": float(run.rows["norm"].min())}
        rows.append(row)
    return rows


def exponent_table(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The measured exponent p of T(ε) ~ ε^p for each function and noise, with its 95% interval over batches."""
    found = []
    for pair in _pairs(runs, "decaying"):
        for run in pair:
            mean, low, high = mean_interval(measured_exponents(run))
            found.append({"function": NAMES[run.name], "noise": run.noise, "mean": mean, "low": low, "high": high})
    return found


def rate_table(excess: float, sigma: float) -> list[dict[str, Any]]:
    """Slopes of ln T(ε) of both bounds over falling decades of ε/σ, as they are and with ln² T divided out."""
    rows = []
    for low in (-2, -4, -6, -12):
        epsilons, row = sigma * np.geomspace(10.0**low, 10.0 ** (low + 1), 5), {"decade": low}
        for form, bound in decaying_bounds(excess, sigma).items():
            row |= {form: logarithmic_slope(bound, epsilons, remove=0),
                    f"{form}_divided": logarithmic_slope(bound, epsilons)}
        rows.append(row)
    return rows


def summary(runs: Sequence[Run], settings: Mapping[str, Any]) -> dict[str, Any]:
    """All values of the study's section."""
    sigma = settings["sigma"]
    quadratic = chosen(runs, "decaying", names=("quadratic",))[0]
    found = {
        "functions": function_table(runs), "exponents": exponent_table(runs),
        "constant": constant_table(runs, sigma, settings["constant_targets"]),
        "decaying": decaying_table(runs, sigma, settings["decaying_targets"]),
        "rates": rate_table(quadratic.excess, sigma),
        "dependent": [{"function": NAMES[run.name], "noise": run.noise, "least": float(run.rows["norm"].min()),
                       "last": float(run.rows["norm"][-1])} for run in chosen(runs, "decaying", DEPENDENT)],
    }
    found["known_always_fewer"] = all(row["known"] < row["sharp"] for row in found["decaying"])
    return found | {"findings": _findings(found, settings)}


def _findings(found: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    ratios = [row["ratio"] for row in found["constant"] if row["ratio"] is not None]
    slow = [row["ratio"] for row in found["decaying"] if row["ratio"] is not None]
    frozen = min(row["least"] for row in found["dependent"] if row["noise"] == "frozen" and "d = 1" in row["function"])
    kept = "stops at" if frozen >= 0.99 * settings["sigma"] else "falls below"
    return [
        f"SGD with $\\eta = 1/\\beta$ reaches $E\\|\\nabla f\\| \\le \\epsilon + \\sigma$ {min(ratios):,.0f} to "
        f"{max(ratios):,.0f} times sooner than $T = 2\\beta\\Delta/\\epsilon^2$; with the step decaying like "
        f"$1/\\sqrt t$ it reaches $\\epsilon$ {min(slow):,.0f} to {max(slow):,.0f} times sooner than the usual bound.",
        f"At $\\eta = 1/\\beta$ the bound needs neither independent nor unbiased noise; the decaying step needs it: if "
        f"the noise is the same at all times, $E|f'|$ {kept} $\\sigma$.",
    ]
