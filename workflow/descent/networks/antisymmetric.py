"""Starts at which a two-layer network is the zero function, beside those of independent units."""

from __future__ import annotations

import numpy as np

from descent.networks.theorem_network import hidden_weights, output_weights


def doubled(hidden: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (W, W) (2m, d) and (A, −A) (2m, c): every unit has a twin that cancels it, so that f = 0 everywhere.

    Of W (m, d) and A (m, c), first all units and then their twins in the same order (Chizat, Oyallon and Bach 2019).
    """
    return np.concatenate([hidden, hidden]), np.concatenate([outputs, -outputs])


def initial_weights(antisymmetric: bool, master_seed: int, replicate: int, width: int,
                    dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """W (m, d) and A (m, 1) of the theorem's network, w ~ N(0, I) and a = ±1: m independent units, or m/2 `doubled`."""
    drawn = width // 2 if antisymmetric else width
    weights = (hidden_weights(master_seed, replicate, drawn, dimension),
               output_weights("theorem", master_seed, replicate, drawn, 1))
    return doubled(*weights) if antisymmetric else weights
