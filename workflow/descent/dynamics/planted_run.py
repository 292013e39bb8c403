"""Runs of planted SGD, measured epoch by epoch against the closed-form population risk."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from descent.dynamics.planted_sgd import PlantedSGD, sample_inputs
from descent.kernels.arc_cosine import PlantedRisk
from descent.pipeline.checkpoint import Checkpoint


def measured_epochs(run: PlantedSGD, teacher, *, learning_rate: float, epochs: int, steps: int, halve_every: int,
                    dense_epochs: int, dense_points: int, fresh_samples: int) -> Iterator[dict[str, float]]:
    """Train `run` for `epochs` of `steps` steps each; one row of measurements for each, until the run diverges.

    The learning rate is halved every `halve_every` epochs. Columns: `objective`, mean of the mini-batches' objectives,
    with standard error `objective_error`; `risk`, the closed-form population risk after the epoch; `mean_risk`, its
    mean over the epoch by the trapezoidal rule on `dense_points` intervals in the first `dense_epochs` and in as many
    after each change of the learning rate, on two in the others;
    `first_risk` and `fresh_objective` (standard error `fresh_error`), risk and mean objective on `fresh_samples` of the
    epoch's samples, both for the weights that the epoch starts with; `time`, the sum of learning rates so far;
    `diverged_step`, the step from the start of the run whose objective was not finite first, 0 if all were.
    The objectives of a diverged epoch are NaN.
    """
    risk, rows = PlantedRisk(*teacher), []
    loop = Checkpoint(run, rows)
    yield from rows
    last, time = (rows[-1]["risk"], rows[-1]["time"]) if rows else (risk(*run.weights), 0.0)
    for epoch in loop.over(range(1, epochs + 1), until=lambda: bool(rows) and rows[-1]["diverged_step"] > 0):
        rate = learning_rate * 0.5 ** ((epoch - 1) // halve_every)
        fresh = fresh_objectives(run, teacher, fresh_samples)
        first, points = last, dense_points if (epoch - 1) % halve_every < dense_epochs else 2
        objectives, risks = _epoch(run, risk, rate, steps, points, first)
        last, time = risks[-1], time + rate * steps
        rows.append({
            "epoch": epoch, "learning_rate": rate, "time": time,
            **_mean_and_error("objective", "objective_error", objectives),
            "risk": last, "mean_risk": float(np.trapezoid(risks) / points), "first_risk": first,
            **_mean_and_error("fresh_objective", "fresh_error", fresh),
            "diverged_step": _diverged_step(objectives, (epoch - 1) * steps),
        })
        yield rows[-1]


def risk_deviation(table: dict[str, np.ndarray]) -> dict[str, float]:
    """What the samples of all replicates and epochs of a metric table say of the closed-form risk.

    `ratio`: mean of fresh objective / closed form, with standard error `error`. Given the past, a fresh objective has
    mean `first_risk`, so the deviations are martingale differences: uncorrelated, and their variances add.
    `median_difference` and `worst_difference`: over the epochs, |objective / mean risk - 1| of sums over the replicates
    (NaN when all diverged in the first); it contains the error of the trapezoidal rule.
    """
    error = table["fresh_error"] / table["first_risk"]
    whole = np.isfinite(table["objective"])
    sums = [np.bincount(table["epoch"][whole], table[name][whole]) for name in ("objective", "mean_risk")]
    seen = sums[1] > 0
    difference = np.abs(sums[0][seen] / sums[1][seen] - 1)
    return {
        "ratio": float(np.mean(table["fresh_objective"] / table["first_risk"])), "epochs": len(error),
        "error": float(np.sqrt(np.sum(error**2)) / len(error)),
        "median_difference": float(np.median(difference)) if seen.any() else np.nan,
        "worst_difference": float(difference.max()) if seen.any() else np.nan,
    }


def fresh_objectives(run: PlantedSGD, teacher, count: int) -> np.ndarray:
    """1/2 |U0 relu(V0'x) - U relu(V'x)|^2 of the run's weights on the next `count` samples of its stream, float64."""
    inputs = sample_inputs(teacher[1].shape[0], run.samples, count, run.key).astype(float)
    outputs, targets = (u @ np.maximum(v.T @ inputs, 0.0) for u, v in (run.weights, teacher))
    return 0.5 * np.sum((outputs - targets) ** 2, axis=0)


def _epoch(run, risk, rate, steps, points, first):
    parts, risks = [], [first]
    for _ in range(points):
        parts.append(run.advance(steps // points, rate).astype(float))
        risks.append(risk(*run.weights))
        if not np.isfinite(parts[-1]).all():
            break
    return np.concatenate(parts), risks


def _mean_and_error(mean, error, samples):
    if not np.isfinite(samples).all():
        return {mean: np.nan, error: np.nan}
    return {mean: float(samples.mean()), error: float(samples.std(ddof=1) / np.sqrt(len(samples)))}


def _diverged_step(objectives, before):
    bad = np.flatnonzero(~np.isfinite(objectives))
    return int(before + bad[0] + 1) if bad.size else 0
