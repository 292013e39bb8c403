"""The formulas of report/proofs/eth.1a.md to eth.1f.md, in exact arithmetic.

Derivatives of polynomials of degree at most 4 are taken by the five-point difference, which is exact for them.
Balanced layers are W_k = Q_{k+1} diag(s) Q_k^T with rational orthogonal Q, so that U_k = Q_{k+1}, V_k = Q_k and s are
known; the values s are distinct, repeated, or some zero.
"""

from fractions import Fraction
from functools import reduce
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proofs.exact_instances import fractions, identity, orthogonal

SEEDS, DEPTHS = st.integers(0, 2**32 - 1), st.integers(1, 4)
VALUES = [(3, 2, 1), (2, 2, 1), (2, 1, 0), (1, 0, 0), (3, 3, 3)]


def span(layers, low, high):
    """W_{low:high}, layers counted from 1; the identity if it is empty."""
    return reduce(lambda done, layer: layer @ done, layers[low - 1:high], identity(len(layers[0])))


def inner(x, y):
    return (x * y).sum()


def loss(layers, target):
    error = span(layers, 1, len(layers)) - target
    return inner(error, error) / (2 * len(layers))


def velocities(layers, target):
    """The flow as the proof gives it."""
    depth, error = len(layers), target - span(layers, 1, len(layers))
    return [span(layers, k + 1, depth).T @ error @ span(layers, 1, k - 1).T / depth for k in range(1, depth + 1)]


def derivative(function):
    """At 0, exact for polynomials of degree at most 4."""
    return (8 * (function(1) - function(-1)) - (function(2) - function(-2))) / Fraction(12)


def moved(layers, directions, h):
    return [layer + h * direction for layer, direction in zip(layers, directions, strict=True)]


def free(seed, depth, d=2):
    rng = np.random.default_rng(seed)
    return rng, [fractions(rng, d, d) for _ in range(depth)], fractions(rng, d, d)


def power(values, exponent):
    return np.diag(np.array([Fraction(value) ** exponent for value in values], dtype=object))


def balanced(seed, depth, values):
    """Layers, their bases Q_1, ..., Q_{L+1}, and a target."""
    rng = np.random.default_rng(seed)
    bases = [orthogonal(rng, len(values)) for _ in range(depth + 1)]
    layers = [bases[k + 1] @ power(values, 1) @ bases[k].T for k in range(depth)]
    return layers, bases, fractions(rng, len(values), len(values))


def same(*matrices):
    return all((matrix == matrices[0]).all() for matrix in matrices)


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
    double_sum = sum(m[i, j] * m[k, l] * moments[i, j, k, l] for i, j, k, l in product(range(2), repeat=4))
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


@pytest.mark.parametrize("depth", [1, 3])
def test_growth_along_a_flow(depth):
    layers, target = start(0, depth)
    for index, later in enumerate(flow(layers, target, 0.1, 10)):
        for layer, first in zip(later, layers, strict=True):
            assert inner(layer, layer) <= inner(first, first) + 0.1 * index / (2 * depth) * inner(target, target) + 1e-9


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
    assert not same(layers[1].T @ speeds[1] + speeds[1].T @ layers[1], layers[0].T @ speeds[0] + speeds[0].T @ layers[0])


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


# 1c

@pytest.mark.parametrize("values", VALUES)
def test_decomposition_with_given_left_vectors(values):
    (layer,), (_, q), _ = balanced(3, 1, values)
    rows = q.T @ layer
    assert same(rows @ rows.T, power(values, 2))
    known = [row / value for row, value in zip(rows, values, strict=True) if value]
    completed = np.linalg.svd(np.array(known, dtype=float).reshape(-1, 3))[2][len(known):]
    p = np.vstack([np.array(known, dtype=float).reshape(-1, 3), completed]).T
    assert p.T @ p == pytest.approx(np.eye(3), abs=1e-12)
    assert q.astype(float) @ np.diag(values) @ p.T == pytest.approx(layer.astype(float), abs=1e-12)


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_alignment(values, depth):
    """The construction of the proof, from a decomposition of the last layer downwards, in floats."""
    layers, bases, _ = balanced(5, depth, values)
    if depth > 1:
        assert all(same(layers[k + 1].T @ layers[k + 1], layers[k] @ layers[k].T,
                        bases[k + 1] @ power(values, 2) @ bases[k + 1].T) for k in range(depth - 1))
    layers = [layer.astype(float) for layer in layers]
    left, sigma, right = np.linalg.svd(layers[-1])
    assert all(np.linalg.svd(layer)[1] == pytest.approx(sigma, abs=1e-12) for layer in layers)
    vectors = [left, right.T]  # V_{L+1} = U_L, V_L, ...
    for layer in reversed(layers[:-1]):
        rows = vectors[-1].T @ layer
        rank = int((sigma > 1e-9).sum())
        known = rows[:rank] / sigma[:rank, None]
        vectors.append(np.vstack([known, np.linalg.svd(known)[2][rank:]]).T)
    vectors = vectors[::-1]
    for k, layer in enumerate(layers):
        assert vectors[k].T @ vectors[k] == pytest.approx(np.eye(3), abs=1e-11)
        assert vectors[k + 1] @ np.diag(sigma) @ vectors[k].T == pytest.approx(layer, abs=1e-11)
    for i, j in product(range(1, depth + 1), repeat=2):
        if i <= j:
            expected = vectors[j] @ np.diag(sigma ** (j - i + 1)) @ vectors[i - 1].T
            assert span(layers, i, j).astype(float) == pytest.approx(expected, abs=1e-9)


