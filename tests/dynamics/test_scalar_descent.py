"""Many descents at once against one descent in a plain loop, and its ends against what is known of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descent.dynamics import scalar_descent as scalar
from descent.dynamics.two_minima import curvature, evaluate, slope, stationary_points

SHARP, BOUNDARY, WIDE = stationary_points()


def run(start, step, limit=3000):
    return scalar.descend(np.atleast_1d(start), step, limit, 1e-8, BOUNDARY)


def plain_end(theta, alpha, steps):
    for _ in range(steps):
        theta -= alpha * float(evaluate(slope, theta))
        if abs(theta) > scalar.ESCAPED:
            return "diverged"
    return min(("sharp", SHARP), ("wide", WIDE), key=lambda minimum: abs(theta - minimum[1]))[0]


@settings(max_examples=30)
@given(st.floats(-5, 20), st.one_of(st.floats(0.02, 0.09), st.floats(0.15, 1.0), st.floats(2.1, 9)))
def test_ends_are_those_of_a_plain_loop(start, alpha):
    if abs(start - BOUNDARY) < 1e-3:
        return
    found = run(start, alpha)
    assert scalar.ENDS[found["end"][0]] == plain_end(start, alpha, 1000)


def test_blocks_do_not_matter(rng, monkeypatch):
    starts, steps = rng.uniform(-5, 20, 200), np.geomspace(0.02, 5, 200)
    whole = scalar.descend(starts, steps, 500, 1e-8, BOUNDARY)
    monkeypatch.setattr(scalar, "BLOCK", 7)
    parts = scalar.descend(starts, steps, 500, 1e-8, BOUNDARY)
    for name, column in whole.items():
        np.testing.assert_array_equal(column, parts[name])


def test_beside_an_unstable_minimum_a_small_slope_is_no_end():
    assert run(SHARP + 1e-10, 0.3)["end"].tolist() == [scalar.WIDE]
    assert run(WIDE + 1e-10, 4.0)["end"].tolist() == [scalar.DIVERGED]


@pytest.mark.parametrize(("alpha", "period"), [(0.0975, 2), (0.0993, 4), (0.09995, 8)])
def test_cycles_have_their_least_period(alpha, period):
    found = run(2.3, alpha, 6000)
    assert (found["end"][0], found["period"][0]) == (scalar.CYCLE, period)
    error, multiplier, extent = scalar.cycle_facts(found["position"], np.array([alpha]), found["period"])
    assert error[0] < 1e-9
    assert abs(multiplier[0]) < 1 < extent[0]
    shorter, _, _ = scalar.cycle_facts(found["position"], np.array([alpha]), found["period"] // 2)
    assert shorter[0] > 1e-3


def test_the_limit_leaves_runs_undecided():
    found = run(5.0, 0.01, 10)
    assert (found["end"][0], found["steps"][0]) == (scalar.UNDECIDED, 10)
    assert SHARP < found["position"][0] < WIDE


def test_the_exponent_at_a_fixed_point_is_the_logarithm_of_its_slope():
    found = scalar.lyapunov_exponents(np.array([WIDE]), np.array([0.4]), 50)
    assert found[0] == pytest.approx(np.log(abs(1 - 0.4 * evaluate(curvature, WIDE))))
