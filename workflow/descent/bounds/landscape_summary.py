"""The numbers that the landscape section shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from descent.bounds.landscape import chosen, exponents
from descent.bounds.landscape_figures import NAMES
from descent.dynamics.aligned import balanced_sharpness, least_curvature, ray_end
from descent.dynamics.linear_descent import Moments


def summary(runs: Mapping[str, Any], reference: Mapping[str, Any], moments: Mapping[str, Moments],
            settings: Mapping[str, Any], user: Mapping[str, Any] | None) -> dict[str, Any]:
    """Flat values, and rows for the tables of data sets, escape times and curvature."""
    names, depths, first = settings["data"], settings["depths"], settings["data"][0]
    found = {"sets": [_set(moments[name], name, depths) for name in names],
             "escapes": [_escape(runs, name, start, depth) for depth in depths for name, start in
                         [("whitened", "aligned"), *((name, start) for name in names
                                                     for start in ("balanced", "gaussian"))]],
             "curvature": [_curvature(runs, moments[first], first, depth) for depth in depths],
             "distance": float(reference["distance"].max()), "runs": len(runs["scale"]),
             "converged": int(np.sum(runs["end_excess"] <= settings["tolerance"])),
             "worst_excess": float(runs["end_excess"].max()),
             "most_sharpness": float((runs["eta"] * runs["greatest_lambda_max"] / 2).max()),
             "end_sharpness": float((runs["eta"] * runs["end_lambda_max"] / 2).max()),
             "least_start_share": float((runs["least_lambda_min"] / runs["start_lambda_min"])[
                 runs["depth"] > 2].max(initial=0.0)),
             "negative": int(np.sum(runs["least_lambda_min"] < 0)), "deepest": depths[-1],
             "end_curvature": float((runs["end_lambda_min"] / runs["end_lambda_max"]).min())}
    found |= {f"user_{key}": value for key, value in _user(user).items()}
    found["findings"] = [_finding(found)]
    return found


def _set(moments: Moments, name: str, depths) -> dict[str, Any]:
    eigenvalues, answer = np.linalg.eigvalsh(moments.S), moments.least_squares()
    return {"data": NAMES[name], "dimension": len(answer), "slope": float(np.linalg.norm(moments.q)),
            "norm": float(np.linalg.norm(answer)), "ray": ray_end(moments), "least": float(eigenvalues[0]),
            "greatest": float(eigenvalues[-1]), "loss": moments.loss(answer) / moments.constant,
            "sharpness": balanced_sharpness(moments, depths[-1])}


def _escape(runs: Mapping[str, Any], name: str, start: str, depth: int) -> dict[str, Any]:
    rows = chosen(runs, data=name, start=start, depth=depth)
    small = rows & (runs["scale"] == runs["scale"].min())
    ratios = runs["escape_time"][small] / runs["predicted"][small]
    powers = exponents(runs, data=name, start=start, depth=depth)
    return {"data": NAMES.get(name, name), "start": start, "depth": depth,
            "time": float(runs["escape_time"][small].mean()), "least_ratio": float(ratios.min()),
            "greatest_ratio": float(ratios.max()), "least_exponent": float(powers.min()),
            "greatest_exponent": float(powers.max()),
            "saddle_share": float((runs["saddle_time"] / runs["escape_time"])[small].mean())}


def _curvature(runs: Mapping[str, Any], moments: Moments, name: str, depth: int) -> dict[str, Any]:
    rows = chosen(runs, data=name, start="gaussian", depth=depth, scale=runs["scale"].min())
    mean = {key: float(runs[key][rows].mean()) for key in ("start_lambda_min", "least_lambda_min", "end_lambda_min",
                                                           "end_lambda_max")}
    return {"depth": depth, **mean, "predicted": least_curvature(moments, depth)[0],
            "share": least_curvature(moments, depth)[1], "threshold": float(2 / runs["eta"][rows].mean()),
            "least_time": float((runs["least_time"] / runs["escape_time"])[rows].mean())}


def _user(record: Mapping[str, Any] | None) -> dict[str, Any]:
    if record is None:
        return {"file": "", "columns": []}
    names = [*record["inputs"], record["target"]]
    return {"file": PurePath(record["path"]).name, "columns": [
        {"column": name.replace("_", " "), "role": "target" if name == record["target"] else "input",
         "mean": record["means"][name], "scale": record["scales"][name]} for name in names]}


def _finding(found: Mapping[str, Any]) -> str:
    rows = [row for row in found["escapes"] if row["depth"] == found["deepest"]]
    least, greatest = min(row["least_exponent"] for row in rows), max(row["greatest_exponent"] for row in rows)
    power = " to ".join(dict.fromkeys((f"{least:.3f}", f"{greatest:.3f}")))
    return (f"From small starts deep linear networks wait at the saddle for a time that grows as the power {power} "
            f"of the inverse scale for {found['deepest']} layers (predicted: "
            f"{found['deepest'] - 2}), pass through negative curvature, and "
            + ("all reach the least-squares loss" if found["converged"] == found["runs"] else
               f"{found['converged']} of {found['runs']} reach the least-squares loss")
            + " ([tau.2.4](#claim-tau.2.4.exponent)).")
