"""The width sweep as data of an interactive view (tau.4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.dynamics.width_checks import power_law
from descent.dynamics.width_summary import SETS, STARTS
from descent.figures import DATA_SETS
from descent.views import packed_logarithms

MOST_WIDTHS = 16
MOST_REPLICATES = 20
MOST_TIMES = 8
# Column, its words and symbol, and the exponents of the width that are drawn as theory.
QUANTITIES = (
    ("deviation", "distance from the kernel dynamics", "sup_t ‖u − u_ntk‖ / ‖u(0) − y‖", (-0.5,)),
    ("drift", "drift of the Gram matrix", "‖H(t) − H(0)‖₂", (-0.5, -0.75)),
    ("movement", "movement of the weights", "max_r ‖w_r(t) − w_r(0)‖", (-0.5,)),
    ("flipped", "patterns that differ from the start", "fraction of all patterns", (-0.5,)),
    ("distance", "Gram matrix at the start", "‖H(0) − H∞‖₂", (-0.5,)),
)

Table = Mapping[str, np.ndarray]


def sweep_view(tables: Mapping[str, Table]) -> dict[str, Any]:
    """All series DATA_START: values by quantity, flow time, width and replicate, and the exponents fitted to them."""
    first = next(iter(tables.values()))
    widths, times = (np.unique(first[name]) for name in ("width", "flow_time"))
    widths, times = _evenly(widths, MOST_WIDTHS), _evenly(times, MOST_TIMES)
    count = min(len(np.unique(first["replicate"])), MOST_REPLICATES)
    return {
        "widths": widths.tolist(), "times": [float(f"{time:.6g}") for time in times], "replicates": count,
        "quantities": [{"words": words, "symbol": symbol, "theory": list(theory)}
                       for _, words, symbol, theory in QUANTITIES],
        "series": [_series(name, table, widths, times, count) for name, table in tables.items()],
    }


def _evenly(values: np.ndarray, most: int) -> np.ndarray:
    return values[np.unique(np.linspace(0, len(values) - 1, min(len(values), most)).round().astype(int))]


def _series(name: str, table: Table, widths: np.ndarray, times: np.ndarray, count: int) -> dict[str, Any]:
    data, start = name.rsplit("_", 1)
    rows = np.isin(table["width"], widths) & np.isin(table["flow_time"], times) & (table["replicate"] < count)
    order = np.lexsort((table["replicate"][rows], table["width"][rows], table["flow_time"][rows]))
    values = np.array([table[column][rows][order] for column, *_ in QUANTITIES])
    return {"words": f"{SETS[data]}, {STARTS[start]} units", "data": SETS[data], "start": STARTS[start],
            "color": DATA_SETS[data], "values": packed_logarithms(values),
            "exponents": [[_exponent(table, column, time) for time in times] for column, *_ in QUANTITIES]}


def _exponent(table: Table, column: str, time: float) -> list[float] | None:
    rows = table["flow_time"] == time
    if not np.all(table[column][rows] > 0):
        return None
    law = power_law(table["width"][rows], table[column][rows])
    return [round(number, 3) for number in (law.exponent, law.low, law.high)]
