"""Running gradient descent while recording the loss, the remainder and, at chosen steps, the weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from descent.dynamics.gradient_descent import GradientDescent
from descent.pipeline.checkpoint import Checkpoint

# A squared error this many times the initial one is not going to come back.
DIVERGED = 1e6


def log_spaced_steps(steps: int, count: int) -> list[int]:
    """0 and at most `count` − 1 whole steps from 1 to `steps`, evenly spaced in the logarithm."""
    return sorted({0, *np.round(np.geomspace(1, steps, count - 1)).astype(int).tolist()})


def record(descent: GradientDescent, eta: float, steps: int, every: int,
           kept: list[int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run `steps` steps; columns of the metrics (every `every` steps) and of the trajectory (at the `kept` steps).

    Metrics: step, flow_time = η · step, loss (sum over all samples, halved) and remainder ‖e(k − 1)‖ of the step that
    led there (NaN unless every step is recorded). Trajectory: step, flow_time, hidden and outputs (rows of
    m d and m c weights) and crossings, the number of patterns that the step which led there changed (0 where the
    batch changes).
    A run whose loss exceeds 10⁶ times the first, or is not a number, stops there: the last row of both is that step.
    """
    metrics, trajectory = [(0, descent.loss(), 0.0)], [(0, descent.hidden.ravel(), descent.outputs.ravel(), 0)]

    def diverged() -> bool:
        return not metrics[-1][1] <= DIVERGED * metrics[0][1]

    for k in Checkpoint(descent, metrics, trajectory).over(range(1, steps + 1), until=diverged):
        before = descent.patterns if k in kept else None
        descent.step()
        if k % every == 0 or k == steps:
            metrics.append((k, descent.loss(), descent.remainder() if every == 1 else np.nan))
        if before is not None or diverged():
            trajectory.append((k, descent.hidden.ravel(), descent.outputs.ravel(), _crossings(before, descent)))
    weights = _columns(trajectory, ("step", "hidden", "outputs", "crossings"), eta)
    return _columns(metrics, ("step", "loss", "remainder"), eta), weights


def _crossings(before: np.ndarray | None, descent: GradientDescent) -> int:
    same = before is not None and descent.full_batch
    return int(np.count_nonzero(before != descent.patterns)) if same else 0


def _columns(rows: list[tuple], names: tuple[str, ...], eta: float) -> dict[str, Any]:
    columns = {name: np.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
    return {"step": columns["step"], "flow_time": eta * columns["step"], **columns}
