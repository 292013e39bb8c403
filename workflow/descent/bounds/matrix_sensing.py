"""Checks on matrix sensing with L = (1/2L) ‖W_L ⋯ W_1 − W*‖_F² (eth.1a to eth.1f)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from descent.bounds.end_to_end import ROUNDING
from descent.claims import Outcome
from descent.dynamics.flow import flow_with_error, pack, unpack
from descent.networks.linear_network import (
    Layers,
    balanced_layers,
    gaussian_layers,
    imbalance,
    layer_gradients,
    left_power,
    product,
    right_power,
)

Slope = Callable[[np.ndarray], np.ndarray]


def target_matrix(generator: np.random.Generator, values: Sequence[float]) -> np.ndarray:
    """W* (d, d) with the given singular values between random orthogonal matrices."""
    left, right = (np.linalg.qr(matrix)[0] for matrix in generator.standard_normal((2, len(values), len(values))))
    return (left * np.asarray(values)) @ right.T


def starting_layers(generator: np.random.Generator, kind: str, depth: int, d: int, norm: float,
                    sign: float = 1.0) -> list[np.ndarray]:
    """Square layers whose product has the Frobenius norm `norm`: `balanced`, in rotated bases, or `gaussian`.

    The determinant of a balanced product gets the sign of `sign`: along the flow it cannot change, and a target with
    the other sign is out of reach.
    """
    matrix = generator.standard_normal((d, d))
    matrix[0] *= np.sign(np.linalg.det(matrix)) * np.sign(sign)
    if kind == "gaussian":
        layers = gaussian_layers(generator, [d] * (depth + 1), 1.0)
        return [layer * (norm / np.linalg.norm(product(layers))) ** (1 / depth) for layer in layers]
    layers = balanced_layers(norm * matrix / np.linalg.norm(matrix), depth, d)
    # Orthogonal matrices between the layers leave product and balance as they are.
    between = [np.eye(d), *(np.linalg.qr(m)[0] for m in generator.standard_normal((depth - 1, d, d))), np.eye(d)]
    return [after @ layer @ before.T for before, layer, after in zip(between, layers, between[1:])]


def population_slope(target: np.ndarray, depth: int) -> Slope:
    """W ↦ (W − W*)/L, the gradient of E_A ⟨W − W*, A⟩²/2L = ‖W − W*‖_F²/2L."""
    return lambda matrix: (matrix - target) / depth


def empirical_slope(target: np.ndarray, depth: int, measurements: np.ndarray) -> Slope:
    """W ↦ (1/nL) Σ_i ⟨W − W*, A_i⟩ A_i for `measurements` A (n, d, d)."""
    flat = measurements.reshape(len(measurements), -1)

    def slope(matrix):
        return (flat.T @ (flat @ (matrix - target).ravel()) / (len(flat) * depth)).reshape(target.shape)

    return slope


def factor_velocities(layers: Layers, slope: Slope) -> list[np.ndarray]:
    """Ẇ_k = −W_{k+1:L}ᵀ ∇ℓ(W) W_{1:k−1}ᵀ, the gradient flow of every layer (eth.1a)."""
    return [-gradient for gradient in layer_gradients(layers, slope(product(layers)))]


def sensing_flow(layers: Layers, slope: Slope, times: Sequence[float]) -> tuple[list[list[np.ndarray]], float]:
    """Layers at `times` along gradient flow, and the error of `flow_with_error`."""
    shapes = [layer.shape for layer in layers]
    states, error = flow_with_error(lambda state: pack(factor_velocities(unpack(state, shapes), slope)),
                                    pack(layers), times)
    return [unpack(state, shapes) for state in states], error


def descend(layers: Layers, slope: Slope, eta: float, steps: int) -> list[np.ndarray]:
    """Layers after `steps` steps W_k ← W_k + η Ẇ_k, all layers at once."""
    current = [layer.copy() for layer in layers]
    for _ in range(steps):
        current = [layer + eta * v for layer, v in zip(current, factor_velocities(current, slope))]
    return current


def decompositions(layers: Layers) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """U_k, σ_k, V_k of every layer, with the joint signs of (u, v) chosen so that U_k = V_{k+1} where they are aligned.

    The columns of U_L keep the sign that the SVD gives them; going down, v_{k+1} fixes the sign of u_k.
    """
    triples = [np.linalg.svd(layer) for layer in layers]
    lefts, values, rights = [t[0] for t in triples], [t[1] for t in triples], [t[2].T for t in triples]
    for k in range(len(layers) - 2, -1, -1):
        signs = np.where(np.sum(lefts[k] * rights[k + 1], axis=0) < 0, -1.0, 1.0)
        lefts[k], rights[k] = lefts[k] * signs, rights[k] * signs
    return lefts, values, rights


def gradient_error(layers: Layers, target: np.ndarray, swapped: bool = False) -> float:
    """Relative error of the gradient's formula against complex steps of the loss; `swapped` exchanges its factors."""
    depth, step, worst = len(layers), 1e-30, 0.0
    residual = product(layers) - target
    for k, layer in enumerate(layers):
        above = product([np.eye(len(target)), *layers[k + 1:]])
        below = product([np.eye(len(target)), *layers[:k]])
        formula = (below.T @ residual @ above.T if swapped else above.T @ residual @ below.T) / depth
        exact = np.empty_like(layer)
        for index in np.ndindex(layer.shape):
            moved = [np.array(other, complex) for other in layers]
            moved[k][index] += 1j * step
            exact[index] = (np.sum((product(moved) - target) ** 2) / (2 * depth)).imag / step
        worst = max(worst, float(np.linalg.norm(formula - exact) / np.linalg.norm(exact)))
    return worst


