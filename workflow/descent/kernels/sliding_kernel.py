"""The tangent Gram matrix of a ReLU network whose weights slide along the hyperplanes where a pattern changes."""

from __future__ import annotations

import numpy as np

# Inner products of sliding samples with eigenvalues below this part of the largest count as linearly dependent.
DEPENDENT = 1e-10


def sliding_correction(inputs: np.ndarray, patterns: np.ndarray, sliding: np.ndarray) -> np.ndarray:
    """S = (1/m) Σ_r D_r X Π_r Xᵀ D_r with H̃ = H − S = (1/m) Σ_r D_r X (I − Π_r) Xᵀ D_r, shape (n, n).

    `inputs` X (n, d); `patterns` (m, n) the diagonals of D_r, 1{w_rᵀx_i ≥ 0}; `sliding` (m, n) the samples on whose
    hyperplane w_rᵀx_i = 0 the weight w_r is held, Π_r the orthogonal projection onto their span. H̃ governs gradient
    flow, u′ = H̃ (y − u), and does not depend on the patterns of sliding samples; 0 ⪯ H̃ ⪯ H (see the proofs).
    """
    cosines, correction = inputs @ inputs.T, np.zeros((len(inputs), len(inputs)))
    counts = sliding.sum(axis=1)
    for count in np.unique(counts[counts > 0]):
        units = np.flatnonzero(counts == count)
        held = np.nonzero(sliding[units])[1].reshape(len(units), count)
        factors = cosines[held] * patterns[units][:, None, :]
        factors = _orthogonal_factors(cosines[held[:, :, None], held[:, None, :]]) @ factors
        factors = factors.reshape(-1, len(inputs))
        correction += factors.T @ factors
    return correction / len(patterns)


def _orthogonal_factors(grams: np.ndarray) -> np.ndarray:
    # F with Fᵀ F the pseudo-inverse of each Gram matrix (units, k, k): the projection is X_Zᵀ Fᵀ F X_Z.
    eigenvalues, vectors = np.linalg.eigh(grams)
    kept = eigenvalues > DEPENDENT * eigenvalues[:, -1:]
    scales = np.where(kept, 1 / np.sqrt(np.where(kept, eigenvalues, 1.0)), 0.0)
    return scales[:, :, None] * vectors.transpose(0, 2, 1)
