"""The maps of ends as data of interactive views (snu.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.bounds.interval_descent import greatest_curvature
from descent.bounds.wide_minima import DIVERGENCE_STEP
from descent.bounds.wide_minima_figures import CLASSES, classes
from descent.dynamics.scalar_descent import ESCAPED, RETURN
from descent.dynamics.two_minima import STARTS, crisis, curvature, evaluate, stationary_points
from descent.views import packed, thinned

MOST_AXIS = 200
# Thirteen bits hold the steps, three the class.
MOST_STEPS = 8191
MOST_PERIODS = 2000


def _least_unstable(place: float) -> float:
    return 2 / float(evaluate(curvature, place))


def basin_lines() -> dict[str, float]:
    """The steps α that bound the regimes of the whole map, by their words."""
    sharp, _, wide = stationary_points()
    return {"1/max f″": 1 / greatest_curvature()[1], "2/f″, sharp": _least_unstable(sharp), "21/20": DIVERGENCE_STEP,
            "2/f″, wide": _least_unstable(wide)}


def window_lines() -> dict[str, float]:
    """The same of the window: where the sharp minimum loses its stability, and where the runs around it escape."""
    return {"2/f″, sharp": _least_unstable(stationary_points()[0]), "escape": crisis()}


def map_view(table: Mapping[str, Any], rows: int, lines: Mapping[str, float],
             stop: Mapping[str, Any]) -> dict[str, Any]:
    """A map of ends, thinned to at most 200 by 200 runs; `lines`: steps α to be marked, by their words.

    `cells`: class · 8192 + steps (at most 8191) of every run, by step α and then by start; `periods`: those of the
    longer cycles, of the first 2000, by the index of the cell. The axes are exact, so that the page can run the same
    descents.
    """
    across, down = thinned(len(table["alpha"]) // rows, MOST_AXIS), thinned(rows, MOST_AXIS)
    grid = {name: table[name].reshape(-1, rows)[across, down] for name in ("alpha", "start", "steps", "period")}
    kind = classes(table).reshape(-1, rows)[across, down]
    cells = kind * (MOST_STEPS + 1) + np.minimum(grid["steps"], MOST_STEPS)
    longer, periods = np.flatnonzero(kind == 4)[:MOST_PERIODS], grid["period"].ravel()
    sharp, boundary, wide = stationary_points()
    return {
        "alpha": grid["alpha"][:, 0].tolist(), "start": grid["start"][0].tolist(), "cells": packed(cells, "u2"),
        "periods": {str(index): int(periods[index]) for index in longer}, "most_steps": MOST_STEPS,
        "classes": [{"name": name, "color": color} for name, color in CLASSES],
        "lines": [{"words": words, "alpha": float(at)} for words, at in lines.items()],
        "stop": {**stop, "escaped": ESCAPED, "return": RETURN, "boundary": boundary},
        "points": [{"name": name, "theta": place, "curvature": float(evaluate(curvature, place))}
                   for name, place in (("sharp minimum", sharp), ("maximum", boundary), ("wide minimum", wide))],
        "interval": list(STARTS),
    }
