"""Checks of Lemmas 3.2 and 3.3 on tables made up so that the verdicts are known."""

import numpy as np
import pytest
from scipy.special import erf, ndtr
from scipy.stats import binom

from descent.bounds import lemma_checks as checks
from descent.bounds import lemma_summary as summary
from descent.claims import verdict


def flips(share: float, draws: int = 10**6, missed: int = 0, crossed: int = 0, undecided: int = 0):
    inside = round(share * draws)
    rows = {"radius": [1.0], "draws": [draws], "inside": [inside], "inside_flips": [inside - missed],
            "outside": [draws - inside], "outside_flips": [crossed], "undecided": [undecided]}
    return {"variant": ["stated"], **{name: np.array(values) for name, values in rows.items()}}


def test_one_exception_refutes_and_one_undecided_draw_leaves_open():
    assert verdict(checks.flips_inside(flips(0.5), "stated")) == "holds"
    assert verdict(checks.flips_inside(flips(0.5, missed=1), "stated")) == "refuted"
    assert verdict(checks.no_flip_outside(flips(0.5), "stated")) == "holds"
    assert verdict(checks.no_flip_outside(flips(0.5, crossed=1), "stated")) == "refuted"
    assert verdict(checks.flips_inside(flips(0.5, undecided=1), "stated")) == "hypothesis fails"


def test_share_of_flips():
    exact = erf(0.5**0.5)
    assert checks.flip_share(flips(exact), 0.5**0.5).holds
    assert not checks.flip_share(flips(exact + 0.003), 0.5**0.5).holds
    assert checks.flip_share_below(flips(2 / np.sqrt(2 * np.pi)), 1.0).holds
    assert not checks.flip_share_below(flips(2 / np.sqrt(2 * np.pi) + 0.003), 1.0).holds
    assert not checks.flip_share_below(flips(exact), 0.5).holds


@pytest.mark.parametrize(("closed", "rule", "right"), [
    (True, "half_open", True), (True, "open", False), (True, "closed", False),
    (False, "open", True), (False, "half_open", False), (False, "closed", False),
])
def test_only_two_equivalences_are_true(closed, rule, right):
    outcome = checks.equivalence(closed, rule)
    assert outcome.holds is right
    assert (outcome.observed == 0) is right
    # Once for each of the twelve pairs of a unit vector and a radius.
    if (closed, rule) == (True, "open"):
        assert outcome.observed == 12


def chain(**columns):
    base = {"replicate": np.zeros(3, int), "step": np.array([0, 5, 10]), "flow_time": np.array([0.0, 1.0, 2.0]),
            "speed": np.array([0.5, 0.2, 0.1]), "summed": np.array([1.0, 0.6, 0.4]), "root": np.array([2.0, 0.8, 0.5]),
            "norm": np.array([4.0, 1.6, 1.0]), "movement": np.array([0.0, 0.3, 9.0]),
            "integrated": np.array([0.0, 2.0, 3.0]), "lambda_min": np.array([1.0, 0.6, 0.4]), "lambda_max": np.ones(3)}
    return {**base, **columns}


def test_inequalities_report_the_largest_ratio():
    outcome = checks.inequality(chain(), "speed", "summed", 1.0, units=7)
    assert (outcome.observed, outcome.cases, outcome.holds) == (0.5, 21, True)
    assert not checks.inequality(chain(), "speed", "summed", 0.4, units=7).holds


def test_speeds_count_only_while_the_hypothesis_was_seen():
    fast = chain(speed=np.array([0.5, 0.2, 99.0]))
    assert checks.speed_below_decay(fast, 1.0, 1.0, units=1).cases == 2
    assert checks.speed_below_decay(fast, 1.0, 1.0, units=1).holds
    assert not checks.speed_below_decay(fast, 0.5, 1.0, units=1).holds
    assert not checks.speed_below_decay(chain(), 1.0, 0.2, units=1).holds


def constructed(rate: float, **columns):
    times = np.array([0.0, 1.0, 2.0])
    base = {"case": ["one_sample"] * 3, "replicate": np.zeros(3, int), "samples": np.ones(3, int),
            "width": np.full(3, 4), "step": np.array([0, 100, 200]), "flow_time": times,
            "log_error": 100 * times * np.log1p(-0.01 * rate), "log_flow": -rate * times,
            "rate": np.full(3, rate), "lambda_min": np.full(3, rate), "lambda_0": np.full(3, 0.5),
            "start": np.ones(3), "frozen": np.ones(3, bool), "movement": np.array([0.0, 0.5, 0.6]),
            "flow_movement": np.array([0.0, 0.5, 0.6])}
    return {**base, **columns}


