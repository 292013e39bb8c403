"""The dynamics of the end-to-end matrix W = W_N ⋯ W_1 without its factors: discrete updates and their flow."""

from __future__ import annotations

import numba
import numpy as np

from descent.dynamics.linear_descent import Moments
from descent.networks.linear_network import left_power, right_power

# Without nnan and ninf: a diverging run must show as infinity or NaN.
_FASTMATH = {"reassoc", "contract", "nsz", "arcp", "afn"}


def end_to_end_update(matrix: np.ndarray, gradient, depth: int, eta: float, terms: int | None = None,
                      in_place: bool = False) -> np.ndarray:
    """W − η Σ_{j=1..N} [WWᵀ]^{(j−1)/N} ∇ℓ(W) [WᵀW]^{(N−j)/N} for `gradient` W ↦ ∇ℓ(W) (Arora et al. 2018, theorem 1).

    Two common mistakes can be made on purpose: only the first `terms` terms of the sum, and each term subtracted
    before the next is computed (`in_place`).
    """
    moved = matrix
    for j in range(1, (depth if terms is None else terms) + 1):
        at = moved if in_place else matrix
        moved = moved - eta * left_power(at, (j - 1) / depth) @ gradient(at) @ right_power(at, (depth - j) / depth)
    return moved


def scalar_velocity(w: np.ndarray, gradient: np.ndarray, depth: int, radial: float | None = None) -> np.ndarray:
    """ẇ = −‖w‖^{2−2/N} (g + (N − 1) (wᵀg) w/‖w‖²), one output, w ≠ 0: `end_to_end_velocity` for a row vector.

    `radial` replaces the factor N − 1.
    """
    norm = np.linalg.norm(w)
    more = (depth - 1 if radial is None else radial) * (w @ gradient) / norm**2
    return -(norm ** (2 - 2 / depth)) * (gradient + more * w)


@numba.njit(fastmath=_FASTMATH, cache=True)
def _descend(w, S, q, eta, steps, depth, last):
    g = np.empty_like(w)
    for _ in range(steps):
        square, inner = 0.0, 0.0
        for i in range(len(w)):
            total = -q[i]
            for k in range(len(w)):
                total += S[i, k] * w[k]
            g[i] = total
            square += w[i] * w[i]
            inner += w[i] * total
        factor = eta * square ** (1 - 1 / depth)
        more = (depth - 1) * inner / square
        for i in range(len(w)):
            w[i] -= factor * (last * g[i] + more * w[i])


class EndToEndDescent:
    """w ← w + η `scalar_velocity`(w, S w − q, N): the discrete end-to-end dynamics of a network with one output.

    `start` w (d), not zero. Without the `last_term` j = N of the sum, a common mistake, w only moves along itself.
    """

    def __init__(self, start: np.ndarray, moments: Moments, depth: int, eta: float, last_term: bool = True):
        self._w, self._moments = np.array(start, float), moments
        self._depth, self._eta, self._last = depth, eta, float(last_term)

    def step(self, steps: int = 1) -> None:
        """Take so many steps."""
        m = self._moments
        _descend(self._w, m.S, m.q, self._eta, steps, self._depth, self._last)

    @property
    def weights(self) -> np.ndarray:
        """w (d), a copy."""
        return self._w.copy()
