"""Neural tangent Gram matrices of the two-layer ReLU network f(x) = m^(−1/2) Σ_r a_r relu(w_rᵀx)."""

from __future__ import annotations

import numpy as np

from descent.networks.two_layer import unit_blocks


def h_infinity(inputs: np.ndarray) -> np.ndarray:
    """H∞_ij = x_iᵀx_j (π − arccos x_iᵀx_j) / 2π = E_w[x_iᵀx_j 1{wᵀx_i ≥ 0, wᵀx_j ≥ 0}], w ~ N(0, I).

    `inputs` (n, d) of unit length, else ValueError; the diagonal is exactly 1/2 (Du et al., Assumption 3.1).
    """
    if not np.allclose(np.linalg.norm(inputs, axis=1), 1.0, rtol=0, atol=1e-9):
        raise ValueError("H∞ in this form needs inputs of unit length")
    cosines = np.clip(inputs @ inputs.T, -1.0, 1.0)
    gram = cosines * (np.pi - _angles(inputs, cosines)) / (2 * np.pi)
    np.fill_diagonal(gram, 0.5)
    return gram


def least_limit_eigenvalue(inputs: np.ndarray) -> float:
    """λ_0 = λ_min(H∞) of `inputs` (n, d) of unit length: the number on which the convergence theorem rests."""
    return float(np.linalg.eigvalsh(h_infinity(inputs))[0])


def _angles(inputs: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    angles = np.arccos(cosines)
    # Rounding of a cosine near 1 or −1 costs the arccosine up to half of its digits; the chord keeps them.
    rows, columns = np.nonzero(np.abs(cosines) > 0.999)
    sign = np.sign(cosines[rows, columns])
    near = 2 * np.arcsin(np.linalg.norm(inputs[rows] - sign[:, None] * inputs[columns], axis=1) / 2)
    angles[rows, columns] = np.where(sign > 0, near, np.pi - near)
    return angles


def h_patterns(inputs: np.ndarray, patterns: np.ndarray, outputs: np.ndarray | None = None) -> np.ndarray:
    """H_ij = x_iᵀx_j (1/m) Σ_r a_r² 1{x_iᵀw_r ≥ 0} 1{x_jᵀw_r ≥ 0} from patterns (n, m) of the hidden units.

    `outputs` a (m,), by default ±1: then the counts are whole numbers below 2²⁴ and exact in float32 (Du et al.,
    equation 7, and with a_r² section 3.2, where both layers are trained).
    """
    # Counts of single units add up exactly in float32, the squares of other weights do not.
    precision = np.float32 if outputs is None else np.float64
    total = np.zeros((len(inputs), len(inputs)), precision)
    for units in unit_blocks(patterns.shape[1]):
        active = patterns[:, units].astype(precision)
        if outputs is not None:
            active *= outputs[units]
        total += active @ active.T
    return (inputs @ inputs.T) * (total.astype(np.float64) / patterns.shape[1])


def g_activations(inputs: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """G_ij = (1/m) Σ_r relu(w_rᵀx_i) relu(w_rᵀx_j): the output layer's part of the tangent kernel.

    `inputs` (n, d), `hidden` W (m, d); a Gram matrix and so positive semidefinite (Du et al., Lemma A.2).
    """
    total = np.zeros((len(inputs), len(inputs)))
    for units in unit_blocks(len(hidden)):
        activations = np.maximum(inputs @ hidden[units].T, 0.0)
        total += activations @ activations.T
    return total / len(hidden)
