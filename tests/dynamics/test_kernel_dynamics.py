"""Kernel dynamics against an integrator, the matrix exponential, literal steps and exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from descent.dynamics.kernel_dynamics import KernelDynamics


def problem(n: int, seed: int, outputs: int | None = None, definite: bool = True):
    """A symmetric matrix of order one, targets and a start."""
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((n, n)) / np.sqrt(n)
    shape = (n,) if outputs is None else (n, outputs)
    gram = factor @ factor.T if definite else (factor + factor.T) / 2
    return gram, rng.standard_normal(shape), rng.standard_normal(shape)


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(0, 10**6), st.sampled_from([None, 1, 3]), st.booleans(), st.floats(0, 20))
def test_flow_is_the_matrix_exponential(n, seed, outputs, definite, time):
    gram, y, start = problem(n, seed, outputs, definite)
    expected = y + expm(-time * gram) @ (start - y)
    found = KernelDynamics(gram, y).flow(start, np.array([0.0, time]))
    assert found.shape == (2, *y.shape)
    np.testing.assert_allclose(found[0], start, rtol=0, atol=1e-13)
    np.testing.assert_allclose(found[1], expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


def test_flow_solves_the_differential_equation():
    gram, y, start = problem(15, 3)
    times = np.linspace(0, 10, 7)
    solved = solve_ivp(lambda _, u: -gram @ (u - y), (0, 10), start, "DOP853", times, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(KernelDynamics(gram, y).flow(start, times), solved.y.T, rtol=0, atol=1e-10)


@settings(max_examples=30)
@given(st.integers(1, 10), st.integers(0, 10**6), st.sampled_from([None, 2]), st.booleans(), st.floats(0, 1.5))
def test_descent_is_the_literal_iteration(n, seed, outputs, definite, eta):
    gram, y, u = problem(n, seed, outputs, definite)
    found = KernelDynamics(gram, y).descent(u, eta, np.arange(40))
    for step in range(40):
        np.testing.assert_allclose(found[step], u, rtol=0, atol=1e-11 * max(np.abs(u).max(), 1))
        u = u - eta * gram @ (u - y)


@pytest.mark.parametrize("eigenvalue", [0.0, 2**-40, 0.3, 0.999, 1.0, 1.001, 1.75, 2.0, 2.001, -(2**-50), -0.1])
def test_factors_of_many_steps_are_those_of_exact_arithmetic(eigenvalue):
    steps = [0, 1, 2, 3, 10, 999, 1000]
    found = KernelDynamics(np.array([[eigenvalue]]), np.zeros(1)).descent_factors(1.0, np.array(steps))[:, 0]
    expected = [float((1 - Fraction(eigenvalue)) ** k) for k in steps]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)


def test_small_steps_keep_their_digits():
    eta, steps = 1e-10 / 3, 10**12
    factor = KernelDynamics(np.eye(1), np.zeros(1)).descent_factors(eta, np.array([steps]))[0, 0]
    # ln(1 − x) = −x − x²/2 − …; the power of the rounded 1 − x would be off by 1e-5.
    assert factor == pytest.approx(np.exp(-steps * (eta + eta**2 / 2)), rel=1e-12)


@pytest.mark.parametrize("outputs", [None, 3])
def test_energies_are_the_squared_error_mode_by_mode(outputs):
    gram, y, start = problem(20, 5, outputs)
    dynamics, steps = KernelDynamics(gram, y), np.array([0, 1, 7, 100])
    assert dynamics.energies(start).sum() == pytest.approx(np.sum((start - y) ** 2), rel=1e-12)
    errors = np.array([np.sum((u - y) ** 2) for u in dynamics.descent(start, 0.3, steps)])
    np.testing.assert_allclose(dynamics.squared_errors(start, dynamics.descent_factors(0.3, steps)), errors, rtol=1e-10)
    times = np.array([0.0, 2.5])
    errors = np.array([np.sum((u - y) ** 2) for u in dynamics.flow(start, times)])
    np.testing.assert_allclose(dynamics.squared_errors(start, dynamics.flow_factors(times)), errors, rtol=1e-10)


def test_rounding_below_zero_does_no_harm():
    x = np.random.default_rng(0).standard_normal((30, 4))
    gram = x @ x.T
    dynamics = KernelDynamics(gram, np.zeros(30))
    assert dynamics.eigenvalues.min() < 0
    start = np.ones(30)
    kept = start - x @ np.linalg.lstsq(x, start)[0]
    np.testing.assert_allclose(dynamics.flow(start, np.array([1e6]))[0], kept, rtol=0, atol=1e-6)
    np.testing.assert_allclose(dynamics.descent(start, 0.01, np.array([10**8]))[0], kept, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("gram", "message"), [
    (np.array([[1.0, 0.5], [0.4, 1.0]]), "symmetric"), (np.eye(3), "does not fit"),
])
def test_what_is_no_kernel_is_refused(gram, message):
    with pytest.raises(ValueError, match=message):
        KernelDynamics(gram, np.zeros(2))
