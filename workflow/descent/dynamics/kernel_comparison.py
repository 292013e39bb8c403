"""A network's gradient descent beside training in the limiting kernel, from the same outputs with the same step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from descent.dynamics.kernel_dynamics import KernelDynamics
from descent.dynamics.recorded_descent import log_spaced_steps
from descent.kernels.neural_tangent_kernel import h_patterns
from descent.pipeline.checkpoint import Checkpoint


def unit_rows(inputs: np.ndarray) -> np.ndarray:
    """Every row of `inputs` (n, d) over its Euclidean length; raises ValueError when one is zero."""
    lengths = np.linalg.norm(inputs, axis=1, keepdims=True)
    if not np.all(lengths > 0):
        raise ValueError("a row of zeros has no direction")
    return inputs / lengths


def spectral_norm(matrix: np.ndarray) -> float:
    """‖M‖₂ of a symmetric matrix."""
    return float(np.abs(np.linalg.eigvalsh(matrix)[[0, -1]]).max())


def descend(descent: Any, inputs: np.ndarray, kept: Sequence[int],
            limit: np.ndarray) -> tuple[list[dict[str, float]], np.ndarray]:
    """Run `descent` (scalar outputs, all samples) to the last of the `kept` steps; `limit` is H∞ (n, n).

    First result: for each kept step ‖H(0) − H∞‖₂, m ‖H(0) − H∞‖_F², ‖H(t) − H(0)‖₂, greatest and root-mean-square
    ‖w_r(t) − w_r(0)‖ over the units, and the fraction of patterns that differ from the start (Du et al., Lemmas 3.2
    and 3.3). Second: the residuals u − y after every step, (K + 1, n).
    """
    start, first = descent.hidden, descent.patterns
    initial, rows, residuals = h_patterns(inputs, first.T), [], [descent.residual[:, 0]]
    distance = {"distance": spectral_norm(initial - limit),
                "frobenius": len(start) * float(np.sum(np.square(initial - limit)))}
    for k in Checkpoint(descent, rows, residuals).over(range(1, kept[-1] + 1)):
        descent.step()
        residuals.append(descent.residual[:, 0])
        if k in kept:
            now, moved = descent.patterns, np.linalg.norm(descent.hidden - start, axis=1)
            rows.append({**distance, "drift": spectral_norm(h_patterns(inputs, now.T) - initial),
                         "movement": float(moved.max()), "movement_rms": float(np.sqrt(np.mean(np.square(moved)))),
                         "flipped": float(np.mean(now != first))})
    return rows, np.array(residuals, dtype=np.float64)


def running_deviation(residuals: np.ndarray, references: np.ndarray) -> np.ndarray:
    """max_{j ≤ k} ‖r(j) − z(j)‖ / ‖r(0)‖ for every k, of residuals r and z (K + 1, n) with r(0) = z(0)."""
    distances = np.linalg.norm(residuals - references, axis=1)
    return np.maximum.accumulate(distances) / np.linalg.norm(residuals[0])


def references(residuals: np.ndarray, kernel: KernelDynamics, eta: float) -> dict[str, np.ndarray]:
    """Residuals u − y, (K + 1, n), that start at `residuals[0]` and follow a kernel dynamics.

    `deviation`: steps u ← u − η H∞ (u − y), what the network is compared with. Beside it, what is wrong or another
    question: `doubled_deviation`, the same steps with 2 H∞ (the loss without its factor ½); `flow_deviation`, the
    flow e^{−H∞ t} at t = η k, from which descent differs by its step at any width.
    """
    steps, start = np.arange(len(residuals)), kernel.targets + residuals[0]
    factors = {"deviation": kernel.descent_factors(eta, steps),
               "doubled_deviation": kernel.descent_factors(2 * eta, steps),
               "flow_deviation": kernel.flow_factors(eta * steps)}
    return {name: kernel.residuals(start, factor) for name, factor in factors.items()}


def compare(descent: Any, inputs: np.ndarray, kernel: KernelDynamics, limit: np.ndarray, eta: float,
            kept: Sequence[int], points: Sequence[int],
            recorded: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """One network beside the kernel dynamics: columns for the `kept` steps, and u(t) of some training samples.

    The first are those of `descend`, the running deviations from `references` (relative to ‖u(0) − y‖, over all steps
    so far), and ‖u − y‖ of both. The second are the outputs of network and kernel at the samples `points` at up to
    `recorded` steps.
    """
    rows, residuals = descend(descent, inputs, kept, limit)
    others, kept = references(residuals, kernel, eta), np.asarray(kept)
    columns = {"step": kept, "flow_time": eta * kept,
               **{name: np.array([row[name] for row in rows]) for name in rows[0]},
               **{name: running_deviation(residuals, other)[kept] for name, other in others.items()},
               "start_error": np.full(len(kept), np.linalg.norm(residuals[0])),
               "error": np.linalg.norm(residuals[kept], axis=1),
               "kernel_error": np.linalg.norm(others["deviation"][kept], axis=1)}
    steps, targets = np.array(log_spaced_steps(int(kept[-1]), recorded)), kernel.targets[points]
    outputs = {"step": steps, "flow_time": eta * steps,
               "network": residuals[np.ix_(steps, points)] + targets,
               "kernel": others["deviation"][np.ix_(steps, points)] + targets}
    return columns, outputs
