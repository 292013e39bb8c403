"""Labels, initializations and steps of the theorem's network and the literal one."""

import numpy as np
import pytest

from descent.networks import theorem_network as network

DIGITS = np.arange(30) % 10
X = np.random.default_rng(0).standard_normal((20, 6))
X /= np.linalg.norm(X, axis=1, keepdims=True)


def test_labels():
    digit, parity = network.label_targets("digit", DIGITS), network.label_targets("parity", DIGITS)
    assert digit.shape == parity.shape == (30, 1)
    assert digit.mean() == pytest.approx(0, abs=1e-15)
    assert digit.std() == pytest.approx(1)
    assert parity[:4, 0].tolist() == [1, -1, 1, -1]
    one_hot = network.label_targets("one_hot", DIGITS)
    np.testing.assert_array_equal(one_hot @ np.arange(10), DIGITS)
    with pytest.raises(ValueError, match="not one of"):
        network.label_targets("shape", DIGITS)


def test_runs_of_a_replicate_share_their_start_and_replicates_do_not():
    first = network.hidden_weights(1, 0, 8, 6)
    np.testing.assert_array_equal(first, network.hidden_weights(1, 0, 8, 6))
    assert not np.array_equal(first, network.hidden_weights(1, 1, 8, 6))
    signs = network.output_weights("theorem", 1, 0, 1000, 3)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.mean()) < 6 / 3000**0.5
    assert len(np.unique(network.output_weights("literal", 1, 0, 50, 1))) == 50


def test_a_step_on_the_mean_squared_error_is_this_step_of_the_flow():
    rng = np.random.default_rng(1)
    residual, jacobian = rng.standard_normal((20, 3)), rng.standard_normal((20, 3, 5))
    mean_gradient = np.einsum("nc,ncp->p", 2 * residual / residual.size, jacobian)
    flow_gradient = np.einsum("nc,ncp->p", residual, jacobian)
    np.testing.assert_allclose(0.1 * mean_gradient, network.mean_error_step(0.1, 20, 3) * flow_gradient)


def test_the_stable_step_is_a_fraction_of_the_limit_for_each_network():
    from descent.kernels.neural_tangent_kernel import h_infinity

    top = np.linalg.eigvalsh(h_infinity(X))[-1]
    assert network.stable_step(0.5, "theorem", X, 100) == pytest.approx(1 / top)
    # The literal network's kernel by Monte Carlo: relu relu for the output layer, x x' 1 1 for the hidden one.
    active = np.maximum(np.random.default_rng(2).standard_normal((200_000, 6)) @ X.T, 0)
    kernel = active.T @ active / len(active) + h_infinity(X)
    joint = network.stable_step(0.5, "joint", X, 100)
    assert joint == pytest.approx(1 / np.linalg.eigvalsh(kernel)[-1], rel=0.02)
    assert network.stable_step(0.5, "literal", X, 100) == pytest.approx(joint / 100)
    assert network.stable_step(0.5, "literal", X, 100) == pytest.approx(0.01 / np.linalg.eigvalsh(kernel)[-1], rel=0.02)
