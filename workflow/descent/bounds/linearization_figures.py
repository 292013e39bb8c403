"""Drawing what the study of linearization found; each function returns a figure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from descent.bounds import linearization_checks as checks
from descent.bounds.linearization import DIRECTIONS
from descent.bounds.linearization_summary import DATA, rows_of, smoothness_column, with_relative_movement
from descent.figures import COLORS, PREDICTION, new_figure
from descent.networks.smooth_activation import SMOOTHNESS
from descent.statistics import power_law

Table = Mapping[str, np.ndarray]
DIRECTION_NAMES = {"gaussian": "Gaussian", "gradient": "along the gradient", "parallel": "parallel to $x$",
                   "one_signed": "parallel, one sign", "steepest": "parallel, one sign, steepest $W_0$"}
ACTIVATION_NAMES = {"softplus": "softplus", "tanh": "tanh", "quadratic": "$z^2/2$"}
SIGN_COLORS = {"random": COLORS[0], "equal": COLORS[1]}


def draw_ratios(table: Table):
    """Distribution of gap over bound for each activation and direction; how often the printed bound fails."""
    figure, axes = new_figure(2, 2, height=5.6)
    for panel, (name, smoothness) in zip(axes.flat, SMOOTHNESS.items(), strict=False):
        chosen = rows_of(table, "activation", name)
        ratios = checks.bound_ratios(chosen, smoothness)
        for direction, color in zip(DIRECTIONS, COLORS, strict=False):
            values = np.sort(ratios[chosen["direction"] == direction])
            shares = np.arange(1, len(values) + 1) / len(values)
            shown = np.unique(np.linspace(0, len(values) - 1, 300).astype(int))
            panel.step(values[shown], shares[shown], color=color, where="post", label=DIRECTION_NAMES[direction])
        panel.axvline(1, **PREDICTION, zorder=1)
        panel.set(xscale="log", xlim=(1e-4, 2), title=ACTIVATION_NAMES[name], ylabel="fraction of draws below",
                  xlabel="gap over corrected bound")
    _draw_failures(axes[1, 1], table)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _draw_failures(panel, table: Table) -> None:
    other = checks.printed_failures(table, smoothness_column(table), False)
    same = checks.printed_failures(table, smoothness_column(table), True)
    scales = np.unique(table["scale"])
    for name, marker, color in zip(SMOOTHNESS, ("o", "s", "^"), COLORS[5:8], strict=True):
        here = np.asarray(table["activation"]) == name
        panel.semilogx(scales, [other[here & (table["scale"] == scale)].mean() for scale in scales], color=color,
                       marker=marker, markersize=3.5, label=f"$V$ by itself, {ACTIVATION_NAMES[name]}")
    panel.semilogx(scales, [same[table["scale"] == scale].mean() for scale in scales], color=COLORS[2],
                   label="$V = W$, all three")
    panel.set(xlabel="scale of the displacements", ylabel="fraction of draws", ylim=(-0.03, 1.05),
              title="The printed bound fails")
    panel.legend(loc="lower left", fontsize=7)


def draw_outputs(trajectory: Table):
    """Outputs of the network and of its trained linearization on a few samples at three widths, and their difference.

    Replicate 0, against flow time.
    """
    first = rows_of(trajectory, "replicate", trajectory["replicate"].min())
    widths = np.unique(first["width"])
    figure, (panels, differences) = new_figure(2, 3, height=4.2, sharex=True, sharey="row")
    for panel, below, width in zip(panels, differences, widths[[0, len(widths) // 2, -1]], strict=True):
        rows = rows_of(first, "width", width)
        for i, color in zip(range(rows["outputs"].shape[1]), COLORS, strict=False):
            panel.plot(rows["flow_time"], rows["outputs"][:, i], color=color, linewidth=3.5, alpha=0.45,
                       label="network" if i == 0 else None)
            panel.plot(rows["flow_time"], rows["model"][:, i], color=color, linewidth=1.2, linestyle="--",
                       label="linearized network" if i == 0 else None)
            below.plot(rows["flow_time"], rows["outputs"][:, i] - rows["model"][:, i], color=color, linewidth=1.2)
        panel.set_title(f"$m = {width}$")
        below.set_xlabel("flow time $t$")
    panels[0].set_ylabel("output less first output")
    differences[0].set_ylabel("difference")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def draw_widths(tables: Mapping[str, Table]):
    """Gap, distance to the trained linearization and weight movement against the width; one row for each data set."""
    names = list(dict.fromkeys(name.rpartition("_")[0] for name in tables))
    figure, axes = new_figure(len(names), 3, height=0.9 + 2.5 * len(names), sharex=True)
    for row, name in zip(axes, names, strict=True):
        for signs, color in SIGN_COLORS.items():
            _draw_run(row, with_relative_movement(tables[f"{name}_{signs}"]), signs, color)
        row[0].set_ylabel(f"{DATA[name]} data")
        for panel in row:
            panel.set(xscale="log", yscale="log")
        _name_movements(row[2], with_relative_movement(tables[f"{name}_random"]))
    titles = (r"$\sup_t\max_i|f(W_t)-f_0(W_t)|$", r"$\sup_t\max_i|f(W_t)-f_0(V_t)|$", "Movement of the weights")
    for panel, title, below in zip(axes[0], titles, axes[-1], strict=True):
        panel.set_title(title)
        below.set_xlabel("width $m$")
    axes[0, 0].plot([], [], **PREDICTION, label="bound of 2c at the measured movement")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _draw_run(row, table: Table, signs: str, color: str) -> None:
    _draw_law(row[0], table, "gap", color, f"{signs} signs")
    _draw_law(row[1], table, "model_gap", color)
    widths, movement = checks.greatest_over_time(table, "movement")
    _line(row[0], widths, SMOOTHNESS["softplus"] / 2 * movement**2 / np.sqrt(widths), color, "--")
    for column in ("movement", "relative_movement"):
        widths, values = checks.greatest_over_time(table, column)
        row[2].plot(widths, values, "o", color=color, markersize=2.5, alpha=0.6)
        _line(row[2], widths, values, color, "-")


def _draw_law(panel, table: Table, column: str, color: str, label: str | None = None) -> None:
    widths, values = checks.greatest_over_time(table, column)
    panel.plot(widths, values, "o", color=color, markersize=2.5, alpha=0.6)
    slope, _ = power_law(widths, values, 0.05)
    fitted = np.exp(np.log(values).mean() + slope * (np.log(widths) - np.log(widths).mean()))
    _line(panel, widths, fitted, color, "-", label)
    place = np.argsort(widths)[len(widths) * (4 if color == SIGN_COLORS["equal"] else 2) // 5]
    panel.annotate(f"$m^{{{slope:.2f}}}$", (widths[place], fitted[place]), xytext=(-3, -3), ha="right", va="top",
                   textcoords="offset points", color=color, fontsize=9, zorder=5,
                   bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.5})


def _line(panel, widths: np.ndarray, values: np.ndarray, color: str, style: str, label: str | None = None) -> None:
    distinct = np.unique(widths)
    means = [np.exp(np.log(values[widths == width]).mean()) for width in distinct]
    panel.plot(distinct, means, color=color, linestyle=style, linewidth=1.2, label=label)


def _name_movements(panel, table: Table) -> None:
    for column, text, place in (("movement", r"$\|W_t-W_0\|_F$", -4), ("relative_movement", "relative", 6)):
        widths, values = checks.greatest_over_time(table, column)
        middle = np.argsort(widths)[len(widths) // 2]
        panel.annotate(text, (widths[middle], values[middle]), ha="left" if place > 0 else "center", fontsize=9,
                       va="bottom" if place > 0 else "top", xytext=(max(place, 0), place), textcoords="offset points")
