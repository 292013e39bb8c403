"""Extreme eigenvalues against LAPACK's, from every kind of spectrum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descent.curvature.tridiagonal import extremes


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(0, 10**6), st.sampled_from([1e-200, 1e-8, 1.0, 1e8]),
       st.sampled_from(["full", "low rank", "repeated", "graded", "diagonal"]))
def test_both_ends_are_those_of_lapack(n, seed, size, kind):
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    spectrum = {"full": rng.standard_normal(n), "low rank": rng.standard_normal(n) * (np.arange(n) < 3),
                "repeated": rng.choice([-1.0, 1.0, 0.0], n), "graded": 10.0 ** -np.arange(n),
                "diagonal": rng.standard_normal(n)}[kind]
    matrix = np.diag(spectrum) if kind == "diagonal" else (Q * spectrum) @ Q.T
    matrix = size * (matrix + matrix.T) / 2
    np.testing.assert_allclose(extremes(matrix), np.linalg.eigvalsh(matrix)[[0, -1]], rtol=0,
                               atol=1e-14 * n**0.5 * np.abs(spectrum).max() * size)


def test_a_stack_gives_what_its_matrices_give(rng):
    stack = rng.standard_normal((2, 3, 7, 7))
    stack += stack.mT
    before = stack.copy()
    np.testing.assert_array_equal(extremes(stack), [[extremes(matrix) for matrix in row] for row in stack])
    np.testing.assert_array_equal(stack, before)


def test_zero_and_blocks_without_coupling():
    np.testing.assert_array_equal(extremes(np.zeros((4, 4))), [0, 0])
    np.testing.assert_allclose(extremes(np.array([[0, 1.0, 0], [1, 0, 0], [0, 0, 0.5]])), [-1, 1], rtol=1e-15)


def test_entries_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        extremes(np.full((2, 2), np.nan))
