"""Drawing what the study of the convergence theorem found; each function returns a figure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from descent.bounds.convergence_checks import replicates
from descent.figures import BROAD, COLORS, LEVEL, MEASURED, PREDICTION, band, new_figure, sequence

Table = Mapping[str, np.ndarray]
POINTS = 240
STEP_NAMES = {"lr": "small step", "stable": "large step"}
LABEL_NAMES = {"digit": "digit labels", "parity": "parity labels", "one_hot": "one-hot labels"}


def stacked(table: Table, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Flow times (points,) and values (replicates, points), thinned evenly in time and, early, in its logarithm."""
    runs = replicates(table)
    count = min(len(run["step"]) for run in runs)
    chosen = np.concatenate([np.linspace(0, count - 1, POINTS), np.geomspace(1, count, POINTS // 2) - 1])
    chosen = np.unique(chosen.astype(int))
    return runs[0]["flow_time"][chosen], np.array([run[column][chosen] for run in runs])


def draw_samples(x: np.ndarray, digits: np.ndarray, shown: int = 4):
    """The first few samples of each digit."""
    figure, axes = new_figure(2, 5, height=3.0, sharex=True, sharey=True)
    for digit, panel in enumerate(axes.flat):
        for sample, color in zip(x[digits == digit][:shown], COLORS, strict=False):
            panel.plot(sample, color=color, linewidth=1.0)
        panel.set_title(f"digit {digit}")
    figure.supxlabel("position", fontsize=9)
    figure.supylabel("value (each sample has unit length)", fontsize=9)
    return figure


def draw_gram(gram: Table, spectra: Table, width: int):
    """Eigenvalues of H∞ and H(0), and λ_min(H(0)) and ‖H(0) − H∞‖₂ against the width."""
    figure, ((left, middle, right),) = new_figure(1, 3, height=2.9)
    left.loglog(spectra["index"], spectra["h_infinity"], **{**PREDICTION, "zorder": 3}, label="$H^\\infty$")
    left.loglog(spectra["index"], spectra["h_zero"], color=MEASURED, label=f"$H(0)$, $m={width}$")
    left.set(xlabel="index", ylabel="eigenvalue", title="Spectrum")
    least = spectra["h_infinity"][-1]
    middle.semilogx(gram["width"], gram["lambda_min"], "o", color=COLORS[0], markersize=3, label="$H(0)$, each start")
    middle.axhline(least, **PREDICTION, label="$\\lambda_0$")
    middle.axhline(0.75 * least, **LEVEL, label="$3\\lambda_0/4$")
    middle.set(xlabel="width $m$", ylabel="$\\lambda_{\\min}$", title="Least eigenvalue", ylim=(0, None))
    right.loglog(gram["width"], gram["distance"], "o", color=COLORS[0], markersize=3, label="each start")
    widths = np.unique(gram["width"])
    trend = np.exp(np.mean(np.log(gram["distance"] * np.sqrt(gram["width"]))))
    right.loglog(widths, trend / np.sqrt(widths), **LEVEL, label="$\\propto m^{-1/2}$")
    right.axhline(least / 4, **LEVEL, label="$\\lambda_0/4$")
    right.set(xlabel="width $m$", ylabel="$\\|H(0)-H^\\infty\\|_2$", title="Distance from the limit")
    for panel in (left, middle, right):
        panel.legend(loc="lower left")
    return figure


def draw_loss_and_bounds(tables: Mapping[str, Table]):
    """Squared error against the three bounds for the small and the large step, all over the first squared error."""
    figure, (panels,) = new_figure(1, 2, height=3.4)
    lines = (("log_remainder_bound", BROAD, "discrete bound with measured remainder"),
             ("log_flow_bound", PREDICTION, "flow bound $e^{-\\lambda_0 t}$"),
             ("log_discrete_bound", {**PREDICTION, "linestyle": "-."}, "discrete bound $(1-\\eta\\lambda_0/2)^k$"),
             ("log_error", {"color": MEASURED}, "measured"))
    for panel, (name, table) in zip(panels, tables.items(), strict=True):
        for column, line, label in lines:
            times, values = stacked(table, column)
            band(panel, times, (values - values[:, :1]) / np.log(10), label=label, **line)
        _mark_lost_hypothesis(panel, table)
        panel.set(xlabel="flow time $t=\\eta k$", title=STEP_NAMES[name.split("_")[-1]])
    panels[0].set_ylabel("$\\log_{10}\\,(\\|u-y\\|^2/\\|u(0)-y\\|^2)$")
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _mark_lost_hypothesis(panel, table: Table) -> None:
    label = "$\\lambda_{\\min}(H)\\geq\\lambda_0/2$ last seen"
    for run in replicates(table):
        if not run["spectrum_held"].all():
            time = run["flow_time"][np.argmin(run["spectrum_held"])]
            panel.axvline(time, color=COLORS[1], linestyle=":", linewidth=1, label=label)
            label = None


def draw_hypothesis(tables: Mapping[str, Table], lambda_0: float, radius: float):
    """λ_min(H(t)), weight movement, flipped patterns and patterns crossed per step, for each run of the theorem."""
    figure, axes = new_figure(2, 2, height=5.2, sharex=True)
    for name, table in tables.items():
        labels, _, step = name.rsplit("_", 2)
        color = COLORS[list(LABEL_NAMES).index(labels)]
        line = {"marker": "o", "markersize": 3, "linestyle": "-"} if step == "stable" else {"linestyle": "--"}
        for panel, column in zip(axes.flat, ("lambda_min", "movement", "flipped", "crossings"), strict=True):
            times, values = stacked(table, column)
            band(panel, times[1:], values[:, 1:], color, f"{LABEL_NAMES[labels]}, {STEP_NAMES[step]}", **line)
            panel.set_xscale("log")
    (least, movement), (flipped, crossings) = axes
    least.axhline(lambda_0 / 2, **LEVEL)
    least.annotate("$\\lambda_0/2$", (0.02, lambda_0 / 2), xycoords=("axes fraction", "data"), va="bottom")
    least.set(ylabel="$\\lambda_{\\min}(H(t))$", ylim=(0, None), title="The hypothesis")
    movement.axhline(radius, **LEVEL)
    movement.annotate("$R$", (0.02, radius), xycoords=("axes fraction", "data"), va="bottom")
    movement.set(ylabel="$\\max_r\\|w_r(t)-w_r(0)\\|$", yscale="log", title="Movement of the weights")
    flipped.set(xlabel="flow time $t$", ylabel="fraction of all patterns", title="Patterns that differ from the start")
    crossings.set(xlabel="flow time $t$", ylabel="patterns", yscale="log", title="Patterns that change in one step")
    figure.legend(*least.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def draw_flow_limit(tables: Mapping[str, Table]):
    """The squared error over the flow bound at η, η/2 and η/4, and its change from one halving to the next."""
    figure, ((ratio, change),) = new_figure(1, 2, height=3.2)
    names, errors = ("$\\eta$", "$\\eta/2$", "$\\eta/4$"), []
    runs = [replicates(table) for table in tables.values()]
    count = min(len(run["step"]) for group in runs for run in group)
    chosen = np.unique(np.linspace(0, count - 1, POINTS).astype(int))
    times = runs[0][0]["flow_time"][chosen]
    # The three nearly coincide: the first shows behind the others.
    for name, color, width, group in zip(names, sequence("step", 3), (4.5, 2.6, 1), runs, strict=True):
        errors.append(np.array([run["log_error"][chosen] for run in group]))
        bounds = np.array([run["log_flow_bound"][chosen] for run in group])
        band(ratio, times, (errors[-1] - bounds) / np.log(10), color, f"step {name}", linewidth=width)
    ratio.axhline(0, **LEVEL)
    _mark_lost_hypothesis(ratio, tables[list(tables)[-1]])
    for i, color in enumerate(sequence("step", 3)[:2]):
        difference = np.abs(errors[i + 1] - errors[i])
        band(change, times[1:], difference[:, 1:], color, f"{names[i]} to {names[i + 1]}")
    ratio.set(xlabel="flow time $t$", ylabel="$\\log_{10}$ (squared error / flow bound)", title="Error over the bound")
    change.set(xlabel="flow time $t$", ylabel="$|\\Delta\\,\\ln\\|u-y\\|^2|$", yscale="log",
               title="Change when the step is halved")
    change.legend(loc="lower right")
    figure.legend(*ratio.get_legend_handles_labels(), loc="outside lower left", ncols=4)
    return figure


def draw_labels_and_batches(tables: Mapping[str, Table], labels: list[str]):
    """Loss over its first value against flow time for every run; a cross marks where a run diverged."""
    groups = [*labels, "literal"]
    figure, axes = new_figure(2, (len(groups) + 1) // 2, height=4.8, sharey=True)
    for panel, group in zip(axes.flat, groups, strict=False):
        for name, table in tables.items():
            if name.rsplit("_", 2)[0] == group:
                _draw_loss(panel, *name.split("_")[-2:], table)
        title = LABEL_NAMES.get(group, "literal network, digit labels")
        panel.set(xscale="log", yscale="log", ylim=(1e-9, 10), title=title)
    for panel in axes[:, 0]:
        panel.set_ylabel("loss / first loss")
    for panel in axes[-1]:
        panel.set_xlabel("flow time $t$")
    for panel in list(axes.flat)[len(groups):]:
        panel.set_visible(False)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _draw_loss(panel, batch: str, step: str, table: Table) -> None:
    color = COLORS[0 if step == "stable" else 4]
    # Mini-batches thin and dashed on top of all samples, which they follow closely.
    kind, line = (("all samples", {"linewidth": 4, "alpha": 0.45}) if batch == "full"
                  else ("mini-batches", {"linewidth": 1.2, "linestyle": "--"}))
    times, losses = stacked(table, "loss")
    ratios = losses / losses[:, :1]
    if np.all(ratios[:, -1] < 10):
        band(panel, times[1:], ratios[:, 1:], color, f"{kind}, {STEP_NAMES[step]}", **line)
    else:
        panel.plot(times[-1], 3, "x", color=color)
        panel.annotate(f"{STEP_NAMES[step]},\n{kind}", (times[-1], 3), (5, 4), textcoords="offset points", color=color,
                       va="top", fontsize=8)
