"""Balance of the layers of two-layer ReLU networks at minimizers: problems, sweeps and closed forms (jhu.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.dynamics.kink_newton import Stationary, minimize_objective
from descent.networks.relu_objective import ReluObjective


def draw_problem(draws: np.random.Generator, samples: int, dimension: int, outputs: int, loss: str):
    """Inputs X (N, D) with σ_max(X) = 1; targets (N, n), ‖Y‖_F = 1 for `squared`, signs ±1 for `logistic`."""
    inputs, targets = draws.standard_normal((samples, dimension)), draws.standard_normal((samples, outputs))
    unit = np.sign(targets) if loss == "logistic" else targets / np.linalg.norm(targets)
    return inputs / np.linalg.norm(inputs, 2), unit


def draw_weights(draws: np.random.Generator, units: int, dimension: int, outputs: int):
    """W (r, D) and A (r, n) with independent N(0, 1) entries."""
    return draws.standard_normal((units, dimension)), draws.standard_normal((units, outputs))


def zero_fit(objective: ReluObjective) -> float:
    """F(0, 0) = Σ_i L(y_i, 0)."""
    return float(objective.fit(*_zeros(objective)))


def zero_slope(objective: ReluObjective) -> float:
    """‖G_0‖_F σ_max(X), G_0 = ∂L/∂z at z = 0: F(U, V) ≥ F(0, 0) − this ‖U‖_F ‖V‖_F for convex L."""
    return float(np.linalg.norm(objective.slopes(*_zeros(objective))) * np.linalg.norm(objective.inputs, 2))


def _zeros(objective):
    return np.zeros((1, objective.inputs.shape[1])), np.zeros((1, objective.targets.shape[1]))


def row_of(objective: ReluObjective, found: Stationary) -> dict[str, Any]:
    """What the checks need of a minimization's end: norms, of layers and of units, residuals, objectives, kinks."""
    of_units = {"unit_outputs": found.outputs, "unit_hidden": found.hidden}
    residual = np.hypot(*(np.linalg.norm(part, axis=1) for part in (found.residual_hidden, found.residual_outputs)))
    return {
        "loss": objective.loss, "penalty": objective.penalty, "decay": objective.decay, "residual": found.residual,
        "norm_outputs": float(np.linalg.norm(found.outputs)), "norm_hidden": float(np.linalg.norm(found.hidden)),
        **{name: np.linalg.norm(weights, axis=1) for name, weights in of_units.items()}, "unit_residual": residual,
        "fit": float(objective.fit(found.hidden, found.outputs)), "fit_zero": zero_fit(objective),
        "objective": objective.value(found.hidden, found.outputs), "zero_slope": zero_slope(objective),
        "kinks": found.kinks, "curvature": found.curvature, "outputs_entries": found.outputs.size,
        "hidden_entries": found.hidden.size,
    }


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Columns of a table from its rows."""
    return {name: [row[name] for row in rows] if isinstance(rows[0][name], str)
            else np.array([row[name] for row in rows]) for name in rows[0]}


def scalar_balanced(target: float, decay: float) -> float:
    """c = max(y − λ, 0): uv at the global minimizers of ½(y − u relu(v))² + λ/2 (u² + v²), y > 0."""
    return max(target - decay, 0.0)


def least_product(decay):
    """(λ³/4)^(1/4): the least ‖U‖_F‖V‖_F > 0 of a global minimizer under the mixed penalty, squared loss, σ_max = 1."""
    return (decay**3 / 4) ** 0.25


def first_target(decay):
    """√2 λ^(3/4): below it (0, 0) is the global minimizer of ½(y − u relu(v))² + λ/2 (|u| + v²)."""
    return np.sqrt(2) * decay**0.75


def first_local_target(decay):
    """8 (λ/12)^(3/4): from here on that objective has a local minimizer beside (0, 0), at c = 2 (λ/12)^(3/4)."""
    return 8 * (decay / 12) ** 0.75


def scalar_mixed(target: float, decay: float) -> float:
    """c = uv at the global minimizer of ½(y − u relu(v))² + λ/2 (|u| + v²), by the roots of 4v⁴ − 2yv + λ, u = 2v²."""
    roots = np.roots([4.0, 0.0, 0.0, -2 * target, decay])
    positive = roots.real[(np.abs(roots.imag) < 1e-12) & (roots.real > 0)]
    candidates = [0.0, *(2 * positive**3)]
    return min(candidates, key=lambda c: 0.5 * (target - c) ** 2 + 1.5 * decay * (c / 2) ** (2 / 3))


def scalar_rows(penalty: str, decay: float, targets: Sequence[float], starts: np.ndarray) -> list[dict[str, Any]]:
    """The best of the minimizations from every start (u, v), v > 0, of `starts` (k, 2), for each target."""
    rows = []
    for target in targets:
        objective = ReluObjective(np.ones((1, 1)), np.full((1, 1), target), "squared", penalty, decay)
        found = [row_of(objective, minimize_objective(objective, np.array([[v]]), np.array([[u]]))) for u, v in starts]
        rows.append({"target": target, **min(found, key=lambda row: row["objective"])})
    return rows


def target_grid(decay: float, count: int, penalty: str) -> list[float]:
    """`count` targets y, even in the logarithm, from half of the one at which (0, 0) stops being global to 20 times it.

    Also 1% to either side of that one, and for `mixed` y = λ + ¼, where the global minimizer is balanced if λ ≤ ¼.
    """
    first = float(first_target(decay)) if penalty == "mixed" else decay
    grid = (first * np.array([*np.geomspace(0.5, 20, count), 0.99, 1.01])).tolist()
    return sorted([*grid, decay + 0.25] if penalty == "mixed" else grid)


def rescaling(hidden: np.ndarray, outputs: np.ndarray, inputs: np.ndarray, exponents: np.ndarray) -> dict[str, Any]:
    """Sharpness λ_max(∇²F) of the squared loss at (αU, V/α), α = 2^k, where F = 0, and what bounds it.

    `of_hidden` α² λ_max(B) and `of_outputs` λ_max(A)/α², the greatest eigenvalues of the blocks of V and of U.
    """
    alpha, size = 2.0**exponents, hidden.size
    targets = np.maximum(inputs @ hidden.T, 0) @ outputs
    objective = ReluObjective(inputs, targets, "squared", "none", 0.0)
    matrix = objective.hessian(hidden, outputs)
    blocks = [np.linalg.eigvalsh(part)[-1] for part in (matrix[:size, :size], matrix[size:, size:])]
    sharpness = [np.linalg.eigvalsh(objective.hessian(hidden / a, a * outputs))[-1] for a in alpha]
    return {"exponent": exponents, "sharpness": np.array(sharpness), "of_hidden": alpha**2 * blocks[0],
            "of_outputs": blocks[1] / alpha**2, "imbalance": np.abs(alpha * np.linalg.norm(outputs)
                                                                    - np.linalg.norm(hidden) / alpha)}


def fixed_step(hidden: np.ndarray, outputs: np.ndarray, inputs: np.ndarray, exponents: np.ndarray, eta: float,
               steps: int, distance: float) -> dict[str, np.ndarray]:
    """Gradient descent with step `eta` from near (αU, V/α): the greatest and the last loss over the first.

    It starts at `distance` along the Hessian's top eigenvector. `last` is ∞ where descent diverged.
    """
    targets = np.maximum(inputs @ hidden.T, 0) @ outputs
    objective = ReluObjective(inputs, targets, "squared", "none", 0.0)
    found = [_descent(objective, hidden / a, a * outputs, eta, steps, distance) for a in 2.0**exponents]
    return dict(zip(("greatest", "last", "last_sharpness"), np.array(found).T))


def _descent(objective, hidden, outputs, eta, steps, distance):
    top = np.linalg.eigh(objective.hessian(hidden, outputs))[1][:, -1] * distance
    hidden, outputs = (hidden + top[:hidden.size].reshape(hidden.shape),
                       outputs + top[hidden.size:].reshape(outputs.shape))
    first = float(objective.fit(hidden, outputs))
    greatest, last = first, first
    for _ in range(steps):
        of_hidden, of_outputs = objective.gradient(hidden, outputs)
        hidden, outputs = hidden - eta * of_hidden, outputs - eta * of_outputs
        last = float(objective.fit(hidden, outputs))
        greatest = max(greatest, last)
        if not last < 1e12 * (1 + first):
            return np.inf, np.inf, np.nan
    return greatest / first, last / first, np.linalg.eigvalsh(objective.hessian(hidden, outputs))[-1]
