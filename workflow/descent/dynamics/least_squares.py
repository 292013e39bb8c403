"""Gradient descent on least squares, ½‖Xθ − Y‖²: in doubles, in fewer bits, in rationals and in the eigenbasis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from descent.pipeline.randomness import generator


class Spectrum(NamedTuple):
    """XᵀX = Σ λ_i q_i q_iᵀ with λ_1 ≥ … ≥ λ_p ≥ 0: `values` (p), `vectors` (p, p) with q_i as columns, and the rank."""

    values: np.ndarray
    vectors: np.ndarray
    rank: int


def sample_gradients(theta: np.ndarray, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """∇ℓ_i(θ) = (X_iᵀθ − Y_i) X_i of ℓ_i = ½ (X_iᵀθ − Y_i)² for every sample, shape (N, p); any number type."""
    return (X @ theta - Y)[:, None] * X


def gradient(theta: np.ndarray, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """∇f(θ) = Xᵀ(Xθ − Y) of f = ½ ‖Xθ − Y‖², for θ of shape (…, p), X (N, p) and Y (N); any number type."""
    return (theta @ X.T - Y) @ X


def descend(theta: np.ndarray, X: np.ndarray, Y: np.ndarray, alpha, steps: int,
            bits: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """θ^0, …, θ^`steps` of θ^{k+1} = θ^k − α ∇f(θ^k), one after the other.

    θ of shape (…, p) and α broadcast: many runs at once. With object arrays of fractions the result is exact. `bits`
    rounds every iterate to so many significant bits (see `rounded`).
    """
    yield theta
    for _ in range(steps):
        theta = theta - alpha * gradient(theta, X, Y)
        theta = theta if bits is None else rounded(theta, bits)
        yield theta


def rounded(values: np.ndarray, bits) -> np.ndarray:
    """Doubles to the nearest number with so many significant bits (53: unchanged); `bits` broadcasts."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits)


def spectrum(X: np.ndarray) -> Spectrum:
    """Eigenvalues and eigenvectors of XᵀX from the singular value decomposition of X, shape (N, p).

    Singular values below max(N, p) ε times the largest are counted as zero.
    """
    _, s, Vt = np.linalg.svd(X, full_matrices=True)
    roots = np.zeros(X.shape[1])
    roots[: len(s)] = np.where(s > max(X.shape) * np.finfo(float).eps * s[0], s, 0.0)
    return Spectrum(roots**2, Vt.T, int(np.sum(roots > 0)))


def minimizer(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """X⁺Y, the least-squares solution of least norm, shape (p,)."""
    return np.linalg.lstsq(X, Y, rcond=max(X.shape) * np.finfo(float).eps)[0]


def limit(theta: np.ndarray, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """The minimizer nearest to each start: X⁺Y + P_0 θ with P_0 the projection onto the null space of X; θ (…, p)."""
    found = spectrum(X)
    row_space = found.vectors[:, : found.rank]
    return minimizer(X, Y) + theta - (theta @ row_space) @ row_space.T


def factors(values: np.ndarray, alpha) -> np.ndarray:
    """|1 − α λ_i|: by how much a step multiplies the error's component along q_i; shapes broadcast."""
    return np.abs(1 - alpha * values)


def eigenbasis_growth(values: np.ndarray, top: int, alpha: np.ndarray, steps: int) -> np.ndarray:
    """(‖e_k‖/‖e_0‖)^{1/k} at k = `steps` for every α, of a start with equal components on q_i, i ≥ `top`, alone.

    The components are iterated one by one, c_i ← c_i − α λ_i c_i, and the error is brought back to length one after
    every step, so that nothing overflows. `values` (p) descending and positive, α (a), result (a).
    """
    part = np.full((len(alpha), len(values) - top), (len(values) - top) ** -0.5)
    total = np.zeros(len(alpha))
    for _ in range(steps):
        part = part - alpha[:, None] * (values[top:] * part)
        length = np.maximum(np.linalg.norm(part, axis=1), np.finfo(float).tiny)
        part, total = part / length[:, None], total + np.log(length)
    return np.exp(total / steps)


def gaussian_problem(master_seed: int, role: str, replicate: int, samples: int,
                     features: int) -> tuple[np.ndarray, np.ndarray]:
    """X with N(0, 1) entries (N, p), and Y = Xw + noise with ‖w‖ = 1 and noise N(0, ¼)."""
    draws = generator(master_seed, role, replicate, samples=samples, features=features)
    X, w = draws.standard_normal((samples, features)), draws.standard_normal(features)
    return X, X @ (w / np.linalg.norm(w)) + 0.5 * draws.standard_normal(samples)
