"""Checks of jhu.1: unbounded sets of minimizers, balanced layers, and the law of unequal degrees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from descent.bounds.balanced import draw_weights, first_target, least_product, zero_fit, zero_slope
from descent.claims import Outcome
from descent.networks.relu_objective import ReluObjective

ROUNDING = 1e-12
Table = Mapping[str, Any]


def rescaling_family(problems: Sequence[tuple], factors: Sequence, sign: int = 1, power: int = -1) -> Outcome:
    """Whether F(αU, α^`power` V) = F(U, V) without any error for every α = `sign` times a factor, and ‖αU‖ ≥ |α|‖U‖.

    `problems`: (objective, hidden, outputs), floats (factors powers of 2) or Fractions. Observed: the greatest change.
    """
    changes = [abs(objective.fit((sign * a) ** power * hidden, sign * a * outputs) - objective.fit(hidden, outputs))
               for objective, hidden, outputs in problems for a in factors]
    return Outcome(float(max(changes)), 0.0, len(changes), all(change == 0 for change in changes))


def zero_family(objectives: Sequence[ReluObjective], hidden: np.ndarray, factors: Sequence[float],
                free: bool = True) -> Outcome:
    """Whether from the minimizer (0, 0) there are minimizers of every norm: (0, tV), t of `factors`, any V.

    With `free` false V = 0 as well, the orbit of (0, 0) under rescaling. Observed: the greatest norm among the points
    with F = F(0, 0) exactly; bound: the norm asked for.
    """
    outputs, asked = np.zeros((len(hidden), objectives[0].targets.shape[1])), max(factors) * np.linalg.norm(hidden)
    norms = [np.linalg.norm(t * free * hidden) for objective in objectives for t in factors
             if objective.fit(t * free * hidden, outputs) == zero_fit(objective)]
    return Outcome(max(norms), asked, len(norms), max(norms) >= asked)


def never_attained(inputs: np.ndarray, targets: np.ndarray, hidden: np.ndarray, outputs: np.ndarray,
                   factors: Sequence[float]) -> Outcome:
    """Whether the logistic F(tU, tV) falls at every t of `factors`, stays positive, and tends to 0.

    Observed: the last value; bound: 10⁻⁶.
    """
    objective = ReluObjective(inputs, targets, "logistic", "none", 0.0)
    values = np.array([float(objective.fit(t * hidden, t * outputs)) for t in factors])
    falls = bool(np.all(np.diff(values) < 0) and np.all(values > 0))
    return Outcome(float(values[-1]), 1e-6, len(values), falls and values[-1] <= 1e-6)


def _compared(differences: np.ndarray, allowed: np.ndarray) -> Outcome:
    worst = int(np.argmax(differences / allowed))
    return Outcome(float(differences[worst]), float(allowed[worst]), len(differences),
                   bool(np.all(differences <= allowed)))


def layers_balanced(table: Table, entries: bool = False) -> Outcome:
    """Whether |‖U‖_F − ‖V‖_F| ≤ ε/λ where the subdifferential of J has an element of norm ε.

    With `entries` the root mean squares of the entries are compared instead. Rounding is allowed 10⁻¹².
    """
    sizes = [np.sqrt(table[f"{layer}_entries"]) if entries else 1.0 for layer in ("outputs", "hidden")]
    difference = np.abs(table["norm_outputs"] / sizes[0] - table["norm_hidden"] / sizes[1])
    return _compared(difference, table["residual"] / table["decay"] + ROUNDING)


def units_balanced(table: Table, rolled: int = 0) -> Outcome:
    """Whether |‖u_j‖ − ‖v_j‖| ≤ ε_j/λ for every unit j; as a control, u_j is compared with v_(j+`rolled`)."""
    difference = np.abs(table["unit_outputs"] - np.roll(table["unit_hidden"], rolled, axis=1))
    return _compared(difference.ravel(), (table["unit_residual"] / table["decay"][:, None]).ravel() + ROUNDING)


def norms_bounded(table: Table, factor: float = 1.0) -> Outcome:
    """Whether ‖U‖_F² ≤ `factor` (F(0, 0) − F(U, V))/λ at every stationary point that is not 0.

    At an element of norm ε, ε‖U‖_F/λ is added. Observed: the greatest ratio of the two sides.
    """
    norms = table["norm_outputs"]
    allowed = (factor * (table["fit_zero"] - table["fit"]) + table["residual"] * norms) / table["decay"]
    ratio = float(np.max(norms[norms > 0] ** 2 / allowed[norms > 0]))
    return Outcome(ratio, 1.0 + ROUNDING, int(np.sum(norms > 0)), ratio <= 1.0 + ROUNDING)


def closed_form(table: Table, product: Callable[[float, float], float], factor: float = 1.0) -> Outcome:
    """Whether ‖U‖‖V‖ = `product`(y, `factor` λ) at the best point found for every target y; 10⁻⁸ for the root."""
    expected = [product(y, factor * decay) for y, decay in zip(table["target"], table["decay"])]
    worst = float(np.abs(table["norm_outputs"] * table["norm_hidden"] - expected).max())
    return Outcome(worst, 1e-8, len(expected), worst <= 1e-8)


def nonzero(table: Table) -> dict[str, Any]:
    """The rows at which c = ‖U‖‖V‖ > 0."""
    rows = np.flatnonzero(table["norm_outputs"] * table["norm_hidden"] > 0)
    return {name: values[rows] if isinstance(values, np.ndarray) else [values[i] for i in rows]
            for name, values in table.items()}


def ratio_law(tables: Sequence[Table], constant: float = 4.0) -> Outcome:
    """Whether ‖U‖/‖V‖ = (`constant` c)^(1/3) at every stationary point with c > 0 of the mixed penalty.

    |‖U‖ − 2‖V‖²| ≤ (2ε/λ)(‖U‖² + ‖V‖²)^(1/2) for an element of norm ε, which is as much in the ratio, relatively, over
    2‖V‖². Rounding is allowed 10⁻¹².
    """
    parts = []
    for rows in map(nonzero, tables):
        a, b = rows["norm_outputs"], rows["norm_hidden"]
        allowed = rows["residual"] / rows["decay"] * np.hypot(a, b) / b**2 + ROUNDING
        parts.append((np.abs(a / b / np.cbrt(constant * a * b) - 1), allowed))
    return _compared(*map(np.concatenate, zip(*parts)))


def unit_ratios(table: Table, factor: float = 2.0) -> Outcome:
    """Whether ‖u_j‖ = `factor` ‖V‖_F ‖v_j‖ for every unit that is not 0; observed: the greatest relative error.

    |‖u_j‖² − 2‖U‖‖v_j‖²| ≤ (2ε/λ)‖U‖(‖u_j‖² + ‖v_j‖²)^(1/2), with ‖U‖ = 2‖V‖² up to its own error.
    """
    rows = nonzero(table)
    u, v, b = rows["unit_outputs"], rows["unit_hidden"], rows["norm_hidden"][:, None]
    a, slack = rows["norm_outputs"][:, None], (2 * rows["residual"] / rows["decay"])[:, None]
    alive = v > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.abs(u / (factor * b * v) - 1)
        allowed = slack * (a * np.hypot(u, v) / (2 * b * v) ** 2 + np.hypot(a, b) / (2 * b**2)) + 10 * ROUNDING
    return _compared(error[alive], allowed[alive])


def balanced_only_at(tables: Sequence[Table], product: float = 0.25) -> Outcome:
    """Whether the sign of ‖U‖ − ‖V‖ is that of c − `product` at every stationary point with c > 0.

    Points with |‖U‖ − ‖V‖| ≤ 10⁻⁸ count as balanced and need |c − `product`| ≤ 10⁻⁷. Observed: how many disagree.
    """
    wrong, cases = 0, 0
    for rows in map(nonzero, tables):
        difference, c = rows["norm_outputs"] - rows["norm_hidden"], rows["norm_outputs"] * rows["norm_hidden"]
        balanced = np.abs(difference) <= 1e-8
        agree = np.where(balanced, np.abs(c - product) <= 1e-7, np.sign(difference) == np.sign(c - product))
        wrong, cases = wrong + int(np.sum(~agree)), cases + len(c)
    return Outcome(wrong, 0.0, cases, wrong == 0)


def rational_points(decays: Sequence[Fraction], hidden: Sequence[Fraction], factor: int = 2) -> Outcome:
    """Whether (`factor` v², v) is stationary for y = uv + λ/(2v), and u = v only where uv = ¼, without rounding.

    ½(y − uv)² + λ/2 (u + v²), u, v > 0; also that at u = v = ½ the Hessian is positive definite exactly for λ < ¾ and
    the value below that at 0 exactly for λ < ¼. Observed: the greatest slope.
    """
    worst, agree = Fraction(0), True
    for decay in decays:
        for v in hidden:
            u = factor * v**2
            y = u * v + decay / (2 * v)
            worst = max(worst, *map(abs, ((u * v - y) * v + decay / 2, (u * v - y) * u + decay * v)))
            agree &= (u == v) == (u * v == Fraction(1, 4))
        # At u = v = ½: Hessian ((¼, ¼ − λ), (¼ − λ, ¼ + λ)).
        quarter = Fraction(1, 4)
        agree &= (quarter * (quarter + decay) - (quarter - decay) ** 2 > 0) == (decay < 3 * quarter)
        below = decay**2 / 2 + decay * Fraction(3, 8) < (quarter + decay) ** 2 / 2
        agree &= below == (decay < quarter)
    return Outcome(float(worst), 0.0, len(decays) * len(hidden), bool(agree and worst == 0))


def zero_below(table: Table, threshold: Callable = first_target) -> Outcome:
    """Whether the global minimizer is (0, 0) exactly for targets y < `threshold`(λ), and c ≥ (λ³/4)^(1/4) above.

    Observed: the least c > 0 over (λ³/4)^(1/4).
    """
    c, least = table["norm_outputs"] * table["norm_hidden"], least_product(table["decay"])
    agree = (c > 0) == (table["target"] > threshold(table["decay"]))
    ratio = float((c / least)[c > 0].min())
    return Outcome(ratio, 1.0, len(c), bool(agree.all() and ratio >= 1))


def products_at_least(table: Table, factor: float = 1.0) -> Outcome:
    """Whether c ≥ `factor` (λ³/4)^(1/4) where 0 < c and J ≤ J(0): squared loss, σ_max(X) = 1; observed: least ratio."""
    c = table["norm_outputs"] * table["norm_hidden"]
    rows = (c > 0) & (table["objective"] <= table["fit_zero"])
    ratio = float((c[rows] / (factor * least_product(table["decay"][rows]))).min())
    return Outcome(ratio, 1.0, int(rows.sum()), ratio >= 1)


def zero_is_a_minimizer(objectives: Sequence[ReluObjective], draws: Callable[[int], np.random.Generator], units: int,
                        count: int) -> Outcome:
    """Whether J > J(0, 0) at all points with 0 < ‖V‖_F < λ/(2‖G_0‖σ_max(X)) and 0 < ‖U‖_F.

    Tried: random directions and the best direction of one unit, at 0.9 of that radius, with ‖U‖ = 2^−k ‖V‖.
    Observed: the least J − J(0, 0) over λ‖U‖.
    """
    worst, cases = np.inf, 0
    for i, objective in enumerate(objectives):
        radius = objective.decay / (2 * zero_slope(objective))
        d, n = objective.inputs.shape[1], objective.targets.shape[1]
        start = zero_fit(objective)
        for hidden, outputs in [*(draw_weights(draws(i), units, d, n) for _ in range(count)), _best_unit(objective)]:
            hidden = hidden * (0.9 * radius / np.linalg.norm(hidden))
            for k in range(12):
                scaled = outputs * (radius * 2.0**-k / np.linalg.norm(outputs))
                gain = objective.value(hidden, scaled) - start
                worst, cases = min(worst, gain / (objective.decay * np.linalg.norm(scaled))), cases + 1
    return Outcome(float(worst), 0.0, cases, worst > 0)


def _best_unit(objective):
    """The unit (v, u) with the steepest descent at 0 among v = ± the samples: u = −Gᵀ relu(Xv)."""
    slopes = objective.slopes(np.zeros((1, objective.inputs.shape[1])), np.zeros((1, objective.targets.shape[1])))
    candidates = np.concatenate([objective.inputs, -objective.inputs])
    candidates /= np.linalg.norm(candidates, axis=1, keepdims=True)
    gains = np.maximum(candidates @ objective.inputs.T, 0) @ slopes
    best = np.linalg.norm(gains, axis=1).argmax()
    return candidates[best:best + 1], -gains[best:best + 1]


def sharpness_between(table: Table, power: float = 2.0) -> Outcome:
    """Whether max(α²B, A/α²) ≤ λ_max(α) ≤ α²B + A/α² along the rescaling of a minimizer with loss 0.

    A and B are taken at α = 1; another `power` replaces the squares. Observed: the greatest violation, relative.
    """
    worst = -np.inf
    for replicate in np.unique(table["replicate"]):
        rows = {name: np.asarray(values)[table["replicate"] == replicate] for name, values in table.items()}
        one, alpha = int(np.flatnonzero(rows["exponent"] == 0)[0]), 2.0 ** rows["exponent"]
        of_hidden, of_outputs = alpha**power * rows["of_hidden"][one], rows["of_outputs"][one] / alpha**power
        sharpness = rows["sharpness"]
        worst = max(worst, float((np.maximum(of_hidden, of_outputs) / sharpness - 1).max()),
                    float((sharpness / (of_hidden + of_outputs) - 1).max()))
    return Outcome(worst, ROUNDING, len(table["sharpness"]), worst <= ROUNDING)


def stable_below(table: Table, limit: float = 2.0) -> Outcome:
    """Whether the loss exceeds its first value at some step exactly where ηλ_max > `limit`; observed: how many not."""
    disagree = (table["greatest"] > 1 + 1e-9) != (table["eta"] * table["sharpness"] > limit)
    return Outcome(int(disagree.sum()), 0.0, len(disagree), not disagree.any())
