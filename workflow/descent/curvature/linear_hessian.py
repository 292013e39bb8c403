"""The full Hessian of a deep linear network with one output, reduced to its few non-zero directions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from descent.curvature.tridiagonal import extremes
from descent.dynamics.linear_descent import Moments


def reduced_hessian(layers: Sequence[np.ndarray], moments: Moments) -> np.ndarray:
    """A symmetric matrix with the non-zero spectrum of ∇²L(W_1, …, W_N), L = ½ mean (W_N ⋯ W_1 x − y)².

    With a_j = (W_N ⋯ W_{j+1})ᵀ, g = ∇ℓ(w) and b_j = W_{j−1} ⋯ W_1 g the second derivative along (D_1, …, D_N) is
    ‖S^{1/2} dw‖² + 2 Σ_{i<j} (D_jᵀa_j)ᵀ (W_{j−1} ⋯ W_{i+1}) (D_i b_i), dw = Σ_j (W_{j−1} ⋯ W_1)ᵀ D_jᵀ a_j. It depends
    on D_j only through D_jᵀa_j and D_j b_j: one row, one column in orthonormal bases beginning with a_j and b_j.
    `layers`: W_1 (…, h, d), …, W_N (…, 1, h), with any leading axes, over which the result (…, k, k) is stacked.
    Its size is k = Σ_j (d_j + d_{j−1} − 1): 48 for three layers of width 10.
    """
    above, below, prefixes = _vectors(layers, moments)
    parts = [_directions(a, b) for a, b in zip(above, below)]
    ends = np.cumsum([0, *[rows.shape[-1] for rows, _ in parts]])
    slices = [slice(start, stop) for start, stop in zip(ends, ends[1:])]
    dw = np.concatenate([prefix.mT @ rows for prefix, (rows, _) in zip(prefixes, parts)], axis=-1)
    hessian = dw.mT @ (moments.S @ dw)
    for i, (_, columns) in enumerate(parts):
        moved = columns
        for j in range(i + 1, len(layers)):
            cross = parts[j][0].mT @ moved
            hessian[..., slices[j], slices[i]] += cross
            hessian[..., slices[i], slices[j]] += cross.mT
            moved = layers[j] @ moved
    return hessian


def extreme_eigenvalues(layers: Sequence[np.ndarray], moments: Moments) -> tuple[np.ndarray, np.ndarray]:
    """λ_min and λ_max of ∇²L over all weights jointly; zero counts wherever the reduction dropped a direction.

    Each is of the shape of the leading axes of `layers`, a number without any. Many points in one call take a third
    of the time that they take one by one.
    """
    reduced = reduced_hessian(layers, moments)
    dropped = sum(layer.shape[-2] * layer.shape[-1] for layer in layers) > reduced.shape[-1]
    found = extremes(reduced)
    least, greatest = found[..., 0], found[..., 1]
    return (np.minimum(least, 0.0), np.maximum(greatest, 0.0)) if dropped else (least, greatest)


def _vectors(layers: Sequence[np.ndarray], moments: Moments) -> tuple[list, list, list]:
    above = [np.ones((*layers[0].shape[:-2], 1))]
    for layer in reversed(layers[1:]):
        above.append(np.matvec(layer.mT, above[-1]))
    above.reverse()
    below = [np.matvec(layers[0].mT, above[0]) @ moments.S - moments.q]
    prefixes = [np.eye(layers[0].shape[-1])]
    for layer in layers[:-1]:
        below.append(np.matvec(layer, below[-1]))
        prefixes.append(layer @ prefixes[-1])
    return above, below, prefixes


def _directions(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Coordinates z of D = Q_a Z Q_bᵀ, Z zero but for its first row and first column: Dᵀa and D b as matrices times z.
    rows, columns = a.shape[-1], b.shape[-1]
    Dta, Db = (np.zeros((*a.shape[:-1], n, columns + rows - 1)) for n in (columns, rows))
    Qa, Qb = _basis(a), _basis(b)
    norm_a, norm_b = (np.sqrt(np.vecdot(vector, vector))[..., None, None] for vector in (a, b))
    Dta[..., :columns] = norm_a * Qb
    Db[..., :1] = norm_b * Qa[..., :1]
    Db[..., columns:] = norm_b * Qa[..., 1:]
    return Dta, Db


def _basis(vector: np.ndarray) -> np.ndarray:
    # Householder's reflection of the first unit vector onto the direction of `vector`, up to its sign.
    norm = np.sqrt(np.vecdot(vector, vector))[..., None]
    normal = vector / np.where(norm == 0, 1.0, norm)
    sign = np.where(normal[..., :1] >= 0, 1.0, -1.0)
    normal[..., :1] += sign
    scaled = 2 / np.vecdot(normal, normal)[..., None, None] * normal[..., None]
    return -sign[..., None] * (np.eye(vector.shape[-1]) - scaled * normal[..., None, :])
