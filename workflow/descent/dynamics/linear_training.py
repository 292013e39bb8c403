"""Deep linear networks trained to convergence, with the weights kept wherever something happens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from descent.dynamics.linear_descent import LinearDescent, Moments
from descent.networks.linear_network import layer_gradients, product


def converge(layers: Sequence[np.ndarray], moments: Moments, eta: float, change: float, tolerance: float,
             most_steps: int) -> tuple[np.ndarray, list[list[np.ndarray]]]:
    """Steps at which the layers are kept, and these layers, of gradient descent down to the least-squares loss.

    From one kept step to the next w moves by about `change` of its norm, its excess loss by a factor up to
    exp(10 `change`), and the number of steps grows by at most that part. Ends when the excess loss over the
    least-squares solution is `tolerance` of that at w = 0, or after `most_steps`. Raises FloatingPointError when w
    grows beyond 1e100.
    """
    run, answer = LinearDescent(layers, moments, eta), moments.least_squares()
    first = max(1, int(change / (eta * np.linalg.norm(moments.q))))
    steps, kept, chunk = [0], [run.layers], first
    w = product(kept[0])[0]
    goal = tolerance * excess(np.zeros_like(w), answer, moments)
    while excess(w, answer, moments) > goal and run.steps < most_steps:
        run.step(min(chunk, most_steps - run.steps))
        before, current = w, run.layers
        with np.errstate(over="ignore", invalid="ignore"):
            w = product(current)[0]
        if not np.abs(w).max() < 1e100:
            raise FloatingPointError(f"gradient descent diverged within {run.steps} steps of {eta}")
        steps.append(run.steps)
        kept.append(current)
        moved = np.linalg.norm(w - before) / np.linalg.norm(before) / change
        losses = np.maximum(excess(np.stack([w, before]), answer, moments), np.finfo(float).tiny)
        fallen = abs(np.log(losses[0] / losses[1])) / (10 * change)
        chunk = int(min(chunk * np.clip(1 / max(moved, fallen), 0.5, 2), max(first, change * run.steps)))
        chunk = max(chunk, 1)
    return np.array(steps), kept


def excess(w: np.ndarray, answer: np.ndarray, moments: Moments) -> np.ndarray:
    """ℓ(w) − ℓ(w*) = ½ (w − w*)ᵀ S (w − w*) for the least-squares solution `answer` w*; w (…, d), result (…)."""
    away = w - answer
    return 0.5 * np.vecdot(away @ moments.S, away)


def gradient_norm(layers: Sequence[np.ndarray], moments: Moments) -> float:
    """Norm of ∇L over all weights jointly."""
    gradients = layer_gradients(layers, moments.gradient(product(layers)[0])[None])
    return float(np.sqrt(sum(np.sum(gradient**2) for gradient in gradients)))


def flat_rows(networks: Sequence[Sequence[np.ndarray]], deepest: int) -> dict[str, np.ndarray]:
    """Columns `first` (rows, h d), `hidden` (rows, (deepest − 2) h²) and `last` (rows, h) of a trajectory table.

    NaN stands for the hidden layers that a network of fewer than `deepest` layers does not have.
    """
    width = networks[0][0].shape[0]
    hidden = np.full((len(networks), max(deepest - 2, 0), width, width), np.nan)
    for row, layers in zip(hidden, networks):
        row[: len(layers) - 2] = layers[1:-1] if len(layers) > 2 else 0.0
    columns = {"first": np.stack([layers[0] for layers in networks]),
               "last": np.stack([layers[-1] for layers in networks])}
    if deepest > 2:
        columns["hidden"] = hidden
    return {name: stack.reshape(len(networks), -1) for name, stack in columns.items()}


def layer_stacks(table, rows: np.ndarray) -> list[np.ndarray]:
    """W_1 (rows, h, d), …, W_N (rows, 1, h) of the `rows` (indices) of a trajectory table, all of one depth."""
    last = table["last"][rows]
    count, width = last.shape
    hidden = table["hidden"][rows].reshape(count, -1, width, width) if "hidden" in table else last[:, :0]
    there = hidden.shape[1] and ~np.isnan(hidden[0, :, 0, 0])
    middle = [hidden[:, j] for j in range(hidden.shape[1]) if there[j]]
    return [table["first"][rows].reshape(count, width, -1), *middle, last[:, None]]


def depths_of(table) -> np.ndarray:
    """Number of layers of each row of a trajectory table."""
    if "hidden" not in table:
        return np.full(len(table["last"]), 2)
    return 2 + np.sum(~np.isnan(table["hidden"]), axis=1) // table["last"].shape[1] ** 2
