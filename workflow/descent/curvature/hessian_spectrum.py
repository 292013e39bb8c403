"""The extreme eigenvalues of the Hessian along any trajectory of linear layers: an operation of the pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from descent.curvature.linear_hessian import extreme_eigenvalues
from descent.dynamics.linear_descent import Moments
from descent.dynamics.linear_training import depths_of, layer_stacks
from descent.pipeline.tables import read_table, write_table

LAYERS = ("first", "hidden", "last")


def hessian_spectrum(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Write `lambda_min` and `lambda_max` of ∇²L for every row of a trajectory, beside the columns that label it.

    Inputs: `trajectory` with columns `first`, `hidden`, `last` (see `linear_training.flat_rows`) and labels of any
    names; `data` with columns x (n, d) and y (n). L = ½ mean (W_N ⋯ W_1 x − y)², all weights jointly.
    """
    table, data = read_table(inputs["trajectory"]), read_table(inputs["data"])
    moments, depths = Moments(data["x"], data["y"]), depths_of(table)
    found = np.empty((2, len(depths)))
    for depth in np.unique(depths):
        rows = np.flatnonzero(depths == depth)
        # Blocks that stay in the processor's cache.
        for block in np.array_split(rows, -(-len(rows) // 256)):
            found[:, block] = extreme_eigenvalues(layer_stacks(table, block), moments)
    labels = {name: column for name, column in table.items() if name not in LAYERS}
    columns = {**labels, "lambda_min": found[0], "lambda_max": found[1]}
    write_table(outputs["table"], columns, {"flow_time": "flow time"}, settings)
