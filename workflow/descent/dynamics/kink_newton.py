"""Minimization of two-layer ReLU objectives to rounding, minimizers on the kinks of ReLU included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag, null_space
from scipy.optimize import minimize

from descent.networks.relu_objective import ReluObjective

# After L-BFGS, a layer of a unit of this norm, or a relative pre-activation of this size, is tried as exactly 0.
SMALL_UNIT, NEAR_KINK = 1e-4, 1e-3
MOST_STEPS, ROUNDING = 1000, 1e-11


@dataclass(frozen=True)
class Stationary:
    """Where a minimization ended.

    `hidden` (r, D), `outputs` (r, n); `residual_hidden` and `residual_outputs`, the element of Clarke's subdifferential
    that was brought to 0; `kinks`, the number of pairs (i, j) with v_j·x_i = 0; `curvature`, the least eigenvalue of
    the Hessian along these hyperplanes.
    """

    hidden: np.ndarray
    outputs: np.ndarray
    residual_hidden: np.ndarray
    residual_outputs: np.ndarray
    kinks: int
    curvature: float

    @property
    def residual(self) -> float:
        """Norm of the element of the subdifferential."""
        return float(np.hypot(np.linalg.norm(self.residual_hidden), np.linalg.norm(self.residual_outputs)))


@dataclass
class _Cell:
    """Weights on a stratum: the patterns off the kinks, the kinks that are held, the units that are not 0."""

    hidden: np.ndarray
    outputs: np.ndarray
    patterns: np.ndarray
    kinks: np.ndarray
    alive: np.ndarray

    @property
    def active(self) -> np.ndarray:
        return self.patterns & ~self.kinks

    def drop_small_units(self) -> None:
        self.alive &= np.minimum(np.linalg.norm(self.hidden, axis=1), np.linalg.norm(self.outputs, axis=1)) > SMALL_UNIT
        self.hidden, self.outputs = self.hidden * self.alive[:, None], self.outputs * self.alive[:, None]
        self.kinks, self.patterns = self.kinks & self.alive, self.patterns & self.alive


def minimize_objective(objective: ReluObjective, hidden: np.ndarray, outputs: np.ndarray) -> Stationary:
    """A stationary point of J downhill from `hidden` (r, D), `outputs` (r, n).

    L-BFGS first; then an active-set method: Newton steps in the cell of the activation patterns, with v_j held to the
    hyperplanes v·x_i = 0 that it lies on. A step ends at the first hyperplane in its way, which is then held; where the
    gradient along the held ones vanishes, one is left whose multiplier says that a side is downhill. Units that vanish
    are set to exactly 0, where J is differentiable in them.
    """
    hidden, outputs = _descend(objective, hidden, outputs)
    distance = objective.inputs @ hidden.T
    scale = np.linalg.norm(objective.inputs, axis=1)[:, None] * np.linalg.norm(hidden, axis=1)
    cell = _Cell(hidden, outputs, distance > 0, np.abs(distance) < NEAR_KINK * scale, np.ones(len(hidden), bool))
    cell.drop_small_units()
    for _ in range(MOST_STEPS):
        basis = _basis(objective, cell)
        cell.hidden, cell.outputs = _split(cell, basis @ (basis.T @ _joined(cell.hidden, cell.outputs)))
        slope = basis.T @ _joined(*objective.gradient(cell.hidden, cell.outputs, cell.active))
        if np.linalg.norm(slope) > ROUNDING:
            _step(objective, cell, basis, slope)
            cell.drop_small_units()
        elif not _release(objective, cell):
            break
    return _found(objective, cell)


def _joined(hidden, outputs):
    return np.concatenate([hidden.ravel(), outputs.ravel()])


def _split(cell, flat):
    return flat[:cell.hidden.size].reshape(cell.hidden.shape), flat[cell.hidden.size:].reshape(cell.outputs.shape)


def _descend(objective, hidden, outputs):
    shape = _Cell(hidden, outputs, *3 * [np.empty(0, bool)])

    def value_and_gradient(flat):
        weights = _split(shape, flat)
        return objective.value(*weights), _joined(*objective.gradient(*weights))

    end = minimize(value_and_gradient, _joined(hidden, outputs), jac=True, method="L-BFGS-B",
                   options={"maxiter": 300, "maxcor": 20, "ftol": 1e-10, "gtol": 1e-5})
    return _split(shape, end.x)


def _basis(objective, cell):
    d, n = objective.inputs.shape[1], cell.outputs.shape[1]
    free = [null_space(objective.inputs[on]) if on.any() else np.eye(d) for on in cell.kinks.T]
    hidden = [block if alive else np.zeros((d, 0)) for block, alive in zip(free, cell.alive)]
    return block_diag(*hidden, *[np.eye(n) if alive else np.zeros((n, 0)) for alive in cell.alive])


def _step(objective, cell, basis, slope) -> None:
    matrix = basis.T @ objective.hessian(cell.hidden, cell.outputs, cell.active) @ basis
    eigenvalues, vectors = np.linalg.eigh(matrix)
    sizes = np.maximum(np.abs(eigenvalues), 1e-7 * np.abs(eigenvalues).max())
    reduced = vectors @ ((vectors.T @ slope) / sizes)
    towards = _split(cell, -basis @ reduced)
    length, crossed = _first_crossing(objective, cell, towards[0])
    start, decrease, full = objective.value(cell.hidden, cell.outputs, cell.active), slope @ reduced, True
    while length > 1e-12:
        hidden, outputs = cell.hidden + length * towards[0], cell.outputs + length * towards[1]
        value = objective.value(hidden, outputs, cell.active)
        if value <= start - 1e-4 * length * decrease + 1e-14 * abs(start):
            cell.hidden, cell.outputs = hidden, outputs
            break
        length, full = length / 2, False
    if full and crossed is not None:
        cell.kinks[crossed] = True


def _first_crossing(objective, cell, towards):
    """Length, at most 1, of the step to the first hyperplane that is not held, and that pair (i, j) or None."""
    signs = np.where(cell.patterns, 1.0, -1.0)
    distance = np.maximum(signs * (objective.inputs @ cell.hidden.T), 0.0)
    approach = np.where(cell.kinks | ~cell.alive, 0.0, -signs * (objective.inputs @ towards.T))
    lengths = np.divide(distance, approach, out=np.full(distance.shape, np.inf), where=approach > 0)
    first = np.unravel_index(lengths.argmin(), lengths.shape)
    return (lengths[first], first) if lengths[first] < 1 - 1e-12 else (1.0, None)


def _multipliers(objective, cell):
    """Weights s_ij of the kinks that make ∂J/∂v_j least, unrestricted, and the jumps g_i·u_j of the slope there."""
    rest = objective.gradient(cell.hidden, cell.outputs, cell.active)[0]
    jumps = objective.slopes(cell.hidden, cell.outputs, cell.active) @ cell.outputs.T
    weights = np.array(cell.active, float)
    for j in np.flatnonzero(cell.kinks.any(axis=0)):
        on = cell.kinks[:, j]
        weights[on, j] = np.linalg.lstsq(objective.inputs[on].T * jumps[on, j], -rest[j], rcond=None)[0]
    return weights, jumps


def _release(objective, cell) -> bool:
    weights, jumps = _multipliers(objective, cell)
    # One-sided derivatives of J away from the hyperplane, to the side where the unit is active and to the other.
    sides = np.where(cell.kinks, np.stack([(1 - weights) * jumps, weights * jumps]), 0.0)
    worst = np.unravel_index(sides.argmin(), sides.shape)
    if sides[worst] > -ROUNDING:
        return False
    cell.kinks[worst[1:]], cell.patterns[worst[1:]] = False, worst[0] == 0
    return True


def _found(objective, cell) -> Stationary:
    weights = np.clip(_multipliers(objective, cell)[0], 0.0, 1.0)
    residual = objective.gradient(cell.hidden, cell.outputs, weights)
    basis, curvature = _basis(objective, cell), 0.0
    if cell.alive.any():
        matrix = objective.hessian(cell.hidden, cell.outputs, cell.active)
        curvature = float(np.linalg.eigvalsh(basis.T @ matrix @ basis)[0])
    return Stationary(cell.hidden, cell.outputs, *residual, int(cell.kinks.sum()), curvature)
