"""The formulas of report/proofs/tau.4.lazy.md for a small network, with its Jacobian by complex steps."""

from __future__ import annotations

import numpy as np
import pytest

from tests.proofs.complex_step import derivative, gradient

SAMPLES, INPUTS, UNITS = 3, 2, 2
SIZE = 2 * UNITS * (INPUTS + 1)
ETA = 0.3


@pytest.fixture
def x(rng):
    return rng.normal(size=(SAMPLES, INPUTS))


@pytest.fixture
def y(rng):
    return rng.normal(size=SAMPLES)


def parts(theta):
    """a, w, b, z of the pairs."""
    cuts = np.cumsum([UNITS, UNITS * INPUTS, UNITS])
    a, w, b, z = np.split(theta, cuts)
    return a, w.reshape(UNITS, INPUTS), b, z.reshape(UNITS, INPUTS)


def model(theta, x, activation=np.tanh):
    a, w, b, z = parts(theta)
    return (activation(x @ w.T) @ a + activation(x @ z.T) @ b) / np.sqrt(UNITS)


def mirrored(theta):
    a, w, b, z = parts(theta)
    return np.concatenate([-b, z.ravel(), -a, w.ravel()])


def twins(rng):
    a, w = rng.normal(size=UNITS), rng.normal(size=UNITS * INPUTS)
    return np.concatenate([a, w, -a, w])


MIRROR = np.array([mirrored(e) for e in np.eye(SIZE)]).T


def jacobian(f, theta):
    return np.array([derivative(lambda t, e=e: f(theta + t * e)) for e in np.eye(len(theta))]).T


def descent(f, start, y, alpha, steps=5):
    """θ_k by the gradient of the scaled loss itself."""
    theta = [start]
    for _ in range(steps):
        step = gradient(lambda t: ((alpha * f(t) - y) ** 2).sum() / (2 * alpha ** 2), theta[-1])
        theta.append(theta[-1] - ETA * step)
    return np.array(theta)


def tangent(f, start, y, steps=5):
    """v̄_k."""
    J, v = jacobian(f, start), [np.zeros(len(start))]
    for _ in range(steps):
        v.append(v[-1] - ETA * J.T @ (J @ v[-1] - y))
    return np.array(v)


def centred(f, start):
    return lambda theta: f(theta) - f(start)


def test_gradient_of_the_scaled_loss(rng, x, y):
    theta, alpha = rng.normal(size=SIZE), 3.0
    step = gradient(lambda t: ((alpha * model(t, x) - y) ** 2).sum() / (2 * alpha ** 2), theta)
    J = jacobian(lambda t: model(t, x), theta)
    assert step == pytest.approx(J.T @ (alpha * model(theta, x) - y) / alpha, abs=1e-14)


def test_kernel_dynamics_of_the_tangent_model(rng, x, y):
    start = rng.normal(size=SIZE)
    J = jacobian(lambda t: model(t, x), start)
    u = tangent(lambda t: model(t, x), start, y) @ J.T
    assert not np.any(u[0])
    for before, after in zip(u[:-1], u[1:]):
        assert after - y == pytest.approx((np.eye(SAMPLES) - ETA * J @ J.T) @ (before - y), abs=1e-14)


def errors(f, start, y, alpha):
    """θ_k − θ_0 − v̄_k/α, K(θ_k) − K(θ_0) and u_k − ū_k after five steps."""
    theta, v = descent(f, start, y, alpha)[-1], tangent(f, start, y)[-1]
    J, now = jacobian(f, start), jacobian(f, theta)
    return np.array([np.linalg.norm(theta - start - v / alpha), np.linalg.norm(now @ now.T - J @ J.T),
                     np.linalg.norm(alpha * f(theta) - J @ v)])


def test_orders_in_the_scale(rng, x, y):
    start = rng.normal(size=SIZE)
    f = centred(lambda t: model(t, x), start)
    orders = np.log2(errors(f, start, y, 200.0) / errors(f, start, y, 400.0))
    assert orders == pytest.approx([2, 1, 1], abs=0.05)


