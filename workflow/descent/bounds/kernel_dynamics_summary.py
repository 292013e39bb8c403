"""Numbers about flows in fixed and in changing kernels for the report's prose and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from descent.bounds.kernel_dynamics_checks import ROUNDING, bound_values
from descent.dynamics.perturbed_kernel import FAMILIES
from descent.kernels.neural_tangent_kernel import h_infinity

Table = Mapping[str, Any]
DATA_NAMES = {"mnist1d": "MNIST-1D", "diabetes": "diabetes", "synthetic_regression": "synthetic regression"}
FAMILY_NAMES = {"random": "random symmetric", "rank_one": "random direction", "modes": "slow modes",
                "steered": "steered", "slowed": r"$-\epsilon v v^\top$", "rotating": "rotating"}


def relaxation_values(table: Table, problems: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Sizes, extreme eigenvalues and residuals of the flow on every data set; `problems`: inputs and targets."""
    rows = [_relaxation_row(table, name, *problem) for name, problem in problems.items()]
    known = np.isfinite(table["deviation"])
    slowest = known & (np.array(table["kind"]) == "slowest")
    exact = np.log(table["integrated"][slowest]) + (table["rate"] * table["flow_time"])[slowest]
    excess = np.log(table["norm"]) + table["rate"] * table["flow_time"]
    return {"relaxation": rows, "deviation": float(table["deviation"][known].max()),
            "equality_error": float(np.abs(exact).max()), "bound_ratio": float(np.exp(excess.max())),
            "descent_deviation": float(table["descent_deviation"][known].max())}


def _relaxation_row(table: Table, name: str, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    eigenvalues = np.linalg.eigvalsh(h_infinity(x))
    row = {"name": DATA_NAMES[name], "n": len(x), "d": x.shape[1], "lambda_min": float(eigenvalues[0]),
           "lambda_max": float(eigenvalues[-1]), "target_norm": float(np.linalg.norm(y))}
    times = np.unique(table["flow_time"][np.array(table["data"]) == name])
    chosen = times[np.argmin(np.abs(times - 1 / eigenvalues[0]))]
    for kind in ("zero", "gaussian"):
        here = (np.array(table["data"]) == name) & (np.array(table["kind"]) == kind) & (table["flow_time"] == chosen)
        row[kind] = float(table["norm"][here].mean())
    return {**row, "time": float(chosen), "bound": float(np.exp(-eigenvalues[0] * chosen))}


def perturbation_values(table: Table) -> dict[str, Any]:
    """How many perturbations there are and how close their distances come to each bound, overall and by family."""
    families, numbers = np.array(table["family"]), _numbers(table)
    semidefinite, drawn = table["semidefinite"], np.isin(families, FAMILIES)
    rows = [{"name": FAMILY_NAMES[family], **_ratios(_rows(numbers, semidefinite & (families == family)))}
            for family in FAMILY_NAMES]
    lost = [{"name": FAMILY_NAMES[family], **_ratios(_rows(numbers, ~semidefinite & (families == family)))}
            for family in FAMILY_NAMES if np.any(~semidefinite & (families == family))]
    scalar = minimize_scalar(lambda x: np.expm1(-x) / np.sqrt(x), bounds=(0.1, 10), method="bounded")
    return {
        "families": rows, "lost_families": lost, "cases": int(table["case"].max()) + 1,
        "random_cases": _count(table, drawn & semidefinite), "indefinite_cases": _count(table, drawn & ~semidefinite),
        "drawn": _ratios(_rows(numbers, drawn & semidefinite))["minimum"],
        "scalar_square_root": -float(scalar.fun), "least_ratio": float(table["ratio"].min()),
        "greatest_ratio": float(table["ratio"][drawn].max()), "turned_ratio": float(table["ratio"].max()),
        "any_growth": _ratios(numbers)["growth"], **_ratios(_rows(numbers, semidefinite)),
        **{f"lost_{key}": value for key, value in _ratios(_rows(numbers, ~semidefinite)).items()},
        "lost_distance": float(table["distance"][~semidefinite].max()),
    }


def _numbers(table: Table) -> dict[str, np.ndarray]:
    return {name: table[name] for name in ("case", "flow_time", "distance", "epsilon", "rate")}


def _rows(numbers: Mapping[str, np.ndarray], chosen: np.ndarray) -> dict[str, np.ndarray]:
    return {name: values[chosen] for name, values in numbers.items()}


def _count(table: Table, chosen: np.ndarray) -> int:
    return len(np.unique(table["case"][chosen]))


def _ratios(rows: Mapping[str, np.ndarray]) -> dict[str, Any]:
    bounds = {name: bound_values(rows, name) for name in ("linear", "saturation", "contraction", "square_root")}
    bounds["contraction"] = 2 * bounds["contraction"]
    bounds["minimum"] = np.min([bounds[name] for name in ("linear", "saturation", "contraction")], axis=0)
    bounds["growth"] = bound_values(rows, "growth")
    return {"count": len(np.unique(rows["case"])),
            **{name: float(np.max(rows["distance"] / values)) for name, values in bounds.items()}}


def findings(numbers: Mapping[str, Any]) -> list[str]:
    """The study's findings in two sentences, from its values."""
    decays = numbers["bound_ratio"] <= 1 + ROUNDING and numbers["equality_error"] < 1e-6
    kept = max(numbers["minimum"], numbers["square_root"] / 2**0.5) <= 1 + ROUNDING
    orders = int(np.floor(np.log10(numbers["lost_square_root"] / 2)))
    printed = (f"is false where $H(t)$ may be indefinite (exceeded more than $10^{{{orders}}}$-fold)" if orders >= 1
               else "was not exceeded by much")
    return [
        "In the limiting kernels of three data sets the residual "
        f"{'decays' if decays else 'does not always decay'} at least like $e^{{-\\lambda t}}$"
        f"{', and exactly like it from the slowest mode' if decays else ''}.",
        f"That a kernel within $\\epsilon$ moves the predictions by only $O(\\sqrt{{t\\epsilon}})$ {printed}; for "
        "positive semidefinite $H(t)$ the corrected bound $\\min(\\epsilon t, \\epsilon/\\lambda, 2)\\,\\|r_0\\|$ "
        f"{'holds' if kept else 'does not hold'} in all of {numbers['count']:,} perturbations, and is "
        f"{'almost reached' if numbers['minimum'] > 0.95 else 'not reached'}.",
    ]
