"""The numbers that the section on wide and sharp minima shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.bounds.interval_descent import greatest_curvature
from descent.bounds.wide_minima import DIVERGENCE_STEP
from descent.dynamics.scalar_descent import CYCLE, DIVERGED, ENDS, SHARP, UNDECIDED, WIDE
from descent.dynamics.two_minima import (
    STARTS,
    crisis,
    curvature,
    evaluate,
    kept_from,
    slope,
    stationary_points,
    value,
)
from descent.statistics import CLAIM_LEVEL, binomial_interval


def exact_share(boundary: float) -> float:
    """The part of the starts' interval to the left of `boundary`."""
    return (boundary - STARTS[0]) / (STARTS[1] - STARTS[0])


def kept_share(alpha: float) -> float:
    """The exact share of the starts that do not go to the wide minimum, for α up to the crisis."""
    return exact_share(stationary_points()[1]) - exact_share(max(kept_from(alpha), STARTS[0]))


def shares(table: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The steps of a map, rising, and the share of every end of `ENDS` for each, shape (steps, ends)."""
    steps, index = np.unique(table["alpha"], return_inverse=True)
    counts = np.bincount(index * len(ENDS) + table["end"], minlength=len(steps) * len(ENDS)).reshape(-1, len(ENDS))
    return steps, counts / counts.sum(axis=1, keepdims=True)


def divergence_onset() -> float:
    """Least α at which the farthest first excursion on the starts' interval grows instead of shrinking.

    From the θ with the largest f′ the run jumps left, then right to a distance y from 10; it grows if
    α(20α − 21) y > 200α (f replaced by its two parabolas far out).
    """
    from scipy.optimize import brentq

    top = brentq(lambda theta: float(evaluate(curvature, theta)), 2.0, 3.0)
    steepest = float(evaluate(slope, top))

    def excess(alpha):
        distance = (20 * alpha - 1) * (alpha * steepest - top) - 10
        return (20 * alpha - 21) * distance - 200

    return float(brentq(excess, DIVERGENCE_STEP, 2.0))


def summary(ends: Mapping[str, Any], table: Mapping[str, Any], window: Mapping[str, Any]) -> dict[str, Any]:
    """Flat values and rows for tables: the landscape, the ends of the random starts, ranges of steps in the maps."""
    found = {**_landscape(), "rows": [_row(ends, row) for row in range(len(ends["alpha"]))],
             "starts": int(sum(ends[name][0] for name in ENDS)), "confidence": 1 - CLAIM_LEVEL,
             **_ranges(table), **_window(window), "onset": divergence_onset(), "crisis": crisis(),
             "mixing": float(1 / 20 + stationary_points()[1] / 100), "crisis_share": kept_share(crisis())}
    found["findings"] = _findings(found)
    return found


def _landscape() -> dict[str, float]:
    names = ("sharp", "boundary", "wide")
    points = np.array(stationary_points())
    heights, bends = evaluate(value, points), evaluate(curvature, points)
    low, high = greatest_curvature()
    columns = {"at": points, "value": heights, "curvature": bends}
    found = {f"{name}_{key}": float(number) for key, column in columns.items() for name, number in zip(names, column)}
    return found | {"sharp_limit": float(2 / bends[0]), "wide_limit": float(2 / bends[2]), "greatest_low": low,
                    "greatest_high": high, "monotone_step": 1 / high, "share": exact_share(float(points[1])),
                    "threshold": DIVERGENCE_STEP}


def _row(ends: Mapping[str, Any], row: int) -> dict[str, Any]:
    starts = int(sum(ends[name][row] for name in ENDS))
    found = {"alpha": float(ends["alpha"][row]), "longest": int(ends["longest"][row])}
    for name in ENDS:
        low, high = binomial_interval(int(ends[name][row]), starts, CLAIM_LEVEL)
        found |= {name: int(ends[name][row]), f"{name}_share": int(ends[name][row]) / starts,
                  f"{name}_low": float(low), f"{name}_high": float(high)}
    return found


def _range(steps: np.ndarray, held: np.ndarray, name: str) -> dict[str, float | None]:
    kept = steps[held]
    low, high = (float(kept[0]), float(kept[-1])) if len(kept) else (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _longest(held: np.ndarray) -> np.ndarray:
    ends = np.flatnonzero(np.diff(held, prepend=False, append=False)).reshape(-1, 2)
    first, last = max(ends.tolist(), key=lambda pair: pair[1] - pair[0], default=(0, 0))
    return (np.arange(len(held)) >= first) & (np.arange(len(held)) < last)


def _ranges(table: Mapping[str, Any]) -> dict[str, Any]:
    steps, parts = shares(table)
    left = np.mean(np.unique(table["start"]) < stationary_points()[1])
    split = np.abs(parts[:, SHARP] - left) < 1e-12
    mixed = np.flatnonzero(~split)
    return {
        "split_until": float(steps[mixed[0] - 1]) if len(mixed) and mixed[0] else None,
        **_range(steps, parts[:, SHARP] > 0, "sharp_reached"),
        **_range(steps, _longest(parts[:, WIDE] == 1), "wide_only"),
        **_range(steps, (parts[:, WIDE] > 0) & (parts[:, DIVERGED] > 0), "wide_or_diverged"),
        **_range(steps, parts[:, DIVERGED] == 1, "diverged_only"),
        "map_steps": len(steps), "map_undecided": int(np.sum(table["end"] == UNDECIDED)), "map_runs": len(table["end"]),
    }


def _window(table: Mapping[str, Any]) -> dict[str, Any]:
    steps, parts = shares(table)
    cycles, undecided = table["end"] == CYCLE, table["end"] == UNDECIDED
    exponents = table["exponent"][undecided]
    periods, counts = np.unique(table["period"][cycles], return_counts=True)
    coexist = (parts[:, SHARP] > 0) & (parts[:, CYCLE] > 0)
    return {
        **_range(steps, parts[:, CYCLE] > 0, "cycles"), **_range(steps, parts[:, UNDECIDED] > 0, "undecided"),
        **_range(steps, coexist, "coexist"),
        "periods": [{"period": int(period), "runs": int(count)} for period, count in zip(periods, counts)],
        "window_runs": len(table["end"]), "window_undecided": int(undecided.sum()),
        "window_cycles": int(cycles.sum()),
        "chaotic_share": float(np.mean(exponents > 0)) if len(exponents) else None,
        "exponent_median": float(np.median(exponents)) if len(exponents) else None,
    }


def _findings(found: Mapping[str, Any]) -> list[str]:
    small, medium, large = found["rows"]
    text = (f"On a function with a sharp and a wide minimum, {100 * small['sharp_share']:.1f}% of {found['starts']:,} "
            f"random starts reach the sharp one with $\\alpha = {small['alpha']:g}$ (exactly: "
            f"{100 * found['share']:.2f}%), with $\\alpha = {medium['alpha']:g}$ {100 * medium['wide_share']:.4g}% "
            f"reach the wide one, and with $\\alpha = {large['alpha']:g}$ {100 * large['diverged_share']:.4g}% diverge "
            "([snu.4.small](#claim-snu.4.small)).")
    if found["wide_or_diverged_low"] is not None and found["cycles_low"] is not None:
        text += (f" Between these lie cycles and chaos around the sharp minimum (from $\\alpha$ = "
                 f"{found['cycles_low']:.4f} on), and starts that diverge from $\\alpha$ = "
                 f"{found['wide_or_diverged_low']:.2f} on, although the wide minimum is stable up to "
                 f"{found['wide_limit']:.2f} ([snu.4.divergence](#claim-snu.4.divergence)).")
    return [text]
