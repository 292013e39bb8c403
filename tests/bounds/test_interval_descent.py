"""Enclosures by intervals: they contain what they say, and prove what the proof of snu.4 uses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import iv

from descent.bounds import interval_descent as intervals
from descent.dynamics.scalar_descent import DIVERGED, WIDE, descend
from descent.dynamics.two_minima import curvature, evaluate, slope, stationary_points


@given(st.floats(-30, 30), st.floats(0, 2), st.floats(0, 1))
def test_enclosures_contain_the_values(low, width, part):
    for form in (slope, curvature):
        found = intervals.enclose(form, iv.mpf([low, low + width]))
        value = float(evaluate(form, low + part * width))
        assert found.a - 1e-9 <= value <= found.b + 1e-9


def proved(low, high, settled):
    return all(fine for *_, fine in intervals.certified_cells(low, high, settled))


@pytest.mark.parametrize(("form", "low", "high", "least", "most"), [
    (curvature, -5, 0, 19.9, 20.11), (curvature, 10, 20, 0.999, 1.001), (curvature, -5, 20, -100, 25),
    (slope, -5, 20, -120, 48.1), (slope, 2.3, 2.3, 47.8, 48)])
def test_facts_of_the_proof(form, low, high, least, most):
    def settled(a, b):
        found = intervals.enclose(form, iv.mpf([a, b]))
        return found.a > least and found.b < most

    assert proved(low, high, settled)


def test_what_is_not_a_fact_is_not_proved():
    assert not proved(-5, 20, lambda a, b: intervals.enclose(slope, iv.mpf([a, b])).b < 48.0)


def test_there_are_three_stationary_points():
    assert intervals.count_stationary_points()[0] == len(stationary_points())


def test_the_greatest_curvature_is_enclosed_tightly():
    low, high = intervals.greatest_curvature()
    found = evaluate(curvature, np.linspace(1.7, 1.76, 60001)).max()
    assert low <= found + 1e-12
    assert found <= high
    assert high - low < 0.01


@pytest.mark.parametrize(("cover", "steps", "end"), [(intervals.cover_for_wide, (0.2, 0.205), WIDE),
                                               (intervals.cover_for_divergence, (3.0, 3.05), DIVERGED)])
def test_a_covering_agrees_with_runs(cover, steps, end, rng):
    assert cover(*steps)[1]
    found = descend(rng.uniform(-5, 20, 500), rng.uniform(*steps, 500), 2000, 1e-8, stationary_points()[1])
    assert set(found["end"].tolist()) == {end}


@pytest.mark.parametrize(("cover", "step"), [(intervals.cover_for_wide, 0.05), (intervals.cover_for_wide, 0.1),
                                         (intervals.cover_for_wide, 1.5), (intervals.cover_for_divergence, 1.5)])
def test_what_is_not_so_is_not_proved(cover, step):
    assert not cover(step, step)[1]


def test_steps_beyond_the_theorem_are_not_proved():
    """Far beyond 1000 the wide minimum itself, from which nothing diverges, lies to the right of the escape point."""
    assert intervals.cover_for_divergence(999, 1001) == (0, False)
    assert intervals.escape_point(1e8) < stationary_points()[2] < intervals.escape_point(1000)


@given(st.floats(1.06, 100), st.floats(0, 1e4))
def test_right_of_the_escape_point_runs_diverge(step, beyond):
    found = descend(np.array([intervals.escape_point(step) + beyond]), step, 5000, 1e-8, stationary_points()[1])
    assert found["end"].tolist() == [DIVERGED]


@given(st.floats(0.01, 10), st.floats(1.001, 30))
def test_slices_join_without_gaps(low, ratio):
    found = intervals.slices(low, low * ratio)
    assert (found[0][0], found[-1][1]) == (low, low * ratio)
    assert all(left[1] == right[0] for left, right in zip(found, found[1:]))
    assert max(high / start for start, high in found) < 1.05
