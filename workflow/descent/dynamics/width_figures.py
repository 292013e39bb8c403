"""Drawing networks of many widths beside the kernel; each function returns a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from descent.dynamics.width_checks import law_band, power_law
from descent.dynamics.width_summary import SETS, STARTS, at_horizon, geometric_mean
from descent.figures import COLORS, DATA_SETS, THEORY, label_ends, new_figure

Table = Mapping[str, np.ndarray]
# Colour tells the data set, the marker the start.
MARKERS = {"theorem": {"marker": "o", "fillstyle": "full"}, "antisymmetric": {"marker": "D", "fillstyle": "none"}}
LINES = {"theorem": "-", "antisymmetric": (0, (5, 2))}
SHIFTS = {"theorem": 1 / 1.06, "antisymmetric": 1.06}
DEVIATION = "$\\mathrm{sup}_t\\,\\|u-u_{\\mathrm{ntk}}\\|\\,/\\,\\|u(0)-y\\|$"


def draw_predictions(tables: Mapping[str, Table], widths: Sequence[int]):
    """Outputs u_i(t) at the recorded training points, first replicate; a row for each data set, a column a width."""
    figure, axes = new_figure(len(tables), len(widths), height=0.6 + 2.1 * len(tables), sharex=True, sharey="row")
    for row, (name, table) in zip(axes, tables.items(), strict=True):
        for panel, width in zip(row, widths, strict=True):
            chosen = (table["width"] == width) & (table["replicate"] == 0)
            times = table["flow_time"][chosen]
            for column, style, line in (("network", "-", 1.3), ("kernel", "--", 1.8)):
                for color, outputs in zip(COLORS, table[column][chosen].T, strict=False):
                    panel.plot(times, outputs, color=color, linestyle=style, linewidth=line)
            panel.set_xscale("symlog", linthresh=0.1, linscale=0.5)
            panel.set_xticks([0, 0.1, 1, times.max()], ["0", "0.1", "1", f"{times.max():g}"])
            panel.minorticks_off()
            panel.set_title(f"{SETS[name]}, $m={width}$")
        row[0].set_ylabel("output $u_i(t)$")
    for panel in axes[-1]:
        panel.set_xlabel("flow time $t$")
    handles = [axes[0, 0].plot([], [], color=THEORY, linestyle=style, linewidth=line)[0]
               for style, line in (("-", 1.3), ("--", 1.8))]
    figure.legend(handles, ["network", "kernel dynamics with $H^\\infty$"], loc="outside lower center", ncols=2)
    return figure


def draw_deviation(tables: Mapping[str, Table], short: float, horizon: float):
    """sup_t ‖u − u_ntk‖ / ‖u(0) − y‖ against the width for both horizons, with the fitted laws."""
    names = list(dict.fromkeys(name.rsplit("_", 1)[0] for name in tables))
    figure, axes = new_figure(len(names), 2, height=0.7 + 2.6 * len(names), sharex=True, sharey="row")
    for row, name in zip(axes, names, strict=True):
        for panel, time in zip(row, (short, horizon), strict=True):
            mine = {key.rsplit("_", 1)[1]: at_horizon(table, time) for key, table in tables.items()
                    if key.rsplit("_", 1)[0] == name}
            for start, table in mine.items():
                _draw_fit(panel, table, start, DATA_SETS[name])
            _guide(panel, mine["theorem"], "deviation", -0.5)
            panel.set_title(f"{SETS[name]}, up to $t={time:g}$")
            panel.legend(loc="upper right", handlelength=2.6)
        row[0].set_ylim(top=3 * row[0].get_ylim()[1])
        row[0].set_ylabel(DEVIATION)
    for panel in axes[-1]:
        panel.set_xlabel("width $m$")
    return figure


def _draw_fit(panel, table: Table, start: str, color: str) -> None:
    widths, values = table["width"], table["deviation"]
    law = power_law(widths, values)
    at = np.geomspace(widths.min(), widths.max(), 30)
    line, low, high = law_band(widths, values, at)
    panel.loglog(widths * SHIFTS[start], values, linestyle="", color=color, markersize=2.6, markeredgewidth=0.7,
                 **MARKERS[start])
    panel.loglog(at, line, color=color, linestyle=LINES[start],
                 label=f"{STARTS[start]}: ${law.exponent:.2f}$ [${law.low:.2f}$, ${law.high:.2f}$]")
    panel.fill_between(at, low, high, color=color, alpha=0.2, linewidth=0)


def _guide(panel, table: Table, column: str, exponent: float, lift: float = 1.8, style: str = ":") -> None:
    """A line of slope `exponent` that ends at `lift` times the mean at the greatest width."""
    widths = np.unique(table["width"]).astype(float)
    end = lift * geometric_mean(table[column][table["width"] == widths[-1]])
    heights = end * (widths / widths[-1]) ** exponent
    panel.loglog(widths, heights, color=THEORY, linestyle=style, linewidth=1.1)
    label, place, offset = (("$m^{-1/2}$", len(widths) // 2, (2, 2)) if exponent == -0.5
                            else ("$m^{-3/4}$", len(widths) // 2, (0, 0)))
    panel.annotate(label, (widths[place], heights[place]), offset, textcoords="offset points", color=THEORY,
                   ha="left" if exponent == -0.5 else "center", va="baseline" if exponent == -0.5 else "center",
                   bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 0.5}, zorder=3)


QUANTITIES = {
    "distance": ("$\\|H(0)-H^\\infty\\|_2$", "Gram matrix at the start"),
    "drift": ("$\\|H(t)-H(0)\\|_2$", "Drift of the Gram matrix"),
    "movement": ("$\\max_r\\|w_r(t)-w_r(0)\\|$", "Movement of the weights"),
    "flipped": ("fraction of all patterns", "Patterns that differ from the start"),
}


def draw_laws(tables: Mapping[str, Table], time: float):
    """‖H(0) − H∞‖₂, ‖H(t) − H(0)‖₂, weight movement and flipped patterns against the width, at one flow time."""
    figure, axes = new_figure(2, 2, height=5.6, sharex=True)
    chosen = {name: at_horizon(table, time) for name, table in tables.items()}
    for panel, (column, (label, title)) in zip(axes.flat, QUANTITIES.items(), strict=True):
        fits = {name: _draw_replicates(panel, table, column, *name.rsplit("_", 1)) for name, table in chosen.items()}
        highest = max(chosen.values(), key=lambda table, column=column: float(np.median(table[column])))
        if column == "drift":
            _guide(panel, highest, column, -0.75, 0.5, "-.")
        _guide(panel, highest, column, -0.5, 8.0 if column == "drift" else 1.8)
        panel.set(ylabel=label, title=title)
        label_ends(panel, [end for name, end in fits.items() if name.endswith("_theorem")])
    for panel in axes[-1]:
        panel.set_xlabel("width $m$")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _draw_replicates(panel, table: Table, column: str, data: str, start: str) -> tuple[float, str, str]:
    widths, color = np.unique(table["width"]), DATA_SETS[data]
    law = power_law(table["width"], table[column])
    panel.loglog(table["width"] * SHIFTS[start], table[column], linestyle="", color=color, markersize=2.6,
                 markeredgewidth=0.7, **MARKERS[start])
    panel.loglog(widths, np.exp(law.intercept) * widths.astype(float) ** law.exponent, color=color, linewidth=1.1,
                 linestyle=LINES[start], label=f"{SETS[data]}, {STARTS[start]}", **MARKERS[start], markersize=0)
    return float(np.exp(law.intercept) * float(widths[-1]) ** law.exponent), f"${law.exponent:.2f}$", color


def draw_horizon_and_step(tables: Mapping[str, Table], steps: Mapping[str, Table]):
    """The deviation's exponent against the horizon; the deviation at η, η/2, η/4 from the kernel's steps and flow."""
    figure, (panels,) = new_figure(1, 1 + len(steps), height=3.7, width_ratios=[1.3, *[1] * len(steps)])
    _draw_exponents(panels[0], tables)
    for panel, (name, table) in zip(panels[1:], steps.items(), strict=True):
        _draw_steps(panel, table)
        panel.set_title(f"{SETS[name]}, three steps")
        panel.sharey(panels[1])
    low, high = panels[1].get_ylim()
    ticks = [lead * 10.0**power for power in range(-6, 1) for lead in (1, 2, 5) if low < lead * 10.0**power < high]
    panels[1].set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    panels[1].set_ylabel(DEVIATION)
    for panel in panels[2:]:
        panel.tick_params(labelleft=False)
    handles = [pair for panel in panels[:2] for pair in zip(*panel.get_legend_handles_labels(), strict=True)]
    figure.legend(*zip(*handles, strict=True), loc="outside lower center", ncols=3)
    return figure


def _draw_exponents(panel, tables: Mapping[str, Table]) -> None:
    panel.axhspan(-0.6, -0.4, color=THEORY, alpha=0.12, linewidth=0)
    panel.axhline(-0.5, color=THEORY, linestyle=":", linewidth=1.1)
    for name, table in tables.items():
        data, start = name.rsplit("_", 1)
        times = np.unique(table["flow_time"])
        laws = [power_law(rows["width"], rows["deviation"]) for rows in (at_horizon(table, time) for time in times)]
        middle = np.array([law.exponent for law in laws])
        ends = np.array([[law.exponent - law.low, law.high - law.exponent] for law in laws]).T
        panel.errorbar(times * SHIFTS[start], middle, ends, color=DATA_SETS[data], linestyle=LINES[start],
                       linewidth=1.2, markersize=4, capsize=2, label=f"{SETS[data]}, {STARTS[start]}", **MARKERS[start])
    panel.set(xscale="log", xlabel="horizon $t$", ylabel="exponent of the width", title="Exponent of the deviation")
    panel.set_xticks(times, [f"{time:g}" for time in times])
    panel.minorticks_off()


def _draw_steps(panel, table: Table) -> None:
    widths, sizes = np.unique(table["width"]), np.unique(table["step_size"])[::-1]
    # Where the three lines lie on one another, the first shows behind the others.
    lines = (("-", 4.0, 0.4), ("--", 1.5, 1.0), (":", 1.5, 1.0))
    for column, color, words in (("flow_deviation", COLORS[4], "flow"), ("deviation", COLORS[2], "steps")):
        for eta, name, (style, line, alpha) in zip(sizes, ("\\eta", "\\eta/2", "\\eta/4"), lines, strict=True):
            means = [geometric_mean(table[column][(table["step_size"] == eta) & (table["width"] == width)])
                     for width in widths]
            panel.loglog(widths, means, color=color, linestyle=style, linewidth=line, alpha=alpha,
                         label=f"${name}$, kernel's {words}")
    panel.set(xlabel="width $m$")
    panel.minorticks_off()
