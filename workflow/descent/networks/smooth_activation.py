"""Activations with a bounded second derivative, and what a linearization of each leaves out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import atanh, factorial, sqrt

import numpy as np
from numpy.polynomial.polynomial import polyval

Elementwise = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class SmoothActivation:
    """A β-smooth activation σ: |σ″| ≤ β, with equality at `steepest` ≥ 0; all functions are elementwise.

    `value` σ, `slope` σ′ and `curvature` σ″; the first two take complex numbers as well (for complex-step derivatives)
    and arguments with a real part between ±700. `remainder(z, δ)` = σ(z + δ) − σ(z) − σ′(z) δ with an error
    below 100 ε β δ²/2, ε the unit roundoff, however small δ is: the difference itself would lose all its digits.
    `smoothness` β (2c of the exercise).
    """

    value: Elementwise
    slope: Elementwise
    curvature: Elementwise
    remainder: Callable[[np.ndarray, np.ndarray], np.ndarray]
    smoothness: float
    steepest: float


# From here on the plain difference is exact enough, and the series are no longer needed.
_LARGE = 1.0
_TANH_SERIES = [-2 * k / factorial(2 * k + 1) for k in range(1, 11)]
_LOG_SERIES = [2 / (2 * k + 1) for k in range(1, 18)]


def _tanh_excess(x: np.ndarray) -> np.ndarray:
    # tanh x − x = (sinh x − x cosh x) / cosh x, by the series of the numerator, for |x| ≤ 1.
    return x**3 * polyval(x * x, _TANH_SERIES) / np.cosh(x)


def _log_excess(y: np.ndarray) -> np.ndarray:
    # ln(1 + y) − y with ln(1 + y) = 2 artanh v, v = y / (2 + y), by the series of artanh, for |y| ≤ 1/2.
    v = y / (2 + y)
    return v**3 * polyval(v * v, _LOG_SERIES) - v * y


def _softplus(z):
    return np.log1p(np.exp(z))


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


def _softplus_small(z, delta):
    # softplus(z) = z/2 + ln(2 cosh(z/2)) and cosh(a + b) = cosh a cosh b (1 + tanh a tanh b).
    half, t = delta / 2, np.tanh(z / 2)
    tau = np.tanh(half)
    return np.log1p(np.sinh(half) ** 2) / 2 + _log_excess(t * tau) + t * _tanh_excess(half)


def _softplus_curvature(z):
    return _sigmoid(z) * _sigmoid(-z)


def _softplus_remainder(z, delta):
    near = np.abs(delta) < _LARGE
    plain = _softplus(z + delta) - _softplus(z) - _sigmoid(z) * delta
    return np.where(near, _softplus_small(z, np.where(near, delta, 0.0)), plain)


def _tanh_slope(z):
    # Not 1 − tanh², which loses its digits where tanh is close to 1.
    return (1 / np.cosh(z)) ** 2


def _tanh_small(z, delta):
    # The addition theorem: tanh(z + δ) − tanh z = (1 − t²) τ / (1 + t τ).
    t, tau = np.tanh(z), np.tanh(delta)
    return _tanh_slope(z) * (_tanh_excess(delta) - t * tau**2 / (1 + t * tau))


def _tanh_curvature(z):
    return -2 * np.tanh(z) * _tanh_slope(z)


def _tanh_remainder(z, delta):
    near = np.abs(delta) < _LARGE
    plain = np.tanh(z + delta) - np.tanh(z) - _tanh_slope(z) * delta
    return np.where(near, _tanh_small(z, np.where(near, delta, 0.0)), plain)


def _half_square(z):
    return z * z / 2


def _identity(z):
    return z


def _half_square_remainder(z, delta):
    return delta * delta / 2


# β by itself: what reads only this does not depend on the functions.
SMOOTHNESS = {"softplus": 0.25, "tanh": 4 / (3 * sqrt(3)), "quadratic": 1.0}
SOFTPLUS = SmoothActivation(_softplus, _sigmoid, _softplus_curvature, _softplus_remainder,
                            smoothness=SMOOTHNESS["softplus"], steepest=0.0)
ACTIVATIONS = {
    "softplus": SOFTPLUS,
    "tanh": SmoothActivation(np.tanh, _tanh_slope, _tanh_curvature, _tanh_remainder,
                             smoothness=SMOOTHNESS["tanh"], steepest=atanh(1 / sqrt(3))),
    "quadratic": SmoothActivation(_half_square, _identity, np.ones_like, _half_square_remainder,
                                  smoothness=SMOOTHNESS["quadratic"], steepest=0.0),
}
