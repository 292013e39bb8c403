"""The rectified linear unit and a smooth one that tends to it, with derivatives."""

from __future__ import annotations

import numpy as np


def activation(rounding: float, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """φ(z) and φ′(z) of φ(z) = (z + √(z² + b²)) / 2, b = `rounding`, arrays like z.

    The hyperbola with asymptotes 0 and z, φ(0) = b/2: infinitely often differentiable for b > 0 (squareplus, Barron
    2021), and for b = 0 the ReLU max(z, 0) with φ′(z) = 1{z ≥ 0}.
    """
    if rounding == 0:
        return np.maximum(z, 0.0), (z >= 0).astype(float)
    root = np.sqrt(z * z + rounding**2)
    value = (z + root) / 2
    return value, value / root


def network_outputs(rounding: float, hidden: np.ndarray, outputs: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """φ(X Wᵀ) A, shape (n, c), for hidden weights W (m, d), output weights A (m, c) and inputs X (n, d)."""
    return activation(rounding, inputs @ hidden.T)[0] @ outputs


def tangent_kernel(rounding: float, hidden: np.ndarray, outputs: np.ndarray, inputs: np.ndarray,
                   others: np.ndarray) -> np.ndarray:
    """K(x, z) = (1/m) Σ_r [φ(w_rᵀx) φ(w_rᵀz) + a_r² φ′(w_rᵀx) φ′(w_rᵀz) xᵀz], both layers trained; shape (n, k).

    The tangent kernel of f(x) = m^{−1/2} Σ_r a_r φ(w_rᵀx) at W (m, d), A (m, 1), for `inputs` (n, d), `others` (k, d).
    """
    (value, slope), (other, other_slope) = (activation(rounding, x @ hidden.T) for x in (inputs, others))
    output_layer = value @ other.T
    hidden_layer = (inputs @ others.T) * ((slope * outputs[:, 0] ** 2) @ other_slope.T)
    return (output_layer + hidden_layer) / len(hidden)
