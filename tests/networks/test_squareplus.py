"""The smooth activation against the ReLU and its derivative; the tangent kernel of both layers against autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from descent.networks.squareplus import activation, network_outputs, tangent_kernel


def torch_activation(rounding: float, z: torch.Tensor) -> torch.Tensor:
    return torch.relu(z) if rounding == 0 else (z + torch.sqrt(z**2 + rounding**2)) / 2


@given(st.floats(-50, 50), st.floats(0.01, 3))
def test_slope_is_the_derivative_and_lies_between_0_and_1(z, rounding):
    variable = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    torch_activation(rounding, variable).backward()
    value, slope = activation(rounding, np.array([z]))
    assert slope[0] == pytest.approx(variable.grad.item(), rel=1e-9, abs=1e-15)
    assert 0 < slope[0] <= 1
    assert 0 <= value[0] - max(z, 0.0) <= rounding / 2 + 1e-12


def test_without_rounding_it_is_the_relu():
    z = np.array([-2.0, -1e-300, 0.0, 3.0])
    value, slope = activation(0.0, z)
    np.testing.assert_array_equal(value, [0, 0, 0, 3])
    np.testing.assert_array_equal(slope, [0, 0, 1, 1])


@pytest.mark.parametrize("rounding", [0.0, 0.5])
def test_tangent_kernel_is_the_gram_matrix_of_gradients(rounding, rng):
    hidden, outputs, inputs, others = (rng.standard_normal(shape) for shape in ((7, 3), (7, 1), (5, 3), (4, 3)))

    def gradients(x):
        weights = [torch.tensor(part, requires_grad=True) for part in (hidden, outputs)]
        value = torch_activation(rounding, torch.tensor(x) @ weights[0].T) @ weights[1] / 7**0.5
        np.testing.assert_allclose(network_outputs(rounding, hidden, outputs, x) / 7**0.5, value.detach(), atol=1e-14)
        rows = [torch.autograd.grad(v, weights, retain_graph=True) for v in value[:, 0]]
        return np.array([np.concatenate([part.numpy().ravel() for part in row]) for row in rows])

    expected = gradients(inputs) @ gradients(others).T
    np.testing.assert_allclose(tangent_kernel(rounding, hidden, outputs, inputs, others), expected, atol=1e-13)
