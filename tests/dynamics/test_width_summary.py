"""Selections and rows for the report, on small tables whose numbers are known."""

import numpy as np
import pytest

from descent.dynamics import width_summary as summary

RNG = np.random.default_rng(7)


def table(step_sizes=(0.1,), widths=(8, 64, 512, 4096), replicates=3) -> dict[str, np.ndarray]:
    """All quantities are width^(−1/2) with a little scatter, at flow times 1 and 2."""
    rows = [(r, m, eta, time) for r in range(replicates) for eta in step_sizes for m in widths for time in (1.0, 2.0)]
    columns = dict(zip(("replicate", "width", "step_size", "flow_time"), map(np.array, zip(*rows)), strict=True))
    for name in (*summary.QUANTITIES, "flow_deviation"):
        columns[name] = columns["width"] ** -0.5 * np.exp(0.01 * RNG.standard_normal(len(rows)))
    columns["error"], columns["kernel_error"] = 3 * columns["flow_time"], columns["flow_time"]
    return columns


def test_rows_of_one_flow_time():
    assert set(summary.at_horizon(table(), 1.0)["flow_time"]) == {1.0}
    assert set(summary.at_horizon(table())["flow_time"]) == {2.0}
    with pytest.raises(ValueError, match="flow time 1.5"):
        summary.at_horizon(table(), 1.5)


def test_steps_are_compared_on_the_same_widths_and_replicates():
    rows = summary.all_steps(table(), table((0.05, 0.025), (8, 64, 512), 2), 1.0)
    assert len(rows["width"]) == 3 * 3 * 2
    assert rows["step_size"].tolist() == [0.025] * 6 + [0.05] * 6 + [0.1] * 6
    assert rows["width"][:6].tolist() == [8, 8, 64, 64, 512, 512]
    assert rows["replicate"][:6].tolist() == [0, 1] * 3
    row = summary.step_row(rows)
    assert row["steps_quarter"] == pytest.approx(-0.5, abs=0.02)
    assert row["flow_change_half"] < 0.1


def test_a_row_of_laws():
    row = summary.law_row(summary.at_horizon(table()))
    assert row["deviation"] == pytest.approx(-0.5, abs=0.01)
    assert row["deviation_low"] < row["deviation"] < row["deviation_high"]
    assert row["deviation_upper"] == pytest.approx(-0.5, abs=0.03)
    assert (row["narrowest"], row["widest"]) == (8, 4096)
    assert row["flipped_last"] == pytest.approx(1 / 64, rel=0.03)
    assert row["error_ratio_first"] == pytest.approx(3)


def test_a_row_for_the_data():
    x = RNG.standard_normal((30, 4))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    row = summary.set_row(x, x @ np.ones(4), 0.01, 1e5, 1.0)
    assert row["linear"] == pytest.approx(0, abs=1e-12)
    assert row["left"] == pytest.approx(0, abs=1e-12)
    assert 0 < row["left_short"] < 1
    assert row["modes"] == 1
    assert row["lambda_min"] <= row["lambda_median"] <= row["lambda_max"]
    assert row["step_fraction"] == pytest.approx(0.005 * row["lambda_max"])


def test_the_answer_follows_the_numbers():
    laws = [{"data": "synthetic", "start": "independent", "time": time, **summary.law_row(table())} for time in (1, 8)]
    answer, exponents = summary.findings({"laws": laws}, 1, 8)
    assert "Yes: from 8 to 4,096 hidden units" in answer
    assert "falls from" in answer
    assert "$-0.50$" in exponents
    rising = {**laws[1], "deviation_high": 0.1}
    assert "Not on every data set" in summary.answer([rising], 8)
