"""The numbers that the end-to-end section shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.bounds.end_to_end import groups, halving_slopes, radial_shares
from descent.bounds.end_to_end_figures import chosen


def summary(distances: Mapping[str, Mapping[str, Any]], paths: Mapping[str, Any], powers: Mapping[str, Any],
            settings: Mapping[str, Any]) -> dict[str, Any]:
    """Flat values, and rows for the table of distances and slopes."""
    rows = [_row(distances[name], name, start, depth) for name in distances for start in ("balanced", "gaussian")
            for depth in settings["depths"]]
    steps = np.unique(next(iter(distances.values()))["eta"])
    found = {"rows": rows, "largest_step": float(steps[-1]), "smallest_step": float(steps[0]),
             "integration_error": float(powers["integration_error"].max())}
    for start in ("balanced", "gaussian"):
        mine = [row for row in rows if row["start"] == start]
        found[f"{start}_slope_least"] = min(row["last_slope_least"] for row in mine)
        found[f"{start}_slope_greatest"] = max(row["last_slope_greatest"] for row in mine)
        found[f"{start}_distance_greatest"] = max(row["distance_fine"] for row in mine)
        found[f"{start}_distance_least"] = min(row["distance_fine"] for row in mine)
        rest = powers["residual"][np.array(powers["start"]) == start]
        found[f"{start}_power_residual"] = float(rest.max())
    found["shares"] = [_share(paths, depth) for depth in settings["depths"]]
    found["findings"] = [_finding(found)]
    return found


def _row(table: Mapping[str, Any], name: str, start: str, depth: int) -> dict[str, Any]:
    samples = groups(table, start=start, depth=depth)
    last = halving_slopes(samples)[:, -1]
    return {"data": name.replace("_", " "), "start": start, "depth": depth,
            "distance_coarse": float(samples[:, 0].mean()), "distance_fine": float(samples[:, -1].mean()),
            "last_slope_least": float(last.min()), "last_slope_greatest": float(last.max())}


def _share(paths: Mapping[str, Any], depth: int) -> dict[str, Any]:
    rows = chosen(paths, "balanced", depth)
    path, gradient = paths["network"][rows], paths["gradient"][rows]
    deep, plain = radial_shares(path, gradient, depth)
    lengths = np.linalg.norm(np.diff(path, axis=0), axis=1)
    return {"depth": depth, "deep": float(np.average(deep[:-1], weights=lengths)),
            "plain": float(np.average(plain[:-1], weights=lengths))}


def _finding(found: Mapping[str, Any]) -> str:
    vanishes = found["balanced_slope_least"] > 0.98 and found["balanced_slope_greatest"] < 1.02
    stays = found["gaussian_slope_greatest"] < 0.1
    return (
        "The product of a deep linear network's layers "
        + ("follows the end-to-end dynamics to first order in the step" if vanishes else
           "does not follow the end-to-end dynamics to first order in the step")
        + f" from balanced starts (slopes {found['balanced_slope_least']:.3f} to "
        + f"{found['balanced_slope_greatest']:.3f}), "
        + ("and does not from small Gaussian starts of the same size, however small the step" if stays else
           "and the distance shrinks from small Gaussian starts as well")
        + " ([tau.3.4](#claim-tau.3.4.balanced)).")
