"""Deep linear networks near their saddle in closed form: aligned dynamics, escape times, curvature, sharpness."""

from __future__ import annotations

import numpy as np
from scipy.integrate import quad
from scipy.special import hyp2f1

from descent.dynamics.linear_descent import Moments


def aligned_velocity(product: np.ndarray, target: float, depth: int) -> np.ndarray:
    """ṡ = N s^{2−2/N} (s* − s), the product of balanced layers aligned with w* on a whitened set (XᵀX/n = I)."""
    return depth * product ** (2 - 2 / depth) * (target - product)


def aligned_time(start: float, end: float, target: float, depth: int, power: float | None = None) -> float:
    """∫ ds / (N s^p (s* − s)) from `start` to `end`, both in (0, s*): the time that `aligned_velocity` takes.

    p = 2 − 2/N, or `power`. The antiderivative is s^{1−p} F(1, 1−p; 2−p; s/s*) / (N (1−p) s*) with Gauss's
    hypergeometric function, and ln(s/(s* − s)) / (N s*) at p = 1.
    """
    p = 2 - 2 / depth if power is None else power
    if p == 1:
        return float(np.log(end * (target - start) / (start * (target - end))) / (depth * target))
    at_start, at_end = (s ** (1 - p) * hyp2f1(1, 1 - p, 2 - p, s / target) for s in (start, end))
    return float((at_end - at_start) / (depth * (1 - p) * target))


def aligned_extremes(product: np.ndarray, target: float, depth: int,
                     others: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """λ_min and λ_max of the full Hessian at balanced layers with product s w*/‖w*‖, XᵀX/n = I, width and d ≥ 2.

    With r = s* − s and a = s^{1/N} the extremes are among ±r a^{N−2}, a^{2N−2}, and (N s − (N − 1) r) a^{N−2} of
    scaling all layers alike. `others` replaces N − 1.
    """
    rest, layer = target - product, product ** (1 / depth)
    scaling = depth * product - (depth - 1 if others is None else others) * rest
    least = np.minimum(-np.abs(rest), scaling) * layer ** (depth - 2)
    greatest = np.maximum(np.maximum(np.abs(rest), scaling) * layer ** (depth - 2), layer ** (2 * depth - 2))
    return np.minimum(least, 0.0), greatest


def least_curvature(moments: Moments, depth: int) -> tuple[float, float]:
    """The least λ_min along `aligned_extremes` from a small start, and the share of the escape's end where it is.

    N = 2: −‖q‖ at the start. N ≥ 3: at s = (N − 2) σ/(2 (2N − 1)) with σ = `ray_end`; κ = ‖q‖/σ multiplies it on a
    set that is not whitened, of which only the curvature κ along q enters.
    """
    slope, end = float(np.linalg.norm(moments.q)), ray_end(moments)
    share = (depth - 2) / (2 * (2 * depth - 1))
    at = max(share, 1e-300) * end
    return float(slope / end * aligned_extremes(np.array(at), end, depth)[0]), share


def ray_end(moments: Moments) -> float:
    """σ = ‖q‖³/(qᵀSq): the norm of the best w along q = Xᵀy/n, the direction in which small layers leave 0."""
    return float(np.linalg.norm(moments.q) ** 3 / (moments.q @ moments.S @ moments.q))


def escape_loss(moments: Moments) -> float:
    """ℓ(½σ q/‖q‖): half way to `ray_end`; reaching this loss ends the escape, for aligned layers at s = s*/2."""
    return moments.loss(0.5 * ray_end(moments) * moments.q / np.linalg.norm(moments.q))


def linear_escape(unstable: float, curvature: float, moments: Moments, growth: float = 2.0) -> float:
    """T = ln(σ/s_0) / (2 |λ_min|) for N = 2: the product grows like s_0 exp(2 |λ_min| t) and saturates at σ.

    `unstable`: s_0, see `unstable_product`; `curvature`: λ_min of the Hessian at initialization; `growth` replaces 2.
    """
    return float(np.log(ray_end(moments) / unstable) / (growth * abs(curvature)))


def unstable_product(first: np.ndarray, last: np.ndarray, moments: Moments) -> float:
    """s_0 = ¼ ‖W_1 q/‖q‖ + W_2ᵀ‖²: the product that the part of two layers in the saddle's unstable space has."""
    direction = moments.q / np.linalg.norm(moments.q)
    return float(0.25 * np.sum((first @ direction + last[0]) ** 2))


def saddle_time(layer: float, angle: float, slope: float, depth: int) -> float:
    """T = ∫_0^θ sin^{N−3} / ((a sin θ)^{N−2} ‖q‖), N ≥ 3: when balanced layers of norm a blow up under ℓ = −qᵀw.

    `layer` a, `angle` θ in (0, π) between w(0) and q, `slope` ‖q‖. T → 1/((N − 2) a^{N−2} ‖q‖) as θ → 0.
    """
    if angle < 1e-6:
        return 1 / ((depth - 2) * layer ** (depth - 2) * slope)
    swept = quad(lambda theta: np.sin(theta) ** (depth - 3), 0.0, angle)[0]
    return float(swept / ((layer * np.sin(angle)) ** (depth - 2) * slope))


def balanced_sharpness(moments: Moments, depth: int, more: float | None = None) -> float:
    """λ_max of the Hessian at balanced layers with product w*: ‖w*‖^{2−2/N} λ_max(M S M), M² = I + (N − 1) ŵŵᵀ.

    `more` replaces N − 1.
    """
    answer = moments.least_squares()
    norm = np.linalg.norm(answer)
    unit = answer / norm
    root = np.eye(len(unit)) + (np.sqrt(1 + (depth - 1 if more is None else more)) - 1) * np.outer(unit, unit)
    return float(norm ** (2 - 2 / depth) * np.linalg.eigvalsh(root @ moments.S @ root)[-1])
