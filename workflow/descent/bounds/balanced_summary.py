"""The numbers that the section on balanced minimizers shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.bounds.balanced import first_local_target, first_target, least_product

REACHED = 1e-10


def summary(several: Mapping[str, Any], scalar: Mapping[str, Any], rescaling: Mapping[str, Any],
            settings: Mapping[str, Any]) -> dict[str, Any]:
    """Flat values and rows for tables: what the minimizations reached, the scalar thresholds, the sharpness."""
    found = {"kinds": _kinds(several), "runs": len(several["residual"]),
             "reached": int(np.sum(several["residual"] <= REACHED)), "worst_residual": float(several["residual"].max()),
             "least_curvature": float(several["curvature"].min()),
             "on_kinks": float(np.mean(several["kinks"][several["norm_hidden"] > 0] > 0)),
             "thresholds": [_threshold(scalar, decay) for decay in settings["scalar_decays"]],
             **_ranges(several), **_products(several, scalar), **_sharpness(rescaling)}
    found["findings"] = [_finding(found)]
    return found


def _kinds(several) -> list[dict[str, Any]]:
    names = list(zip(several["penalty"], several["loss"], several["decay"].tolist(), several["scale"].tolist()))
    return [{"penalty": kind[0], "loss": kind[1], "decay": kind[2], "scale": kind[3],
             **_kind(several, np.array([name == kind for name in names]))} for kind in dict.fromkeys(names)]


def _kind(several, rows) -> dict[str, Any]:
    a, b = several["norm_outputs"][rows], several["norm_hidden"][rows]
    alive = a * b > 0
    residuals = several["residual"][rows]
    known = {"runs": int(rows.sum()), "zero": int(np.sum(~alive)), "reached": int(np.sum(residuals <= REACHED)),
             "distinct": _distinct(several, rows)}
    if not alive.any():
        return {**known, **dict.fromkeys(("least_product", "greatest_product", "least_ratio", "greatest_ratio"))}
    c, ratio = (a * b)[alive], (a / np.where(alive, b, 1))[alive]
    return {**known, "least_product": float(c.min()), "greatest_product": float(c.max()),
            "least_ratio": float(ratio.min()), "greatest_ratio": float(ratio.max())}


def _distinct(several, rows) -> float:
    counts = [len(np.unique(np.round(several["objective"][rows & (several["replicate"] == i)], 8)))
              for i in np.unique(several["replicate"])]
    return float(np.mean(counts))


def _threshold(scalar, decay) -> dict[str, Any]:
    rows = (np.array(scalar["penalty"]) == "mixed") & (scalar["decay"] == decay)
    c, target = (scalar["norm_outputs"] * scalar["norm_hidden"])[rows], scalar["target"][rows]
    at = np.abs(target - decay - 0.25).argmin()
    return {"decay": decay, "first_local": float(first_local_target(decay)), "first": float(first_target(decay)),
            "least_product": float(least_product(decay)), "last_zero": float(target[c == 0].max()),
            "first_nonzero": float(target[c > 0].min()), "least_found": float(c[c > 0].min()),
            "balanced_target": decay + 0.25, "product_there": float(c[at])}


def _ranges(several) -> dict[str, Any]:
    squared = np.array(several["penalty"]) == "squared"
    a, b = several["norm_outputs"], several["norm_hidden"]
    units = np.abs(several["unit_outputs"] - several["unit_hidden"])[squared]
    return {"worst_balance": float(np.abs(a - b)[squared].max()), "worst_unit_balance": float(units.max()),
            "mixed_zero": int(np.sum(~squared & (a * b == 0))), "mixed_runs": int(np.sum(~squared)),
            "dead_units": float(np.mean(several["unit_hidden"][squared] == 0)),
            "balanced_runs": int(squared.sum())}


def _products(several, scalar) -> dict[str, Any]:
    mixed = [(table["norm_outputs"] * table["norm_hidden"])[np.array(table["penalty"]) == "mixed"]
             for table in (several, scalar)]
    together = np.concatenate(mixed)
    return {"least_product": float(together[together > 0].min()), "greatest_product": float(together.max())}


def _sharpness(rescaling) -> dict[str, Any]:
    replicates = [rescaling["replicate"] == i for i in np.unique(rescaling["replicate"])]
    ratio = [rescaling["sharpness"][rows].max() / rescaling["sharpness"][rows].min() for rows in replicates]
    flattest = [np.flatnonzero(rows)[rescaling["sharpness"][rows].argmin()] for rows in replicates]
    unstable = rescaling["eta"] * rescaling["sharpness"] > 2
    diverged = unstable & ~np.isfinite(rescaling["last"])
    ended = unstable & np.isfinite(rescaling["last"])
    flatter = ended & (rescaling["last_sharpness"] < rescaling["sharpness"])
    return {"sharpest_over_flattest": float(max(ratio)), "unstable": int(unstable.sum()),
            "diverged": int(diverged.sum()), "ended": int(ended.sum()), "flatter": int(flatter.sum()),
            "below_limit": int(np.sum(ended & (rescaling["eta"] * rescaling["last_sharpness"] < 2))),
            "rescalings": len(unstable), "flattest_least": float(2.0 ** rescaling["exponent"][flattest].min()),
            "flattest_greatest": float(2.0 ** rescaling["exponent"][flattest].max())}


def _power(value: float) -> str:
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"${mantissa} \\times 10^{{{int(exponent)}}}$"


def _finding(found: Mapping[str, Any]) -> str:
    reached = f"{found['reached']} of {found['runs']} minimizations reached a subgradient of norm $10^{{-10}}$"
    return ("With equal weight decay on both layers the layers of all minimizers found agree in norm to "
            f"{_power(found['worst_balance'])} ({reached}); with the penalty $\\|U\\|_F + \\|V\\|_F^2$ the ratio of "
            "the norms is $(4c)^{1/3}$, and below a threshold the minimizer is zero ([jhu.1c](#claim-jhu.1c)).")
