"""Objectives of the two-layer ReLU network z = U relu(Vᵀx), with and without weight decay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PENALTIES = ("none", "squared", "mixed")
LOSSES = ("squared", "logistic")


@dataclass(frozen=True)
class ReluObjective:
    """J = Σ_i L(y_i, z_i) + R(U, V), z_i = U relu(Vᵀx_i), for `inputs` X (N, D) and `targets` Y (N, n).

    `loss` L: `squared` ½‖y − z‖² or `logistic` Σ_a log(1 + exp(−y_a z_a)). `penalty` R: `none`, `squared`
    λ/2 (‖U‖_F² + ‖V‖_F²) or `mixed` λ/2 (‖U‖_F + ‖V‖_F²), λ = `decay`. Weights are kept with a row for each hidden
    unit: W = Vᵀ (r, D) and A = Uᵀ (r, n). Raises ValueError on another loss or penalty.
    """

    inputs: np.ndarray
    targets: np.ndarray
    loss: str
    penalty: str
    decay: float

    def __post_init__(self):
        if self.loss not in LOSSES or self.penalty not in PENALTIES:
            raise ValueError(f"loss {self.loss!r}, penalty {self.penalty!r}: not in {LOSSES}, {PENALTIES}")

    def patterns(self, hidden: np.ndarray) -> np.ndarray:
        """1{v_j·x_i > 0}, booleans (N, r): the derivative 0 of relu at 0 is the one that frameworks take."""
        return self.inputs @ hidden.T > 0

    def fit(self, hidden: np.ndarray, outputs: np.ndarray, patterns: np.ndarray | None = None):
        """Σ_i L(y_i, z_i); `patterns` (N, r) in place of the weights' own continue it from their cell.

        With the squared loss, arrays of `fractions.Fraction` give a Fraction, without rounding.
        """
        return np.sum(self._losses(self._outputs(hidden, outputs, patterns)))

    def value(self, hidden: np.ndarray, outputs: np.ndarray, patterns: np.ndarray | None = None) -> float:
        """J."""
        return float(self.fit(hidden, outputs, patterns)) + self._penalty(hidden, outputs)

    def slopes(self, hidden: np.ndarray, outputs: np.ndarray, patterns: np.ndarray | None = None) -> np.ndarray:
        """G = ∂L/∂z, shape (N, n)."""
        z = self._outputs(hidden, outputs, patterns)
        return z - self.targets if self.loss == "squared" else -self.targets * _sigmoid(-self.targets * z)

    def gradient(self, hidden: np.ndarray, outputs: np.ndarray,
                 patterns: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """∂J/∂W (r, D) and ∂J/∂A (r, n); of ‖U‖_F at 0 the subgradient 0.

        `patterns` may be weights in [0, 1] where v_j·x_i = 0, which gives the elements of Clarke's subdifferential.
        """
        active = self.patterns(hidden) if patterns is None else patterns
        slopes = self.slopes(hidden, outputs, patterns)
        of_hidden = (active * (slopes @ outputs.T)).T @ self.inputs
        of_outputs = (active * (self.inputs @ hidden.T)).T @ slopes
        pull_hidden, pull_outputs = self._penalty_gradient(hidden, outputs)
        return of_hidden + pull_hidden, of_outputs + pull_outputs

    def hessian(self, hidden: np.ndarray, outputs: np.ndarray, patterns: np.ndarray | None = None) -> np.ndarray:
        """∇²J over (W, A), row by row, of the analytic continuation from the cell of `patterns`; (p, p), p = r (D + n).

        JᵀL″J + curvature of the map + ∇²R, with the Jacobian J of the outputs; exact.
        """
        active = self.patterns(hidden) if patterns is None else patterns
        (r, d), n = hidden.shape, outputs.shape[1]
        activation = active * (self.inputs @ hidden.T)
        of_hidden = np.einsum("ij,ja,id->iajd", active, outputs, self.inputs).reshape(-1, r * d)
        of_outputs = np.einsum("ij,ab->iajb", activation, np.eye(n)).reshape(-1, r * n)
        jacobian = np.hstack([of_hidden, of_outputs])
        matrix = jacobian.T @ (self._curvatures(hidden, outputs, patterns).reshape(-1, 1) * jacobian)
        bilinear = np.einsum("ij,id,ia->jda", active, self.inputs, self.slopes(hidden, outputs, patterns))
        for j in range(r):
            rows, columns = slice(j * d, (j + 1) * d), slice(r * d + j * n, r * d + (j + 1) * n)
            matrix[rows, columns] += bilinear[j]
            matrix[columns, rows] += bilinear[j].T
        return matrix + self._penalty_hessian(hidden, outputs)

    def _outputs(self, hidden, outputs, patterns):
        active = self.patterns(hidden) if patterns is None else patterns
        return (active * (self.inputs @ hidden.T)) @ outputs

    def _losses(self, z):
        return (z - self.targets) ** 2 / 2 if self.loss == "squared" else np.logaddexp(0, -self.targets * z)

    def _curvatures(self, hidden, outputs, patterns):
        if self.loss == "squared":
            return np.ones_like(self.targets)
        margins = self.targets * self._outputs(hidden, outputs, patterns)
        return self.targets**2 * _sigmoid(margins) * _sigmoid(-margins)

    def _penalty(self, hidden, outputs):
        if self.penalty == "none":
            return 0.0
        of_outputs = np.sum(outputs**2) if self.penalty == "squared" else np.linalg.norm(outputs)
        return 0.5 * self.decay * float(np.sum(hidden**2) + of_outputs)

    def _penalty_gradient(self, hidden, outputs):
        if self.penalty == "none":
            return np.zeros_like(hidden), np.zeros_like(outputs)
        if self.penalty == "squared":
            return self.decay * hidden, self.decay * outputs
        norm = np.linalg.norm(outputs)
        return self.decay * hidden, 0.5 * self.decay * outputs / norm if norm else np.zeros_like(outputs)

    def _penalty_hessian(self, hidden, outputs):
        diagonal = np.zeros(hidden.size + outputs.size)
        if self.penalty != "none":
            diagonal[:hidden.size] = self.decay
        if self.penalty == "squared":
            diagonal[hidden.size:] = self.decay
        matrix = np.diag(diagonal)
        norm = np.linalg.norm(outputs)
        if self.penalty == "mixed" and norm:
            unit = outputs.ravel() / norm
            matrix[hidden.size:, hidden.size:] = 0.5 * self.decay / norm * (np.eye(len(unit)) - np.outer(unit, unit))
        return matrix


def _sigmoid(z):
    return 0.5 * (1 + np.tanh(0.5 * z))
