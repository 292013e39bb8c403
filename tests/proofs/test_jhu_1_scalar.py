"""The scalar problem, the flow and the sharpness of report/proofs/jhu.1.md."""

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from tests.proofs.relu_problems import drawn, mixed, norms, objective, outputs, squared, subgradient_of_loss

RANDOM = given(seed=st.integers(0, 10**6))
FEW = settings(max_examples=15)


def largest_root(y, decay):
    roots = np.roots([4, 0, 0, -2 * y, decay])
    return max(roots.real[np.abs(roots.imag) < 1e-6])


@pytest.mark.parametrize("decay", [0.01, 0.25, 3.0])
def test_the_least_product_is_attained(decay):
    y = np.sqrt(2) * decay**0.75
    v = largest_root(y, decay)
    assert 2 * v**3 == pytest.approx((decay**3 / 4) ** 0.25, rel=1e-6)
    value = objective(np.array([[2 * v**2]]), np.array([[v]]), np.eye(1), np.array([[y]]), decay, mixed)
    assert value == pytest.approx(y**2 / 2, rel=1e-9)


def along_curve(c, y, decay):
    return (y - c) ** 2 / 2 + 3 * decay / 2 * (c / 2) ** (2 / 3)


@RANDOM
@FEW
def test_the_scalar_objective_along_its_curve(seed):
    u, v, y, decay = np.random.default_rng(seed).exponential(size=4)

    def value(u, v):
        return objective(np.array([[u]]), np.array([[v]]), np.eye(1), np.array([[y]]), decay, mixed)

    assert value(u, v) >= along_curve(u * v, y, decay) * (1 - 1e-13)
    assert value(2 * v**2, v) == pytest.approx(along_curve(2 * v**3, y, decay), rel=1e-12)


def test_the_derivatives_in_closed_form():
    c, y, decay = sympy.symbols("c y lambda", positive=True)
    third = sympy.Rational(1, 3)
    j = (y - c) ** 2 / 2 + 3 * decay / 2 * (c / 2) ** (2 * third)
    h = c + decay / 2 * (2 / c) ** third
    assert sympy.simplify(sympy.diff(j, c) - (h - y)) == 0
    assert sympy.simplify(sympy.diff(h, c) - (1 - decay / 12 * (2 / c) ** (4 * third))) == 0
    gain = (j - j.subs(c, 0)).subs(y, h)
    assert sympy.simplify(sympy.expand(gain - (-c**2 / 2 + decay / 2 * (c / 2) ** (2 * third)))) == 0
    turn, least = 2 * (decay / 12) ** sympy.Rational(3, 4), (decay**3 / 4) ** sympy.Rational(1, 4)
    assert sympy.simplify(sympy.diff(h, c).subs(c, turn)) == 0
    assert sympy.simplify(h.subs(c, turn) - 8 * (decay / 12) ** sympy.Rational(3, 4)) == 0
    assert sympy.simplify(h.subs(c, least) - sympy.sqrt(2) * decay ** sympy.Rational(3, 4)) == 0


@pytest.mark.parametrize(("decay", "y"), [(0.1, 0.2), (0.1, 0.3), (0.1, 0.35), (0.25, 0.51), (4.0, 1.0), (0.1, 1.5)])
def test_the_scalar_problem_on_a_grid(decay, y):
    u, v = np.meshgrid(np.linspace(0, 3, 1501), np.linspace(0, 1.5, 1501))
    values = (y - u * v) ** 2 / 2 + decay / 2 * (u + v**2)
    best = np.unravel_index(np.argmin(values), values.shape)
    if y < np.sqrt(2) * decay**0.75:
        assert u[best] == v[best] == 0
    else:
        root = largest_root(y, decay)
        assert v[best] == pytest.approx(root, abs=5e-3)
        assert u[best] == pytest.approx(2 * root**2, abs=5e-3)


@pytest.mark.parametrize("decay", [0.01, 0.25, 0.7, 0.8, 3.0])
def test_the_balanced_point_of_unequal_degrees(decay):
    """And that it is a strict local minimizer below λ = 3/4 and none above: on a circle around it."""
    def value(u, v, y):
        return (y - u * v) ** 2 / 2 + decay / 2 * (u + v**2)

    for v in (0.5, 1.3):
        y, step = 2 * v**3 + decay / (2 * v), 1e-5
        slopes = [value(2 * v**2 + step, v, y) - value(2 * v**2 - step, v, y),
                  value(2 * v**2, v + step, y) - value(2 * v**2, v - step, y)]
        assert np.abs(slopes).max() / (2 * step) < 1e-8
    y = decay + 0.25
    assert value(0.5, 0.5, y) - value(0, 0, y) == pytest.approx((4 * decay - 1) / 32)
    angles = np.linspace(0, 2 * np.pi, 721)
    around = value(0.5 + 1e-3 * np.cos(angles), 0.5 + 1e-3 * np.sin(angles), y)
    assert (around.min() > value(0.5, 0.5, y)) == (decay < 0.75)


