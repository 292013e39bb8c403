"""Products, gradients and powers against dense autograd, the definition of balance, and matrix functions."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import fractional_matrix_power

from descent.networks import linear_network as linear

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 10**6))


def drawn(seed, sizes, scale=1.0):
    return linear.gaussian_layers(np.random.default_rng(seed), sizes, scale)


@given(st.lists(st.integers(1, 5), min_size=3, max_size=6), st.integers(0, 10**6))
def test_gradients_are_autograd_s(sizes, seed):
    layers = [torch.tensor(layer, requires_grad=True) for layer in drawn(seed, sizes)]
    target = torch.tensor(np.random.default_rng(seed + 1).standard_normal((sizes[-1], sizes[0])))
    matrix = layers[0]
    for layer in layers[1:]:
        matrix = layer @ matrix
    loss = 0.25 * torch.sum((matrix - target) ** 4)
    loss.backward()
    plain = [layer.detach().numpy() for layer in layers]
    np.testing.assert_allclose(linear.product(plain), matrix.detach().numpy(), rtol=1e-13, atol=1e-13)
    gradient = (linear.product(plain) - target.numpy()) ** 3
    for found, layer in zip(linear.layer_gradients(plain, gradient), layers):
        np.testing.assert_allclose(found, layer.grad.numpy(), rtol=1e-11, atol=1e-11)


@given(SHAPES, st.integers(2, 5), st.integers(0, 3))
def test_balanced_layers_have_the_product_and_are_balanced(shape, depth, more):
    rows, columns, seed = shape
    matrix = np.random.default_rng(seed).standard_normal((rows, columns))
    layers = linear.balanced_layers(matrix, depth, min(rows, columns) + more)
    assert len(layers) == depth
    np.testing.assert_allclose(linear.product(layers), matrix, rtol=1e-12, atol=1e-13)
    for difference in linear.imbalance(layers):
        np.testing.assert_allclose(difference, 0, atol=1e-13)


def test_gaussian_layers_are_not_balanced_and_have_their_scale():
    layers = drawn(0, (400, 300, 200), scale=0.5)
    assert [layer.shape for layer in layers] == [(300, 400), (200, 300)]
    assert layers[0].std() * np.sqrt(400) == pytest.approx(0.5, rel=0.02)
    assert max(np.abs(difference).max() for difference in linear.imbalance(layers)) > 0.1


@given(SHAPES, st.sampled_from([0, 0.25, 1 / 3, 0.5, 1, 1.5]))
def test_powers_of_gram_matrices(shape, power):
    rows, columns, seed = shape
    matrix = np.random.default_rng(seed).standard_normal((rows, columns + rows))
    expected = fractional_matrix_power(matrix @ matrix.T, power)
    np.testing.assert_allclose(linear.left_power(matrix, power), expected, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(linear.right_power(matrix.T, power), expected, rtol=1e-8, atol=1e-9)


def test_the_fourth_root_of_a_singular_gram_matrix_has_no_rounding():
    vector = np.arange(1.0, 6.0)[:, None]
    matrix = vector @ vector.T[:, :4]
    root = linear.left_power(matrix, 0.125)
    norm = np.linalg.norm(matrix, 2)
    np.testing.assert_allclose(root, norm**0.25 * vector @ vector.T / 55, atol=1e-14)
    assert np.array_equal(linear.left_power(np.zeros((3, 2)), 0.5), np.zeros((3, 3)))
    with pytest.raises(ValueError, match="must not be negative"):
        linear.left_power(matrix, -1)


@given(SHAPES, st.integers(2, 4))
def test_the_end_to_end_velocity_is_that_of_balanced_layers(shape, depth):
    rows, columns, seed = shape
    rng = np.random.default_rng(seed)
    matrix, gradient = rng.standard_normal((2, rows, columns))
    layers = linear.balanced_layers(matrix, depth, min(rows, columns) + 1)
    slopes = linear.layer_gradients(layers, gradient)
    # Product rule: the derivative of W_N ... W_1 when every layer moves against its gradient.
    expected = -sum(linear.product([*layers[:j], slopes[j], *layers[j + 1:]]) for j in range(depth))
    np.testing.assert_allclose(linear.end_to_end_velocity(matrix, gradient, depth), expected, rtol=1e-9, atol=1e-10)


def test_a_narrow_or_shallow_balanced_network_is_refused():
    for depth, width in ((1, 5), (2, 2)):
        with pytest.raises(ValueError, match="at least"):
            linear.balanced_layers(np.ones((3, 4)), depth, width)
