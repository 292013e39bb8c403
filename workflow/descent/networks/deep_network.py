"""Deep networks x ↦ W_N σ(W_{N−1} σ(⋯ σ(W_1 x))) with σ(0) = 0: loss, gradient and Hessian."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Layers = Sequence[np.ndarray]


def activate(kind: str, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """σ(z) and σ′(z) for `linear` z, `tanh`, or `silu` z/(1 + e^{−z}); analytic, so that z may be complex.

    Raises ValueError on another kind.
    """
    if kind == "linear":
        return z, np.ones_like(z)
    if kind == "tanh":
        value = np.tanh(z)
        return value, 1 - value**2
    if kind == "silu":
        sigmoid = 1 / (1 + np.exp(-z))
        return z * sigmoid, sigmoid * (1 + z * (1 - sigmoid))
    raise ValueError(f"activation {kind!r}: not one of linear, tanh, silu")


def loss_and_gradient(layers: Layers, kind: str, inputs: np.ndarray, targets: np.ndarray):
    """L = ½ mean ‖f(x) − y‖² and the list of ∂L/∂W_j, for inputs (n, d_0) and targets (n, d_N).

    W_j has the shape (d_j, d_{j−1}). Complex weights give the analytic continuation of L, no absolute values taken.
    """
    values, slopes = [inputs], []
    for layer in layers[:-1]:
        value, slope = activate(kind, values[-1] @ layer.T)
        values.append(value)
        slopes.append(slope)
    residual = values[-1] @ layers[-1].T - targets
    back, gradients = residual / len(inputs), []
    for layer, value, slope in zip(layers[:0:-1], values[:0:-1], slopes[::-1]):
        gradients.append(back.T @ value)
        back = (back @ layer) * slope
    gradients.append(back.T @ inputs)
    return 0.5 * np.sum(residual**2) / len(inputs), gradients[::-1]


def hessian(layers: Layers, kind: str, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """∇²L over all weights, layer by layer, by complex steps of the gradient, exact to rounding."""
    step, columns = 1e-30, []
    for j, layer in enumerate(layers):
        for k in range(layer.size):
            moved = [np.array(other, complex) for other in layers]
            moved[j].flat[k] += 1j * step
            gradients = loss_and_gradient(moved, kind, inputs, targets)[1]
            columns.append(np.concatenate([gradient.ravel().imag for gradient in gradients]) / step)
    return np.array(columns)


def single_path(sizes: Sequence[int], scale: float, direction: np.ndarray, output: np.ndarray) -> list[np.ndarray]:
    """Layers with one active unit each: W_1 = s e_1 pᵀ, W_j = s e_1e_1ᵀ, W_N = s u e_1ᵀ; `sizes` (d_0, …, d_N).

    p = `direction` (d_0) and u = `output` (d_N) have unit length. With one layer it is s u pᵀ.
    """
    if len(sizes) == 2:
        return [scale * np.outer(output, direction)]
    layers = [np.zeros((m, n)) for n, m in zip(sizes, sizes[1:])]
    layers[0][0], layers[-1][:, 0] = scale * direction, scale * output
    for layer in layers[1:-1]:
        layer[0, 0] = scale
    return layers
