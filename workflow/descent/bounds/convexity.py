"""Where losses of deep networks are not convex (tau.1.1) or have no Lipschitz gradient (tau.2.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from descent.claims import Outcome
from descent.networks.deep_network import hessian, loss_and_gradient, single_path
from descent.networks.linear_network import Layers, layer_gradients, product

ROUNDING = 1e-12


def zero_layers(sizes: Sequence[int]) -> list[np.ndarray]:
    """W_j = 0 of shapes (d_j, d_{j−1}) for `sizes` = (d_0, …, d_N)."""
    return [np.zeros((m, n)) for n, m in zip(sizes, sizes[1:])]


def best_direction(inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit p (d_0) and u (d_N) with the largest u-p entry of the moment Σ_i y_i x_iᵀ/n: its first singular pair."""
    U, _, Vt = np.linalg.svd(targets.T @ inputs / len(inputs))
    return Vt[0], U[:, 0]


def path_losses(depth: int, width: int, kind: str, inputs: np.ndarray, targets: np.ndarray,
                scales: np.ndarray) -> np.ndarray:
    """L at `single_path` weights of every scale s, along `best_direction`: L(0) − L falls off like s^N as s → 0."""
    p, u = best_direction(inputs, targets)
    sizes = layer_sizes(depth, width, inputs, targets)
    return np.array([loss_and_gradient(single_path(sizes, s, p, u), kind, inputs, targets)[0] for s in scales])


def layer_sizes(depth: int, width: int, inputs: np.ndarray, targets: np.ndarray) -> list[int]:
    """(d_0, width, …, width, d_N) with `depth` layers."""
    return [inputs.shape[1], *[width] * (depth - 1), targets.shape[1]]


def zero_is_stationary(cases: Sequence[Mapping], depths: Sequence[int]) -> Outcome:
    """Whether ‖∇L(0)‖ is exactly 0 for all `cases` (width, kind, inputs, targets) at all `depths`."""
    worst = 0.0
    for depth in depths:
        for case in cases:
            layers = zero_layers(layer_sizes(depth, case["width"], case["inputs"], case["targets"]))
            gradients = loss_and_gradient(layers, case["kind"], case["inputs"], case["targets"])[1]
            worst = max(worst, *(float(np.abs(gradient).max()) for gradient in gradients))
    return Outcome(worst, 0.0, len(cases) * len(depths), worst == 0.0)


def convexity_is_violated(cases: Sequence[Mapping], depths: Sequence[int], scales: np.ndarray) -> Outcome:
    """Whether some w of each case has L(w) < L(0) + ⟨∇L(0), w⟩, which no convex function allows.

    Observed: the largest, over cases and depths, of the least (L(w) − L(0) − ⟨∇L(0), w⟩)/L(0) along `path_losses`.
    Bound: minus the rounding of a loss; the number of samples times ε.
    """
    worst, bound = -np.inf, 0.0
    for depth in depths:
        for case in cases:
            x, y = case["inputs"], case["targets"]
            start, gradients = loss_and_gradient(
                zero_layers(layer_sizes(depth, case["width"], x, y)), case["kind"], x, y)
            sizes, (p, u) = layer_sizes(depth, case["width"], x, y), best_direction(x, y)
            slope = sum(np.sum(g * w) for g, w in zip(gradients, single_path(sizes, 1.0, p, u)))
            gaps = path_losses(depth, case["width"], case["kind"], x, y, scales) - start - slope * scales
            worst, bound = max(worst, float(gaps.min() / start)), -len(x) * np.finfo(float).eps
    return Outcome(worst, bound, len(cases) * len(depths), worst < bound)


def least_curvature_at_zero(cases: Sequence[Mapping], depth: int) -> Outcome:
    """Whether λ_min(∇²L(0)) = −|σ′(0)| ‖Xᵀy‖/n for scalar outputs; observed: the largest relative error."""
    worst = 0.0
    for case in cases:
        found, expected = curvature_at_zero(case, depth)
        worst = max(worst, abs(found / expected - 1))
    return Outcome(worst, ROUNDING, len(cases), worst <= ROUNDING)


def curvature_at_zero(case: Mapping, depth: int) -> tuple[float, float]:
    """λ_min(∇²L(0)) of the dense Hessian, and its closed form at two layers, −|σ′(0)| ‖Xᵀy‖/n (scalar outputs)."""
    x, y = case["inputs"], case["targets"]
    matrix = hessian(zero_layers(layer_sizes(depth, case["width"], x, y)), case["kind"], x, y)
    slope = {"linear": 1.0, "tanh": 1.0, "silu": 0.5}[case["kind"]]
    return float(np.linalg.eigvalsh(matrix)[0]), -slope * float(np.linalg.norm(x.T @ y)) / len(x)


