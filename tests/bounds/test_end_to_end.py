"""Checks of the end-to-end study on cases whose outcome is known."""

import numpy as np
import pytest

from descent.bounds import end_to_end as checks
from descent.dynamics.end_to_end import scalar_velocity
from descent.networks.linear_network import balanced_layers, gaussian_layers


def test_balanced_factors_satisfy_the_power_identity_and_others_do_not(rng):
    matrix = rng.standard_normal((3, 3))
    assert checks.power_identity_residual(balanced_layers(matrix, 4, 3)) < 1e-13
    assert checks.power_identity_residual(gaussian_layers(rng, [3, 3, 3], 1.0)) > 1e-2


def test_a_flow_of_factors_is_its_closed_form_for_numbers():
    # One number in each of two layers, both s: the product p = s² obeys p' = 2 p (t - p), a logistic equation.
    times = np.linspace(0.0, 3.0, 7)
    layers = [np.array([[0.1]]), np.array([[0.1]])]
    kept, error = checks.factor_flow(layers, np.array([[2.0]]), times)
    products = np.array([(b @ a).item() for a, b in kept])
    np.testing.assert_allclose(products, 2.0 / (1 + (2.0 / 0.01 - 1) * np.exp(-4.0 * times)), rtol=1e-8)
    assert error < 1e-8


def test_both_forms_agree_only_for_symmetric_gradients(rng):
    W, G = rng.standard_normal((2, 3, 3))
    symmetric = G + G.T
    np.testing.assert_allclose(checks.symmetric_velocity(W, symmetric), checks.untransposed_velocity(W, symmetric))
    assert np.abs(checks.symmetric_velocity(W, G) - checks.untransposed_velocity(W, G)).max() > 0.1


def test_radial_shares_are_squared_cosines(rng):
    path, gradients = rng.standard_normal((2, 6, 4))
    deep, plain = checks.radial_shares(path, gradients, 3)
    for k in range(6):
        w, g = path[k], gradients[k]
        cosine = (w @ g) / np.linalg.norm(w) / np.linalg.norm(g)
        assert plain[k] == pytest.approx(cosine**2)
        v = scalar_velocity(w, g, 3)
        assert deep[k] == pytest.approx((w @ v / np.linalg.norm(w) / np.linalg.norm(v)) ** 2)
        assert deep[k] >= plain[k]


def test_slopes_of_power_laws():
    etas = 0.1 / 2.0 ** np.arange(6)
    linear, flat = 3 * etas[None], np.ones((2, 6))
    np.testing.assert_allclose(checks.halving_slopes(linear), 1)
    assert checks.first_order([linear], 0.02).holds
    assert not checks.first_order([linear, etas[None] ** 2], 0.02).holds
    assert checks.does_not_vanish([flat], 0.1).holds
    assert not checks.does_not_vanish([flat, linear], 0.1).holds


def test_groups_are_ordered_by_replicate_and_falling_step():
    table = {"start": ["a", "a", "b", "a", "a"], "replicate": np.array([1, 0, 0, 0, 1]),
             "eta": np.array([0.1, 0.05, 9.0, 0.1, 0.05]), "distance": np.array([3.0, 2.0, 9.0, 1.0, 4.0])}
    np.testing.assert_array_equal(checks.groups(table, start="a"), [[1, 2], [3, 4]])
