"""Eigenvalues of nested principal submatrices: Cauchy's interlacing inequalities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def interlacing_excess(inner: np.ndarray, outer: np.ndarray) -> float:
    """Greatest violation of μ_i ≤ λ_i ≤ μ_{i+q−p}, i = 1 … p: at most 0 where all 2p inequalities hold.

    `inner` λ (p) are the rising eigenvalues of a principal submatrix, `outer` μ (q ≥ p) those of the symmetric matrix
    (Cauchy; Horn and Johnson, Matrix Analysis, Theorem 4.3.28). Raises ValueError when q < p.
    """
    gap = len(outer) - len(inner)
    if gap < 0:
        raise ValueError(f"a submatrix of order {len(inner)} does not fit into a matrix of order {len(outer)}")
    return float(max((outer[: len(inner)] - inner).max(), (inner - outer[gap:]).max()))


def principal_spectra(gram: np.ndarray, subsets: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Rising eigenvalues of the principal submatrix `gram`[S, S] (n, n) for each subset S, a boolean mask (n,)."""
    return [np.linalg.eigvalsh(gram[subset][:, subset]) for subset in subsets]
