"""The formulas of report/proofs/tau.1.1.md on random networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proofs.complex_step import gradient, hessian

FACTOR = 0.7


def activation(z):
    """Zero at zero with σ′(0) = 0.7 and σ″(0) ≠ 0."""
    return FACTOR * z + 0.3 * np.tanh(z) ** 2


def output(layers, x):
    """W_N σ(W_{N−1} … σ(W_1 x)) for the columns of x."""
    hidden = layers[0] @ x
    for layer in layers[1:]:
        hidden = layer @ activation(hidden)
    return hidden


def loss(layers, x, y):
    return ((output(layers, x) - y) ** 2).sum() / (2 * x.shape[1])


def case(seed, widths):
    rng = np.random.default_rng(seed)
    layers = [rng.normal(size=shape) for shape in zip(widths[1:], widths[:-1])]
    return layers, rng.normal(size=(widths[0], 6)), rng.normal(size=(widths[-1], 6))


def unflatten(flat, widths):
    layers, start = [], 0
    for rows, columns in zip(widths[1:], widths[:-1]):
        layers.append(flat[start:start + rows * columns].reshape(rows, columns))
        start += rows * columns
    return layers


@settings(max_examples=8)
@given(st.integers(0, 999), st.lists(st.integers(1, 4), min_size=3, max_size=5), st.floats(-3, 3))
def test_the_output_stays_zero_when_one_layer_moves(seed, widths, t):
    directions, x, y = case(seed, widths)
    zeros = [np.zeros_like(D) for D in directions]
    for j, D in enumerate(directions):
        moved = [*zeros[:j], t * D, *zeros[j + 1:]]
        assert np.array_equal(output(moved, x), np.zeros_like(y))
        assert loss(moved, x, y) == loss(zeros, x, y)
    flat = gradient(lambda w: loss(unflatten(w, widths), x, y), np.zeros(sum(D.size for D in directions)))
    assert np.array_equal(flat, np.zeros_like(flat))


def test_one_layer_has_a_gradient_at_zero():
    _, x, y = case(0, [3, 2])
    assert np.abs(gradient(lambda w: loss([w], x, y), np.zeros((2, 3))) + y @ x.T / 6).max() < 1e-14
    assert np.abs(y @ x.T / 6).max() > 0.1


@settings(max_examples=8)
@given(st.integers(0, 999), st.floats(0.01, 1))
def test_difference_quotients_tell_convex_losses(seed, t):
    """One layer is convex; two layers are not, and the direction of steepest descent shows it."""
    layers, x, y = case(seed, [3, 1])
    at_zero = loss([0 * layers[0]], x, y)
    assert (loss([t * layers[0]], x, y) - at_zero) / t <= loss(layers, x, y) - at_zero + 1e-13
    a, s = -0.1 * np.sign(x @ y[0])[:, None], 0.1
    deep = [a.T, np.array([[-s]])]
    assert loss(deep, x, y) < at_zero
    assert (loss([1e-4 * W for W in deep], x, y) - at_zero) / 1e-4 > loss(deep, x, y) - at_zero


def apart(layers):
    """The two points of the proof that have these layers in their middle."""
    first, last, between = layers[0], layers[-1], layers[1:-1]
    return [0 * first, *between, 2 * last], [2 * first, *between, 0 * last]


@settings(max_examples=8)
@given(st.integers(0, 999), st.lists(st.integers(1, 4), min_size=3, max_size=5))
def test_any_weights_lie_between_two_that_compute_zero(seed, widths):
    layers, x, y = case(seed, widths)
    A, B = apart(layers)
    assert np.array_equal(output(A, x), 0 * y)
    assert np.array_equal(output(B, x), 0 * y)
    assert all(np.array_equal((V + U) / 2, W) for V, U, W in zip(A, B, layers))


@pytest.mark.parametrize("hidden", [[3], [2, 3]])
def test_losses_of_weights_between_two_that_compute_zero(hidden):
    """A loss that is not convex breaks the first inequality where it exceeds L(0), the second where it is less."""
    layers, x, y = case(5, [3, *hidden, 1])
    at_zero = loss([0 * W for W in layers], x, y)
    worse = [3 * W for W in layers]
    assert all(loss(point, x, y) == at_zero for point in apart(worse))
    assert loss(worse, x, y) > at_zero
    better = [np.eye(*W.shape) for W in layers]
    better[0] = np.outer(np.eye(len(layers[0]))[0], x @ y[0])
    two_sided = [loss([sign * 0.01 * W for W in better], x, y) for sign in (1, -1)]
    assert min(two_sided) < at_zero
    assert len(hidden) > 1 or max(two_sided) < at_zero


def test_an_activation_that_is_not_zero_at_zero_can_leave_the_loss_convex():
    """σ = 1: L = (W_2 − 1)²/2 does not depend on W_1."""
    curvature = hessian(lambda w: (w[1] * (1 + 0 * w[0]) - 1) ** 2 / 2, np.array([0.4, -0.3]))
    assert np.abs(curvature - np.diag([0, 1])).max() < 1e-9


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_expansion_of_the_output_at_zero(depth):
    directions, x, _ = case(depth, [3, *[2] * (depth - 1), 1])
    linear = FACTOR ** (depth - 1) * np.linalg.multi_dot([np.eye(1), *directions[::-1], x])
    errors = [np.abs(output([t * D for D in directions], x) / t ** depth - linear).max() for t in (1e-3, 1e-4)]
    assert errors[1] < (1e-3 if depth > 1 else 1e-12)
    assert depth == 1 or 9 < errors[0] / errors[1] < 11


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_expansion_of_the_loss_at_zero(depth):
    directions, x, y = case(depth, [3, *[2] * (depth - 1), 1])
    product = np.linalg.multi_dot([*directions[::-1], x @ y[0]])
    t = {2: 1e-5, 3: 1e-4, 4: 1e-3}[depth]
    change = (loss([t * D for D in directions], x, y) - (y ** 2).sum() / 12) / t ** depth
    assert change == pytest.approx(float(-FACTOR ** (depth - 1) * product[0] / 6), rel=0.01)


def hessian_at_zero(widths, x, y):
    size = sum(rows * columns for rows, columns in zip(widths[1:], widths[:-1]))
    return hessian(lambda w: loss(unflatten(w, widths), x, y), np.zeros(size))


@pytest.mark.parametrize("widths", [[1, 1, 1], [2, 3, 1], [3, 2, 1]])
def test_hessian_of_two_layers_at_zero(widths):
    _, x, y = case(1, widths)
    value = FACTOR * np.linalg.norm(x @ y[0]) / 6
    units, zeros = widths[1], widths[1] * (widths[0] - 1)
    expected = np.sort([*[-value] * units, *[0.0] * zeros, *[value] * units])
    assert np.abs(np.linalg.eigvalsh(hessian_at_zero(widths, x, y)) - expected).max() < 1e-9


@pytest.mark.parametrize("widths", [[1, 1, 1, 1], [2, 2, 2, 1], [2, 1, 2, 1, 1]])
def test_hessian_of_deeper_networks_at_zero(widths):
    _, x, y = case(2, widths)
    assert np.abs(hessian_at_zero(widths, x, y)).max() < 1e-9


def test_quadratic_form_of_two_layers_at_zero():
    (D1, D2), x, y = case(3, [3, 2, 1])
    D = np.concatenate([D1.ravel(), D2.ravel()])
    form = -FACTOR / 6 * sum(2 * a * d @ (x @ y[0]) for a, d in zip(D2[0], D1))
    assert D @ hessian_at_zero([3, 2, 1], x, y) @ D == pytest.approx(form, abs=1e-9)


def test_eigenvectors_of_one_hidden_unit(rng):
    q = rng.normal(size=4)
    norm = np.linalg.norm(q)
    A = np.block([[np.zeros((1, 1)), q[None]], [q[:, None], np.zeros((4, 4))]])
    for sign in (1, -1):
        vector = np.array([norm, *sign * q])
        assert np.abs(A @ vector - sign * norm * vector).max() < 1e-13
    assert np.abs(np.linalg.eigvalsh(A) - [-norm, 0, 0, 0, norm]).max() < 1e-13