def test_rates_are_judged_by_descent_and_flow_and_need_their_hypotheses():
    assert verdict(checks.error_below_rate(constructed(0.25), 0.5)) == "holds"
    assert verdict(checks.error_below_rate(constructed(0.25), 0.51)) == "refuted"
    assert verdict(checks.error_below_rate(constructed(0.2), 0.5)) == "hypothesis fails"
    flipped = constructed(0.25, frozen=np.array([True, True, False]))
    assert verdict(checks.error_below_rate(flipped, 0.5)) == "hypothesis fails"
    assert checks.frozen_descent(constructed(0.3), "rate").holds
    assert not checks.frozen_descent(constructed(0.3), "lambda_0").holds


def one_sample(**columns):
    base = {"width": np.array([4, 4, 4, 4]), "start_error": np.ones(4), "start_rate": np.array([0, 0.25, 0.5, 0.75]),
            "end_rate": np.array([0, 0.25, 0.25, 0.75]), "path": np.array([9.0, 2.0, 1.5, 0.6])}
    return {**base, **columns}


def test_movement_is_over_the_printed_radius_and_counts_what_the_hypothesis_covers():
    # Radii: 1 for the constructed network; 2/√4 · 4 = 8 in the run; 2 · 1/2 = 1 for the flows on one sample.
    arguments = {"chain": chain(), "one_sample": one_sample(), "samples": 4, "units": 4, "lambda_0": 1.0}
    outcome = checks.movement_within(constructed(0.25), factor=2.0, **arguments)
    assert (outcome.observed, outcome.cases, outcome.holds) == (1.0, 3 + 2 + 3, True)
    assert not checks.movement_within(constructed(0.25), factor=1.9, **arguments).holds
    assert checks.printed_radius(4, 4, 4.0, 1.0) == pytest.approx(4.0)


def test_slow_flows_are_counted_and_their_probability_is_binomial():
    hits, trials, probability = checks.slow_at_once(one_sample())
    assert (hits.tolist(), trials.tolist()) == ([1], [4])
    assert probability[0] == pytest.approx(binom.pmf(1, 4, 0.5))
    for width in (5, 6, 20, 33):
        rows = one_sample(width=np.full(4, width))
        exact = sum(binom.pmf(k, width, 0.5) for k in range(width + 1) if width / 4 <= k < width / 2)
        assert checks.slow_at_once(rows)[2][0] == pytest.approx(exact)
    ended, count, share = checks.slow_in_the_end(one_sample(), 0.5)
    assert (ended, count) == (2, 4)
    assert share == pytest.approx(ndtr(0.5))


def test_rows_of_runs_tell_when_and_by_how_much():
    steps = np.arange(11)
    metrics = {"replicate": np.zeros(11, int), "step": steps, "flow_time": 0.2 * steps, "remainder": np.zeros(11),
               "loss": 8.0 * np.exp(-0.8 * 0.2 * steps)}
    (row,) = summary.run_rows(metrics, chain(), 0.7, samples=4, units=4)
    # ‖u − y‖ falls like e^{−0.4 t}, slower than e^{−0.7 t} from the first step on.
    assert (row["fails_time"], row["fails_while_held"]) == (pytest.approx(0.2), True)
    assert row["lambda_min"] == pytest.approx(1.0 / 0.7)
    assert row["excess"] == pytest.approx(np.exp(0.3 * 2))
    assert not row["lost"]
    (lost,) = summary.run_rows(metrics, chain(), 1.1, samples=4, units=4)
    assert (lost["held_time"], lost["lost"], lost["movement"]) == (1.0, True, 0.3)
    assert lost["excess"] == pytest.approx(np.exp(0.7))
    (never,) = summary.run_rows({**metrics, "loss": 8.0 * np.exp(-4.0 * steps)}, chain(), 0.7, samples=4, units=4)
    assert never["fails_time"] is None
    assert never["corrected"] == pytest.approx(2 * never["printed"])


def test_rows_of_constructed_networks_are_their_ends():
    (row,) = summary.constructed_rows(constructed(0.25))
    assert row["case"] == "one_sample"
    assert (row["rate"], row["lambda_min"]) == (0.5, 0.5)
    assert row["excess"] == pytest.approx(np.exp(constructed(0.25)["log_error"][-1] + 1.0))
    assert row["movement"] == pytest.approx(0.6)
