"""Where gradient descent goes on a function with a sharp and a wide minimum: evidence for snu.4."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from descent.bounds.interval_descent import count_stationary_points
from descent.claims import Outcome
from descent.dynamics.scalar_descent import CYCLE, DIVERGED, ENDS, SHARP, WIDE, cycle_facts, descend
from descent.dynamics.two_minima import STARTS, crisis, curvature, evaluate, slope, stationary_points, value
from descent.statistics import binomial_agreement

# From this step on, starts far enough away diverge; up to it, none does.
DIVERGENCE_STEP = 21 / 20
ROUNDING = 64 * np.finfo(float).eps


def printed_quotient(theta: np.ndarray) -> np.ndarray:
    """f as it is printed, in double precision: not a number where e^{3(θ−3)} overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        power = np.exp(3 * (theta - 3))
        return (10 * theta**2 + power * ((theta - 10) ** 2 / 2 + 50)) / (1 + power)


def derivative_identities(rate: int) -> Outcome:
    """Whether `value`, `slope` and `curvature` are f, f′ and f″ identically, f with `rate` in its exponent (3).

    Symbolic: with e for the exponential, dg/dθ = ∂g/∂θ + rate·e ∂g/∂e, and rational functions of (θ, e) are reduced.
    Observed: how many of the three differences are not zero.
    """
    import sympy as sp

    theta, e = sp.symbols("theta e")
    function = (10 * theta**2 + e * ((theta - 10) ** 2 / 2 + 50)) / (1 + e)
    wrong = 0
    for form in (value, slope, curvature):
        wrong += sp.cancel(function - form(theta, e / (1 + e), 1 / (1 + e))) != 0
        function = sp.diff(function, theta) + rate * e * sp.diff(function, e)
    return Outcome(wrong, 0, 3, wrong == 0)


def evaluation_error(thetas: Sequence[float], functions: Sequence[Callable]) -> Outcome:
    """Largest error of the double precision `functions` (f, then f′, then f″) against 60 digits.

    Relative to the exact value or, where that is smaller, to 100, the size of the terms that cancel.
    """
    from mpmath import mp, mpf, workdps

    worst = 0.0
    with workdps(60):
        for form, function in zip((value, slope, curvature), functions):
            for theta, found in zip(thetas, function(np.array(thetas)).tolist()):
                power = mp.exp(3 * (mpf(theta) - 3))
                exact = form(mpf(theta), 1 / (1 + 1 / power), 1 / (1 + power))
                error = float(abs(mpf(found) - exact) / max(abs(exact), 100)) if np.isfinite(found) else np.inf
                worst = max(worst, error)
    return Outcome(worst, ROUNDING, len(thetas) * len(functions), worst <= ROUNDING)


def in_double_precision(form: Callable) -> Callable:
    """`form` as a function of θ alone, as descent evaluates it."""
    return lambda theta: evaluate(form, theta)


def landscape(sharp: float, wide: float) -> Outcome:
    """Whether f′ has exactly three zeros and `sharp` is the global minimum, with the larger f″, `wide` the other.

    Observed: the larger of f(sharp)/f(wide) and f″(wide)/f″(sharp), which are to be below 1.
    """
    zeros, cells = count_stationary_points()
    points = np.array([sharp, wide])
    heights, bends = evaluate(value, points), evaluate(curvature, points)
    worst = float(max(heights[0] / heights[1], bends[1] / bends[0]))
    return Outcome(worst, 1.0, cells, zeros == 3 and worst < 1)


def split_at_boundary(steps: Sequence[float], boundary: float, greatest: float, limit: int,
                      tolerance: float) -> Outcome:
    """Whether starts on the two sides of `boundary`, as close as 10⁻⁶, end in the minimum of their side.

    By monotonicity the two closest starts and the two ends of the interval decide for all starts between.
    Observed: the number of starts that end elsewhere. Hypothesis: α max f″ < 1, with `greatest` ≥ max f″.
    """
    starts = np.array([STARTS[0], boundary - 1e-6, boundary + 1e-6, STARTS[1]])
    expected = np.array([SHARP, SHARP, WIDE, WIDE])
    found = descend(np.tile(starts, len(steps)), np.repeat(steps, 4), limit, tolerance, boundary)["end"]
    wrong = int(np.sum(found != np.tile(expected, len(steps))))
    held = {r"$\alpha \max f'' < 1$": max(steps) * greatest < 1}
    return Outcome(wrong, 0, 4 * len(steps), wrong == 0, hypotheses=held)


def kept_inside(table: Mapping[str, np.ndarray], left_end: Callable[[float], float]) -> Outcome:
    """Whether, for every α below the crisis, the runs that end in the wide minimum are those from outside J.

    J = [`left_end`(α), b], with b the maximum of f; observed: the runs for which it is otherwise.
    """
    rows = table["alpha"] < crisis()
    steps, index = np.unique(table["alpha"][rows], return_inverse=True)
    left = np.array([left_end(float(alpha)) for alpha in steps])[index]
    inside = (left <= table["start"][rows]) & (table["start"][rows] <= stationary_points()[1])
    wrong = int(np.sum((table["end"][rows] == WIDE) == inside))
    return Outcome(wrong, 0, int(rows.sum()), wrong == 0)


def every_start_left(alpha: float) -> float:
    """The left end of J if T were monotone for every α: all starts left of the maximum."""
    return -np.inf


def shares_agree(counts: Sequence[int], expected: Mapping[str, float],
                 hypotheses: Mapping[str, bool] | None = None) -> Outcome:
    """`binomial_agreement` of the counts over `ENDS` with the `expected` shares, 0 for ends not named."""
    shares = [expected.get(end, 0.0) for end in ENDS]
    return replace(binomial_agreement(np.array(counts), sum(counts), shares), cases=sum(counts), hypotheses=hypotheses)


def covered(cover: Callable[[float, float], tuple[int, bool]], slices: Sequence[tuple[float, float]]) -> Outcome:
    """Whether the `cover` proves its statement on every slice of steps; observed: the slices that it does not."""
    cells, failed = 0, 0
    for ends in slices:
        count, fine = cover(*ends)
        cells, failed = cells + count, failed + (not fine)
    return Outcome(failed, 0, cells, failed == 0)


def no_end_beyond(table: Mapping[str, np.ndarray], bends: tuple[float, float], factor: float) -> Outcome:
    """Whether no run ended in a minimum whose f″ is above `factor`/α; observed: runs that did."""
    wrong = sum(int(np.sum((table["end"] == end) & (table["alpha"] * bend > factor)))
                for end, bend in zip((SHARP, WIDE), bends))
    return Outcome(wrong, 0, len(table["end"]), wrong == 0)


def diverges_only_above(table: Mapping[str, np.ndarray], threshold: float) -> Outcome:
    """Whether every run that diverged has α > `threshold`; observed: the least α of those runs."""
    least = float(table["alpha"][table["end"] == DIVERGED].min())
    return Outcome(least, threshold, len(table["end"]), least > threshold)


def cycles_close(table: Mapping[str, np.ndarray], part: float) -> Outcome:
    """Whether all cycles found are cycles: after `part` of the period (1) the run is back, and the cycle attracts.

    Observed: the largest distance to the point of departure.
    """
    rows = table["end"] == CYCLE
    period = np.maximum((table["period"][rows] * part).astype(int), 1)
    error, multiplier, _ = cycle_facts(table["position"][rows], table["alpha"][rows], period)
    worst = float(error.max(initial=0.0))
    attracting = bool(np.all(np.abs(multiplier) < 1))
    return Outcome(worst, 1e-9, int(rows.sum()), worst <= 1e-9 and attracting)
