"""Bounds, their inversion and exact expectations against direct sums, searches and each other."""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descent.bounds import stationarity as bounds
from descent.dynamics.stochastic_descent import step_parts

POSITIVE = st.floats(0.1, 50)


@given(excess=st.floats(1.0, 100), variance=st.floats(0.01, 1.0))
@settings(max_examples=25, deadline=None)
def test_the_sharp_bound_is_never_above_the_usual_one_and_falls(excess, variance):
    steps = np.arange(1, 300)
    for schedule in ("constant", "decaying"):
        sharp = bounds.average_bound(step_parts(schedule, 299), excess, variance)
        usual = bounds.plain_bound(schedule, steps, excess, variance)
        assert (sharp <= usual * (1 + 1e-12)).all()
        assert (np.diff(sharp) <= 1e-12 * sharp[1:]).all()
        assert (np.diff(usual) < 0).all()


@pytest.mark.parametrize("steps", [1, 2, 3, 1000, 1001, 1002, 5000])
def test_the_decaying_bound_at_one_step_is_the_one_of_all(steps):
    direct = bounds.average_bound(step_parts("decaying", steps), 7.0, 3.0)[-1]
    assert bounds.decaying_bound(steps, 7.0, 3.0) == pytest.approx(direct, rel=1e-12)


@pytest.mark.parametrize("target", [10.0, 3.0, 0.9, 0.4])
def test_inversion_finds_the_least_number_of_steps(target):
    bound = partial(bounds.decaying_bound, excess=8.0, variance=1.0)
    values = np.array([bound(t) for t in range(1, 3000)])
    assert bounds.sufficient_steps(bound, target) == 1 + np.argmax(values <= target)


def test_inversion_reaches_beyond_the_numbers_of_the_machine():
    bound = partial(bounds.plain_bound, "decaying", excess=8.0, variance=1.0)
    steps = bounds.sufficient_steps(bound, 1e-10)
    assert steps > 2**63
    assert bound(steps) <= 1e-10 < bound(int(0.999 * steps))


@given(epsilon=POSITIVE, sigma=POSITIVE, excess=st.floats(0.1, 1e4))
@settings(max_examples=60, deadline=None)
def test_the_forms_of_the_constant_step_are_ordered_and_suffice(epsilon, sigma, excess):
    plain, tighter, sharp = (bounds.constant_steps(form, epsilon, excess, sigma**2, sigma)
                             for form in ("plain", "tighter", "sharp"))
    assert plain >= tighter >= sharp >= 1
    average = max(0.0, (excess - sigma**2) / sharp) + sigma**2
    assert average <= (epsilon + sigma) ** 2 * (1 + 1e-9)


@given(epsilon=st.fractions(Fraction(1, 3), 2, max_denominator=9), excess=st.fractions(4, 40, max_denominator=5),
       variance=st.fractions(0, 9, max_denominator=5))
@settings(max_examples=60, deadline=None)
def test_the_step_that_knows_the_target_is_the_best_constant_one(epsilon, excess, variance):
    part, steps = bounds.known_target(epsilon, excess, variance)

    def average(c, count):
        return (excess + (count - 1) * c * c * variance) / (1 + (count - 1) * c * (2 - c))

    assert average(part, steps) <= epsilon**2
    assert steps == 1 or all(average(Fraction(i, 60), steps - 1) > epsilon**2 for i in range(1, 61))


def test_the_recursion_is_the_expectation_over_all_signs():
    parts = [Fraction(1), Fraction(2, 3), Fraction(1, 2), Fraction(1, 3)]
    paths = bounds.sign_paths(lambda w: 2 * w, parts, Fraction(3, 2), Fraction(2), Fraction(2))
    exact = [float(bounds.expectation(path, lambda w: 4 * w * w)) for path in paths]
    found = bounds.expected_squares(np.array([*map(float, parts), 1.0]), np.array([2.0]), 1.5, 2.0, 4.0)
    np.testing.assert_allclose(found, exact, rtol=1e-14)
    assert all(sum(path.values()) == 1 for path in paths)


def test_a_slope_is_kept_for_as_long_as_it_must_be_and_not_for_ever():
    slope, sigma, excess = Fraction(2), Fraction(1), Fraction(60)
    steps = bounds.necessary_steps(slope, excess, sigma)
    assert steps == 1 + (60 - 4) // 12
    derivative, start = bounds.flat_slope(slope, Fraction(1)), (excess + slope**2) / (2 * slope)
    paths = bounds.sign_paths(derivative, [Fraction(1)] * 30, start, sigma, Fraction(1))
    means = [bounds.expectation(path, lambda w: abs(derivative(w))) for path in paths]
    assert set(means[:steps]) == {slope}
    assert means[-1] < slope