def test_decompositions_of_distinct_values_agree_up_to_signs():
    layers, _, _ = balanced(8, 3, (3, 2, 1))
    decompositions = [np.linalg.svd(layer.astype(float)) for layer in layers]
    for (left, _, _), (_, _, right) in zip(decompositions[:-1], decompositions[1:], strict=True):
        assert abs(left.T @ right.T) == pytest.approx(np.eye(3), abs=1e-12)


def test_printed_alignment_fails_in_both_examples_by_hand():
    assert np.linalg.svd([[2.0]])[1] != np.linalg.svd([[1.0]])[1]
    u, s, v = 1, 1, -1
    assert u * s * v == -1 == (-u) * s * (-v)
    assert u != v


# 1d, 1e, 1f

def middle(bases, values, target):
    """R = U_L^T (W* - U_L Sigma^L V_1^T) V_1."""
    depth = len(bases) - 1
    return bases[-1].T @ (target - bases[-1] @ power(values, depth) @ bases[0].T) @ bases[0]


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_flow_of_a_layer(values, depth):
    layers, bases, target = balanced(6, depth, values)
    r = middle(bases, values, target)
    for k, velocity in enumerate(velocities(layers, target), start=1):
        left, right = power(values, depth - k), power(values, k - 1)
        assert same(velocity, bases[k] @ left @ r @ right @ bases[k - 1].T / Fraction(depth))
        assert same(span(layers, k + 1, depth), bases[-1] @ left @ bases[k].T)
        assert same(span(layers, 1, k - 1), bases[k - 1] @ right @ bases[0].T)
        if k >= 2:
            assert not same(velocity, bases[k] @ left @ r @ right @ bases[k - 2].T / Fraction(depth))


def test_printed_flow_of_a_layer_fails_in_the_example_by_hand():
    first, second, target, u2, v2, v1, sigma = -1, 1, 0, 1, 1, -1, 1
    assert (u2 * sigma * v2, v2 * sigma * v1) == (second, first)
    velocity = Fraction(1, 2) * (target - second * first) * first
    before = Fraction(1, 2) * u2 * u2 * (target - u2 * sigma**2 * v1) * v1 * sigma
    assert (velocity, before * v2, before * v1) == (Fraction(-1, 2), Fraction(-1, 2), Fraction(1, 2))


@given(SEEDS, DEPTHS)
@settings(max_examples=8)
def test_product_rule(seed, depth):
    _, layers, target = free(seed, depth)
    speeds, error = velocities(layers, target), target - span(layers, 1, depth)
    parts = [(span(layers, k + 1, depth), span(layers, 1, k - 1)) for k in range(1, depth + 1)]
    total = sum(left @ speed @ right for (left, right), speed in zip(parts, speeds, strict=True))
    squares = sum(left @ left.T @ error @ right.T @ right for left, right in parts) / Fraction(depth)
    assert same(derivative(lambda h: span(moved(layers, speeds, h), 1, depth)), total, squares)


def product_velocity(layers, target):
    speeds = velocities(layers, target)
    return derivative(lambda h: span(moved(layers, speeds, h), 1, len(layers)))


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_flow_of_the_product(values, depth):
    layers, bases, target = balanced(7, depth, values)
    r, last, first = middle(bases, values, target), bases[-1], bases[0]
    for k in range(1, depth + 1):
        outer, inner_part = span(layers, k + 1, depth), span(layers, 1, k - 1)
        assert same(outer @ outer.T, last @ power(values, 2 * depth - 2 * k) @ last.T)
        assert same(inner_part.T @ inner_part, first @ power(values, 2 * k - 2) @ first.T)
    total = sum(last @ power(values, 2 * depth - 2 * k) @ r @ power(values, 2 * k - 2) @ first.T
                for k in range(1, depth + 1)) / Fraction(depth)
    assert same(product_velocity(layers, target), total)


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_closed_flow(values, depth):
    """A positive semidefinite P with P^L = A^a is the power A^(a/L): there is only one. A^0 is the identity."""
    layers, bases, target = balanced(9, depth, values)
    whole, last, first = span(layers, 1, depth), bases[-1], bases[0]
    assert same(whole @ whole.T, last @ power(values, 2 * depth) @ last.T)
    assert same(whole.T @ whole, first @ power(values, 2 * depth) @ first.T)
    total = 0
    for k in range(1, depth + 1):
        outer, inner_part = span(layers, k + 1, depth), span(layers, 1, k - 1)
        left, right = outer @ outer.T, inner_part.T @ inner_part
        assert same(np.linalg.matrix_power(left, depth), np.linalg.matrix_power(whole @ whole.T, depth - k))
        assert same(np.linalg.matrix_power(right, depth), np.linalg.matrix_power(whole.T @ whole, k - 1))
        assert same(left, last @ power(values, 2 * depth - 2 * k) @ last.T)
        assert same(right, first @ power(values, 2 * k - 2) @ first.T)
        total = total + left @ (target - whole) @ right
    assert same(product_velocity(layers, target), total / Fraction(depth))


