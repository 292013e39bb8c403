"""The exact flow on one sample against gradient descent with a small step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descent.dynamics.gradient_descent import GradientDescent
from descent.dynamics.one_sample_flow import one_sample_columns, one_sample_flow


def descended(heights, signs, target, eta, steps):
    descent = GradientDescent(heights[:, None], signs[:, None], np.ones((1, 1)), np.full((1, 1), target), eta,
                              len(heights) ** -0.5)
    errors = [np.sqrt(2 * descent.loss())]
    for _ in range(steps):
        descent.step()
        errors.append(np.sqrt(2 * descent.loss()))
    return np.array(errors), descent


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([8, 40]), st.floats(-3, 3))
def test_ends_where_descent_with_a_small_step_ends(seed, width, target):
    rng = np.random.default_rng(seed)
    heights, signs, eta = rng.standard_normal(width), rng.choice([-1.0, 1.0], width), 0.005
    flow = one_sample_flow(heights, signs, target)
    errors, descent = descended(heights, signs, target, eta, 20000)
    assert flow.start_error == pytest.approx(errors[0])
    assert flow.start_rate == np.mean(heights >= 0)
    path = eta * errors[:-1].sum() / np.sqrt(width)
    if flow.end_rate > 0.05:
        assert errors[-1] < 1e-3 * max(errors[0], 1e-9) + 1e-6
        # A unit overshoots the hyperplane by less than a step, which shifts the path by a part of order eta.
        assert flow.path == pytest.approx(path, rel=0.03, abs=1e-6)
        near = np.abs(heights - flow.path).min() < 0.03 * flow.path
        assert near or flow.end_rate == np.mean(descent.patterns)
        moved = np.abs(descent.hidden[:, 0] - heights).max()
        assert moved <= flow.path * 1.03 + 1e-6


def test_without_a_stop_the_path_is_error_over_rate():
    heights = np.array([1.0, 2.0, -1.0, -1.0, -0.5, -0.5, -2.0, -2.0])
    flow = one_sample_flow(heights, np.ones(8), 10.0)
    error = 10.0 - 3.0 / np.sqrt(8)
    assert (flow.start_rate, flow.end_rate) == (0.25, 0.25)
    assert flow.start_error == pytest.approx(error)
    # A quarter of the units: twice the printed radius 2 |r(0)|/√m, and the corrected one exactly.
    assert flow.path == pytest.approx(4 * error / np.sqrt(8))


def test_all_units_can_fall_silent():
    heights = np.array([0.1, 0.2, -1.0, -1.0])
    flow = one_sample_flow(heights, np.ones(4), -5.0)
    assert (flow.start_rate, flow.end_rate, flow.path) == (0.5, 0.0, 0.2)
    asleep = one_sample_flow(-np.ones(4), np.ones(4), 1.0)
    assert (asleep.start_rate, asleep.end_rate, asleep.path) == (0.0, 0.0, 0.0)


def test_columns_are_reproducible_and_one_row_each():
    first, again = (one_sample_columns(np.random.default_rng(0), 50, 30, 1.0) for _ in range(2))
    assert all((first[name] == again[name]).all() for name in first)
    assert (first["width"] == 50).all()
    assert len(first["path"]) == 30
    assert (first["end_rate"] <= first["start_rate"]).all()
