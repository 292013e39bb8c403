"""The network of Du et al.'s Theorem 3.2 and the course's literal one: initializations, labels and step sizes."""

from __future__ import annotations

import numpy as np

from descent.kernels.arc_cosine import relu_gram
from descent.kernels.neural_tangent_kernel import h_infinity
from descent.pipeline.randomness import generator


def label_targets(labels: str, digits: np.ndarray) -> np.ndarray:
    """Targets (n, c): `digit`, standardized (mean 0, variance 1); `parity`, even +1 and odd −1; `one_hot`, c = 10.

    Raises ValueError on other labels.
    """
    if labels == "one_hot":
        return np.eye(10)[digits]
    if labels == "parity":
        return (1.0 - 2.0 * (digits % 2))[:, None]
    if labels == "digit":
        return ((digits - digits.mean()) / digits.std())[:, None]
    raise ValueError(f"labels {labels!r}: not one of digit, parity, one_hot")


def hidden_weights(master_seed: int, replicate: int, width: int, dimension: int) -> np.ndarray:
    """W (m, d) with independent N(0, 1) entries, shared by all runs of a replicate."""
    return generator(master_seed, "hidden", replicate, width=width, d=dimension).standard_normal((width, dimension))


def output_weights(network: str, master_seed: int, replicate: int, width: int, outputs: int) -> np.ndarray:
    """A (m, c): independent signs ±1 of the `theorem` network, N(0, 1) of the `literal` one."""
    draw = generator(master_seed, f"outputs_{network}", replicate, width=width, outputs=outputs)
    if network == "literal":
        return draw.standard_normal((width, outputs))
    return draw.choice([-1.0, 1.0], (width, outputs))


def mean_error_step(lr: float, n: int, outputs: int) -> float:
    """η = 2 lr / (n c): the flow time, for L = ½‖u − y‖², of a step `lr` on a framework's mean-squared error."""
    return 2 * lr / (n * outputs)


def stable_step(fraction: float, network: str, inputs: np.ndarray, width: int) -> float:
    """`fraction` of 2/λ_max of the limiting kernel at the start, for each network and what of it is trained.

    `theorem`: H∞; `joint`, the same network with both layers trained: H∞ + G∞, where G∞ = E[relu relu] is the output
    layer's part; `literal`: m (H∞ + G∞).
    """
    kernel = h_infinity(inputs)
    if network in ("joint", "literal"):
        kernel += relu_gram(inputs.T)
    return fraction * 2 / ((width if network == "literal" else 1) * np.linalg.eigvalsh(kernel)[-1])
