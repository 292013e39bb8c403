"""The two-layer ReLU network f(x) = Aᵀ relu(W x) without biases."""

from __future__ import annotations

import numpy as np


def relu_outputs(hidden: np.ndarray, outputs: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """relu(X Wᵀ) A, shape (n, c), for hidden weights W (m, d), output weights A (m, c) and inputs X (n, d)."""
    pre_activations = inputs @ hidden.T
    return np.maximum(pre_activations, 0.0, out=pre_activations) @ outputs


def activation_patterns(hidden: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """1{x_iᵀw_r ≥ 0}, booleans of shape (n, m), for hidden weights W (m, d) and inputs X (n, d)."""
    return inputs @ hidden.T >= 0.0
