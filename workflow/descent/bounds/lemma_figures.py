"""Drawing what the study of Lemmas 3.2 and 3.3 found; each function returns a figure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from descent.bounds import lemma_checks, pattern_flips
from descent.bounds.convergence_checks import replicates
from descent.figures import BROAD, COLORS, LEVEL, MEASURED, PREDICTION, PRINTED, THEORY, band, new_figure
from descent.statistics import CLAIM_LEVEL, binomial_interval

Table = Mapping[str, np.ndarray]
HALF = "$\\lambda_{\\min}(H)\\geq\\lambda_0/2$ last seen"


def draw_flips(flips: Table):
    """The construction of the flipping weight, P(A_ir) against R, and the same over erf(R/√2)."""
    figure, ((geometry, probability, ratio),) = new_figure(1, 3, height=3.1, width_ratios=(1.15, 1, 1))
    _draw_geometry(geometry)
    rows = lemma_checks.of_variant(flips, "stated")
    hits, radii = rows["inside_flips"] + rows["outside_flips"], rows["radius"]
    share = hits / rows["draws"]
    low, high = binomial_interval(hits, rows["draws"], CLAIM_LEVEL / len(radii))
    fine = np.geomspace(radii[0] / 1.5, radii[-1] * 1.5, 200)
    exact, bound = pattern_flips.flip_probability(fine), pattern_flips.flip_probability_bound(fine)
    for panel, scale, at in ((probability, 1, 1), (ratio, exact, pattern_flips.flip_probability(radii))):
        panel.plot(fine, exact / scale, **PREDICTION, label="$\\mathrm{erf}(R/\\sqrt{2})$")
        panel.plot(fine, bound / scale, color=THEORY, linestyle="-.", linewidth=1.2, label="$2R/\\sqrt{2\\pi}$")
        panel.errorbar(radii, share / at, np.array([share - low, high - share]) / at, color=COLORS[0], fmt="o",
                       markersize=3.5, capsize=2, label="draws")
        panel.set(xscale="log", xlabel="radius $R$")
    probability.set(ylabel="probability of $A_{ir}$", ylim=(0, 1.3), title="Probability of a flip")
    ratio.set(ylabel="over $\\mathrm{erf}(R/\\sqrt{2})$", ylim=(0.85, 1.5), title="The same, relative")
    probability.legend(loc="upper left")
    return figure


def _draw_geometry(panel) -> None:
    from matplotlib.patches import Circle

    panel.axvspan(0, 2.8, color=COLORS[5], alpha=0.18, linewidth=0)
    panel.axvline(0, color=THEORY)
    balls = (((0.45, 2.3), COLORS[0]), ((1.35, 0.0), COLORS[2]), ((-1.0, -2.3), COLORS[1]))
    for (z, height), color in balls:
        panel.add_patch(Circle((z, height), 1, fill=False, color=color))
        panel.plot(z, height, "o", color=color, markersize=4)
        panel.annotate("$w$", (z, height), (3, 4), textcoords="offset points", color=color)
    (z, height), color = balls[0]
    panel.annotate("", (z - (z + 1) / 2, height), (z, height), arrowprops={"arrowstyle": "->", "color": color})
    panel.annotate("$w'$", (z - (z + 1) / 2, height), (-4, 5), textcoords="offset points", color=color, ha="right")
    for (z, height), color in balls[1:]:
        panel.plot(z - np.sign(z), height, "s", color=color, markersize=4)
    texts = ((-0.75, 0.0, "no flip:\n$|w^\\top x|>R$", COLORS[2], "right"),
             (0.3, -2.3, "$w^\\top x=-R$:\none point of\nthe closed\nball flips", COLORS[1], "left"))
    for x, y, text, color, side in texts:
        panel.text(x, y, text, color=color, ha=side, va="center", fontsize=7.5)
    panel.annotate("", (2.4, 3.75), (1.5, 3.75), arrowprops={"arrowstyle": "->", "color": THEORY})
    panel.text(1.4, 3.75, "$x$", color=THEORY, ha="right", va="center")
    panel.text(-0.1, 3.75, "$w^\\top x=0$", color=THEORY, ha="right", va="center", fontsize=8)
    panel.set(xlim=(-2.6, 2.8), ylim=(-3.5, 4.2), aspect="equal", xticks=[], yticks=[], title="Balls of radius $R$")
    for side in ("left", "bottom"):
        panel.spines[side].set_visible(False)


def draw_chain(chain: Table, metrics: Table, lambda_0: float):
    """Left: speed of the fastest weight and the bounds of Lemma 3.3. Right: the error over both exponential bounds."""
    figure, ((speeds, errors),) = new_figure(1, 2, height=3.7, width_ratios=(1.25, 1))
    runs = replicates(chain)
    times = runs[0]["flow_time"]
    decays = {name: np.array([run["root"][0] * np.exp(-factor * lambda_0 * times) for run in runs])
              for name, factor in (("corrected", 0.5), ("printed", 1.0))}
    curves = ((decays["corrected"], THEORY, "--", "corrected last bound, $e^{-\\lambda_0t/2}$"),
              (decays["printed"], PRINTED, "--", "printed last bound, $e^{-\\lambda_0t}$"),
              (_column(runs, "root"), THEORY, "-", "bound (ii), $\\sqrt{n/m}\\,\\|u-y\\|$"),
              (_column(runs, "summed"), THEORY, "-.", "bound (i), $\\Sigma_i|u_i-y_i|/\\sqrt{m}$"),
              (_column(runs, "speed"), MEASURED, "-", "fastest weight, $\\mathrm{max}_r\\|dw_r/dt\\|$"))
    for values, color, style, label in curves:
        band(speeds, times, np.log10(values), color, label, linestyle=style)
    losses = replicates(metrics)
    fine = losses[0]["flow_time"]
    falls = np.array([np.log(run["loss"] / run["loss"][0]) / 2 for run in losses])
    for factor, color, style in ((0.5, MEASURED, "-"), (1.0, PRINTED, "-")):
        band(errors, fine, (falls + factor * lambda_0 * fine) / np.log(10), color, "", linestyle=style)
    errors.axhline(0, **LEVEL)
    for panel in (speeds, errors):
        _mark_lost(panel, runs, lambda_0)
    speeds.set(xlabel="flow time $t=\\eta k$", ylabel="$\\log_{10}$ (distance / flow time)",
               title="Speed of the weights")
    errors.set(xlabel="flow time $t=\\eta k$", ylabel="$\\log_{10}$ (error / exponential bound)",
               title="Error $\\|u-y\\|$ over its bound")
    figure.legend(*speeds.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _column(runs: list[Table], name: str) -> np.ndarray:
    return np.array([run[name] for run in runs])


def _mark_lost(panel, runs: list[Table], lambda_0: float) -> None:
    label = HALF
    for run in runs:
        low = run["lambda_min"] < lambda_0 / 2
        if low.any():
            panel.axvline(run["flow_time"][max(low.argmax() - 1, 0)], color=COLORS[3], linestyle=":", linewidth=1.1,
                          label=label)
            label = None


def draw_counterexamples(constructed: Table):
    """Errors of one sample and of MNIST-1D with made labels against both rates; movements over the printed radius."""
    figure, ((single, real, moved),) = new_figure(1, 3, height=3.4)
    cases = {name: _of_case(constructed, name) for name in ("one_sample", "mnist1d", "cone")}
    for panel, name in ((single, "one_sample"), (real, "mnist1d")):
        runs = replicates(cases[name])
        times, lambda_0 = runs[0]["flow_time"], runs[0]["lambda_0"][0]
        panel.plot(times, -lambda_0 * times / 2 / np.log(10), **BROAD,
                   label="corrected, $e^{-\\lambda_0t/2}$")
        panel.plot(times, -lambda_0 * times / np.log(10), color=PRINTED, linestyle="--",
                   label="printed, $e^{-\\lambda_0t}$")
        for i, run in enumerate(runs):
            every = slice(None, None, 4)
            panel.plot(times, run["log_flow"] / np.log(10), color=COLORS[0], linewidth=1,
                       label="flow, closed form" if not i else None)
            panel.plot(times[every], run["log_error"][every] / np.log(10), "o", color=COLORS[0], markersize=2.5,
                       label="descent" if not i else None)
        panel.set(xlabel="flow time $t$")
    single.set(ylabel="$\\log_{10}\\,(\\|u-y\\|/\\|u(0)-y\\|)$", title="One sample")
    real.set(title="MNIST-1D, made labels")
    _draw_movements(moved, cases)
    figure.legend(*single.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _of_case(constructed: Table, case: str) -> Table:
    chosen = np.array([name == case for name in constructed["case"]])
    return {name: values[chosen] for name, values in constructed.items() if name != "case"}


def _draw_movements(panel, cases: Mapping[str, Table]) -> None:
    for name, color, text in (("one_sample", COLORS[0], "one sample"), ("cone", COLORS[2], "narrow cone")):
        rows = cases[name]
        printed = lemma_checks.printed_radius(*(rows[key] for key in ("samples", "width", "start", "lambda_0")))
        times = rows["rate"] * rows["flow_time"]
        panel.plot(times, rows["flow_movement"] / printed, color=color, linewidth=1, label=text)
        panel.plot(times[::4], rows["movement"][::4] / printed[::4], "o", color=color, markersize=2.5)
    for level, color, style, text in ((1, PRINTED, "--", "printed radius"), (2, THEORY, "--", "corrected radius")):
        panel.axhline(level, color=color, linestyle=style)
        panel.annotate(text, (times[-1], level), (0, 3), textcoords="offset points", color=color, ha="right",
                       fontsize=8)
    panel.set(xlabel="flow time $t$ times rate", ylabel="movement / printed radius", ylim=(0, 2.25),
              title="Furthest weight")
    panel.legend(loc="lower right")
