"""What the checks of matrix completion see in made-up tables."""

import numpy as np

from descent.bounds import matrix_completion as checks


def test_endings_are_the_last_steps_with_scales_falling():
    table = {"start": ["gaussian"] * 4 + ["balanced"], "replicate": np.zeros(5, int),
             "scale": np.array([0.1, 0.1, 1.0, 1.0, 1.0]), "step": np.array([0, 5, 0, 7, 0]),
             "test_error": np.array([9.0, 1.0, 8.0, 2.0, 3.0])}
    np.testing.assert_array_equal(checks.endings(table, "gaussian", "test_error"), [[2.0, 1.0]])


def test_less_needs_a_difference_larger_than_the_noise():
    noise = np.exp(0.1 * np.random.default_rng(0).standard_normal((2, 8)))
    assert checks.less(0.1 * noise[0], noise[1]).holds
    assert not checks.less(noise[0], noise[1]).holds
    assert not checks.less(noise[1], 0.1 * noise[0]).holds


def test_ranks_approach_only_when_every_scale_comes_closer():
    target = np.array([5.0])
    assert checks.approaches({2: np.array([[60.0, 20.0, 6.0]])}, target, 0.2).holds
    assert not checks.approaches({2: np.array([[60.0, 61.0, 6.0]])}, target, 0.2).holds
    assert not checks.approaches({2: np.array([[60.0, 40.0, 20.0]])}, target, 0.2).holds


def test_any_movement_at_all_is_seen():
    assert checks.unmoved({"moved": np.zeros(3)}).holds
    assert not checks.unmoved({"moved": np.array([0.0, 1e-15])}).holds
