"""Each check on data that fulfil its statement, and on data that do not."""

import numpy as np
import pytest

from descent.bounds import linearization_checks as checks
from descent.bounds import linearization_summary as summary
from descent.claims import verdict
from descent.networks.smooth_activation import ACTIVATIONS
from descent.statistics import power_law

CASES = checks.drawn_cases(np.random.default_rng(2), [(1, 1), (3, 2), (8, 5)])


def draws(ratio: float = 0.5, printed: float = 0.5, count: int = 6) -> dict:
    """Draws of z²/2 whose gaps are these fractions of both bounds."""
    widths = np.array([4.0, 16.0] * (count // 2))
    moved, lengths, apart = np.full(count, 3.0), np.full(count, 2.0), np.full(count, 5.0)
    return {"activation": ["quadratic"] * count, "direction": np.array(["one_signed", "parallel"] * (count // 2)),
            "width": widths, "squared_movement": moved, "squared_input": lengths, "squared_distance": apart,
            "scaled_gap": ratio * moved * lengths / 2, "scaled_printed_gap": printed * apart * lengths / 2,
            "scale": np.ones(count)}


def run(exponent: float = -0.5, movement: float = 1.0, decrease: float = 0.9) -> dict:
    """Three replicates at five widths and three steps, whose gaps are powers of the width."""
    rows = [(r, m, k) for r in range(3) for m in (8, 16, 32, 64, 128) for k in (0, 1, 4)]
    replicate, width, step = map(np.array, zip(*rows, strict=True))
    noise = 1 + 0.01 * np.cos(np.arange(len(rows)))
    gap = np.where(step > 0, 0.1 * width**exponent * noise, 0.0)
    loss = 4.0 - 0.4 * step
    return {"replicate": replicate, "width": width, "step": step, "flow_time": 0.5 * step, "loss": loss, "gap": gap,
            "model_gap": gap, "model_distance": np.where(step > 1, 1.0, 0.0), "start_norm": np.sqrt(width),
            "movement": movement * np.sqrt(2 * 0.5 * step * (4.0 - loss)) * noise,
            "least_decrease": np.full(len(rows), decrease)}


def test_gradient_and_linearization():
    slopes, values = checks.slopes_of(CASES), checks.values_of(CASES)
    assert checks.gradient_matches(CASES, slopes).holds
    assert not checks.gradient_matches(CASES, values).holds
    # Without D.
    assert not checks.gradient_matches(CASES, [np.ones_like] * len(CASES)).holds
    assert checks.forms_agree(CASES, 0.0).holds
    assert not checks.forms_agree(CASES, 1e-6).holds
    assert checks.tangency(CASES, slopes).holds
    assert not checks.tangency(CASES, values).holds
    assert not checks.tangency(CASES, slopes, order=1.0).holds


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_smoothness_constants(name):
    beta = ACTIVATIONS[name].smoothness
    assert checks.smoothness_constants({name: beta}).holds
    assert not checks.smoothness_constants({name: beta * (1 + 1e-12)}).holds


@pytest.mark.parametrize(("ratio", "holds"), [(0.5, True), (1.0, True), (1.0 + 1e-15, False)])
def test_corrected_bound_gives_no_allowance(ratio, holds):
    outcome = checks.corrected_bound(draws(ratio), 1.0)
    assert outcome.holds is holds
    assert outcome.observed == pytest.approx(ratio)


def test_ratios_of_wrong_bounds():
    np.testing.assert_allclose(checks.bound_ratios(draws(), 1.0, width_power=1.0), [1, 2] * 3)
    np.testing.assert_allclose(checks.bound_ratios(draws(), 1.0, input_power=0.5), 0.5 * 2**0.5)
    np.testing.assert_allclose(checks.bound_ratios(draws(), 0.5), 1.0)


def test_equality_and_sharpness():
    table = draws(1.0)
    table["scaled_gap"][1] *= 0.9
    assert checks.equality(table, 1.0, ["one_signed"]).holds
    assert not checks.equality(table, 1.0, ["one_signed", "parallel"]).holds
    assert checks.sharpness({"quadratic": draws(0.9995)}).holds
    assert not checks.sharpness({"quadratic": draws(0.9995), "softplus": draws(0.2)}).holds


def test_printed_bound():
    beta = np.ones(6)
    assert checks.printed_bound(draws(0.0), beta, True).holds
    assert checks.printed_bound(draws(1e-9), beta, True).observed == 1
    assert checks.printed_bound(draws(), beta, False).holds
    assert verdict(checks.printed_bound(draws(printed=1.1), beta, False)) == "refuted"
    assert checks.printed_bound(draws(printed=1.1), beta, False, factor=2.0).holds


def test_training():
    # Movements are at least 0.6, so that the bound is not below 0.125 * 0.36 / √m.
    assert checks.bound_along_training([run()], 0.25).observed > 1
    assert checks.bound_along_training([run(movement=3.0)], 0.25).holds
    assert not checks.bound_along_training([run(movement=3.0)], 0.25, width_power=1.0).holds
    assert checks.printed_along_training([run()], 0.25).observed == 0.5
    assert checks.movement_along_training([run(movement=0.9)]).holds
    assert not checks.movement_along_training([run(movement=1.1)]).holds
    assert not checks.movement_along_training([run(movement=0.9)], whole_time=False).holds
    assert verdict(checks.movement_along_training([run(movement=0.9, decrease=0.4)])) == "hypothesis fails"


def test_one_step_expansion():
    steps = list(checks.drawn_steps(np.random.default_rng(3), (8, 32)))
    assert len(steps) == 4
    assert checks.one_step_expansion(steps).holds
    assert not checks.one_step_expansion(steps, signed=False).holds


def test_slopes():
    table = run(-0.5)
    widths, values = checks.greatest_over_time(table, "gap")
    assert len(values) == 15
    assert values[0] == table["gap"][:3].max()
    slope, half = power_law(widths, values, 0.05)
    assert abs(slope + 0.5) <= half < 0.01
    assert checks.slopes_within([table], "gap", -0.5, 0.1).holds
    assert not checks.slopes_within([table, run(-1.0)], "gap", -0.5, 0.1).holds


def test_summary_of_draws():
    names = [name for name in ACTIVATIONS for _ in range(2)]
    directions = np.array(["gaussian", "parallel"] * 3)
    numbers = summary.draw_values({**draws(1.0, 1.5), "activation": names, "direction": directions})
    assert numbers["draws"] == 6
    assert numbers["same_point"] == 1
    assert [row["draws"] for row in numbers["draw_rows"]] == [2, 2, 2]
    assert [row["attained"] for row in numbers["draw_rows"]] == [0, 0, 2]
    assert numbers["draw_rows"][0]["greatest"] == pytest.approx(4)


def test_summary_of_training():
    tables = {"diabetes_equal": run(-0.5), "diabetes_random": run(-1.0)}
    rows = [summary.exponent_row(*name.split("_"), table) for name, table in tables.items()]
    assert [row["gap_slope"] for row in rows] == pytest.approx([-0.5, -1.0], abs=0.01)
    assert rows[0]["final_loss"] == pytest.approx(2.4)
    assert [row["width"] for row in summary.width_rows(tables)] == [8, 16, 32, 64, 128]
    printed = summary.printed_in_training(list(tables.values()))
    assert printed["printed_share"] == 0.5
    narrow = np.exp(np.log([0.1 * 8**e / (0.125 / 8**0.5) for e in (-0.5, -1.0)]).mean())
    assert printed["printed_narrow_ratio"] == pytest.approx(narrow, rel=0.02)
