"""Figures of the study of gradient descent on least squares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.dynamics.least_squares_summary import rows_of
from descent.figures import COLORS, LEVEL, PREDICTION, new_figure, sequence

Table = Mapping[str, Any]


def draw_growth(growth: Table, paths: Table):
    """|θ^k| in one dimension, growth over the step size, and its maps over step size and start."""
    figure, axes = new_figure(2, 2, height=5.8)
    _draw_univariate(axes[0, 0], paths)
    _draw_generic(axes[0, 1], growth)
    for panel, name, title in zip(axes[1], ("random", "diabetes"), ("random problem", "diabetes set")):
        image = _draw_map(panel, rows_of(growth, arithmetic="eigenbasis", problem=name))
        panel.set_title(title)
    figure.colorbar(image, ax=list(axes[1]), label="$\\log_{10}$ of the growth per step", extend="both")
    return figure


def _draw_univariate(panel, paths: Table) -> None:
    runs = [run for name, run in zip(paths["problem"], paths["run"]) if name == "univariate"]
    for color, run in zip(sequence("step", len(set(runs))), dict.fromkeys(runs)):
        rows = rows_of(paths, problem="univariate", run=run)
        panel.plot(rows["step"], abs(1 - float(run)) ** rows["step"], color=color, linewidth=1, linestyle="--",
                   label=rf"$\alpha$ = {float(run):g}")
        panel.scatter(rows["step"], rows["error"], s=7, color=color, rasterized=True)
    panel.set(yscale="log", xlabel="step $k$", ylabel=r"$|\theta^k| \, / \, |\theta^0|$", ylim=(1e-7, 1e10),
              xlim=(-1, 31))
    panel.set_title(r"one dimension, $f = \theta^2/2$")
    panel.legend(loc="upper left", ncols=2, handlelength=1.5, columnspacing=0.8)


def _draw_generic(panel, growth: Table) -> None:
    kept = np.array(growth["arithmetic"]) == "double"
    for color, name in zip(COLORS, dict.fromkeys(np.array(growth["problem"])[kept].tolist())):
        rows = rows_of(growth, arithmetic="double", problem=name)
        ratios, means = np.unique(rows["ratio"]), []
        for replicate in np.unique(rows["replicate"]):
            each = [(rows["replicate"] == replicate) & (rows["ratio"] == a) for a in ratios]
            means.append([rows["late"][chosen].mean() for chosen in each])
            panel.plot(ratios, [rows["factor"][chosen][0] for chosen in each], color=color, linewidth=0.7,
                       label=name if replicate == 0 else None)
        panel.scatter(np.tile(ratios, len(means)), means, s=5, color=color, rasterized=True)
    panel.axhline(1, **LEVEL)
    panel.axvline(1, **LEVEL)
    panel.set(xlabel=r"step size $\alpha \, / \, (2/\rho)$", ylabel="growth of the error per step")
    panel.set_title("random starts")
    for line in panel.legend(loc="upper left").get_lines():
        line.set_linewidth(2)


def _draw_map(panel, rows: Table):
    from matplotlib.colors import SymLogNorm

    tops, ratios = np.unique(rows["top"]), np.unique(rows["ratio"])
    order = np.lexsort((rows["ratio"], rows["top"]))
    log_growth = np.log10(rows["growth"])[order].reshape(len(tops), len(ratios))
    # Rows of the same height, the largest eigenvalue of the start on top: the spectrum itself is far from even.
    edges = np.arange(len(tops) + 1) + 0.5
    scale = SymLogNorm(linthresh=1e-3, vmin=-0.5, vmax=0.5)
    image = panel.pcolormesh(np.linspace(0, 3, len(ratios) + 1), edges, log_growth, cmap="RdBu_r", norm=scale,
                             rasterized=True)
    panel.step(np.append(1 / tops, 1 / tops[-1]), edges, where="pre", color="black", linewidth=1.4)
    labels = np.unique(np.linspace(0, len(tops) - 1, 6).astype(int))
    panel.set_yticks(labels + 1, [f"{tops[i]:.2g}" for i in labels])
    panel.set(xlabel=r"step size $\alpha \, / \, (2/\rho)$", ylabel=r"largest $\lambda_i/\rho$ in the start",
              xlim=(0, 3))
    panel.grid(visible=False)
    return image


def draw_exceptional(paths: Table, departures: Table, ratio: float):
    """One exceptional start in three number types, and the departure from many against the number of bits."""
    figure, ((left, right),) = new_figure(1, 2)
    epsilon = {"double": 2.0**-52, "single": 2.0**-23}
    for color, run in zip(COLORS, ("rational", "double", "single")):
        rows = rows_of(paths, problem="exceptional", run=run)
        left.plot(rows["step"], rows["error"] / rows["error"][0], color=color, label=run)
        if run in epsilon:
            left.plot(-np.log(epsilon[run]) / np.log(2 * ratio - 1), 1, "o", color=color, markerfacecolor="none")
    left.set(yscale="log", xlabel="step $k$", ylabel=r"$\|\theta^k - \theta^\star\|$ over its first value")
    left.legend(loc="upper left")
    _draw_departures(right, departures)
    return figure


def _draw_departures(panel, departures: Table) -> None:
    ratios = np.unique(departures["ratio"])
    # Side by side, so that the step sizes do not hide one another.
    shifts = np.linspace(-0.9, 0.9, len(ratios)) if len(ratios) > 1 else [0.0]
    for color, ratio, shift in zip(sequence("step", len(ratios)), ratios, shifts):
        rows = (departures["ratio"] == ratio) & departures["departed"]
        times = departures["step"][rows] * np.log(departures["factor"][rows])
        panel.plot(departures["bits"][rows] + shift, times, ".", color=color, markersize=3, rasterized=True,
                   label=rf"$\alpha \rho / 2$ = {ratio:g}")
    line = np.array([departures["bits"].min(), departures["bits"].max()])
    panel.plot(line, line * np.log(2), **PREDICTION, label=r"bits · $\ln 2$")
    panel.set(xlabel="significant bits", ylabel=r"departure $k$ · $\ln|1 - \alpha\rho|$")
    panel.legend(loc="upper left", markerscale=2)
