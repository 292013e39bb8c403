"""Gradient descent on both layers of a tanh network with any number of outputs."""

from __future__ import annotations

import numpy as np


class TanhDescent:
    """Full-batch gradient descent on L = (1/2n) Σ_i ‖f(x_i) − y_i‖², f(x) = m^{−1/2} Aᵀ tanh(W x), over W and A.

    `hidden` W (m, d), `outputs` A (m, c), `inputs` (n, d), `targets` (n, c), `eta` η; flow time is t = ηk. Arrays of
    samples × units are kept between the steps.
    """

    def __init__(self, hidden, outputs, inputs, targets, eta: float):
        self.hidden, self.outputs, self.eta = hidden.copy(), outputs.copy(), eta
        self._inputs, self._targets, self._scale = inputs, targets, len(hidden) ** -0.5
        self._units, self._back = np.empty((2, len(inputs), len(hidden)))

    def step(self) -> float:
        """One step; returns L before it."""
        units, back, n = self._units, self._back, len(self._inputs)
        np.matmul(self._inputs, self.hidden.T, out=units)
        np.tanh(units, out=units)
        residual = self._scale * (units @ self.outputs) - self._targets
        scaled = residual * (self._scale / n)
        np.matmul(scaled, self.outputs.T, out=back)
        self.outputs -= self.eta * (units.T @ scaled)
        units *= units
        np.subtract(1, units, out=units)
        back *= units
        self.hidden -= self.eta * (back.T @ self._inputs)
        return 0.5 * float(np.sum(residual**2)) / n
