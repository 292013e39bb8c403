"""The formulas of report/proofs/tau.2.4.md: velocities and Hessians of layers against those of the product."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import sqrtm
from scipy.special import hyp2f1

from tests.proofs.complex_step import derivative, gradient, hessian
from tests.proofs.linear_layers import above, balanced_layers, below, flatten, flow, imbalance, product, unflatten

DEPTHS = [2, 3, 4]
every_depth = pytest.mark.parametrize("depth", DEPTHS)
deep = pytest.mark.parametrize("depth", DEPTHS[1:])


def widths(depth, inputs=3):
    return [inputs, *[2, 3, 2][:depth - 1], 1]


def loss(layers, S, q):
    w = product(layers, len(q))[0]
    return w @ S @ w / 2 - q @ w


def gradients(layers, S, q):
    g = S @ product(layers, len(q))[0] - q
    return [above(layers, j).T @ g[None] @ below(layers, j).T for j in range(len(layers))]


def velocity_of_product(layers, S, q):
    """ẇ under gradient flow, by the product rule."""
    steps = gradients(layers, S, q)
    return -sum(above(layers, j) @ step @ below(layers, j) for j, step in enumerate(steps))[0]


def towards(rng, depth, a, direction):
    """Balanced layers of norm a with the product along a unit vector."""
    layers = balanced_layers(rng, widths(depth, len(direction)), [a])
    w = product(layers, len(direction))[0] / a ** depth
    mirror = w - direction
    if np.linalg.norm(mirror) > 1e-12:
        layers[0] = layers[0] @ (np.eye(len(w)) - 2 * np.outer(mirror, mirror) / (mirror @ mirror))
    return layers


def layer_flow(layers, S, q, times):
    shape = [layers[0].shape[1], *[len(W) for W in layers]]

    def velocity(x):
        return -flatten(gradients(unflatten(x, shape), S, q))

    return [unflatten(x, shape) for x in flow(velocity, flatten(layers), times)]


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_gradients_of_the_layers(rng):
    layers, q = balanced_layers(rng, widths(3), [0.8]), rng.normal(size=3)
    S = np.diag([0.3, 1.0, 2.0])
    by_steps = gradient(lambda x: loss(unflatten(x, widths(3)), S, q), flatten(layers))
    assert np.abs(by_steps - flatten(gradients(layers, S, q))).max() < 1e-14


@every_depth
def test_balanced_layers_have_one_direction(rng, depth):
    """Layers made from the top by matrix roots and random rotations, not from the normal form."""
    layers = [rng.normal(size=(1, 3))]
    for _ in range(depth - 1):
        root = np.real(sqrtm(layers[0].T @ layers[0] + 0j))
        layers.insert(0, root @ np.linalg.qr(rng.normal(size=(3, 3)))[0])
    w = product(layers, 3)[0]
    a = np.linalg.norm(w) ** (1 / depth)
    assert imbalance(layers) < 1e-12
    directions = [np.ones(1)]
    for W in layers[::-1]:
        u = directions[0]
        directions.insert(0, W.T @ u / a)
        assert np.linalg.norm(directions[0]) == pytest.approx(1)
        assert np.abs(W - a * np.outer(u, directions[0])).max() < 1e-7
    assert directions[0] == pytest.approx(unit(w))


@every_depth
def test_aligned_velocity(rng, depth):
    q = rng.normal(size=3)
    for s in (0.1, 0.9):
        layers = towards(rng, depth, s ** (1 / depth), unit(q))
        right = depth * s ** (2 - 2 / depth) * (np.linalg.norm(q) - s) * unit(q)
        assert velocity_of_product(layers, np.eye(3), q) == pytest.approx(right, abs=1e-13)


def half_time(depth, start, target):
    """From the layers' norm at the start, by the formulas of the theorem."""
    s0 = start ** depth
    if depth == 2:
        return math.log((target - s0) / s0) / (2 * target)
    end = (target / 2) ** (1 / depth)
    power = (start ** -(depth - 2) - end ** -(depth - 2)) / ((depth - 2) * target)
    return power + quad(lambda a: a / (target - a ** depth), start, end)[0] / target


