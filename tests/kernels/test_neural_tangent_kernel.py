"""Tangent Gram matrices against known angles, Monte Carlo, and the Jacobian of the network."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from descent.kernels.arc_cosine import relu_gram
from descent.kernels.neural_tangent_kernel import g_activations, h_infinity, h_patterns, least_limit_eigenvalue
from descent.networks import two_layer
from descent.networks.two_layer import activation_patterns


def unit_vectors(n: int, d: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@given(st.floats(0, np.pi))
def test_two_vectors_at_an_angle(angle):
    x = np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
    gram = h_infinity(x)
    assert gram[0, 1] == pytest.approx(np.cos(angle) * (np.pi - angle) / (2 * np.pi), abs=1e-15)
    assert gram[0, 0] == gram[1, 1] == 0.5


def test_equal_samples_give_one_half_where_rounding_would_give_nan():
    x = np.repeat(unit_vectors(50, 7), 2, axis=0)
    assert np.any(x @ x.T > 1)
    gram = h_infinity(x)
    assert np.isfinite(gram).all()
    np.testing.assert_allclose(np.diag(gram, 1)[::2], 0.5, rtol=0, atol=1e-15)


def test_samples_must_have_unit_length():
    with pytest.raises(ValueError, match="unit length"):
        h_infinity(2 * unit_vectors(3, 4))


def test_the_limit_is_the_expectation_over_gaussian_weights():
    x, draws = unit_vectors(8, 5, seed=1), 400_000
    active = activation_patterns(np.random.default_rng(2).standard_normal((draws, 5)), x)
    # Bonferroni over the 36 pairs at a family-wise level of 1e-6.
    z = stats.norm.isf(1e-6 / 72)
    for i in range(8):
        for j in range(i + 1):
            share = np.mean(active[i] & active[j])
            margin = z * np.sqrt(share * (1 - share) / draws)
            assert abs(share - h_infinity(x)[i, j] / (x[i] @ x[j])) <= margin


@pytest.mark.parametrize(("n", "d", "m"), [(6, 3, 20), (25, 10, 64)])
def test_pattern_gram_is_that_of_the_jacobian(n, d, m):
    x, rng = unit_vectors(n, d, seed=n), np.random.default_rng(n)
    hidden, signs = rng.standard_normal((m, d)), rng.choice([-1.0, 1.0], m)

    def outputs(weights):
        return torch.relu(torch.tensor(x) @ weights.T) @ torch.tensor(signs) / m**0.5

    jacobian = torch.autograd.functional.jacobian(outputs, torch.tensor(hidden)).reshape(n, -1).numpy()
    np.testing.assert_allclose(h_patterns(x, activation_patterns(hidden, x)), jacobian @ jacobian.T, atol=1e-14)


@pytest.mark.parametrize(("n", "d", "m"), [(6, 3, 20), (25, 10, 64)])
def test_both_layers_jacobian_splits_into_the_two_parts(n, d, m):
    x, rng = unit_vectors(n, d, seed=n), np.random.default_rng(n)
    hidden, outputs = rng.standard_normal((m, d)), rng.standard_normal(m)

    def network(weights, last):
        return torch.relu(torch.tensor(x) @ weights.T) @ last / m**0.5

    jacobians = torch.autograd.functional.jacobian(network, (torch.tensor(hidden), torch.tensor(outputs)))
    of_hidden, of_outputs = (part.reshape(n, -1).numpy() for part in jacobians)
    parts = h_patterns(x, activation_patterns(hidden, x), outputs), g_activations(x, hidden)
    np.testing.assert_allclose(parts[0], of_hidden @ of_hidden.T, atol=1e-13)
    np.testing.assert_allclose(parts[1], of_outputs @ of_outputs.T, atol=1e-13)
    whole = np.hstack([of_hidden, of_outputs])
    np.testing.assert_allclose(sum(parts), whole @ whole.T, atol=2e-13)


def test_the_output_layers_part_goes_to_the_arc_cosine_kernel():
    x = unit_vectors(8, 5, seed=1)
    hidden = np.random.default_rng(3).standard_normal((200_000, 5))
    # Of products of two halves of normal variables the standard deviation is below 1.5.
    np.testing.assert_allclose(g_activations(x, hidden), relu_gram(x.T), rtol=0, atol=6 * 1.5 / 200_000**0.5)


def test_blocks_of_units_change_weighted_kernels_by_rounding_alone(monkeypatch, rng):
    x, hidden, outputs = rng.standard_normal((9, 4)), rng.standard_normal((50, 4)), rng.standard_normal(50)

    def kernels():
        return h_patterns(x, activation_patterns(hidden, x), outputs), g_activations(x, hidden)

    whole = kernels()
    monkeypatch.setattr(two_layer, "BLOCK", 7)
    for blocks, once in zip(kernels(), whole, strict=True):
        np.testing.assert_allclose(blocks, once, rtol=1e-14, atol=1e-14)


def test_blocks_of_units_change_no_bit(monkeypatch, rng):
    x, patterns = rng.standard_normal((9, 4)), rng.random((9, 50)) < 0.5
    whole = h_patterns(x, patterns)
    monkeypatch.setattr(two_layer, "BLOCK", 7)
    np.testing.assert_array_equal(h_patterns(x, patterns), whole)


@given(st.floats(0.01, np.pi - 0.01))
def test_least_eigenvalue_of_two_samples(angle):
    x = np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
    expected = 0.5 - abs(np.cos(angle)) * (np.pi - angle) / (2 * np.pi)
    assert least_limit_eigenvalue(x) == pytest.approx(expected, abs=1e-14)
