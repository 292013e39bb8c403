"""Neural tangent Gram matrices of the two-layer ReLU network f(x) = m^(−1/2) Σ_r a_r relu(w_rᵀx), a_r = ±1 fixed."""

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
    gram = cosines * (np.pi - np.arccos(cosines)) / (2 * np.pi)
    # Rounding of a cosine just below 1 costs the arccosine half of its digits.
    np.fill_diagonal(gram, 0.5)
    return gram


def h_patterns(inputs: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    """H_ij = x_iᵀx_j (1/m) Σ_r 1{x_iᵀw_r ≥ 0} 1{x_jᵀw_r ≥ 0} from patterns (n, m) of the hidden units.

    The counts are whole numbers below 2²⁴ and therefore exact in float32 (Du et al., equation 7).
    """
    counts = np.zeros((len(inputs), len(inputs)), np.float32)
    for units in unit_blocks(patterns.shape[1]):
        active = patterns[:, units].astype(np.float32)
        counts += active @ active.T
    return (inputs @ inputs.T) * (counts.astype(np.float64) / patterns.shape[1])
