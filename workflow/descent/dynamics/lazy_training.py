"""Training α f instead of f: how the output scale α decides between a moving network and a fixed kernel.

The model is u = α (f − f_0), f(x) = m^{−1/2} Σ_r a_r φ(w_rᵀx), and f_0 the network's initial outputs, 0 where every
unit has a twin; both layers follow the gradient of ‖u − y‖² / (2 α²) (Chizat, Oyallon and Bach 2019). Then
u(k+1) ≈ u(k) − η K (u(k) − y) with a tangent kernel K that does not contain α: steps and flow times mean the same at
every scale, and as α → ∞ training becomes the kernel dynamics of K(0) at this very start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from descent.dynamics.gradient_descent import GradientDescent
from descent.dynamics.kernel_dynamics import KernelDynamics
from descent.dynamics.squareplus_descent import SquareplusDescent
from descent.kernels.arc_cosine import relu_gram
from descent.networks.antisymmetric import initial_weights
from descent.networks.squareplus import network_outputs, tangent_kernel
from descent.networks.two_layer import activation_patterns
from descent.pipeline.randomness import generator


def teacher_directions(master_seed: int, replicate: int, dimension: int, units: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors v_j (units, d), uniform on the sphere, and signs b_j (units,) of a planted teacher."""
    draws = generator(master_seed, "sphere_teacher", replicate, d=dimension, units=units)
    directions = draws.standard_normal((units, dimension))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True), draws.choice([-1.0, 1.0], units)


def planted_sphere(master_seed: int, replicate: int, count: int, dimension: int, units: int):
    """Inputs X (count, d), uniform on the sphere, and y (count,) = Σ_j b_j relu(v_jᵀx) / c with E y² = 1.

    c² = bᵀ E[relu relu] b, of a uniform x the `relu_gram` over d. The first rows do not depend on how many are drawn.
    """
    directions, signs = teacher_directions(master_seed, replicate, dimension, units)
    x = generator(master_seed, "sphere_rows", replicate, d=dimension).standard_normal((count, dimension))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x, np.maximum(x @ directions.T, 0) @ signs / np.sqrt(signs @ relu_gram(directions.T) @ signs / dimension)


