"""How fast the weights of a two-layer ReLU network move under gradient flow, and bounds (Du et al., Lemma 3.3).

For f(x) = m^(−1/2) Σ_r a_r relu(w_rᵀx), a_r = ±1, L = ½‖u − y‖² and r = u − y,
‖dw_r/ds‖ = (1/√m) ‖Σ_i r_i 1{w_rᵀx_i ≥ 0} x_i‖ ≤ (i) (1/√m) Σ_i |r_i| ≤ (ii) (√n/√m) ‖r‖ for unit inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.kernels.neural_tangent_kernel import h_patterns
from descent.networks.two_layer import activation_patterns, relu_outputs

Table = Mapping[str, np.ndarray]


def weight_speeds(inputs: np.ndarray, patterns: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """‖dw_r/ds‖ of every unit, shape (m,), from inputs (n, d), patterns (n, m) and the residual (n,)."""
    gradients = (patterns * residual[:, None]).T @ inputs
    return np.linalg.norm(gradients, axis=1) / np.sqrt(patterns.shape[1])


def speed_bounds(residual: np.ndarray, width: int) -> tuple[float, float]:
    """The right sides of (i) and (ii): (1/√m) Σ_i |r_i| and (√n/√m) ‖r‖."""
    summed = np.abs(residual).sum() / np.sqrt(width)
    return float(summed), float(np.sqrt(len(residual) / width) * np.linalg.norm(residual))


def chain_row(inputs: np.ndarray, targets: np.ndarray, hidden: np.ndarray, signs: np.ndarray,
              start: np.ndarray) -> dict[str, float]:
    """Both sides of (i) and (ii) for the fastest unit, and what the lemma assumes, at weights `hidden` (m, d).

    `speed`: max_r ‖dw_r/ds‖; `summed`, `root`: the bounds (i) and (ii); `cancelled`: (1/√m) |Σ_i r_i|; `norm`: ‖r‖;
    `movement`: max_r ‖w_r − w_r(0)‖ from `start`; `lambda_min`, `lambda_max` of H. Targets (n, 1), signs (m, 1).
    """
    width, patterns = len(hidden), activation_patterns(hidden, inputs)
    residual = (relu_outputs(hidden, signs, inputs) / np.sqrt(width) - targets)[:, 0]
    summed, root = speed_bounds(residual, width)
    eigenvalues = np.linalg.eigvalsh(h_patterns(inputs, patterns))
    return {
        "speed": weight_speeds(inputs, patterns, residual).max(), "summed": summed, "root": root,
        "cancelled": abs(residual.sum()) / np.sqrt(width), "norm": np.linalg.norm(residual),
        "movement": np.linalg.norm(hidden - start, axis=1).max(),
        "lambda_min": eigenvalues[0], "lambda_max": eigenvalues[-1],
    }


def chain_columns(inputs: np.ndarray, targets: np.ndarray, trajectory: Table, metrics: Table,
                  signs: Sequence[np.ndarray]) -> dict[str, Any]:
    """`chain_row` at every kept step of every replicate, with `integrated` = (√n/√m) Σ η ‖r‖ over the steps before.

    `metrics` must hold every step; `signs` are the output weights of the replicates, which are numbered from 0. For
    gradient descent `integrated` is at least `movement`, whatever the step.
    """
    weights = trajectory["hidden"].reshape(len(trajectory["step"]), -1, inputs.shape[1])
    starts = {r: w for r, k, w in zip(trajectory["replicate"], trajectory["step"], weights, strict=True) if k == 0}
    rows = [chain_row(inputs, targets, w, signs[r], starts[r])
            for r, w in zip(trajectory["replicate"], weights, strict=True)]
    columns = {name: trajectory[name] for name in ("replicate", "step", "flow_time")}
    columns |= {name: np.array([row[name] for row in rows]) for name in rows[0]}
    factor = np.sqrt(len(inputs) / weights.shape[1])
    integrals = {r: factor * _integral(metrics, r) for r in starts}
    pairs = zip(trajectory["replicate"], trajectory["step"], strict=True)
    return columns | {"integrated": np.array([integrals[r][k] for r, k in pairs])}


def _integral(metrics: Table, replicate: int) -> np.ndarray:
    chosen = metrics["replicate"] == replicate
    steps = np.diff(metrics["flow_time"][chosen]) * np.sqrt(2 * metrics["loss"][chosen][:-1])
    return np.concatenate([[0.0], np.cumsum(steps)])
