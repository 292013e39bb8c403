"""Starts, optimizers, schedule and endings of the runs of a sweep."""

import numpy as np
import pytest

from descent.dynamics.planted_sgd import PlantedSGD
from descent.dynamics.planted_sweep import Choice, ending, initial_weights, optimizer_run, scheduled_epochs
from descent.kernels.arc_cosine import PlantedRisk
from descent.networks.initialization import two_layer_weights

KEY = (np.uint32(3), np.uint32(5))
CONSTANTS = {"momentum": 0.9, "decay": 0.99, "floor": 1e-8}


def start(**changes):
    return {"kind": "gaussian", "output_scale": 1.0, "output_power": 0.0, "hidden_scale": 1.0, **changes}


def networks(rng, width=21):
    return two_layer_weights(rng, "gaussian", 3, 5, 9), two_layer_weights(rng, "gaussian", 3, width, 9)


def test_scales_change_no_draw():
    plain, scaled = (initial_weights(np.random.default_rng(1), start(**changes), 3, 16, 9) for changes in (
        {}, {"output_scale": 0.5, "output_power": 0.5, "hidden_scale": 2.0}))
    np.testing.assert_array_equal(scaled[0], plain[0] * 0.5 / 4)
    np.testing.assert_array_equal(scaled[1], plain[1] * 2)


def test_the_learning_rate_may_fall_with_the_width():
    assert Choice("sgd", 10, "small", 0, 0.1).rate_at(4) == 0.1
    assert Choice("sgd", 10, "small", 1, 0.1).rate_at(4) == 0.025


@pytest.mark.parametrize(("name", "constants"), [
    ("momentum", (0.9, 0.0, 0.0, 0.0)), ("adam", (0.9, 0.9, 0.99, 1e-8)),
])
def test_optimizers_by_name(rng, name, constants):
    assert optimizer_run(Choice(name, 10, "small", 0, 0.1), CONSTANTS, *networks(rng), KEY)._constants == constants


def test_sgd_is_the_run_of_the_assignment_and_others_are_refused(rng):
    teacher, weights = networks(rng)
    run = optimizer_run(Choice("sgd", 10, "small", 0, 0.1), CONSTANTS, teacher, weights, KEY)
    np.testing.assert_array_equal(run.advance(5, 0.1), PlantedSGD(teacher, weights, 10, KEY).advance(5, 0.1))
    with pytest.raises(ValueError, match="sgd, momentum or adam"):
        optimizer_run(Choice("newton", 10, "small", 0, 0.1), CONSTANTS, teacher, weights, KEY)


def test_the_rate_is_halved_between_the_intervals(rng):
    teacher, weights = networks(rng)
    run, risk = PlantedSGD(teacher, weights, 10, KEY), PlantedRisk(*teacher)
    rows = list(scheduled_epochs(run, risk, rate=0.08, epochs=8, intervals=4, steps=20, every_risk=False))
    assert [row["learning_rate"] for row in rows] == [0.08, 0.08, 0.04, 0.04, 0.02, 0.02, 0.01, 0.01]
    assert rows[-1]["time"] == pytest.approx(20 * 0.3)
    assert [row["step"] for row in rows] == [20 * epoch for epoch in range(1, 9)]
    assert np.isnan([row["risk"] for row in rows[:-1]]).all()
    assert rows[-1]["risk"] == risk(*run.weights)
    end = ending(rows, 8, 1.5, 2.0)
    assert end["relative_risk"] == rows[-1]["risk"] / 2
    assert end["log_objective"] == pytest.approx(np.mean([np.log10(row["objective"]) for row in rows]))
    assert not end["diverged"]


def test_a_diverging_run_ends_early_and_counts_as_infinite(rng):
    teacher, weights = networks(rng)
    run = PlantedSGD(teacher, weights, 10, KEY)
    rows = list(scheduled_epochs(run, PlantedRisk(*teacher), rate=50.0, epochs=8, intervals=4, steps=200,
                                 every_risk=True))
    assert len(rows) < 8
    end = ending(rows, 8, 1.5, 2.0)
    assert end["diverged"]
    assert [end[name] for name in ("objective", "log_objective", "relative_risk")] == [np.inf] * 3
