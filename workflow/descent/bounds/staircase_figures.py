"""Figures of the staircase (saddle to saddle)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.bounds.staircase import effective_deviations, escapes, runs_of
from descent.dynamics.staircase import escape_time, sigmoid
from descent.figures import COLORS, DEPTHS, LEVEL, PREDICTION, band, new_figure


def draw_staircase(paths: Mapping[str, Any], depths: Sequence[int], values: Sequence[float]):
    """Loss against flow time at the smallest scale: aligned (dark) and random starts (pale), plateau levels."""
    figure, (axes,) = new_figure(1, len(depths), sharey=True)
    levels = 0.5 * np.cumsum(np.square(values)[::-1])
    for panel, depth in zip(axes, depths):
        color = DEPTHS[depth]
        for replicate, runs in enumerate(runs_of(paths, "balanced", depth)):
            panel.plot(runs[-1]["flow_time"], runs[-1]["loss"], color=color, alpha=0.35, linewidth=1,
                       label=None if replicate else "random")
        run = runs_of(paths, "aligned", depth)[0][-1]
        panel.plot(run["flow_time"], run["loss"], color=color, linewidth=2, label="aligned")
        for level in levels:
            panel.axhline(level, **LEVEL, zorder=1)
        panel.set(title=f"N = {depth}, a = {run['scale'][0]:g}", xlabel="flow time $t$", yscale="log",
                  xlim=(0, 1.6 * run["flow_time"][-1]), ylim=(0.2 * levels[0], 1.6 * levels[-1]))
    axes[0].set_ylabel(r"loss $\frac{1}{2}\|W - T\|_F^2$")
    axes[-1].legend(loc="upper right")
    return figure


def draw_modes(paths: Mapping[str, Any], effective: np.ndarray, plain: np.ndarray, values: Sequence[float]):
    """Left: modes of one random start and their sigmoids, N = 2; right: deviation against the scale."""
    figure, ((left, right),) = new_figure(1, 2)
    runs = runs_of(paths, "balanced", 2)
    run = runs[0][-1]
    expected = sigmoid(run["flow_time"], effective[0, -1], values)
    other = sigmoid(run["flow_time"], plain[0, -1], values)
    for i, (color, value) in enumerate(zip(COLORS, values)):
        left.plot(run["flow_time"], run["modes"][:, i], color=color, linewidth=4, alpha=0.35,
                  label=f"$s^\\ast$ = {value:g}")
        left.plot(run["flow_time"], expected[:, i], color=color, linestyle="--", linewidth=1.2)
        left.plot(run["flow_time"], other[:, i], color=color, linestyle=":", linewidth=1.2)
    left.set(xlabel="flow time $t$", ylabel=r"mode $u_i^\top W v_i$", xlim=(0, None))
    left.legend(loc=(0.55, 0.6))
    scales = [one["scale"][0] for one in runs[0]]
    for starts, color, label in ((plain, COLORS[3], "not orthogonalized"), (effective, COLORS[2], "orthogonalized")):
        band(right, scales, effective_deviations(runs, starts, values), color, label, marker=".")
    right.set(xscale="log", yscale="log", xlabel="scale $a$ of the layers", ylabel=r"largest deviation / $s^\ast$")
    right.legend(loc="lower right", title=r"directions $c_i$", title_fontsize=8)
    return figure


def draw_escapes(paths: Mapping[str, Any], scales: Mapping[int, Sequence[float]], values: Sequence[float]):
    """Escape times s* T against a: aligned (dots on the curve of the integral), random (bands)."""
    figure, (axes,) = new_figure(1, len(scales))
    for panel, (depth, mine) in zip(axes, scales.items()):
        fine = np.geomspace(mine[-1], mine[0], 60)
        for i, (color, value) in enumerate(zip(COLORS, values)):
            band(panel, mine, escapes(paths, "balanced", depth, values)[:, :, i], color, None, linewidth=1)
            panel.plot(mine, escapes(paths, "aligned", depth, values)[0, :, i], "o", color=color, markersize=4,
                       label=f"$s^\\ast$ = {value:g}")
            panel.plot(fine, [escape_time(depth, a, value) for a in fine], **{**PREDICTION, "color": color})
        panel.set(xscale="log", title=f"N = {depth}", xlabel="scale $a$ of the layers")
        panel.set_xticks(mine, [f"{a:g}" for a in mine])
        panel.minorticks_off()
        if depth > 2:
            panel.set_yscale("log")
    axes[0].set_ylabel(r"escape time $T$ (flow time)")
    axes[0].legend(loc="upper right")
    return figure
