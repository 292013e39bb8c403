"""The full Hessian of a deep linear network with one output, reduced to its few non-zero directions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from descent.dynamics.linear_descent import Moments


def reduced_hessian(layers: Sequence[np.ndarray], moments: Moments) -> np.ndarray:
    """A symmetric matrix with the non-zero spectrum of ∇²L(W_1, …, W_N), L = ½ mean (W_N ⋯ W_1 x − y)².

    With a_j = (W_N ⋯ W_{j+1})ᵀ, g = ∇ℓ(w) and b_j = W_{j−1} ⋯ W_1 g the second derivative along (D_1, …, D_N) is
    ‖S^{1/2} dw‖² + 2 Σ_{i<j} (D_jᵀa_j)ᵀ (W_{j−1} ⋯ W_{i+1}) (D_i b_i), dw = Σ_j (W_{j−1} ⋯ W_1)ᵀ D_jᵀ a_j. It depends
    on D_j only through D_jᵀa_j and D_j b_j: one row, one column in orthonormal bases beginning with a_j and b_j.
    `layers`: W_1 (h, d), …, W_N (1, h). Its size is Σ_j (d_j + d_{j−1} − 1): 48 for three layers of width 10.
    """
    above, below, prefixes = _vectors(layers, moments)
    parts = [_directions(a, b) for a, b in zip(above, below)]
    ends = np.cumsum([0, *[rows.shape[1] for rows, _ in parts]])
    slices = [slice(start, stop) for start, stop in zip(ends, ends[1:])]
    dw = np.concatenate([prefix.T @ rows for prefix, (rows, _) in zip(prefixes, parts)], axis=1)
    hessian = dw.T @ moments.S @ dw
    for i, (_, columns) in enumerate(parts):
        moved = columns
        for j in range(i + 1, len(layers)):
            cross = parts[j][0].T @ moved
            hessian[slices[j], slices[i]] += cross
            hessian[slices[i], slices[j]] += cross.T
            moved = layers[j] @ moved
    return hessian


def extreme_eigenvalues(layers: Sequence[np.ndarray], moments: Moments) -> tuple[float, float]:
    """λ_min and λ_max of ∇²L over all weights jointly; zero counts wherever the reduction dropped a direction."""
    reduced = reduced_hessian(layers, moments)
    eigenvalues = np.linalg.eigvalsh(reduced)
    dropped = sum(layer.size for layer in layers) > len(reduced)
    return (min(eigenvalues[0], 0.0), max(eigenvalues[-1], 0.0)) if dropped else (eigenvalues[0], eigenvalues[-1])


def _vectors(layers: Sequence[np.ndarray], moments: Moments) -> tuple[list, list, list]:
    above = [np.ones(1)]
    for layer in reversed(layers[1:]):
        above.append(layer.T @ above[-1])
    above.reverse()
    below = [moments.gradient(layers[0].T @ above[0])]
    prefixes = [np.eye(layers[0].shape[1])]
    for layer in layers[:-1]:
        below.append(layer @ below[-1])
        prefixes.append(layer @ prefixes[-1])
    return above, below, prefixes


def _directions(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Coordinates z of D = Q_a Z Q_bᵀ, Z zero but for its first row and first column: Dᵀa and D b as matrices times z.
    rows, columns = len(a), len(b)
    Dta, Db = np.zeros((columns, columns + rows - 1)), np.zeros((rows, columns + rows - 1))
    Qa, Qb = _basis(a), _basis(b)
    Dta[:, :columns] = np.linalg.norm(a) * Qb
    Db[:, 0] = np.linalg.norm(b) * Qa[:, 0]
    Db[:, columns:] = np.linalg.norm(b) * Qa[:, 1:]
    return Dta, Db


def _basis(vector: np.ndarray) -> np.ndarray:
    # Householder's reflection of the first unit vector onto the direction of `vector`, up to its sign.
    norm = np.linalg.norm(vector)
    if norm == 0:
        return np.eye(len(vector))
    sign = 1.0 if vector[0] >= 0 else -1.0
    normal = vector / norm
    normal[0] += sign
    reflection = np.eye(len(vector)) - 2 * np.outer(normal, normal) / (normal @ normal)
    return -sign * reflection
