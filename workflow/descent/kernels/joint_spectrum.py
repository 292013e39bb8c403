"""The two parts H and G of the tangent kernel when both layers are trained: derivatives, spectra, speeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from descent.dynamics.joint_flow import JointPoint
from descent.kernels.neural_tangent_kernel import g_activations, h_patterns
from descent.networks.theorem_network import label_targets
from descent.networks.two_layer import activation_patterns
from descent.pipeline.tables import read_table, write_table


def tangent_parts(point: JointPoint) -> tuple[np.ndarray, np.ndarray]:
    """H (with a_r²) and G at `point`, each (n, n): du/dt = (H + G)(y − u) (Du et al., proof of Theorem 3.3)."""
    patterns = activation_patterns(point.hidden, point.inputs)
    return h_patterns(point.inputs, patterns, point.outputs), g_activations(point.inputs, point.hidden)


def weighted_activations(point: JointPoint, power: int) -> np.ndarray:
    """(1/m) Σ_r a_r^p relu(w_rᵀx_i) relu(w_rᵀx_j), shape (n, n): G for p = 0, not a Gram matrix for p = 1."""
    weights = point.outputs**power
    # relu(c w) = c relu(w) only for c ≥ 0: the two signs one by one.
    parts = [np.sqrt(np.maximum(sign * weights, 0))[:, None] * point.hidden for sign in (1, -1)]
    return g_activations(point.inputs, parts[0]) - g_activations(point.inputs, parts[1])


def rounding_size(point: JointPoint) -> np.ndarray:
    """Entry by entry the sum of the absolute terms of H + G, to which rounding is relative; shape (n, n)."""
    patterns, sizes = activation_patterns(point.hidden, point.inputs), np.abs(point.inputs)
    return h_patterns(sizes, patterns, point.outputs) + g_activations(sizes, np.abs(point.hidden))


def derivative_terms(point: JointPoint) -> dict[str, np.ndarray]:
    """du/dt by difference quotients and by right and wrong formulas, for each sample.

    `measured` along both layers' velocities, `measured_outputs` along the output layer's alone, with bounds on the
    rounding of quotient and formulas together. `hidden_squared` H(y − u), `hidden_unweighted` the same without a_r²,
    `outputs_summed` G(y − u), `outputs_weighted` with a_r² in G, `outputs_one_unit` with the first unit alone in G,
    `outputs_printed` (y_j − u_j) G_ij for the j that makes it closest to the quotient, sample by sample.
    """
    hidden_part, output_part = tangent_parts(point)
    patterns, pull = activation_patterns(point.hidden, point.inputs), -point.residual
    hidden_velocity, output_velocity = point.velocities
    measured, rounding = point.difference_quotient(hidden_velocity, output_velocity)
    alone, rounding_alone = point.difference_quotient(np.zeros_like(hidden_velocity), output_velocity)
    lengths = 2 * sum(point.hidden.shape) + 2 * len(pull) + 8
    formulas = lengths * np.finfo(float).eps * rounding_size(point) @ np.abs(pull)
    printed = output_part * pull
    closest = np.abs(printed - alone[:, None]).argmin(axis=1)
    return {
        "measured": measured, "rounding": rounding + formulas,
        "measured_outputs": alone, "rounding_outputs": rounding_alone + formulas,
        "hidden_squared": hidden_part @ pull, "hidden_unweighted": h_patterns(point.inputs, patterns) @ pull,
        "outputs_summed": output_part @ pull, "outputs_weighted": weighted_activations(point, 2) @ pull,
        "outputs_one_unit": g_activations(point.inputs, point.hidden[:1]) @ pull / len(point.hidden),
        "outputs_printed": printed[np.arange(len(pull)), closest],
    }


def joint_row(point: JointPoint, start: JointPoint) -> dict[str, float]:
    """Spectra of H, G and H + G, the two parts of the loss's decay, and how far the weights have moved.

    `lambda_min`, `lambda_max` of H + G; `lambda_min_h`, `lambda_min_unweighted` (H without a_r²), `lambda_min_g`,
    `lambda_max_g`. `hidden_form` ρᵀHρ and `output_form` ρᵀGρ for ρ = u − y, `hidden_speed` ‖dW/dt‖² and `output_speed`
    ‖da/dt‖², `form_size` what their rounding is relative to. `movement` max ‖w_r − w_r(0)‖, `output_movement`
    max |a_r − a_r(0)|, `flipped` patterns (a fraction), `mean_square` of the a_r, and `balance_drift`, the largest
    change of a_r² − ‖w_r‖², which the flow of both layers keeps.
    """
    hidden_part, output_part = tangent_parts(point)
    patterns, first = (activation_patterns(at.hidden, at.inputs) for at in (point, start))
    together, outputs = np.linalg.eigvalsh(hidden_part + output_part), np.linalg.eigvalsh(output_part)
    size, residual = np.abs(point.residual), point.residual
    hidden_velocity, output_velocity = point.velocities
    balances = [at.outputs**2 - np.sum(at.hidden**2, axis=1) for at in (point, start)]
    return {
        "lambda_min": together[0], "lambda_max": together[-1], "lambda_min_g": outputs[0], "lambda_max_g": outputs[-1],
        "lambda_min_h": np.linalg.eigvalsh(hidden_part)[0],
        "lambda_min_unweighted": np.linalg.eigvalsh(h_patterns(point.inputs, patterns))[0],
        "squared_error": residual @ residual, "hidden_form": residual @ hidden_part @ residual,
        "output_form": residual @ output_part @ residual, "form_size": size @ rounding_size(point) @ size,
        "hidden_speed": np.sum(hidden_velocity**2), "output_speed": np.sum(output_velocity**2),
        "movement": np.linalg.norm(point.hidden - start.hidden, axis=1).max(),
        "output_movement": np.abs(point.outputs - start.outputs).max(), "flipped": np.mean(patterns != first),
        "mean_square": np.mean(point.outputs**2), "balance_drift": np.abs(balances[0] - balances[1]).max(),
    }


def trajectory_points(trajectory: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray],
                      labels: str) -> Iterator[tuple[int, JointPoint]]:
    """Step and point of every row of a kept trajectory of a network with scalar outputs."""
    targets = label_targets(labels, data["digit"])[:, 0]
    for step, hidden, outputs in zip(trajectory["step"], trajectory["hidden"], trajectory["outputs"], strict=True):
        yield int(step), JointPoint(hidden.reshape(len(outputs), -1), outputs, data["x"], targets)


def joint_spectrum(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Stage: `joint_row` at every kept step of every replicate and step size of `inputs["trajectory"]`."""
    kept, rows, start = read_table(inputs["trajectory"]), [], None
    for step, point in trajectory_points(kept, read_table(inputs["data"]), settings["labels"]):
        # Each run's rows begin with its start.
        start = point if step == 0 else start
        rows.append(joint_row(point, start))
    columns = {name: kept[name] for name in ("replicate", "parts", "step", "flow_time", "crossings")}
    columns |= {name: np.array([row[name] for row in rows]) for name in rows[0]}
    write_table(outputs["table"], columns, {"flow_time": "flow time", "crossings": "patterns per step"}, settings)
