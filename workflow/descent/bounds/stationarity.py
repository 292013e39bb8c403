"""How many steps of stochastic gradient descent reach a point with a small expected gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import ceil, floor, log, sqrt

import numpy as np

ZETA_HALF = -1.4603545088095868
SUMMED = 1000


def average_bound(parts: np.ndarray, excess: float, variance: float) -> np.ndarray:
    """[2βΔ + σ² Σ_{t<T} c_t²] / [1 + Σ_{t<T} c_t(2 − c_t)] for T = 1 … len(`parts`), c_t = βη_t.

    Bounds the weighted average of E‖∇f(w_t)‖² whose last weight is 1 and whose others are c_t(2 − c_t), and so
    their minimum; equality for f = β‖w‖²/2 (report/proofs/tau.2.1). `excess`: 2βΔ; `variance`: σ² = E‖ξ‖².
    """
    before = np.concatenate([[0.0], np.cumsum(parts**2)[:-1]])
    weights = np.concatenate([[0.0], np.cumsum(parts * (2 - parts))[:-1]])
    return (excess + variance * before) / (1 + weights)


def plain_bound(schedule: str, steps, excess: float, variance: float):
    """The usual bound on min_{t≤T} E‖∇f(w_t)‖² for T = `steps`, a number or an array (tau.2.1, tau.2.2).

    "constant", η = 1/β: 2βΔ/T + σ²; "decaying", η_t = 1/(β√t): [2βΔ + σ²(1 + ln T)] / [2(√(T+1) − 1)].
    """
    # Python's whole numbers have no limit, numpy's do.
    steps = np.asarray(steps, float)
    if schedule == "constant":
        return excess / steps + variance
    return (excess + variance * (1 + np.log(steps))) / (2 * (np.sqrt(steps + 1) - 1))


def decaying_bound(steps: int, excess: float, variance: float) -> float:
    """`average_bound` of c_t = 1/√t at one T = `steps`, for any T: [2βΔ + σ²H] / [1 + 2S − H].

    H and S are the sums of 1/t and 1/√t over t < T; beyond `SUMMED` terms by Euler and Maclaurin.
    """
    terms = steps - 1
    if terms <= SUMMED:
        t = np.arange(1, terms + 1)
        harmonic, roots = float(np.sum(1 / t)), float(np.sum(t**-0.5))
    else:
        harmonic = log(terms) + np.euler_gamma + 1 / (2 * terms) - 1 / (12 * terms**2)
        roots = 2 * sqrt(terms) + ZETA_HALF + 1 / (2 * sqrt(terms)) - 1 / (24 * terms**1.5)
    return (excess + variance * harmonic) / (1 + 2 * roots - harmonic)


def sufficient_steps(bound: Callable[[int], float], target: float) -> int:
    """The least T ≥ 1 with bound(T) ≤ `target`, by doubling and bisection; `bound` falls in T, to a limit below."""
    high = 1
    while bound(high) > target:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if bound(middle) <= target else (middle, high)
    return high


def constant_steps(form: str, epsilon, excess, variance, sigma) -> int:
    """T that suffices for min_{t≤T} E‖∇f(w_t)‖ ≤ ε + σ with η = 1/β (tau.2.1).

    "plain": 2βΔ/ε²; "tighter": 2βΔ/(ε² + 2εσ); "sharp": (2βΔ − σ²)/(ε² + 2εσ), the last of what the average shows.
    """
    numerator = excess - variance if form == "sharp" else excess
    return max(1, ceil(numerator / (epsilon**2 + (0 if form == "plain" else 2 * epsilon * sigma))))


def known_target(epsilon, excess, variance):
    """The constant c = βη = ε²/(ε² + σ²), and T = 1 + ⌈(2βΔ − ε²)(ε² + σ²)/ε⁴⌉ for min_{t≤T} E‖∇f(w_t)‖ ≤ ε.

    No other constant step needs fewer steps by `average_bound` (report/proofs/tau.2.2). Exact for fractions.
    """
    square = epsilon * epsilon
    needed = (excess - square) * (square + variance) / (square * square)
    return square / (square + variance), 1 + max(0, ceil(needed))


def expected_squares(parts: np.ndarray, curvatures: np.ndarray, start: float, smoothness: float,
                     variance: float, noise_power: int = 2) -> np.ndarray:
    """E‖∇f(w_t)‖², t = 1 … len(`parts`), of the quadratic ½ Σ λ_i w_i²: its exact recursion.

    With a = c_t λ_i/β each coordinate obeys E g_i² ← (1 − a)² E g_i² + a² σ²/d. `noise_power` replaces the last
    square in the negative control.
    """
    share = curvatures / smoothness
    squares, found = (curvatures * start) ** 2, np.empty(len(parts))
    for t, part in enumerate(parts):
        found[t] = squares.sum()
        a = part * share
        squares = (1 - a) ** 2 * squares + a**noise_power * variance / len(curvatures)
    return found


Path = dict[Fraction, Fraction]


def sign_paths(gradient: Callable[[Fraction], Fraction], parts: Sequence[Fraction], start: Fraction, sigma: Fraction,
               smoothness: Fraction) -> list[Path]:
    """Where SGD in one dimension is under noise ±σ, at t = 1 … len(`parts`) + 1: probability by place, exactly.

    w ← w − (c_t/β)(f'(w) ± σ), c_t = `parts`, β = `smoothness`, from w_1 = `start`, in rational arithmetic.
    """
    found = [{start: Fraction(1)}]
    for part in parts:
        after: Path = {}
        for place, probability in found[-1].items():
            for noise in (-sigma, sigma):
                moved = place - part / smoothness * (gradient(place) + noise)
                after[moved] = after.get(moved, Fraction(0)) + probability / 2
        found.append(after)
    return found


def expectation(path: Path, function: Callable[[Fraction], Fraction]) -> Fraction:
    """E function(w) over the places of one t."""
    return sum(probability * function(place) for place, probability in path.items())


def flat_slope(slope: Fraction, smoothness: Fraction) -> Callable[[Fraction], Fraction]:
    """f' of Huber's function with curvature β = `smoothness` near 0 and slope ±`slope` beyond: min(max(βw, −s), s)."""
    return lambda place: min(max(smoothness * place, -slope), slope)


def necessary_steps(slope, excess, sigma) -> int:
    """The last t up to which |f'(w_t)| = s = `slope` surely on Huber's function with 2βΔ = `excess`, for |ξ| ≤ σ.

    1 + ⌊(2βΔ − s²)/(2s(s + σ))⌋ with η = 1/β (report/proofs/tau.2.1).
    """
    return 1 + floor((excess - slope**2) / (2 * slope * (slope + sigma)))
