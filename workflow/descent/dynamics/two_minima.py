"""A function of one variable with a sharp global and a wide local minimum (snu.4)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

# Interval of the random starts.
STARTS = (-5.0, 20.0)
# Where the two parabolas 10θ² and (θ − 10)²/2 + 50 that f joins cross, between the minima.
CROSSING = (3900**0.5 - 10) / 19


def weights(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """s = 1/(1 + e^{−3(θ−3)}) and r = 1 − s, both to full relative precision and without overflow."""
    theta = np.asarray(theta, float)
    small = np.exp(-3 * np.abs(theta - 3))
    large, small = 1 / (1 + small), small / (1 + small)
    return np.where(theta > 3, large, small), np.where(theta > 3, small, large)


# The three forms below use only +, -, * and division by 2 in an order that does not overflow before the value does:
# they serve numpy arrays, intervals and symbols alike.


def value(theta, s, r):
    """f(θ) = 10θ² r + ((θ − 10)²/2 + 50) s, which is (10θ² + e^u((θ − 10)²/2 + 50))/(1 + e^u) with u = 3(θ − 3)."""
    return 10 * (theta * r) * theta + (s * (theta - 10)) * (theta - 10) / 2 + 50 * s


def slope(theta, s, r):
    """f′(θ) = 20θ r + (θ − 10) s + 3 sr Δ, where Δ = 100 − θ(19θ + 20)/2 is the second branch minus the first."""
    w = s * r
    return 20 * theta * r + (theta - 10) * s + 3 * (100 * w - (w * theta) * (19 * theta + 20) / 2)


def curvature(theta, s, r):
    """f″(θ) = 20 r + s − 6 sr (19θ + 10) + 9 sr (r − s) Δ; see `slope`."""
    w = s * r
    return 20 * r + s - 6 * w * (19 * theta + 10) + 9 * (r - s) * (100 * w - (w * theta) * (19 * theta + 20) / 2)


def evaluate(form: Callable, theta: np.ndarray) -> np.ndarray:
    """`value`, `slope` or `curvature` at an array of θ, in double precision."""
    theta = np.asarray(theta, float)
    return form(theta, *weights(theta))


def descended(theta: np.ndarray, alpha: float) -> np.ndarray:
    """T(θ) = θ − α f′(θ), one step of gradient descent."""
    return theta - alpha * evaluate(slope, theta)


def turning_point(alpha: float) -> float:
    """The θ between the minima at which T turns from falling to rising: the root of f″ = 1/α in [1.8, 3]."""
    from scipy.optimize import brentq

    return float(brentq(lambda theta: float(evaluate(curvature, theta)) - 1 / alpha, 1.8, 3.0, xtol=1e-14))


@cache
def crisis() -> float:
    """The α at which T² takes the turning point to the maximum of f: from there on runs escape to the wide minimum."""
    from scipy.optimize import brentq

    boundary = stationary_points()[1]

    def excess(alpha):
        return float(descended(descended(turning_point(alpha), alpha), alpha)) - boundary

    return float(brentq(excess, 0.09, 0.12, xtol=1e-14))


def kept_from(alpha: float) -> float:
    """Left end of J = {θ ≤ b: T(θ) ≤ b} with b the maximum of f: T takes every start further left over the maximum.

    The root of T = b to the left of the sharp minimum; −∞ where T does not exceed b there (α at most about 1/20).
    """
    from scipy.optimize import brentq

    boundary = stationary_points()[1]
    # Far to the left f' = 20 θ to all digits but a few; one half more is on the safe side.
    low = -1.5 * boundary / (20 * alpha - 1) - 1 if alpha > 0.0501 else 0.0
    if low > -1 or low < -1e6:
        return -np.inf
    return float(brentq(lambda theta: float(descended(theta, alpha)) - boundary, low, 0.0, xtol=1e-14))


@cache
def stationary_points() -> tuple[float, float, float]:
    """The sharp minimum, the maximum that separates the two, and the wide minimum: bracketed roots of f′."""
    from scipy.optimize import brentq

    brackets = ((-1.0, 1.0), (2.8, 3.5), (8.0, 12.0))
    return tuple(float(brentq(lambda theta: float(evaluate(slope, theta)), *ends, xtol=1e-14)) for ends in brackets)
