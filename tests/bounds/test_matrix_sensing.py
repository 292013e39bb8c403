"""Checks of matrix sensing on starts and flows whose outcome is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descent.bounds import matrix_sensing as checks
from descent.bounds.end_to_end import first_order
from descent.networks.linear_network import product


@given(st.integers(2, 4), st.integers(2, 4), st.sampled_from([-1.0, 1.0]), st.integers(0, 10**6))
def test_starts_have_norm_balance_and_sign(depth, d, sign, seed):
    rng = np.random.default_rng(seed)
    layers = checks.starting_layers(rng, "balanced", depth, d, 0.3, sign)
    assert np.linalg.norm(product(layers)) == pytest.approx(0.3)
    assert np.sign(np.linalg.det(product(layers))) == sign
    assert checks.balance(layers, {}) < 1e-12
    gaussian = checks.starting_layers(rng, "gaussian", depth, d, 0.3)
    assert np.linalg.norm(product(gaussian)) == pytest.approx(0.3)


def test_the_target_has_its_singular_values(rng):
    values = np.linalg.svd(checks.target_matrix(rng, [3.0, 2.0, 0.5]), compute_uv=False)
    np.testing.assert_allclose(values, [3.0, 2.0, 0.5])


def test_decompositions_agree_from_layer_to_layer(rng):
    layers = checks.starting_layers(rng, "balanced", 3, 4, 1.0)
    lefts, values, rights = checks.decompositions(layers)
    for layer, u, s, v in zip(layers, lefts, values, rights):
        np.testing.assert_allclose((u * s) @ v.T, layer, atol=1e-13)
    assert checks.alignment(layers, {}) < 1e-9
    assert checks.alignment(checks.starting_layers(rng, "gaussian", 3, 4, 1.0), {}) > 1e-2


def test_many_measurements_are_the_population(rng):
    target, matrix = rng.standard_normal((2, 3, 3))
    found = checks.empirical_slope(target, 2, rng.standard_normal((200000, 3, 3)))(matrix)
    np.testing.assert_allclose(found, checks.population_slope(target, 2)(matrix), atol=0.05)


def test_a_diagonal_flow_is_the_scalar_equation():
    # Two diagonal layers, both √s: s' = s (s* - s) for each entry.
    target, times = np.diag([2.0, 1.0]), np.linspace(0.0, 4.0, 9)
    start = [np.diag([0.1, 0.2])] * 2
    kept, error = checks.sensing_flow(start, checks.population_slope(target, 2), times)
    for i, (s0, goal) in enumerate([(0.01, 2.0), (0.04, 1.0)]):
        expected = goal / (1 + (goal / s0 - 1) * np.exp(-goal * times))
        np.testing.assert_allclose([product(layers)[i, i] for layers in kept], expected, rtol=1e-8)
    assert error < 1e-7
    eta = 1e-3
    finished = product(checks.descend(start, checks.population_slope(target, 2), eta, 4000))
    np.testing.assert_allclose(finished, product(kept[-1]), atol=5e-3)


def test_half_times_and_slopes():
    values, times = np.array([[0.0, 0.0], [0.6, 0.1], [1.0, 0.2]]), np.array([0.0, 1.0, 2.0])
    assert checks.half_times(values, times, np.array([1.0, 1.0])).tolist() == [1.0, np.inf]
    distances = np.array([[4.0, 2.0, 1.0], [8.0, 4.0, 2.0]])
    assert first_order([distances], 0.05).holds
    assert not first_order([distances**2], 0.05).holds
    assert first_order([distances**2], 0.05, slope=2.0).holds
