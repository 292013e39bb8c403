"""The formulas of report/proofs/exact_arithmetic.md, exactly."""

from collections import Counter
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descent.bounds.exact_linear_networks import layer_instances

FEW = settings(max_examples=20)
FRACTIONS = st.fractions(-9, 9, max_denominator=9)
# Moments of a standard normal variable: E g^j = (j − 1) E g^(j−2).
MOMENTS = [1, 0, 1, 0, 3, 0, 15]


def five_points(p, h):
    return (8 * (p(h) - p(-h)) - (p(2 * h) - p(-2 * h))) / (12 * h)


@given(st.lists(FRACTIONS, min_size=5, max_size=5), FRACTIONS.filter(bool))
@FEW
def test_five_points(coefficients, h):
    assert five_points(lambda x: sum(c * x**j for j, c in enumerate(coefficients)), h) == coefficients[1]
    assert five_points(lambda x: x**5, h) == -4 * h**4


def test_two_points():
    """Every product of powers of the entries of a 2 × 1 and of a 1 × 3 matrix, up to degree 3 in each."""
    for size in (2, 3):
        signs = list(product((-1, 1), repeat=size))
        for powers in product(range(4), repeat=size):
            mean = Fraction(sum(prod(e**k for e, k in zip(entries, powers)) for entries in signs), 2**size)
            assert mean == prod(MOMENTS[k] for k in powers)
    assert Fraction(sum(e**4 for e in (-1, 1)), 2) != MOMENTS[4]


def test_the_moments_are_the_normal_s():
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    for j, moment in enumerate(MOMENTS):
        assert weights @ nodes**j / np.sqrt(2 * np.pi) == pytest.approx(moment, abs=1e-12)


@given(st.dictionaries(st.tuples(st.integers(0, 2), st.integers(0, 2)), st.integers(-3, 3).filter(bool), min_size=1,
                       max_size=4))
@FEW
def test_random_instances(terms):
    """All points of a grid of seven values each, π = 1/7, for polynomials in two variables."""
    degree = max(i + j for i, j in terms)
    points = list(product(range(-3, 4), repeat=2))
    zeros = sum(sum(c * x**i * y**j for (i, j), c in terms.items()) == 0 for x, y in points)
    assert Fraction(zeros, len(points)) <= Fraction(degree, 7)


def test_random_instances_at_the_bound():
    """A product of linear factors in one variable has as many zeros as the bound allows."""
    zeros = sum((x - 1) * (x - 2) * (x + 3) == 0 for x, _ in product(range(-3, 4), repeat=2))
    assert Fraction(zeros, 49) == Fraction(3, 7)


def test_the_drawn_fractions():
    drawn = Counter(Fraction(p, q) for p in range(-6, 7) for q in (1, 2, 3))
    assert sum(drawn.values()) == 39
    assert Fraction(max(drawn.values()), 39) == Fraction(1, 13)
    depths = [len(instance["layers"]) for instance in layer_instances(np.random.default_rng(0), 100)]
    assert depths.count(4) == 33
    assert Fraction(1, 10**9) < Fraction(7, 13) ** 33 < Fraction(2, 10**9)
    assert all(36 % (p * q) == 0 for p, q in product((1, 2, 3), repeat=2))
    assert 2 * Fraction(1, 10**12) * 10**10 == Fraction(1, 50) < Fraction(1, 36)
