"""The compiled step against dense float64 autograd on the samples themselves."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from descent.dynamics.linear_descent import LinearDescent, Moments
from descent.networks.linear_network import gaussian_layers, product


def problem(seed, d=5, n=20):
    rng = np.random.default_rng(seed)
    return rng, rng.standard_normal((n, d)), rng.standard_normal(n)


@settings(max_examples=12)
@given(st.integers(2, 5), st.integers(1, 7), st.integers(0, 10**6))
def test_steps_are_autograd_s(depth, width, seed):
    rng, x, y = problem(seed)
    layers = gaussian_layers(rng, [5, *[width] * (depth - 1), 1], 0.9)
    descent = LinearDescent(layers, Moments(x, y), 0.02)
    torch_layers = [torch.tensor(layer, requires_grad=True) for layer in layers]
    for _ in range(5):
        out = torch.tensor(x).T
        for layer in torch_layers:
            out = layer @ out
        gradients = torch.autograd.grad(0.5 * torch.mean((out[0] - torch.tensor(y)) ** 2), torch_layers)
        torch_layers = [(a - 0.02 * g).detach().requires_grad_() for a, g in zip(torch_layers, gradients)]
    descent.step(2)
    descent.step(3)
    assert descent.steps == 5
    for found, expected in zip(descent.layers, torch_layers):
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-12, atol=1e-13)


def test_the_moments_give_the_loss_of_the_samples():
    rng, x, y = problem(3)
    moments, w = Moments(x, y), rng.standard_normal(5)
    assert moments.loss(w) == pytest.approx(0.5 * np.mean((x @ w - y) ** 2), rel=1e-13)
    np.testing.assert_allclose(moments.least_squares(), np.linalg.lstsq(x, y, rcond=None)[0], rtol=1e-11)
    np.testing.assert_allclose(moments.gradient(moments.least_squares()), 0, atol=1e-13)


def test_descent_ends_at_least_squares_and_divergence_shows():
    rng, x, y = problem(4)
    moments, layers = Moments(x, y), gaussian_layers(rng, [5, 6, 6, 1], 1.0)
    descent = LinearDescent(layers, moments, 0.05)
    descent.step(20000)
    np.testing.assert_allclose(product(descent.layers)[0], moments.least_squares(), rtol=1e-8)
    large = LinearDescent(layers, moments, 50.0)
    large.step(100)
    assert not np.isfinite(product(large.layers)).any()


def test_layers_of_other_shapes_are_refused():
    rng, x, y = problem(5)
    for sizes in ([5, 4, 3, 1], [5, 4, 2], [4, 3, 1]):
        with pytest.raises(ValueError, match="need layers of shapes"):
            LinearDescent(gaussian_layers(rng, sizes, 1.0), Moments(x, y), 0.1)
