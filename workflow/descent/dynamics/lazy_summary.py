"""Numbers about lazy and rich training for the report's prose and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.dynamics.lazy_training import jackknife_slopes
from descent.statistics import mean_interval

Table = Mapping[str, np.ndarray]
# A distance from the tangent model, over ‖y‖, that a figure of training curves does not show.
NEAR = 0.01
# Slopes that the report's table gives without an interval.
NARROW = (*(f"{run}_{column}" for run in ("centred", "smooth") for column in ("movement", "drift", "deviation")),
          "relu_movement", "digits_movement")


def scale_values(found: Mapping[str, Any], looks: Mapping[str, Table], lazy: Sequence[float],
                 lazy_relu: Sequence[float]) -> dict[str, Any]:
    """Fitted slopes with 95% intervals, one row for each scale, and the limits.

    Slopes are those of root mean squares over replicates, with the jackknife's interval; `near_from`: the scale from
    which on the ReLU network with twins stays within `NEAR` of the tangent model (root mean square over replicates).
    """
    scales = found["scales"]
    numbers: dict[str, Any] = {"least": float(scales[0]), "greatest": float(scales[-1]), "count": len(scales),
                               "stability": max(float(table.max()) for table in found["stability"].values())}
    for run in found["movement"]:
        flips = lazy_relu if run in ("relu", "digits") else lazy
        for column, between in (("movement", lazy), ("drift", flips), ("deviation", flips)):
            numbers |= _slope(f"{run}_{column}", scales, found[column][run], between, 2)
    numbers["narrow_interval"] = max(numbers[f"{name}_high"] - numbers[f"{name}_low"] for name in NARROW)
    numbers |= _slope("relu_flipped", scales, found["flipped"]["relu"], lazy_relu, 1)
    for run in ("relu", "smooth", "centred"):
        limit, own = _limits(looks[run], "test_error"), found["test_error"][run]
        numbers |= {f"{run}_tangent_error": float(limit.mean()), f"{run}_rich_error": float(own[:, 0].mean()),
                    f"{run}_lazy_error": float(own[:, -1].mean())}
        moved = scales[-1] * found["movement"][run][:, -1] / _limits(looks[run], "scaled_movement")
        numbers[f"{run}_movement_ratio"] = float(np.abs(moved - 1).max())
    numbers["rows"] = [
        {"scale": float(scale), **{f"{run}_{column}": float(np.sqrt(np.mean(found[column][run][:, i] ** 2)))
                                   for run in ("relu", "smooth", "centred") for column in ("movement", "drift")},
         "deviation": float(np.sqrt(np.mean(found["deviation"]["relu"][:, i] ** 2))),
         "training_error": float(np.exp(np.mean(np.log(found["training_error"]["relu"][:, i])))),
         "test_error": float(found["test_error"]["relu"][:, i].mean())} for i, scale in enumerate(scales)]
    numbers["near_from"] = _near_from(scales, [row["deviation"] for row in numbers["rows"]])
    return numbers


def _near_from(scales: np.ndarray, deviations: Sequence[float]) -> float | None:
    # The least scale from which on no greater one is further than NEAR from the tangent model; None if there is none.
    far = np.flatnonzero(np.array(deviations) > NEAR)
    first = far[-1] + 1 if len(far) else 0
    return float(scales[first]) if first < len(scales) else None


def _slope(name: str, scales: np.ndarray, values: np.ndarray, between: Sequence[float], order: int) -> dict[str, float]:
    mean, low, high = mean_interval(jackknife_slopes(scales, values, between, order))
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def _limits(table: Table, column: str) -> np.ndarray:
    infinite = np.isinf(table["scale"])
    return table[column][infinite][np.argsort(table["replicate"][infinite])]


def plane_values(table: Table, directions: Sequence[Sequence[float]], degrees: float = 10.0) -> dict[str, Any]:
    """For each scale the part of Σ |a_r| ‖w_r‖ within so many degrees of a teacher's direction, and the error left."""
    rows, before = [], 0.0
    for scale in sorted(set(table["scale"].tolist())):
        own = {name: values[table["scale"] == scale] for name, values in table.items()}
        before, after = (_near(np.stack([own[f"{end}_1"], own[f"{end}_2"]], axis=1), directions, degrees)
                         for end in ("start", "end"))
        rows.append({"scale": scale, "after": after, "squared_error": float(own["squared_error"][0])})
    return {"plane": rows, "plane_before": before, "plane_degrees": degrees}


def _near(points: np.ndarray, directions: Sequence[Sequence[float]], degrees: float) -> float:
    lengths = np.linalg.norm(points, axis=1)
    cosines = points @ np.array(directions).T / np.maximum(lengths, np.finfo(float).tiny)[:, None]
    return float(lengths[(cosines >= np.cos(np.radians(degrees))).any(axis=1)].sum() / lengths.sum())


def findings(numbers: Mapping[str, Any]) -> list[str]:
    """The study's findings in a sentence each, from its values."""
    ratio = numbers["relu_tangent_error"] / numbers["relu_rich_error"]
    said = f"{ratio:.2g} times smaller" if ratio > 1 else f"{1 / ratio:.2g} times greater"
    return [
        rf"As the output scale $\alpha$ grows, weights move like $\alpha^{{{numbers['relu_movement']:.2f}}}$ and the "
        rf"kernel drifts like $\alpha^{{{numbers['centred_drift']:.2f}}}$ for a smooth activation, "
        rf"$\alpha^{{{numbers['smooth_drift']:.2f}}}$ when every unit starts with a twin, and "
        rf"$\alpha^{{{numbers['relu_drift']:.2f}}}$ for the ReLU.",
        rf"On a planted teacher the network at the smallest scale has a test error {said} than the tangent model's.",
    ]
