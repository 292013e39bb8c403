"""What the ledger checks about flows in fixed and in changing kernels (tau.4.1, tau.4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from descent.bounds import perturbed_kernel as bounds
from descent.claims import Outcome
from descent.dynamics.kernel_dynamics import KernelDynamics

Table = Mapping[str, np.ndarray]
# What rounding may add to a distance over ‖r_0‖, in absolute terms and relative to the bound.
ROUNDING = 1e-10


def decays(table: Table, factor: float, error: float) -> Outcome:
    """‖u(t) − y‖ ≤ e^{−factor λ t} ‖u(0) − y‖ at all times and for all starts of `relaxation`'s rows.

    For both solutions: that in eigenvectors, which could not exceed e^{−λ t} but by rounding, and, where there is one,
    the integrator's, which knows no eigenvalue, to within `error` in the logarithm.
    """
    allowed = -factor * table["rate"] * table["flow_time"]
    known = np.isfinite(table["integrated"])
    excess = np.concatenate([(np.log(table["norm"]) - allowed), (np.log(table["integrated"]) - allowed)[known]])
    return Outcome(float(np.exp(excess.max())), 1.0, len(excess), bool(np.all(excess <= error)))


def decays_exactly(table: Table, factor: float, error: float) -> Outcome:
    """ln ‖u(t) − y‖/‖u(0) − y‖ = −factor λ t to within `error`, by the integrator's solution from one start."""
    known = np.isfinite(table["integrated"])
    off = np.abs(np.log(table["integrated"]) + factor * table["rate"] * table["flow_time"])[known]
    return Outcome(float(off.max()), error, len(off), bool(np.all(off <= error)))


def solutions_agree(table: Table, column: str, error: float) -> Outcome:
    """The integrator's solution is within `error` ‖u(0) − y‖ of that of `column`, a column of `relaxation`."""
    off = table[column][np.isfinite(table[column])]
    return Outcome(float(off.max()), error, len(off), bool(np.all(off <= error)))


def stays_within(table: Table, bound: str, constant: float, semidefinite: bool) -> Outcome:
    """‖δ(t)‖ ≤ `constant` × bound × ‖r_0‖ in all cases of `perturbed_cases`, or those with `semidefinite` kernels.

    `bound`: linear, saturation (ε/λ), contraction (1), square_root, saturating or growth. Observed: greatest ratio.
    """
    chosen = table["semidefinite"] if semidefinite else np.ones(len(table["semidefinite"]), bool)
    rows = {name: table[name][chosen] for name in ("flow_time", "distance", "epsilon", "rate", "least")}
    allowed = constant * bound_values(rows, bound)
    ratio = (rows["distance"] - ROUNDING) / allowed
    fulfilled = bool(np.all(rows["least"] >= -ROUNDING * rows["rate"]))
    return Outcome(float(ratio.max()), 1.0, len(ratio), bool(np.all(ratio <= 1 + ROUNDING)),
                   hypotheses={r"$\lambda_{\min}(H(t)) \ge 0$ to rounding": fulfilled} if semidefinite else None)


def bound_values(rows: Table, bound: str) -> np.ndarray:
    """The bound called `bound` (see `stays_within`) on ‖δ(t)‖/‖r_0‖ in every row; raises KeyError on another name."""
    times, epsilon, rate = rows["flow_time"], rows["epsilon"], rows["rate"]
    return {
        "linear": lambda: bounds.linear_bound(times, epsilon),
        "saturation": lambda: epsilon / rate,
        "contraction": lambda: np.ones_like(times),
        "square_root": lambda: bounds.square_root_bound(times, epsilon),
        "saturating": lambda: bounds.saturating_bound(times, epsilon, rate),
        "growth": lambda: bounds.growth_bound(times, epsilon, rate),
    }[bound]()


def grows_exponentially(table: Table, offset: float) -> Outcome:
    """At its end ‖δ(t)‖ grows at the rate ε − `offset` λ in every case of H* − ε v vᵀ with ε > λ.

    Observed: the greatest relative error of that rate; the slope of ln ‖δ‖ is taken between the last two times.
    """
    chosen = [np.flatnonzero(table["case"] == case)[-2:] for case in np.unique(table["case"])]
    before, after = np.array(chosen).T
    slope = np.log(table["distance"][after] / table["distance"][before])
    slope /= table["flow_time"][after] - table["flow_time"][before]
    expected = (table["epsilon"] - offset * table["rate"])[after]
    error = float(np.max(np.abs(slope / expected - 1)))
    return Outcome(error, 1e-6, len(chosen), error <= 1e-6, hypotheses={
        r"$\epsilon > \lambda$": bool(np.all(table["epsilon"] > table["rate"]))})


def supremum(gram: np.ndarray, ratio: float) -> float:
    """sup_t ‖δ(t)‖/‖r_0‖ for H(t) = H* − ε v vᵀ, ε = `ratio` λ < λ and r_0 = v, v the slowest mode: by search."""
    zero, (eigenvalues, vectors) = np.zeros(len(gram)), np.linalg.eigh(gram)
    slow, rate = vectors[:, 0], eigenvalues[0]
    flows = [KernelDynamics(kernel, zero) for kernel in (gram, gram - ratio * rate * np.outer(slow, slow))]

    def distances(times):
        fixed, moving = (flow.residuals(slow, flow.flow_factors(times)) for flow in flows)
        return np.linalg.norm(moving - fixed, axis=1)

    grid = np.geomspace(1e-3, 100, 400) / rate
    best = int(np.argmax(distances(grid)))
    found = minimize_scalar(lambda t: -distances([t])[0], bounds=(grid[best - 1], grid[best + 1]), method="bounded",
                            options={"xatol": 1e-6 / rate})
    return -float(found.fun)


def closed_form(grams: Sequence[np.ndarray], ratios: Sequence[float], shift: float) -> Outcome:
    """`supremum` is x (1 − x)^{(1 − `shift` x)/x} for x = ε/λ to a relative error of 1e-10, for all kernels and x."""
    errors = []
    for gram in grams:
        for ratio in ratios:
            # With shift = 1 this is bounds.worst_case; without it the exponent is λ/ε.
            expected = bounds.worst_case(ratio) * (1 - ratio) ** (1 - shift)
            errors.append(abs(supremum(gram, ratio) / expected - 1))
    return Outcome(max(errors), ROUNDING, len(errors), max(errors) <= ROUNDING)
