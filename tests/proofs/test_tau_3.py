"""The formulas of report/proofs/tau.3.md for ℓ(W) = Σ log cosh(W − T) and random layers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.proofs.complex_step import derivative, gradient
from tests.proofs.linear_layers import above, balanced_layers, below, flatten, flow, imbalance, product, unflatten

# Widths d_0 … d_N and singular values: full rank, rank deficient, equal values, one output, N = 1.
CASES = [([3, 3, 3], [1.2, 0.7, 0.4]), ([3, 4, 3, 2], [0.9, 0.9]), ([2, 4, 3, 5, 3], [0.8]),
         ([4, 3, 3, 3, 1], [1.1]), ([3, 2], [1.0, 0.5])]
every_case = pytest.mark.parametrize(("widths", "values"), CASES)


def targets(widths):
    return np.random.default_rng(7).normal(size=(widths[-1], widths[0]))


def loss(W, T):
    return np.log(np.cosh(W - T)).sum()


def slope(W, T):
    return np.tanh(W - T)


def velocities(layers, T):
    G = slope(product(layers, layers[0].shape[1]), T)
    return [-above(layers, j).T @ G @ below(layers, j).T for j in range(len(layers))]


def power(M, p):
    """[MMᵀ]^p from the singular values of M; the identity for p = 0."""
    if p == 0:
        return np.eye(len(M))
    U, s, _ = np.linalg.svd(M)
    s = np.append(s, np.zeros(len(M)))[:len(M)]
    return U @ np.diag(np.where(s > 1e-12 * s[0], s, 0) ** (2 * p)) @ U.T


def any_layers(rng, widths):
    return [rng.normal(size=shape) for shape in zip(widths[1:], widths[:-1])]


def end_to_end(W, G, N):
    return sum(power(W, (j - 1) / N) @ G @ power(W.T, (N - j) / N) for j in range(1, N + 1))


@every_case
def test_gradient_of_a_layer(rng, widths, values):
    layers, T = any_layers(rng, widths), targets(widths)
    steps = gradient(lambda x: loss(product(unflatten(x, widths), widths[0]), T), flatten(layers))
    assert np.abs(steps + flatten(velocities(layers, T))).max() < 1e-13


@every_case
def test_velocities_of_neighbours(rng, widths, values):
    layers = any_layers(rng, widths)
    moving = list(zip(layers, velocities(layers, targets(widths))))
    for (V, V_dot), (W, W_dot) in zip(moving[1:], moving[:-1]):
        assert np.abs(V.T @ V_dot - W_dot @ W.T).max() < 1e-13
        change = derivative(lambda t, V=V, v=V_dot, W=W, w=W_dot: (V + t * v).T @ (V + t * v)
                            - (W + t * w) @ (W + t * w).T)
        assert np.abs(change).max() < 1e-13


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2)])
@pytest.mark.parametrize("p", [0.25, 1, 1.5])
def test_powers_and_products(rng, shape, p):
    M = rng.normal(size=shape)
    M[:, 0] = 0
    assert np.abs(M.T @ power(M, p) @ M - power(M.T, p + 1)).max() < 1e-12 * np.linalg.norm(M, 2) ** (2 * p + 2)


@every_case
def test_products_of_neighbours(rng, widths, values):
    layers = balanced_layers(rng, widths, values)
    assert len(layers) == 1 or imbalance(layers) < 1e-13
    for i in range(len(layers)):
        for k in range(1, len(layers) - i + 1):
            part = product(layers[i:i + k], widths[i])
            usual = np.linalg.matrix_power(layers[i].T @ layers[i], k)
            assert np.abs(part.T @ part - usual).max() < 1e-12


@every_case
def test_power_identity(rng, widths, values):
    layers = balanced_layers(rng, widths, values)
    N, W = len(layers), product(layers, widths[0])
    for j in range(1, N + 1):
        first, last = product(layers[:j], widths[0]), product(layers[j - 1:], widths[j - 1])
        assert np.abs(first.T @ first - power(W.T, j / N)).max() < 1e-12
        assert np.abs(first.T @ first - np.linalg.matrix_power(layers[0].T @ layers[0], j)).max() < 1e-12
        assert np.abs(last @ last.T - power(W, (N - j + 1) / N)).max() < 1e-12


def test_power_identity_along_the_flow(rng):
    """And it fails from a start that is not balanced."""
    widths, T = [2, 3, 3, 2], targets([2, 2])
    for layers, holds in ((balanced_layers(rng, widths, [0.9, 0.6]), True), (any_layers(rng, widths), False)):
        end = unflatten(flow(lambda x: flatten(velocities(unflatten(x, widths), T)), flatten(layers), [1.5])[0], widths)
        first, W = end[0], product(end, 2)
        assert np.abs(flatten(end) - flatten(layers)).max() > 0.1
        assert (np.abs(first.T @ first - power(W.T, 1 / 3)).max() < 1e-8) == holds


@every_case
def test_velocity_of_the_product(rng, widths, values):
    layers, T = any_layers(rng, widths), targets(widths)
    steps, G = velocities(layers, T), slope(product(layers, widths[0]), T)
    moving = derivative(lambda t: product([W + t * D for W, D in zip(layers, steps)], widths[0]))
    squares = -sum(above(layers, i) @ above(layers, i).T @ G @ below(layers, i).T @ below(layers, i)
                   for i in range(len(layers)))
    scale = np.abs(squares).max()
    assert np.abs(moving - squares).max() < 1e-13 * scale
    assert np.abs(sum(above(layers, i) @ steps[i] @ below(layers, i) for i in range(len(layers))) - squares).max() < (
        1e-13 * scale)


@every_case
def test_end_to_end_velocity(rng, widths, values):
    layers, T = balanced_layers(rng, widths, values), targets(widths)
    steps, W = velocities(layers, T), product(layers, widths[0])
    moving = derivative(lambda t: product([V + t * D for V, D in zip(layers, steps)], widths[0]))
    assert np.abs(moving + end_to_end(W, slope(W, T), len(layers))).max() < 1e-12


@pytest.mark.parametrize("N", [1, 2, 3, 4])
def test_velocity_with_one_output(rng, N):
    widths = [3, *[2] * (N - 1), 1]
    layers, T = balanced_layers(rng, widths, [0.8]), targets(widths)
    steps, w = velocities(layers, T), product(layers, 3)[0]
    moving = derivative(lambda t: product([V + t * D for V, D in zip(layers, steps)], 3))[0]
    g, size = slope(w, T[0]), np.linalg.norm(w)
    assert moving == pytest.approx(-(size ** (2 - 2 / N)) * (g + (N - 1) * (w @ g) / size ** 2 * w), abs=1e-13)
    P = np.outer(w, w) / size ** 2
    assert moving == pytest.approx(-(size ** (2 - 2 / N)) * (N * P @ g + (np.eye(3) - P) @ g), abs=1e-13)
    assert N == 1 or not np.any(end_to_end(np.zeros((1, 3)), g[None], N) @ np.ones(3))


@pytest.mark.parametrize("N", [1, 2, 3, 4])
def test_terms_with_one_output(rng, N):
    w, g = rng.normal(size=(2, 3))
    size = np.linalg.norm(w)
    for j in range(1, N + 1):
        term = (power(w[None], (j - 1) / N) @ g[None] @ power(w[:, None], (N - j) / N))[0]
        along = (g @ w) * w / size ** 2 if j < N else g
        assert term == pytest.approx(size ** (2 - 2 / N) * along, abs=1e-13)


def test_gradient_of_symmetric_factors(rng):
    U, D, T = rng.normal(size=(3, 3, 3))
    G = slope(U @ U.T, T)
    change = derivative(lambda s: loss((U + s * D) @ (U + s * D).T, T))
    assert change == pytest.approx((G * (D @ U.T + U @ D.T)).sum())
    assert change == pytest.approx(((G @ U) * D).sum() + ((G.T @ U) * D).sum())


def test_symmetric_factors(rng):
    U, T = rng.normal(size=(2, 3, 3))
    step = -gradient(lambda V: loss(V @ V.T, T), U)
    W, G = U @ U.T, slope(U @ U.T, T)
    moving = derivative(lambda t: (U + t * step) @ (U + t * step).T)
    assert np.abs(moving + (G + G.T) @ W + W @ (G + G.T)).max() < 1e-12
    assert np.abs(moving + 2 * (G @ W + W @ G)).max() > 0.1
    corner = derivative(lambda t: (np.eye(2) - t * gradient(lambda V: (V @ V.T)[0, 1], np.eye(2)))
                        @ (np.eye(2) - t * gradient(lambda V: (V @ V.T)[0, 1], np.eye(2))).T)
    assert corner[1, 0] == -2


@pytest.mark.parametrize(("widths", "values"), CASES[:4])
@pytest.mark.parametrize("eta", [0.3, 0.01])
def test_one_update_of_the_layers(rng, widths, values, eta):
    layers, T = balanced_layers(rng, widths, values), targets(widths)
    N, W = len(layers), product(layers, widths[0])
    G = slope(W, T)
    stepped = product([V + eta * D for V, D in zip(layers, velocities(layers, T))], widths[0])
    rest = np.linalg.norm(stepped - (W - eta * end_to_end(W, G, N)), 2)
    a, gamma = max(values), np.linalg.norm(G, 2)
    bound = (a + eta * gamma * a ** (N - 1)) ** N - a ** N - N * eta * gamma * a ** (2 * N - 2)
    assert rest <= bound + 1e-14
    assert rest > 1e-3 * bound
    assert bound < 2 ** N * (1 + eta * gamma * a ** (N - 2)) ** N * a ** N * (eta * gamma * a ** (N - 2)) ** 2


@every_case
def test_balance_after_one_update(rng, widths, values):
    layers, eta = any_layers(rng, widths), 0.1
    steps = velocities(layers, targets(widths))
    for (V, v), (W, w) in zip(list(zip(layers, steps))[1:], list(zip(layers, steps))[:-1]):
        before = V.T @ V - W @ W.T
        after = (V + eta * v).T @ (V + eta * v) - (W + eta * w) @ (W + eta * w).T
        assert np.abs(after - before - eta ** 2 * (v.T @ v - w @ w.T)).max() < 1e-13 * (1 + np.abs(before).max())


def scalar_velocity(w, N, target):
    g, size = w - target, np.linalg.norm(w)
    return -(size ** (2 - 2 / N)) * (g + (N - 1) * (w @ g) / size ** 2 * w)


PENDULUM_START = np.array([1.0, 0.0])


def pendulum(x):
    """‖DF‖ ≤ 1 everywhere."""
    return np.array([x[1], -math.sin(x[0])])


@pytest.mark.parametrize("eta", [0.1, 0.01])
def test_euler_method(eta):
    """|x_1| ≤ 1 and |x_2| ≤ 0.96 on the way, so that ‖F‖ ≤ 1.5 = B within a distance of 0.15."""
    T, B = 1.0, 1.5
    exact = flow(pendulum, PENDULUM_START, np.arange(round(T / eta) + 1) * eta)
    x, errors = PENDULUM_START, []
    for k in range(len(exact)):
        errors.append(np.linalg.norm(x - exact[k]))
        assert np.linalg.norm(pendulum(x)) <= B
        x = x + eta * pendulum(x)
    assert max(errors) <= B * eta / 2 * (math.e - 1) <= 0.15
    assert max(errors) > 0.2 * B * eta / 2 * (math.e - 1)


def test_euler_method_on_growth():
    """x′ = Λx is the extreme case of a local error: ‖ẍ‖ = ΛB at the end."""
    T, rate, eta = 1.0, 1.5, 1e-3
    B = rate * math.exp(rate * T)
    error = math.exp(rate * T) - (1 + rate * eta) ** round(T / eta)
    assert 0.6 * B * eta / 2 * T * rate < error < B * eta / 2 * (math.exp(rate * T) - 1)


@pytest.mark.parametrize("eta", [0.1, 0.01])
def test_local_error_of_euler_method(eta):
    """‖DF‖ ≤ 1, and B the greatest speed on the way."""
    times = np.linspace(0, 1, 11)
    now, later = flow(pendulum, PENDULUM_START, times), flow(pendulum, PENDULUM_START, times + eta)
    B = max(np.linalg.norm(pendulum(x)) for x in [*now, *later])
    local = [np.linalg.norm(y - x - eta * pendulum(x)) for x, y in zip(now, later)]
    assert max(local) <= B * eta ** 2 / 2 + 1e-10
    assert max(local) > 0.4 * B * eta ** 2 / 2


@pytest.mark.parametrize(("rate", "eta", "k"), [(1.5, 0.1, 7), (0.3, 0.01, 40), (2.0, 0.5, 1)])
def test_sum_of_local_errors(rate, eta, k):
    """The recursion with equality, B = 1.3."""
    error = 0.0
    for _ in range(k):
        error = (1 + eta * rate) * error + rate * 1.3 * eta ** 2 / 2
    assert error == pytest.approx(rate * 1.3 * eta ** 2 / 2 * sum((1 + eta * rate) ** i for i in range(k)))
    assert error == pytest.approx(1.3 * eta / 2 * ((1 + eta * rate) ** k - 1))
    assert error <= 1.3 * eta / 2 * (math.exp(rate * k * eta) - 1)


def distances(layers, target, eta, T):
    """Between products of layers and end-to-end iterates, ℓ = ½‖w − target‖²."""
    N, w, found = len(layers), product(layers, len(target))[0], []
    for _ in range(round(T / eta)):
        g = product(layers, len(target)) - target
        layers = [W - eta * above(layers, j).T @ g @ below(layers, j).T for j, W in enumerate(layers)]
        w = w + eta * scalar_velocity(w, N, target)
        found.append(np.linalg.norm(product(layers, len(target))[0] - w))
    return max(found)


@pytest.mark.parametrize("N", [2, 3, 4])
def test_update_follows_balanced_layers(rng, N):
    """Halving the step halves the distance; from layers that are not balanced it stays as it is."""
    widths, target = [3, *[2] * (N - 1), 1], rng.normal(size=3)
    layers = balanced_layers(rng, widths, [0.8])
    coarse, fine = (distances(layers, target, eta, 2.0) for eta in (0.01, 0.005))
    assert coarse / fine == pytest.approx(2, abs=0.1)
    layers = [layers[0] * 2, *layers[1:-1], layers[-1] / 2]
    coarse, fine = (distances(layers, target, eta, 2.0) for eta in (0.01, 0.005))
    assert coarse / fine == pytest.approx(1, abs=0.1)


def test_two_numbers_that_are_not_balanced(rng):
    for V1, V2 in rng.normal(size=(10, 2)):
        layers = [np.array([[V1]]), np.array([[V2]])]
        g = np.array([[0.7]])
        by_layers = -sum(above(layers, j) ** 2 @ g @ below(layers, j) ** 2 for j in range(2))
        by_product = -end_to_end(product(layers, 1), g, 2)
        assert by_layers[0, 0] == pytest.approx(-(V1 ** 2 + V2 ** 2) * 0.7)
        assert by_product[0, 0] == pytest.approx(-2 * abs(V1 * V2) * 0.7)
        assert V1 ** 2 + V2 ** 2 - 2 * abs(V1 * V2) == pytest.approx((abs(V1) - abs(V2)) ** 2, abs=1e-14)
    assert (2 ** 2 + 0.5 ** 2) / (2 * 2 * 0.5) == 17 / 8