def test_orders_in_the_scale_from_twins(rng, x, y):
    start = twins(rng)
    orders = np.log2(errors(lambda t: model(t, x), start, y, 100.0) / errors(lambda t: model(t, x), start, y, 200.0))
    assert orders[1:] == pytest.approx([2, 2], abs=0.05)


def test_outputs_in_scaled_weights(rng, x):
    start, v = rng.normal(size=(2, SIZE))
    f = centred(lambda t: model(t, x), start)
    nodes, weights = np.polynomial.legendre.leggauss(30)
    for epsilon in (0.4, 0.0, -0.1):
        integral = sum(c / 2 * jacobian(f, start + (s + 1) / 2 * epsilon * v) @ v for s, c in zip(nodes, weights))
        direct = f(start + epsilon * v) / epsilon if epsilon else jacobian(f, start) @ v
        assert integral == pytest.approx(direct, abs=1e-9)


def test_descent_in_scaled_weights(rng, x, y):
    start, alpha = rng.normal(size=SIZE), 5.0
    f = centred(lambda t: model(t, x), start)
    v = alpha * (descent(f, start, y, alpha) - start)
    for before, after in zip(v[:-1], v[1:]):
        J, output = jacobian(f, start + before / alpha), f(start + before / alpha) * alpha
        assert after == pytest.approx(before - ETA * J.T @ (output - y), abs=1e-13)


def relu(z):
    return np.where(np.real(z) >= 0, z, 0)


@pytest.mark.parametrize("activation", [np.tanh, relu])
def test_twins(rng, x, activation):
    """The complex step of the ReLU has φ′(0) = 1; z = 0 for the first unit and sample."""
    theta = rng.normal(size=SIZE)
    theta[UNITS:UNITS + INPUTS] = [-x[0, 1], x[0, 0]]
    assert np.abs(MIRROR @ MIRROR.T - np.eye(SIZE)).max() == 0
    assert np.array_equal(mirrored(twins(np.random.default_rng(1))), twins(np.random.default_rng(1)))
    assert model(mirrored(theta), x, activation) == pytest.approx(-model(theta, x, activation), abs=1e-15)
    here = jacobian(lambda t: model(t, x, activation), theta)
    there = jacobian(lambda t: model(t, x, activation), MIRROR @ theta)
    assert np.abs(there @ MIRROR + here).max() < 1e-15
    a, w, b, z = parts(theta)
    if activation is relu:
        rows = np.concatenate([relu(x @ w.T), ((x @ w.T >= 0) * a)[:, :, None].repeat(INPUTS, 2).reshape(SAMPLES, -1)
                               * np.tile(x, UNITS), relu(x @ z.T),
                               ((x @ z.T >= 0) * b)[:, :, None].repeat(INPUTS, 2).reshape(SAMPLES, -1)
                               * np.tile(x, UNITS)], axis=1) / np.sqrt(UNITS)
        assert np.abs(rows - here).max() < 1e-14


@pytest.mark.parametrize("activation", [np.tanh, relu])
def test_kernel_and_jacobian_of_the_mirror_image(rng, x, activation):
    theta = rng.normal(size=SIZE)
    here, there = (jacobian(lambda t: model(t, x, activation), point) for point in (theta, MIRROR @ theta))
    assert np.abs(there.T + MIRROR @ here.T).max() < 1e-15
    assert np.abs(there @ there.T - here @ here.T).max() < 1e-14


@pytest.mark.parametrize("activation", [np.tanh, relu])
def test_mirror_image(rng, x, y, activation):
    start, alpha = twins(rng), 1.3

    def f(theta):
        return model(theta, x, activation)

    plus, minus = descent(f, start, y, alpha), descent(f, start, y, -alpha)
    assert np.abs(plus[-1] - start).max() > 0.1
    assert np.abs(minus - plus @ MIRROR.T).max() < 1e-13
    for here, there in zip(plus, minus):
        assert -alpha * f(there) == pytest.approx(alpha * f(here), abs=1e-13)
        J, K = jacobian(f, here), jacobian(f, there)
        assert np.abs(J @ J.T - K @ K.T).max() < 1e-13
