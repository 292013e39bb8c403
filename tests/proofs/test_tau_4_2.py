"""The formulas of report/proofs/tau.4.2.md; kernels are constant on pieces of time, solutions matrix exponentials."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, quad_vec
from scipy.linalg import expm

from tests.proofs.complex_step import derivative

few = settings(max_examples=10)
RATE, RATIO, TIME = st.floats(0.1, 3), st.floats(0.01, 0.99), st.floats(0, 5)


def symmetric(rng, values):
    basis = np.linalg.qr(rng.normal(size=(len(values),) * 2))[0]
    return basis @ np.diag(values) @ basis.T, basis


def perturbed(rng, kernel, epsilon):
    """Not symmetric; the spectral distance is ε."""
    noise = rng.normal(size=kernel.shape)
    return kernel + epsilon * noise / np.linalg.norm(noise, 2)


def semidefinite(rng, kernel, epsilon):
    """ε vvᵀ added, or taken away as far as the matrix stays positive semidefinite."""
    values, basis = np.linalg.eigh(kernel)
    shift = epsilon * rng.uniform(-1, 1, size=len(values))
    return basis @ np.diag(np.maximum(values + shift, 0)) @ basis.T


def residuals(pieces, start, step):
    """At the ends of the pieces, each `step` long."""
    found = [start]
    for H in pieces:
        found.append(expm(-H * step) @ found[-1])
    return np.array(found)


def norms(rows):
    return np.linalg.norm(rows, axis=1)


def test_smallest_counterexample():
    for t in (0.5, 4.0, 20.0):
        fixed, moving = (expm(np.array([[-h * t]]))[0, 0] for h in (1.0, -1.0))
        assert abs(moving - fixed) / np.sqrt(2 * t) == pytest.approx((np.exp(t) - np.exp(-t)) / np.sqrt(2 * t))
    assert (np.exp(20) - np.exp(-20)) / np.sqrt(40) > 1e7


@pytest.mark.parametrize("alpha", [0.7, 0.0, -0.4])
def test_forced_decay(rng, alpha):
    """One constant A with a skew part; the integral of a matrix exponential against that of the norms."""
    S, basis = symmetric(rng, [alpha, alpha + 0.5, alpha + 2])
    skew = rng.normal(size=(3, 3))
    for A, g, slack in ((S + skew - skew.T, lambda s: np.array([np.sin(3 * s), 1.0, -s]), 0.0),
                        (S, lambda s: (1 + s) * basis[:, 0], 1e-12)):
        for t in (0.3, 2.0):
            x = -quad_vec(lambda s, A=A, g=g, t=t: expm(-A * (t - s)) @ g(s), 0, t, epsrel=1e-11)[0]
            bound = quad(lambda s, g=g, t=t: np.exp(-alpha * (t - s)) * np.linalg.norm(g(s)), 0, t)[0]
            assert np.linalg.norm(x) <= bound * (1 + slack)
    assert np.linalg.norm(x) == pytest.approx(bound)


def test_derivative_of_the_smoothed_norm(rng):
    alpha, kappa, t = 0.4, 0.1, 0.8
    A, _ = symmetric(rng, [alpha, 1.0, 2.0])
    for x, g in zip(rng.normal(size=(10, 3)), rng.normal(size=(10, 3))):
        z, z_dot = np.exp(alpha * t) * x, np.exp(alpha * t) * (alpha * x - A @ x - g)
        assert z_dot == pytest.approx(-(A - alpha * np.eye(3)) @ z - np.exp(alpha * t) * g)
        rho = np.sqrt(z @ z + kappa ** 2)
        slope = derivative(lambda s, z=z, v=z_dot: np.sqrt(((z + s * v) ** 2).sum() + kappa ** 2))
        bound = np.linalg.norm(z) * np.exp(alpha * t) * np.linalg.norm(g) / rho
        assert slope == pytest.approx(z @ z_dot / rho)
        assert slope <= bound <= np.exp(alpha * t) * np.linalg.norm(g)


def test_rayleigh_quotient_of_the_perturbed_kernel(rng):
    for _ in range(20):
        kernel, basis = symmetric(rng, [0.5, 1.0, 3.0])
        H, z = perturbed(rng, kernel, 0.8), rng.normal(size=3)
        middle = z @ kernel @ z - abs(z @ (H - kernel) @ z)
        assert z @ H @ z >= middle - 1e-13
        assert middle >= (0.5 - 0.8) * z @ z - 1e-13
    v = basis[:, 0]
    assert v @ (kernel - 0.8 * np.outer(v, v)) @ v == pytest.approx(0.5 - 0.8)


def test_two_equations_for_the_distance(rng):
    """At some time of two solutions, from the derivatives of both."""
    kernel, _ = symmetric(rng, [0.5, 1.0, 3.0])
    H, start = perturbed(rng, kernel, 0.8), rng.normal(size=3)
    change = derivative(lambda t: expm(-H * t) @ start - expm(-kernel * t) @ start, 0.6)
    fixed, moving = expm(-kernel * 0.6) @ start, expm(-H * 0.6) @ start
    delta = moving - fixed
    assert change == pytest.approx(-H @ moving + kernel @ fixed, abs=1e-12)
    assert change == pytest.approx(-H @ delta - (H - kernel) @ fixed, abs=1e-12)
    assert change == pytest.approx(-kernel @ delta - (H - kernel) @ moving, abs=1e-12)


@few
@given(RATE, st.floats(0.01, 4), TIME)
def test_integrals_of_the_bounds(rate, epsilon, t):
    first = quad(lambda s: epsilon * np.exp(-rate * s), 0, t)[0]
    assert epsilon / rate * (1 - np.exp(-rate * t)) == pytest.approx(first, abs=1e-12)
    second = quad(lambda s: np.exp(-rate * (t - s)) * epsilon * np.exp(-(rate - epsilon) * s), 0, t)[0]
    middle = np.exp(-rate * t) * quad(lambda s: epsilon * np.exp(epsilon * s), 0, t)[0]
    assert [middle, np.exp(-rate * t) * (np.exp(epsilon * t) - 1)] == pytest.approx([second] * 2, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("ratio", [0.3, 1.0, 5.0])
def test_bounds_on_the_distance(rng, ratio):
    """Random positive semidefinite kernels, and the slowest mode slowed as far as it can be."""
    rate, step, pieces = 0.5, 0.25, 24
    epsilon, times = ratio * rate, np.arange(pieces + 1) * step
    largest = 0.0
    for draw in range(12):
        kernel, basis = symmetric(rng, [rate, 1.0, 3.0])
        start = rng.normal(size=3) if draw else basis[:, 0]
        slowed = kernel - min(epsilon, rate) * np.outer(basis[:, 0], basis[:, 0])
        moving = [semidefinite(rng, kernel, epsilon) if draw else slowed for _ in range(pieces)]
        delta = norms(residuals(moving, start, step) - residuals([kernel] * pieces, start, step))
        delta /= np.linalg.norm(start)
        refined = epsilon / rate * (1 - np.exp(-rate * times))
        minimum = np.minimum(epsilon * times, min(epsilon / rate, 2))
        assert np.all(delta <= refined + 1e-12)
        assert np.all(delta <= minimum + 1e-12)
        assert np.all(minimum <= np.sqrt(2 * epsilon * times) + 1e-12)
        largest = max(largest, (delta[1:] / refined[1:]).max())
    assert largest > (0.9 if ratio <= 1 else 0.15)


@pytest.mark.parametrize("turns", [3, 40])
def test_a_residual_turned_round(turns):
    """H(t) = ε u uᵀ with u across the direction to which the residual is turned next."""
    rate, epsilon, step, start = 1e-6, 1.0, 40.0, np.array([1.0, 0.0])
    angles = np.pi * np.arange(1, turns + 1) / turns
    across = np.array([-np.sin(angles), np.cos(angles)]).T
    pieces = [epsilon * np.outer(u, u) for u in across]
    assert all(np.linalg.norm(H - rate * np.eye(2), 2) <= epsilon for H in pieces)
    delta = residuals(pieces, start, step)[-1] - np.exp(-rate * turns * step) * start
    assert delta == pytest.approx(-(1 + np.cos(np.pi / turns) ** turns) * start, abs=3e-3)
    assert turns < 40 or np.linalg.norm(delta) > 1.88


@pytest.mark.parametrize("ratio", [0.3, 1.0, 3.0])
def test_worst_bound(rng, ratio):
    rate, step, pieces = 0.5, 0.25, 16
    epsilon, times = ratio * rate, np.arange(pieces + 1) * step
    for _ in range(8):
        kernel, _ = symmetric(rng, [rate, 1.0, 3.0])
        start, moving = rng.normal(size=3), [perturbed(rng, kernel, epsilon) for _ in range(pieces)]
        delta = norms(residuals(moving, start, step) - residuals([kernel] * pieces, start, step))
        bound = np.exp(-rate * times) * (np.exp(epsilon * times) - 1) * np.linalg.norm(start)
        assert np.all(delta <= bound + 1e-12)


@pytest.mark.parametrize("ratio", [0.3, 1.0, 3.0])
def test_worst_kernel(rng, ratio):
    kernel, basis = symmetric(rng, [0.5, 1.0, 3.0])
    epsilon, start = ratio * 0.5, 2 * basis[:, 0]
    worst = kernel - epsilon * np.outer(basis[:, 0], basis[:, 0])
    assert np.linalg.norm(worst - kernel, 2) == pytest.approx(epsilon)
    for t in (0.2, 2.0):
        delta = expm(-worst * t) @ start - expm(-kernel * t) @ start
        assert delta == pytest.approx((np.exp(-(0.5 - epsilon) * t) - np.exp(-0.5 * t)) * start, abs=1e-12)
        assert np.linalg.norm(delta) == pytest.approx(2 * np.exp(-0.5 * t) * (np.exp(epsilon * t) - 1))


@few
@given(RATE, RATIO)
def test_greatest_distance_of_the_worst_kernel(rate, ratio):
    epsilon = ratio * rate

    def distance(t):
        return np.exp(-(rate - epsilon) * t) - np.exp(-rate * t)

    time = np.log(rate / (rate - epsilon)) / epsilon
    slope = derivative(distance, 0.7)
    assert slope == pytest.approx(np.exp(-0.7 * rate) * (rate - (rate - epsilon) * np.exp(0.7 * epsilon)), abs=1e-13)
    assert derivative(distance, time) == pytest.approx(0, abs=1e-12)
    q = 1 - ratio
    assert distance(time) == pytest.approx((1 - q) * q ** (1 / ratio - 1), rel=1e-9)
    assert distance(time) == pytest.approx(ratio * (1 - ratio) ** ((rate - epsilon) / epsilon), rel=1e-9)
    grid = np.linspace(0, 20 / rate, 2001)
    assert distance(grid).max() <= distance(time) * (1 + 1e-12)


@few
@given(RATE, st.floats(0.01, 5), st.floats(0, 1))
def test_short_times(rate, epsilon, product):
    t = product / epsilon
    worst = np.exp(-rate * t) * (np.exp(epsilon * t) - 1)
    assert worst <= (np.e - 1) * product + 1e-14
    assert product <= np.sqrt(product)
    # Both sides agree at εt = 1 for small λ, and the chord is the best there.
    assert np.exp(-1e-9) * (np.exp(1.0) - 1) == pytest.approx(np.e - 1)


@few
@given(RATE, st.floats(0, 1), TIME)
def test_chord_in_epsilon(rate, ratio, t):
    left = np.exp(-rate * t) * (np.exp(ratio * rate * t) - 1)
    assert left <= ratio * (1 - np.exp(-rate * t)) + 1e-13
    assert np.exp(-rate * t) * (np.exp(rate * t) - 1) == pytest.approx(1 - np.exp(-rate * t), abs=1e-13)
