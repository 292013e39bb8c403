"""Gradient descent on both layers of a small two-layer network with the squareplus activation."""

from __future__ import annotations

import numpy as np


class SquareplusDescent:
    """(W, A) ← (W, A) − η ∇ ½ Σ_i (f(x_i) − y_i)² in float64, f(x) = scale · Aᵀ φ(W x), both gradients at one point.

    φ is the `activation` of `networks.squareplus` with `rounding` > 0; `hidden` W (m, d), `outputs` A
    (m, 1), `inputs` (n, d), `targets` (n, 1).
    The interface is that of `GradientDescent`, whose fused kernel is for the ReLU; here the networks are small, and the
    passes between two products, in buffers that are kept, cost little more than the products.
    """

    def __init__(self, hidden, outputs, inputs, targets, eta, scale, rounding):
        self._W, self._a = np.array(hidden, float), np.array(outputs[:, 0], float)
        self._X, self._y, self._eta, self._scale = np.array(inputs, float), targets[:, 0], eta * scale, scale
        self._bottom = rounding**2
        self._value, self._root = (np.empty((len(inputs), len(hidden))) for _ in range(2))
        self.steps = 0
        self._forward()

    def _forward(self) -> None:
        value, root = self._value, self._root
        np.matmul(self._X, self._W.T, out=value)
        np.multiply(value, value, out=root)
        root += self._bottom
        np.sqrt(root, out=root)
        value += root
        value *= 0.5
        self._residual = self._scale * (value @ self._a) - self._y

    def step(self) -> None:
        """One step on all samples."""
        value, slope = self._value, self._root
        downhill = self._residual @ value
        np.divide(value, slope, out=slope)
        slope *= self._residual[:, None]
        self._W -= self._eta * self._a[:, None] * (slope.T @ self._X)
        self._a -= self._eta * downhill
        self.steps += 1
        self._forward()

    @property
    def hidden(self) -> np.ndarray:
        """The hidden weights W (m, d), a copy."""
        return self._W.copy()

    @property
    def outputs(self) -> np.ndarray:
        """The output weights A (m, 1), a copy."""
        return self._a[:, None].copy()

    @property
    def residual(self) -> np.ndarray:
        """f(x_i) − y_i on all samples (n, 1), a copy."""
        return self._residual[:, None].copy()
