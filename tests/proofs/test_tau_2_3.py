"""The formulas of report/proofs/tau.2.3.md for random square factors."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from tests.proofs.complex_step import derivative, gradient, hessian, second_derivative

DEPTHS = [1, 2, 3, 4]
SIZE = 3

every_depth = pytest.mark.parametrize("depth", DEPTHS)


def product(factors):
    """W_N ⋯ W_1 for factors W_1, W_2, …; the identity for none."""
    return reduce(lambda above, W: W @ above, factors, np.eye(SIZE))


def moved(factors, directions, t):
    return product([W + t * D for W, D in zip(factors, directions)])


def log_cosh(W):
    return np.log(np.cosh(W)).sum()


def form(loss, factors, directions):
    """∇²φ[D, D] from the values of φ alone."""
    return second_derivative(lambda t: loss(moved(factors, directions, t)))


def draws(rng, depth, scale=1.0):
    return scale * rng.normal(size=(2, depth, SIZE, SIZE))


def product_derivatives(W, D):
    """The two sums of the proof, factors numbered from 0."""
    N = len(W)
    first = sum(product(W[j + 1:]) @ D[j] @ product(W[:j]) for j in range(N))
    second = 2 * sum(product(W[j + 1:]) @ D[j] @ product(W[i + 1:j]) @ D[i] @ product(W[:i])
                     for j in range(N) for i in range(j)) + np.zeros((SIZE, SIZE))
    return first, second


def in_balls(rng, depth):
    W, D = draws(rng, depth)
    return W / np.linalg.norm(W, axis=(1, 2), keepdims=True) * rng.uniform(0.5, 1, (depth, 1, 1)), D


def test_one_factor_is_a_counterexample(rng):
    V, W, T = rng.normal(size=(3, SIZE, SIZE))
    slopes = [gradient(lambda M: ((M - T) ** 2).sum() / 2, M) for M in (V, W)]
    assert np.abs(slopes[1] - (W - T)).max() < 1e-14
    assert np.linalg.norm(slopes[0] - slopes[1]) == pytest.approx(np.linalg.norm(V - W))


@every_depth
def test_derivatives_of_the_product(rng, depth):
    W, D = draws(rng, depth)
    first, second = product_derivatives(W, D)
    assert np.abs(derivative(lambda t: moved(W, D, t)) - first).max() < 1e-12
    assert np.abs(second_derivative(lambda t: moved(W, D, t)) - second).max() < 1e-9


@every_depth
def test_second_derivative_of_the_loss(rng, depth):
    W, D = draws(rng, depth, 0.5)
    first, second = product_derivatives(W, D)
    P = product(W)
    inner = (first ** 2 / np.cosh(P) ** 2).sum()
    assert form(log_cosh, W, D) == pytest.approx(inner + (np.tanh(P) * second).sum(), abs=1e-8)


@every_depth
def test_derivatives_of_the_product_in_the_balls(rng, depth):
    for _ in range(20):
        W, D = in_balls(rng, depth)
        first, second = product_derivatives(W, D)
        norms = np.linalg.norm(D, axis=(1, 2))
        assert np.linalg.norm(first) <= norms.sum()
        assert np.linalg.norm(second) <= 2 * sum(norms[i] * norms[j] for j in range(depth) for i in range(j)) + 1e-12


@every_depth
def test_sum_over_pairs(rng, depth):
    for _ in range(20):
        n = rng.exponential(size=depth)
        pairs = 2 * sum(n[i] * n[j] for j in range(depth) for i in range(j))
        assert pairs == pytest.approx(n.sum() ** 2 - (n ** 2).sum(), abs=1e-12)
        assert pairs <= (depth - 1) * (n ** 2).sum() + 1e-12
    equal = np.ones(depth)
    assert equal.sum() ** 2 - (equal ** 2).sum() == (depth - 1) * (equal ** 2).sum()


@every_depth
def test_curvature_in_the_balls(rng, depth):
    """ℓ = Σ log cosh: the greatest ‖∇²ℓ‖ on the ball is 1, and ‖∇ℓ‖ ≤ ‖W‖ ≤ 1 there."""
    for _ in range(10):
        W, D = in_balls(rng, depth)
        first, second = product_derivatives(W, D)
        middle = np.linalg.norm(first) ** 2 + np.linalg.norm(second)
        assert abs(form(log_cosh, W, D)) <= middle + 1e-9
        assert middle <= (depth + (depth - 1)) * (D ** 2).sum() + 1e-12


@every_depth
def test_the_bound_in_the_balls_is_attained(depth):
    corner = np.zeros((SIZE, SIZE))
    corner[0, 0] = 1
    factors = [corner] * depth
    curvature = form(lambda W: ((W + corner) ** 2).sum() / 2, factors, factors)
    assert curvature == pytest.approx(depth ** 2 + 2 * depth * (depth - 1), abs=1e-8)
    assert depth ** 2 + 2 * depth * (depth - 1) == (depth * 1 + (depth - 1) * 2) * depth
    assert np.linalg.norm(gradient(lambda W: ((W + corner) ** 2).sum() / 2, corner)) == pytest.approx(2)


def test_affine_loss_of_two_factors(rng):
    C, D = rng.normal(size=(SIZE, SIZE)), rng.normal(size=(2, SIZE, SIZE))
    for scale in (0.0, 1.0, 100.0):
        W = scale * rng.normal(size=(2, SIZE, SIZE))
        curvature = form(lambda P: (C * P).sum() + 3.0, W, D)
        assert curvature == pytest.approx(2 * (C * (D[1] @ D[0])).sum(), abs=1e-9 * (1 + scale))


def rescaled(depth, W, c):
    return [W / c, *[np.eye(SIZE)] * (depth - 2), c * np.eye(SIZE)]


@pytest.mark.parametrize("depth", DEPTHS[1:])
def test_curvature_along_the_rescaling(rng, depth):
    W, D = rng.normal(size=(2, SIZE, SIZE))
    inner = (D ** 2 / np.cosh(W) ** 2).sum()
    directions = [D, *[np.zeros((SIZE, SIZE))] * (depth - 1)]
    for c in (0.5, 1.0, 4.0):
        assert np.abs(product(rescaled(depth, W, c)) - W).max() < 1e-14
        assert form(log_cosh, rescaled(depth, W, c), directions) == pytest.approx(c ** 2 * inner, rel=1e-6)


@pytest.mark.parametrize("depth", DEPTHS[1:])
def test_derivatives_along_the_rescaling(rng, depth):
    """Against the values of the product, all directions at once."""
    W, c, last = rng.normal(size=(SIZE, SIZE)), 3.0, depth - 1
    D, middle = rng.normal(size=(depth, SIZE, SIZE)), range(1, depth - 1)
    first = c * D[0] + sum(D[j] @ W for j in middle) + D[last] @ W / c
    second = (2 * c * sum(D[j] @ D[0] for j in middle) + 2 * D[last] @ D[0]
              + 2 * sum(D[j] @ D[i] @ W for j in middle for i in middle if i < j)
              + 2 / c * sum(D[last] @ D[i] @ W for i in middle))
    factors = rescaled(depth, W, c)
    assert np.abs(derivative(lambda t: moved(factors, D, t)) - first).max() < 1e-12
    assert np.abs(second_derivative(lambda t: moved(factors, D, t)) - second).max() < 1e-8


@pytest.mark.parametrize("depth", DEPTHS[1:])
def test_growth_of_the_curvature_along_the_rescaling(rng, depth):
    C, W = rng.normal(size=(2, 2, 2))

    def curvature(loss, c):
        factors = np.array([W / c, *[np.eye(2)] * (depth - 2), c * np.eye(2)])
        return np.linalg.norm(hessian(lambda x: loss(reduce(lambda above, V: V @ above, x.reshape(depth, 2, 2))),
                                      factors.ravel(), step=1e-6), 2)

    assert curvature(log_cosh, 1e3) / 1e6 == pytest.approx((1 / np.cosh(W) ** 2).max(), rel=1e-2)
    affine = curvature(lambda P: (C * P).sum(), 1e3) / 1e3
    assert affine == pytest.approx(np.sqrt(depth - 2) * np.linalg.norm(C, 2), rel=1e-2, abs=1e-2)


@pytest.mark.parametrize("depth", DEPTHS[2:])
def test_affine_loss_of_three_factors(rng, depth):
    C, D = rng.normal(size=(2, SIZE, SIZE))
    directions = [D, np.eye(SIZE), *[np.zeros((SIZE, SIZE))] * (depth - 2)]
    for c in (1.0, 10.0):
        factors = [*[np.eye(SIZE)] * (depth - 1), c * np.eye(SIZE)]
        curvature = form(lambda P: (C * P).sum(), factors, directions)
        assert curvature == pytest.approx(2 * c * (C * D).sum(), rel=1e-8)
        assert sum((d ** 2).sum() for d in directions) == pytest.approx((D ** 2).sum() + SIZE)
