"""Figures of the study of wide and sharp minima (snu.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.bounds.interval_descent import greatest_curvature
from descent.bounds.wide_minima import DIVERGENCE_STEP
from descent.bounds.wide_minima_summary import kept_share, shares
from descent.dynamics.scalar_descent import CYCLE, DIVERGED, ENDS, SHARP, UNDECIDED, WIDE
from descent.dynamics.two_minima import STARTS, crisis, curvature, evaluate, stationary_points, value
from descent.figures import COLORS, LEVEL, PREDICTION, THEORY, new_figure
from descent.statistics import CLAIM_LEVEL, binomial_interval

# Classes of the maps: the ends, with cycles told apart by their period.
CLASSES = (("sharp minimum", COLORS[0]), ("wide minimum", COLORS[2]), ("cycle of period 2", COLORS[4]),
           ("cycle of period 4", COLORS[3]), ("longer cycle", COLORS[7]), ("bounded, no end found", COLORS[6]),
           ("diverges", COLORS[1]))


def classes(table: Mapping[str, Any]) -> np.ndarray:
    """Index into `CLASSES` for every run."""
    cycle = np.select([table["period"] == 2, table["period"] == 4], [2, 3], 4)
    return np.select([table["end"] == end for end in (SHARP, WIDE, CYCLE, UNDECIDED)], [0, 1, cycle, 5], 6)


def draw_landscape(steps: Sequence[float]):
    """f and f″ on the starts' interval; dashed: 2/α for `steps`, the largest f″ that a stable minimum can have."""
    figure, ((left, right),) = new_figure(1, 2, height=3.0)
    grid = np.linspace(*STARTS, 1001)
    sharp, boundary, wide = stationary_points()
    left.plot(grid, evaluate(value, grid), color=COLORS[6])
    right.plot(grid, evaluate(curvature, grid), color=COLORS[6])
    for place, color, name in ((sharp, COLORS[0], "sharp"), (wide, COLORS[2], "wide")):
        bend = float(evaluate(curvature, place))
        left.plot(place, evaluate(value, place), "o", color=color,
                  label=f"{name}: $f'' = {bend:.3g}$, $2/f'' = {2 / bend:.3g}$")
        right.plot(place, bend, "o", color=color)
    left.vlines(boundary, -8, evaluate(value, boundary), **LEVEL)
    right.axvline(boundary, **LEVEL)
    for color, step in zip((COLORS[3], COLORS[4], COLORS[1]), steps):
        right.axhline(2 / step, color=color, linestyle="--", linewidth=1, label=rf"$2/\alpha$, $\alpha = {step:g}$")
    left.set(xlabel=r"$\theta$", ylabel=r"$f(\theta)$", ylim=(-8, 320))
    left.legend(loc="upper right", handletextpad=0.2, borderaxespad=0)
    right.set_yscale("symlog", linthresh=1)
    right.set(xlabel=r"$\theta$", ylabel=r"$f''(\theta)$", ylim=(-200, 600), yticks=[-100, -10, -1, 0, 1, 10, 100])
    right.set_yticklabels(["−100", "−10", "−1", "0", "1", "10", "100"])
    right.legend(loc="lower right")
    return figure


def _shading() -> dict[str, Any]:
    from matplotlib.colors import ListedColormap

    colors = ListedColormap([color for _, color in CLASSES])
    return {"cmap": colors, "vmin": -0.5, "vmax": len(CLASSES) - 0.5, "shading": "nearest", "rasterized": True}


def _map(axes, table: Mapping[str, Any], rows: int) -> list[int]:
    steps, starts = table["alpha"].reshape(-1, rows)[:, 0], table["start"][:rows]
    found = classes(table)
    axes.pcolormesh(steps, starts, found.reshape(-1, rows).T, **_shading())
    axes.set(ylabel=r"start $\theta^0$", xlim=(steps[0], steps[-1]))
    axes.grid(False)
    return sorted(np.unique(found).tolist())


