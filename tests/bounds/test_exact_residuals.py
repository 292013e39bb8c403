"""The exact residuals against the library's floating-point functions and closed forms."""

from fractions import Fraction

import numpy as np
import pytest
import sympy

from descent.bounds import exact_descent as descent
from descent.bounds import exact_linear_networks as linear
from descent.bounds import exact_shallow_networks as networks
from descent.bounds.exact_arithmetic import is_zero
from descent.dynamics.joint_flow import JointPoint
from descent.kernels.arc_cosine import relu_gram
from descent.kernels.neural_tangent_kernel import h_infinity
from descent.networks.linear_network import end_to_end_velocity, imbalance, layer_gradients, product, right_power


def floats(array):
    return np.asarray(array, dtype=float)


def test_balanced_layers_are_balanced_and_have_their_singular_values():
    for instance in linear.balanced_instances(np.random.default_rng(0), 9):
        layers = linear.balanced(instance["bases"], instance["values"])
        assert is_zero(imbalance(layers))
        np.testing.assert_allclose(np.linalg.svd(floats(layers[0]))[1], floats(instance["values"]))
        root = floats((instance["bases"][0] * instance["values"] ** 2) @ instance["bases"][0].T)
        np.testing.assert_allclose(right_power(floats(product(layers)), 1 / len(layers)), root, atol=1e-10)


def test_velocities_are_the_library_s():
    for instance in linear.layer_instances(np.random.default_rng(0), 6):
        layers, target = instance["layers"], instance["target"]
        expected = layer_gradients([floats(layer) for layer in layers], floats(product(layers) - target))
        for found, gradient in zip(linear.velocities(layers, target), expected):
            np.testing.assert_allclose(floats(found), -gradient, atol=1e-9)


def test_end_velocity_is_the_library_s():
    for instance in linear.balanced_instances(np.random.default_rng(1), 6):
        layers, target = linear.balanced(instance["bases"], instance["values"]), instance["target"]
        W = floats(product(layers))
        expected = end_to_end_velocity(W, W - floats(target), len(layers))
        np.testing.assert_allclose(floats(linear.end_velocity(layers, target, Fraction(1))), expected, rtol=1e-8)


def test_joint_velocities_are_the_library_s():
    for instance in networks.joint_instances(np.random.default_rng(0), 6):
        point = JointPoint(*(floats(instance[name]) for name in ("W", "a", "X", "y")))
        residual = instance["y"] - networks.joint_network(instance["W"], instance["a"], instance["X"])
        np.testing.assert_allclose(floats(residual), -point.residual, atol=1e-12)
        moves = networks.joint_velocities(instance["W"], instance["a"], instance["X"], residual)
        for found, expected in zip(moves, point.velocities):
            np.testing.assert_allclose(floats(found), expected, atol=1e-10)


@pytest.mark.parametrize("angle", [Fraction(0), Fraction(1, 4), Fraction(1, 3), Fraction(2, 5), Fraction(1)])
def test_counted_shares_are_h_infinity(angle):
    vectors = np.array([[1, 0], [np.cos(np.pi * float(angle)), np.sin(np.pi * float(angle))]])
    gram, share = h_infinity(vectors)[0, 1], (1 - angle) / 2
    assert networks.active_share(angle) == 0
    np.testing.assert_allclose(gram, np.cos(np.pi * float(angle)) * float(share), atol=1e-15)


def test_the_integrated_kernel_is_the_library_s():
    theta = sympy.Symbol("theta", positive=True)
    left = networks.arc_cosine(None, factor=0)
    vectors = np.array([[1, np.cos(0.7)], [0, np.sin(0.7)]])
    np.testing.assert_allclose(float(left.subs(theta, 0.7)), relu_gram(vectors)[0, 1])


def test_a_network_on_one_sample_falls_at_the_share_of_its_active_units():
    assert networks.one_sample_rate(3, 7) == Fraction(3, 7)
    assert all(Fraction(row["active"], row["width"]) >= Fraction(1, 4) for row in networks.share_instances(9))


def test_the_operator_and_its_transpose_are_numpy_s():
    kernel, x, y = np.array([1, -2, 5]), np.arange(7), np.array([3, 1, 4, 1, 5])
    assert descent.correlate(kernel, x).tolist() == np.correlate(x, kernel, "valid").tolist()
    assert descent.transposed(kernel, y).tolist() == np.convolve(y, kernel).tolist()


def test_sums_are_bracketed():
    for row in descent.sum_instances(200)[::37]:
        t = np.arange(1, row["T"] + 1)
        assert row["roots"] / descent.UNIT == pytest.approx(np.sum(t**-0.5), abs=1e-9)
        assert row["roots"] / descent.UNIT <= np.sum(t**-0.5) + 1e-12
        assert row["harmonic"] / descent.UNIT >= np.sum(1 / t) - 1e-12
        assert row["logarithm"] / descent.UNIT <= np.log(row["T"])


def test_the_exceptional_start_leaves_its_line_only_when_rounded_or_moved():
    exact_path, rounded = descent.exceptional_path(80), descent.rounded_path(80)
    assert float(np.sum(exact_path[-1] ** 2)) ** 0.5 == pytest.approx(5 * 0.75**80)
    assert rounded[10] == pytest.approx(5 * 0.75**10)
    assert rounded[-1] > 1e3


def test_stationarity_of_a_path_by_hand():
    # One step from w = (1, 0) with beta = sigma = 1: gradients of norm 1, then of norm 1; mean 1 = 2 Delta/2 + 1 - 1/2.
    start = np.array([Fraction(1), Fraction(0)])
    assert descent.stationarity(Fraction(1), start, Fraction(1), 2) == 0
    assert descent.stationarity(Fraction(1), start, Fraction(1), 2, per_coordinate=True) == Fraction(1, 2)
