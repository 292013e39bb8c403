"""The numbers that the section on the staircase shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.bounds.staircase import (
    effective_deviations,
    escape_exponents,
    escapes,
    plateaus,
    runs_of,
    unlearnt_losses,
)
from descent.dynamics.staircase import escape_time


def summary(paths: Mapping[str, Any], settings: Mapping[str, Any], effective: np.ndarray,
            plain: np.ndarray) -> dict[str, Any]:
    """Flat values, and one row of escape times for each depth."""
    values, ladders = settings["values"], settings["ladders"]
    rows = [_row(paths, ladder["depth"], ladder["scales"], values) for ladder in ladders]
    runs = runs_of(paths, "balanced", 2)
    deviations = {name: effective_deviations(runs, starts, values)
                  for name, starts in (("effective", effective), ("plain", plain))}
    found = {"rows": rows, "plateau_error": max(row["plateau_error"] for row in rows),
             "plateaus": sum(row["plateaus"] for row in rows),
             "exponent_error": max(row["exponent_error"] for row in rows)}
    for name, table in deviations.items():
        found[f"{name}_coarse"], found[f"{name}_fine"] = float(table[:, 0].max()), float(table[:, -1].max())
    found["findings"] = [_finding(found, [row["depth"] for row in rows])]
    return found


def _row(paths: Mapping[str, Any], depth: int, scales: list[float], values: list[float]) -> dict[str, Any]:
    aligned, balanced = (escapes(paths, start, depth, values) for start in ("aligned", "balanced"))
    smallest = [runs[-1] for start in ("aligned", "balanced") for runs in runs_of(paths, start, depth)]
    errors = [abs(loss / expected - 1) for run in smallest
              for (loss, _), expected in zip(plateaus(run, values), unlearnt_losses(run, values))]
    exponents = {name: escape_exponents(times, scales)[:, -1]
                 for name, times in (("aligned", aligned), ("random", balanced))}
    everything = np.concatenate([part.ravel() for part in exponents.values()])
    return {"depth": depth, "scale": scales[-1], "first": float(aligned[0, -1, 0]), "last": float(aligned[0, -1, -1]),
            "first_expected": escape_time(depth, scales[-1], values[0]),
            "last_expected": escape_time(depth, scales[-1], values[-1]),
            "random_last_least": float(balanced[:, -1, -1].min()),
            "random_last_greatest": float(balanced[:, -1, -1].max()),
            "exponent_aligned": round(float(exponents["aligned"].mean()), 4) + 0.0,
            "exponent_least": round(float(exponents["random"].min()), 4) + 0.0,
            "exponent_greatest": round(float(exponents["random"].max()), 4) + 0.0,
            "exponent_error": float(np.abs(everything - (depth - 2)).max()), "plateaus": len(errors),
            "plateau_error": float(max(errors))}


def _finding(found: Mapping[str, Any], depths: list[int]) -> str:
    agrees = found["exponent_error"] <= 0.05 and found["plateau_error"] <= 0.05
    return ("From small starts deep linear networks learn the target's singular modes one after another; escape times "
            + (f"grow as $a^{{-(N-2)}}$ in the scale $a$ of a layer (logarithmically at $N = 2$) for $N$ = {depths[0]} "
               f"to {depths[-1]}, " if agrees else "and plateaus do not all agree with theory, ")
            + ("from random balanced starts as from aligned ones" if agrees else
               f"exponents being off by up to {found['exponent_error']:.2g}")
            + " ([saxe.exponent_random](#claim-saxe.exponent_random)).")
