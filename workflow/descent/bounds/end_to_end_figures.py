"""Figures of the end-to-end study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.bounds.end_to_end import groups, radial_shares
from descent.figures import DEPTHS, LEVEL, THEORY, band, new_figure

TITLES = {"balanced": "balanced start", "gaussian": "Gaussian start"}


def chosen(paths: Mapping[str, Any], start: str, depth: int) -> np.ndarray:
    """Rows of one start and depth."""
    return (np.array(paths["start"]) == start) & (paths["depth"] == depth)


def draw_trajectories(paths: Mapping[str, Any], depths: Sequence[int]):
    """The two directions in which w moves most, network (wide, pale) against end-to-end update (dashed)."""
    figure, (axes,) = new_figure(1, 2, sharex=True, sharey=True)
    middle = paths["network"][chosen(paths, "balanced", depths[0])][-1]
    _, _, directions = np.linalg.svd(paths["network"] - middle, full_matrices=False)
    for panel, (start, title) in zip(axes, TITLES.items()):
        for depth in depths:
            rows, color = chosen(paths, start, depth), DEPTHS[depth]
            network, direct = (paths[name][rows] @ directions[:2].T for name in ("network", "end_to_end"))
            panel.plot(*network.T, color=color, linewidth=4, alpha=0.35)
            panel.plot(*direct.T, color=color, linestyle="--", linewidth=1.2)
        panel.plot(*(middle @ directions[:2].T), marker="*", color=THEORY, markersize=9, linestyle="none")
        panel.set(title=title, xlabel="first principal direction of $w$")
    axes[0].set_ylabel("second principal direction")
    lines = [axes[0].plot([], [], color=DEPTHS[depth], label=f"N = {depth}")[0] for depth in depths]
    lines += axes[0].plot([], [], color=THEORY, linewidth=4, alpha=0.35, label="network")
    lines += axes[0].plot([], [], color=THEORY, linestyle="--", linewidth=1.2, label="end-to-end update")
    figure.legend(handles=lines, loc="outside lower center", ncols=len(lines))
    return figure


def draw_distance(tables: Mapping[str, Mapping[str, Any]], depths: Sequence[int]):
    """Largest distance against η, balanced (solid) and Gaussian (dotted), with a line of slope 1."""
    figure, (axes,) = new_figure(1, len(tables), sharey=True)
    for panel, (name, table) in zip(axes, tables.items()):
        etas = np.unique(table["eta"])[::-1]
        for depth in depths:
            for start, line in (("balanced", "-"), ("gaussian", "-.")):
                label = f"N = {depth}" if start == "balanced" else None
                band(panel, etas, groups(table, start=start, depth=depth), DEPTHS[depth], label, linestyle=line,
                     marker=".")
        low = groups(table, start="balanced", depth=depths[0])[:, -1].min()
        panel.plot(etas, 0.5 * low * etas / etas[-1], **LEVEL, label="slope 1")
        panel.set(xscale="log", yscale="log", xlabel=r"learning rate $\eta$", title=name.replace("_", " "))
    axes[0].set_ylabel(r"largest distance / $\|w^\ast\|$")
    axes[-1].legend(loc="lower right")
    return figure


def draw_mechanism(powers: Mapping[str, Any], paths: Mapping[str, Any], depths: Sequence[int]):
    """tau.3.1's residual along the flow, and the share of the speed along w."""
    figure, ((left, right),) = new_figure(1, 2)
    for depth in depths:
        color = DEPTHS[depth]
        for start, line in (("balanced", "-"), ("gaussian", "-.")):
            rows = (np.array(powers["start"]) == start) & (powers["depth"] == depth)
            times = np.unique(powers["flow_time"][rows])
            samples = np.maximum(powers["residual"][rows].reshape(-1, len(times)), 1e-17)
            band(left, times, samples, color, f"N = {depth}" if start == "balanced" else None, linestyle=line)
        rows = chosen(paths, "balanced", depth)
        deep, plain = radial_shares(paths["network"][rows], paths["gradient"][rows], depth)
        right.plot(paths["flow_time"][rows], deep, color=color, label=f"N = {depth}")
        right.plot(paths["flow_time"][rows], plain, color=color, linestyle="-.", linewidth=1)
    left.set(yscale="log", xlabel="flow time $t$", ylabel="relative residual of the power identity")
    left.legend(loc="center right")
    right.set(xlabel=r"flow time $t = \eta k$", ylabel="share of the squared speed along $w$", ylim=(-0.03, 1.03))
    right.legend(loc="upper right")
    return figure
