"""Descent on both layers of a smooth network against autograd."""

import numpy as np
import torch

from descent.dynamics.squareplus_descent import SquareplusDescent


def test_steps_are_those_of_autograd(rng):
    hidden, outputs, inputs, targets = (rng.standard_normal(shape) for shape in ((8, 3), (8, 1), (6, 3), (6, 1)))
    kept, scale, eta = hidden.copy(), 0.7, 0.05
    descent = SquareplusDescent(hidden, outputs, inputs, targets, eta, scale, 0.4)
    weights = [torch.tensor(part) for part in (hidden, outputs)]
    for _ in range(8):
        for part in weights:
            part.requires_grad_(True)
        z = torch.tensor(inputs) @ weights[0].T
        residual = scale * ((z + torch.sqrt(z**2 + 0.16)) / 2) @ weights[1] - torch.tensor(targets)
        np.testing.assert_allclose(descent.residual, residual.detach(), atol=1e-13)
        gradients = torch.autograd.grad(torch.sum(residual**2) / 2, weights)
        weights = [(part - eta * gradient).detach() for part, gradient in zip(weights, gradients, strict=True)]
        descent.step()
    assert descent.steps == 8
    np.testing.assert_allclose(descent.hidden, weights[0], atol=1e-13)
    np.testing.assert_allclose(descent.outputs, weights[1], atol=1e-13)
    np.testing.assert_array_equal(hidden, kept)
