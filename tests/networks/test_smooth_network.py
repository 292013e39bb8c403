"""The smooth network and its linearization against torch's autograd."""

import numpy as np
import pytest
import torch

from descent.networks import smooth_network as network
from descent.networks.smooth_activation import ACTIVATIONS

RNG = np.random.default_rng(3)
HIDDEN, MOVED = RNG.standard_normal((6, 4)), RNG.standard_normal((6, 4))
SIGNS, INPUTS = RNG.choice([-1.0, 1.0], 6), RNG.standard_normal((5, 4))
SOFTPLUS = ACTIVATIONS["softplus"]


def outputs(hidden: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.softplus(torch.tensor(INPUTS) @ hidden.T) @ torch.tensor(SIGNS) / 6**0.5


def jacobian() -> np.ndarray:
    return torch.autograd.functional.jacobian(outputs, torch.tensor(HIDDEN)).numpy()


def test_outputs_and_gradient():
    np.testing.assert_allclose(network.network_outputs(HIDDEN, SIGNS, INPUTS, SOFTPLUS.value),
                               outputs(torch.tensor(HIDDEN)), rtol=1e-13)
    for x, gradient in zip(INPUTS, jacobian(), strict=True):
        np.testing.assert_allclose(network.network_gradient(HIDDEN, SIGNS, x, SOFTPLUS.slope), gradient, rtol=1e-12)


def test_gradient_by_finite_differences():
    step, x = 1e-5, INPUTS[0]
    gradient = network.network_gradient(HIDDEN, SIGNS, x, SOFTPLUS.slope)
    ahead, behind = (network.network_outputs(HIDDEN + s * step * MOVED, SIGNS, x[None], SOFTPLUS.value)[0]
                     for s in (1, -1))
    assert (ahead - behind) / (2 * step) == pytest.approx(np.sum(gradient * MOVED), rel=1e-8)


def test_linearization_is_the_first_order_polynomial():
    linearization = network.Linearization(HIDDEN, SIGNS, INPUTS, SOFTPLUS)
    start, tangent = outputs(torch.tensor(HIDDEN)).numpy(), np.tensordot(jacobian(), MOVED - HIDDEN)
    np.testing.assert_allclose(linearization.start, start, rtol=1e-13)
    np.testing.assert_allclose(linearization(MOVED), start + tangent, rtol=1e-12)
    np.testing.assert_array_equal(linearization(HIDDEN), linearization.start)
    by_units = [network.linearization_by_units(HIDDEN, MOVED, SIGNS, x, SOFTPLUS.value, SOFTPLUS.slope(HIDDEN @ x))
                for x in INPUTS]
    np.testing.assert_allclose(by_units, linearization(MOVED), rtol=1e-12)


def test_tangent_gram_and_displacement_come_from_the_jacobian():
    linearization, flat = network.Linearization(HIDDEN, SIGNS, INPUTS, SOFTPLUS), jacobian().reshape(5, -1)
    np.testing.assert_allclose(linearization.tangent_gram(), flat @ flat.T, rtol=1e-12)
    np.testing.assert_array_equal(linearization.tangent_gram(), linearization.tangent_gram().T)
    c = RNG.standard_normal(5)
    np.testing.assert_allclose(linearization.displaced(c), HIDDEN + (c @ flat).reshape(6, 4), rtol=1e-12)
