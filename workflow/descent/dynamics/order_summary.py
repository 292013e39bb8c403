"""What chosen settings did on fresh replicates, as numbers for the prose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.dynamics.width_order import by_width
from descent.statistics import ending_summary, falling_trend, mean_ranks

NAMES = {"sgd": "SGD", "momentum": "momentum", "adam": "Adam"}


def words(row: Mapping[str, Any]) -> dict[str, Any]:
    """A setting as it is named in prose and tables: optimizer, m, initialization, rule of the learning rate, eta."""
    return {"optimizer": NAMES[row["optimizer"]], "batch_size": int(row["batch_size"]), "power": int(row["power"]),
            "initialization": row["initialization"].replace("_", "-"), "rate": float(row["rate"])}


def reached(metrics: Mapping[str, Any], endings: Mapping[str, Any], level: float) -> np.ndarray:
    """Epochs until the risk stays at most `level` times the zero network's, inf if it never does: (replicates, widths).

    A fall below the level that does not last, as just after the learning rate is halved, does not count.
    """
    null = by_width(endings, "null_risk")
    last = np.zeros(null.shape)
    axes = [np.unique(metrics[name], return_inverse=True)[1] for name in ("replicate", "factor")]
    above = ~(metrics["risk"] <= level * null[axes[0], axes[1]])
    np.maximum.at(last, (axes[0][above], axes[1][above]), metrics["epoch"][above])
    return np.where(by_width(endings, "relative_risk") <= level, last + 1, np.inf)


def width_rows(metrics: Mapping[str, Any], endings: Mapping[str, Any], level: float) -> list[dict[str, Any]]:
    """One row for each width: mean rank of its speed, risk at the end over the zero network's, epochs to `level`."""
    speeds, risks, epochs = by_width(endings, "log_objective"), by_width(endings, "relative_risk"), reached(
        metrics, endings, level)
    rows = []
    for i, (factor, rank) in enumerate(zip(np.unique(endings["factor"]), mean_ranks(speeds.T))):
        there = epochs[:, i][np.isfinite(epochs[:, i])]
        rows.append({"factor": int(factor), "rank": rank, **ending_summary(risks[:, i]), "reached": len(there),
                     "epochs": float(np.median(epochs[:, i])) if len(there) == len(epochs) else None})
    return rows


def trend(endings: Mapping[str, Any], column: str = "log_objective") -> dict[str, Any]:
    """Page's tests of `column` falling and rising with the width, and the widths from the least mean rank on."""
    samples = by_width(endings, column)
    falling, rising, ranks = falling_trend(samples), falling_trend(samples[:, ::-1]), mean_ranks(samples.T)
    order = [str(factor) for _, factor in sorted(zip(ranks, np.unique(endings["factor"]).tolist()))]
    return {"p_larger": falling.observed, "p_smaller": rising.observed, "level": falling.bound,
            "larger_faster": falling.holds, "smaller_faster": rising.holds, "order": ", ".join(order)}


def sweep_counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Of the screened settings: how many there are, diverge somewhere, and show the order in every replicate."""
    ordered, alike = [row["margin"] > 0 for row in rows], [row["power"] == 0 for row in rows]
    counts = {"settings": len(rows), "settings_diverged": sum(row["diverged"] > 0 for row in rows),
              "settings_ordered": sum(ordered), "settings_alike": sum(alike),
              "settings_alike_ordered": sum(a and b for a, b in zip(alike, ordered))}
    return {name: int(count) for name, count in counts.items()}
