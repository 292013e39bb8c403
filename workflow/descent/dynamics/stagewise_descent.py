"""Gradient descent in stages, each on a subset of the samples and from the weights that the one before it left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from descent.dynamics.gradient_descent import GradientDescent
from descent.kernels.neural_tangent_kernel import h_patterns
from descent.networks.two_layer import activation_patterns, relu_outputs
from descent.pipeline.checkpoint import Checkpoint


@dataclass(frozen=True)
class Training:
    """What all stages share: signs A (m, 1), inputs (n, d), targets (n, 1), labels (n,), the output's scale."""

    outputs: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    digits: np.ndarray
    scale: float

    def digit_losses(self, hidden: np.ndarray) -> np.ndarray:
        """½ Σ (f(x_i) − y_i)² over the samples of each digit, shape (10,)."""
        residual = self.scale * relu_outputs(hidden, self.outputs, self.inputs) - self.targets
        return np.bincount(self.digits, 0.5 * np.sum(residual**2, axis=1), minlength=10)


@dataclass(frozen=True)
class TrainingStage:
    """`steps` steps of size `eta` on the samples of digits below `digits`."""

    digits: int
    steps: int
    eta: float


def run_stages(hidden: np.ndarray, training: Training, stages: Sequence[TrainingStage], record_every: int,
               kept: Sequence[int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metrics of every step and states at the `kept` steps (counted within a stage) of all stages, as columns.

    Both: stage (from 1), digits, samples, stage_step, step and flow_time (over all stages). A stage's first row is its
    start, so that step and flow time of a boundary appear twice. Metrics: loss on the stage's samples, remainder
    ‖e(k − 1)‖ of the step that led there, all_loss on all samples (NaN but every `record_every` steps and at the ends).
    States: digit_loss (10 columns), λ_min and λ_max of H[S] on the stage's samples, and the fraction of patterns on
    them that differ from those of `hidden`, the weights (m, d) at the very start.
    """
    metrics, states, now, step, time = [], [], hidden, 0, 0.0
    for number, stage in enumerate(stages, 1):
        chosen = training.digits < stage.digits
        first = activation_patterns(hidden, training.inputs[chosen])
        descent = GradientDescent(now, training.outputs, training.inputs[chosen], training.targets[chosen], stage.eta,
                                  training.scale)
        for k in Checkpoint(descent, metrics, states).over(range(stage.steps + 1)):
            if k:
                descent.step()
            where = (number, stage.digits, descent.n, k, step + k, time + stage.eta * k)
            loss, total = descent.loss(), np.nan
            if k % record_every == 0 or k == stage.steps:
                total = loss if chosen.all() else float(training.digit_losses(descent.hidden).sum())
            metrics.append((*where, loss, descent.remainder() if k else 0.0, total))
            if k in kept:
                states.append((*where, *_state(descent, training, chosen, first)))
        now, step, time = descent.hidden, step + stage.steps, time + stage.eta * stage.steps
    place = ("stage", "digits", "samples", "stage_step", "step", "flow_time")
    return (_columns(metrics, (*place, "loss", "remainder", "all_loss")),
            _columns(states, (*place, "digit_loss", "lambda_min", "lambda_max", "flipped")))


def _state(descent: GradientDescent, training: Training, chosen: np.ndarray, first: np.ndarray) -> tuple:
    patterns = descent.patterns.T
    eigenvalues = np.linalg.eigvalsh(h_patterns(training.inputs[chosen], patterns))
    return (training.digit_losses(descent.hidden), eigenvalues[0], eigenvalues[-1], np.mean(patterns != first))


def _columns(rows: list[tuple], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: np.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}


def stage_rows(table: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """The rows of each (replicate, stage) as a table of its own, in this order."""
    pairs = sorted(set(zip(table["replicate"].tolist(), table["stage"].tolist(), strict=True)))
    chosen = [(table["replicate"] == replicate) & (table["stage"] == stage) for replicate, stage in pairs]
    return [{name: values[rows] for name, values in table.items()} for rows in chosen]
