"""The formulas of report/proofs/snu.2.md: descent on θ²/2 in rational numbers, step by step."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

FEW = settings(max_examples=25)
STEPS = st.fractions(-3, 5, max_denominator=20)
MULTIPLES = st.fractions(1, 1000, max_denominator=9)


def descend(theta, alpha, count):
    for _ in range(count):
        theta = theta - alpha * theta
    return theta


@given(STEPS, st.fractions(-9, 9, max_denominator=9).filter(bool), st.integers(0, 12))
@FEW
def test_the_iterates_are_powers(alpha, start, k):
    assert descend(start, alpha, k) == (1 - alpha) ** k * start


def first(alpha, reached):
    """The number of the first iterate from θ⁰ = 1 that is `reached`."""
    theta, k = Fraction(1), 0
    while not reached(abs(theta)):
        theta, k = theta - alpha * theta, k + 1
    return k


def predicted(multiple, factor):
    """⌊ln M/|ln factor|⌋ + 1; where the quotient is an integer up to rounding, the powers decide."""
    rate = max(factor, 1 / factor)
    k = round(math.log(multiple) / abs(math.log(factor)))
    floor = k if rate**k <= multiple else k - 1
    assert floor == pytest.approx(math.log(multiple) / abs(math.log(factor)), abs=1 + 1e-9)
    return floor + 1


@given(st.fractions(2, 5, max_denominator=20).filter(lambda alpha: alpha > 2), MULTIPLES)
@FEW
def test_the_first_step_beyond_a_multiple(alpha, multiple):
    assert first(alpha, lambda size: size > multiple) == predicted(multiple, alpha - 1)
    assert descend(Fraction(1), alpha, 5) < 0 < descend(Fraction(1), alpha, 4)


@given(st.fractions(0, 2, max_denominator=12).filter(lambda alpha: alpha not in (0, 1, 2)), MULTIPLES)
@FEW
def test_the_first_step_below_a_fraction(alpha, multiple):
    assert first(alpha, lambda size: size < 1 / multiple) == predicted(multiple, abs(1 - alpha))


def test_a_power_that_is_the_multiple_is_not_beyond_it():
    """M = (α − 1)^k itself, where the floor is of an integer."""
    assert first(Fraction(3), lambda size: size > 8) == predicted(Fraction(8), Fraction(2)) == 4
    assert first(Fraction(1, 2), lambda size: size < Fraction(1, 8)) == predicted(Fraction(8), Fraction(1, 2)) == 4


@pytest.mark.parametrize("k", range(5))
def test_the_thresholds(k):
    assert descend(Fraction(7), 0, k) == 7
    assert descend(Fraction(7), 1, k) == (0 if k else 7)
    assert descend(Fraction(7), 2, k) == (-1) ** k * 7
    assert descend(Fraction(7), -1, k) == 2**k * 7