def test_closed_flow_fails_without_balance():
    w1, w2, target = Fraction(2), Fraction(1), Fraction(5)
    w = w1 * w2
    speed = w2 * (w2 * (target - w) / 2) + w1 * (w1 * (target - w) / 2)
    assert speed == Fraction(5, 2) * (target - 2)
    assert (abs(w) + abs(w)) * (target - w) / 2 == 2 * (target - 2)


@pytest.mark.parametrize("values", [(3, 2, 1), (2, 2, 1), (3, 3, 3)])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_derivative_of_the_determinant(values, depth):
    """S = Sigma^L, so that S^(1 - 2/L) = Sigma^(L - 2)."""
    layers, bases, target = balanced(10, depth, values)
    whole, last, first = span(layers, 1, depth), bases[-1], bases[0]
    speed = product_velocity(layers, target)

    def determinant(h):
        (a, b, c), (d, e, f), (g, i, j) = whole + h * speed
        return a * (e * j - f * i) - b * (d * j - f * g) + c * (d * i - e * g)

    core = first @ power(values, depth - 2) @ last.T
    assert derivative(determinant) == determinant(0) * np.trace(core @ (target - whole))
    inverse = first @ power(values, -depth) @ last.T
    assert same(whole @ inverse, identity(3))
    for k in range(1, depth + 1):
        outer, inner_part = span(layers, k + 1, depth), span(layers, 1, k - 1)
        assert same(inner_part.T @ inner_part @ inverse @ outer @ outer.T, core)


@pytest.mark.parametrize("values", VALUES)
def test_loss_does_not_rise(values):
    depth = 3
    layers, bases, target = balanced(11, depth, values)
    x = target - span(layers, 1, depth)
    traces, norms = 0, 0
    for k in range(1, depth + 1):
        roots = [bases[-1] @ power(values, depth - k) @ bases[-1].T, bases[0] @ power(values, k - 1) @ bases[0].T]
        traces += np.trace(x.T @ roots[0] @ roots[0] @ x @ roots[1] @ roots[1])
        norms += inner(roots[0] @ x @ roots[1], roots[0] @ x @ roots[1])
    assert -inner(x, product_velocity(layers, target)) == -traces / depth == -norms / depth <= 0


@given(SEEDS, DEPTHS)
@settings(max_examples=8)
def test_derivative_of_a_power(seed, depth):
    rng = np.random.default_rng(seed)
    q, d = orthogonal(rng, 2), fractions(rng, 2, 2)
    values, d = np.array([Fraction(3, 2), Fraction(2)], dtype=object), d + d.T
    b = q @ np.diag(values) @ q.T

    def matrix_power(matrix, exponent):
        return reduce(np.matmul, [matrix] * exponent, identity(2))

    total = sum(matrix_power(b, i) @ d @ matrix_power(b, depth - 1 - i) for i in range(depth))
    assert same(derivative(lambda h: matrix_power(b + h * d, depth)), total)
    factors = np.array([[sum(p**i * r ** (depth - 1 - i) for i in range(depth)) for r in values] for p in values])
    assert same(q.T @ total @ q, factors * (q.T @ d @ q))
    assert (factors > 0).all()


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_modes(depth):
    """Common singular vectors: s = sigma^L, s^(2 - 2/L) = sigma^(2L - 2)."""
    values, goals = (2, 1, 0), np.array([Fraction(5), Fraction(-1), Fraction(3)], dtype=object)
    layers, bases, _ = balanced(12, depth, values)
    target = bases[-1] @ np.diag(goals) @ bases[0].T
    rates = np.diag(power(values, 2 * depth - 2)) * (goals - np.diag(power(values, depth)))
    assert same(product_velocity(layers, target), bases[-1] @ np.diag(rates) @ bases[0].T)
