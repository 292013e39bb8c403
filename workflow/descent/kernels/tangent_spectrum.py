"""Spectrum of the tangent Gram matrix H(t), weight movement and flipped patterns along a kept trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from descent.kernels.neural_tangent_kernel import h_patterns
from descent.networks.two_layer import activation_patterns
from descent.pipeline.tables import read_table, write_table


def spectrum_row(inputs: np.ndarray, hidden: np.ndarray, start: np.ndarray) -> dict[str, float]:
    """λ_min and λ_max of H(W), ‖H(W) − H(W_0)‖₂, max_r ‖w_r − w_r(0)‖ and the fraction of flipped patterns.

    `inputs` (n, d); `hidden` and `start`, W and W_0, (m, d) (Du et al., Lemmas 3.2 and 3.3).
    """
    now, first = activation_patterns(hidden, inputs), activation_patterns(start, inputs)
    gram = h_patterns(inputs, now)
    eigenvalues = np.linalg.eigvalsh(gram)
    drift = np.linalg.eigvalsh(gram - h_patterns(inputs, first))
    return {
        "lambda_min": eigenvalues[0], "lambda_max": eigenvalues[-1], "kernel_drift": np.abs(drift).max(),
        "movement": np.linalg.norm(hidden - start, axis=1).max(), "flipped": np.mean(now != first),
    }


def ntk_spectrum(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Stage: `spectrum_row` at every kept step of every replicate of `inputs["trajectory"]`."""
    kept, x = read_table(inputs["trajectory"]), read_table(inputs["data"], ["x"])["x"]
    weights = kept["hidden"].reshape(len(kept["step"]), -1, x.shape[1])
    starts = {r: w for r, k, w in zip(kept["replicate"], kept["step"], weights, strict=True) if k == 0}
    rows = [spectrum_row(x, w, starts[r]) for r, w in zip(kept["replicate"], weights, strict=True)]
    columns = {name: kept[name] for name in ("replicate", "step", "flow_time", "crossings")}
    columns |= {name: np.array([row[name] for row in rows]) for name in rows[0]}
    write_table(outputs["table"], columns, {"flow_time": "flow time", "crossings": "patterns per step"}, settings)
