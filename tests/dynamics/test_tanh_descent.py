"""Steps against float64 autograd."""

import numpy as np
import pytest
import torch

from descent.dynamics.tanh_descent import TanhDescent


def test_steps_go_down_the_gradient_of_the_mean_half_squared_error():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((30, 4)), rng.standard_normal((30, 2))
    layers = [rng.standard_normal((8, 4)), rng.standard_normal((8, 2))]
    descent = TanhDescent(*layers, x, y, 0.3)
    W, A = (torch.tensor(layer, requires_grad=True) for layer in layers)
    for _ in range(3):
        outputs = torch.tanh(torch.tensor(x) @ W.T) @ A / 8**0.5
        loss = ((outputs - torch.tensor(y)) ** 2).sum() / 60
        gradients = torch.autograd.grad(loss, (W, A))
        with torch.no_grad():
            for layer, gradient in zip((W, A), gradients):
                layer -= 0.3 * gradient
        assert descent.step() == pytest.approx(loss.item(), rel=1e-13)
    np.testing.assert_allclose(descent.hidden, W.detach().numpy(), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(descent.outputs, A.detach().numpy(), rtol=1e-12, atol=1e-13)
