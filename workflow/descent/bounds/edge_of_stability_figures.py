"""Figures of the edge-of-stability study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.bounds.edge_of_stability import runs
from descent.curvature.spectral_density import smoothed_density
from descent.figures import band, new_figure, sequence

TITLES = {"start": "start", "sharpest": "sharpest record", "end": "end"}


def draw_sharpness(table: Mapping[str, Any], settings: Mapping[str, Any]):
    """Sharpness with 2/η dashed, least eigenvalue, and loss, against flow time."""
    figure, ((left, middle, right),) = new_figure(1, 3, height=3.4)
    times = np.unique(table["flow_time"])
    rates = sorted((settings["reference_rate"], *settings["rates"]))
    for color, eta in zip(sequence("step", len(rates)), rates):
        label = rf"$\eta$ = {eta:g}"
        band(left, times, runs(table, "greatest", eta), color, label)
        band(middle, times, runs(table, "least", eta), color, label)
        band(right, times, runs(table, "loss", eta), color, label)
        if eta != settings["reference_rate"]:
            left.axhline(2 / eta, color=color, linestyle="--", linewidth=1)
    left.set(ylabel=r"sharpness $\lambda_{max}$", ylim=(0, None))
    middle.set(ylabel=r"least eigenvalue $\lambda_{min}$")
    middle.set_yscale("symlog", linthresh=1e-3)
    right.set(ylabel="loss $L$", yscale="log")
    right.legend(loc="upper right")
    for panel in (left, middle, right):
        panel.set_xlabel(r"flow time $t = \eta k$")
        panel.xaxis.get_major_locator().set_params(nbins=3)
    return figure


def draw_density(density: Mapping[str, Any], states: Sequence[str]):
    """Smoothed density of the Hessian's eigenvalues at each of the `states`, on one axis of eigenvalues."""
    figure, (axes,) = new_figure(1, len(states), sharey=True, sharex=True)
    low, high = density["node"].min(), density["node"].max()
    points, width = np.linspace(1.1 * low - 0.05 * high, 1.05 * high, 1500), 0.012 * high
    for panel, name, color in zip(axes, states, sequence("time", len(states))):
        rows = np.array(density["state"]) == name
        probes = density["probe"][rows].max() + 1
        values = smoothed_density(density["node"][rows], density["weight"][rows] / probes, points, width)
        panel.fill_between(points, 1e-6, np.maximum(values, 1e-6), color=color, alpha=0.4, linewidth=0)
        panel.plot(points, np.maximum(values, 1e-6), color=color, linewidth=1)
        panel.set(yscale="log", ylim=(1e-4, None), xlabel=r"eigenvalue $\lambda$",
                  title=f"{TITLES[name]}, $t$ = {density['flow_time'][rows][0]:g}")
    axes[0].set_ylabel("density of eigenvalues")
    return figure