@every_depth
@pytest.mark.parametrize("target", [0.5, 3.0])
def test_half_times(depth, target):
    s0 = 0.02 * target
    time = quad(lambda s: 1 / (depth * s ** (2 - 2 / depth) * (target - s)), s0, target / 2, epsrel=1e-11)[0]
    assert half_time(depth, s0 ** (1 / depth), target) == pytest.approx(time, rel=1e-8)


@every_depth
def test_half_time_of_the_layers(rng, depth):
    q, a = unit(rng.normal(size=3)) * 1.3, 0.5
    time = half_time(depth, a, 1.3)
    layers = layer_flow(towards(rng, depth, a, unit(q)), np.eye(3), q, [time])[0]
    assert product(layers, 3)[0] == pytest.approx(q / 2, abs=1e-8)


@every_depth
def test_integrands_of_the_half_time(depth):
    target, s = 1.7, 0.4
    a = s ** (1 / depth)
    s_dot = depth * s ** (2 - 2 / depth) * (target - s)
    assert derivative(lambda x: x ** (1 / depth), s) * s_dot == pytest.approx(a ** (depth - 1) * (target - a ** depth))
    assert (1 / (target * a ** (depth - 1)) + a / (target * (target - a ** depth))
            == pytest.approx(1 / (a ** (depth - 1) * (target - a ** depth))))
    slope = derivative(lambda x: np.log(x / (target - x)) / (2 * target), s)
    middle = (1 / s + 1 / (target - s)) / (2 * target)
    assert slope == pytest.approx(middle)
    assert middle == pytest.approx(1 / (2 * s * (target - s)))


@deep
def test_half_time_from_a_small_start(depth):
    for target, start in ((0.8, 0.1), (0.8, 0.01), (2.5, 0.2)):
        end = (target / 2) ** (1 / depth)
        constant = (quad(lambda a, t=target: a / (t - a ** depth), 0, end)[0] / target
                    - end ** -(depth - 2) / ((depth - 2) * target))
        rest = half_time(depth, start, target) - 1 / ((depth - 2) * start ** (depth - 2) * target) - constant
        slack = 1e-10 * half_time(depth, start, target)
        assert -start ** 2 / target ** 2 - slack <= rest <= slack
        assert rest + slack < -0.4 * start ** 2 / target ** 2 or slack > 1e-3 * start ** 2


@every_depth
def test_ratio_of_times_of_halved_starts(depth):
    times = [half_time(depth, a, 1.5) for a in (1e-2, 5e-3, 2.5e-3)]
    assert (times[2] - times[1]) / (times[1] - times[0]) == pytest.approx(2 ** (depth - 2), rel=1e-3)


@deep
def test_antiderivative_of_the_half_time(depth):
    target, p = 1.4, 2 - 2 / depth
    cuts = (0.1, 0.6)
    series = [sum(s ** (k + 1 - p) / (depth * (k + 1 - p) * target ** (k + 1)) for k in range(80)) for s in cuts]
    gauss = [s ** (1 - p) / (depth * (1 - p) * target) * hyp2f1(1, 1 - p, 2 - p, s / target) for s in cuts]
    assert series == pytest.approx(gauss, rel=1e-12)
    time = quad(lambda s: 1 / (depth * s ** p * (target - s)), *cuts, epsrel=1e-12)[0]
    assert gauss[1] - gauss[0] == pytest.approx(time, rel=1e-10)


def at_angle(rng, depth, a, theta, norm=1.3):
    """Layers of norm a whose product has the angle θ to q, and q."""
    q, other = norm * np.array([1.0, 0, 0]), np.array([0, 0.6, 0.8])
    return towards(rng, depth, a, math.cos(theta) * unit(q) + math.sin(theta) * other), q


