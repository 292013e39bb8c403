"""Descent of a smooth network against autograd, and of its linearization against descent on explicit features."""

import numpy as np
import pytest
import torch

from descent.dynamics import smooth_descent
from descent.dynamics.smooth_descent import SmoothDescent, measured_descent, stable_step
from descent.networks.smooth_activation import ACTIVATIONS
from descent.networks.smooth_network import Linearization

RNG = np.random.default_rng(4)
INPUTS, LABELS = RNG.standard_normal((9, 3)), RNG.standard_normal(9)
INPUTS /= np.linalg.norm(INPUTS, axis=1, keepdims=True)
HIDDEN, SIGNS = RNG.standard_normal((20, 3)), RNG.choice([-1.0, 1.0], 20)
SOFTPLUS = ACTIVATIONS["softplus"]
ETA = stable_step(0.9, INPUTS)


def torch_loss(hidden: torch.Tensor, function) -> torch.Tensor:
    outputs = function(torch.tensor(INPUTS) @ hidden.T) @ torch.tensor(SIGNS) / 20**0.5
    return torch.sum((outputs - torch.tensor(LABELS)) ** 2) / 2


@pytest.mark.parametrize(("name", "function"), [("softplus", torch.nn.functional.softplus), ("tanh", torch.tanh)])
@pytest.mark.parametrize("block", [1, 72, 2**15])
def test_steps_are_those_of_autograd(name, function, block, monkeypatch):
    # Blocks of 8 units, the least, and of all.
    monkeypatch.setattr(smooth_descent, "_BLOCK", block)
    descent = SmoothDescent(HIDDEN, SIGNS, INPUTS, LABELS, ETA, ACTIVATIONS[name])
    hidden = torch.tensor(HIDDEN)
    for _ in range(10):
        hidden.requires_grad_(True)
        loss = torch_loss(hidden, function)
        assert descent.loss() == pytest.approx(loss.item(), rel=1e-12)
        (gradient,) = torch.autograd.grad(loss, hidden)
        descent.step()
        assert descent.squared_gradient == pytest.approx(torch.sum(gradient**2).item(), rel=1e-11)
        hidden = hidden.detach() - ETA * gradient
        np.testing.assert_allclose(descent.hidden, hidden, rtol=0, atol=1e-13)
    assert descent.steps == 10


def test_the_given_weights_stay_as_they_are():
    kept = HIDDEN.copy()
    SmoothDescent(HIDDEN, SIGNS, INPUTS, LABELS, ETA, SOFTPLUS).step()
    np.testing.assert_array_equal(HIDDEN, kept)


def test_no_tangent_kernel_exceeds_the_level_of_the_step():
    for scale in (0.1, 1.0, 10.0):
        gram = Linearization(scale * HIDDEN, SIGNS, INPUTS, ACTIVATIONS["tanh"]).tangent_gram()
        assert ETA * np.linalg.eigvalsh(gram)[-1] <= 2 * 0.9


def linear_descent(steps: int):
    """Descent on the linearization's own weights, step by step."""
    linearization = Linearization(HIDDEN, SIGNS, INPUTS, SOFTPLUS)
    hidden = HIDDEN
    for _ in range(steps):
        residual = linearization(hidden) - linearization.start - LABELS
        hidden = hidden + linearization.displaced(-ETA * residual) - HIDDEN
    return hidden, linearization(hidden) - linearization.start


def test_measurements():
    rows, outputs = zip(*measured_descent(HIDDEN, SIGNS, INPUTS, LABELS, ETA, SOFTPLUS, [0, 1, 7]), strict=True)
    descent = SmoothDescent(HIDDEN, SIGNS, INPUTS, LABELS + Linearization(HIDDEN, SIGNS, INPUTS, SOFTPLUS).start, ETA,
                            SOFTPLUS)
    for _ in range(7):
        descent.step()
    model, linear = linear_descent(7)
    assert [row["step"] for row in rows] == [0, 1, 7]
    assert rows[0]["loss"] == pytest.approx(LABELS @ LABELS / 2)
    assert rows[0]["movement"] == rows[0]["model_distance"] == 0
    assert rows[0]["gap"] < 1e-14
    last = rows[-1]
    assert last["loss"] == pytest.approx(descent.loss())
    assert last["movement"] == pytest.approx(np.linalg.norm(descent.hidden - HIDDEN))
    np.testing.assert_allclose(outputs[-1][0], descent.residual + LABELS, atol=1e-13)
    np.testing.assert_allclose(outputs[-1][2], linear, atol=1e-12)
    assert last["model_distance"] == pytest.approx(np.linalg.norm(descent.hidden - model), rel=1e-9)
    assert last["gap"] == np.abs(outputs[-1][0] - outputs[-1][1]).max()
    assert last["model_gap"] == np.abs(outputs[-1][0] - outputs[-1][2]).max()
    assert 0 < last["least_decrease"] <= 1


def test_after_one_step_network_and_linearization_have_the_same_weights():
    (row, _), = measured_descent(HIDDEN, SIGNS, INPUTS, LABELS, ETA, SOFTPLUS, [1])
    assert row["model_distance"] < 1e-14
    assert row["gap"] == pytest.approx(row["model_gap"], rel=1e-9)
