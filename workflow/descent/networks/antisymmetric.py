"""Starts at which a two-layer network is the zero function."""

from __future__ import annotations

import numpy as np


def doubled(hidden: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (W, W) (2m, d) and (A, −A) (2m, c): every unit has a twin that cancels it, so that f = 0 everywhere.

    Of W (m, d) and A (m, c), first all units and then their twins in the same order (Chizat, Oyallon and Bach 2019).
    """
    return np.concatenate([hidden, hidden]), np.concatenate([outputs, -outputs])