@every_depth
@pytest.mark.parametrize("theta", [0.3, 1.9])
def test_rotating_velocities(rng, depth, theta):
    a = 0.7
    layers, q = at_angle(rng, depth, a, theta)
    w, norm = product(layers, 3)[0], np.linalg.norm(q)
    w_dot = velocity_of_product(layers, np.zeros((3, 3)), q)

    def along(function):
        return derivative(lambda t: function(w + t * w_dot))

    def length(v):
        return np.sqrt((v ** 2).sum())

    a_dot = a ** (depth - 1) * norm * math.cos(theta)
    theta_dot = -a ** (depth - 2) * norm * math.sin(theta)
    turn = a ** (depth - 2) * (q - (unit(w) @ q) * unit(w))
    assert along(length) == pytest.approx(depth * length(w) ** (2 - 2 / depth) * norm * math.cos(theta))
    assert along(lambda v: length(v) ** (1 / depth)) == pytest.approx(a_dot)
    assert along(lambda v: v / length(v)) == pytest.approx(turn, abs=1e-14)
    assert along(lambda v: unit(q) @ v / length(v)) == pytest.approx(-math.sin(theta) * theta_dot)
    assert a_dot / a + theta_dot / math.tan(theta) == pytest.approx(0, abs=1e-13)


def angle(layers, q):
    return math.acos(unit(product(layers, 3)[0]) @ unit(q))


@deep
def test_time_of_the_rotation(rng, depth):
    """To a small angle, where the rest of the time is at most ∫ θ^{N−3}; a sin θ is kept on the way."""
    a, theta, final = 0.7, 1.9, 0.15
    layers, q = at_angle(rng, depth, a, theta)
    constant = a * math.sin(theta)

    def time(start, end):
        return quad(lambda x: math.sin(x) ** (depth - 3), end, start)[0] / (constant ** (depth - 2) * 1.3)

    half, end = layer_flow(layers, np.zeros((3, 3)), q, [time(theta, 0.9), time(theta, final)])
    assert [angle(half, q), angle(end, q)] == pytest.approx([0.9, final], rel=1e-6)
    for now in (half, end):
        norm = np.linalg.norm(now[0])
        assert norm * math.sin(angle(now, q)) == pytest.approx(constant)
    rest = time(theta, 0) - time(theta, final)
    assert 0 < rest <= final ** (depth - 2) / (depth - 2) / (constant ** (depth - 2) * 1.3)
    x, step = 0.9, 1e-5
    speed = -2 * step / (time(theta, x - step) - time(theta, x + step))
    assert speed == pytest.approx(-(constant ** (depth - 2)) * 1.3 * math.sin(x) ** (3 - depth), rel=1e-6)


@deep
def test_time_of_a_small_rotation(depth):
    for theta in (1e-2, 1e-3):
        ratio = quad(lambda x: math.sin(x) ** (depth - 3), 0, theta)[0] / math.sin(theta) ** (depth - 2)
        assert ratio == pytest.approx(1 / (depth - 2), abs=theta ** 2)


@pytest.mark.parametrize("theta", [0.3, 1.9])
def test_growth_of_two_layers(rng, theta):
    a = 0.4
    layers, q = at_angle(rng, 2, a, theta)
    limit = a ** 2 * math.cos(theta / 2) ** 4
    assert np.linalg.norm(layers[0] @ unit(q) + layers[1][0]) ** 2 / 4 == pytest.approx(limit)
    for t, now in zip((1.0, 8.0), layer_flow(layers, np.zeros((3, 3)), q, [1.0, 8.0])):
        grown, x = np.linalg.norm(product(now, 3)) * math.exp(-2 * 1.3 * t), angle(now, q)
        assert grown == pytest.approx(limit / math.cos(x / 2) ** 4, rel=1e-6)
        assert grown == pytest.approx(a ** 2 * math.sin(theta) ** 2 / (4 * math.tan(theta / 2) ** 2
                                                                       * math.cos(x / 2) ** 4), rel=1e-6)
    assert grown == pytest.approx(limit, rel=1e-4)


