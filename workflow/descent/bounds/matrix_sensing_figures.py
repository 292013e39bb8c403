"""Figures of the matrix sensing study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.figures import COLORS, DEPTHS, LEVEL, band, new_figure, sequence


def draw_singular_values(found: Mapping[int, tuple[np.ndarray, np.ndarray]], goals: Sequence[float]):
    """Singular values of W against time: mean and band over replicates, one panel for each depth."""
    figure, (axes,) = new_figure(1, len(found), sharey=True)
    for panel, (depth, (times, values)) in zip(axes, found.items()):
        for i, goal in enumerate(goals):
            panel.axhline(goal, **LEVEL)
            band(panel, times, values[:, :, i], COLORS[i % len(COLORS)], None)
        panel.set(xlabel="flow time $t$", title=f"L = {depth}")
    axes[0].set_ylabel("singular values of $W$")
    return figure


def draw_conservation(times: np.ndarray, drifts: Mapping[int, Sequence[np.ndarray]], descent: Mapping[str, Any]):
    """Drift of the conserved and of the printed quantity (Gaussian start), and descent against flow."""
    figure, ((left, right),) = new_figure(1, 2)
    for depth, (conserved, printed) in drifts.items():
        color = DEPTHS[depth]
        band(left, times[1:], np.maximum(conserved[:, 1:], 1e-17), color, f"L = {depth}")
        band(left, times[1:], printed[:, 1:], color, None, linestyle="-.")
        rows = descent["depth"] == depth
        etas = np.unique(descent["eta"])
        samples = [descent["distance"][rows & (descent["eta"] == eta)] for eta in etas]
        band(right, etas, np.array(samples).T, color, f"L = {depth}", marker=".")
    right.plot(etas, 0.5 * samples[0].min() * etas / etas[0], **LEVEL, label="slope 1")
    left.set(yscale="log", xlabel="flow time $t$", ylabel="relative change since $t = 0$")
    left.legend(loc="center right")
    for name, at, values in (("as printed", 0.02, printed), ("conserved", 40, conserved)):
        left.annotate(name, (times[-1], at * values[:, -1].mean()), ha="right", va="center")
    right.set(xscale="log", yscale="log", xlabel=r"learning rate $\eta$",
              ylabel=r"largest distance from flow / $\|W^\ast\|$")
    right.set_xticks(etas, [f"{eta:g}" for eta in etas])
    right.minorticks_off()
    right.legend(loc="upper left")
    return figure


def draw_measurements(table: Mapping[str, Any], depths: Sequence[int], measurements: Sequence[int], unknowns: int):
    """Relative error over time for every number of measurements, one panel for each depth."""
    figure, (axes,) = new_figure(1, len(depths), sharey=True)
    for panel, depth in zip(axes, depths):
        for color, n in zip(sequence("width", len(measurements)), measurements):
            rows = (table["depth"] == depth) & (table["measurements"] == n)
            times = np.unique(table["flow_time"][rows])
            samples = table["error"][rows].reshape(-1, len(times))
            band(panel, times, np.maximum(samples, 1e-12), color, str(n))
        panel.set(yscale="log", xlabel="flow time $t$", title=f"L = {depth}")
    axes[0].set_ylabel(r"$\|W - W^\ast\| / \|W^\ast\|$")
    axes[-1].legend(loc="lower left", title=f"measurements\n($d^2$ = {unknowns})")
    return figure
