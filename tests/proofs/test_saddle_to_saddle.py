"""The formulas of report/proofs/saddle_to_saddle.md: products and gradients in integers, times by integration."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

RANDOM = given(seed=st.integers(0, 10**6))
FEW = settings(max_examples=8)


def product(layers, last, first):
    """W_last ⋯ W_first, counted from 1; None for the empty product."""
    result = None
    for layer in layers[first - 1:last]:
        result = layer if result is None else layer @ result
    return result


def signed_columns(rng, rows, count):
    """Orthonormal integer columns: units with signs, in a random order."""
    columns = np.zeros((rows, count), dtype=object)
    columns[rng.permutation(rows)[:count], range(count)] = rng.choice([-1, 1], count)
    return columns


def aligned(seed, depth):
    """Frames e^(0), …, e^(N), modes q, targets s* and the layers Σ q e^(j) e^(j−1)ᵀ; two modes, integers."""
    rng = np.random.default_rng(seed)
    frames = [signed_columns(rng, int(rng.integers(2, 5)), 2) for _ in range(depth + 1)]
    q, target = rng.integers(1, 5, 2).astype(object), rng.integers(1, 30, 2).astype(object)
    layers = [after @ np.diag(q) @ before.T for before, after in zip(frames, frames[1:])]
    return frames, q, target, layers


def loss(layers, T):
    residual = product(layers, len(layers), 1) - T
    return np.sum(residual * residual) / Fraction(2)


@pytest.mark.parametrize("depth", [2, 3, 4])
@RANDOM
@FEW
def test_products_of_aligned_layers(depth, seed):
    frames, q, _, layers = aligned(seed, depth)
    for first in range(1, depth + 1):
        for last in range(first, depth + 1):
            expected = frames[last] @ np.diag(q ** (last - first + 1)) @ frames[first - 1].T
            assert np.all(product(layers, last, first) == expected)
    a = Fraction(1, 3)
    start = [a * after @ before.T for before, after in zip(frames, frames[1:])]
    assert all(np.all(W.T @ W == V @ V.T) for V, W in zip(start, start[1:]))
    assert np.all(product(start, depth, 1) == a**depth * frames[-1] @ frames[0].T)


@pytest.mark.parametrize("depth", [2, 3, 4])
@RANDOM
@FEW
def test_the_gradient_at_aligned_layers(depth, seed):
    """The loss is quadratic in the entries of one layer, so that central differences are exact."""
    frames, q, target, layers = aligned(seed, depth)
    T = frames[-1] @ np.diag(target) @ frames[0].T
    velocity = q ** (depth - 1) * (target - q**depth)
    for j in range(depth):
        expected = frames[j + 1] @ np.diag(velocity) @ frames[j].T
        after, before = product(layers, depth, j + 2), product(layers, j, 1)
        chain = T - product(layers, depth, 1)
        chain = chain if after is None else after.T @ chain
        assert np.all((chain if before is None else chain @ before.T) == expected)
        for entry in list(np.ndindex(layers[j].shape))[::3]:
            moved = [[layer.copy() for layer in layers] for _ in range(2)]
            moved[0][j][entry] += 1
            moved[1][j][entry] -= 1
            assert -(loss(moved[0], T) - loss(moved[1], T)) / 2 == expected[entry]


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_product_moves_as_its_modes(depth):
    """From q⁺ = q + h q̇, (s⁺ − s)/h tends to the stated velocity."""
    q, target = np.array([0.5, 1.1]), np.array([2.0, 0.7])
    rate = q ** (depth - 1) * (target - q**depth)
    s, h = q**depth, 1e-6
    measured = ((q + h * rate) ** depth - (q - h * rate) ** depth) / (2 * h)
    np.testing.assert_allclose(measured, depth * s ** (2 - 2 / depth) * (target - s), rtol=1e-8)


@RANDOM
@FEW
def test_white_inputs_give_this_loss(seed):
    rng = np.random.default_rng(seed)
    # Columns ±√n e_i: white without rounding.
    X = np.sqrt(2) * np.hstack([np.eye(3), -np.eye(3)]) * np.sqrt(1.5)
    Y, W = rng.standard_normal((2, 6)), rng.standard_normal((2, 3))
    n = 6
    np.testing.assert_allclose(X @ X.T / n, np.eye(3), atol=1e-15)
    T = Y @ X.T / n
    expanded = np.sum(W**2) / 2 - np.sum(W * T) + np.sum(Y**2) / (2 * n)
    assert np.sum((W @ X - Y) ** 2) / (2 * n) == pytest.approx(expanded, rel=1e-12)
    assert expanded == pytest.approx(np.sum((W - T) ** 2) / 2 - np.sum(T**2) / 2 + np.sum(Y**2) / (2 * n), rel=1e-12)


@pytest.mark.parametrize(("start", "target"), [(1e-3, 1.0), (0.05, 3.0), (0.9, 1.5)])
def test_the_sigmoid(start, target):
    times = np.linspace(0, 4 / target, 9)
    run = solve_ivp(lambda _, s: 2 * s * (target - s), (0, times[-1]), [start], t_eval=times, rtol=1e-10, atol=1e-13)
    closed = target / (1 + (target / start - 1) * np.exp(-2 * target * times))
    np.testing.assert_allclose(run.y[0], closed, rtol=1e-7)
    if start < target / 2:
        half = np.log(target / start - 1) / (2 * target)
        assert target / (1 + (target / start - 1) * np.exp(-2 * target * half)) == pytest.approx(target / 2)
        assert half == pytest.approx(escape(np.sqrt(start), target, 2), rel=1e-6)


def escape(a, target, depth):
    """The time from q = a to q^N = s*/2 along the flow, in the variable ln q."""
    def passed(_, state):
        return depth * state[0] - np.log(target / 2)

    passed.terminal = True
    def velocity(_, state):
        # A first step that is far too long, which the method takes back, may reach absurd states.
        log = min(state[0], 3)
        return [np.exp((depth - 2) * log) * (target - np.exp(depth * log))]

    run = solve_ivp(velocity, (0, 1e9), [np.log(a)], events=passed, rtol=1e-9, atol=1e-12)
    return run.t_events[0][0]


@pytest.mark.parametrize(("depth", "target"), [(2, 1.0), (2, 3.0), (3, 2.0), (4, 1.0)])
def test_the_delay_of_a_smaller_start(depth, target):
    a, b = 0.3, 0.05
    delay = quad(lambda q: 1 / (q ** (depth - 1) * (target - q**depth)), b, a)[0]
    assert escape(b, target, depth) - escape(a, target, depth) == pytest.approx(delay, rel=1e-6)
    simple = quad(lambda q: 1 / (target * q ** (depth - 1)), b, a)[0]
    closed = np.log(a / b) / target if depth == 2 else (b ** (2 - depth) - a ** (2 - depth)) / ((depth - 2) * target)
    assert simple == pytest.approx(closed, rel=1e-8)
    bound = a**depth / (target - a**depth)
    assert 0 <= delay / simple - 1 <= bound
    near = [quad(lambda q, p=p: 1 / (q ** (depth - 1) * (target - p * q**depth)), 0.999 * a, a)[0] for p in (1, 0)]
    assert near[0] / near[1] - 1 == pytest.approx(bound, rel=0.02)
    q = np.linspace(0.01, a, 50)
    assert np.all(1 / target <= 1 / (target - q**depth))
    assert np.all(1 / (target - q**depth) <= 1 / (target - a**depth) * (1 + 1e-15))
    assert 1 / (target - a**depth) == pytest.approx((1 + a**depth / (target - a**depth)) / target)


@pytest.mark.parametrize(("depth", "target"), [(2, 1.0), (2, 3.0), (3, 2.0), (4, 1.0)])
def test_escape_times_of_small_starts(depth, target):
    """The quotient of time and claim, whose distance from 1 falls with the start."""
    def claim(b):
        return np.log(1 / b) / target if depth == 2 else b ** (2 - depth) / ((depth - 2) * target)

    starts = (1e-2, 1e-4, 1e-8) if depth == 2 else (1e-1, 1e-2, 1e-3)
    distances = [abs(escape(b, target, depth) / claim(b) - 1) for b in starts]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.05