def test_growth_of_two_layers_that_are_not_balanced(rng):
    q, first, last = rng.normal(size=3), 0.3 * rng.normal(size=(2, 3)), 0.3 * rng.normal(size=(1, 2))
    norm = np.linalg.norm(q)
    limit = np.linalg.norm(first @ unit(q) + last[0]) ** 2 / 4
    for t, now in zip((1.0, 6.0), layer_flow([first, last], np.zeros((3, 3)), q, [1.0, 6.0])):
        w = product(now, 3)[0]
        for sign in (1, -1):
            start = first @ unit(q) + sign * last[0]
            moved = now[0] @ unit(q) + sign * now[1][0]
            assert moved == pytest.approx(np.exp(sign * norm * t) * start, abs=1e-6 * np.exp(norm * t))
        plus, minus = (np.linalg.norm(now[0] @ unit(q) + sign * now[1][0]) ** 2 for sign in (1, -1))
        assert w @ unit(q) == pytest.approx((plus - minus) / 4)
        assert now[0] @ (np.eye(3) - np.outer(unit(q), unit(q))) == pytest.approx(
            first @ (np.eye(3) - np.outer(unit(q), unit(q))), abs=1e-6)
    assert np.linalg.norm(w) * np.exp(-2 * norm * t) == pytest.approx(limit, rel=1e-2)
    assert imbalance([first, last]) > 0.01


def normal_form(depth, a, q):
    shape = widths(depth)
    layers = [np.zeros((rows, columns)) for rows, columns in zip(shape[1:], shape[:-1])]
    layers[0][0] = a * unit(q)
    for W in layers[1:]:
        W[0, 0] = a
    return layers


@every_depth
def test_quadratic_form_of_the_aligned_path(rng, depth):
    q, a = rng.normal(size=3), 0.6
    layers = normal_form(depth, a, q)
    D = [rng.normal(size=W.shape) for W in layers]
    r = np.linalg.norm(q) - a ** depth
    corner = [D[0][0] @ unit(q), *[d[0, 0] for d in D[1:]]]
    rho = [D[0][0] - corner[0] * unit(q), *[d[0, 1:] for d in D[1:]]]
    kappa = [D[0][1:] @ unit(q), *[d[1:, 0] for d in D[1:]]]
    pairs = sum(corner[i] * corner[j] for j in range(depth) for i in range(j))
    mixed = sum(rho[i + 1] @ kappa[i] for i in range(depth - 1))

    def path(t):
        return product([W + t * d for W, d in zip(layers, D)], 3)[0]

    first = a ** (depth - 1) * (sum(corner) * unit(q) + rho[0])
    assert derivative(path) == pytest.approx(first, abs=1e-13)
    coefficients = np.polynomial.polynomial.polyfit(x := np.linspace(-1, 1, depth + 1), [path(t) @ unit(q) for t in x],
                                                    depth)
    assert 2 * coefficients[2] == pytest.approx(2 * a ** (depth - 2) * (pairs + mixed), abs=1e-9)
    form = (a ** (2 * depth - 2) * (sum(corner) ** 2 + rho[0] @ rho[0]) - 2 * r * a ** (depth - 2) * (pairs + mixed))
    assert first @ first - r * 2 * coefficients[2] == pytest.approx(form, abs=1e-9)
    flat = flatten(D)
    matrix = hessian(lambda x: loss(unflatten(x, widths(depth)), np.eye(3), q), flatten(layers))
    assert flat @ matrix @ flat == pytest.approx(form, abs=1e-7)


def spectrum(depth, s, target, shape):
    a, r = s ** (1 / depth), target - s
    hidden = sum(d - 1 for d in shape[1:-1])
    zeros = sum((d - 1) * (e - 1) for d, e in zip(shape[1:-1], shape[:-2]))
    small = r * a ** (depth - 2)
    return np.sort([a ** (depth - 2) * (depth * s - (depth - 1) * r), *[small] * (depth - 1 + hidden),
                    *[-small] * hidden, *[a ** (2 * depth - 2)] * (shape[0] - 1), *[0.0] * zeros])


