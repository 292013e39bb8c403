"""The two-layer network f(W) = m^(−1/2) Σ_j a_j σ(w_jᵀx), a_j = ±1 fixed, its gradient and its linearization."""

from __future__ import annotations

import numpy as np

from descent.networks.smooth_activation import Elementwise, SmoothActivation


def network_outputs(hidden: np.ndarray, signs: np.ndarray, inputs: np.ndarray, value: Elementwise) -> np.ndarray:
    """f(W) for each of n inputs, shape (n,): W `hidden` (m, d), a `signs` (m,), `inputs` (n, d), σ `value`."""
    return value(inputs @ hidden.T) @ signs / np.sqrt(len(signs))


def network_gradient(hidden: np.ndarray, signs: np.ndarray, x: np.ndarray, slope: Elementwise) -> np.ndarray:
    """∇f(W) = D a xᵀ, shape (m, d), D = diag(σ′(w_jᵀx)), for one input x (d,) and σ′ `slope` (2a of the exercise).

    The exercise's a_j are ±1/√m; here `signs` are ±1 and the factor m^(−1/2) is the network's.
    """
    return np.outer(slope(hidden @ x) * signs, x) / np.sqrt(len(signs))


def linearization_by_units(start: np.ndarray, hidden: np.ndarray, signs: np.ndarray, x: np.ndarray, value: Elementwise,
                           slopes: np.ndarray) -> float:
    """f_0(W) = m^(−1/2) Σ_j a_j ([σ(w_{0,j}ᵀx) − σ′(w_{0,j}ᵀx) w_{0,j}ᵀx] + σ′(w_{0,j}ᵀx) w_jᵀx) for one input x (d,).

    W_0 `start` and W `hidden` (m, d); `slopes` (m,), the σ′(w_{0,j}ᵀx) (2b of the exercise, σ′(w_{0,j}) is a slip).
    """
    first = start @ x
    return float(signs @ (value(first) - slopes * first + slopes * (hidden @ x)) / np.sqrt(len(signs)))


class Linearization:
    """f_0(W) = f(W_0) + ⟨∇f(W_0), W − W_0⟩ for n inputs at once: the first-order Taylor polynomial at W_0.

    `hidden` W_0 (m, d), `signs` (m,), `inputs` (n, d). With the Jacobian J (n, m d) of the outputs at W_0,
    f_0(W) = f(W_0) + J (W − W_0). Attribute `start`: f(W_0), shape (n,) (equation 3 of the exercise).
    """

    def __init__(self, hidden: np.ndarray, signs: np.ndarray, inputs: np.ndarray, activation: SmoothActivation):
        self.start = network_outputs(hidden, signs, inputs, activation.value)
        self._hidden, self._inputs, self._weights = hidden, inputs, signs[:, None] / np.sqrt(len(signs))
        self._slopes = activation.slope(hidden @ inputs.T)

    def __call__(self, hidden: np.ndarray) -> np.ndarray:
        """f_0(W), shape (n,), for W (m, d)."""
        moved = self._slopes.T @ (self._weights * (hidden - self._hidden))
        return self.start + np.sum(self._inputs * moved, axis=1)

    def tangent_gram(self) -> np.ndarray:
        """K_0 = J Jᵀ, shape (n, n): x_iᵀx_j (1/m) Σ_r σ′(w_rᵀx_i) σ′(w_rᵀx_j) at W_0, as a_r² = 1."""
        gram = self._slopes.T @ self._slopes / len(self._slopes)
        return (self._inputs @ self._inputs.T) * gram

    def displaced(self, coefficients: np.ndarray) -> np.ndarray:
        """W_0 + Jᵀc, shape (m, d), for c `coefficients` (n,): where combinations of the n gradients lead."""
        return self._hidden + self._weights * (self._slopes @ (coefficients[:, None] * self._inputs))
