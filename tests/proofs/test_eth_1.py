"""The formulas of report/proofs/eth.1a.md and eth.1b.md, in exact arithmetic.

Derivatives of polynomials of degree at most 4 are taken by the five-point difference, which is exact for them.
"""

from fractions import Fraction
from functools import reduce
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proofs.exact_instances import fractions
from tests.proofs.sensing_layers import derivative, free, inner, loss, moved, same, span, velocities

SEEDS, DEPTHS = st.integers(0, 2**32 - 1), st.integers(1, 4)


# 1a

@given(SEEDS, DEPTHS)
@settings(max_examples=8)
def test_products(seed, depth):
    _, layers, _ = free(seed, depth)
    whole = reduce(np.matmul, reversed(layers))
    for k in range(1, depth + 1):
        assert same(whole, span(layers, k + 1, depth) @ layers[k - 1] @ span(layers, 1, k - 1))
        assert same(span(layers, 1, k), layers[k - 1] @ span(layers, 1, k - 1))
        if k < depth:
            assert same(span(layers, k + 1, depth), span(layers, k + 2, depth) @ layers[k])


@given(SEEDS)
@settings(max_examples=8)
def test_moves_within_the_trace(seed):
    rng = np.random.default_rng(seed)
    x, y, z = fractions(rng, 2, 4), fractions(rng, 2, 3), fractions(rng, 3, 4)
    assert inner(x, y @ z) == inner(y.T @ x, z) == inner(x @ z.T, y) == np.trace(x.T @ (y @ z))


@given(SEEDS)
@settings(max_examples=5)
def test_expected_square(seed):
    """Fair signs are independent with the mean 0 and the variance 1: the expectation is a mean over all of them."""
    m = fractions(np.random.default_rng(seed), 2, 2)
    signs = [np.array(entries).reshape(2, 2) for entries in product((-1, 1), repeat=4)]
    expectation = sum(inner(m, a) ** 2 for a in signs) / Fraction(16)
    moments = sum(np.multiply.outer(a, a) for a in signs) / Fraction(16)
    double_sum = sum(m[p, q] * m[r, s] * moments[p, q, r, s] for p, q, r, s in product(range(2), repeat=4))
    assert expectation == double_sum == inner(m, m)


@given(SEEDS, DEPTHS)
@settings(max_examples=5)
def test_gradient(seed, depth):
    _, layers, target = free(seed, depth)
    for k, velocity in enumerate(velocities(layers, target)):
        for i, j in product(range(2), repeat=2):
            def along(h, k=k, i=i, j=j):
                changed = [layer.copy() for layer in layers]
                changed[k][i, j] += h
                return loss(changed, target)
            assert derivative(along) == -velocity[i, j]


@given(SEEDS, DEPTHS)
@settings(max_examples=8)
def test_directional_derivative(seed, depth):
    rng, layers, target = free(seed, depth)
    whole, direction = span(layers, 1, depth), fractions(rng, 2, 2)
    for k in range(1, depth + 1):
        left, right = span(layers, k + 1, depth), span(layers, 1, k - 1)

        def along(h, left=left, right=right):
            error = whole - target + h * (left @ direction @ right)
            return inner(error, error) / (2 * depth)

        assert derivative(along) == inner(whole - target, left @ direction @ right) / depth
        assert derivative(along) == inner(left.T @ (whole - target) @ right.T, direction) / depth


def flow(layers, target, step, count):
    """Runge and Kutta's fourth-order steps, in floats."""
    layers, path = [layer.astype(float) for layer in layers], []
    for _ in range(count):
        path.append(layers)
        k1 = velocities(layers, target)
        k2 = velocities(moved(layers, k1, step / 2), target)
        k3 = velocities(moved(layers, k2, step / 2), target)
        k4 = velocities(moved(layers, k3, step), target)
        layers = [w + step / 6 * (a + 2 * b + 2 * c + d) for w, a, b, c, d in zip(layers, k1, k2, k3, k4, strict=True)]
    return path


def start(seed, depth, d=3):
    rng = np.random.default_rng(seed)
    return [0.7 * rng.standard_normal((d, d)) for _ in range(depth)], rng.standard_normal((d, d))


