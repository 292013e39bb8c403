"""Least-squares problems whose eigenvectors, eigenvalues and minimizers are rational: descent without rounding."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np


class RationalProblem(NamedTuple):
    """f = ½ ‖Xθ − Y‖² in object arrays of fractions.

    X (N, p) and Y (N); XᵀX = Σ λ_i q_i q_iᵀ with `values` λ_i (p, descending, zeros included) and q_i the columns of
    `vectors` (p, p), orthonormal; `minimizer` X⁺Y (p).
    """

    X: np.ndarray
    Y: np.ndarray
    values: np.ndarray
    vectors: np.ndarray
    minimizer: np.ndarray


def fractions(values) -> np.ndarray:
    """An object array of fractions, exactly equal to the numbers in `values` (integers or doubles)."""
    return np.vectorize(Fraction, otypes=[object])(np.asarray(values).tolist())


def reflection(vector: np.ndarray) -> np.ndarray:
    """I − 2vvᵀ/vᵀv of a vector of fractions: orthogonal and rational (Householder)."""
    return fractions(np.eye(len(vector), dtype=int)) - np.outer(vector, vector) * (2 / (vector @ vector))


def rational_problem(draws: np.random.Generator, roots: Sequence[int], samples: int) -> RationalProblem:
    """X = U diag(`roots`) Qᵀ with random rational U (N, p) and Q (p, p), orthonormal columns, and a random integer Y.

    `roots` are the singular values, descending; N = `samples` ≥ p. Raises ValueError otherwise.
    """
    if list(roots) != sorted(roots, reverse=True) or roots[-1] < 0 or samples < len(roots):
        raise ValueError("singular values must be descending and not negative, samples at least as many")
    U, Q = (reflection(_integers(draws, size)) for size in (samples, len(roots)))
    d, U = fractions(roots), U[:, : len(roots)]
    Y = _integers(draws, samples)
    inverse = np.array([1 / s if s else Fraction(0) for s in d], object)
    return RationalProblem((U * d) @ Q.T, Y, d**2, Q, Q @ (inverse * (U.T @ Y)))


def _integers(draws: np.random.Generator, size: int) -> np.ndarray:
    # No zeros: a zero in v would leave an axis where it is.
    return fractions(draws.integers(1, 4, size) * draws.choice([-1, 1], size))


def start(problem: RationalProblem, components: Sequence[Fraction | int]) -> np.ndarray:
    """θ^0 = X⁺Y + Σ c_i q_i with the `components` c_i, exactly."""
    return problem.minimizer + problem.vectors @ fractions(components)
