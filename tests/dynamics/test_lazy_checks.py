"""Each check on data that fulfil its statement, and on data that do not."""

import numpy as np

from descent.claims import verdict
from descent.dynamics import lazy_checks as checks
from descent.dynamics.lazy_training import initial, planted_sphere

SCALES = 2.0 ** np.arange(8)


def test_twins_make_the_sign_of_the_scale_irrelevant():
    samples = [planted_sphere(1, r, 8, 3, 2) for r in range(2)]
    for rounding in (0.0, 0.5):
        twins, drawn = ([initial(kind, rounding, 1, r, 16, 3) for r in range(2)] for kind in ("doubled", "centred"))
        assert checks.mirrored(twins, samples, 0.05, 1.0, 30).holds
        assert not checks.mirrored(drawn, samples, 0.05, 1.0, 30).holds


def test_every_run_has_to_have_the_slope(rng):
    good, bad = (SCALES**power * np.exp(0.001 * rng.standard_normal((6, 8))) for power in (-1.0, -0.8))
    arguments = {"scales": SCALES, "between": [1, 128], "expected": -1.0, "margin": 0.1, "hypotheses": {}}
    assert checks.slopes_within(runs=[good, good], **arguments).holds
    assert not checks.slopes_within(runs=[good, bad], **arguments).holds
    assert verdict(checks.slopes_within(runs=[good], **{**arguments, "hypotheses": {"stable": False}})) == (
        "hypothesis fails")


def test_a_noisy_moment_agrees_with_its_power_and_not_with_another(rng):
    values = SCALES**-0.5 * np.exp(0.2 * rng.standard_normal((20, 8)))
    arguments = {"scales": SCALES, "values": values, "between": [1, 128], "order": 2, "hypotheses": {}}
    assert checks.moment_slope_agrees(expected=-0.5, **arguments).holds
    assert not checks.moment_slope_agrees(expected=-1.0, **arguments).holds
