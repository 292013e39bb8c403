"""The checks and numbers of the drift of the kernel, on data that fulfil a statement and on data that do not."""

import numpy as np
import pytest

from descent.bounds import drift_checks as checks
from descent.bounds import drift_summary as summary
from descent.claims import verdict

STEPS, ETA = 100, 0.5


def run(rate=0.4, least=0.3, sliding=0.2, replicates=2, eta=ETA, noise=0.0) -> tuple[dict, dict]:
    """Squared errors that fall like e^{−rate t}; eigenvalues that fall to `least` and `sliding` at step 50."""
    k, seen = np.arange(STEPS + 1), np.array([0, 4, 20, 50, 100])
    metrics, states = [], []
    for replicate in range(replicates):
        scale = 1 + replicate
        metrics.append({"replicate": np.full(STEPS + 1, replicate), "step": k, "flow_time": eta * k,
                        "loss": 3.0 * scale * np.exp(-rate * eta * k + noise * k)})
        late = seen >= 50
        states.append({
            "replicate": np.full(5, replicate), "step": seen, "flow_time": eta * seen,
            "lambda_min": np.where(late, least, 0.5), "lambda_max": np.full(5, 4.0),
            "sliding_lambda_min": np.array([0.5, np.nan, 0.5, sliding, sliding]), "drift": 0.1 * scale * (seen > 0),
            "drift_rms": 0.03 * (seen > 0), "eigenvalue_change": 0.05 * (seen > 0), "movement": 1.0 * (seen > 0),
            "flipped": 0.2 * (seen > 0), "sliding": np.array([np.nan, np.nan, 0.1, 0.1, 0.1]),
            "sliding_highest": np.array([np.nan, np.nan, -0.01, -0.01, -0.01]),
            "sliding_lowest": np.array([np.nan, np.nan, -0.2, -0.2, -0.2]),
            "rate": np.array([np.nan, np.nan, 1.2, 2 * sliding, 2 * sliding]),
            "pattern_error": np.array([np.nan, np.nan, 0.1, 0.9, 0.9]),
            "sliding_error": np.array([np.nan, np.nan, 0.1, 0.05, 0.01])})
    return tuple({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
                 for parts in (metrics, states))


def test_weyl_needs_the_spectral_norm():
    tables = [run()[1]]
    assert checks.weyl(tables).holds
    assert checks.weyl(tables).cases == 8
    assert not checks.weyl(tables, norm="drift_rms").holds


def test_order_of_the_kernels():
    table = run()[1]
    assert checks.sliding_order([table], 10).holds
    assert checks.sliding_order([table], 10).cases == 6
    assert not checks.sliding_order([table], 10, sign=-1.0).holds
    assert not checks.sliding_order([run(sliding=-0.01)[1]], 10).holds


def test_windows_tell_the_kernels_apart():
    tables = [run()[1]]
    assert checks.residual_change(tables, 0.15).holds
    assert not checks.residual_change(tables, 0.15, kernel="pattern_error").holds
    assert checks.least_rate(tables, 0.01).holds
    assert checks.least_rate(tables, 0.01).cases == 6
    assert not checks.least_rate(tables, 0.01, kernel="lambda_min").holds


@pytest.mark.parametrize(("kernel", "level", "expected"), [
    ("sliding_lambda_min", 0.25, "holds"), ("lambda_min", 0.25, "refuted"), ("lambda_min", 0.35, "holds")])
def test_flow_bound_is_judged_while_the_kernel_allows(kernel, level, expected):
    metrics, states = run(rate=0.6, least=0.3, sliding=0.2)
    metrics["loss"] = np.where(metrics["step"] < 60, metrics["loss"], metrics["loss"].max())
    assert verdict(checks.flow_while([(metrics, states)], 0.5, level, kernel)) == expected


def test_sign_of_the_slope():
    widths = np.repeat([100.0, 200.0, 400.0, 800.0], 3)
    values = widths**-0.5 * np.exp(np.tile([0.01, -0.01, 0.0], 4))
    assert checks.falls_with_width(widths, values).holds
    assert not checks.falls_with_width(widths.reshape(-1, 3).T.ravel(), values).holds


def test_precisions_are_compared_at_common_steps():
    double, single = run(), run(noise=1e-4)
    gaps = checks.precision_gap(single, double, 0.5)
    assert gaps.shape == (2, 3)
    np.testing.assert_allclose(gaps[:, 0], 0.01)
    assert gaps[:, 1:].max() == 0
    assert checks.precision_agrees([(single, double)], 0.5, 0.02).holds
    assert not checks.precision_agrees([(single, checks.next_replicate(double))], 0.5, 0.02).holds
    assert summary.precision_row("a", single, double, 0.5)["steps"] == STEPS


def test_renamed_replicates_keep_their_rows():
    metrics, _ = checks.next_replicate(run())
    assert metrics["replicate"][[0, -1]].tolist() == [0, 1]
    assert metrics["loss"][[0, STEPS + 1]].tolist() == [6.0, 3.0]


def test_crossing_is_interpolated_in_the_logarithm():
    states = {name: values[:5] for name, values in run(least=0.3, sliding=0.3)[1].items()}
    expected = 10 * np.exp(0.5 * np.log(25 / 10))
    assert summary.crossing_time(states, "lambda_min", 0.4) == pytest.approx(expected)
    assert summary.crossing_time(states, "sliding_lambda_min", 0.4) == pytest.approx(expected)
    assert summary.crossing_time(states, "lambda_min", 0.2) is None
    assert summary.crossing_time(states, "lambda_min", 0.6) == 0.0


@pytest.mark.parametrize(("least", "surprise"), [(0.3, 2), (0.2, 0)])
def test_row_of_a_width(least, surprise):
    row = summary.width_row(run(rate=0.45, least=least, sliding=0.2), 64, "float64", 0.5, 0.9)
    assert (row["fails"], row["fails_mean"]) == (2, ETA)
    assert row["sliding_crosses"] == 2
    assert row["pattern_crosses"] == (2 if least < 0.25 else 0)
    assert row["pattern_surprise"] == 2
    late = run(rate=0.6, least=least, sliding=0.2)
    late[0]["loss"] = np.where(late[0]["step"] < 90, late[0]["loss"], late[0]["loss"].max())
    row = summary.width_row(late, 64, "float64", 0.5, 0.9)
    assert row["fails_mean"] == 90 * ETA
    assert (row["pattern_surprise"], row["sliding_surprise"]) == (surprise, 0)


def test_halved_steps_are_compared_at_common_times():
    row = summary.halving_row(run(rate=0.4), run(rate=0.42, eta=ETA / 2), 1, 64, 0.5)
    assert row["parts"] == 2
    assert row["change"] == pytest.approx(0.02 * 25)
    assert row["excess"] == pytest.approx(0.08 * 25)


def test_slopes_and_overview():
    runs = {width: run() for width in (100, 200, 400)}
    for width, (_, states) in runs.items():
        states["drift"] = states["drift"] * width**-0.5
        states["lambda_min"] = states["lambda_min"] + 0.01 * np.log(width)
    found = summary.slopes(runs, 100, 0.5, 0.95)
    assert found["drift_slope"] == pytest.approx(-0.5)
    assert found["drift_slope_low"] < -0.5 < found["drift_slope_high"]
    assert "level_slope" in found
    assert "level_slope" not in summary.slopes(runs, 100, 0.5, 0.1)
    over = summary.overview(runs, 100)
    assert (over["eta"], over["common_time"], over["replicates"]) == (ETA, 50.0, 2)
    assert over["rate_gap"] == 0
    assert over["pattern_rate_gap"] > 0.4


def test_findings_follow_the_gaps():
    row = {"width": 1000, "flow_time": 50.0, "fails": 2, "pattern_surprise": 1, "sliding_surprise": 0}
    numbers = {"widths": [row], "rate_gap": 0.01, "pattern_rate_gap": 0.5}
    assert "what decides is the kernel of weights that slide" in summary.findings(numbers)[1]
    assert "no failure comes before" in summary.findings(numbers)[1]
    assert "failure" not in summary.findings({**numbers, "widths": [{**row, "fails": 0, "pattern_surprise": 0}]})[1]
    safe = {**row, "width": 2000, "fails": 0}
    assert "1,000 and not at 2,000 (up to $t$ = 50)" in summary.findings({**numbers, "widths": [row, safe]})[0]
    assert "1 failure(s) come before" in summary.findings({**numbers, "widths": [{**row, "sliding_surprise": 1}]})[1]
    assert "it is not decided by the kernel" in summary.findings({**numbers, "rate_gap": 0.6})[1]
