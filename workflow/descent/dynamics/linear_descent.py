"""Gradient descent for deep linear networks with one output, on the moments of the data alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numba
import numpy as np

# Without nnan and ninf: a diverging run must show as infinity or NaN.
_FASTMATH = {"reassoc", "contract", "nsz", "arcp", "afn"}


class Moments:
    """S = XᵀX/n (d, d), q = Xᵀy/n (d) and ½ mean y², all that the loss ½ mean (⟨w, x⟩ − y)² depends on.

    `inputs` X (n, d), `targets` y (n).
    """

    def __init__(self, inputs: np.ndarray, targets: np.ndarray):
        self.S, self.q = inputs.T @ inputs / len(inputs), inputs.T @ targets / len(inputs)
        self.constant = 0.5 * float(np.mean(targets**2))

    def loss(self, w: np.ndarray) -> float:
        """½ wᵀSw − qᵀw + ½ mean y²."""
        return float(0.5 * w @ self.S @ w - self.q @ w + self.constant)

    def gradient(self, w: np.ndarray) -> np.ndarray:
        """S w − q, shape (d)."""
        return self.S @ w - self.q

    def least_squares(self) -> np.ndarray:
        """The w of least norm among those with the least loss, shape (d)."""
        return np.linalg.lstsq(self.S, self.q, rcond=None)[0]


@cache
def _descend(d: int, h: int, depth: int):
    # Sizes that are constants of the compiled code let the compiler unroll and use vectors throughout.
    @numba.njit(fastmath=_FASTMATH, cache=True)
    def descend(first, middle, last, S, q, eta, steps):
        above, below = np.empty((depth, h)), np.empty((depth, h))
        w, g = np.empty(d), np.empty(d)
        for _ in range(steps):
            for i in range(h):
                above[depth - 2, i] = last[i]
            for j in range(depth - 3, -1, -1):
                for i in range(h):
                    above[j, i] = 0.0
                for k in range(h):
                    factor = above[j + 1, k]
                    for i in range(h):
                        above[j, i] += middle[j, k, i] * factor
            for i in range(d):
                w[i] = 0.0
                g[i] = -q[i]
            for k in range(h):
                for i in range(d):
                    w[i] += first[k, i] * above[0, k]
            for k in range(d):
                for i in range(d):
                    g[i] += S[k, i] * w[k]
            for k in range(h):
                total = 0.0
                for i in range(d):
                    total += first[k, i] * g[i]
                below[0, k] = total
            for j in range(depth - 2):
                for k in range(h):
                    total = 0.0
                    for i in range(h):
                        total += middle[j, k, i] * below[j, i]
                    below[j + 1, k] = total
            for k in range(h):
                for i in range(d):
                    first[k, i] -= eta * above[0, k] * g[i]
                last[k] -= eta * below[depth - 2, k]
            for j in range(depth - 2):
                for k in range(h):
                    for i in range(h):
                        middle[j, k, i] -= eta * above[j + 1, k] * below[j, i]

    return descend


class LinearDescent:
    """W_j ← W_j − η ∂L/∂W_j, L = ½ mean (W_N ⋯ W_1 x − y)²: W_1 (h, d), hidden layers (h, h), W_N (1, h).

    `layers` are copied. Each gradient is an outer product of two vectors, so that a step costs O(N h² + h d + d²)
    whatever the number of samples. Raises ValueError on layers of other shapes.
    """

    def __init__(self, layers: Sequence[np.ndarray], moments: Moments, eta: float):
        h, d = layers[0].shape
        shapes = [(h, d), *[(h, h)] * (len(layers) - 2), (1, h)]
        if len(layers) < 2 or [layer.shape for layer in layers] != shapes or d != len(moments.q):
            raise ValueError(f"need layers of shapes {shapes} for {len(moments.q)} inputs, "
                             f"got {[layer.shape for layer in layers]}")
        self._first, self._last = np.array(layers[0], float), np.array(layers[-1][0], float)
        self._middle = np.array(layers[1:-1], float).reshape(len(layers) - 2, h, h)
        self._moments, self.eta, self.steps = moments, eta, 0
        self._descend = _descend(d, h, len(layers))

    def step(self, steps: int = 1) -> None:
        """Take so many steps."""
        m = self._moments
        self._descend(self._first, self._middle, self._last, m.S, m.q, self.eta, steps)
        self.steps += steps

    @property
    def layers(self) -> list[np.ndarray]:
        """W_1, …, W_N, copies."""
        return [self._first.copy(), *self._middle.copy(), self._last[None].copy()]
