"""Drawing flows in fixed and in changing kernels; each function returns a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.bounds import perturbed_kernel as bounds
from descent.bounds.kernel_dynamics_summary import DATA_NAMES
from descent.dynamics.perturbed_kernel import FAMILIES
from descent.figures import BROAD, COLORS, DATA_SETS, LEVEL, PREDICTION, PRINTED, THEORY, band, new_figure

Table = Mapping[str, Any]
LOW, HIGH = 5e-3, {False: 10.0, True: 800.0}
# Replicates whose curves are drawn; all of them are in the suprema.
SHOWN = 1


def draw_residual_decay(table: Table, spectra: Mapping[str, np.ndarray]):
    """‖u(t) − y‖/‖u(0) − y‖ on a logarithmic axis for each data set with its bound, and the kernels' eigenvalues."""
    figure, axes = new_figure(2, 2, height=5.0)
    kinds, data = np.array(table["kind"]), np.array(table["data"])
    for panel, name in zip(axes.flat, spectra):
        _draw_decay(panel, {key: table[key][data == name] for key in ("start", "rate", "flow_time", "norm")},
                    kinds[data == name])
        panel.set(title=DATA_NAMES[name], xlabel="$\\lambda t$", yscale="log",
                  ylabel="$\\|u(t)-y\\|\\,/\\,\\|u(0)-y\\|$")
    last = axes.flat[-1]
    for name, eigenvalues in spectra.items():
        last.loglog(np.arange(1, len(eigenvalues) + 1), eigenvalues, color=DATA_SETS[name], label=DATA_NAMES[name])
    last.set(title="Spectra of $H^\\infty$", xlabel="index", ylabel="eigenvalue")
    last.legend(loc="upper right")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _draw_decay(panel, rows: Mapping[str, np.ndarray], kinds: np.ndarray) -> None:
    def curves(kind):
        count = len(np.unique(rows["start"][kinds == kind]))
        scaled = (rows["rate"] * rows["flow_time"])[kinds == kind].reshape(count, -1)[0]
        return scaled, rows["norm"][kinds == kind].reshape(count, -1)

    scaled, slowest = curves("slowest")
    panel.plot(scaled, np.exp(-scaled), **BROAD, label="bound $e^{-\\lambda t}$")
    panel.plot(scaled, slowest[0], color=COLORS[1], linestyle="--", label="from the slowest mode")
    band(panel, *curves("gaussian"), COLORS[4], "from Gaussian $u(0)$")
    band(panel, *curves("zero"), COLORS[0], "from $u(0)=0$")


def draw_perturbed_kernel(table: Table):
    """‖δ(t)‖/‖r_0‖ against ε t below and above ε = λ, its supremum against ε/λ, and what indefinite kernels do."""
    figure, ((below, above), (suprema, lost)) = new_figure(2, 2, height=6.2)
    families = np.array(table["family"])
    drawn = np.isin(families, FAMILIES) & (table["replicate"] < SHOWN)
    beyond = table["ratio"] > 1
    _draw_distances(below, table, drawn & ~beyond, HIGH[False])
    _draw_distances(above, table, drawn & beyond & table["semidefinite"], HIGH[True])
    below.set_title("$\\epsilon\\leq\\lambda$")
    above.set_title("$\\epsilon>\\lambda$, $H(t)\\succeq 0$")
    _draw_suprema(suprema, table, families)
    _draw_growth(lost, table, ~table["semidefinite"] & (table["replicate"] < SHOWN), families)
    return figure


def _cases(table: Table, chosen: np.ndarray):
    first = np.flatnonzero(np.diff(table["case"], prepend=-1))
    for begin, end in zip(first, [*first[1:], len(chosen)]):
        if chosen[begin]:
            yield table["epsilon"][begin] * table["flow_time"][begin:end], table["distance"][begin:end]


def _extremes(ratios: np.ndarray) -> np.ndarray:
    return np.unique([ratios.min(), ratios.max()])


