"""Figures of the study width_order: error against iteration by width, and the sweep as a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.dynamics.order_summary import NAMES
from descent.dynamics.width_order import best_rows
from descent.figures import LEVEL, THEORY, label_ends, new_figure, sequence

CUT = 0.4  # of the zero network's error: the linear axis ends below the start, where all curves fall alike


def draw_mse(runs: Sequence[tuple[str, Mapping[str, Any], Mapping[str, Any]]], level: float):
    """A column for each (title, metrics, endings): mean squared error against iteration, linear above, log below.

    Means and extremes over the replicates, labelled by the width factor; dotted: `level` times the zero network's.
    """
    figure, axes = new_figure(2, len(runs), height=5.0, sharey="row", sharex="col")
    labels: list[tuple] = []
    for (top, bottom), (title, metrics, endings) in zip(axes.T, runs):
        factors = np.unique(endings["factor"]).tolist()
        ends = [_curve(color, factor, metrics, endings, (top, bottom)) for color, factor in zip(
            sequence("width", len(factors)), factors)]
        bottom.axhline(2 * level * endings["null_risk"].mean(), **LEVEL)
        top.set_title(title, fontsize=8.5)
        bottom.set(yscale="log", xlabel="iteration / 1000")
        bottom.minorticks_off()
        labels += [(panel, ends) for panel in (top, bottom)]
    axes[0, 0].set_ylabel("mean squared error")
    axes[1, 0].set_ylabel("mean squared error")
    axes[0, 0].set_ylim(0, CUT * max(2 * endings["null_risk"].mean() for _, _, endings in runs))
    for panel, ends in labels:
        label_ends(panel, [end for end in ends if end], 0.085)
    return figure


def _curve(color, factor, metrics, endings, panels):
    rows = metrics["factor"] == factor
    epochs, steps = metrics["epoch"][rows], metrics["step"][rows]
    per_epoch = int(steps[0] // epochs[0])
    curves = np.full((len(np.unique(metrics["replicate"])), int(metrics["epoch"].max())), np.nan)
    curves[np.unique(metrics["replicate"][rows], return_inverse=True)[1], epochs - 1] = 2 * metrics["objective"][rows]
    curves = curves[np.isfinite(curves).all(axis=1)]
    if not len(curves):
        return None
    first = 2 * endings["first_risk"][endings["factor"] == factor].mean()
    time = (np.arange(curves.shape[1]) + 0.5) * per_epoch / 1000
    for panel in panels:
        panel.plot(np.r_[0, time], np.r_[first, curves.mean(axis=0)], color=color, linewidth=1.3)
        panel.fill_between(time, curves.min(axis=0), curves.max(axis=0), color=color, alpha=0.2, linewidth=0,
                           rasterized=True)
    return curves[:, -1].mean(), f"\u00d7{factor}", color


def draw_sweep(rows: Sequence[Mapping[str, Any]], optimizers: Sequence[Mapping[str, Any]], starts: Sequence[str],
               powers: Sequence[int], counts: Mapping[str, int]):
    """Maps of the screened settings, initialization against learning rate: the order above, the worst risk below.

    A column for each optimizer and batch size, a row for each rule of the learning rate; crosses: a run diverges.
    """
    short = [row for row in rows if not row["full"]]
    marks = [("D", row) for row in short if row["for_document"]]
    marks += [(letter, row) for letter, purpose in (("O", "order"), ("Z", "near_zero"))
              for row in best_rows(short, purpose, counts[purpose])]
    ratios = [len(one["rates"]) + 0.6 for one in optimizers]
    lines = 2 * len(powers)
    figure, axes = new_figure(lines, len(optimizers), height=1.25 * lines + 0.8, width_ratios=ratios)
    for half, (name, colors, limits, label) in enumerate((
            ("order", "RdBu", (-1, 1), "rank correlation\nof width and speed"),
            ("worst_risk", "viridis_r", (-3, 0), r"$\log_{10}$ of the worst" "\nrelative risk"))):
        panels = axes[half * len(powers) : (half + 1) * len(powers)]
        for power, line in zip(powers, panels):
            for one, panel in zip(optimizers, line):
                image = _map(panel, [row for row in short if row["power"] == power], one, starts, name, colors, limits)
                _mark(panel, marks, one, starts, power)
            line[0].set_yticks(np.arange(len(starts)) + 0.5, [start.replace("_", "-") for start in starts])
            line[0].set_ylabel(r"$\eta$ for all widths" if power == 0 else r"$\eta\, r_0 / r$", fontsize=8)
        figure.colorbar(image, ax=panels, label=label, fraction=0.06, aspect=14).solids.set_rasterized(True)
    for one, panel in zip(optimizers, axes[0]):
        panel.set_title(f"{NAMES[one['name']]}\n$m$ = {one['batch_size']}", fontsize=8)
    for one, panel in zip(optimizers, axes[-1]):
        panel.set_xticks(np.arange(len(one["rates"])) + 0.5, [f"{rate:g}" for rate in one["rates"]], rotation=90)
    figure.supxlabel(r"initial learning rate $\eta$", fontsize=9)
    return figure


def _map(panel, rows, one, starts, name, colors, limits):
    values = np.full((len(starts), len(one["rates"])), np.nan)
    for row in rows:
        if (row["optimizer"], row["batch_size"]) == (one["name"], one["batch_size"]):
            place = starts.index(row["initialization"]), one["rates"].index(row["rate"])
            values[place] = row[name] if name == "order" else np.log10(row[name])
            if row["diverged"]:
                panel.plot(place[1] + 0.5, place[0] + 0.5, "x", color=THEORY, markersize=5)
                values[place] = np.nan
    panel.grid(False)
    panel.set(xticks=[], yticks=[], facecolor="#eeeeee")
    return panel.pcolormesh(values, cmap=colors, vmin=limits[0], vmax=limits[1], edgecolors="#ffffff", linewidth=0.8,
                            rasterized=True)


def _mark(panel, marks, one, starts, power):
    letters: dict[tuple[float, float], str] = {}
    for letter, row in marks:
        if (row["optimizer"], row["batch_size"], row["power"]) == (one["name"], one["batch_size"], power):
            place = one["rates"].index(row["rate"]) + 0.5, starts.index(row["initialization"]) + 0.5
            letters[place] = letters.get(place, "") + letter
    for place, text in letters.items():
        panel.text(*place, text, ha="center", va="center", fontsize=8, fontweight="bold", color="#000000",
                   bbox={"boxstyle": "round,pad=0.15", "facecolor": "#ffffff", "edgecolor": "none", "alpha": 0.8})