def gradient_formula(cases: Sequence[tuple[Layers, np.ndarray]], swapped: bool = False) -> Outcome:
    """eth.1a: whether ∂L/∂W_k = (1/L) W_{k+1:L}ᵀ (W − W*) W_{1:k−1}ᵀ; observed: `gradient_error`."""
    worst = max(gradient_error(layers, target, swapped) for layers, target in cases)
    return Outcome(worst, ROUNDING, sum(len(layers) for layers, _ in cases), worst <= ROUNDING)


def expected_square(matrices: np.ndarray, measurements: np.ndarray, order) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means and standard errors of ⟨M, A⟩² over `measurements` A, and the squared norm of each M that they estimate.

    `order` as in `numpy.linalg.norm`: "fro" is right.
    """
    squares = (matrices.reshape(len(matrices), -1) @ measurements.reshape(len(measurements), -1).T) ** 2
    errors = squares.std(axis=1, ddof=1) / np.sqrt(squares.shape[1])
    return squares.mean(axis=1), errors, np.array([np.linalg.norm(matrix, order) ** 2 for matrix in matrices])


def along(runs: Sequence[Mapping], residual: Callable[..., float], tolerance: float, **options) -> Outcome:
    """The largest `residual`(layers, run, **options) along all `runs` (layers, target) against `tolerance`."""
    found = [residual(layers, run, **options) for run in runs for layers in run["layers"]]
    return Outcome(max(found), tolerance, len(found), max(found) <= tolerance)


def velocity_identity(layers: Layers, run: Mapping, transposed: bool = False) -> float:
    """eth.1b (1): max_k ‖W_{k+1}ᵀẆ_{k+1} − Ẇ_kW_kᵀ‖ over the factors' norms; `transposed`: Ẇ_kᵀW_k on the right."""
    velocities, worst = factor_velocities(layers, population_slope(run["target"], len(layers))), 0.0
    for k in range(len(layers) - 1):
        right = velocities[k].T @ layers[k] if transposed else velocities[k] @ layers[k].T
        left = layers[k + 1].T @ velocities[k + 1]
        norms = np.linalg.norm(run["target"]) * np.prod([np.linalg.norm(layer) for layer in layers])
        worst = max(worst, float(np.linalg.norm(left - right) / norms))
    return worst


def printed_equality(layers: Layers, run: Mapping) -> float:
    """eth.1b (2) as printed: max_k ‖W_{k+1}ᵀW_{k+1} − W_kᵀW_k‖ over ‖W_{k+1}‖²."""
    return max(float(np.linalg.norm(b.T @ b - a.T @ a) / np.linalg.norm(b) ** 2) for a, b in zip(layers, layers[1:]))


def balance(layers: Layers, run: Mapping) -> float:
    """max_k ‖W_{k+1}ᵀW_{k+1} − W_kW_kᵀ‖ over ‖W_{k+1}‖²."""
    return max(float(np.linalg.norm(gap) / np.linalg.norm(b) ** 2) for gap, b in zip(imbalance(layers), layers[1:]))


def drift(layers: Layers, run: Mapping, transposed: bool = False) -> float:
    """Change since t = 0 of W_{k+1}ᵀW_{k+1} − W_kW_kᵀ over ‖W_{k+1}‖²; `transposed`: of W_{k+1}ᵀW_{k+1} − W_kᵀW_k."""
    def quantity(factors):
        if transposed:
            return [b.T @ b - a.T @ a for a, b in zip(factors, factors[1:])]
        return imbalance(factors)

    first = quantity(run["layers"][0])
    return max(float(np.linalg.norm(now - then) / np.linalg.norm(layer) ** 2)
               for now, then, layer in zip(quantity(layers), first, layers[1:]))


