"""Layers W_1, W_2, … of linear networks, balanced ones among them, from the definitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

Layers = Sequence[np.ndarray]


def product(layers: Layers, size: int) -> np.ndarray:
    """W_N ⋯ W_1; the identity of the size given for no layers."""
    return reduce(lambda below, W: W @ below, layers, np.eye(size))


def above(layers: Layers, j: int) -> np.ndarray:
    """The product of the layers above layer j, counted from 0."""
    return product(layers[j + 1:], layers[j].shape[0])


def below(layers: Layers, j: int) -> np.ndarray:
    return product(layers[:j], layers[0].shape[1])


def orthogonal(rng: np.random.Generator, size: int) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(size, size)))[0]


def balanced_layers(rng: np.random.Generator, widths: Sequence[int], values: Sequence[float]) -> list[np.ndarray]:
    """W_j = Q_j Σ_j Q_{j−1}ᵀ with the same singular `values` in every Σ_j; widths d_0 … d_N."""
    bases = [orthogonal(rng, width) for width in widths]
    layers = []
    for j, (rows, columns) in enumerate(zip(widths[1:], widths[:-1])):
        middle = np.zeros((rows, columns))
        middle[:len(values), :len(values)] = np.diag(values)
        layers.append(bases[j + 1] @ middle @ bases[j].T)
    return layers


def imbalance(layers: Layers) -> float:
    return max(np.abs(V.T @ V - W @ W.T).max() for V, W in zip(layers[1:], layers[:-1]))


def flatten(layers: Layers) -> np.ndarray:
    return np.concatenate([W.ravel() for W in layers])


def unflatten(flat: np.ndarray, widths: Sequence[int]) -> list[np.ndarray]:
    layers, start = [], 0
    for rows, columns in zip(widths[1:], widths[:-1]):
        layers.append(flat[start:start + rows * columns].reshape(rows, columns))
        start += rows * columns
    return layers


def flow(velocity: Callable[[np.ndarray], np.ndarray], start: np.ndarray, times: Sequence[float]) -> np.ndarray:
    """The solution of x′ = velocity(x), x(0) = start, at `times`: one row each."""
    from scipy.integrate import solve_ivp

    solution = solve_ivp(lambda t, x: velocity(x), (0, max(times)), start, method="DOP853", rtol=1e-11, atol=1e-13,
                         t_eval=times)
    assert solution.success
    return solution.y.T