def _draw_distances(panel, table: Table, chosen: np.ndarray, last: float) -> None:
    times = np.geomspace(LOW, last, 300)
    panel.plot(times, np.sqrt(2 * times), **LEVEL, label="$\\sqrt{2\\epsilon t}$")
    for ratio, color in zip(_extremes(table["ratio"][chosen]), (COLORS[2], COLORS[0])):
        name = f"$\\epsilon={ratio:g}\\,\\lambda$"
        for scaled, distances in _cases(table, chosen & (table["ratio"] == ratio)):
            panel.plot(scaled, distances, color=color, linewidth=0.5, alpha=0.6, rasterized=True, zorder=1.5)
        panel.plot(times, np.minimum(times, min(ratio, 2)), color=color, label=f"bound, {name}")
        if ratio <= 1:
            panel.plot(times, bounds.growth_bound(times / ratio, ratio, 1.0), color=color, linestyle="--",
                       label=f"worst case, {name}")
    panel.set(xlabel="$\\epsilon t$", ylabel="$\\|\\delta(t)\\|\\,/\\,\\|r_0\\|$", xscale="log", yscale="log",
              xlim=(LOW, last), ylim=(1e-3, 100))
    panel.legend(loc="upper left")


def _draw_suprema(panel, table: Table, families: np.ndarray) -> None:
    first = np.flatnonzero(np.diff(table["case"], prepend=-1))
    largest, ratios = np.maximum.reduceat(table["distance"], first), (table["epsilon"] / table["rate"])[first]
    groups = (("random and steered", np.isin(families, FAMILIES), COLORS[5], "o", 2),
              ("$H^*-\\epsilon vv^\\top$", families == "slowed", COLORS[1], "D", 4),
              ("rotating", families == "rotating", COLORS[3], "*", 7))
    for label, chosen, color, marker, size in groups:
        shown = (chosen & table["semidefinite"])[first]
        panel.plot(ratios[shown], largest[shown], marker, color=color, markersize=size, label=label,
                   rasterized=size < 3)
    wide, below = np.geomspace(0.05, 2000, 400), np.geomspace(0.05, 1 - 1e-9, 200)
    panel.plot(wide, np.minimum(wide, 2), color=THEORY, label="$\\min(\\epsilon/\\lambda,2)$")
    panel.plot(below, bounds.worst_case(below), **PREDICTION, label="closed form")
    panel.set(xlabel="$\\epsilon/\\lambda$", ylabel="$\\mathrm{sup}_t\\,\\|\\delta(t)\\|\\,/\\,\\|r_0\\|$",
              xscale="log", yscale="log", ylim=(1e-3, 1e3), title="Largest distance, $H(t)\\succeq 0$")
    panel.legend(loc="upper left")


def _draw_growth(panel, table: Table, chosen: np.ndarray, families: np.ndarray) -> None:
    end, slowed = 0.0, families == "slowed"
    styles = (COLORS[2], 0.7, -8), (COLORS[0], 0.95, 8)
    for ratio, (color, part, shift) in zip(_extremes(table["ratio"][chosen]), styles):
        here = chosen & (table["ratio"] == ratio)
        for scaled, distances in _cases(table, here & ~slowed):
            panel.plot(scaled, distances, color=color, linewidth=0.5, alpha=0.6, rasterized=True, zorder=1.5)
        scaled, distances = next(_cases(table, here & slowed))
        panel.plot(scaled, distances, color=color, linestyle="--")
        middle = int(np.searchsorted(scaled, part * scaled[-1]))
        panel.annotate(f"$\\epsilon={ratio:g}\\,\\lambda$", (scaled[middle], distances[middle]), (shift, 0),
                       color=color, textcoords="offset points", ha="right" if shift < 0 else "left")
        end = max(end, scaled[-1])
    times = np.linspace(0.01, end, 300)
    panel.plot(times, 2 * np.sqrt(times), color=PRINTED, linestyle="--")
    panel.annotate("$2\\sqrt{\\epsilon t}$, as printed", (end, 2 * np.sqrt(end)), (0, 5), textcoords="offset points",
                   ha="right", color=PRINTED)
    panel.set(xlabel="$\\epsilon t$", ylabel="$\\|\\delta(t)\\|\\,/\\,\\|r_0\\|$", yscale="log", ylim=(1e-3, None),
              title="$\\epsilon>\\lambda$, $H(t)$ indefinite")
