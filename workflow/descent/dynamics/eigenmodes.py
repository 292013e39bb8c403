"""Eigenmode-resolved training error: the prediction of a fixed kernel beside what a two-layer ReLU network does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.dynamics.gradient_descent import GradientDescent
from descent.dynamics.kernel_dynamics import KernelDynamics
from descent.kernels.neural_tangent_kernel import h_patterns
from descent.networks.theorem_network import label_targets
from descent.networks.two_layer import activation_patterns
from descent.pipeline.checkpoint import Checkpoint
from descent.pipeline.randomness import generator

Table = Mapping[str, np.ndarray]


def targets(labels: str, digits: np.ndarray, master_seed: int, replicate: int) -> np.ndarray:
    """Targets y (n,): `true`, the standardized digits; `random`, those in random order; `signs`, fair ±1.

    Raises ValueError on other labels.
    """
    true, n = label_targets("digit", digits)[:, 0], len(digits)
    if labels == "true":
        return true
    if labels == "random":
        return generator(master_seed, "label_order", replicate, n=n).permutation(true)
    if labels == "signs":
        return generator(master_seed, "label_signs", replicate, n=n).choice([-1.0, 1.0], n)
    raise ValueError(f"labels {labels!r}: not one of true, random, signs")


def initial_gram(inputs: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """H(0) of inputs (n, d) and weights (m, d), outputs ±1."""
    return h_patterns(inputs, activation_patterns(hidden, inputs))


def record_residuals(descent: GradientDescent, gram: np.ndarray, eta: float, steps: int,
                     kept: list[int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run `steps` steps with scalar outputs; columns of the metrics (every step) and of the trajectory (`kept` steps).

    Metrics: step, flow_time = η · step, loss (½‖u − y‖², a sum) and defect ‖r(k) − (I − η H) r(k − 1)‖, H = `gram`, by
    which the step missed the fixed kernel's (0 at step 0). Trajectory: step, flow_time, residual r = u − y (rows of n).
    """
    metrics, residuals = [(0, descent.loss(), 0.0)], [descent.residual[:, 0]]
    for k in Checkpoint(descent, metrics, residuals).over(range(1, steps + 1)):
        before = descent.residual[:, 0]
        descent.step()
        after = descent.residual[:, 0]
        metrics.append((k, descent.loss(), np.linalg.norm(after - before + eta * (gram @ before))))
        if k in kept:
            residuals.append(after)
    step, loss, defect = map(np.array, zip(*metrics, strict=True))
    return ({"step": step, "flow_time": eta * step, "loss": loss, "defect": defect},
            {"step": np.array(kept), "flow_time": eta * np.array(kept), "residual": np.array(residuals)})


def prediction_columns(limit: KernelDynamics, start: KernelDynamics, targets: np.ndarray, metrics: Table,
                       kept: Table) -> dict[str, np.ndarray]:
    """Measured and predicted squared errors of one replicate at its kept steps.

    squared_error ‖r(k)‖²; predicted Σ_i (1 − η λ_i)^{2k} (v_iᵀ r_0)² by the modes of H∞ (infinity), of H(0) (zero), and
    of H(0) with y in place of r_0 (labels_only: Arora et al. 2019, whose start is small); deviation_infinity and
    deviation_zero ‖r(k) − (I − η H)^k r_0‖ / ‖r_0‖; defect_sum Σ_{s<k} ‖d(s)‖ / ‖r_0‖; stability η λ_max(H(0)).
    `limit` and `start` are the dynamics of H∞ and H(0) for targets 0.
    """
    steps, residuals, eta = kept["step"], kept["residual"], kept["flow_time"][1] / kept["step"][1]
    first, norm = residuals[0], np.linalg.norm(residuals[0])
    columns = {"step": steps, "flow_time": kept["flow_time"], "squared_error": np.sum(residuals**2, axis=1)}
    for name, dynamics in (("infinity", limit), ("zero", start)):
        factors = dynamics.descent_factors(eta, steps)
        columns[name] = dynamics.squared_errors(first, factors)
        missed = residuals - dynamics.residuals(first, factors)
        columns[f"deviation_{name}"] = np.linalg.norm(missed, axis=1) / norm
    columns["labels_only"] = start.squared_errors(targets, start.descent_factors(eta, steps))
    return {**columns, "defect_sum": np.cumsum(metrics["defect"])[steps] / norm,
            "stability": np.full(len(steps), eta * start.eigenvalues[-1])}


def time_to_fraction(times: np.ndarray, squared: np.ndarray, fraction: float) -> float:
    """Flow time at which a squared error first reaches `fraction` of its first value, ln interpolated; ∞ if never."""
    level, logs = np.log(fraction), np.log(squared / squared[0])
    if not (logs <= level).any():
        return float("inf")
    i = int(np.argmax(logs <= level))
    return float(times[i - 1] + (times[i] - times[i - 1]) * (level - logs[i - 1]) / (logs[i] - logs[i - 1]))


