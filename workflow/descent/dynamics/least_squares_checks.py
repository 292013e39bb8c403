"""What the ledger checks about gradient descent on least squares: each function compares data with one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import floor, log

import numpy as np

from descent.claims import Outcome
from descent.dynamics.least_squares import descend, gradient, limit, minimizer, sample_gradients, spectrum
from descent.dynamics.rational_least_squares import RationalProblem, fractions, start
from descent.statistics import mean_within

Table = Mapping[str, np.ndarray]
Problem = tuple[np.ndarray, np.ndarray, np.ndarray]
ROUNDING = 1e-13
_STEP = 1e-30


def complex_step(problems: Sequence[Problem], scale: float, each: bool) -> Outcome:
    """`scale` · (X_iᵀθ − Y_i) X_i (`each` sample) or `scale` · Xᵀ(Xθ − Y) against complex steps of the loss.

    `problems`: (X, Y, θ). Observed: the largest difference over the largest entry.
    """
    worst = 0.0
    for X, Y, theta in problems:
        moved = theta + 1j * _STEP * np.eye(len(theta))
        losses = (0.5 * (moved @ X.T - Y) ** 2).T.imag / _STEP
        reference = losses if each else losses.sum(axis=0)
        formula = sample_gradients(theta, X, Y) if each else gradient(theta, X, Y)
        worst = max(worst, float(np.abs(scale * formula - reference).max() / np.abs(reference).max()))
    return Outcome(worst, ROUNDING, sum(X.size for X, _, _ in problems), worst <= ROUNDING)


def central_differences(problems: Sequence[RationalProblem], scale: int) -> Outcome:
    """Both gradients, times `scale`, equal central differences, which are exact for quadratic losses, in rationals."""
    h, wrong, cases = Fraction(3, 7), 0, 0
    for X, Y, theta in ((p.X, p.Y, start(p, range(1, 1 + len(p.values)))) for p in problems):
        steps = h * fractions(np.eye(len(theta), dtype=int))
        up, down = ((((theta + sign * steps) @ X.T - Y) ** 2).T / 2 for sign in (1, -1))
        slopes = (up - down) / (2 * h)
        wrong += int(np.sum(scale * sample_gradients(theta, X, Y) != slopes))
        wrong += int(np.sum(scale * gradient(theta, X, Y) != slopes.sum(axis=0)))
        cases += slopes.size + len(theta)
    return _exceptions(wrong, cases)


def _exceptions(wrong: int, cases: int) -> Outcome:
    return Outcome(float(wrong), 0.0, cases, wrong == 0)


def univariate(alpha: Fraction, steps: int) -> list[Fraction]:
    """θ^0 = 1, θ^1, …, θ^`steps` of gradient descent on θ²/2, exactly."""
    one = fractions([[1]])
    return [theta[0] for theta in descend(fractions([1]), one, fractions([0]), alpha, steps)]


def univariate_power(rates: Sequence[Fraction], steps: int, curvature: int) -> Outcome:
    """θ^k = (1 − `curvature` α)^k θ^0 for every rate and k ≤ `steps`, in rationals."""
    wrong = sum(theta != (1 - curvature * alpha) ** k
                for alpha in rates for k, theta in enumerate(univariate(alpha, steps)))
    return _exceptions(wrong, len(rates) * (steps + 1))


def univariate_crossing(rates: Sequence[Fraction], level: int, grows: bool, most: int = 2000) -> Outcome:
    """|θ^k| first exceeds `level` |θ^0| (`grows`), or falls below |θ^0|/`level`, at ⌊ln `level`/|ln|1 − α||⌋ + 1.

    In rationals. Observed: the number of rates for which it happens at another step or not within `most`.
    """
    wrong = 0
    for alpha in rates:
        rate = abs(log(abs(1 - alpha))) if alpha not in (1, 2) else 0.0
        expected = floor(log(level) / rate) + 1 if rate else most
        path = univariate(alpha, min(expected, most))
        beyond = [abs(theta) > level if grows else abs(theta) * level < 1 for theta in path]
        wrong += not (beyond[-1] and not any(beyond[:-1]) and len(path) == expected + 1)
    return _exceptions(wrong, len(rates))


def univariate_returns(alpha: Fraction, steps: int, period: int) -> Outcome:
    """θ^{k + `period`} = θ^k exactly for k ≥ 1, in rationals and in doubles."""
    paths = univariate(alpha, steps), univariate(float(alpha), steps)
    wrong = sum(path[k + period] != path[k] for path in paths for k in range(1, steps - period + 1))
    return _exceptions(wrong, 2 * (steps - period))


def affine_step(problems: Sequence[RationalProblem], ratios: Sequence[Fraction], sign: int) -> Outcome:
    """θ − α∇f(θ) = (I − α XᵀX) θ + `sign` · α XᵀY, in rationals. Observed: cases in which it is not."""
    wrong = 0
    for problem, ratio in product(problems, ratios):
        X, Y, alpha = problem.X, problem.Y, ratio * 2 / problem.values[0]
        theta = start(problem, range(1, 1 + len(problem.values)))
        wrong += bool(np.any(theta - alpha * gradient(theta, X, Y)
                             != theta - alpha * (X.T @ X @ theta) + sign * alpha * (X.T @ Y)))
    return _exceptions(wrong, len(problems) * len(ratios))


def matrix_power(problems: Sequence[RationalProblem], ratios: Sequence[Fraction], steps: int, off: int) -> Outcome:
    """θ^k − θ* = (I − α XᵀX)^k (θ^0 − θ*), in rationals, for X⁺Y and, where X has a null space, another minimizer.

    `off` = 1 moves θ* by q_1, away from the minimizers. Observed: the number of steps at which it fails.
    """
    wrong = cases = 0
    for problem, ratio, far in product(problems, ratios, (0, 1)):
        alpha = ratio * 2 / problem.values[0]
        null = [far * int(value == 0) for value in problem.values]
        star = start(problem, [null[0] + off, *null[1:]])
        matrix = fractions(np.eye(len(star), dtype=int)) - alpha * (problem.X.T @ problem.X)
        theta = start(problem, range(1, 1 + len(star)))
        expected = theta - star
        for now in descend(theta, problem.X, problem.Y, alpha, steps):
            wrong, cases, expected = wrong + bool(np.any(now - star != expected)), cases + 1, matrix @ expected
    return _exceptions(wrong, cases)


def conserved(problems: Sequence[RationalProblem], ratios: Sequence[Fraction], steps: int, direction: int) -> Outcome:
    """⟨q, θ^k⟩ = ⟨q, θ^0⟩ for q = q_i, i = `direction` (−1: in the null space), in rationals, divergence included."""
    wrong = 0
    for problem, ratio in product(problems, ratios):
        q, theta = problem.vectors[:, direction], start(problem, range(1, 1 + len(problem.values)))
        path = descend(theta, problem.X, problem.Y, ratio * 2 / problem.values[0], steps)
        wrong += sum(q @ now != q @ theta for now in path)
    return _exceptions(wrong, len(problems) * len(ratios) * (steps + 1))


def fate(problem: RationalProblem, components: Sequence[int], alpha: Fraction, steps: int) -> str:
    """What the exact orbit does: `converges`, `oscillates` or `diverges`.

    ‖e_k‖² is a sum of exponentials, so that R = ‖e_k‖²/‖e_{k−2}‖² does not fall: R > 1 proves divergence. R that is 1
    to six digits after `steps` is read as oscillation, less (or an error of zero) as convergence.
    """
    path = descend(start(problem, components), problem.X, problem.Y, alpha, steps)
    before, _, last = (list(path)[-3:])
    squares = [(theta - problem.minimizer) @ (theta - problem.minimizer) for theta in (before, last)]
    ratio = float(squares[1] / squares[0]) if squares[0] else 0.0
    return "oscillates" if abs(ratio - 1) <= 1e-6 else ("diverges" if ratio > 1 else "converges")


def critical_rates(values: Sequence[Fraction]) -> list[Fraction]:
    """2/λ_i of every eigenvalue, a rate between each two, one below the least and one above the greatest; rising."""
    limits = sorted(2 / value for value in values)
    between = [(a + b) / 2 for a, b in zip(limits, limits[1:])]
    return sorted([limits[0] / 2, *limits, *between, limits[-1] * Fraction(3, 2)])


def fates_as_predicted(problems: Sequence[RationalProblem], steps: int, whatever_start: bool) -> Outcome:
    """Every non-empty set of directions and every `critical_rates`: the greatest α λ_i of the start against 2.

    With `whatever_start` the greatest of all directions decides instead. Observed: the number of wrong predictions.
    """
    wrong = cases = 0
    for problem in problems:
        for alpha, chosen in product(critical_rates(problem.values), product((0, 1), repeat=len(problem.values))):
            if any(chosen):
                top = max(alpha * value for value, there in zip(problem.values, chosen) if there or whatever_start)
                expected = "oscillates" if top == 2 else ("diverges" if top > 2 else "converges")
                wrong, cases = wrong + (fate(problem, chosen, alpha, steps) != expected), cases + 1
    return _exceptions(wrong, cases)


def two_points(problems: Sequence[RationalProblem], ratio: Fraction, steps: int) -> Outcome:
    """With α = `ratio` · 2/ρ: ‖e_k − (−1)^k c_1 q_1‖ ≤ r^k ‖e_0‖, r the largest |1 − α λ_i| of the other λ_i, exactly.

    Observed: the largest quotient of the two sides.
    """
    worst = 0.0
    for problem in problems:
        alpha, q = ratio * 2 / problem.values[0], problem.vectors[:, 0]
        theta = start(problem, [1] * len(problem.values))
        error = theta - problem.minimizer
        rest = max(abs(1 - alpha * value) for value in problem.values[1:])
        for k, now in enumerate(descend(theta, problem.X, problem.Y, alpha, steps)):
            gap = now - problem.minimizer - (-1) ** k * (q @ error) * q
            worst = max(worst, float(gap @ gap / (rest ** (2 * k) * (error @ error))) ** 0.5)
    return Outcome(worst, 1.0, len(problems) * (steps + 1), worst <= 1)


def grows_as_predicted(table: Table, naive: bool) -> Outcome:
    """m^k |c| ≤ ‖e_k‖ ≤ m^k ‖e_0‖, m the largest |1 − α λ_i| in the start and c its component; `naive`: m = |1 − αρ|.

    Observed: the largest quotient of a smaller by a larger side; 1e-6 is allowed for rounding.
    """
    factor = np.abs(1 - 2 * table["ratio"]) if naive else table["factor"]
    over = table["steps"] * np.log(table["growth"] / np.maximum(factor, np.finfo(float).tiny))
    worst = float(np.exp(np.minimum(np.maximum(over, np.log(table["share"]) - over).max(), 500)))
    return Outcome(worst, 1 + 1e-6, len(over), worst <= 1 + 1e-6)


def diverge_beyond(table: Table, ratio: float, orders: float) -> Outcome:
    """All runs with α > `ratio` · 2/ρ end with an error `orders` of magnitude above the first; observed: the least."""
    ends = table["log10_end"][table["ratio"] > ratio]
    return Outcome(float(ends.min()), orders, len(ends), bool(ends.min() >= orders))


def ends_at(problems: Sequence[Problem], steps: int, keep_null: bool) -> Outcome:
    """With α = 1/ρ descent ends at X⁺Y plus, if `keep_null`, the start's null component; observed: relative distance.

    `problems`: (X, Y, θ^0). The bound allows for rounding.
    """
    worst = 0.0
    for X, Y, theta in problems:
        *_, last = descend(theta, X, Y, 1 / spectrum(X).values[0], steps)
        expected = limit(theta, X, Y) if keep_null else minimizer(X, Y)
        worst = max(worst, float(np.linalg.norm(last - expected) / np.linalg.norm(expected)))
    return Outcome(worst, 1e-9, len(problems), worst <= 1e-9)


def departs_late(table: Table, amplified: bool) -> Outcome:
    """No departure while (1 − q) ‖e_0‖ > m^k (d + r/(m − 1)): d, r are the rounding of start and steps, m = |1 − αρ|.

    Without `amplified`: while (1 − q) ‖e_0‖ > d + k r; q is the column `calm`.
    Observed: the largest quotient of the two at a departure.
    """
    names = ("factor", "step", "start_rounding", "rounding", "calm", "length")
    m, k, d, r, calm, length = (table[name][table["departed"]] for name in names)
    reach = m**k * (d + r / (m - 1)) if amplified else d + k * r
    worst = float(((1 - calm) * length / reach).max())
    return Outcome(worst, 1.0, len(k), worst <= 1)


def departure_times(table: Table, base: str = "factor") -> np.ndarray:
    """k ln m, m the column `base`, averaged over the step sizes whose run departed: (replicates, precisions)."""
    shape = [len(np.unique(table[name])) for name in ("replicate", "ratio", "bits")]
    times = np.where(table["departed"], table["step"] * np.abs(np.log(table[base])), np.nan).reshape(shape)
    return np.nanmean(times, axis=1)


def delay_per_bit(table: Table, most_bits: int, base: str = "factor") -> np.ndarray:
    """Slope of k ln m against the number of bits (up to `most_bits`) in units of ln 2, for each replicate."""
    bits = np.unique(table["bits"])
    used = bits <= most_bits
    return np.polyfit(bits[used] * np.log(2), departure_times(table, base)[:, used].T, 1)[0]


def each_bit_delays(table: Table, most_bits: int, base: str) -> Outcome:
    """One bit more delays the departure by ln 2/ln m steps: the mean slope is 1 within 0.1."""
    return mean_within(delay_per_bit(table, most_bits, base), 1.0, 0.1)


def double_departure(table: Table, epsilon: float) -> Outcome:
    """In doubles the departure comes after ln(1/`epsilon`)/ln m steps: the mean quotient is 1 within 0.15."""
    return mean_within(departure_times(table)[:, -1] / np.log(1 / epsilon), 1.0, 0.15)
