"""Spectra of H(t) along training as data of an interactive view (du.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.bounds.convergence_checks import replicates
from descent.bounds.convergence_figures import LABEL_NAMES, STEP_NAMES
from descent.figures import COLORS, THEORY
from descent.kernels.neural_tangent_kernel import h_patterns
from descent.networks.two_layer import activation_patterns
from descent.views import packed_logarithms

MOST_REPLICATES = 3
MOST_TIMES = 24
MOST_EIGENVALUES = 100
MOST_LOSSES = 160

Table = Mapping[str, np.ndarray]


def ranks(samples: int) -> np.ndarray:
    """The ranks, from 1 for λ_max to `samples` for λ_min, of the at most 100 eigenvalues that are shown."""
    return np.unique(np.linspace(1, samples, min(samples, MOST_EIGENVALUES)).round().astype(int))


def run_view(inputs: np.ndarray, trajectory: Table, metrics: Table) -> dict[str, Any]:
    """One run: eigenvalues of H at kept steps, descending, of at most three replicates, and the loss of each.

    `inputs` (n, d). A replicate has `eigenvalues`, logarithms by step and rank, and `losses` at its `loss_steps`.
    """
    kept, chosen = replicates(trajectory)[:MOST_REPLICATES], ranks(len(inputs)) - 1
    return {"eta": float(metrics["flow_time"][1] / metrics["step"][1]),
            "replicates": [{**_spectra(inputs, weights, chosen), **_losses(losses)}
                           for weights, losses in zip(kept, replicates(metrics), strict=False)]}


def _spectra(inputs: np.ndarray, kept: Table, chosen: np.ndarray) -> dict[str, Any]:
    times = np.unique(np.linspace(0, len(kept["step"]) - 1, min(len(kept["step"]), MOST_TIMES)).round().astype(int))
    weights = kept["hidden"][times].reshape(len(times), -1, inputs.shape[1])
    found = [np.linalg.eigvalsh(h_patterns(inputs, activation_patterns(hidden, inputs)))[::-1] for hidden in weights]
    return {"steps": kept["step"][times].tolist(), "eigenvalues": packed_logarithms(np.array(found)[:, chosen])}


def _losses(metrics: Table) -> dict[str, Any]:
    count = len(metrics["step"])
    rows = np.unique(np.concatenate([[0], np.geomspace(1, count, MOST_LOSSES).round().astype(int) - 1]))
    return {"loss_steps": metrics["step"][rows].tolist(), "losses": packed_logarithms(metrics["loss"][rows])}


def run_words(name: str) -> str:
    """What the name LABELS_full_STEP of a run says."""
    labels, _, step = name.split("_")
    return f"{LABEL_NAMES[labels]}, {STEP_NAMES[step]}"


def spectra_view(inputs: np.ndarray, limit: np.ndarray, runs: Mapping[str, tuple[Table, Table]],
                 width: int) -> dict[str, Any]:
    """All runs, each given as trajectory and metrics; `limit`: the eigenvalues of H∞, descending."""
    shown = ranks(len(inputs))
    return {
        "ranks": shown.tolist(), "limit": packed_logarithms(limit[shown - 1]), "lambda_0": float(limit[-1]),
        "width": width, "colors": {"measured": COLORS[0], "theory": THEORY},
        "runs": [{"words": run_words(name), **run_view(inputs, *tables)} for name, tables in runs.items()],
    }
