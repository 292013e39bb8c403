"""The reduced Hessian against the dense one of autograd, in float64."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from descent.curvature.linear_hessian import extreme_eigenvalues, reduced_hessian
from descent.dynamics.linear_descent import LinearDescent, Moments
from descent.networks.linear_network import gaussian_layers


def dense(layers, x, y):
    shapes = [layer.shape for layer in layers]

    def loss(flat):
        out, at = torch.tensor(x).T, 0
        for rows, columns in shapes:
            out = flat[at : at + rows * columns].reshape(rows, columns) @ out
            at += rows * columns
        return 0.5 * torch.mean((out[0] - torch.tensor(y)) ** 2)

    flat = torch.tensor(np.concatenate([layer.ravel() for layer in layers]))
    return np.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat).numpy())


@settings(max_examples=15)
@given(st.integers(2, 4), st.integers(1, 5), st.integers(1, 4), st.integers(0, 10**6),
       st.sampled_from([0.0, 1e-3, 1.0]))
def test_the_spectrum_is_the_dense_one(depth, width, d, seed, scale):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((9, d)), rng.standard_normal(9)
    layers = gaussian_layers(rng, [d, *[width] * (depth - 1), 1], scale)
    expected, found = dense(layers, x, y), np.linalg.eigvalsh(reduced_hessian(layers, Moments(x, y)))
    scale = max(1.0, np.abs(expected).max())
    zeros = np.zeros(len(expected) - len(found))
    np.testing.assert_allclose(np.sort([*found, *zeros]), expected, atol=1e-12 * scale)
    np.testing.assert_allclose(extreme_eigenvalues(layers, Moments(x, y)), expected[[0, -1]], atol=1e-12 * scale)


def test_its_size_is_that_of_one_row_and_one_column_of_each_layer(rng):
    for depth, size in ((2, 29), (3, 48), (4, 67)):
        layers = gaussian_layers(rng, [10, *[10] * (depth - 1), 1], 1.0)
        assert len(reduced_hessian(layers, Moments(rng.standard_normal((20, 10)), rng.standard_normal(20)))) == size


def test_at_a_minimum_no_eigenvalue_is_negative(rng):
    x, y = rng.standard_normal((30, 4)), rng.standard_normal(30)
    descent = LinearDescent(gaussian_layers(rng, [4, 5, 5, 1], 1.0), Moments(x, y), 0.05)
    descent.step(30000)
    least, greatest = extreme_eigenvalues(descent.layers, Moments(x, y))
    assert -1e-9 < least <= 0 < greatest
