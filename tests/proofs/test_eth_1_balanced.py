"""The formulas of report/proofs/eth.1c.md to eth.1f.md, in exact arithmetic.

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
from tests.proofs.sensing_layers import derivative, free, inner, moved, same, span, velocities

SEEDS, DEPTHS = st.integers(0, 2**32 - 1), st.integers(1, 4)
VALUES = [(3, 2, 1), (2, 2, 1), (2, 1, 0), (1, 0, 0), (3, 3, 3)]


def power(values, exponent):
    return np.diag(np.array([Fraction(value) ** exponent for value in values], dtype=object))


def balanced(seed, depth, values):
    """Layers, their bases Q_1, ..., Q_{L+1}, and a target."""
    rng = np.random.default_rng(seed)
    bases = [orthogonal(rng, len(values)) for _ in range(depth + 1)]
    layers = [bases[k + 1] @ power(values, 1) @ bases[k].T for k in range(depth)]
    return layers, bases, fractions(rng, len(values), len(values))


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
