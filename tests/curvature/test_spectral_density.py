"""Quadrature against moments of dense matrices and known diagonals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descent.curvature.spectral_density import lanczos_quadrature, smoothed_density, spectral_density


@given(st.integers(2, 20), st.integers(1, 6), st.integers(0, 10**6))
def test_moments_below_twice_the_steps_are_exact(size, steps, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((size, size))
    matrix = (matrix + matrix.T) / np.sqrt(size)
    start = rng.standard_normal(size)
    nodes, weights = lanczos_quadrature(lambda v: matrix @ v, start, steps)
    vector = start / np.linalg.norm(start)
    for degree in range(2 * steps):
        expected = vector @ np.linalg.matrix_power(matrix, degree) @ vector
        assert np.sum(weights * nodes**degree) == pytest.approx(expected, rel=1e-8, abs=1e-8 * 4.0**degree)
    assert np.all(weights >= 0)


def test_all_steps_give_all_eigenvalues(rng):
    diagonal = np.linspace(-2, 7, 12)
    nodes, weights = lanczos_quadrature(lambda v: diagonal * v, np.ones(12), 12)
    np.testing.assert_allclose(nodes, diagonal, atol=1e-12)
    np.testing.assert_allclose(weights, 1 / 12, atol=1e-12)


def test_an_invariant_subspace_ends_the_iteration():
    diagonal = np.array([3.0, 3.0, -1.0, -1.0, 5.0])
    nodes, weights = lanczos_quadrature(lambda v: diagonal * v, np.array([1.0, 1, 1, 1, 0]), 5)
    np.testing.assert_allclose(nodes, [-1, 3], atol=1e-14)
    np.testing.assert_allclose(weights, 0.5, atol=1e-14)
    nodes, weights = lanczos_quadrature(np.zeros_like, np.ones(4), 3)
    assert (nodes.tolist(), weights.tolist()) == ([0.0], [1.0])


def test_random_signs_give_the_trace_of_a_diagonal_matrix_exactly(rng):
    diagonal = rng.standard_normal(300)
    nodes, weights = spectral_density(lambda v: diagonal * v, 300, 20, 3, rng)
    assert weights.sum() == pytest.approx(1)
    for degree in range(1, 10):
        assert np.sum(weights * nodes**degree) == pytest.approx(np.mean(diagonal**degree), rel=1e-9, abs=1e-9)


def test_moments_of_a_dense_matrix_lie_within_their_sampling_error(rng):
    matrix = rng.standard_normal((200, 200))
    matrix = (matrix + matrix.T) / np.sqrt(400)
    nodes, weights = spectral_density(lambda v: matrix @ v, 200, 15, 30, rng)
    for degree in (1, 2, 4):
        power = np.linalg.matrix_power(matrix, degree)
        # The variance of vᵀBv for random signs v is twice the sum of the squares off the diagonal of B.
        error = np.sqrt(2 * np.sum((power - np.diag(np.diag(power))) ** 2) / 30) / 200
        assert abs(np.sum(weights * nodes**degree) - np.trace(power) / 200) < 5 * error


def test_the_smoothed_density_integrates_to_one():
    points = np.linspace(-5, 5, 2001)
    density = smoothed_density(np.array([-1.0, 1.5]), np.array([0.25, 0.75]), points, 0.2)
    assert np.trapezoid(density, points) == pytest.approx(1, abs=1e-9)
    assert points[density.argmax()] == pytest.approx(1.5, abs=1e-2)