@every_depth
@pytest.mark.parametrize("share", [0.2, 0.8, 1.3])
def test_spectrum_of_the_aligned_path(rng, depth, share):
    """Layers in random bases, not in the normal form."""
    q = rng.normal(size=3)
    target = np.linalg.norm(q)
    layers = towards(rng, depth, (share * target) ** (1 / depth), unit(q))
    matrix = hessian(lambda x: loss(unflatten(x, widths(depth)), np.eye(3), q), flatten(layers))
    assert np.abs(np.linalg.eigvalsh(matrix) - spectrum(depth, share * target, target, widths(depth))).max() < 1e-7


@deep
def test_least_curvature_of_the_path(depth):
    N, target = depth, 1.7
    s, one = (N - 2) / (2 * (2 * N - 1)), (N - 2) / (2 * (N - 1))

    def first(x):
        return x ** (1 - 2 / N) * ((2 * N - 1) * x - (N - 1))

    def second(x):
        return -(x ** (1 - 2 / N)) * (1 - x)

    linear = (N - 2) / N * ((2 * N - 1) * s - (N - 1)) + (2 * N - 1) * s
    assert linear == pytest.approx(0, abs=1e-14)
    assert derivative(first, s) == pytest.approx(0, abs=1e-14)
    assert derivative(second, one) == pytest.approx(0, abs=1e-14)
    assert first(one) == pytest.approx(second(one))
    assert (2 * N - 1) * one - (N - 1) == pytest.approx(-(1 - one))
    grid = np.linspace(1e-4, 1 - 1e-4, 2000) * target
    least = [spectrum(N, x, target, widths(N))[0] for x in grid]
    assert grid[np.argmin(least)] == pytest.approx(s * target, abs=2e-3)
    assert min(least) == pytest.approx(target ** (2 - 2 / N) * first(s), rel=1e-5)
    assert spectrum(2, 0.3, target, widths(2))[0] == pytest.approx(-(target - 0.3))


@every_depth
def test_jacobian_of_the_product(rng, depth):
    shape = widths(depth)
    layers = [rng.normal(size=size) for size in zip(shape[1:], shape[:-1])]
    rows = [gradient(lambda x, i=i: product(unflatten(x, shape), 3)[0, i], flatten(layers)) for i in range(3)]
    jacobian = np.array(rows)
    D = [rng.normal(size=W.shape) for W in layers]
    parts = [(below(layers, j), above(layers, j)[0]) for j in range(depth)]
    assert jacobian @ flatten(D) == pytest.approx(sum(P.T @ d.T @ a for d, (P, a) in zip(D, parts)))
    squares = jacobian @ jacobian.T
    assert squares == pytest.approx(sum((a @ a) * P.T @ P for P, a in parts))


@every_depth
def test_jacobian_of_the_balanced_product(rng, depth):
    layers = balanced_layers(rng, widths(depth), [0.8])
    w = product(layers, 3)[0]
    JJ = sum((a @ a) * P.T @ P for P, a in ((below(layers, j), above(layers, j)[0]) for j in range(depth)))
    square = np.eye(3) + (depth - 1) * np.outer(unit(w), unit(w))
    assert np.abs(JJ - np.linalg.norm(w) ** (2 - 2 / depth) * square).max() < 1e-13


@every_depth
@pytest.mark.parametrize("values", [(0.4, 1.0, 2.0), (0.0, 0.0, 1.5)])
def test_sharpness_of_the_balanced_minimum(rng, depth, values):
    layers = balanced_layers(rng, widths(depth), [0.9])
    w = product(layers, 3)[0]
    basis = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    S = basis @ np.diag(values) @ basis.T
    matrix = hessian(lambda x: loss(unflatten(x, widths(depth)), S, S @ w), flatten(layers))
    M = np.real(sqrtm(np.eye(3) + (depth - 1) * np.outer(unit(w), unit(w)) + 0j))
    right = np.linalg.norm(w) ** (2 - 2 / depth) * np.linalg.eigvalsh(M @ S @ M)[-1]
    assert np.linalg.eigvalsh(matrix)[-1] == pytest.approx(right, abs=1e-7)
