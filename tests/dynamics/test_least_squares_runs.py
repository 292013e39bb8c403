"""Measured growth and departures against what the eigenvalues say."""

from fractions import Fraction

import numpy as np
import pytest

from descent.dynamics import least_squares, least_squares_runs
from descent.dynamics.rational_least_squares import rational_problem
from descent.pipeline.randomness import generator

X, Y = least_squares.gaussian_problem(1, "test", 0, 20, 5)


def test_problems_depend_on_all_that_names_them():
    np.testing.assert_array_equal(least_squares.gaussian_problem(1, "test", 0, 20, 5)[0], X)
    others = [(2, "test", 0, 20, 5), (1, "other", 0, 20, 5), (1, "test", 1, 20, 5)]
    assert all(np.any(least_squares.gaussian_problem(*other)[0] != X) for other in others)


@pytest.mark.parametrize("shape", [(20, 5), (4, 9)])
def test_generic_growth_is_between_its_bounds(shape, rng):
    X, Y = least_squares.gaussian_problem(2, "test", 0, *shape)
    found = least_squares_runs.generic_growth(X, Y, np.array([0.3, 0.9, 1.2]), 200, rng.standard_normal((4, shape[1])))
    assert len(found["growth"]) == 12
    total, bound = found["growth"] ** found["steps"], found["factor"] ** found["steps"]
    assert np.all(total <= bound * (1 + 1e-6))
    assert np.all(total >= bound * found["share"] * (1 - 1e-6))
    assert np.all((found["log10_end"] > 6) == (found["ratio"] > 1))
    np.testing.assert_allclose(found["late"][found["ratio"] > 1], 1.4, rtol=1e-2)


def test_the_map_has_a_row_for_every_largest_eigenvalue():
    found = least_squares_runs.map_growth(np.array([4.0, 1.0]), np.array([0.5, 1.5, 3.0]), 400)
    assert list(found["top"]) == [1, 1, 1, 0.25, 0.25, 0.25]
    np.testing.assert_allclose(found["growth"], [0.75, 2, 5, 0.75, 0.25, 0.5], rtol=3e-3)


def test_an_exceptional_start_has_no_growing_component(rng):
    found = least_squares.spectrum(X)
    alpha = 1.4 * 2 / found.values[0]
    error = least_squares_runs.exceptional_start(X, Y, alpha, rng) - least_squares.minimizer(X, Y)
    assert np.linalg.norm(error) == pytest.approx(1)
    np.testing.assert_allclose(found.vectors[:, alpha * found.values > 2].T @ error, 0, atol=1e-14)


def test_departures_come_later_with_more_bits(rng):
    found = least_squares_runs.departures(X, Y, 1.4, [12, 24, 36, 53], rng)
    assert np.all(np.diff(found["step"]) > 0)
    assert np.all(found["rounding"][:3] < 20 * 2.0 ** -found["bits"][:3])
    assert np.all(found["rounding"][:3] > 2.0 ** -(found["bits"][:3] + 4))
    assert found["factor"][0] == pytest.approx(1.8)


def test_coarse_rounding_can_trap_a_run():
    inputs, targets = least_squares.gaussian_problem(3, "least_squares_departure", 15, 60, 12)
    draws = generator(3, "exceptional_start", 15, p=12)
    found = least_squares_runs.departures(inputs, targets, 1.1, [16, 32, 48], draws)
    assert list(found["departed"]) == [False, True, True]
    assert found["step"][0] > found["step"][2]


def test_the_bound_on_a_step_s_rounding_is_one():
    exact = rational_problem(np.random.default_rng(0), (4, 3, 2, 1), 6)
    inputs, targets, theta = (part.astype(float) for part in (exact.X, exact.Y, exact.minimizer + 1))
    step = theta - 0.1 * least_squares.gradient(theta, inputs, targets)
    parts = [np.vectorize(Fraction, otypes=[object])(part) for part in (theta, inputs, targets)]
    truth = parts[0] - Fraction(0.1) * least_squares.gradient(*parts)
    error = np.linalg.norm((truth - np.vectorize(Fraction, otypes=[object])(step)).astype(float))
    bound = least_squares_runs.double_rounding(theta, inputs, targets, 0.1)
    assert 0 < error <= bound < 1e-12


def test_paths_agree_until_rounding_takes_over(rng):
    problem = rational_problem(rng, (4, 3, 2, 1), 6)
    found = least_squares_runs.exceptional_paths(problem, Fraction(5, 4), 130)
    np.testing.assert_allclose(found["double"][:40], found["rational"][:40], rtol=1e-4)
    assert np.all(np.diff(found["rational"]) < 0)
    assert found["double"][-1] > found["double"][0]
    assert found["single"][-1] > found["double"][-1]
