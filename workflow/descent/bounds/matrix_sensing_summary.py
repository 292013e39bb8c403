"""The numbers that the matrix sensing section shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.bounds.end_to_end import halving_slopes
from descent.bounds.matrix_sensing import half_times


def summary(values: Mapping[int, tuple[np.ndarray, np.ndarray]], descent: Mapping[str, Any],
            sensing: Mapping[str, Any], integration_error: float, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Flat values, rows of half-times for each depth, and rows of errors for each number of measurements."""
    goals = np.array(settings["singular_values"])
    halves = {depth: np.array([half_times(run, times, goals) for run in runs])
              for depth, (times, runs) in values.items()}
    order = np.lexsort((-descent["eta"], descent["replicate"], descent["depth"]))
    slopes = halving_slopes(descent["distance"][order].reshape(-1, len(settings["descent_steps"])))[:, -1]
    found = {
        "d": len(goals), "unknowns": len(goals) ** 2, "integration_error": integration_error,
        "half_times": [_half_row(depth, times) for depth, times in halves.items()],
        "slope_least": float(slopes.min()), "slope_greatest": float(slopes.max()),
        "errors": [_error_row(sensing, depth, n, settings["flow_time"]) for depth in settings["depths"]
                   for n in settings["measurements"]],
    }
    # Values not learnt before the horizon are still to come, in an order that is not known.
    known = [(t[:-1] < t[1:])[np.isfinite(t[:-1])] for times in halves.values() for t in times]
    found["pairs"], found["pairs_in_order"] = sum(map(len, known)), int(sum(map(np.sum, known)))
    found["findings"] = [
        "Deep linear networks learn the singular values of a matrix one after the other: of "
        f"{found['pairs']} pairs of neighbouring values the larger came first in {found['pairs_in_order']} "
        "([eth.1.order](#claim-eth.1.order))."]
    return found


def _half_row(depth: int, times: np.ndarray) -> dict[str, Any]:
    means = [float(t) if np.isfinite(t) else None for t in times.mean(axis=0)]
    return {"depth": depth, "first": means[0], "last": means[-1],
            "all": ", ".join("–" if t is None else f"{t:.2f}" for t in means)}


def _error_row(sensing: Mapping[str, Any], depth: int, n: int, last: float) -> dict[str, Any]:
    rows = (sensing["depth"] == depth) & (sensing["measurements"] == n) & (sensing["flow_time"] == last)
    return {"depth": depth, "measurements": n, "error": float(sensing["error"][rows].mean()),
            "greatest": float(sensing["error"][rows].max()), "loss": float(sensing["loss"][rows].mean())}
