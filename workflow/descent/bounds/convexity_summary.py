"""The numbers that the section on convexity and smoothness shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.bounds.convexity import curvature_at_zero, growth_exponent


def summary(cases: Sequence[Mapping], paths: Mapping[str, Any], rays: Mapping[str, Any], ratios: Mapping[str, Any],
            settings: Mapping[str, Any]) -> dict[str, Any]:
    """Flat values and rows for tables: losses along the paths, curvatures at zero, exponents, ratios to the bound."""
    relative = ratios["curvature"] / ratios["bound"]
    drawn = {depth: relative[ratios["depth"] == depth][1:] for depth in settings["depths"]}
    found = {
        "paths": [_path_row(paths, name, kind, depth) for name in ("synthetic", "diabetes")
                  for kind in settings["activations"] for depth in settings["depths"]],
        "at_zero": [_zero_row(case, name) for case, name in zip(cases, _names(settings))],
        "balls": [{"depth": depth, "median": float(sorted(part)[len(part) // 2]), "greatest": float(part.max())}
                  for depth, part in drawn.items()],
        "largest_factor": float(rays["factor"][-1]),
        **{f"exponent_{name}": growth_exponent(rays[name], rays["factor"])
           for name in rays if name not in ("factor", "constant")},
    }
    best = min(row["least"] for row in found["paths"])
    worst = max(row["least"] for row in found["paths"])
    found |= {"least_loss": best, "greatest_least_loss": worst}
    found["findings"] = [
        "Zero weights are a stationary point of every deep network with $\\sigma(0) = 0$, and along a single path "
        f"through the network the loss has a least value of {best:.2f} to {worst:.2f} times that at zero"
        + (f": zero is no minimum, and no loss of {settings['depths'][0]} or more layers tried is convex" if worst < 1
           else ", which does not show each of the losses tried to be not convex")
        + " ([tau.1.1](#claim-tau.1.1))."]
    return found


def _names(settings: Mapping[str, Any]) -> list[str]:
    return [name for name in ("synthetic", "diabetes") for _ in settings["activations"]]


def _path_row(paths: Mapping[str, Any], data: str, kind: str, depth: int) -> dict[str, Any]:
    rows = (np.array(paths["data"]) == data) & (np.array(paths["activation"]) == kind) & (paths["depth"] == depth)
    at = paths["loss"][rows].argmin()
    return {"data": data, "activation": kind, "depth": depth, "least": float(paths["loss"][rows][at]),
            "scale": float(paths["scale"][rows][at])}


def _zero_row(case: Mapping[str, Any], data: str) -> dict[str, Any]:
    two, formula = curvature_at_zero(case, 2)
    return {"data": data, "activation": case["kind"], "two_layers": two, "formula": formula,
            "three_layers": curvature_at_zero(case, 3)[0]}
