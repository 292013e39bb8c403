"""Integrated flow against solutions in closed form."""

import numpy as np
import pytest
from scipy.linalg import expm

from descent.dynamics.flow import flow, flow_with_error, pack, unpack


def test_a_linear_field_gives_the_matrix_exponential(rng):
    matrix, start, times = rng.standard_normal((3, 3)), rng.standard_normal((3, 2)), np.linspace(0.0, 2.0, 5)
    expected = np.stack([expm(t * matrix) @ start for t in times])
    states, error = flow_with_error(lambda x: matrix @ x, start, times)
    np.testing.assert_allclose(states, expected, rtol=1e-9, atol=1e-10)
    assert 0 < error < 1e-7


def test_the_logistic_equation():
    times = np.array([0.0, 1.0, 10.0])
    states = flow(lambda s: 2 * s * (1 - s), np.array([1e-3]), times)[:, 0]
    np.testing.assert_allclose(states, 1 / (1 + 999 * np.exp(-2 * times)), rtol=1e-9)


def test_a_field_that_explodes_is_said_to():
    with pytest.raises(RuntimeError, match="gradient flow: "), np.errstate(all="ignore"):
        flow(lambda x: x**2, np.array([1.0]), [0.0, 2.0])


def test_matrices_survive_packing(rng):
    layers = [rng.standard_normal((2, 3)), rng.standard_normal((4, 2)), rng.standard_normal((1, 4))]
    for layer, again in zip(layers, unpack(pack(layers), [layer.shape for layer in layers])):
        assert np.array_equal(layer, again)
