"""Drawing what the training of both layers showed; each function returns a figure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from descent.bounds.convergence_checks import replicates
from descent.bounds.convergence_figures import stacked
from descent.figures import BROAD, COLORS, LEVEL, PREDICTION, band, new_figure

Table = Mapping[str, np.ndarray]
NAMES = {"both": ("both layers", COLORS[0]), "hidden": ("hidden layer alone", COLORS[1])}
POINTS = {"marker": "o", "markersize": 3}


def draw_loss(bounds: Mapping[str, Table], spectra: Mapping[str, Table], lambda_0: float):
    """Squared error against its bounds, and the rate at which it decays, with both layers and with one trained."""
    figure, ((error, rate),) = new_figure(1, 2, height=3.6)
    for name, (label, color) in NAMES.items():
        times, values = stacked(bounds[name], "log_error")
        band(error, times, (values - values[:, :1]) / np.log(10), color, label)
    bounded = (("log_remainder_bound", BROAD, "discrete bound with remainder (both layers)"),
               ("log_flow_bound", PREDICTION, "flow bound $e^{-\\lambda_0 t}$"))
    for column, line, label in bounded:
        times, values = stacked(bounds["both"], column)
        band(error, times, (values - values[:, :1]) / np.log(10), label=label, zorder=1.5, **line)
    for name, parts, style, label in (("both", ("hidden", "output"), "-", "both layers"),
                                      ("both", ("hidden",), "--", "both layers, the part that is due to $H$"),
                                      ("hidden", ("hidden",), "-", "hidden layer alone")):
        times, rates = _decay_rates(spectra[name], parts)
        band(rate, times[1:], rates[:, 1:], NAMES[name][1], label, linestyle=style, **POINTS)
    rate.axhline(lambda_0, **LEVEL)
    rate.annotate("$\\lambda_0$", (0.02, lambda_0), xycoords=("axes fraction", "data"), va="bottom")
    error.set(xlabel="flow time $t=\\eta k$", ylabel="$\\log_{10}\\,(\\|u-y\\|^2/\\|u(0)-y\\|^2)$",
              title="Squared error and bounds")
    rate.set(xlabel="flow time $t$", ylabel="$-\\mathrm{d}\\,\\ln\\|u-y\\|^2/\\mathrm{d}t$", xscale="log", yscale="log",
             title="Rate of decay of the flow")
    lines = [*error.get_lines()[:4], rate.get_lines()[1]]
    figure.legend(lines, [line.get_label() for line in lines], ncols=2, loc="outside lower center")
    return figure


def _decay_rates(table: Table, parts: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    runs = replicates(table)
    rates = [2 * sum(run[f"{part}_form"] for part in parts) / run["squared_error"] for run in runs]
    return runs[0]["flow_time"], np.array(rates)


def draw_kernels(spectra: Mapping[str, Table], lambda_0: float):
    """Least eigenvalues of H, G and H + G, movement of the weights, and the scale of the output weights."""
    figure, axes = new_figure(2, 2, height=5.4, sharex=True)
    (hypothesis, parts), (movement, scale) = axes
    for name, (label, color) in NAMES.items():
        _draw(hypothesis, spectra[name], "lambda_min_h", color, label)
        _draw(movement, spectra[name], "movement", color, f"$w_r$, {label}")
        _draw(scale, spectra[name], "flipped", color, label)
    _draw(hypothesis, spectra["both"], "lambda_min_unweighted", COLORS[0], "both layers, $a_r^2$ left out",
          linestyle="--", marker="")
    for level, text in ((lambda_0, "$\\lambda_0$"), (lambda_0 / 2, "$\\lambda_0/2$")):
        hypothesis.axhline(level, **LEVEL)
        hypothesis.annotate(text, (0.02, level), xycoords=("axes fraction", "data"), va="bottom")
    for column, color, label in (("lambda_min", COLORS[6], "$H+G$"), ("lambda_min_h", COLORS[0], "$H$"),
                                 ("lambda_min_g", COLORS[2], "$G$")):
        _draw(parts, spectra["both"], column, color, label)
    _draw(movement, spectra["both"], "output_movement", COLORS[2], "$a_r$, both layers")
    hypothesis.set(ylabel="$\\lambda_{\\min}(H(t))$", ylim=(0, None), title="The hypothesis")
    parts.set(ylabel="$\\lambda_{\\min}$", yscale="log", title="The parts, both layers trained")
    movement.set(xlabel="flow time $t$", ylabel="largest distance from the start", yscale="log",
                 title="Movement of the weights")
    scale.set(xlabel="flow time $t$", ylabel="fraction of all patterns", ylim=(0, None),
              title="Patterns that differ from the start")
    for panel in axes.flat:
        panel.set_xscale("log")
        panel.legend()
    return figure


def _draw(panel, table: Table, column: str, color: str, label: str, **line) -> None:
    runs = replicates(table)
    values = np.array([run[column][1:] for run in runs])
    band(panel, runs[0]["flow_time"][1:], values, color, label, **{**POINTS, **line})
