"""What the ledger checks about the kernels of infinitely wide networks: quadrature and Monte Carlo (tau.4.3, du.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from descent.bounds.convergence_checks import closed_form
from descent.claims import Outcome
from descent.kernels.quadrature import gaussian_products, planar_coordinates

QUADRATURE_ERROR = 1e-12


def pairs_by_angle(inputs: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (i, j), i < j, of `count` pairs of rows evenly spaced in the rank of x_iᵀx_j, both extremes included."""
    rows, columns = np.triu_indices(len(inputs), 1)
    order = np.argsort(np.sum(inputs[rows] * inputs[columns], axis=1), kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(count, len(order))).astype(int)]
    return rows[chosen], columns[chosen]


def pairs_at_angles(angles: np.ndarray) -> np.ndarray:
    """Unit vectors of the plane, (1, 0) and then (cos θ, sin θ) for every angle θ."""
    return np.column_stack([np.cos([0.0, *angles]), np.sin([0.0, *angles])])


def agrees_with_quadrature(inputs: Sequence[np.ndarray], pairs: Sequence[tuple[np.ndarray, np.ndarray]],
                           grams: Sequence[np.ndarray], products: bool) -> Outcome:
    """The entries at `pairs` of the Gram matrices of `inputs` are integrals over the plane, to within 1e-12.

    x_iᵀx_j P(wᵀx_i > 0, wᵀx_j > 0), or with `products` E[relu(wᵀx_i) relu(wᵀx_j)], w ~ N(0, I), by quadrature.
    """
    errors = []
    for x, (rows, columns), gram in zip(inputs, pairs, grams, strict=True):
        along, across = planar_coordinates(x[rows], x[columns])
        probability, product = gaussian_products(along, across)
        errors.append(np.abs(gram[rows, columns] - (product if products else along * probability)))
    worst = float(np.concatenate(errors).max())
    return Outcome(worst, QUADRATURE_ERROR, sum(map(len, errors)), worst <= QUADRATURE_ERROR)


@dataclass(frozen=True)
class ProductMoments:
    """Sums over `draws` weights w, uniform on the sphere of radius √d, of z_ij = relu(wᵀx_i) relu(wᵀx_j) and z_ij²."""

    first: np.ndarray
    second: np.ndarray
    draws: int
    dimension: int


def product_moments(inputs: np.ndarray, draws: np.random.Generator, count: int, block: int = 10000) -> ProductMoments:
    """The `ProductMoments` of unit `inputs` (n, d) over `count` weights.

    E‖w‖² = d for w ~ N(0, I), and z is homogeneous of degree 2 in w: on the sphere its expectation is the same, but
    there it is bounded, as a confidence interval without further assumptions requires.
    """
    n, d = inputs.shape
    first, second = np.zeros((n, n)), np.zeros((n, n))
    for start in range(0, count, block):
        weights = draws.standard_normal((min(block, count - start), d))
        weights *= np.sqrt(d) / np.linalg.norm(weights, axis=1, keepdims=True)
        # Single precision: its rounding is far below the sampling error.
        active = np.maximum(inputs @ weights.T, 0.0).astype(np.float32)
        first += active @ active.T
        second += np.square(active) @ np.square(active).T
    return ProductMoments(first, second, count, d)


def products_agree(inputs: Sequence[np.ndarray], moments: Sequence[ProductMoments], grams: Sequence[np.ndarray],
                   error: float) -> Outcome:
    """All entries of all `grams` lie in simultaneous intervals for E[relu(wᵀx_i) relu(wᵀx_j)] of level 1 − `error`.

    Maurer and Pontil's (2009) empirical Bernstein bound: for N draws of z in [0, M] with sample variance V,
    |mean − E z| ≤ √(2 V s/N) + 7 M s/(3 (N − 1)) with probability 1 − 4 e^{−s}; here M = d (1 + x_iᵀx_j)/2. Observed:
    greatest distance over half the interval's length.
    """
    cases = sum(len(x) * (len(x) + 1) // 2 for x in inputs)
    s, worst = np.log(4 * cases / error), 0.0
    for x, sums, gram in zip(inputs, moments, grams, strict=True):
        mean = sums.first / sums.draws
        variance = (sums.second - sums.draws * mean**2) / (sums.draws - 1)
        greatest = sums.dimension * (1 + np.clip(x @ x.T, -1, 1)) / 2
        half = np.sqrt(2 * variance * s / sums.draws) + 7 * greatest * s / (3 * (sums.draws - 1))
        upper = np.triu(np.ones_like(gram, bool)) & (half > 0)
        worst = max(worst, float(np.max(np.abs(mean - gram)[upper] / half[upper])))
    return Outcome(worst, 1.0, cases, worst <= 1.0, confidence=1 - error)


def patterns_agree(samples: Sequence[Mapping[str, object]], grams: Sequence[np.ndarray], error: float) -> Outcome:
    """`convergence_checks.closed_form` for several data sets at once at level 1 − `error`.

    `samples`: inputs, counts and draws of each. Observed: the greatest of its statistics over its bound.
    """
    outcomes = [closed_form(**sample, gram=gram, error=error / len(samples))
                for sample, gram in zip(samples, grams, strict=True)]
    worst = max(outcome.observed / outcome.bound for outcome in outcomes)
    return Outcome(worst, 1.0, sum(outcome.cases for outcome in outcomes), worst <= 1.0, confidence=1 - error)
