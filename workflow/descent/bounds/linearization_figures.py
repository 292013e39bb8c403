"""Drawing what the study of linearization found; each function returns a figure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from descent.bounds import linearization_checks as checks
from descent.bounds.linearization import DIRECTIONS
from descent.bounds.linearization_summary import DATA, rows_of, smoothness_column, with_relative_movement
from descent.figures import COLORS, THEORY, new_figure
from descent.networks.smooth_activation import ACTIVATIONS

Table = Mapping[str, np.ndarray]
DIRECTION_NAMES = {"gaussian": "Gaussian", "gradient": "along the gradient", "parallel": "parallel to $x$",
                   "one_signed": "parallel, one sign", "steepest": "parallel, one sign, steepest $W_0$"}
ACTIVATION_NAMES = {"softplus": "softplus", "tanh": "tanh", "quadratic": "$z^2/2$"}
SIGN_COLORS = {"random": COLORS[0], "equal": COLORS[1]}


def draw_ratios(table: Table):
    """Distribution of gap over bound for each activation and direction; how often the printed bound fails."""
    figure, axes = new_figure(2, 2, height=5.6)
    for panel, (name, activation) in zip(axes.flat, ACTIVATIONS.items(), strict=False):
        chosen = rows_of(table, "activation", name)
        ratios = checks.bound_ratios(chosen, activation.smoothness)
        for direction, color in zip(DIRECTIONS, COLORS, strict=False):
            values = np.sort(ratios[chosen["direction"] == direction])
            panel.step(values, np.arange(1, len(values) + 1) / len(values), color=color, where="post",
                       label=DIRECTION_NAMES[direction])
        panel.axvline(1, color=THEORY, linestyle="--", linewidth=1)
        panel.set(xscale="log", xlim=(1e-4, 2), title=ACTIVATION_NAMES[name], ylabel="fraction of draws below",
                  xlabel="gap over corrected bound")
    _draw_failures(axes[1, 1], table)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _draw_failures(panel, table: Table) -> None:
    other = checks.printed_failures(table, smoothness_column(table), False)
    same = checks.printed_failures(table, smoothness_column(table), True)
    scales = np.unique(table["scale"])
    for name, marker in zip(ACTIVATIONS, ("o", "s", "^"), strict=True):
        here = np.asarray(table["activation"]) == name
        panel.semilogx(scales, [other[here & (table["scale"] == scale)].mean() for scale in scales], color=COLORS[5],
                       marker=marker, markersize=3.5, label=f"$V$ by itself, {ACTIVATION_NAMES[name]}")
    panel.semilogx(scales, [same[table["scale"] == scale].mean() for scale in scales], color=COLORS[7],
                   label="$V = W$, all three")
    panel.set(xlabel="scale of the displacements", ylabel="fraction of draws", ylim=(-0.03, 1.05),
              title="The printed bound fails")
    panel.legend(loc="lower left", fontsize=7)


def draw_outputs(trajectory: Table):
    """Outputs on a few samples against flow time at three widths: network, and trained linearization (replicate 0)."""
    first = rows_of(trajectory, "replicate", trajectory["replicate"].min())
    widths = np.unique(first["width"])
    figure, (panels,) = new_figure(1, 3, height=2.9, sharey=True)
    for panel, width in zip(panels, widths[[0, len(widths) // 2, -1]], strict=True):
        rows = rows_of(first, "width", width)
        for i, color in zip(range(rows["outputs"].shape[1]), COLORS, strict=False):
            panel.plot(rows["flow_time"], rows["outputs"][:, i], color=color, linewidth=3, alpha=0.45,
                       label="network" if i == 0 else None)
            panel.plot(rows["flow_time"], rows["model"][:, i], color=color, linewidth=1.2, linestyle="--",
                       label="linearized network" if i == 0 else None)
        panel.set(title=f"$m = {width}$", xlabel="flow time $t$")
    panels[0].set_ylabel("output less output at the start")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def draw_widths(tables: Mapping[str, Table]):
    """Gap, distance to the trained linearization and weight movement against the width; one row for each data set."""
    names = list(dict.fromkeys(name.rpartition("_")[0] for name in tables))
    figure, axes = new_figure(len(names), 3, height=0.9 + 2.5 * len(names), sharex=True)
    for row, name in zip(axes, names, strict=True):
        for signs, color in SIGN_COLORS.items():
            table = with_relative_movement(tables[f"{name}_{signs}"])
            _draw_law(row[0], table, "gap", color, signs)
            _draw_law(row[1], table, "model_gap", color, signs)
            _draw_law(row[2], table, "movement", color, signs)
            _draw_law(row[2], table, "relative_movement", color, signs, marker="s")
            widths, movement = checks.greatest_over_time(table, "movement")
            bounds = ACTIVATIONS["softplus"].smoothness / 2 * movement**2 / np.sqrt(widths)
            _line(row[0], widths, bounds, color, ":")
        row[0].set_ylabel(f"{DATA[name]} data")
        for panel in row:
            panel.set(xscale="log", yscale="log")
    titles = (r"$\sup_t\max_i|f(W_t)-f_0(W_t)|$", r"$\sup_t\max_i|f(W_t)-f_0(V_t)|$", "Movement of the weights")
    for panel, title in zip(axes[0], titles, strict=True):
        panel.set_title(title)
    for panel in axes[-1]:
        panel.set_xlabel("width $m$")
    axes[0, 0].plot([], [], color=THEORY, linestyle=":", label=r"bound of 2c at the measured movement")
    axes[0, 0].plot([], [], color=THEORY, marker="s", linestyle="", markersize=3, label="movement over $\\|W_0\\|_F$")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _draw_law(panel, table: Table, column: str, color: str, signs: str, marker: str = "o") -> None:
    widths, values = checks.greatest_over_time(table, column)
    panel.plot(widths, values, marker, color=color, markersize=2.5, alpha=0.6)
    slope, _ = checks.width_slope(widths, values, 0.05)
    fitted = np.exp(np.log(values).mean() + slope * (np.log(widths) - np.log(widths).mean()))
    _line(panel, widths, fitted, color, "-", label=f"{signs} signs" if column == "gap" else None)
    panel.annotate(f"$m^{{{slope:.2f}}}$", (widths.max(), fitted[np.argmax(widths)]), color=color, fontsize=8,
                   ha="right", va="bottom", xytext=(0, 3), textcoords="offset points")


def _line(panel, widths: np.ndarray, values: np.ndarray, color: str, style: str, label: str | None = None) -> None:
    distinct = np.unique(widths)
    means = [np.exp(np.log(values[widths == width]).mean()) for width in distinct]
    panel.plot(distinct, means, color=color, linestyle=style, linewidth=1.2, label=label)
