"""Products, gradient and loss against dense float64 autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from descent.curvature.two_layer_hessian import TwoLayerHessian


def slope(z):
    return 1 - np.tanh(z) ** 2


def curvature(z):
    return -2 * np.tanh(z) * slope(z)


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.booleans(), st.integers(0, 10**6))
def test_products_are_the_dense_hessian_s(width, d, c, train_outputs, seed):
    rng = np.random.default_rng(seed)
    hidden, outputs = rng.standard_normal((width, d)), rng.standard_normal((width, c))
    x, y = rng.standard_normal((6, d)), rng.standard_normal((6, c))
    found = TwoLayerHessian(hidden, outputs, x, y, np.tanh, slope, curvature, 0.7, train_outputs)

    def loss(flat):
        W = flat[: hidden.size].reshape(hidden.shape)
        A = flat[hidden.size :].reshape(outputs.shape) if train_outputs else torch.tensor(outputs)
        return 0.5 * torch.sum((0.7 * torch.tanh(torch.tensor(x) @ W.T) @ A - torch.tensor(y)) ** 2)

    flat = np.concatenate([hidden.ravel(), outputs.ravel()])[: found.size]
    at = torch.tensor(flat, requires_grad=True)
    assert found.loss == pytest.approx(loss(at).item(), rel=1e-12)
    np.testing.assert_allclose(found.gradient, torch.autograd.grad(loss(at), at)[0].numpy(), rtol=1e-10, atol=1e-11)
    dense = torch.autograd.functional.hessian(loss, at).numpy()
    for column in np.eye(found.size)[:: max(1, found.size // 5)]:
        np.testing.assert_allclose(found(column), dense @ column, rtol=1e-10, atol=1e-10)
    vector = rng.standard_normal(found.size)
    np.testing.assert_allclose(found(vector), dense @ vector, rtol=1e-10, atol=1e-10)
