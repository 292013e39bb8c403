"""The density of a large symmetric matrix's eigenvalues, by stochastic Lanczos quadrature."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import eigh_tridiagonal


def lanczos_quadrature(product: Callable[[np.ndarray], np.ndarray], start: np.ndarray,
                       steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes θ_k and weights τ_k with Σ_k τ_k p(θ_k) = vᵀp(A)v for all polynomials p of degree below 2 · `steps`.

    v = `start`/‖start‖, A the symmetric matrix of `product`. Lanczos' method with two orthogonalizations against all
    earlier vectors; it ends early where v spans an invariant subspace, and the rule is exact then
    (Golub and Meurant 2010, chapter 6).
    """
    basis = [start / np.linalg.norm(start)]
    diagonal, beside = [], []
    for _ in range(min(steps, len(start))):
        image = product(basis[-1])
        scale = np.linalg.norm(image)
        diagonal.append(basis[-1] @ image)
        known = np.array(basis)
        for _ in range(2):
            image = image - known.T @ (known @ image)
        beside.append(np.linalg.norm(image))
        if beside[-1] <= 1e-12 * scale or scale == 0:
            break
        basis.append(image / beside[-1])
    nodes, vectors = eigh_tridiagonal(np.array(diagonal), np.array(beside[: len(diagonal) - 1]))
    return nodes, vectors[0] ** 2


def spectral_density(product: Callable[[np.ndarray], np.ndarray], size: int, steps: int, vectors: int,
                     generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights (`vectors` · `steps` or fewer) that stand for (1/n) Σ_i δ(λ − λ_i), weights summing to 1.

    The mean of `lanczos_quadrature` over vectors of random signs: its expected moments up to degree 2 · `steps` − 1
    are tr(A^k)/n (Ubaru, Chen and Saad 2017).
    """
    rules = [lanczos_quadrature(product, generator.choice([-1.0, 1.0], size), steps) for _ in range(vectors)]
    return np.concatenate([nodes for nodes, _ in rules]), np.concatenate([weights for _, weights in rules]) / vectors


def smoothed_density(nodes: np.ndarray, weights: np.ndarray, points: np.ndarray, width: float) -> np.ndarray:
    """Σ_k τ_k N(x; θ_k, `width`²) at the `points` x: the density as seen through a Gaussian of that width."""
    scaled = (points[:, None] - nodes) / width
    return np.exp(-0.5 * scaled**2) @ weights / (np.sqrt(2 * np.pi) * width)