@given(SEEDS, DEPTHS)
@settings(max_examples=8)
def test_growth_of_a_layer(seed, depth):
    _, layers, target = free(seed, depth)
    whole = span(layers, 1, depth)
    for layer, velocity in zip(layers, velocities(layers, target), strict=True):
        assert inner(layer, velocity) == inner(whole, target - whole) / depth <= inner(target, target) / (4 * depth)
    half = whole - target / Fraction(2)
    assert inner(target, target) / 4 - inner(whole, target) + inner(whole, whole) == inner(half, half)
    middle = target / Fraction(2)  # the product at which the layers grow fastest
    assert inner(middle, target - middle) == inner(target, target) / 4


@pytest.mark.parametrize("depth", [1, 3])
def test_growth_along_a_flow(depth):
    layers, target = start(0, depth)
    for index, later in enumerate(flow(layers, target, 0.1, 10)):
        for layer, first in zip(later, layers, strict=True):
            assert inner(layer, layer) <= inner(first, first) + 0.1 * index / (2 * depth) * inner(target, target) + 1e-9


@pytest.mark.parametrize("depth", [1, 3])
def test_growth_is_attained_at_first(depth):
    """From the product W*/2 every layer grows at the greatest speed, and the integrated bound is its tangent."""
    _, target = start(0, depth)
    layers = [np.eye(3)] * (depth - 1) + [target / 2]
    for step in (1e-3, 1e-4):
        for layer, first in zip(flow(layers, target, step, 2)[1], layers, strict=True):
            grown = inner(layer, layer) - inner(first, first)
            assert grown == pytest.approx(step / (2 * depth) * inner(target, target), rel=50 * step)


# 1b

@given(SEEDS, st.integers(2, 4))
@settings(max_examples=8)
def test_velocities_and_conservation(seed, depth):
    _, layers, target = free(seed, depth)
    speeds, error = velocities(layers, target), (target - span(layers, 1, depth)) / Fraction(depth)
    for k in range(1, depth):
        left = layers[k].T @ speeds[k]
        assert same(left, speeds[k - 1] @ layers[k - 1].T,
                    layers[k].T @ span(layers, k + 2, depth).T @ error @ span(layers, 1, k).T,
                    span(layers, k + 1, depth).T @ error @ span(layers, 1, k - 1).T @ layers[k - 1].T)

        def square(h, k=k):
            layer = moved(layers, speeds, h)[k]
            return layer.T @ layer

        def transposed(h, k=k):
            layer = moved(layers, speeds, h)[k - 1]
            return layer @ layer.T

        assert same(derivative(square), left + left.T, derivative(transposed))


def test_printed_order_is_not_conserved():
    _, layers, target = free(0, 2)
    speeds = velocities(layers, target)
    later, earlier = (layers[k].T @ speeds[k] + speeds[k].T @ layers[k] for k in (1, 0))
    assert not same(later, earlier)


@pytest.mark.parametrize("depth", [2, 3])
def test_conservation_along_a_flow(depth):
    """The drift of the integrator falls with the fourth power of its step; that of the printed order does not."""
    layers, target = start(1, depth)
    drifts, printed = [], []
    for step in (0.08, 0.04):
        last = flow(layers, target, step, round(0.8 / step) + 1)[-1]
        drifts.append(max(np.linalg.norm(last[k + 1].T @ last[k + 1] - last[k] @ last[k].T
                                         - layers[k + 1].T @ layers[k + 1] + layers[k] @ layers[k].T)
                          for k in range(depth - 1)))
        printed.append(np.linalg.norm(last[1].T @ last[1] - last[0].T @ last[0]
                                      - layers[1].T @ layers[1] + layers[0].T @ layers[0]))
    assert drifts[1] < 1e-4
    assert drifts[1] < drifts[0] / 10
    assert min(printed) > 1e-2


def test_printed_conservation_fails_in_both_examples_by_hand():
    first, second = np.array([[0, 1], [0, 0]]), np.array([[1, 0], [0, 0]])
    assert same(second.T @ second, first @ first.T, np.array([[1, 0], [0, 0]]))
    assert same(first.T @ first, np.array([[0, 0], [0, 1]]))
    for layers in flow([np.array([[1.0]]), np.array([[0.0]])], np.array([[0.8]]), 0.05, 40):
        assert (layers[1] ** 2 - layers[0] ** 2)[0, 0] == pytest.approx(-1, abs=1e-6)
