"""Runs of planted networks under many settings: optimizer, batch size, initialization, learning rate by width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from descent.dynamics.planted_sgd import PlantedMoments, PlantedSGD
from descent.kernels.arc_cosine import PlantedRisk
from descent.networks.initialization import two_layer_weights
from descent.pipeline.checkpoint import Checkpoint


@dataclass(frozen=True, order=True)
class Choice:
    """One way of training networks of every width; the learning rate at width r is `rate` (r0 / r)^`power`."""

    optimizer: str
    batch_size: int
    initialization: str
    power: int
    rate: float

    def rate_at(self, factor: int) -> float:
        """The initial learning rate of the network with `factor` times the teacher's width."""
        return self.rate / factor**self.power


def initial_weights(generator, start: Mapping[str, Any], outputs: int, width: int, dimension: int):
    """`two_layer_weights` of `start["kind"]`, scaled: U by `output_scale` width^-`output_power`, V by `hidden_scale`.

    Scales change no draw: starts of one kind share theirs.
    """
    output, hidden = two_layer_weights(generator, start["kind"], outputs, width, dimension)
    return output * start["output_scale"] * width ** -start["output_power"], hidden * start["hidden_scale"]


def optimizer_run(choice: Choice, constants: Mapping[str, float], teacher, weights, key) -> PlantedSGD:
    """A run by `sgd`, `momentum` (constant `momentum`) or `adam` (also `decay`, `floor`); ValueError otherwise."""
    if choice.optimizer == "sgd":
        return PlantedSGD(teacher, weights, choice.batch_size, key)
    momentum = constants["momentum"]
    if choice.optimizer == "momentum":
        return PlantedMoments(teacher, weights, choice.batch_size, key, momentum=momentum)
    if choice.optimizer == "adam":
        return PlantedMoments(teacher, weights, choice.batch_size, key, momentum=momentum, dampening=momentum,
                              decay=constants["decay"], floor=constants["floor"])
    raise ValueError(f"optimizer {choice.optimizer!r}: sgd, momentum or adam")


def scheduled_epochs(run: PlantedSGD, risk: PlantedRisk, *, rate: float, epochs: int, intervals: int, steps: int,
                     every_risk: bool) -> Iterator[dict[str, float]]:
    """Train for `epochs` of `steps` steps each, with a row of measurements for each, until the run diverges.

    The learning rate is halved from each of `intervals` equally long parts to the next. Columns:
    `objective`: mean of the mini-batches' objectives, each before its step; `risk`: the closed-form population risk
    after the epoch (NaN before the last unless `every_risk`); `time`: the sum of learning rates so far. A run that
    diverges ends with the epoch in which it does, whose objective is infinite.
    """
    rows: list[dict[str, float]] = []
    loop = Checkpoint(run, rows)
    yield from rows
    time = rows[-1]["time"] if rows else 0.0
    for epoch in loop.over(range(1, epochs + 1), until=lambda: bool(rows) and rows[-1]["objective"] == np.inf):
        now = rate * 0.5 ** ((epoch - 1) * intervals // epochs)
        objectives = run.advance(steps, now).astype(float)
        whole, time = bool(np.isfinite(objectives).all()), time + now * steps
        rows.append({"epoch": epoch, "step": epoch * steps, "learning_rate": now, "time": time,
                     "objective": float(objectives.mean()) if whole else np.inf,
                     "risk": risk(*run.weights) if whole and (every_risk or epoch == epochs) else np.nan})
        yield rows[-1]


def ending(rows: list[dict[str, float]], epochs: int, first_risk: float, null_risk: float) -> dict[str, float]:
    """How a run of `scheduled_epochs` went: `log_objective`, the mean over all epochs of log10 of the objective, and
    `relative_risk`, the last risk over `null_risk`, that of the network that is zero; both infinite on divergence.
    """
    objective = np.array([row["objective"] for row in rows])
    whole = len(rows) == epochs and bool(np.isfinite(objective).all())
    logs = np.log10(np.maximum(objective, np.finfo(np.float32).tiny))
    return {"first_risk": first_risk, "null_risk": null_risk, "diverged": not whole,
            "objective": float(objective[-1]) if whole else np.inf,
            "log_objective": float(logs.mean()) if whole else np.inf,
            "relative_risk": rows[-1]["risk"] / null_risk if whole else np.inf}
