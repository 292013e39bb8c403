"""Stochastic gradient descent in one dimension under noise ±σ, with every path: expectations without error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np


@dataclass(frozen=True)
class Smooth:
    """A function with infimum 0, its derivative and the Lipschitz constant of that."""

    value: Callable
    slope: Callable
    beta: float


QUADRATIC = Smooth(lambda w: 0.75 * w ** 2, lambda w: 1.5 * w, 1.5)
LOGARITHM = Smooth(lambda w: np.log1p(w ** 2), lambda w: 2 * w / (1 + w ** 2), 2.0)


def huber(beta: float, s: float) -> Smooth:
    """βw²/2 up to the slope s, straight beyond."""
    def value(w):
        return np.where(abs(w) <= s / beta, beta * w ** 2 / 2, s * abs(w) - s ** 2 / (2 * beta))

    return Smooth(value, lambda w: np.clip(beta * w, -s, s), beta)


def signs(steps: int) -> np.ndarray:
    """All sequences of signs, equally likely: shape (2^steps, steps)."""
    return np.array(list(product([-1.0, 1.0], repeat=steps))).reshape(2 ** steps, steps)


def paths(f: Smooth, start: float, factors: Sequence[float], noise: np.ndarray) -> np.ndarray:
    """w_1 … w_T for steps c_t/β and each row of `noise`: shape (rows, T), T − 1 steps."""
    w = [np.full(len(noise), start)]
    for c, xi in zip(factors, noise.T):
        w.append(w[-1] - c / f.beta * (f.slope(w[-1]) + xi))
    return np.array(w).T
