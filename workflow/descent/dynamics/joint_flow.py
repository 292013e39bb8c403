"""Gradient flow of both layers of f(x) = m^(−1/2) Σ_r a_r relu(w_rᵀx), L = ½‖u − y‖², at one point of weight space."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from descent.networks.two_layer import relu_outputs
from descent.pipeline.randomness import generator


@dataclass(frozen=True)
class JointPoint:
    """Hidden weights W (m, d), output weights a (m,), inputs X (n, d) and targets y (n,); u_i = f(x_i)."""

    hidden: np.ndarray
    outputs: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray

    @cached_property
    def residual(self) -> np.ndarray:
        """u − y (n,)."""
        return relu_outputs(self.hidden, self.outputs, self.inputs) / np.sqrt(len(self.hidden)) - self.targets

    @cached_property
    def velocities(self) -> tuple[np.ndarray, np.ndarray]:
        """dW/dt = −∂L/∂W (m, d) and da/dt = −∂L/∂a (m,).

        dw_r/dt = −(a_r/√m) Σ_j (u_j − y_j) 1{w_rᵀx_j ≥ 0} x_j and da_r/dt = −(1/√m) Σ_j (u_j − y_j) relu(w_rᵀx_j).
        """
        pre, scale = self.inputs @ self.hidden.T, len(self.hidden) ** -0.5
        pulled = np.where(pre >= 0, self.residual[:, None] * self.outputs, 0.0)
        return -scale * pulled.T @ self.inputs, -scale * np.maximum(pre, 0.0).T @ self.residual

    def linear_step(self, hidden_velocity: np.ndarray) -> float:
        """Half of the largest ε ≤ 2 for which no pattern changes between W − ε dW/dt and W + ε dW/dt."""
        pre, rates = np.abs(self.inputs @ self.hidden.T), np.abs(self.inputs @ hidden_velocity.T)
        return 0.5 * float(np.divide(pre, rates, out=np.full_like(pre, 2.0), where=rates > 0).min(initial=2.0))

    def difference_quotient(self, hidden_velocity: np.ndarray,
                            output_velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """du/dt along a direction of both layers, and a bound on the rounding error of that; both (n,).

        (u(W + ε dW, a + ε da) − u(W − ε dW, a − ε da)) / 2ε with ε = `linear_step`: between these points u is a
        polynomial of degree two in ε, whose central difference is its derivative at 0. The bound on the rounding is
        that of inner products of lengths d and m (Higham 2002, section 3.1), over ε.
        """
        (m, d), step = self.hidden.shape, self.linear_step(hidden_velocity)
        ends = [relu_outputs(self.hidden + e * hidden_velocity, self.outputs + e * output_velocity, self.inputs)
                for e in (step, -step)]
        sizes = relu_outputs(np.abs(self.hidden) + step * np.abs(hidden_velocity),
                             np.abs(self.outputs) + step * np.abs(output_velocity), np.abs(self.inputs))
        rounding = (m + d + 6) * np.finfo(float).eps * sizes / step
        return (ends[0] - ends[1]) / (2 * step * np.sqrt(m)), rounding / np.sqrt(m)


def random_point(master_seed: int, index: int) -> JointPoint:
    """A point with w_r ~ N(0, I), a_r ~ N(0, 1), y ~ N(0, I) and unit inputs; 2 ≤ n ≤ 12, m ≤ 64, 2 ≤ d ≤ 10."""
    draws = generator(master_seed, "joint_point", index)
    n, m, d = draws.integers([2, 1, 2], [13, 65, 11])
    inputs = draws.standard_normal((n, d))
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    return JointPoint(draws.standard_normal((m, d)), draws.standard_normal(m), inputs, draws.standard_normal(n))
