"""The numbers that the section on matrix completion shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.bounds.matrix_completion import endings


def summary(tables: Mapping[int, Mapping[str, Any]], references: Mapping[str, Any],
            scales: list[float], tolerance: float) -> dict[str, Any]:
    """Flat values, and a row for every depth and start: means over replicates at the largest and smallest scale."""
    rows = [_row(table, depth, start, tolerance) for depth, table in tables.items()
            for start in ("gaussian", "balanced")]
    found = {"rows": rows, "scale": scales[-1], **{name: float(np.mean(references[name])) for name in
                                                   ("target_rank", "nuclear_rank", "nuclear_error")},
             "gap": float(np.max(references["gap"])), "capped": sum(row["capped"] for row in rows),
             "runs": sum(row["runs"] for row in rows)}
    found["findings"] = [_finding({row["depth"]: row for row in rows if row["start"] == "gaussian"}, found)]
    return found


def _row(table: Mapping[str, Any], depth: int, start: str, tolerance: float) -> dict[str, Any]:
    ends = {name: endings(table, start, name) for name in ("test_error", "effective_rank", "step", "train_error")}
    return {"depth": depth, "start": start, "eta": float(np.mean(table["eta"])),
            "error_large": float(ends["test_error"][:, 0].mean()), "error": float(ends["test_error"][:, -1].mean()),
            "error_least": float(ends["test_error"][:, -1].min()),
            "error_greatest": float(ends["test_error"][:, -1].max()),
            "rank_large": float(ends["effective_rank"][:, 0].mean()),
            "rank": float(ends["effective_rank"][:, -1].mean()), "steps_greatest": int(ends["step"].max()),
            "train_greatest": float(ends["train_error"].max()),
            "capped": int(np.sum(ends["train_error"] > tolerance)), "runs": int(ends["step"].size)}


def _finding(rows: Mapping[int, Mapping[str, Any]], found: Mapping[str, Any]) -> str:
    deepest = max(rows)
    better = rows[deepest]["error"] < rows[2]["error"] < rows[1]["error"]
    return (f"Completing a matrix of effective rank {found['target_rank']:.1f} by gradient descent from a small start, "
            f"{deepest} layers end with effective rank {rows[deepest]['rank']:.1f} and relative test error "
            f"{rows[deepest]['error']:.2g}, two with {rows[2]['rank']:.1f} and {rows[2]['error']:.2g}, one with "
            f"{rows[1]['rank']:.0f} and {rows[1]['error']:.2g}; the least nuclear norm has "
            f"{found['nuclear_error']:.2g}: " + ("depth favours low rank"
                                                if better else "depth does not help throughout")
            + f" ([arora.depth_{deepest}_gaussian](#claim-arora.depth_{deepest}_gaussian)).")
