"""The map of ends as the page gets it, against the study's table, run by run."""

import json

import numpy as np
import pytest
from scipy.optimize import brentq

from descent.bounds.wide_minima_view import MOST_PERIODS, basin_lines, map_view, window_lines
from descent.dynamics.scalar_descent import CYCLE, DIVERGED, SHARP, UNDECIDED, WIDE
from descent.dynamics.two_minima import evaluate, slope
from descent.pipeline.tables import read_table
from descent.studies.wide_minima import table_maps, view_basins, view_window
from descent.views import write_view
from tests.test_views import unpacked

GRIDS = {"map": {"steps": [0.01, 5], "starts": [-5, 20], "columns": 24, "rows": 20},
         "window": {"steps": [0.094, 0.108], "starts": [-5, 4], "columns": 30, "rows": 16}}
STOP = {"tolerance": 1e-8, "step_limit": 3000}
NAMES = {SHARP: "sharp minimum", WIDE: "wide minimum", DIVERGED: "diverges", UNDECIDED: "bounded, no end found"}


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    path = tmp_path_factory.mktemp("maps") / "maps.parquet"
    table_maps({**GRIDS, **STOP}, {}, {"table": path})
    return path


@pytest.mark.parametrize(("stage", "grid"), [(view_basins, "map"), (view_window, "window")])
def test_every_run_of_the_view_is_that_of_the_table(tmp_path, maps, stage, grid):
    stage({"rows": GRIDS[grid]["rows"], **STOP}, {"maps": maps}, {"view": tmp_path / "view.json"})
    view, table = json.loads((tmp_path / "view.json").read_text()), read_table(maps)
    table = {name: column[table["window"] == (grid == "window")] for name, column in table.items()}
    cells = unpacked(view["cells"], "u2")
    kinds, steps = np.divmod(cells, view["most_steps"] + 1)
    assert np.array_equal(np.repeat(view["alpha"], len(view["start"])), table["alpha"])
    assert np.array_equal(np.tile(view["start"], len(view["alpha"])), table["start"])
    assert np.array_equal(steps, table["steps"])
    names = [view["classes"][kind]["name"] for kind in kinds]
    for name, end, period in zip(names, table["end"], table["period"], strict=True):
        cycle = f"cycle of period {period}" if period in (2, 4) else "longer cycle"
        assert name == (cycle if end == CYCLE else NAMES[end])
    longer = np.flatnonzero((table["end"] == CYCLE) & ~np.isin(table["period"], (2, 4)))
    assert view["periods"] == {str(index): table["period"][index] for index in longer}
    if grid == "window":
        assert {CYCLE, UNDECIDED, SHARP, WIDE} <= set(table["end"])


def test_large_maps_are_thinned_and_long_runs_say_at_least():
    alpha, start = np.repeat(np.geomspace(0.1, 1, 401), 250), np.tile(np.linspace(0, 1, 250), 401)
    table = {"alpha": alpha, "start": start, "end": np.full(len(alpha), WIDE), "period": np.zeros(len(alpha), int),
             "steps": np.arange(len(alpha))}
    view = map_view(table, 250, {}, STOP)
    assert (len(view["alpha"]), len(view["start"])) == (134, 125)
    assert view["alpha"][1] == pytest.approx(alpha[3 * 250])
    steps = unpacked(view["cells"], "u2") % (view["most_steps"] + 1)
    assert steps[:4].tolist() == [0, 2, 4, 6]
    assert steps.max() == view["most_steps"]


def test_a_map_of_nothing_but_long_cycles_still_fits(tmp_path):
    alpha, start = np.repeat(np.geomspace(0.1, 0.101, 200), 200), np.tile(np.linspace(0, 1, 200), 200)
    constant = {"end": CYCLE, "period": 4096, "steps": 6000}
    table = {"alpha": alpha, "start": start, **{name: np.full(len(alpha), one) for name, one in constant.items()}}
    view = map_view(table, 200, window_lines(), STOP)
    assert len(view["periods"]) == MOST_PERIODS
    write_view(tmp_path / "view.json", view)


def test_the_lines_are_where_the_regimes_change():
    lines = {**basin_lines(), **window_lines()}
    sharp = lines["2/f″, sharp"]
    # The sharp minimum repels just above its line and attracts just below.
    root = brentq(lambda theta: float(evaluate(slope, theta)), -1, 1, xtol=1e-14)
    for alpha, attracts in ((0.999 * sharp, True), (1.001 * sharp, False)):
        moved = 1e-5 - alpha * float(evaluate(slope, root + 1e-5))
        assert (abs(moved) < 1e-5) == attracts
    assert lines["1/max f″"] < sharp < lines["escape"] < lines["21/20"] == 1.05 < lines["2/f″, wide"]
