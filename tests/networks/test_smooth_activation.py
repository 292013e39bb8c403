"""Smooth activations against autograd, against 60-digit arithmetic, and against their own constants."""

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from descent.networks.smooth_activation import ACTIVATIONS

REFERENCES = {"softplus": torch.nn.functional.softplus, "tanh": torch.tanh, "quadratic": lambda z: z * z / 2}
EXACT = {
    "softplus": (lambda z: mpmath.log1p(mpmath.exp(z)), lambda z: 1 / (1 + mpmath.exp(-z))),
    "tanh": (mpmath.tanh, lambda z: mpmath.sech(z) ** 2),
    "quadratic": (lambda z: z * z / 2, lambda z: z),
}
Z = np.linspace(-15, 15, 301)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_value_slope_and_curvature(name):
    z = torch.tensor(Z, requires_grad=True)
    value = REFERENCES[name](z)
    (slope,) = torch.autograd.grad(value.sum(), z, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), z)
    activation = ACTIVATIONS[name]
    np.testing.assert_allclose(activation.value(Z), value.detach(), rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(activation.slope(Z), slope.detach(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(activation.curvature(Z), curvature, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(z=st.floats(-20, 20), sign=st.sampled_from([-1, 1]), exponent=st.floats(-12, 1.5))
def test_remainder_is_exact_however_small_the_displacement(name, z, sign, exponent):
    delta, activation = sign * 10.0**exponent, ACTIVATIONS[name]
    value, slope = EXACT[name]
    with mpmath.workdps(60):
        at, by = mpmath.mpf(z), mpmath.mpf(delta)
        exact = value(at + by) - value(at) - slope(at) * by
        error = abs(mpmath.mpf(float(activation.remainder(np.array(z), np.array(delta)))) - exact)
        assert error <= 100 * np.finfo(float).eps * activation.smoothness * by**2 / 2


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_no_curvature_exceeds_the_smoothness_and_the_steepest_point_has_it(name):
    activation = ACTIVATIONS[name]
    assert np.abs(activation.curvature(Z)).max() <= activation.smoothness * (1 + 1e-15)
    assert abs(activation.curvature(np.array(activation.steepest))) == pytest.approx(activation.smoothness, rel=1e-14)
