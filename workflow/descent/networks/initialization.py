"""Random initial weights of two-layer networks x -> U relu(V'x)."""

from __future__ import annotations

import numpy as np


def two_layer_weights(generator: np.random.Generator, kind: str, outputs: int, width: int, dimension: int):
    """Initial weights (U (outputs, width), V (dimension, width)), independent entries, float64.

    `gaussian`: U ~ N(0, 1/width), V ~ N(0, 1/dimension), the scaling of the planted teacher.
    `uniform`: each layer uniform within +-1/sqrt(fan-in), the default of PyTorch's `Linear` (whose
    `kaiming_uniform_` with a = sqrt(5) has that bound): a third of the Gaussian variance.
    Raises ValueError on another kind.
    """
    shapes = (outputs, width), (dimension, width)
    if kind == "gaussian":
        draws = [generator.standard_normal(shape) for shape in shapes]
    elif kind == "uniform":
        draws = [generator.uniform(-1.0, 1.0, shape) for shape in shapes]
    else:
        raise ValueError(f"initialization {kind!r}: gaussian or uniform")
    return draws[0] / np.sqrt(width), draws[1] / np.sqrt(dimension)
