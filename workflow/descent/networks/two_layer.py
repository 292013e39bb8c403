"""The two-layer ReLU network f(x) = Aᵀ relu(W x) without biases."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Pre-activations of so many units on a few hundred samples stay within some tens of megabytes.
BLOCK = 4096


def unit_blocks(units: int) -> Iterator[slice]:
    """Consecutive slices of `BLOCK` hidden units, so that memory does not grow with samples × units."""
    return (slice(start, min(start + BLOCK, units)) for start in range(0, units, BLOCK))


def relu_outputs(hidden: np.ndarray, outputs: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """relu(X Wᵀ) A, shape (n, c), for hidden weights W (m, d), output weights A (m, c) and inputs X (n, d)."""
    total = 0.0
    for units in unit_blocks(len(hidden)):
        pre_activations = inputs @ hidden[units].T
        total = total + np.maximum(pre_activations, 0.0, out=pre_activations) @ outputs[units]
    return total


def activation_patterns(hidden: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """1{x_iᵀw_r ≥ 0}, booleans of shape (n, m), for hidden weights W (m, d) and inputs X (n, d)."""
    patterns = np.empty((len(inputs), len(hidden)), np.bool_)
    for units in unit_blocks(len(hidden)):
        np.greater_equal(inputs @ hidden[units].T, 0.0, out=patterns[:, units])
    return patterns
