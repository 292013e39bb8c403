"""Deep linear networks W = W_N ⋯ W_1: products, gradients, initializations, and the dynamics of W itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Layers = Sequence[np.ndarray]


def product(layers: Layers) -> np.ndarray:
    """W_N ⋯ W_1 for `layers` = [W_1, …, W_N], W_j of shape (d_j, d_{j−1})."""
    matrix = layers[0]
    for layer in layers[1:]:
        matrix = layer @ matrix
    return matrix


def layer_gradients(layers: Layers, gradient: np.ndarray) -> list[np.ndarray]:
    """∂ℓ(W_N ⋯ W_1)/∂W_j = (W_N ⋯ W_{j+1})ᵀ G (W_{j−1} ⋯ W_1)ᵀ for every j, with G = ∇ℓ at the product, (d_N, d_0)."""
    left, found = gradient, []
    # W_{j+1:N}ᵀ G from the last layer down, W_{1:j−1} from the first layer up: no product is formed twice.
    below = [np.eye(layers[0].shape[1])]
    for layer in layers[:-1]:
        below.append(layer @ below[-1])
    for layer, prefix in zip(reversed(layers), reversed(below)):
        found.append(left @ prefix.T)
        left = layer.T @ left
    return found[::-1]


def gaussian_layers(generator: np.random.Generator, sizes: Sequence[int], scale: float) -> list[np.ndarray]:
    """W_j with independent N(0, scale² / d_{j−1}) entries for `sizes` = (d_0, …, d_N)."""
    return [scale / np.sqrt(n) * generator.standard_normal((m, n)) for n, m in zip(sizes, sizes[1:])]


def balanced_layers(matrix: np.ndarray, depth: int, width: int) -> list[np.ndarray]:
    """W_1, …, W_N with product `matrix` (d_N, d_0) and W_{j+1}ᵀW_{j+1} = W_jW_jᵀ, all hidden sizes `width`.

    With the thin SVD `matrix` = U S Vᵀ: W_1 = E S^{1/N} Vᵀ, W_j = E S^{1/N} Eᵀ, W_N = U S^{1/N} Eᵀ, E the first columns
    of the identity (Arora, Cohen and Hazan 2018, procedure 1, without random rotations). Raises ValueError when
    `width` is less than min(d_0, d_N) or `depth` less than 2.
    """
    least = min(matrix.shape)
    if depth < 2 or width < least:
        raise ValueError(f"balanced layers need a depth of at least 2 and a width of at least {least}")
    U, s, Vt = np.linalg.svd(matrix, full_matrices=False)
    E, root = np.eye(width)[:, :least], s ** (1 / depth)
    first, middle, last = (E * root) @ Vt, (E * root) @ E.T, (U * root) @ E.T
    return [first, *[middle.copy() for _ in range(depth - 2)], last]


def imbalance(layers: Layers) -> list[np.ndarray]:
    """W_{j+1}ᵀW_{j+1} − W_jW_jᵀ for j = 1, …, N − 1: zero for balanced layers, constant along gradient flow."""
    return [upper.T @ upper - lower @ lower.T for lower, upper in zip(layers, layers[1:])]


def left_power(matrix: np.ndarray, power: float) -> np.ndarray:
    """[M Mᵀ]^p = U diag(s^{2p}) Uᵀ from the SVD of M, shape (rows, rows); p ≥ 0, M⁰ = I.

    Singular values below max(shape) · ε · s_max count as 0. An eigendecomposition of M Mᵀ would take rounding of
    1e-17 to 1e-4 under a fourth root. Raises ValueError on a negative power.
    """
    if power < 0:
        raise ValueError(f"power {power}: must not be negative")
    if power == 0:
        return np.eye(matrix.shape[0])
    U, s, _ = np.linalg.svd(matrix, full_matrices=False)
    kept = np.where(s > max(matrix.shape) * np.finfo(float).eps * s.max(initial=0.0), s, 0.0)
    return (U * kept ** (2 * power)) @ U.T


def right_power(matrix: np.ndarray, power: float) -> np.ndarray:
    """[Mᵀ M]^p, shape (columns, columns); see `left_power`."""
    return left_power(matrix.T, power)


def end_to_end_velocity(matrix: np.ndarray, gradient: np.ndarray, depth: int) -> np.ndarray:
    """Ẇ = −Σ_{j=1..N} [WWᵀ]^{(j−1)/N} G [WᵀW]^{(N−j)/N}: what balanced layers do to W.

    `matrix` W and `gradient` G = ∇ℓ(W) of the same shape; gradient flow of the layers (Arora et al. 2018, theorem 1).
    """
    terms = (left_power(matrix, (j - 1) / depth) @ gradient @ right_power(matrix, (depth - j) / depth)
             for j in range(1, depth + 1))
    return -sum(terms)
