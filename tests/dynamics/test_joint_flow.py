"""The flow of both layers at a point against autograd, and the exactness of the difference quotient."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from descent.dynamics.joint_flow import JointPoint, random_point
from descent.networks.two_layer import activation_patterns

POINTS = st.integers(0, 10**6).map(lambda index: random_point(1, index))


def network(point: JointPoint):
    x, scale = torch.tensor(point.inputs), len(point.hidden) ** -0.5
    return lambda hidden, outputs: scale * torch.relu(x @ hidden.T) @ outputs


@settings(max_examples=40)
@given(POINTS)
def test_velocities_are_those_of_gradient_flow(point):
    weights = [torch.tensor(array, requires_grad=True) for array in (point.hidden, point.outputs)]
    residual = network(point)(*weights) - torch.tensor(point.targets)
    np.testing.assert_allclose(point.residual, residual.detach(), atol=1e-13)
    for found, gradient in zip(point.velocities, torch.autograd.grad(0.5 * (residual**2).sum(), weights), strict=True):
        np.testing.assert_allclose(found, -gradient, rtol=1e-11, atol=1e-12)


@settings(max_examples=40)
@given(POINTS, st.sampled_from([(1, 1), (0, 1), (1, 0)]))
def test_difference_quotient_is_the_derivative_within_its_rounding(point, layers):
    velocities = [factor * velocity for factor, velocity in zip(layers, point.velocities, strict=True)]
    found, rounding = point.difference_quotient(*velocities)
    weights = tuple(map(torch.tensor, (point.hidden, point.outputs)))
    jacobians = torch.autograd.functional.jacobian(network(point), weights)
    terms = [jacobian.numpy().reshape(len(found), -1) * velocity.ravel()
             for jacobian, velocity in zip(jacobians, velocities, strict=True)]
    slack = 1e-14 * sum(np.abs(term).sum(axis=1) for term in terms)
    assert np.all(np.abs(found - sum(term.sum(axis=1) for term in terms)) <= rounding + slack)


@settings(max_examples=40)
@given(POINTS)
def test_no_pattern_changes_within_the_step_and_one_does_beyond_twice_of_it(point):
    velocity, step = point.velocities[0], point.linear_step(point.velocities[0])
    patterns = activation_patterns(point.hidden, point.inputs)
    for e in (-1, -0.5, 0.5, 1):
        np.testing.assert_array_equal(activation_patterns(point.hidden + e * step * velocity, point.inputs), patterns)
    beyond = [activation_patterns(point.hidden + e * step * velocity, point.inputs) for e in (-2.001, 2.001)]
    assert step == 1 or any(np.any(after != patterns) for after in beyond)


def test_random_points_are_unit_inputs_of_many_sizes():
    points = [random_point(1, index) for index in range(300)]
    assert max(np.abs(np.linalg.norm(point.inputs, axis=1) - 1).max() for point in points) < 1e-15
    sizes = {(len(point.targets), *point.hidden.shape) for point in points}
    assert [min(column) for column in zip(*sizes)] == [2, 1, 2]
    assert [max(column) for column in zip(*sizes)] == [12, 64, 10]
    np.testing.assert_array_equal(random_point(1, 3).hidden, points[3].hidden)
    assert not np.array_equal(random_point(2, 3).targets, points[3].targets)