def alignment(layers: Layers, run: Mapping) -> float:
    """eth.1c: the larger of the relative spread of singular values over the layers and max_k ‖U_k − V_{k+1}‖_max."""
    lefts, values, rights = decompositions(layers)
    spread = max(float(np.abs(a - b).max() / b.max()) for a, b in zip(values, values[1:]))
    return max(spread, *(float(np.abs(u - v).max()) for u, v in zip(lefts, rights[1:])))


def velocity_by_svd(layers: Layers, run: Mapping, printed: bool = False) -> float:
    """eth.1d: ‖Ẇ_k − (1/L) V_{k+1}Σ^{L−k}U_Lᵀ(W* − U_LΣ^LV_1ᵀ)V_1Σ^{k−1}V_kᵀ‖ over the run's largest ‖Ẇ_k‖.

    `printed` has V_{k−1} for V_k, and is evaluated for k ≥ 2, where it is defined. V_{L+1} stands for U_L.
    """
    lefts, values, rights = decompositions(layers)
    depth, (U, s, V) = len(layers), (lefts[-1], values[0], rights[0])
    middle = U.T @ (run["target"] - (U * s**depth) @ V.T) @ V
    outer, worst = [*rights[1:], U], 0.0
    for k in range(2 if printed else 1, depth + 1):
        last = rights[k - 2] if printed else rights[k - 1]
        formula = (outer[k - 1] * s ** (depth - k)) @ middle @ (last * s ** (k - 1)).T / depth
        worst = max(worst, _error(formula, factor_velocities(layers, run["slope"])[k - 1], run))
    return worst


def product_velocity(layers: Layers, slope: Slope) -> np.ndarray:
    """Ẇ = Σ_k W_{k+1:L} Ẇ_k W_{1:k−1} by the product rule."""
    velocities = factor_velocities(layers, slope)
    return sum(product([*layers[:k], velocities[k], *layers[k + 1:]]) for k in range(len(layers)))


def end_velocity_by_svd(layers: Layers, run: Mapping, halved: bool = False) -> float:
    """eth.1e: Ẇ against (1/L) Σ_k U_LΣ^{2L−2k}U_Lᵀ(W* − U_LΣ^LV_1ᵀ)V_1Σ^{2k−2}V_1ᵀ; `halved`: half the exponents."""
    lefts, values, rights = decompositions(layers)
    depth, (U, s, V), twice = len(layers), (lefts[-1], values[0], rights[0]), 1 if halved else 2
    middle = U.T @ (run["target"] - (U * s**depth) @ V.T) @ V
    formula = sum((U * s ** (twice * (depth - k))) @ middle @ (V * s ** (twice * (k - 1))).T
                  for k in range(1, depth + 1)) / depth
    return _error(formula, product_velocity(layers, run["slope"]), run)


def closed_velocity(matrix: np.ndarray, target: np.ndarray, depth: int, exponent: float = 1.0) -> np.ndarray:
    """eth.1f: Ẇ = (1/L) Σ_k [WWᵀ]^{(L−k)/L} (W* − W) [WᵀW]^{(k−1)/L}; `exponent` multiplies both powers."""
    return sum(left_power(matrix, exponent * (depth - k) / depth) @ (target - matrix)
               @ right_power(matrix, exponent * (k - 1) / depth) for k in range(1, depth + 1)) / depth


def closed_form(layers: Layers, run: Mapping, exponent: float = 1.0) -> float:
    """eth.1f: `product_velocity` against `closed_velocity`, over the run's largest speed."""
    formula = closed_velocity(product(layers), run["target"], len(layers), exponent)
    return _error(formula, product_velocity(layers, run["slope"]), run)


def _error(formula: np.ndarray, exact: np.ndarray, run: Mapping) -> float:
    # Relative to the run's fastest moment: at its end every velocity is rounding.
    return float(np.linalg.norm(formula - exact) / run["speed"])


def closed_flow(runs: Sequence[Mapping], times: Sequence[float]) -> Outcome:
    """eth.1f: whether the flow of W alone is that of the product; observed: largest distance over ‖W*‖.

    Bound: the integration errors of the two flows, as `flow_with_error` estimates them.
    """
    worst, bound = 0.0, 0.0
    for run in runs:
        matrices = np.array([product(layers) for layers in run["layers"]])
        depth = len(run["layers"][0])
        alone, error = flow_with_error(lambda W, run=run, depth=depth: closed_velocity(W, run["target"], depth),
                                       matrices[0], times)
        norm = np.linalg.norm(run["target"])
        worst = max(worst, float(np.abs(alone - matrices).max() / norm))
        bound = max(bound, float((error + depth * norm * run["integration_error"]) / norm))
    return Outcome(worst, bound, len(runs) * len(times), worst <= bound)


def half_times(values: np.ndarray, times: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """First of `times` at which each singular value of W (times, d) reaches half of its goal; infinity if none."""
    reached = values >= goals / 2
    return np.where(reached.any(axis=0), np.asarray(times)[reached.argmax(axis=0)], np.inf)