def subgradient(U, V, X, Y, decay):
    P, Q = subgradient_of_loss(U, V, X, squared(outputs(U, V, X), Y)[1], X @ V > 0)
    return P + decay * U, Q + decay * V


@RANDOM
@settings(max_examples=5)
def test_the_flow_balances_at_twice_the_decay(seed):
    U, V, X, Y, decay = drawn(seed)
    A, B = subgradient(U, V, X, Y, decay)

    def imbalance(step):
        return norms(U - step * A) ** 2 - norms(V - step * B) ** 2

    # Squares of norms are quadratic in the step, for which central differences are exact.
    np.testing.assert_allclose(imbalance(0.5) - imbalance(-0.5), -2 * decay * imbalance(0), atol=1e-9)
    rest = 0.01 * (norms(A) ** 2 - norms(B) ** 2)
    np.testing.assert_allclose(imbalance(0.1), (1 - 0.2 * decay) * imbalance(0) + rest, atol=1e-10)

    # Positive inputs and weights, and targets above the outputs: no pre-activation reaches 0.
    U, V, X = np.abs(U), np.abs(V), np.abs(X)
    Y = outputs(U, V, X) + 3

    def velocity(_, weights):
        parts = subgradient(weights[:4].reshape(2, 2), weights[4:].reshape(3, 2), X, Y, decay)
        return -np.hstack([part.ravel() for part in parts])

    end = solve_ivp(velocity, (0, 0.02), np.hstack([U.ravel(), V.ravel()]), rtol=1e-9, atol=1e-12).y[:, -1]
    later = norms(end[:4].reshape(2, 2)) ** 2 - norms(end[4:].reshape(3, 2)) ** 2
    np.testing.assert_allclose(later, np.exp(-2 * decay * 0.02) * (norms(U) ** 2 - norms(V) ** 2), atol=1e-7)


def second_differences(function, point, h=1e-4):
    steps = h * np.eye(len(point))
    return np.array([[(function(point + p + q) - function(point + p - q) - function(point - p + q)
                       + function(point - p - q)) / (4 * h * h) for q in steps] for p in steps])


@RANDOM
@settings(max_examples=3)
def test_the_sharpness_of_rescaled_minimizers(seed):
    U, V, X, *_ = drawn(seed)
    Y = outputs(U, V, X)

    def value(weights):
        return squared(outputs(weights[:4].reshape(2, 2), weights[4:].reshape(3, 2), X), Y)[0]

    def jacobian(alpha):
        weights = np.hstack([alpha * U.ravel(), V.ravel() / alpha])
        moved = [[outputs(w[:4].reshape(2, 2), w[4:].reshape(3, 2), X).ravel() for w in (weights + p, weights - p)]
                 for p in 1e-5 * np.eye(10)]
        return np.stack([(up - down) / 2e-5 for up, down in moved], 1)

    K = jacobian(1)
    np.testing.assert_allclose(jacobian(2) @ jacobian(2).T, K[:, :4] @ K[:, :4].T / 4 + 4 * K[:, 4:] @ K[:, 4:].T,
                               atol=1e-6 * np.abs(K).max() ** 2)
    factors = np.array([0.25, 0.5, 1, 2, 4])
    hessians = [second_differences(value, np.hstack([t * U.ravel(), V.ravel() / t])) for t in factors]
    sharpness = np.array([np.linalg.eigvalsh(hessian)[-1] for hessian in hessians])
    A, B = (np.linalg.eigvalsh(block)[-1] for block in (hessians[2][:4, :4], hessians[2][4:, 4:]))
    assert np.all(np.maximum(factors**2 * B, A / factors**2) <= sharpness * (1 + 1e-4))
    assert np.all(sharpness <= (factors**2 * B + A / factors**2) * (1 + 1e-4))
    assert np.all(sharpness[1:-1] <= (sharpness[:-2] + sharpness[2:]) / 2 * (1 + 1e-4))


@pytest.mark.parametrize(("u", "v"), [(2.0, 0.5), (1.0, 1.0), (0.25, 4.0)])
def test_the_scalar_sharpness(u, v):
    hessian = second_differences(lambda w: (u * v - w[0] * w[1]) ** 2 / 2, np.array([u, v]))
    assert np.linalg.eigvalsh(hessian)[-1] == pytest.approx(u**2 + v**2, rel=1e-6)
    assert u**2 + v**2 >= 2 * u * v