def mode_groups(eigenvalues: np.ndarray, size: int) -> list[np.ndarray]:
    """Indices of consecutive modes, `size` to a group, from the greatest eigenvalue down (rising `eigenvalues`)."""
    descending = np.argsort(-eigenvalues, kind="stable")
    return [descending[i : i + size] for i in range(0, len(descending), size)]


def decay_exponent(dynamics: KernelDynamics, kept: Table, size: int, least: float = np.exp(-2.0)) -> float:
    """The p for which groups of `size` modes of the squared error fall as Σ_i (1 − η λ_i)^{pk} c_i²; theory: 2.

    Twice the slope through the origin of the measured ln(energy / first energy) of each group on the predicted one,
    over all steps and groups whose prediction lies in [`least`, 1). `dynamics` of H for targets 0.
    """
    steps, eta = kept["step"], kept["flow_time"][1] / kept["step"][1]
    energies = (kept["residual"] @ dynamics.eigenvectors) ** 2
    predicted = dynamics.descent_factors(eta, steps) ** 2 * energies[0]
    groups = mode_groups(dynamics.eigenvalues, size)
    seen, told = (np.stack([table[1:, g].sum(axis=1) / table[0, g].sum() for g in groups])
                  for table in (energies, predicted))
    used = told >= least
    return float(2 * np.sum(np.log(seen[used]) * np.log(told[used])) / np.sum(np.log(told[used]) ** 2))


def linearized_errors(hidden: np.ndarray, outputs: np.ndarray, inputs: np.ndarray, targets: np.ndarray, eta: float,
                      steps: int) -> np.ndarray:
    """‖u(k) − y‖² for k = 0 … `steps` of gradient descent on the network's weights with its first patterns kept.

    The model m^{−1/2} Σ_r a_r 1{w_r(0)ᵀx ≥ 0} w_rᵀx is the network's linearization at the start (eth.2); its Gram
    matrix is H(0) at all times. `hidden` W (m, d), `outputs` A (m, 1), `inputs` (n, d), `targets` (n,).
    """
    gates = activation_patterns(hidden, inputs) * (outputs[:, 0] / np.sqrt(len(hidden)))
    hidden, squared = hidden.copy(), []
    for _ in range(steps + 1):
        residual = np.einsum("nm,nm->n", gates, inputs @ hidden.T) - targets
        squared.append(residual @ residual)
        hidden -= eta * (gates * residual[:, None]).T @ inputs
    return np.array(squared)


def permuted_errors(dynamics: KernelDynamics, targets: np.ndarray, flow_time: float, draws: np.random.Generator,
                    count: int, block: int = 4000) -> np.ndarray:
    """Σ_i e^{−2 λ_i t} (v_iᵀ πy)² / ‖y‖² for `count` random orders πy of the targets y (n,), shape (count,)."""
    factors, found = dynamics.flow_factors([flow_time])[0] ** 2 / (targets @ targets), []
    for first in range(0, count, block):
        shuffled = draws.permuted(np.tile(targets, (min(block, count - first), 1)), axis=1)
        found.append((shuffled @ dynamics.eigenvectors) ** 2 @ factors)
    return np.concatenate(found)


def selected(table: Mapping[str, Any], **values: Any) -> dict[str, np.ndarray]:
    """The rows of a table whose columns have these values."""
    chosen = np.logical_and.reduce([np.asarray(table[name]) == value for name, value in values.items()])
    return {name: np.asarray(column)[chosen] for name, column in table.items()}


def replicate_times(table: Table, column: str, fraction: float) -> np.ndarray:
    """`time_to_fraction` of `column` in each replicate of one run's rows."""
    runs = (selected(table, replicate=r) for r in np.unique(table["replicate"]))
    return np.array([time_to_fraction(run["flow_time"], run[column], fraction) for run in runs])


def greatest_deviations(table: Table, column: str, widths: list[int], labels: list[str]) -> np.ndarray:
    """The greatest `column` over the steps of each Gaussian start, shape (labels · replicates, widths)."""
    gaussian = selected(table, start="gaussian")
    return np.array([[selected(gaussian, width=m, labels=y, replicate=r)[column].max() for m in widths]
                     for y in labels for r in np.unique(gaussian["replicate"])])


def time_errors(table: Table, column: str, widths: list[int], labels: str, fraction: float) -> np.ndarray:
    """|ln(measured / predicted)| of the times to `fraction` for each Gaussian start, shape (replicates, widths)."""
    runs = [selected(table, start="gaussian", width=m, labels=labels) for m in widths]
    measured, predicted = (np.array([replicate_times(run, name, fraction) for run in runs])
                           for name in ("squared_error", column))
    # Infinite where the measured error was not reached, whatever was predicted.
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.abs(np.log(measured / predicted)), nan=np.inf, posinf=np.inf).T


def joined(tables: Sequence[Table]) -> dict[str, np.ndarray]:
    """The rows of all tables with the same columns, one after the other."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