def loss_gradient(kind: str, matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """∇ℓ(W) of `quadratic` ½‖W − T‖_F², `log_cosh` Σ log cosh(W − T), `affine` ⟨T, W⟩ and `constant` 0.

    Analytic, so that W may be complex. Raises ValueError on another kind.
    """
    if kind == "quadratic":
        return matrix - target
    if kind == "log_cosh":
        return np.tanh(matrix - target)
    if kind == "affine":
        return target.astype(matrix.dtype)
    if kind == "constant":
        return np.zeros_like(matrix)
    raise ValueError(f"loss {kind!r}: not one of quadratic, log_cosh, affine, constant")


def factor_hessian(layers: Layers, kind: str, target: np.ndarray) -> np.ndarray:
    """∇²φ over all entries of all factors, φ(W_1, …, W_N) = ℓ(W_N ⋯ W_1), by complex steps of its gradient."""
    step, columns = 1e-30, []
    for j, layer in enumerate(layers):
        for k in range(layer.size):
            moved = [np.array(other, complex) for other in layers]
            moved[j].flat[k] += 1j * step
            gradients = layer_gradients(moved, loss_gradient(kind, product(moved), target))
            columns.append(np.concatenate([gradient.ravel().imag for gradient in gradients]) / step)
    return np.array(columns)


def rescaled(matrix: np.ndarray, depth: int, c: float) -> list[np.ndarray]:
    """Factors (W_1, …, W_N) = (W/c, I, …, I, cI) of a square W: the product, and with it φ, is the same for every c."""
    if depth == 1:
        return [matrix]
    eye = np.eye(len(matrix))
    return [matrix / c, *[eye] * (depth - 2), c * eye]


def ray_curvature(kind: str, depth: int, matrix: np.ndarray, target: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """‖∇²φ‖₂ at `rescaled` factors for every c of `factors`."""
    return np.array([np.linalg.norm(factor_hessian(rescaled(matrix, depth, c), kind, target), 2) for c in factors])


def growth_exponent(curvature: np.ndarray, factors: np.ndarray) -> float:
    """p in ‖∇²φ‖ ~ c^p, from the two largest c; 0 for a curvature that is 0 there."""
    if curvature[-1] == 0:
        return 0.0
    return float(np.log(curvature[-1] / curvature[-2]) / np.log(factors[-1] / factors[-2]))


def grows_like(curvatures: Sequence[np.ndarray], factors: np.ndarray, exponent: float, within: float) -> Outcome:
    """Whether the curvature along every ray grows like c^`exponent`; observed: the exponent furthest from it."""
    found = max((growth_exponent(curvature, factors) for curvature in curvatures), key=lambda p: abs(p - exponent))
    return Outcome(found, exponent, len(curvatures) * len(factors), abs(found - exponent) <= within)


def factor_curvature(matrix: np.ndarray, target: np.ndarray, factors: np.ndarray, power: float) -> Outcome:
    """Whether d²/dt² φ(cI, W/c + tD) = c^`power` ‖D‖² for ℓ = ½‖W − T‖² and every D; observed: relative error."""
    size, worst = matrix.size, 0.0
    for c in factors:
        block = factor_hessian(rescaled(matrix, 2, c), "quadratic", target)[:size, :size]
        worst = max(worst, float(np.abs(block / c**power - np.eye(size)).max()))
    return Outcome(worst, ROUNDING, len(factors) * size, worst <= ROUNDING)


def ball_bound(depth: int, smoothness: float, slope: float, kept: int = 0) -> float:
    """N M + (N − 1) G: Lipschitz constant of ∇φ for factors of Frobenius norm at most 1.

    `smoothness` M bounds ‖∇²ℓ‖ and `slope` G bounds ‖∇ℓ‖_F on the unit ball; `kept` factors less is a wrong constant.
    """
    return (depth - kept) * smoothness + (depth - 1) * slope


def in_unit_ball(generator: np.random.Generator, depth: int, d: int) -> list[np.ndarray]:
    """Factors (d, d) of Frobenius norm at most 1; half of the draws on the sphere."""
    draws = generator.standard_normal((depth, d, d))
    draws /= np.linalg.norm(draws, axis=(1, 2), keepdims=True)
    radii = np.where(generator.random(depth) < 0.5, 1.0, generator.random(depth))
    return list(draws * radii[:, None, None])


def aligned(depth: int, d: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Factors e_1e_1ᵀ and a target −e_1e_1ᵀ at which ∇²φ of the quadratic loss attains `ball_bound` with G = 2."""
    unit = np.zeros((d, d))
    unit[0, 0] = 1.0
    return [unit] * depth, -unit


def curvature_in_ball(ratios: Sequence[float], bounds: Sequence[float]) -> Outcome:
    """Whether every sampled ‖∇²φ‖₂ stays below its bound; observed: the largest ratio of the two."""
    worst = float(np.max(np.asarray(ratios) / np.asarray(bounds)))
    return Outcome(worst, 1.0 + ROUNDING, len(ratios), worst <= 1.0 + ROUNDING)
