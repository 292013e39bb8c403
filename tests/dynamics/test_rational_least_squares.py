"""Rational least-squares problems: what they claim about themselves holds exactly."""

from fractions import Fraction

import numpy as np
import pytest

from descent.dynamics import rational_least_squares as rational
from descent.dynamics.least_squares import gradient


@pytest.mark.parametrize(("roots", "samples"), [((3, 2, 1), 4), ((2, 1, 0), 3), ((4, 3, 2, 1), 6)])
def test_spectrum_and_minimizer_are_exact(roots, samples, rng):
    problem = rational.rational_problem(rng, roots, samples)
    eye = rational.fractions(np.eye(len(roots), dtype=int))
    assert np.all(problem.vectors.T @ problem.vectors == eye)
    assert np.all(problem.X.T @ problem.X @ problem.vectors == problem.vectors * problem.values)
    assert list(problem.values) == [root**2 for root in roots]
    assert np.all(gradient(problem.minimizer, problem.X, problem.Y) == 0)
    assert all(problem.vectors[:, i] @ problem.minimizer == 0 for i, root in enumerate(roots) if root == 0)


def test_a_start_has_the_components_asked_for(rng):
    problem = rational.rational_problem(rng, (3, 2, 1), 5)
    components = [Fraction(1, 3), 0, -2]
    theta = rational.start(problem, components)
    assert list(problem.vectors.T @ (theta - problem.minimizer)) == components


@pytest.mark.parametrize(("roots", "samples"), [((1, 2), 4), ((2, -1), 4), ((3, 2, 1), 2)])
def test_what_is_no_list_of_singular_values_is_refused(roots, samples, rng):
    with pytest.raises(ValueError, match="descending"):
        rational.rational_problem(rng, roots, samples)


def test_fractions_are_the_numbers():
    assert list(rational.fractions([0.1, 2])) == [Fraction(0.1), Fraction(2)]
