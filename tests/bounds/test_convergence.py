"""Bounds on convergence against constant-kernel dynamics and their own definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descent.bounds import convergence


def symmetric(seed: int, n: int = 6) -> np.ndarray:
    a = np.random.default_rng(seed).standard_normal((n, n))
    return a @ a.T


def test_flow_bound_is_met_with_equality_at_twice_the_least_eigenvalue():
    gram = symmetric(0)
    values, vectors = np.linalg.eigh(gram)
    times = np.linspace(0, 3, 20)
    squared = np.array([np.sum((vectors @ (np.exp(-values * t) * (vectors.T @ vectors[:, 0]))) ** 2) for t in times])
    np.testing.assert_allclose(np.log(squared), convergence.log_flow_bound(1.0, 2 * values[0], times), atol=1e-12)


@given(st.integers(0, 1000), st.floats(0.01, 1.0))
def test_discrete_bound_holds_for_a_constant_kernel_and_any_remainder(seed, fraction):
    gram, rng = symmetric(seed), np.random.default_rng(seed)
    values = np.linalg.eigvalsh(gram)
    eta, rate = fraction / values[-1], 2 * values[0]
    residual, squares, remainders = rng.standard_normal(6), [], [0.0]
    for _ in range(30):
        squares.append(residual @ residual)
        remainder = 0.1 * rng.standard_normal(6)
        residual = residual - eta * gram @ residual + remainder
        remainders.append(np.linalg.norm(remainder))
    bound = convergence.log_remainder_bound(squares[0], rate, eta, np.array(remainders[:-1]))
    assert np.all(np.log(squares) <= bound + 1e-9)
    assert convergence.first_failure(np.log(squares[:1]), bound[:1]) == -1


def test_without_remainder_the_bound_is_the_square_of_the_printed_one():
    zero = np.zeros(50)
    with_remainder = convergence.log_remainder_bound(4.0, 0.3, 0.1, zero) - np.log(4.0)
    printed = convergence.log_discrete_bound(4.0, 0.3, 0.1, np.arange(50)) - np.log(4.0)
    np.testing.assert_allclose(with_remainder, 2 * printed, atol=1e-13)


@given(st.integers(0, 1000), st.floats(0.01, 3.0), st.floats(0.1, 3.0))
def test_contraction_is_the_norm_of_the_step_s_matrix(seed, scale, share):
    gram = symmetric(seed)
    values = np.linalg.eigvalsh(gram)
    eta, rate = scale / values[-1], share * values[0]
    norm = np.linalg.norm(np.eye(6) - eta * gram, 2)
    if abs(norm - (1 - eta * rate / 2)) > 1e-9:
        assert convergence.contracts(values[0], values[-1], eta, rate) == (norm <= 1 - eta * rate / 2)


def test_a_condition_holds_until_the_last_kept_step_that_saw_it():
    kept, fulfilled = np.array([0, 1, 4, 10]), np.array([True, True, False, True])
    assert convergence.held_until(np.arange(12), kept, fulfilled).tolist() == [True, True] + 10 * [False]
    assert convergence.held_until(np.arange(12), kept, np.ones(4, bool)).tolist() == 11 * [True] + [False]


def test_first_failure_sees_nan_and_nothing():
    bound = np.zeros(4)
    assert convergence.first_failure(np.array([-1, 0, -2, -3.0]), bound) == -1
    assert convergence.first_failure(np.array([-1, 0.1, -2, 5]), bound) == 1
    assert convergence.first_failure(np.array([-1, -1, np.nan, 5]), bound) == 2


@given(st.integers(2, 1000), st.floats(1e-3, 0.5), st.floats(1e-3, 1e4), st.floats(1e-3, 0.5))
def test_at_the_required_width_weights_just_stay_within_the_radius(n, lambda_0, start, delta):
    width = convergence.required_width(n, start, lambda_0, delta)
    inner = convergence.radius(n, lambda_0, delta)
    assert convergence.movement_bound(n, width, start, lambda_0) == pytest.approx(inner)


def test_radius_makes_markov_s_bound_a_quarter_of_the_eigenvalue():
    n, lambda_0, delta = 50, 0.1, 0.05
    flips = 2 * convergence.radius(n, lambda_0, delta) / np.sqrt(2 * np.pi)
    assert n**2 * 2 * flips / delta == pytest.approx(lambda_0 / 4)


def test_bound_columns_of_a_run_with_constant_kernel():
    steps, gram = np.arange(40), np.diag([0.2, 1.0])
    residual = np.array([(1 - 0.5 * np.diag(gram)) ** k for k in steps])
    metrics = {"replicate": np.zeros(40, int), "step": steps, "flow_time": 0.5 * steps, "remainder": np.zeros(40),
               "loss": 0.5 * np.sum(residual**2, axis=1)}
    kept = np.array([0, 7, 39])
    spectrum = {"step": kept, "lambda_min": np.full(3, 0.2), "lambda_max": np.ones(3)}
    columns = convergence.bound_columns(metrics, spectrum, 0.2)
    assert columns["spectrum_held"].all()
    assert columns["contraction_held"].all()
    for bound in ("flow", "discrete", "remainder"):
        assert convergence.first_failure(columns["log_error"][1:], columns[f"log_{bound}_bound"][1:]) == -1
    lost = convergence.bound_columns(metrics, {**spectrum, "lambda_min": np.array([0.2, 0.2, 0.09])}, 0.2)
    assert lost["spectrum_held"].tolist() == [True] * 8 + [False] * 32
