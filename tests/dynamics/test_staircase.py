"""Sigmoids, escape times and the flow of singular modes against closed forms and each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descent.dynamics.staircase import (
    aligned_layers,
    crossing_times,
    effective_starts,
    escape_time,
    isotropic_layers,
    leading_delay,
    mode_flow,
    random_target,
    sigmoid,
    staircase,
)
from descent.networks.linear_network import imbalance, product

VALUES = [3.0, 1.0]


def test_the_sigmoid_solves_the_scalar_equation():
    times = np.linspace(0, 3, 7)
    np.testing.assert_allclose(sigmoid(times, 0.01, VALUES), mode_flow(times, 0.01, VALUES, 2), rtol=1e-8)


@given(st.floats(1e-5, 0.3), st.floats(0.5, 5))
def test_two_layers_escape_at_the_logarithm(scale, value):
    assert escape_time(2, scale, value) == pytest.approx(np.log(value / scale**2 - 1) / (2 * value), rel=1e-9)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_escape_times_are_those_of_the_flow_and_have_the_leading_delay(depth):
    time = escape_time(depth, 0.2, 1.0)
    assert mode_flow(np.array([0.0, time]), 0.2**depth, [1.0], depth)[-1, 0] == pytest.approx(0.5, rel=1e-8)
    delay = escape_time(depth, 0.01, 1.0) - escape_time(depth, 0.02, 1.0)
    assert delay == pytest.approx(leading_delay(depth, 0.02, 0.01, 1.0), rel=1e-3)


def test_starts_are_balanced_with_the_given_singular_values():
    draws = np.random.default_rng(0)
    U, V = random_target(draws, VALUES, 5, 4)
    aligned, random = aligned_layers(U, V, 3, 6, 0.1), isotropic_layers(draws, 5, 4, 3, 6, 0.1)
    np.testing.assert_allclose(product(aligned), 1e-3 * U @ V.T, atol=1e-15)
    np.testing.assert_allclose(np.linalg.svd(product(random), compute_uv=False), 1e-3)
    for layers in (aligned, random):
        assert max(np.abs(difference).max() for difference in imbalance(layers)) < 1e-15


def test_effective_starts_of_aligned_layers_are_their_modes_and_projection_only_takes_away():
    draws = np.random.default_rng(1)
    U, V = random_target(draws, VALUES, 5, 4)
    np.testing.assert_allclose(effective_starts(aligned_layers(U, V, 2, 6, 0.1), U, V), 0.01)
    random = isotropic_layers(draws, 5, 4, 2, 6, 0.1)
    projected, plain = (effective_starts(random, U, V, choice) for choice in (True, False))
    assert projected[0] == pytest.approx(plain[0])
    assert projected[1] < plain[1]


def test_the_staircase_has_the_loss_of_its_modes_and_crosses_on_time():
    U, V = random_target(np.random.default_rng(2), VALUES, 3, 2)
    run = staircase(aligned_layers(U, V, 2, 2, 0.05), U, VALUES, V, 4.0, 80)
    np.testing.assert_allclose(run["loss"], 0.5 * np.sum((run["modes"] - VALUES) ** 2, axis=1), atol=1e-12)
    times = crossing_times(run["flow_time"], run["modes"], VALUES)
    np.testing.assert_allclose(times, [escape_time(2, 0.05, value) for value in VALUES], rtol=1e-8)


def test_modes_that_never_come_are_refused():
    with pytest.raises(ValueError, match="does not pass"):
        crossing_times(np.arange(3.0), np.full((3, 1), 0.1), [1.0])
    U, V = random_target(np.random.default_rng(3), [1.0], 2, 2)
    with pytest.raises(RuntimeError, match="60 stretches"):
        staircase(aligned_layers(U, V, 2, 2, 1e-30), U, [1.0], V, 0.1, 2)
