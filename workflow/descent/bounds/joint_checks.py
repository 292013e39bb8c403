"""What the ledger checks about the training of both layers: each function compares data with one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from descent.bounds.convergence import bound_columns, held_until
from descent.bounds.convergence_checks import replicates
from descent.claims import Outcome
from descent.dynamics.joint_flow import JointPoint
from descent.kernels.joint_spectrum import weighted_activations

Table = Mapping[str, np.ndarray]
EPS = float(np.finfo(float).eps)


def rows_where(table: Table, chosen: np.ndarray) -> dict[str, np.ndarray]:
    """The rows of a table at which `chosen` is true."""
    return {name: values[chosen] for name, values in table.items()}


def whole_step(table: Table) -> dict[str, np.ndarray]:
    """The rows of the runs with the whole step η, not a part of it."""
    return rows_where(table, table["parts"] == 1)


def joint_bounds(metrics: Table, spectrum: Table, lambda_0: float, parts: int = 1) -> dict[str, np.ndarray]:
    """`bound_columns` of the runs with step η/`parts`: H + G in the contraction, H in the theorem's hypothesis.

    `lambda_min` and `lambda_max` of the spectrum are those of H + G, `lambda_min_h` that of H.
    """
    chosen = [replicates(rows_where(table, table["parts"] == parts)) for table in (metrics, spectrum)]
    columns = []
    for run, kept in zip(*chosen, strict=True):
        held = held_until(run["step"], kept["step"], kept["lambda_min_h"] >= lambda_0 / 2)
        columns.append({**bound_columns(run, kept, lambda_0), "spectrum_held": held})
    return {name: np.concatenate([part[name] for part in columns]) for name in columns[0]}


def formula_agrees(table: Table, measured: str, rounding: str, terms: Sequence[str]) -> Outcome:
    """The derivative in column `measured` is the sum of `terms`, up to the bound on rounding errors.

    Observed: the largest difference over that bound; the columns are those of `derivative_terms`.
    """
    difference = np.abs(table[measured] - sum(table[term] for term in terms))
    # Where all units are inactive both sides and the bound are 0.
    ratios = np.divide(difference, table[rounding], out=np.zeros_like(difference), where=difference > 0)
    return Outcome(float(ratios.max()), 1.0, len(ratios), bool(np.all(difference <= table[rounding])))


def positive_semidefinite(points: Sequence[JointPoint], power: int = 0) -> Outcome:
    """(1/m) Σ_r a_r^p relu(w_rᵀx_i) relu(w_rᵀx_j), which is G for p = 0, has no eigenvalue below −n ε ‖G‖₂.

    Observed: the largest −λ_min over n ε ‖G‖₂, which the backward error of an eigenvalue solver does not exceed.
    """
    spectra = [np.linalg.eigvalsh(weighted_activations(point, power)) for point in points]
    ratios = np.array([-values[0] / max(len(values) * EPS * np.abs(values).max(), np.finfo(float).tiny)
                       for values in spectra])
    return Outcome(float(ratios.max()), 1.0, len(ratios), bool(ratios.max() <= 1))


def decay_is_quadratic_form(table: Table, lengths: int, sign: int = 1) -> Outcome:
    """d/dt ‖u − y‖² = −2 ‖∇L‖² is −2 ρᵀ(H + `sign` G)ρ, ρ = u − y, up to rounding.

    Observed: the largest difference over 4 `lengths` ε times the sum of the forms' absolute terms; `lengths` is
    n + m + d, what the inner products of both sides come to together.
    """
    form = table["hidden_form"] + sign * table["output_form"]
    difference = np.abs(table["hidden_speed"] + table["output_speed"] - form)
    ratios = difference / (4 * lengths * EPS * table["form_size"])
    return Outcome(float(ratios.max()), 1.0, len(ratios), bool(ratios.max() <= 1))


def decay_at_least_hidden_part(table: Table, lengths: int, sign: int = 1) -> Outcome:
    """d/dt ‖u − y‖² ≤ −2 ρᵀHρ at every kept step (Lemma A.2, inequality ii).

    The derivative is −2 (‖dW/dt‖² + `sign` ‖da/dt‖²). Observed: the largest excess of the left side over the right,
    relative to 2 ρᵀ(H + G)ρ; the bound on it is the rounding error of `decay_is_quadratic_form` in these units.
    """
    total = table["hidden_form"] + table["output_form"]
    excess = (table["hidden_form"] - table["hidden_speed"] - sign * table["output_speed"]) / total
    rounding = 4 * lengths * EPS * float((table["form_size"] / total).max())
    return Outcome(float(excess.max()), rounding, len(excess), bool(excess.max() <= rounding))


def decay_rate(table: Table, lambda_0: float, rate: float) -> Outcome:
    """−d/dt ln ‖u − y‖² ≥ `rate` at every kept step with λ_min(H) ≥ λ_0/2; Theorem 3.3 has `rate` = λ_0."""
    held = table["lambda_min_h"] >= lambda_0 / 2
    rates = 2 * (table["hidden_speed"] + table["output_speed"]) / table["squared_error"]
    least = float(rates[held].min(initial=np.inf))
    return Outcome(least, rate, int(held.sum()), least >= rate)


def balance_is_kept(points: Sequence[JointPoint], factor: float = 1.0) -> Outcome:
    """d/dt (a_r² − `factor` ‖w_r‖²) = 0 for every unit along the flow of both layers, up to rounding.

    Observed: the largest |a_r da_r/dt − `factor` w_rᵀ dw_r/dt| over the bound on its rounding error.
    """
    ratios = [_imbalance(point, factor) for point in points]
    worst, cases = max(float(ratio.max()) for ratio in ratios), sum(len(ratio) for ratio in ratios)
    return Outcome(worst, 1.0, cases, worst <= 1)


def _imbalance(point: JointPoint, factor: float) -> np.ndarray:
    (m, d), (hidden_velocity, output_velocity) = point.hidden.shape, point.velocities
    rate = point.outputs * output_velocity - factor * np.sum(point.hidden * hidden_velocity, axis=1)
    # Both terms are sums over samples and coordinates of a_r rho_j w_rk x_jk / sqrt(m).
    sizes = np.abs(point.outputs) * (np.abs(point.hidden) @ np.abs(point.inputs).T @ np.abs(point.residual))
    rounding = 2 * (d + len(point.inputs) + 4) * EPS * sizes / np.sqrt(m)
    return np.abs(rate) / rounding
