"""Drawing what the study of eigenmodes found; each function returns a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from descent.dynamics.eigenmodes import greatest_deviations, mode_groups, replicate_times, selected
from descent.dynamics.kernel_dynamics import KernelDynamics
from descent.figures import COLORS, LEVEL, PREDICTION, THEORY, band, new_figure, sequence

Table = Mapping[str, np.ndarray]
LABELS = {"true": COLORS[0], "random": COLORS[1]}


def _stacked(run: Table, column: str) -> np.ndarray:
    """One row for each replicate, over its first squared error."""
    rows = [selected(run, replicate=r) for r in np.unique(run["replicate"])]
    return np.array([row[column] / row["squared_error"][0] for row in rows])


def draw_squared_error(table: Table, widths: Sequence[int]):
    """Measured squared error over its first value, and the prediction by H∞, one panel for each width."""
    figure, (panels,) = new_figure(1, len(widths), height=3.5, sharey=True)
    for panel, width in zip(panels, widths, strict=True):
        for labels, color in LABELS.items():
            run = selected(table, start="gaussian", width=width, labels=labels)
            times = selected(run, replicate=0)["flow_time"]
            band(panel, times, _stacked(run, "squared_error"), color, f"{labels} labels, trained network")
            panel.plot(times, _stacked(run, "infinity").mean(axis=0), color=color, linestyle="--",
                       label=f"{labels} labels, predicted")
        panel.set(yscale="log", xlabel=r"flow time $t=\eta k$", title=f"$m={width}$")
    panels[0].set_ylabel(r"$\|u-y\|^2\,/\,\|u(0)-y\|^2$")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def draw_mode_decay(dynamics: KernelDynamics, table: Table, size: int, shown: int = 4):
    """Energy of groups of modes over its first value against the eigenvalue at `shown` steps; lines: predicted."""
    figure, (panels,) = new_figure(1, len(LABELS), height=3.6, sharey=True)
    groups = mode_groups(dynamics.eigenvalues, size)
    centres = [np.exp(np.mean(np.log(dynamics.eigenvalues[g]))) for g in groups]
    for panel, labels in zip(panels, LABELS, strict=True):
        runs = [selected(table, labels=labels, replicate=r) for r in np.unique(table["replicate"])]
        steps, eta = runs[0]["step"], runs[0]["flow_time"][1] / runs[0]["step"][1]
        picked = np.unique(np.searchsorted(steps, np.geomspace(max(steps[-1] / 64, 1), steps[-1], shown)))
        measured = sum((run["residual"] @ dynamics.eigenvectors) ** 2 for run in runs)
        predicted = dynamics.descent_factors(eta, steps) ** 2 * measured[0]
        for color, i in zip(sequence("time", len(picked)), picked, strict=True):
            seen, told = ([row[i, g].sum() / row[0, g].sum() for g in groups] for row in (measured, predicted))
            panel.plot(centres, seen, "o", markersize=3, color=color, label=f"$t={eta * steps[i]:.2g}$")
            panel.plot(centres, told, color=color, linewidth=1, linestyle="--")
        panel.set(xscale="log", yscale="log", ylim=(1e-3, 2), xlabel=r"eigenvalue $\lambda_i$ of $H^\infty$",
                  title=f"{labels} labels")
    panels[0].set_ylabel("energy in the modes / first energy")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=shown)
    return figure


def draw_alignment(dynamics: KernelDynamics, targets: Mapping[str, Sequence[np.ndarray]], permuted: np.ndarray,
                   flow_time: float):
    """Eigenvalues; cumulated shares of the labels' energy, greatest eigenvalue first; the permutation test."""
    figure, ((spectrum, shares, test),) = new_figure(1, 3, height=2.9)
    index = np.arange(1, len(dynamics.eigenvalues) + 1)
    spectrum.loglog(index, dynamics.eigenvalues[::-1], color=THEORY)
    spectrum.set(xlabel="index $i$", ylabel=r"$\lambda_i$", title=r"Eigenvalues of $H^\infty$")
    errors = {}
    for labels, color in LABELS.items():
        energies = np.array([dynamics.energies(y)[::-1] / (y @ y) for y in targets[labels]])
        band(shares, index, np.cumsum(energies, axis=1), color, f"{labels} labels")
        errors[labels] = energies[0] @ dynamics.flow_factors([flow_time])[0][::-1] ** 2
    shares.plot(index, index / len(index), **LEVEL, label="evenly spread")
    shares.set(xlabel="index $i$", xscale="log", ylim=(0, 1.02), title="Labels' energy",
               ylabel=r"share in the first $i$ modes")
    shares.legend(loc="upper left")
    test.hist(permuted, bins=60, density=True, color=COLORS[1], alpha=0.5, label="random orders")
    test.axvline(errors["true"], color=COLORS[0], label="true labels")
    test.set(xlabel=f"predicted error at $t={flow_time:.3g}$", ylabel="density", title="Permutation test")
    test.margins(y=0.4)
    test.legend(loc="upper left")
    return figure


def draw_width(table: Table, widths: Sequence[int], fraction: float):
    """The greatest distance from the prediction against the width; measured against predicted times."""
    figure, ((distance, times),) = new_figure(1, 2, height=3.4)
    for labels, color in LABELS.items():
        for name, kernel, marker in (("infinity", r"$H^\infty$", "o"), ("zero", "$H(0)$", "x")):
            found = greatest_deviations(table, f"deviation_{name}", list(widths), [labels])
            distance.loglog(widths, found.mean(axis=0), marker, color=color, markersize=4,
                            label=f"{labels} labels, {kernel}")
            if name == "infinity":
                distance.vlines(widths, found.min(axis=0), found.max(axis=0), color=color, linewidth=1)
    top = greatest_deviations(table, "deviation_infinity", list(widths), list(LABELS)).mean(axis=0)[-1]
    distance.loglog(widths, 0.7 * top * np.sqrt(widths[-1] / np.array(widths)), **LEVEL,
                    label=r"$\propto m^{-1/2}$")
    distance.set(xlabel="width $m$", ylabel=r"greatest $\|r-r_{\mathrm{predicted}}\|\,/\,\|r(0)\|$",
                 title="Distance from the prediction")
    distance.legend(loc="lower left", fontsize=7)
    for width, marker in zip(widths, ("o", "s", "^", "D", "v", "P"), strict=False):
        for labels, color in LABELS.items():
            run = selected(table, start="gaussian", width=width, labels=labels)
            predicted, measured = (replicate_times(run, name, fraction) for name in ("infinity", "squared_error"))
            times.plot(predicted, measured, marker, color=color, markersize=4, alpha=0.7)
        times.plot([], [], marker, color=THEORY, markersize=4, label=f"$m={width}$")
    ends = np.array(times.get_xlim())
    times.plot(ends, ends, **PREDICTION)
    times.set(xlabel=r"predicted by $H^\infty$", ylabel="measured",
              title=f"Flow time to {100 * fraction:.3g}% of the first error")
    times.legend(loc="upper left")
    return figure
