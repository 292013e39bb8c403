"""Training in a fixed kernel: gradient flow and gradient descent at all times from one eigendecomposition."""

from __future__ import annotations

import numpy as np


class KernelDynamics:
    """Predictions u on the training samples under u' = −H (u − y), or under steps u ← u − η H (u − y).

    With H = Σ_i λ_i v_i v_iᵀ, every mode of the residual r = u − y moves by itself: v_iᵀ r(t) = e^{−λ_i t} v_iᵀ r(0) in
    the flow (flow time t) and v_iᵀ r(k) = (1 − η λ_i)^k v_iᵀ r(0) after k steps of descent on ½‖u − y‖², a sum (tau.4).

    `gram` H (n, n), symmetric, of any signature: eigenvalues that rounding makes slightly negative are kept as they
    are; `targets` y (n,) or (n, c). Attributes: `eigenvalues` (n,), rising, `eigenvectors` (n, n), one in each column.
    Raises ValueError when H is not symmetric or does not fit y.
    """

    def __init__(self, gram: np.ndarray, targets: np.ndarray):
        if gram.shape != 2 * targets.shape[:1]:
            raise ValueError(f"a Gram matrix of shape {gram.shape} does not fit targets of shape {targets.shape}")
        if not np.allclose(gram, gram.T, rtol=0, atol=1e-12 * np.abs(gram).max()):
            raise ValueError("the Gram matrix is not symmetric")
        self.targets = targets
        self.eigenvalues, self.eigenvectors = np.linalg.eigh(gram)

    def flow(self, start: np.ndarray, times: np.ndarray) -> np.ndarray:
        """u(t) = y + e^{−H t} (u(0) − y) at all `times` (T,), from `start` u(0), shaped like y: (T, n) or (T, n, c)."""
        return self.targets + self.residuals(start, self.flow_factors(times))

    def descent(self, start: np.ndarray, eta: float, steps: np.ndarray) -> np.ndarray:
        """u(k) = y + (I − η H)^k (u(0) − y) after each number of `steps` (K,): (K, n) or (K, n, c)."""
        return self.targets + self.residuals(start, self.descent_factors(eta, steps))

    def flow_factors(self, times: np.ndarray) -> np.ndarray:
        """e^{−λ_i t}, shape (T, n): what each mode of the residual is multiplied by up to each time."""
        return np.exp(-np.multiply.outer(np.asarray(times, float), self.eigenvalues))

    def descent_factors(self, eta: float, steps: np.ndarray) -> np.ndarray:
        """(1 − η λ_i)^k, shape (K, n), to a relative error that does not grow with k while k η λ_i stays small."""
        steps, scaled = np.asarray(steps)[:, None], eta * self.eigenvalues
        # |1 − x| is 1 − x below 1 and 1 − (2 − x) above; at x = 1 it is 0, and its logarithm is cut where e^{..} is 0.
        with np.errstate(divide="ignore"):
            logarithm = np.maximum(np.log1p(-np.minimum(scaled, 2.0 - scaled)), -1e4)
        return np.where((scaled > 1) & (steps % 2 == 1), -1.0, 1.0) * np.exp(steps * logarithm)

    def coefficients(self, start: np.ndarray) -> np.ndarray:
        """v_iᵀ (u(0) − y) for every mode i, shaped like y."""
        return self.eigenvectors.T @ (start - self.targets)

    def residuals(self, start: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """u − y where the modes have been multiplied by `factors` (T, n); without the rounding error of adding y."""
        coefficients = self.coefficients(start)
        if coefficients.ndim == 1:
            return (factors * coefficients) @ self.eigenvectors.T
        return self.eigenvectors @ (factors[:, :, None] * coefficients)

    def energies(self, start: np.ndarray) -> np.ndarray:
        """‖v_iᵀ (u(0) − y)‖², the part of the squared error in each mode, shape (n,); they sum to ‖u(0) − y‖²."""
        return np.square(self.coefficients(start)).reshape(len(self.eigenvalues), -1).sum(axis=1)

    def squared_errors(self, start: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """‖u − y‖² = Σ_i factor_i² ‖v_iᵀ (u(0) − y)‖² for `factors` (T, n), shape (T,); the loss is half of it."""
        return np.square(factors) @ self.energies(start)
