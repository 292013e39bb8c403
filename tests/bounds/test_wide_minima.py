"""Checks on wide minima on small tables with known answers, and the numbers that the section shows."""

import numpy as np
import pytest

from descent.bounds import wide_minima as checks
from descent.bounds import wide_minima_summary as summary
from descent.claims import verdict
from descent.dynamics.scalar_descent import CYCLE, DIVERGED, SHARP, UNDECIDED, WIDE, descend
from descent.dynamics.two_minima import crisis, stationary_points, value


def table(ends, alphas, starts):
    return {"end": np.array(ends), "alpha": np.array(alphas, float), "start": np.array(starts, float)}


def test_printed_and_stable_quotient_agree_where_both_are_numbers():
    theta = np.linspace(-20, 40, 50)
    np.testing.assert_allclose(checks.printed_quotient(theta), checks.in_double_precision(value)(theta), rtol=1e-13)
    assert np.isnan(checks.printed_quotient(np.array([300.0])))[0]


def test_one_misplaced_run_refutes():
    rows = table([SHARP, WIDE, WIDE], [0.01, 0.01, 0.3], [-5, 20, 0])
    bends = (20.0, 1.0)
    assert verdict(checks.no_end_beyond(rows, bends, 2.0)) == "holds"
    assert verdict(checks.no_end_beyond({**rows, "end": np.array([SHARP, WIDE, SHARP])}, bends, 2.0)) == "refuted"
    assert checks.diverges_only_above(table([DIVERGED, WIDE], [1.2, 0.3], [0, 0]), 1.05).observed == 1.2
    assert not checks.diverges_only_above(table([DIVERGED, WIDE], [1.0, 0.3], [0, 0]), 1.05).holds


def test_shares_count_every_end():
    assert checks.shares_agree([0, 330, 670, 0, 0], {"sharp": 0.33, "wide": 0.67}).holds
    assert not checks.shares_agree([1, 0, 999, 0, 0], {"wide": 1.0}).holds


@pytest.mark.parametrize("alpha", [0.03, 0.083, 0.098, 0.103])
def test_the_exact_share_is_that_of_runs(alpha):
    starts = np.linspace(-5, 20, 4001)
    found = descend(starts, alpha, 3000, 1e-8, stationary_points()[1])["end"]
    assert np.mean(found != WIDE) == pytest.approx(summary.kept_share(alpha), abs=1 / 4000)


@pytest.mark.parametrize(("factor", "kept"), [(0.9999, True), (1.001, False)])
def test_after_the_crisis_runs_escape(factor, kept):
    found = descend(np.linspace(-2, 3, 60), factor * crisis(), 20000, 1e-8, stationary_points()[1])["end"]
    assert bool(np.any(found == WIDE)) is not kept


def test_divergence_sets_in_where_it_says():
    starts = np.linspace(2.3, 2.4, 2001)
    for factor, diverged in ((0.999, False), (1.001, True)):
        found = descend(starts, factor * summary.divergence_onset(), 3000, 1e-8, stationary_points()[1])["end"]
        assert bool(np.any(found == DIVERGED)) is diverged


def test_shares_of_a_map():
    steps, parts = summary.shares(table([SHARP, WIDE, WIDE, CYCLE, UNDECIDED, WIDE], [1, 1, 2, 2, 2, 2], range(6)))
    assert steps.tolist() == [1, 2]
    assert parts[0].tolist() == [0, 0.5, 0.5, 0, 0]
    assert parts[1].tolist() == [0.25, 0, 0.5, 0.25, 0]
