"""What the ledger checks about stochastic gradient descent: each function compares data with one statement."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt

import numpy as np

from descent.bounds.stationarity import (
    average_bound,
    constant_steps,
    expectation,
    expected_squares,
    flat_slope,
    known_target,
    necessary_steps,
    plain_bound,
    sign_paths,
    sufficient_steps,
)
from descent.bounds.stationarity_runs import Run
from descent.claims import Outcome
from descent.dynamics.stochastic_descent import SMOOTHNESS
from descent.statistics import CLAIM_LEVEL, agreement, mean_within

# Sums of a thousand squares, in double precision.
ROUNDING = 1e-12


def _lower_limits(runs: Sequence[Run], means: Sequence[np.ndarray], errors: Sequence[np.ndarray]) -> list[np.ndarray]:
    from scipy.special import stdtrit

    cases = sum(len(mean) for mean in means)
    return [mean + stdtrit(run.replicates - 1, CLAIM_LEVEL / cases) * error
            for run, mean, error in zip(runs, means, errors, strict=True)]


def _below(means: Sequence[np.ndarray], limits: Sequence[np.ndarray], bounds: Sequence[np.ndarray]) -> Outcome:
    ratios, least = (np.concatenate(values) / np.concatenate(bounds) for values in (means, limits))
    return Outcome(float(ratios.max()), 1.0, len(ratios), bool(np.all(least <= 1 + ROUNDING)),
                   confidence=1 - CLAIM_LEVEL)


def _variance(run: Run, sigma: float, per_coordinate: bool) -> float:
    return sigma**2 / (run.objective.dimension if per_coordinate else 1)


def plain_average(runs: Sequence[Run], sigma: float, per_coordinate: bool = False) -> Outcome:
    """Σ_{t≤T} c_t E‖∇f(w_t)‖² / Σ_{t≤T} c_t is at most `plain_bound`, at every T of every run.

    Refuted when a lower confidence limit exceeds it (Student's quantile, Bonferroni over all T; the error of the
    average is at most the average of the errors). Observed: the greatest ratio of mean and bound. `per_coordinate`
    takes σ²/d for σ².
    """
    means, errors, bounds = [], [], []
    for run in runs:
        total = np.cumsum(run.parts)
        means.append(np.cumsum(run.parts * run.rows["square"]) / total)
        errors.append(np.cumsum(run.parts * run.rows["square_error"]) / total)
        bounds.append(plain_bound(run.schedule, run.steps, run.excess, _variance(run, sigma, per_coordinate)))
    return _below(means, _lower_limits(runs, means, errors), bounds)


def sharp_average(runs: Sequence[Run], sigma: float, per_coordinate: bool = False) -> Outcome:
    """The mean of A_T (`dynamics.stochastic_descent.Moments`) is at most `average_bound`, at every T of every run.

    Limits, observed and `per_coordinate` as in `plain_average`.
    """
    bounds = [average_bound(run.parts, run.excess, _variance(run, sigma, per_coordinate)) for run in runs]
    means, errors = ([run.rows[name] for run in runs] for name in ("average", "average_error"))
    return _below(means, _lower_limits(runs, means, errors), bounds)


def minimum(runs: Sequence[Run], sigma: float, schedule: str, per_coordinate: bool = False,
            factor: float = 1.0) -> Outcome:
    """min_{t≤T} E‖∇f(w_t)‖ is at most `factor` times its bound, at every T of every run.

    The bound: for "constant" ε + σ with ε = (2βΔ/T)^½, the least for which T suffices; for "decaying" the root of
    `plain_bound`. Refuted when the lower limits of all t ≤ T exceed it. Observed: the greatest ratio of the measured
    minimum (biased low) and the bound.
    """
    bounds = []
    for run in runs:
        variance = _variance(run, sigma, per_coordinate)
        bounds.append(factor * (np.sqrt(run.excess / run.steps) + np.sqrt(variance) if schedule == "constant"
                                else np.sqrt(plain_bound(schedule, run.steps, run.excess, variance))))
    means, errors = ([run.rows[name] for run in runs] for name in ("norm", "norm_error"))
    limits = _lower_limits(runs, means, errors)
    return _below(*([np.minimum.accumulate(values) for values in kind] for kind in (means, limits)), bounds)


def exact_expectation(runs: Sequence[Run], sigma: float, noise_power: int = 2) -> Outcome:
    """Every measured E‖∇f(w_t)‖² of a quadratic agrees with its recursion (`statistics.agreement`)."""
    expected = np.concatenate([expected_squares(run.parts, run.objective.curvatures, run.start, SMOOTHNESS, sigma**2,
                                                noise_power) for run in runs])
    means, errors = (np.concatenate([run.rows[name] for run in runs]) for name in ("square", "square_error"))
    return agreement(means, np.maximum(errors, ROUNDING * means), expected, min(run.replicates for run in runs))


def along_every_path(runs: Sequence[Run]) -> Outcome:
    """Σ_{t<T} c_t(2 − c_t)‖∇f(w_t)‖² + ‖∇f(w_T)‖² ≤ 2βΔ + Σ_{t<T} c_t²‖ξ_t‖² in every replicate, at every T.

    Observed: the greatest ratio of the two sides.
    """
    worst = max(float(run.rows["pathwise"].max()) for run in runs)
    return Outcome(worst, 1.0, sum(run.replicates * len(run.steps) for run in runs), worst <= 1 + ROUNDING)


def floor_attained(steps: int, sigma: Fraction, part: Fraction) -> Outcome:
    """E g_t² = (E|g_t|)² = σ² for t = 2 … `steps` + 1 on w²/2 (β = 1) under random signs, in rational arithmetic.

    `part` is βη. Observed: the greatest relative deviation, exactly; it must be zero.
    """
    paths = sign_paths(lambda w: w, [part] * steps, 3 * sigma, sigma, Fraction(1))[1:]
    worst = max(abs(value - sigma**2) for path in paths
                for value in (expectation(path, abs) ** 2, expectation(path, lambda w: w * w))) / sigma**2
    return Outcome(float(worst), 0.0, 2 * len(paths), worst == 0)


def identity(steps: int, sigma: Fraction, start: Fraction, second_order: int = 1) -> Outcome:
    """Σ_{t<T} c_t(2 − c_t) E g_t² + E g_T² = 2βΔ + σ² Σ_{t<T} c_t² on w²/2 (β = 1) under random signs, every T.

    c_t = 1/⌈√t⌉, so that all is rational. `second_order` = 0 drops −c_t² from the weights. Observed: the greatest
    difference, exactly; it must be zero.
    """
    parts = [Fraction(1, isqrt(t - 1) + 1) for t in range(1, steps + 1)]
    squares = [expectation(path, lambda w: w * w)
               for path in sign_paths(lambda w: w, parts, start, sigma, Fraction(1))]
    differences = [sum(c * (2 - second_order * c) * s for c, s in zip(parts[:t], squares)) + squares[t]
                   - start**2 - sigma**2 * sum(c * c for c in parts[:t]) for t in range(steps + 1)]
    worst = max(map(abs, differences))
    return Outcome(float(worst), 0.0, len(differences), worst == 0)


def steps_needed(cases: Sequence[tuple[Fraction, Fraction, Fraction]], sufficient: bool = False) -> Outcome:
    """On Huber's function with a slope just above ε + σ, E|f'(w_t)| > ε + σ for all t ≤ `necessary_steps`, exactly.

    `cases`: ε, σ and 2βΔ; η = 1/β, signs ±σ; the slope is 1.001(ε + σ). Observed: the least ratio of E|f'(w_t)| to
    ε + σ. `sufficient` looks at as many steps as suffice by `constant_steps`.
    """
    least, counted = Fraction(10**6), 0
    for epsilon, sigma, excess in cases:
        slope = (epsilon + sigma) * Fraction(1001, 1000)
        steps = (constant_steps("sharp", epsilon, excess, sigma**2, sigma) if sufficient
                 else necessary_steps(slope, excess, sigma))
        derivative, start = flat_slope(slope, Fraction(1)), (excess + slope**2) / (2 * slope)
        paths = sign_paths(derivative, [Fraction(1)] * (steps - 1), start, sigma, Fraction(1))
        found = [expectation(path, lambda w, f=derivative: abs(f(w))) for path in paths]
        least, counted = min(least, min(found) / (epsilon + sigma)), counted + steps
    return Outcome(float(least), 1.0, counted, least > 1)


def known_target_reached(cases: Sequence[tuple[Fraction, Fraction, Fraction]], fewer: int = 0) -> Outcome:
    """With the step and T of `known_target`, less `fewer`, the average on β‖w‖²/2 is at most ε², exactly.

    `cases`: ε, 2βΔ and σ². The average has weights c(2 − c), the last 1; it is followed by the recursion of E‖∇f‖².
    Observed: its greatest ratio to ε².
    """
    worst = Fraction(0)
    for epsilon, excess, variance in cases:
        part, steps = known_target(epsilon, excess, variance)
        weight, square, total = part * (2 - part), excess, Fraction(0)
        for _ in range(steps - 1 - fewer):
            total += weight * square
            square = (1 - part) ** 2 * square + part**2 * variance
        average = (total + square) / (weight * (steps - 1 - fewer) + 1)
        worst = max(worst, average / epsilon**2)
    return Outcome(float(worst), 1.0, len(cases), worst <= 1)


def bound_exponent(bounds, epsilons: np.ndarray, margin: float, power: int = 2) -> Outcome:
    """T(ε)/ln² T(ε) ~ ε⁻⁴: the log-log slope over `epsilons` is within `margin` of −4, for each of `bounds`.

    T(ε) is the least T whose bound is at most ε². `power` replaces that square. Observed: the greatest distance.
    """
    worst = max(abs(logarithmic_slope(bound, epsilons, power) + 4) for bound in bounds)
    return Outcome(worst, margin, len(bounds) * len(epsilons), worst <= margin)


def logarithmic_slope(bound, epsilons: np.ndarray, power: int = 2, remove: int = 2) -> float:
    """Slope of ln[T(ε)/(ln T(ε))^`remove`] against ln ε, T(ε) = `sufficient_steps`(bound, ε^`power`)."""
    steps = np.array([float(sufficient_steps(bound, epsilon**power)) for epsilon in epsilons])
    return float(np.polyfit(np.log(epsilons), np.log(steps / np.log(steps) ** remove), 1)[0])


def quadratic_limit(parts: np.ndarray, excess: float, variance: float, margin: float, constant: float = 0.5) -> Outcome:
    """√T E‖∇f(w_T)‖² is within `margin` (relative) of `constant` σ² at the last of `parts`, c_t = 1/√t, on β‖w‖²/2."""
    square = excess
    for part in parts[:-1].tolist():
        square = (1 - part) ** 2 * square + part**2 * variance
    distance = abs(square * len(parts) ** 0.5 / (constant * variance) - 1)
    return Outcome(distance, margin, 1, distance <= margin)


def measured_exponents(run: Run, power: int = 1) -> np.ndarray:
    """p of T(ε) ~ ε^p for every batch of the replicates: 1/(`power` times the slope of ln E‖∇f(w_t)‖ in ln t).

    By least squares over 40 steps, even in the logarithm, from a sixteenth of all steps on.
    """
    last = len(run.steps)
    at = np.unique(np.geomspace(max(last // 16, 2), last, 40).astype(int))
    slopes = np.polyfit(np.log(at), np.log(run.rows["batch_norm"][at - 1]), 1)[0]
    return 1 / (power * slopes)


def measured_exponent(runs: Sequence[Run], margin: float, power: int = 1) -> Outcome:
    """The exponent p of every run has its interval within −4 ± `margin` (Student over batches, Bonferroni).

    `power` = 2 takes the squared norm for the norm. Observed: the greatest distance of an interval's end from −4.
    """
    found = [mean_within(measured_exponents(run, power), -4.0, margin, CLAIM_LEVEL / len(runs)) for run in runs]
    worst = max(outcome.observed for outcome in found)
    return Outcome(worst, margin, sum(outcome.cases for outcome in found), worst <= margin, confidence=1 - CLAIM_LEVEL)
