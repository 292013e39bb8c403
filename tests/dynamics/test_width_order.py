"""Statistics of the order of the widths, and choices by them, on tables made by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import page_trend_test, spearmanr

from descent.dynamics import width_order
from descent.dynamics.planted_sweep import Choice

SGD = Choice("sgd", 10, "gaussian", 0, 0.1)


def endings(choice, speeds, risks=None, objective=None):
    """A table of endings of one setting from arrays (replicates, widths)."""
    speeds = np.asarray(speeds, float)
    replicates, widths = np.indices(speeds.shape)
    columns = {"replicate": replicates, "factor": 2**widths, "log_objective": speeds, "diverged": np.isinf(speeds),
               "relative_risk": speeds if risks is None else np.asarray(risks, float),
               "objective": speeds if objective is None else np.asarray(objective, float)}
    return {**{name: [value] * speeds.size for name, value in vars(choice).items()},
            **{name: column.ravel() for name, column in columns.items()}}


def stacked(*tables):
    return {name: np.concatenate([np.asarray(table[name]) for table in tables]) for name in tables[0]}


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(3, 5))
def test_the_order_score_is_the_mean_rank_correlation_and_page_s_statistic(seed, replicates, widths):
    samples = np.random.default_rng(seed).standard_normal((replicates, widths))
    score = width_order.order_score(samples)
    assert score == pytest.approx(np.mean([spearmanr(np.arange(widths), -row).statistic for row in samples]))
    low, high = (sum(i * j for i, j in enumerate(order, 1)) for order in (range(widths, 0, -1), range(1, widths + 1)))
    statistic = page_trend_test(samples[:, ::-1], method="asymptotic").statistic / replicates
    assert score == pytest.approx(2 * (statistic - low) / (high - low) - 1)


def test_scores_of_perfect_reversed_and_diverged_orders():
    falling = np.array([[3.0, 2.0, 1.0], [9.0, 0.0, -1.0]])
    assert width_order.order_score(falling) == 1
    assert width_order.order_score(falling[:, ::-1]) == -1
    assert width_order.order_score(np.full((2, 3), np.inf)) == 0
    assert width_order.order_score([[2.0, 1.0, np.inf]]) == pytest.approx(-0.5)


@given(st.integers(0, 2**32 - 1))
def test_the_margin_is_positive_exactly_when_the_order_is_perfect(seed):
    samples = np.random.default_rng(seed).integers(0, 5, (2, 3)).astype(float)
    assert (width_order.order_margin(samples) > 0) == all(a > b > c for a, b, c in samples)
    assert width_order.order_margin([[3.0, 1.0, np.inf]]) == -np.inf


def test_sweep_rows_sort_replicates_and_widths():
    other = Choice("adam", 10, "small", 1, 0.01)
    table = stacked(endings(SGD, [[0.0, -1.0, -3.0], [0.0, -2.0, -2.5]], [[1, 2, 3], [4, 9, 6]]),
                    endings(other, [[0.0, 1.0, np.inf]] * 2))
    permutation = np.random.default_rng(1).permutation(12)
    shuffled = {name: column[permutation] for name, column in table.items()}
    assert width_order.sweep_rows(shuffled) == width_order.sweep_rows(table)
    adam, sgd = width_order.sweep_rows(table)
    assert (sgd["order"], sgd["margin"], sgd["worst_risk"], sgd["diverged"], sgd["runs"]) == (1, 0.5, 9, 0, 6)
    assert (adam["optimizer"], adam["rate"], adam["diverged"], adam["margin"]) == ("adam", 0.01, 2, -np.inf)


ROWS = [{**vars(Choice("sgd", 10, "a", power, rate)), "margin": margin, "worst_risk": risk}
        for power, rate, margin, risk in (
            (0, 0.1, 0.2, 0.5), (0, 0.2, 0.3, 0.4), (1, 0.3, 0.9, 0.1), (0, 0.4, 0.1, 0.3))]


def test_the_best_for_the_order_has_one_rate_for_all_widths():
    assert [row["rate"] for row in width_order.best_rows(ROWS, "order", 2)] == [0.2, 0.1]
    assert [row["rate"] for row in width_order.best_rows(ROWS, "near_zero", 2)] == [0.3, 0.4]
    with pytest.raises(ValueError, match="order or near_zero"):
        width_order.best_rows(ROWS, "speed")


def test_finalists_are_slowed_down_and_named_once():
    wanted = {"order": {"count": 1, "exponents": [0.5, 1]}, "near_zero": {"count": 1, "exponents": [0, 0.5]}}
    found = width_order.finalists(ROWS, wanted, 100.0)
    assert [(one.power, one.rate) for one in found] == [(0, 0.002), (0, 0.02), (1, 0.03), (1, 0.3)]
    assert len(width_order.finalists(ROWS[:1], wanted, 100.0)) == 3


@pytest.mark.parametrize(("last", "best"), [
    ({0.1: [3.0, 2.0], 1.0: [1.0, 1.0]}, 1.0),
    ({0.1: [3.0, 2.0], 1.0: [0.0, np.inf]}, 0.1),
])
def test_the_document_s_rate_diverges_least_and_then_ends_lowest(last, best):
    tables = [endings(Choice("sgd", 10, "gaussian", power, rate), np.zeros((2, 2)), None,
                      np.array([[0.0 if power else 9.0] * 2, ends]).T)
              for rate, ends in last.items() for power in (0, 1)]
    found = width_order.document_choice(stacked(*tables), "gaussian", 10, 2, list(last))
    assert found == Choice("sgd", 10, "gaussian", 0, best)
