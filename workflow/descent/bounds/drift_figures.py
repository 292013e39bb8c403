"""Drawing the drift of the kernel; each function returns a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from descent.bounds.convergence_checks import replicates
from descent.bounds.drift_checks import Run
from descent.bounds.drift_summary import at_step, crossing_time, failure_time
from descent.figures import COLORS, LEVEL, MEASURED, PREDICTION, THEORY, band, new_figure, sequence

Table = Mapping[str, np.ndarray]
PATTERN, SLIDING = COLORS[2], COLORS[1]


def _examined(table: Table, column: str) -> tuple[np.ndarray, np.ndarray]:
    rows = replicates(table)
    known = np.isfinite(rows[0][column]) & (rows[0]["step"] > 0)
    return rows[0]["flow_time"][known], np.array([row[column][known] for row in rows])


def _thinned(metrics: Table, first: float, points: int = 300) -> tuple[np.ndarray, list[Table]]:
    rows = replicates(metrics)
    begin = np.searchsorted(rows[0]["flow_time"], first)
    chosen = np.unique(np.geomspace(max(begin, 1), len(rows[0]["step"]) - 1, points).astype(int))
    return rows[0]["flow_time"][chosen], [{name: values[chosen] for name, values in row.items()} for row in rows]


def draw_time_axis(runs: Mapping[int, Run], lambda_0: float):
    """Squared error with the flow bound, λ_min of H and H̃, drift and flips of every width on one time axis."""
    figure, axes = new_figure(4, 1, height=8.2, sharex=True)
    error, least, drift, flips = axes[:, 0]
    first = min(replicates(examined)[0]["flow_time"][1] for _, examined in runs.values())
    for color, (width, (metrics, examined)) in zip(sequence("width", len(runs)), runs.items(), strict=True):
        times, rows = _thinned(metrics, first)
        starts = [row["loss"][0] for row in replicates(metrics)]
        logs = np.array([np.log10(row["loss"] / start) for row, start in zip(rows, starts, strict=True)])
        band(error, times, logs, color, f"$m={width}$")
        for panel, column, style in ((least, "lambda_min", "-"), (least, "sliding_lambda_min", "--"),
                                     (drift, "drift", "-"), (flips, "flipped", "-"), (flips, "sliding", "--")):
            band(panel, *_examined(examined, column), color, "", linestyle=style)
        _mark_failures(error, metrics, lambda_0, color)
    longest = max(metrics["flow_time"].max() for metrics, _ in runs.values())
    times = np.geomspace(first, longest, 200)
    error.plot(times, -lambda_0 * times / np.log(10), **PREDICTION, label="flow bound $e^{-\\lambda_0 t}$")
    least.axhline(lambda_0 / 2, **LEVEL)
    least.annotate("$\\lambda_0/2$", (0.01, lambda_0 / 2), xycoords=("axes fraction", "data"), va="bottom")
    for panel, style, label in ((least, "-", "$H$"), (least, "--", "$\\widetilde H$"),
                                (flips, "-", "differ from the start"), (flips, "--", "slide")):
        panel.plot([], [], color=THEORY, linestyle=style, label=label)
        panel.legend(loc="lower left" if panel is least else "upper left", ncols=1 if panel is least else 2)
    error.set(xscale="log", ylabel="$\\log_{10}\\,(\\|r\\|^2/\\|r(0)\\|^2)$", xlim=(first, longest))
    least.set(ylabel="$\\lambda_{\\min}$", ylim=(0, None))
    drift.set(ylabel="$\\|H(t)-H(0)\\|_2$", ylim=(0, None))
    flips.set(ylabel="fraction of patterns", yscale="log", ylim=(None, 0.8), xlabel="flow time $t=\\eta k$")
    figure.legend(*error.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _mark_failures(panel, metrics: Table, lambda_0: float, color: str) -> None:
    for rows in replicates(metrics):
        time = failure_time(rows, lambda_0)
        if time is not None:
            panel.plot(time, -lambda_0 * time / np.log(10), "x", color=color, markersize=6)


def draw_two_kernels(runs: Mapping[int, Run], lambda_0: float):
    """The measured rate of decay against 2 λ_min of H and H̃, and the errors of both in the change of the residual."""
    rows = -(-len(runs) // 2)
    figure, axes = new_figure(rows + 1, 2, height=2.2 * rows + 3.2, sharex=True)
    rates = list(axes[:rows].flat)
    for panel, (width, (_, examined)) in zip(rates, runs.items(), strict=False):
        _draw_rates(panel, examined, lambda_0)
        panel.set(title=f"Rate of decay, $m={width}$", ylim=(0, 5 * lambda_0 / 2))
    for panel in rates[len(runs):]:
        panel.set_visible(False)
    for panel in axes[:rows, 0]:
        panel.set_ylabel("$-d\\,\\ln\\|r\\|^2/dt$")
    figure.legend(*rates[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    _draw_errors(axes[rows], runs)
    figure.legend(*axes[rows, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(runs))
    return figure


def _draw_rates(panel, examined: Table, lambda_0: float) -> None:
    for column, factor, color, label, line in (
            ("lambda_min", 2, PATTERN, "$2\\lambda_{\\min}(H)$", {"linestyle": "--"}),
            ("sliding_lambda_min", 2, SLIDING, "$2\\lambda_{\\min}(\\widetilde H)$", {"linewidth": 2.5}),
            ("rate", 1, MEASURED, "measured", {"marker": "o", "markersize": 3, "linestyle": "none"})):
        times, values = _examined(examined, column)
        band(panel, times, factor * values, color, label, **line)
    panel.axhline(lambda_0, **LEVEL, label="$\\lambda_0$")


def _draw_errors(panels, runs: Mapping[int, Run]) -> None:
    for panel, column, name in zip(panels, ("pattern_error", "sliding_error"), ("$H$", "$\\widetilde H$"), strict=True):
        for color, (width, (_, examined)) in zip(sequence("width", len(runs)), runs.items(), strict=True):
            band(panel, *_examined(examined, column), color, f"$m={width}$")
        panel.axhline(1, **LEVEL)
        panel.set(xscale="log", yscale="log", xlabel="flow time $t$", title=f"Change of $r$: error with {name}")
    limits = [panel.get_ylim() for panel in panels]
    for panel in panels:
        panel.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
        panel.tick_params(which="minor", labelbottom=False)
    times = [_examined(examined, "rate")[0] for _, examined in runs.values()]
    panels[0].set(ylabel="error over the change", xlim=(0.8 * times[0][0], 1.2 * max(part[-1] for part in times)))


def draw_widths(runs: Mapping[int, Run], lambda_0: float, step: int, pairs: Mapping[str, tuple[Run, Run]]):
    """Against the width: drift, flips and movement, eigenvalues, crossings and failures; and float32 over time."""
    figure, ((drift, least), (times, precision)) = new_figure(2, 2, height=5.4)
    names = {"drift": "drift $\\|H(t)-H(0)\\|_2$", "movement": "movement of a weight", "flipped": "patterns flipped"}
    for color, (column, label) in zip(COLORS, names.items(), strict=False):
        _points(drift, *at_step(runs, step, column), color, label)
    widths = np.array(list(runs), float)
    top, bottom = at_step(runs, step, "movement")[1].max(), at_step(runs, step, "flipped")[1].min()
    trend = 0.7 * top * (widths / widths[0]) ** -0.5
    drift.plot(widths, trend, **LEVEL, label="$\\propto m^{-1/2}$")
    drift.set(yscale="log", title="Movement at a common time", ylim=(0.1 * bottom, 2 * top))
    for column, color, label in (("lambda_min", PATTERN, "$H$"), ("sliding_lambda_min", SLIDING, "$\\widetilde H$")):
        _points(least, *at_step(runs, step, column), color, label)
    least.axhline(lambda_0 / 2, **LEVEL, label="$\\lambda_0/2$")
    least.set(title="Least eigenvalue at a common time", ylim=(0, None))
    _draw_times(times, runs, lambda_0)
    for color, (name, (single, double)) in zip(COLORS, pairs.items(), strict=False):
        _draw_precision(precision, single[0], double[0], color, name)
    precision.set(xscale="log", yscale="log", xlabel="flow time $t$", title="float32 against float64",
                  ylabel="$|\\Delta\\,\\ln$ loss$|$")
    for panel in (drift, least, times):
        panel.set(xscale="log", xlabel="width $m$")
        panel.set_xticks(widths, [f"{width:g}" for width in widths], fontsize=7.5)
        panel.minorticks_off()
    for panel in (drift, least, precision):
        panel.legend(fontsize=7)
    return figure


def _points(panel, widths: np.ndarray, values: np.ndarray, color: str, label: str) -> None:
    panel.plot(widths, values, "o", color=color, markersize=3)
    means = [values[widths == width].mean() for width in np.unique(widths)]
    panel.plot(np.unique(widths), means, color=color, linewidth=1, label=label)


def _draw_times(panel, runs: Mapping[int, Run], lambda_0: float) -> None:
    marks: Sequence[tuple] = (
        ("o", PATTERN, "$\\lambda_{\\min}(H)<\\lambda_0/2$", "lambda_min"),
        ("s", SLIDING, "$\\lambda_{\\min}(\\widetilde H)<\\lambda_0/2$", "sliding_lambda_min"),
        ("x", MEASURED, "flow bound fails", None))
    for mark, color, label, kernel in marks:
        panel.plot([], [], mark, color=color, label=label, markersize=4)
        for width, (metrics, examined) in runs.items():
            for rows, seen in zip(replicates(metrics), replicates(examined), strict=True):
                time = crossing_time(seen, kernel, lambda_0 / 2) if kernel else failure_time(rows, lambda_0)
                if time is not None:
                    panel.plot(width, time, mark, color=color, markersize=4)
    ends = [metrics["flow_time"].max() for metrics, _ in runs.values()]
    panel.plot(list(runs), ends, color=THEORY, marker="_", linestyle="none", markersize=14, label="end of the run")
    panel.set(yscale="log", ylabel="flow time $t$", title="First time of each event", ylim=(min(ends) / 50, None))
    panel.legend(fontsize=7)


def _draw_precision(panel, single: Table, double: Table, color: str, name: str) -> None:
    pairs = list(zip(replicates(single), replicates(double), strict=True))
    count = min(len(rows["step"]) for pair in pairs for rows in pair)
    chosen = np.unique(np.geomspace(1, count - 1, 200).astype(int))
    gaps = np.array([np.abs(np.log(a["loss"][chosen] / b["loss"][chosen])) for a, b in pairs])
    band(panel, pairs[0][0]["flow_time"][chosen], np.maximum.accumulate(gaps, axis=1), color, name)

