"""Figures of deep matrix completion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.bounds.matrix_completion import endings
from descent.figures import DEPTHS, LEVEL, PREDICTION, band, new_figure

Tables = Mapping[int, Mapping[str, Any]]


def draw_training(tables: Tables, references: Mapping[str, Any], scale: float):
    """Effective rank and test error against the step, Gaussian start of `scale`: one line for each replicate."""
    figure, (axes,) = new_figure(1, 2)
    for depth, table in tables.items():
        chosen = (np.array(table["start"]) == "gaussian") & (table["scale"] == scale)
        for replicate in np.unique(table["replicate"]):
            rows = chosen & (table["replicate"] == replicate)
            for panel, name in zip(axes, ("effective_rank", "test_error")):
                panel.plot(table["step"][rows], table[name][rows], color=DEPTHS[depth], alpha=0.7, linewidth=1,
                           label=None if replicate else f"N = {depth}")
    axes[0].axhline(references["target_rank"].mean(), **PREDICTION)
    axes[1].axhline(references["nuclear_error"].mean(), **LEVEL)
    axes[0].set(ylabel="effective rank", yscale="log")
    axes[1].set(ylabel="relative error, unobserved entries", yscale="log")
    for panel in axes:
        panel.set(xlabel="step", xlim=(5, None))
        panel.set_xscale("log")
    axes[1].legend(loc="lower left")
    return figure


def draw_final(tables: Tables, references: Mapping[str, Any]):
    """Effective rank and test error at the end against the scale; Gaussian solid, balanced dotted."""
    figure, (axes,) = new_figure(1, 2)
    for depth, table in tables.items():
        scales = np.unique(table["scale"])[::-1]
        for start, line in (("gaussian", "-"), ("balanced", "-.")):
            label = f"N = {depth}" if start == "gaussian" else None
            for panel, name in zip(axes, ("effective_rank", "test_error")):
                band(panel, scales, endings(table, start, name), DEPTHS[depth], label, linestyle=line, marker=".")
    axes[0].axhline(references["target_rank"].mean(), **PREDICTION)
    for panel, name in zip(axes, ("nuclear_rank", "nuclear_error")):
        panel.axhline(references[name].mean(), **LEVEL)
    axes[0].set(ylabel="effective rank at the end")
    axes[1].set(ylabel="relative error, unobserved entries")
    for panel in axes:
        panel.set(xscale="log", yscale="log", xlabel=r"size of the start $\|W(0)\|_F / \|M\|_F$")
    axes[0].set_yticks([5, 10, 20, 40, 80], ["5", "10", "20", "40", "80"])
    axes[0].minorticks_off()
    axes[1].legend(loc="lower right")
    return figure
