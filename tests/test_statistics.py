"""Intervals and ledger checks against their definitions."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import binomtest, linregress, t

from descent.statistics import (
    CLAIM_LEVEL,
    agreement,
    binomial_agreement,
    binomial_interval,
    ending_summary,
    falling_trend,
    mean_interval,
    mean_ranks,
    mean_within,
    positive_mean,
    power_law,
)


def test_mean_interval_covers_at_its_level(rng):
    samples = rng.standard_normal((4000, 6))
    covered = np.mean([low <= 0 <= high for _, low, high in map(mean_interval, samples)])
    assert abs(covered - 0.95) < 5 * np.sqrt(0.95 * 0.05 / 4000)


def test_agreement_counts_standard_errors():
    outcome = agreement([1.0, 2.0], np.array([0.1, 0.1]), [1.1, 2.2], samples=1000)
    assert outcome.observed == pytest.approx(2)
    assert outcome.holds
    assert not agreement([1.0, 2.0], np.array([0.1, 0.1]), [1.0, 2.0], samples=1000, scale=2.0).holds


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (10, 10), (3, 10), (8006, 10**6)])
def test_binomial_interval_is_scipy_s_exact_one(hits, trials):
    expected = binomtest(hits, trials).proportion_ci(1 - 1e-4, method="exact")
    assert binomial_interval(hits, trials, 1e-4) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_binomial_agreement_is_membership_in_all_intervals():
    low, high = binomial_interval(np.array([30, 500]), np.array([100, 1000]), CLAIM_LEVEL / 2)
    inside = binomial_agreement([30, 500], [100, 1000], [high[0] * 0.999, low[1] * 1.001])
    assert inside.holds
    assert inside.observed == pytest.approx(1, abs=0.01)
    assert not binomial_agreement([30, 500], [100, 1000], [high[0] * 1.001, 0.5]).holds
    assert binomial_agreement([0, 500], [100, 1000], [0.0, 0.5]).observed == 0


def test_agreement_bound_is_wider_for_more_means_and_fewer_samples():
    bounds = [agreement(np.zeros(k), np.ones(k), np.zeros(k), n).bound for k, n in ((1, 10**6), (10, 10**6), (10, 20))]
    assert bounds == sorted(bounds)
    assert bounds[0] == pytest.approx(4.4172, abs=1e-3)
    assert pytest.approx(1e-5) == CLAIM_LEVEL


def test_power_law_is_the_regression_of_the_logarithms(rng):
    sizes = np.repeat([10.0, 100.0, 1000.0], 4)
    values = 3 * sizes**-0.5 * np.exp(0.1 * rng.standard_normal(12))
    slope, half = power_law(sizes, values, 0.05)
    reference = linregress(np.log(sizes), np.log(values))
    assert slope == pytest.approx(reference.slope)
    assert half == pytest.approx(t.ppf(0.975, 10) * reference.stderr)


def test_mean_within_asks_the_whole_interval(rng):
    samples = 2 + 0.01 * rng.standard_normal(12)
    _, low, high = mean_interval(samples, 1 - CLAIM_LEVEL)
    outcome = mean_within(samples, 2.0, 0.1)
    assert outcome.holds
    assert outcome.observed == pytest.approx(max(2 - low, high - 2))
    assert not mean_within(samples, 1.0, 0.1).holds
    assert not mean_within(samples[:2], 2.0, 0.1).holds
    assert mean_within(samples, 2.0, 0.1, 0.05).observed < outcome.observed


def test_positive_mean_is_the_one_sided_t_test(rng):
    from scipy.stats import ttest_1samp

    samples = 1 + 0.3 * rng.standard_normal(12)
    outcome = positive_mean(samples)
    assert outcome.observed == pytest.approx(ttest_1samp(samples, 0, alternative="greater").pvalue)
    assert outcome.holds
    assert not positive_mean(-samples).holds
    assert not positive_mean(samples - 1).holds


def test_trend_p_value_is_the_share_of_orders():
    samples = np.array([[3.0, 1.0, 2.0], [3.0, 2.0, 1.0]])
    weights = np.array([1, 2, 3])
    scores = [sum(np.dot(weights, row) for row in rows) for rows in
              ((a, b) for a in permutations((1, 2, 3)) for b in permutations((1, 2, 3)))]
    observed = np.dot(weights, [2, 1, 3]) + np.dot(weights, [1, 2, 3])
    assert falling_trend(samples).observed == pytest.approx(np.mean(np.array(scores) >= observed))


def test_a_clear_trend_is_seen_and_lost_when_rows_are_turned(rng):
    samples = np.array([8.0, 4.0, 2.0, 1.0]) * (1 + 0.01 * rng.standard_normal((8, 4)))
    assert falling_trend(samples).holds
    assert not falling_trend(samples[:, ::-1]).holds
    assert not falling_trend(samples, rotation=1).holds


def test_diverged_columns_rank_last():
    assert mean_ranks([[1.0, 2.0], [np.inf, np.inf], [2.0, 1.0]]) == [1.5, 3.0, 1.5]


def test_ending_summary_leaves_out_what_diverged():
    summary = ending_summary(np.array([1.0, 100.0, np.inf]))
    assert (summary["replicates"], summary["diverged"]) == (3, 1)
    assert summary["mean"] == pytest.approx(10)
    assert (summary["least"], summary["greatest"]) == (1, 100)
    assert ending_summary(np.array([1.0, np.inf]))["mean"] is None
