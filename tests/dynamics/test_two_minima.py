"""The function with two minima against 60 digits, autograd-free identities and the defining equations of its points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf, workdps
from scipy.optimize import minimize_scalar

from descent.dynamics import two_minima as two

BOUNDED = st.floats(-1e3, 1e3)


def printed(theta):
    power = mp.exp(3 * (theta - 3))
    return (10 * theta**2 + power * ((theta - 10) ** 2 / 2 + 50)) / (1 + power)


@given(BOUNDED)
def test_forms_are_the_function_and_its_derivatives(theta):
    with workdps(60):
        for order, form in enumerate((two.value, two.slope, two.curvature)):
            exact = mp.diff(printed, mpf(theta), order)
            assert float(two.evaluate(form, theta)) == pytest.approx(float(exact), rel=1e-13, abs=1e-11)


@given(BOUNDED)
def test_weights_are_precise_on_both_sides(theta):
    s, r = two.weights(theta)
    with workdps(60):
        np.testing.assert_allclose([float(s), float(r)], [
            float(1 / (1 + mp.exp(sign * 3 * (mpf(theta) - 3)))) for sign in (-1, 1)], rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("theta", [1e150, -1e150, 1e5, -1e5])
def test_far_out_nothing_overflows_and_the_parabolas_are_left(theta):
    with np.errstate(over="raise", invalid="raise"):
        slope, bend = two.evaluate(two.slope, theta), two.evaluate(two.curvature, theta)
        height = two.evaluate(two.value, theta)
    assert (slope, bend) == ((theta - 10, 1) if theta > 0 else (20 * theta, 20))
    assert height == pytest.approx((theta - 10) ** 2 / 2 + 50 if theta > 0 else 10 * theta**2, rel=1e-15)


def test_stationary_points_are_two_minima_and_a_maximum_between():
    sharp, boundary, wide = points = two.stationary_points()
    assert sharp < 0 < boundary < wide
    np.testing.assert_allclose(two.evaluate(two.slope, points), 0, atol=1e-11)
    assert np.sign(two.evaluate(two.curvature, points)).tolist() == [1, -1, 1]


def test_the_parabolas_cross_where_it_says():
    crossing = two.CROSSING
    assert (crossing - 10) ** 2 / 2 + 50 == pytest.approx(10 * crossing**2, rel=1e-15)


@pytest.mark.parametrize("alpha", [0.085, 0.095, 0.1064])
def test_the_turning_point_is_the_minimum_of_the_map(alpha):
    found = minimize_scalar(lambda theta: two.descended(theta, alpha), bounds=(0, two.stationary_points()[1]),
                            method="bounded", options={"xatol": 1e-12})
    assert two.turning_point(alpha) == pytest.approx(found.x, abs=1e-5)


def test_at_the_crisis_the_lowest_point_goes_to_the_maximum():
    alpha = two.crisis()
    lowest = two.descended(two.turning_point(alpha), alpha)
    assert two.kept_from(alpha) == pytest.approx(lowest, abs=1e-10)


@given(st.floats(0.055, 0.2))
def test_the_kept_interval_ends_where_the_map_reaches_the_maximum(alpha):
    left, boundary = two.kept_from(alpha), two.stationary_points()[1]
    assert two.descended(left, alpha) == pytest.approx(boundary, abs=1e-8)
    assert two.descended(left - 1e-3, alpha) > boundary


def test_small_steps_keep_everything_left_of_the_maximum():
    assert two.kept_from(0.04) == -np.inf