@dataclass(frozen=True)
class Start:
    """Weights W (m, d) and A (m, 1) at the start, the rounding of φ and whether f_0 has to be subtracted."""

    hidden: np.ndarray
    outputs: np.ndarray
    rounding: float
    centred: bool

    def model(self, hidden: np.ndarray, outputs: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """f(x) − f_0(x) of other weights on `inputs` (n, d), shape (n, 1)."""
        moved = network_outputs(self.rounding, hidden, outputs, inputs)
        first = network_outputs(self.rounding, self.hidden, self.outputs, inputs) if self.centred else 0.0
        return (moved - first) / np.sqrt(len(hidden))

    def kernel(self, inputs: np.ndarray, others: np.ndarray) -> np.ndarray:
        """The tangent kernel K(0) between `inputs` (n, d) and `others` (k, d)."""
        return tangent_kernel(self.rounding, self.hidden, self.outputs, inputs, others)

    def descent(self, inputs: np.ndarray, targets: np.ndarray, eta: float, scale: float):
        """Gradient descent on ‖α (f − f_0) − y‖² / (2 α²) with step η, targets (n,), `scale` α of either sign.

        Its residual is u − y. α ∇f enters both the model and, divided by α², the step.
        """
        first = network_outputs(self.rounding, self.hidden, self.outputs, inputs) if self.centred else 0.0
        factor = scale / np.sqrt(len(self.hidden))
        shifted, step = targets[:, None] + factor * first, eta / scale**2
        if self.rounding == 0:
            return GradientDescent(self.hidden, self.outputs, inputs, shifted, step, factor, train_outputs=True)
        return SquareplusDescent(self.hidden, self.outputs, inputs, shifted, step, factor, self.rounding)


def initial(start: str, rounding: float, master_seed: int, replicate: int, width: int, dimension: int) -> Start:
    """`doubled`: width/2 units and their twins, f_0 = 0; `centred`: all units drawn, f_0 subtracted.

    w ~ N(0, I), a = ±1. Raises ValueError on another start.
    """
    if start not in ("doubled", "centred"):
        raise ValueError(f"start {start!r}: doubled or centred")
    hidden, outputs = initial_weights(start == "doubled", master_seed, replicate, width, dimension)
    return Start(hidden, outputs, rounding, centred=start == "centred")


class Tangent:
    """The limit α → ∞: kernel dynamics of K(0) from u = 0, on the samples and elsewhere."""

    def __init__(self, start: Start, inputs: np.ndarray, targets: np.ndarray, eta: float):
        self._start, self._inputs, self._targets, self.eta = start, inputs, targets, eta
        self.gram = start.kernel(inputs, inputs)
        self._dynamics = KernelDynamics(self.gram, targets)

    def outputs(self, steps: np.ndarray) -> np.ndarray:
        """ū(k) on the samples, shape (K, n)."""
        return self._dynamics.descent(np.zeros_like(self._targets), self.eta, steps)

    def _dual(self, steps: int) -> np.ndarray:
        # c with ū = K c: the sum of −η (ū − y) over the steps; in each mode a geometric sum.
        factors = self._dynamics.descent_factors(self.eta, [steps])[0]
        sums = (1 - factors) / self._dynamics.eigenvalues
        return self._dynamics.eigenvectors @ (sums * (self._dynamics.eigenvectors.T @ self._targets))

    def elsewhere(self, inputs: np.ndarray, steps: int) -> np.ndarray:
        """ū(k) at other inputs (p, d), shape (p,)."""
        return self._start.kernel(inputs, self._inputs) @ self._dual(steps)

    def scaled_movement(self, steps: int) -> float:
        """lim α ‖θ(k) − θ(0)‖ / ‖θ(0)‖ = √(cᵀ K c) / ‖θ(0)‖, θ = (W, A)."""
        dual = self._dual(steps)
        return float(np.sqrt(dual @ self.gram @ dual) / _norm(self._start.hidden, self._start.outputs))


def _norm(*parts: np.ndarray) -> float:
    return float(np.sqrt(sum(np.sum(part**2) for part in parts)))


def examined(start: Start, hidden: np.ndarray, outputs: np.ndarray, scale: float, inputs: np.ndarray,
             gram: np.ndarray, fresh: tuple[np.ndarray, np.ndarray] | None) -> dict[str, float]:
    """What the weights W, A have done since the start, at scale α.

    movement ‖θ − θ_0‖ / ‖θ_0‖, and scaled_movement, α times that; drift ‖K − K(0)‖_F / ‖K(0)‖_F, `gram` K(0);
    lambda_max(K); flipped, the fraction of signs of w_rᵀx_i that differ; test_error, the mean squared error on `fresh`
    inputs and targets (NaN without).
    """
    now = tangent_kernel(start.rounding, hidden, outputs, inputs, inputs)
    movement = _norm(hidden - start.hidden, outputs - start.outputs) / _norm(start.hidden, start.outputs)
    error = np.nan
    if fresh is not None:
        error = np.mean((scale * start.model(hidden, outputs, fresh[0])[:, 0] - fresh[1]) ** 2)
    patterns = (activation_patterns(w, inputs) for w in (hidden, start.hidden))
    return {
        "movement": movement, "scaled_movement": scale * movement,
        "drift": float(np.linalg.norm(now - gram) / np.linalg.norm(gram)),
        "lambda_max": float(np.linalg.eigvalsh(now)[-1]),
        "flipped": float(np.not_equal(*patterns).mean()), "test_error": float(error),
    }


def record_scale(start: Start, tangent: Tangent, scale: float, samples: tuple[np.ndarray, np.ndarray],
                 fresh: tuple[np.ndarray, np.ndarray] | None, kept: Sequence[int],
                 looked: Sequence[int]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Train at one scale; columns of the metrics (`kept` steps) and of what `examined` finds (`looked` steps).

    Metrics: scale, step, flow_time, squared_error ‖u − y‖² / ‖y‖² and deviation ‖u − ū‖ / ‖y‖ from the tangent model.
    """
    inputs, targets = samples
    descent, size, rows, found = start.descent(inputs, targets, tangent.eta, scale), np.linalg.norm(targets), [], []
    limits = dict(zip(kept, tangent.outputs(np.array(kept)) - targets, strict=True))
    for k in range(kept[-1] + 1):
        if k:
            descent.step()
        if k in limits:
            residual = descent.residual[:, 0]
            rows.append((k, (np.linalg.norm(residual) / size) ** 2, np.linalg.norm(residual - limits[k]) / size))
        if k in looked:
            found.append({"step": k, **examined(start, descent.hidden, descent.outputs, scale, inputs, tangent.gram,
                                                fresh)})
    step, error, deviation = map(np.array, zip(*rows, strict=True))
    columns = {"step": step, "flow_time": tangent.eta * step, "squared_error": error, "deviation": deviation}
    looks = {name: np.array([row[name] for row in found]) for name in found[0]}
    looks["stability"] = tangent.eta * looks["lambda_max"]
    return tuple({"scale": np.full(len(part["step"]), scale), **part} for part in (columns, looks))


def record_tangent(tangent: Tangent, samples: tuple[np.ndarray, np.ndarray],
                   fresh: tuple[np.ndarray, np.ndarray] | None, kept: Sequence[int]) -> tuple[dict, dict]:
    """The same columns for the tangent model, scale ∞; of the last step only what the limit has."""
    missed = tangent.outputs(np.array(kept)) - samples[1]
    error = np.nan if fresh is None else np.mean((tangent.elsewhere(fresh[0], kept[-1]) - fresh[1]) ** 2)
    steps, zero = np.array(kept), np.zeros(1)
    columns = {"step": steps, "flow_time": tangent.eta * steps, "deviation": np.zeros(len(steps)),
               "squared_error": np.sum(missed**2, axis=1) / np.sum(samples[1] ** 2)}
    looks = {"step": steps[-1:], "movement": zero, "scaled_movement": np.array([tangent.scaled_movement(kept[-1])]),
             "drift": zero, "lambda_max": np.linalg.eigvalsh(tangent.gram)[-1:], "flipped": zero,
             "test_error": np.array([error])}
    looks["stability"] = tangent.eta * looks["lambda_max"]
    return tuple({"scale": np.full(len(part["step"]), np.inf), **part} for part in (columns, looks))


def finite(table: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The rows of trained networks, without those of the tangent model."""
    return {name: values[np.isfinite(table["scale"])] for name, values in table.items()}


def final_rows(table: Mapping[str, np.ndarray], column: str) -> np.ndarray:
    """`column` at each network's last step, shape (replicates, scales), both rising."""
    last = table["step"] == table["step"].max()
    order = np.lexsort((table["scale"][last], table["replicate"][last]))
    return table[column][last][order].reshape(len(np.unique(table["replicate"])), -1)


def greatest_rows(table: Mapping[str, np.ndarray], column: str) -> np.ndarray:
    """The greatest `column` over the steps of each network, shape (replicates, scales), both rising."""
    order = np.lexsort((table["step"], table["scale"], table["replicate"]))
    shape = [len(np.unique(table[name])) for name in ("replicate", "scale")]
    return table[column][order].reshape(*shape, -1).max(axis=2)


def power_slopes(scales: np.ndarray, values: np.ndarray, between: Sequence[float]) -> np.ndarray:
    """Log-log slope of each row of `values` (replicates, scales) over the scales `between` two, both included."""
    lazy = (scales >= between[0]) & (scales <= between[1])
    return np.polyfit(np.log(scales[lazy]), np.log(values[:, lazy]).T, 1)[0]


def moment_slope(scales: np.ndarray, values: np.ndarray, between: Sequence[float], order: int) -> float:
    """Log-log slope over the scales `between` two of (mean over replicates of `values`^order)^{1/order}."""
    moments = np.mean(values**order, axis=0, keepdims=True) ** (1 / order)
    return float(power_slopes(scales, moments, between)[0])


def jackknife_slopes(scales: np.ndarray, values: np.ndarray, between: Sequence[float], order: int) -> np.ndarray:
    """The jackknife's pseudo-values R s − (R − 1) s_{without i} of `moment_slope`, one for each of R replicates."""
    count, whole = len(values), moment_slope(scales, values, between, order)
    without = [moment_slope(scales, np.delete(values, i, axis=0), between, order) for i in range(count)]
    return count * whole - (count - 1) * np.array(without)


def plane_columns(master_seed: int, scales: Sequence[float], width: int, samples: int, units: int, flow_time: float,
                  steps: int) -> dict[str, np.ndarray]:
    """Both ends of training on the circle, d = 2, ReLU with twins: |a_r| w_r before and after, and the sign of a_r."""
    inputs, targets = planted_sphere(master_seed, 0, samples, 2, units)
    start, rows = initial("doubled", 0.0, master_seed, 0, width, 2), []
    before = np.abs(start.outputs) * start.hidden
    for scale in scales:
        descent = start.descent(inputs, targets, flow_time / steps, scale)
        for _ in range(steps):
            descent.step()
        after = np.abs(descent.outputs) * descent.hidden
        error = np.sum(descent.residual**2) / np.sum(targets**2)
        rows.append({"scale": np.full(width, scale), "start_1": before[:, 0], "start_2": before[:, 1],
                     "end_1": after[:, 0], "end_2": after[:, 1], "sign": np.sign(descent.outputs[:, 0]),
                     "squared_error": np.full(width, error)})
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
