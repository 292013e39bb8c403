"""What chosen settings did, on tables made by hand."""

import numpy as np
import pytest

from descent.dynamics.order_summary import reached, sweep_counts, trend, width_rows, words

SPEEDS = np.array([[0.0, -1.0, -2.0]] * 7)
REPLICATES, WIDTHS = (index.ravel() for index in np.indices(SPEEDS.shape))
ENDINGS = {"replicate": REPLICATES, "factor": 2**WIDTHS, "log_objective": SPEEDS.ravel(),
           "relative_risk": 10.0 ** SPEEDS.ravel(), "null_risk": 1.0 + REPLICATES, "objective": -SPEEDS.ravel()}


def metrics():
    """Risks 1, 1/2, 1/4 ... of the zero network's for the widest; twice and four times that for the others."""
    epoch = np.arange(1, 7)
    columns = {name: np.repeat(ENDINGS[name], len(epoch)) for name in ("replicate", "factor")}
    risk = np.repeat(ENDINGS["null_risk"], 6) * (4 / columns["factor"]) * np.tile(2.0 ** (1 - epoch), len(REPLICATES))
    return {**columns, "epoch": np.tile(epoch, len(REPLICATES)), "risk": risk}


def test_the_epoch_from_which_on_the_risk_is_near_zero():
    table = metrics()
    endings = {**ENDINGS, "relative_risk": table["risk"][5::6] / ENDINGS["null_risk"]}
    np.testing.assert_array_equal(reached(table, endings, 0.25), [[5, 4, 3]] * 7)
    assert np.isinf(reached(table, endings, 0.1)[:, 0]).all()
    table["risk"][4] = 9.0
    assert reached(table, endings, 0.25)[0].tolist() == [6, 4, 3]


def test_rows_of_the_widths():
    rows = width_rows(metrics(), ENDINGS, 0.101)
    assert [(row["factor"], row["rank"], row["reached"], row["epochs"]) for row in rows] == [
        (1, 3.0, 0, None), (2, 2.0, 7, 6.0), (4, 1.0, 7, 5.0)]
    assert [row["mean"] for row in rows] == pytest.approx([1, 0.1, 0.01])


def test_trends_of_two_columns():
    falling, rising = trend(ENDINGS), trend(ENDINGS, "objective")
    assert (falling["larger_faster"], falling["smaller_faster"], falling["order"]) == (True, False, "4, 2, 1")
    assert (rising["larger_faster"], rising["smaller_faster"], rising["order"]) == (False, True, "1, 2, 4")
    assert falling["p_larger"] == pytest.approx(6.0**-7)


def test_counts_and_words():
    rows = [{"margin": margin, "power": power, "diverged": diverged}
            for margin, power, diverged in ((0.1, 0, 0), (-0.1, 0, 0), (-np.inf, 1, 3), (0.2, 1, 0))]
    assert sweep_counts(rows) == {"settings": 4, "settings_diverged": 1, "settings_ordered": 2, "settings_alike": 2,
                                  "settings_alike_ordered": 1}
    one = {"optimizer": "sgd", "batch_size": np.int64(10), "initialization": "mean_field", "power": 1, "rate": 0.1}
    assert words(one) == {"optimizer": "SGD", "batch_size": 10, "initialization": "mean-field", "power": 1, "rate": 0.1}
