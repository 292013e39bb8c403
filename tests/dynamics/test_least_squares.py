"""Gradient descent on least squares against autograd, eigendecompositions and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from descent.dynamics import least_squares

SHAPES = [(9, 4), (4, 4), (3, 7)]


def problem(seed: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape), rng.standard_normal(shape[0]), rng.standard_normal(shape[1])


@given(st.sampled_from(SHAPES), st.integers(0, 10**6))
def test_gradients_are_autograd_s(shape, seed):
    X, Y, theta = problem(seed, shape)
    x, y, at = (torch.tensor(part) for part in (X, Y, theta))
    each = torch.autograd.functional.jacobian(lambda w: 0.5 * (x @ w - y) ** 2, at).numpy()
    total = torch.autograd.functional.jacobian(lambda w: 0.5 * torch.sum((x @ w - y) ** 2), at).numpy()
    np.testing.assert_allclose(least_squares.sample_gradients(theta, X, Y), each, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(least_squares.gradient(theta, X, Y), total, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_spectrum_is_that_of_the_normal_matrix(shape):
    X, _, _ = problem(1, shape)
    found = least_squares.spectrum(X)
    np.testing.assert_allclose(found.vectors @ np.diag(found.values) @ found.vectors.T, X.T @ X, atol=1e-12)
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(shape[1]), atol=1e-13)
    assert found.rank == min(shape)
    assert np.all(np.diff(found.values) <= 0)


def test_a_dependent_column_lowers_the_rank():
    X, _, _ = problem(2, (9, 4))
    assert least_squares.spectrum(np.hstack([X, X[:, :1] - X[:, 1:2]])).rank == 4


@pytest.mark.parametrize("shape", SHAPES)
def test_the_limit_is_the_nearest_minimizer(shape):
    X, Y, theta = problem(3, shape)
    nearest = least_squares.limit(theta, X, Y)
    np.testing.assert_allclose(least_squares.gradient(nearest, X, Y), 0, atol=1e-11)
    # Going there, no way is made in the null space.
    null = least_squares.spectrum(X).vectors[:, min(shape):]
    np.testing.assert_allclose((nearest - theta) @ null, 0, atol=1e-12)


def test_many_runs_at_once_are_the_single_runs():
    X, Y, _ = problem(4, (9, 4))
    starts, rates = np.random.default_rng(5).standard_normal((3, 4)), np.array([0.01, 0.05, 0.2])
    together = list(least_squares.descend(starts, X, Y, rates[:, None], 12))
    for i, (theta, alpha) in enumerate(zip(starts, rates)):
        alone = list(least_squares.descend(theta, X, Y, alpha, 12))
        np.testing.assert_allclose([now[i] for now in together], alone, rtol=1e-12)


@given(st.floats(-1e6, 1e6, allow_subnormal=False), st.integers(8, 52))
def test_rounding_keeps_the_bits(value, bits):
    found = float(least_squares.rounded(np.array(value), bits))
    assert abs(found - value) <= abs(value) * 2.0**-bits
    assert found == 0 or (np.frexp(found)[0] * 2**bits) % 1 == 0


def test_rounding_to_all_bits_changes_nothing():
    values = np.random.default_rng(6).standard_normal(100)
    np.testing.assert_array_equal(least_squares.rounded(values, 53), values)
    np.testing.assert_array_equal(least_squares.rounded(values, 24), values.astype(np.float32))


@pytest.mark.parametrize("top", [0, 1, 3])
def test_growth_in_the_eigenbasis_is_that_of_the_powers(top):
    values, alpha, steps = np.array([4.0, 2.0, 1.0, 0.5]), np.array([0.1, 0.45, 0.9, 1.7]), 40
    powers = least_squares.factors(values[top:], alpha[:, None]) ** steps
    expected = np.sqrt(np.mean(powers**2, axis=1)) ** (1 / steps)
    np.testing.assert_allclose(least_squares.eigenbasis_growth(values, top, alpha, steps), expected, rtol=1e-12)
