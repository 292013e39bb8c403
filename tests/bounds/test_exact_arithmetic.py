from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from descent.bounds.exact_arithmetic import (
    derivative,
    exact,
    excess,
    gradient,
    identity,
    is_zero,
    orthogonal,
    power,
    rationals,
    vanishes,
)

FRACTIONS = st.fractions(min_value=-9, max_value=9, max_denominator=9)


@given(st.lists(FRACTIONS, min_size=5, max_size=5), FRACTIONS.filter(bool))
def test_five_points_are_exact_up_to_degree_four(coefficients, step):
    assert derivative(lambda h: sum(c * h**j for j, c in enumerate(coefficients)), step) == coefficients[1]


def test_five_points_are_not_exact_at_degree_five():
    assert derivative(lambda h: h**5) != 0


@given(st.integers(0, 10**6))
def test_drawn_matrices_are_orthogonal_and_of_fractions(seed):
    Q = orthogonal(np.random.default_rng(seed), 3)
    assert is_zero(Q.T @ Q - identity(3))
    assert all(type(entry.numerator) is int for entry in Q.flat)


def test_no_fraction_is_drawn_more_often_than_one_in_thirteen():
    values = [Fraction(p, q) for p in range(-6, 7) for q in (1, 2, 3)]
    assert max(values.count(value) for value in values) / len(values) == pytest.approx(1 / 13)
    assert set(rationals(np.random.default_rng(0), 500).tolist()) <= set(values)


def test_gradient_is_that_of_computer_algebra():
    A, x = exact([[1, 2], [3, 5]]) / 7, exact([2, -3]) / 5
    symbols = np.array(sympy.symbols("x:2"), dtype=object)

    def f(point):
        return (point @ A @ point) ** 2

    expected = [sympy.diff(f(symbols), s).subs(dict(zip(symbols, x.tolist()))) for s in symbols]
    assert gradient(f, x).tolist() == [Fraction(int(e.p), int(e.q)) for e in expected]


def test_power():
    assert is_zero(power(exact([[1, 1], [0, 1]]), 5) - exact([[1, 5], [0, 1]]))
    assert is_zero(power(exact([[2]]), 0) - identity(1))


def test_excess():
    assert (excess(3, 2), excess(2, 3)) == (1, 0)


def test_vanishing_counts_exceptions():
    outcome = vanishes([{"x": Fraction(k, 10**30)} for k in range(3)], lambda x, shift: [x, x - shift], shift=0)
    assert (outcome.observed, outcome.bound, outcome.cases, outcome.holds) == (2.0, 0.0, 3, False)


@pytest.mark.parametrize("residual", [0.0, np.float64(0), [Fraction(0), 0.0], np.zeros(2)])
def test_floating_point_is_refused(residual):
    with pytest.raises(TypeError, match="a floating-point number in an exact residual"):
        vanishes([{}], lambda: residual)


def test_symbolic_residuals():
    x = sympy.Symbol("x")
    assert is_zero([sympy.expand((x + 1) ** 2 - x**2 - 2 * x - 1)])
    assert not is_zero(x)
