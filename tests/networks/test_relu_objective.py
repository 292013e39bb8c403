"""Objectives of ReLU networks against torch's autograd and exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from descent.networks.relu_objective import LOSSES, PENALTIES, ReluObjective


def drawn(seed: int, loss: str, penalty: str):
    rng = np.random.default_rng(seed)
    inputs, targets = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
    targets = np.sign(targets) if loss == "logistic" else targets
    return ReluObjective(inputs, targets, loss, penalty, 0.3), rng.standard_normal((4, 3)), rng.standard_normal((4, 2))


def reference(objective: ReluObjective, flat: torch.Tensor) -> torch.Tensor:
    hidden, outputs = flat[:12].reshape(4, 3), flat[12:].reshape(4, 2)
    x, y = torch.tensor(objective.inputs), torch.tensor(objective.targets)
    z = torch.relu(x @ hidden.T) @ outputs
    fit = torch.sum((y - z) ** 2) / 2 if objective.loss == "squared" else torch.sum(torch.log1p(torch.exp(-y * z)))
    if objective.penalty == "none":
        return fit
    of_outputs = torch.sum(outputs**2) if objective.penalty == "squared" else torch.sqrt(torch.sum(outputs**2))
    return fit + objective.decay / 2 * (of_outputs + torch.sum(hidden**2))


@given(st.integers(0, 10**6), st.sampled_from(LOSSES), st.sampled_from(PENALTIES))
def test_value_gradient_and_hessian_are_autograd_s(seed, loss, penalty):
    objective, hidden, outputs = drawn(seed, loss, penalty)
    flat = torch.tensor(np.concatenate([hidden.ravel(), outputs.ravel()]), requires_grad=True)
    value = reference(objective, flat)
    value.backward()
    assert objective.value(hidden, outputs) == pytest.approx(value.item(), rel=1e-12)
    found = np.concatenate([part.ravel() for part in objective.gradient(hidden, outputs)])
    np.testing.assert_allclose(found, flat.grad.numpy(), rtol=1e-10, atol=1e-12)
    expected = torch.autograd.functional.hessian(lambda w: reference(objective, w), flat.detach()).numpy()
    np.testing.assert_allclose(objective.hessian(hidden, outputs), expected, rtol=1e-10, atol=1e-11)


def test_other_patterns_continue_the_objective_from_their_cell(rng):
    objective, hidden, outputs = drawn(3, "squared", "squared")
    patterns = rng.random((5, 4)) < 0.5
    z = (patterns * (objective.inputs @ hidden.T)) @ outputs
    assert objective.fit(hidden, outputs, patterns) == pytest.approx(0.5 * np.sum((z - objective.targets) ** 2))
    step = 1e-6 * rng.standard_normal(hidden.shape)
    change = objective.value(hidden + step, outputs, patterns) - objective.value(hidden - step, outputs, patterns)
    slope = np.sum(objective.gradient(hidden, outputs, patterns)[0] * step)
    assert change == pytest.approx(2 * slope, rel=1e-6)


def test_fractions_are_not_rounded():
    third = Fraction(1, 3)
    objective = ReluObjective(np.array([[third], [-third]]), np.array([[third], [third]]), "squared", "none", 0.0)
    # Outputs 1/27 and 0 against targets 1/3.
    assert objective.fit(np.array([[third]]), np.array([[third]])) == (third**3 - third) ** 2 / 2 + third**2 / 2


def test_the_subgradient_at_zero_outputs_is_that_of_zero():
    objective, hidden, outputs = drawn(1, "squared", "mixed")
    plain = ReluObjective(objective.inputs, objective.targets, "squared", "none", 0.0)
    for found, expected in zip(objective.gradient(0 * hidden, 0 * outputs), plain.gradient(0 * hidden, 0 * outputs)):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("loss", "penalty"), [("cubic", "none"), ("squared", "lasso")])
def test_unknown_names_are_refused(loss, penalty):
    with pytest.raises(ValueError, match="not in"):
        ReluObjective(np.eye(2), np.eye(2), loss, penalty, 1.0)
