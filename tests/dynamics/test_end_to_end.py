"""Updates and velocities of W against the definition, the factors, and each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import fractional_matrix_power

from descent.dynamics.end_to_end import EndToEndDescent, end_to_end_update, scalar_velocity
from descent.dynamics.linear_descent import Moments
from descent.networks.linear_network import end_to_end_velocity


@given(st.integers(1, 5), st.integers(2, 5), st.integers(0, 10**6))
def test_for_one_output_the_sum_has_a_closed_form(d, depth, seed):
    w, g = np.random.default_rng(seed).standard_normal((2, d))
    found = scalar_velocity(w, g, depth)
    np.testing.assert_allclose(found, end_to_end_velocity(w[None], g[None], depth)[0], rtol=1e-11, atol=1e-12)


@given(st.integers(2, 4), st.integers(0, 10**6))
def test_the_update_is_its_definition(depth, seed):
    W, T = np.random.default_rng(seed).standard_normal((2, 3, 3))
    left, right = (lambda p: fractional_matrix_power(W @ W.T, p)), (lambda p: fractional_matrix_power(W.T @ W, p))
    expected = W - 0.1 * sum(left((j - 1) / depth) @ (W - T) @ right((depth - j) / depth)
                             for j in range(1, depth + 1))
    np.testing.assert_allclose(end_to_end_update(W, lambda M: M - T, depth, 0.1), expected, rtol=1e-7, atol=1e-8)
    for mistake in ({"terms": depth - 1}, {"in_place": True}):
        assert np.abs(end_to_end_update(W, lambda M: M - T, depth, 0.1, **mistake) - expected).max() > 1e-5


def test_the_compiled_steps_are_the_update(rng):
    x, y, w = rng.standard_normal((20, 4)), rng.standard_normal(20), rng.standard_normal(4)
    moments = Moments(x, y)
    for depth in (2, 3, 4):
        descent, matrix = EndToEndDescent(w, moments, depth, 0.01), w[None]
        for _ in range(10):
            matrix = end_to_end_update(matrix, lambda M: moments.gradient(M[0])[None], depth, 0.01)
        descent.step(4)
        descent.step(6)
        np.testing.assert_allclose(descent.weights, matrix[0], rtol=1e-12)


def test_without_the_last_term_w_moves_along_itself(rng):
    x, y, w = rng.standard_normal((20, 4)), rng.standard_normal(20), rng.standard_normal(4)
    moments = Moments(x, y)
    for depth in (2, 3, 4):
        expected = end_to_end_update(w[None], lambda M: moments.gradient(M[0])[None], depth, 0.1, terms=depth - 1)[0]
        descent = EndToEndDescent(w, moments, depth, 0.1, last_term=False)
        descent.step()
        np.testing.assert_allclose(descent.weights, expected, rtol=1e-12)
        np.testing.assert_allclose(descent.weights / np.linalg.norm(descent.weights), w / np.linalg.norm(w))


def test_a_run_that_diverges_shows(rng):
    descent = EndToEndDescent(np.ones(3), Moments(rng.standard_normal((9, 3)), np.ones(9)), 3, 10.0)
    descent.step(50)
    assert not np.isfinite(descent.weights).all()
    with pytest.raises(TypeError):
        EndToEndDescent(np.ones(3))
