"""Numbers about lazy and rich training for the report's prose and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.dynamics.lazy_training import final_rows, jackknife_slopes, tangent_rows
from descent.statistics import mean_interval

Table = Mapping[str, np.ndarray]


def scale_values(found: Mapping[str, Any], looks: Mapping[str, Table], lazy: Sequence[float],
                 lazy_relu: Sequence[float]) -> dict[str, Any]:
    """Fitted slopes with 95% intervals, errors at both ends of the scales, and the limits.

    Slopes are those of root mean squares over replicates, with the jackknife's interval. `found`: the scales, and by
    quantity and run arrays (replicates, scales); `looks`: the tables with the rows of the tangent models.
    """
    scales = found["scales"]
    return {"least": float(scales[0]), "greatest": float(scales[-1]), "count": len(scales),
            "stability": max(float(table.max()) for table in found["stability"].values()),
            **_slopes(found, lazy, lazy_relu), **_relu_ends(found, looks["relu"])}


def _slopes(found: Mapping[str, Any], lazy: Sequence[float], lazy_relu: Sequence[float]) -> dict[str, float]:
    scales, numbers, narrow = found["scales"], {}, []
    for run in found["movement"]:
        by_flips = run in ("relu", "digits")
        flips = lazy_relu if by_flips else lazy
        for column, between in (("movement", lazy), ("drift", flips), ("deviation", flips)):
            mean, low, high = _slope(scales, found[column][run], between, 2)
            numbers |= {f"{run}_{column}": mean, f"{run}_{column}_low": low, f"{run}_{column}_high": high}
            narrow += [] if by_flips and column != "movement" else [high - low]
    upper = _slope(scales, found["drift"]["digits"], (2 * lazy_relu[0], lazy_relu[1]), 2)
    numbers |= zip(("digits_drift_upper", "digits_drift_upper_low", "digits_drift_upper_high"), upper, strict=True)
    flipped = _slope(scales, found["flipped"]["relu"], lazy_relu, 1)
    return {**numbers, "narrow_interval": max(narrow), "relu_flipped": flipped[0]}


def _slope(scales: np.ndarray, values: np.ndarray, between: Sequence[float], order: int) -> tuple[float, float, float]:
    return mean_interval(jackknife_slopes(scales, values, between, order))


def _relu_ends(found: Mapping[str, Any], looks: Table) -> dict[str, float]:
    """What the ReLU on planted data does at the smallest scale (rich), the largest (lazy) and in the tangent model."""
    limit = {column: final_rows(tangent_rows(looks), column)[:, 0] for column in ("test_error", "scaled_movement")}
    moved = found["scales"][-1] * found["movement"]["relu"][:, -1] / limit["scaled_movement"]
    numbers = {"tangent_error": limit["test_error"].mean(), "movement_ratio": np.abs(moved - 1).max(),
               "rich_drift": found["drift"]["relu"][:, 0].mean(),
               "rich_training": np.exp(np.log(found["squared_error"]["relu"][:, 0]).mean()),
               "tangent_training": np.exp(np.log(found["tangent_error"]).mean())}
    for end, column in (("rich", 0), ("lazy", -1)):
        numbers |= {f"{end}_error": found["test_error"]["relu"][:, column].mean(),
                    f"deviation_{end}": found["deviation"]["relu"][:, column].mean()}
    return {f"relu_{name}": float(value) for name, value in numbers.items()}


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
        rf"$\alpha^{{{numbers['smooth_drift']:.2f}}}$ when every unit starts with a twin, and only "
        rf"$\alpha^{{{numbers['relu_drift']:.2f}}}$ for the ReLU.",
        rf"On a planted teacher the network at the smallest scale has a test error {said} than the tangent model's.",
    ]
