"""Losses, gradients and Hessians against dense float64 autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from descent.networks.deep_network import activate, hessian, loss_and_gradient, single_path
from descent.networks.linear_network import gaussian_layers

TORCH = {"linear": lambda z: z, "tanh": torch.tanh, "silu": torch.nn.functional.silu}


def torch_loss(layers, kind, x, y):
    value = torch.tensor(x)
    for layer in layers[:-1]:
        value = TORCH[kind](value @ layer.T)
    return 0.5 * torch.mean(torch.sum((value @ layers[-1].T - torch.tensor(y)) ** 2, dim=1))


@given(st.lists(st.integers(1, 4), min_size=2, max_size=5), st.sampled_from(list(TORCH)), st.integers(0, 10**6))
def test_loss_gradient_and_hessian_are_autograd_s(sizes, kind, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((6, sizes[0])), rng.standard_normal((6, sizes[-1]))
    layers = gaussian_layers(rng, sizes, 1.0)
    leaves = [torch.tensor(layer, requires_grad=True) for layer in layers]
    loss = torch_loss(leaves, kind, x, y)
    found, gradients = loss_and_gradient(layers, kind, x, y)
    assert found == pytest.approx(loss.item(), rel=1e-13)
    for gradient, expected in zip(gradients, torch.autograd.grad(loss, leaves)):
        np.testing.assert_allclose(gradient, expected.numpy(), rtol=1e-11, atol=1e-12)
    shapes = [layer.shape for layer in layers]

    def flat_loss(flat):
        parts = torch.split(flat, [rows * columns for rows, columns in shapes])
        return torch_loss([part.reshape(shape) for part, shape in zip(parts, shapes)], kind, x, y)

    flat = torch.tensor(np.concatenate([layer.ravel() for layer in layers]))
    expected = torch.autograd.functional.hessian(flat_loss, flat).numpy()
    np.testing.assert_allclose(hessian(layers, kind, x, y), expected, rtol=1e-10, atol=1e-11)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="not one of linear, tanh, silu"):
        activate("relu", np.zeros(1))


def test_a_single_path_is_a_product_of_numbers(rng):
    direction, x = rng.standard_normal(3), rng.standard_normal((5, 3))
    direction /= np.linalg.norm(direction)
    for depth in (1, 2, 4):
        layers = single_path([3, *[2] * (depth - 1), 1], 0.7, direction, np.ones(1))
        expected = x @ direction * 0.7
        for _ in range(depth - 1):
            expected = 0.7 * np.tanh(expected)
        loss, _ = loss_and_gradient(layers, "tanh", x, np.zeros((5, 1)))
        assert loss == pytest.approx(0.5 * np.mean(expected**2), rel=1e-13)
