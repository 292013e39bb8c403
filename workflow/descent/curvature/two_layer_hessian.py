"""Products with the Hessian of a two-layer network's squared loss, without the matrix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Elementwise = Callable[[np.ndarray], np.ndarray]


class TwoLayerHessian:
    """∇²L v for L = ½ Σ_i ‖f(x_i) − y_i‖², f(x) = scale · Aᵀ σ(W x), over W alone or over W and A.

    `hidden` W (m, d), `outputs` A (m, c), `inputs` (n, d), `targets` (n, c); σ, σ′, σ″ as `value`, `slope`,
    `curvature`. Vectors hold the entries of W row by row, then with `train_outputs` those of A. With V, B the
    directions, p = W x, q = V x and r = f − y: df = scale (Aᵀ(σ′(p) q) + Bᵀσ(p)), and the product is the derivative
    of the gradient (Pearlmutter 1994). Four matrix products of size n m d and as many of size n m c.
    """

    def __init__(self, hidden, outputs, inputs, targets, value: Elementwise, slope: Elementwise,
                 curvature: Elementwise, scale: float = 1.0, train_outputs: bool = False):
        pre_activations = inputs @ hidden.T
        self._value, self._slope = value(pre_activations), slope(pre_activations)
        self._inputs, self._outputs, self._scale = inputs, np.asarray(outputs, float), scale
        self._residual = scale * self._value @ self._outputs - targets
        self._bent = scale * (self._residual @ self._outputs.T) * curvature(pre_activations)
        self._shape, self._trained = hidden.shape, train_outputs
        self.size = hidden.size + (self._outputs.size if train_outputs else 0)

    @property
    def gradient(self) -> np.ndarray:
        """∇L, shape (size,)."""
        back = self._scale * (self._residual @ self._outputs.T) * self._slope
        parts = [(back.T @ self._inputs).ravel()]
        if self._trained:
            parts.append((self._scale * self._value.T @ self._residual).ravel())
        return np.concatenate(parts)

    @property
    def loss(self) -> float:
        """½ Σ_i ‖f(x_i) − y_i‖²."""
        return 0.5 * float(np.sum(self._residual**2))

    def __call__(self, vector: np.ndarray) -> np.ndarray:
        """∇²L v, shape (size,)."""
        m, d = self._shape
        moved = self._inputs @ vector[: m * d].reshape(m, d).T
        bent = self._bent * moved
        moved *= self._slope
        change = moved @ self._outputs
        if not self._trained:
            change *= self._scale**2
            return ((change @ self._outputs.T * self._slope + bent).T @ self._inputs).ravel()
        direction = vector[m * d :].reshape(self._outputs.shape)
        change = self._scale**2 * (change + self._value @ direction)
        back = (change @ self._outputs.T + self._scale * self._residual @ direction.T) * self._slope + bent
        upper = self._value.T @ change + self._scale * moved.T @ self._residual
        return np.concatenate([(back.T @ self._inputs).ravel(), upper.ravel()])


def tanh_derivatives() -> tuple[Elementwise, Elementwise, Elementwise]:
    """Tanh, its first and its second derivative."""
    return np.tanh, lambda z: 1 - np.tanh(z) ** 2, lambda z: 2 * np.tanh(z) * (np.tanh(z) ** 2 - 1)
