"""Gradient descent on the hidden weights of a smooth two-layer network, measured against its linearization."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from descent.dynamics.kernel_dynamics import KernelDynamics
from descent.networks.smooth_activation import SmoothActivation
from descent.networks.smooth_network import Linearization, network_outputs

# Pre-activations of one block of units: a quarter of a second-level cache.
_BLOCK = 2**15


class SmoothDescent:
    """W ← W − η ∇_W ½‖u − y‖² with u_i = m^(−1/2) Σ_j a_j σ(w_jᵀx_i), a fixed; all samples in every step, float64.

    `hidden` W (m, d), `signs` a (m,), `inputs` (n, d), `targets` y (n,). Attributes after k steps: `hidden`; `residual`
    u − y (n,); `squared_gradient`, ‖∇_W‖_F² at the weights before the last step; `steps`, k.
    """

    def __init__(self, hidden: np.ndarray, signs: np.ndarray, inputs: np.ndarray, targets: np.ndarray, eta: float,
                 activation: SmoothActivation):
        self.hidden, self.steps, self.squared_gradient = hidden.copy(), 0, np.nan
        self._weights, self._inputs, self._targets = signs / np.sqrt(len(signs)), inputs, targets
        self._eta, self._activation = eta, activation
        self.residual = network_outputs(hidden, signs, inputs, activation.value) - targets

    def step(self) -> None:
        """One step; units are moved and evaluated block by block, as only the residual joins them."""
        transposed, weighted = self._inputs.T, self.residual[:, None] * self._inputs
        outputs, self.squared_gradient = np.zeros(len(weighted)), 0.0
        size = max(8, _BLOCK // len(weighted))
        for first in range(0, len(self.hidden), size):
            units, weights = self.hidden[first : first + size], self._weights[first : first + size]
            gradient = weights[:, None] * (self._activation.slope(units @ transposed) @ weighted)
            self.squared_gradient += float(np.sum(gradient**2))
            units -= self._eta * gradient
            outputs += weights @ self._activation.value(units @ transposed)
        self.residual = outputs - self._targets
        self.steps += 1

    def loss(self) -> float:
        """½ ‖u − y‖², a sum over the samples."""
        return float(self.residual @ self.residual) / 2


def stable_step(fraction: float, inputs: np.ndarray) -> float:
    """`fraction` of 2 / ‖X‖₂²: for |σ′| ≤ 1 no tangent kernel of any width or weights has an eigenvalue above ‖X‖₂².

    K = (1/m) Σ_r D_r XXᵀ D_r with diagonal D_r of entries σ′(w_rᵀx_i), so that ‖K‖₂ ≤ ‖X‖₂².
    """
    return fraction * 2 / float(np.linalg.norm(inputs, 2)) ** 2


def measured_descent(hidden: np.ndarray, signs: np.ndarray, inputs: np.ndarray, labels: np.ndarray, eta: float,
                     activation: SmoothActivation, recorded: list[int]) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Train on the labels y + f(W_0), so that the residual starts at −y; a row and three outputs per `recorded` step.

    Beside the network at W_k runs its linearization at V_k, trained with the same steps: its residual is
    (I − η K_0)^k (−y) in closed form. The row, with maxima over the n samples:
    `step`; `flow_time` η k; `loss`; `gap` max |f(W_k) − f_0(W_k)|; `model_gap` max |f(W_k) − f_0(V_k)|;
    `movement` ‖W_k − W_0‖_F; `start_norm` ‖W_0‖_F; `model_distance` ‖W_k − V_k‖_F;
    `least_decrease`, the least (L_s − L_{s+1}) / (η ‖∇L_s‖²) so far.
    The outputs (3, n) are f(W_k), f_0(W_k) and f_0(V_k), all less f(W_0).
    """
    linearization = Linearization(hidden, signs, inputs, activation)
    kernel = KernelDynamics(linearization.tangent_gram(), labels)
    descent = SmoothDescent(hidden, signs, inputs, labels + linearization.start, eta, activation)
    least, constants = np.inf, {"start_norm": float(np.linalg.norm(hidden))}
    for step in range(recorded[-1] + 1):
        if step:
            before = descent.loss()
            descent.step()
            least = min(least, (before - descent.loss()) / (eta * descent.squared_gradient))
        if step in recorded:
            outputs = _three_outputs(descent, linearization, kernel, eta)
            model = linearization.displaced(model_coefficients(kernel, eta, step))
            yield {"step": step, "flow_time": eta * step, "loss": descent.loss(), "least_decrease": least,
                   "gap": float(np.abs(outputs[0] - outputs[1]).max()),
                   "model_gap": float(np.abs(outputs[0] - outputs[2]).max()),
                   "movement": float(np.linalg.norm(descent.hidden - hidden)),
                   "model_distance": float(np.linalg.norm(descent.hidden - model)), **constants}, outputs


def _three_outputs(descent: SmoothDescent, linearization: Linearization, kernel: KernelDynamics,
                   eta: float) -> np.ndarray:
    zero = np.zeros(len(kernel.targets))
    # The gap is far above the rounding error of these differences: no need for the activation's remainder here.
    return np.stack([descent.residual + kernel.targets, linearization(descent.hidden) - linearization.start,
                     kernel.descent(zero, eta, [descent.steps])[0]])


def model_coefficients(kernel: KernelDynamics, eta: float, step: int) -> np.ndarray:
    """c (n,) with V_k = W_0 + J(W_0)ᵀc: −η times the sum of the linearization's residuals at the steps 0, …, k − 1."""
    sums = kernel.descent_factors(eta, np.arange(step)).sum(axis=0)
    return -eta * kernel.eigenvectors @ (sums * kernel.coefficients(np.zeros(len(sums))))
