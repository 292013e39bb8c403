"""Each check on data that fulfil its statement, and on data that do not."""

from fractions import Fraction

import numpy as np
import pytest

from descent.dynamics import least_squares_checks as checks
from descent.dynamics.rational_least_squares import rational_problem

RATIONAL = rational_problem(np.random.default_rng(3), (3, 2, 1), 4)
SINGULAR = rational_problem(np.random.default_rng(3), (2, 1, 0), 4)
RATIOS = [Fraction(1, 2), Fraction(3, 2)]


@pytest.mark.parametrize("each", [True, False])
def test_gradients_by_complex_steps(each, rng):
    problems = [(rng.standard_normal((7, 3)), rng.standard_normal(7), rng.standard_normal(3))]
    assert checks.complex_step(problems, 1, each).holds
    assert not checks.complex_step(problems, 1 + 1e-9, each).holds


def test_gradients_by_central_differences():
    assert checks.central_differences([RATIONAL, SINGULAR], 1).holds
    assert checks.central_differences([RATIONAL], 2).observed > 0


@pytest.mark.parametrize(("alpha", "level", "step"), [(Fraction(3), 100, 7), (Fraction(4), 10, 3)])
def test_univariate_crossings_by_hand(alpha, level, step):
    path = checks.univariate(alpha, step)
    assert abs(path[step]) > level >= abs(path[step - 1])
    assert checks.univariate_crossing([alpha], level, True).holds


def test_univariate_checks_notice_the_limit():
    assert checks.univariate_crossing([Fraction(1, 2)], 1000, False).holds
    assert not checks.univariate_crossing([Fraction(2)], 1000, True, 50).holds
    assert not checks.univariate_crossing([Fraction(2)], 1000, False, 50).holds
    assert checks.univariate_returns(Fraction(2), 20, 2).holds
    assert not checks.univariate_returns(Fraction(2), 20, 1).holds
    assert not checks.univariate_power([Fraction(1, 3)], 5, 2).holds


@pytest.mark.parametrize(("sign", "holds"), [(1, True), (-1, False), (0, False)])
def test_the_sign_of_the_constant_term(sign, holds):
    assert checks.affine_step([RATIONAL, SINGULAR], RATIOS, sign).holds is holds


@pytest.mark.parametrize("problem", [RATIONAL, SINGULAR])
def test_the_power_needs_a_minimizer(problem):
    assert checks.matrix_power([problem], RATIOS, 6, 0).holds
    assert not checks.matrix_power([problem], RATIOS, 6, 1).holds


def test_only_the_null_space_is_conserved():
    assert checks.conserved([SINGULAR], RATIOS, 6, -1).holds
    assert not checks.conserved([SINGULAR], RATIOS, 6, 1).holds


@pytest.mark.parametrize(("components", "alpha", "expected"), [
    ((1, 1, 1), Fraction(1, 10), "converges"), ((1, 1, 1), Fraction(2, 9), "oscillates"),
    ((1, 0, 0), Fraction(1, 4), "diverges"), ((0, 1, 1), Fraction(1, 4), "converges"),
    ((0, 0, 1), Fraction(1), "converges"), ((0, 0, 1), Fraction(2), "oscillates"),
])
def test_fates_of_an_orbit(components, alpha, expected):
    assert checks.fate(RATIONAL, components, alpha, 40) == expected


def test_fates_depend_on_the_start():
    assert checks.critical_rates([Fraction(4), Fraction(1)]) == [
        Fraction(1, 4), Fraction(1, 2), Fraction(5, 4), Fraction(2), Fraction(3)]
    assert checks.fates_as_predicted([RATIONAL], 40, False).holds
    assert not checks.fates_as_predicted([RATIONAL], 40, True).holds


def test_two_points_are_approached_at_the_limit_alone():
    assert checks.two_points([RATIONAL], Fraction(1), 20).holds
    assert not checks.two_points([RATIONAL], Fraction(99, 100), 20).holds


def test_growth_is_checked_on_both_sides():
    steps = np.array([10, 10])
    table = {"ratio": np.array([0.5, 1.5]), "steps": steps, "growth": np.array([0.9, 2.0]) * 0.5 ** (1 / steps),
             "factor": np.array([0.9, 2.0]), "share": np.array([0.4, 0.4]), "log10_end": np.array([-1.0, 8.0])}
    assert checks.grows_as_predicted(table, False).holds
    assert not checks.grows_as_predicted(table, True).holds
    assert not checks.grows_as_predicted({**table, "share": np.array([0.6, 0.4])}, False).holds
    assert not checks.grows_as_predicted({**table, "growth": np.array([0.91, 2.0])}, False).holds
    assert checks.diverge_beyond(table, 1.0, 6).holds
    assert not checks.diverge_beyond(table, 0.4, 6).holds


def test_the_end_keeps_the_null_component(rng):
    problems = [(rng.standard_normal((3, 6)), rng.standard_normal(3), rng.standard_normal(6))]
    assert checks.ends_at(problems, 2000, True).holds
    assert not checks.ends_at(problems, 2000, False).holds


def departed(delay: float = 1.0, start: float = 1.0) -> dict[str, np.ndarray]:
    """Twelve replicates that leave after `delay` · bits ln 2/ln m steps, up to a little noise."""
    replicate, ratio, bits = (part.ravel() for part in np.meshgrid(range(12), [1.1, 1.5], [20, 40, 53], indexing="ij"))
    factor, noise = 2 * ratio - 1, 1 + 0.001 * (replicate % 4)
    rows = np.ones(len(bits))
    return {"replicate": replicate, "ratio": ratio, "bits": bits, "factor": factor, "second": rows * 0.9,
            "step": delay * noise * bits * np.log(2) / np.log(factor), "calm": 0 * rows, "departed": rows > 0,
            "length": rows, "start_rounding": start * 2.0**-bits, "rounding": 2.0**-bits}


def test_departures_are_timed():
    assert checks.each_bit_delays(departed(), 40, "factor").holds
    assert not checks.each_bit_delays(departed(), 40, "second").holds
    assert not checks.each_bit_delays(departed(1.2), 40, "factor").holds
    assert checks.double_departure(departed(), 2.0**-53).holds
    assert not checks.double_departure(departed(), 2.0**-40).holds


def test_runs_that_never_depart_do_not_count():
    table = departed()
    trapped = (table["replicate"] == 3) & (table["ratio"] == 1.1) & (table["bits"] == 20)
    stuck = {**table, "departed": ~trapped, "step": np.where(trapped, 1.0, table["step"])}
    assert checks.departs_late(stuck, True).cases == checks.departs_late(table, True).cases - 1
    np.testing.assert_allclose(checks.departure_times(stuck), checks.departure_times(table), rtol=1e-12)


def test_departures_are_bounded_from_below():
    assert checks.departs_late(departed(), True).holds
    assert not checks.departs_late(departed(0.5), True).holds
    assert not checks.departs_late(departed(), False).holds
