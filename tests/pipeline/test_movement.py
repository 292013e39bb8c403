"""Numbers side by side: intervals found, rows matched, movements told from noise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descent.pipeline.movement import ABSENT, Estimate, moved, pairs, same
from descent.statistics import mean_interval


def found(old, new) -> dict:
    return {row.key: (row.old, row.new) for row in pairs(old, new)}


def moved_keys(old, new, tolerance=1e-9) -> list[str]:
    return [row.key for row in pairs(old, new) if moved(row.old, row.new, tolerance)]


@pytest.mark.parametrize(("row", "name"), [
    ({"slope": 2.0, "slope_low": 1.0, "slope_high": 3.0}, "slope"),
    ({"slope_true": 2.0, "slope_low_true": 1.0, "slope_high_true": 3.0}, "slope_true"),
    ({"exponent_mean": 2.0, "exponent_low": 1.0, "exponent_high": 3.0}, "exponent_mean"),
    ({"mean": 2.0, "low": 1.0, "high": 3.0}, "mean"),
    ({"share": 2.0, "low": 1.0, "high": 3.0}, "share"),
])
def test_estimates_take_their_intervals(row, name):
    assert found(row, row) == {name: (Estimate(2.0, 1.0, 3.0),) * 2}


def test_what_is_not_between_the_ends_is_not_their_estimate():
    row = {"wide": 28, "wide_low": 0.2, "wide_high": 0.4}
    other = {"wide": 0, "wide_low": 0.0, "wide_high": 0.1}
    assert set(found(row, other)) == {"wide", "wide_low..wide_high"}
    assert found(row, other)["wide_low..wide_high"][0].value == pytest.approx(0.3)


def test_ends_that_are_missing_are_plain_values():
    row = {"mean": 1.0, "low": None, "high": None}
    assert found(row, row) == {name: (Estimate(value),) * 2 for name, value in row.items()}


@given(st.floats(-10, 10), st.floats(-10, 10), st.lists(st.floats(0, 5), min_size=4, max_size=4))
def test_estimates_move_both_ways_alike_out_of_each_other_s_intervals(a, b, reach):
    old, new = Estimate(a, a - reach[0], a + reach[1]), Estimate(b, b - reach[2], b + reach[3])
    assert moved(old, new, 1e-9) == moved(new, old, 1e-9)
    if old.low <= b <= old.high or new.low <= a <= new.high:
        assert not moved(old, new, 1e-9)
    if new.low - old.high > 1e-6:
        assert moved(old, new, 1e-9)


def test_equal_means_are_called_moved_as_rarely_as_their_intervals_say(rng):
    samples = rng.normal(size=(2, 4000, 40))
    intervals = [[Estimate(*mean_interval(row)) for row in side] for side in samples]
    rate = np.mean([moved(old, new, 0.0) for old, new in zip(*intervals)])
    # Binomial(4000, 0.05) leaves 0.05 ± 0.0155 with probability 1e-5.
    assert abs(rate - 0.05) < 0.0155
    shifted = [Estimate(e.value + 2, e.low + 2, e.high + 2) for e in intervals[1]]
    assert all(moved(old, new, 0.0) for old, new in zip(intervals[0], shifted))


@pytest.mark.parametrize(("old", "new", "tolerance", "equal"), [
    (1.0, 1.0 + 1e-12, 1e-9, True), (1.0, 1.0 + 1e-7, 1e-9, False), (1.0, 1.0 + 1e-7, 1e-6, True),
    (0.0, 1e-300, 1e-9, False), (1, 1.0, 0.0, True), (10**9, 10**9 + 1, 1e-6, False), (True, 1, 1.0, False),
    (math.inf, math.inf, 0.0, True), (math.nan, math.nan, 0.0, True), (math.inf, 1.0, 0.1, False),
    (None, None, 0.0, True), (None, 0.0, 1.0, False), ("a", "b", 1.0, False), (ABSENT, None, 1.0, False),
])
def test_sameness(old, new, tolerance, equal):
    assert same(old, new, tolerance) is equal
    assert same(new, old, tolerance) is equal


def test_rows_are_matched_by_what_identifies_them():
    old = [{"init": init, "rate": rate, "loss": rate / 7, "steps": 5} for init in ("a", "b") for rate in (0.1, 0.2)]
    new = [{**row, "loss": row["loss"] * 2} for row in [*old[1:], {"init": "c", "rate": 0.1, "loss": 1.0, "steps": 5}]]
    assert moved_keys({"rows": old}, {"rows": new}) == [
        "rows[init=a,rate=0.1]", "rows[init=a,rate=0.2].loss", "rows[init=b,rate=0.1].loss",
        "rows[init=b,rate=0.2].loss", "rows[init=c,rate=0.1]"]


def test_rows_that_nothing_identifies_are_matched_by_place():
    old, new = ({"rows": [{"x": value}, {"x": value}]} for value in (0.5, 0.7))
    assert moved_keys(old, new) == ["rows[0].x", "rows[1].x"]
    assert moved_keys({"x": [1, 2]}, {"x": [1, 3, 4]}) == ["x[1]", "x[2]"]
    assert moved_keys({"x": []}, {"x": []}) == []
    assert moved_keys({"x": [{"a": None}]}, {"x": []}) == ["x[0]"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "low", "high", "mean"]), inner),
    max_leaves=12,
)


@given(JSON, JSON)
def test_anything_is_equal_to_itself_and_differs_both_ways(old, new):
    assert moved_keys(old, old, 0.0) == []
    assert sorted(moved_keys(old, new, 0.0)) == sorted(moved_keys(new, old, 0.0))