def _legend(figure, present: Sequence[int]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=CLASSES[i][1], label=CLASSES[i][0]) for i in present]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)


def _thresholds(axes, top: float | None = None) -> None:
    sharp, _, wide = stationary_points()
    lines = [(1 / greatest_curvature()[1], r"$1/\max f''$", ":"), (DIVERGENCE_STEP, "21/20", ":"),
             (2 / float(evaluate(curvature, sharp)), "$2/f''$, sharp", "--"),
             (2 / float(evaluate(curvature, wide)), "$2/f''$, wide", "--")]
    for step, text, line in lines:
        axes.axvline(step, color="white" if top else THEORY, linestyle=line, linewidth=1.2 if top else 1)
        if top:
            side = {"ha": "right", "x": step / 1.05} if line == ":" else {"ha": "left", "x": step * 1.08}
            axes.text(side["x"], top, text, rotation=90, va="top", ha=side["ha"], fontsize=7.5, color="white")


def draw_basins(table: Mapping[str, Any], rows: int, ends: Mapping[str, Any]):
    """The map of ends over steps and starts; below it the shares of the ends, with those of the random starts."""
    figure, ((top,), (bottom,)) = new_figure(2, 1, height=5.6, sharex=True, height_ratios=[2.2, 1])
    present = _map(top, table, rows)
    _thresholds(top, 19.4)
    _thresholds(bottom)
    steps, parts = shares(table)
    colors = {SHARP: COLORS[0], WIDE: COLORS[2], CYCLE: COLORS[4], UNDECIDED: COLORS[6], DIVERGED: COLORS[1]}
    total = sum(ends[name] for name in ENDS)
    for end, color in colors.items():
        bottom.plot(steps, np.where(parts[:, end] > 0, parts[:, end], np.nan), color=color, linewidth=1.2)
        share = ends[ENDS[end]] / total
        low, high = binomial_interval(ends[ENDS[end]], total, CLAIM_LEVEL)
        kept = share > 0
        bottom.errorbar(ends["alpha"][kept], share[kept], [(share - low)[kept], (high - share)[kept]], fmt="o",
                        color=color, markersize=4, capsize=3)
    kept = steps[steps < crisis()]
    exact = np.array([kept_share(float(alpha)) for alpha in kept])
    bottom.plot(kept, exact, kept, 1 - exact, **PREDICTION)
    bottom.set(xscale="log", xlabel=r"step $\alpha$", ylabel="share of the starts", ylim=(-0.04, 1.06))
    _legend(figure, present)
    return figure


def draw_window(table: Mapping[str, Any], rows: int):
    """Near 2/f″ of the sharp minimum: the map of ends, and where the runs that do not go to the wide minimum end."""
    figure, ((top,), (bottom,)) = new_figure(2, 1, height=5.2, sharex=True)
    present = _map(top, table, rows)
    kept = table["end"] != WIDE
    limit = 2 / float(evaluate(curvature, stationary_points()[0]))
    steps, edges = np.unique(table["alpha"]), np.linspace(-3.6, 3.6, 181)
    last = np.full((len(steps), len(edges) - 1), np.nan)
    places = np.clip(np.digitize(table["position"][kept], edges) - 1, 0, len(edges) - 2)
    last[np.searchsorted(steps, table["alpha"][kept]), places] = classes(table)[kept]
    bottom.pcolormesh(steps, (edges[1:] + edges[:-1]) / 2, last.T, **_shading())
    for place, line in ((limit, "--"), (crisis(), ":")):
        top.axvline(place, color="white", linestyle=line, linewidth=1.2)
        bottom.axvline(place, color=THEORY, linestyle=line, linewidth=1)
    bottom.set(xlabel=r"step $\alpha$", ylabel=r"last position $\theta$")
    _legend(figure, present)
    return figure
