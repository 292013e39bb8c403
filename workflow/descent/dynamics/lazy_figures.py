"""Drawing what the study of lazy and rich training found; each function returns a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.dynamics.lazy_training import final_rows, finite, greatest_rows, moment_slope, tangent_rows
from descent.figures import COLORS, MEASURED, PREDICTION, THEORY, band, label_ends, new_figure, sequence

Table = Mapping[str, np.ndarray]
RUN_NAMES = {"relu": "ReLU, twins", "smooth": "smooth, twins", "centred": "smooth, no twins", "digits": "ReLU, digits"}


def draw_scaling(metrics: Mapping[str, Table], looks: Mapping[str, Table], lazy: Sequence[float],
                 lazy_relu: Sequence[float]):
    """Movement, kernel drift and greatest distance from the tangent model against α, with the fitted powers.

    Points are root mean squares over replicates; slopes of the ReLU's drift and distance are fitted over `lazy_relu`.
    """
    figure, (panels,) = new_figure(1, 3, height=3.7)
    for color, name in zip(COLORS, RUN_NAMES, strict=False):
        table, curve = finite(looks[name]), finite(metrics[name])
        scales, range_of_flips = np.unique(table["scale"]), lazy_relu if name in ("relu", "digits") else lazy
        _draw_power(panels[0], scales, final_rows(table, "movement"), lazy, color)
        _draw_power(panels[1], scales, final_rows(table, "drift"), range_of_flips, color)
        _draw_power(panels[2], scales, greatest_rows(curve, "deviation"), range_of_flips, color)
    names = ("movement", "kernel drift", "distance from limit")
    titles = (r"$\|\theta-\theta(0)\|\,/\,\|\theta(0)\|$", r"$\|K-K(0)\|_F\,/\,\|K(0)\|_F$",
              r"$\mathrm{sup}_t\,\|u-\bar u\|\,/\,\|y\|$")
    for panel, title, name in zip(panels, titles, names, strict=True):
        panel.set(xscale="log", yscale="log", xlabel=r"output scale $\alpha$", title=f"{name}\n{title}")
        panel.legend(loc="lower left", fontsize=7, title="fitted power", title_fontsize=7, handlelength=1)
    lines = [panels[0].plot([], [], "o-", color=color, markersize=3)[0] for color, _ in zip(COLORS, RUN_NAMES)]
    figure.legend(lines, RUN_NAMES.values(), loc="outside lower center", ncols=len(RUN_NAMES))
    return figure


def _draw_power(panel, scales: np.ndarray, values: np.ndarray, between: Sequence[float], color: str) -> None:
    slope, lazy = moment_slope(scales, values, between, 2), (scales >= between[0]) & (scales <= between[1])
    centre = np.sqrt(np.mean(values**2, axis=0))
    panel.plot(scales, centre, "o", color=color, markersize=2.5)
    level = np.mean(np.log(centre[lazy]) - slope * np.log(scales[lazy]))
    panel.plot(scales[lazy], np.exp(level) * scales[lazy] ** slope, color=color, linewidth=1, label=f"${slope:.2f}$")


def draw_curves(metrics: Table, looks: Table, shown: int = 4):
    """Squared error against flow time for some scales and the tangent model; test error against the scale."""
    figure, ((curves, errors),) = new_figure(1, 2, height=3.5)
    scales = np.unique(finite(metrics)["scale"])
    picked = [*scales[np.unique(np.linspace(0, 0.4 * len(scales), shown).astype(int))], np.inf]
    ends = []
    for color, scale in zip((*sequence("scale", len(picked) - 1), THEORY), picked, strict=True):
        rows = {name: values[metrics["scale"] == scale] for name, values in metrics.items()}
        samples = rows["squared_error"].reshape(len(np.unique(rows["replicate"])), -1)
        times = rows["flow_time"][: samples.shape[1]]
        mean = np.exp(np.log(samples).mean(axis=0))
        curves.plot(times, mean, color=color, linestyle="-" if np.isfinite(scale) else "--")
        ends.append((mean[-1], f"{scale:.3g}" if np.isfinite(scale) else r"$\infty$", color))
    curves.set(yscale="log", xlabel=r"flow time $t=\eta k$", ylabel=r"$\|u-y\|^2\,/\,\|y\|^2$",
               title=r"Training error, by $\alpha$")
    label_ends(curves, ends)
    band(errors, scales, final_rows(finite(looks), "test_error"), MEASURED, "trained networks", marker="o",
         markersize=3)
    limit = tangent_rows(looks)["test_error"]
    errors.axhline(limit.mean(), **PREDICTION, label=r"tangent model, $\alpha\to\infty$")
    errors.set(xscale="log", xlabel=r"output scale $\alpha$", ylabel="mean squared error on fresh samples",
               title="Test error at the last flow time", ylim=(0, None))
    errors.legend(loc="lower right")
    return figure


def draw_plane(table: Table, teacher: Mapping[str, Any]):
    """|a_r| w_r before (grey) and after training, coloured by the sign of a_r; lines along the teacher's directions."""
    scales = sorted(set(table["scale"].tolist()))
    figure, (panels,) = new_figure(1, len(scales), height=2.9)
    for panel, scale in zip(panels, scales, strict=True):
        rows = {name: values[table["scale"] == scale] for name, values in table.items()}
        reach = 1.1 * max(np.abs(rows[name]).max() for name in ("end_1", "end_2", "start_1", "start_2"))
        for direction, sign in zip(teacher["directions"], teacher["signs"], strict=True):
            panel.plot([0, 2 * reach * direction[0]], [0, 2 * reach * direction[1]], linewidth=4, alpha=0.3,
                       color=COLORS[0 if sign > 0 else 1])
        panel.plot(rows["start_1"], rows["start_2"], "o", color="0.6", markersize=3.5, alpha=0.6, label="before")
        for sign, color, label in ((1, COLORS[0], "after, $a_r>0$"), (-1, COLORS[1], "after, $a_r<0$")):
            one = rows["sign"] == sign
            panel.plot(rows["end_1"][one], rows["end_2"][one], ".", color=color, markersize=3.5, label=label)
        panel.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", title=rf"$\alpha={scale:.3g}$",
                  xlabel=r"$|a_r|\,w_{r,1}$")
    panels[0].set_ylabel(r"$|a_r|\,w_{r,2}$")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
