"""Figures of stochastic gradient descent: gradient norms against bounds, steps that suffice and steps needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from descent.bounds.stationarity import average_bound, constant_steps, known_target, plain_bound, sufficient_steps
from descent.bounds.stationarity_runs import Run, chosen, reaching_step
from descent.bounds.stationarity_summary import decaying_bounds
from descent.figures import BROAD, COLORS, LEVEL, THEORY, new_figure

TITLES = {"line": "$\\beta w^2/2$, one dimension", "quadratic": "$\\beta\\Vert w\\Vert^2/2$",
          "stretched": "stretched quadratic", "logarithm": "$\\Sigma_i\\,\\log(1+w_i^2)$"}
FUNCTIONS = dict(zip(TITLES, COLORS[4:], strict=True))
NOISES = {"rademacher": ("random signs", COLORS[0]), "gaussian": ("Gaussian", COLORS[1]),
          "frozen": ("one draw for all $t$", COLORS[2]), "opposed": ("against the gradient", COLORS[3])}


def _kept(steps: np.ndarray) -> np.ndarray:
    return np.unique(np.geomspace(1, len(steps), 36).astype(int)) - 1


def draw_descents(runs: Sequence[Run], sigma: float, schedule: str):
    """Root of the weighted average and measured minimum against T for every function, with both bounds."""
    figure, axes = new_figure(2, 2, height=5.6, sharex=True, sharey=True)
    noises = ("rademacher", "gaussian") if schedule == "constant" else tuple(NOISES)
    for panel, (name, title) in zip(axes.flat, TITLES.items(), strict=True):
        pair = chosen(runs, schedule, noises, (name,))
        _draw_bounds(panel, pair[0], sigma)
        for run in pair:
            _draw_run(panel, run)
        panel.set(title=title, xscale="log", yscale="log")
        panel.minorticks_off()
    for panel in axes[1]:
        panel.set_xlabel("number of steps $T$")
    low, high = axes[0, 0].get_ylim()
    marks = [mark for power in range(-6, 7) for mark in (10.0**power, 2 * 10.0**power, 5 * 10.0**power)]
    shown = [mark for mark in marks if low <= mark <= high]
    for panel in axes[:, 0]:
        panel.set_ylabel("gradient norm")
        panel.set_yticks(shown, [f"{mark:g}" for mark in shown])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _draw_bounds(panel, run: Run, sigma: float) -> None:
    at = _kept(run.steps)
    steps = run.steps[at]
    if run.schedule == "constant":
        panel.plot(steps, np.sqrt(run.excess / steps) + sigma, color=THEORY, linestyle="--",
                   label="bound $(2\\beta\\Delta/T)^{1/2}+\\sigma$")
        panel.axhline(sigma, **LEVEL, label="$\\sigma$")
    else:
        panel.plot(steps, np.sqrt(plain_bound("decaying", steps, run.excess, sigma**2)), color=THEORY, linestyle="--",
                   label="usual bound")
        late = steps[len(steps) // 3 :]
        panel.plot(late, sigma / 2**0.5 * late**-0.25, **LEVEL, label="$\\sigma\\,2^{-1/2}\\,T^{-1/4}$")
    panel.plot(steps, np.sqrt(average_bound(run.parts, run.excess, sigma**2))[at], **BROAD,
               label="sharp bound")


def _draw_run(panel, run: Run) -> None:
    at, (label, color) = _kept(run.steps), NOISES[run.noise]
    # The two kinds of independent noise nearly coincide: one is wide, the other thin on top of it.
    width = 2.8 if run.noise == "rademacher" else 1.2
    least = np.minimum.accumulate(run.rows["norm"])
    panel.plot(run.steps[at], least[at], color=color, linewidth=width,
               label=f"{label}: minimum of $E\\Vert\\nabla f\\Vert$")
    if run.noise in ("rademacher", "gaussian"):
        panel.plot(run.steps[at], np.sqrt(run.rows["average"][at]), color=color, linestyle="-.", linewidth=width,
                   label=f"{label}: root of the average")
        place = np.maximum.accumulate(np.where(run.rows["norm"] == least, np.arange(len(least)), 0))
        half = 1.96 * run.rows["norm_error"][place]
        panel.fill_between(run.steps[at], (least - half)[at], (least + half)[at], color=color, alpha=0.25, linewidth=0)


def draw_sufficient_steps(runs: Sequence[Run], sigma: float, constant: Sequence[float], decaying: Sequence[float]):
    """Left: T that suffices over T that was needed, constant step. Right: both against ε, decaying step."""
    figure, ((left, right),) = new_figure(1, 2, height=4.1)
    _draw_ratios(left, runs, sigma, np.geomspace(constant[-1], constant[0], 19))
    left.set(xlabel="$\\epsilon$", ylabel="sufficient $T$ over needed $T$", xscale="log", yscale="log",
             title="Constant step, target $\\epsilon+\\sigma$")
    _draw_decaying(right, runs, sigma, np.geomspace(decaying[-1], decaying[0], 19))
    right.set(xlabel="$\\epsilon$", ylabel="number of steps $T$", xscale="log", yscale="log",
              title="Decaying step, target $\\epsilon$")
    for panel, targets in ((left, constant), (right, decaying)):
        panel.minorticks_off()
        panel.set_xticks(targets, [f"{target:g}" for target in targets])
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=7.5)
    return figure


def _draw_ratios(panel, runs: Sequence[Run], sigma: float, epsilons: np.ndarray) -> None:
    for name, color in FUNCTIONS.items():
        run = chosen(runs, "constant", ("gaussian",), (name,))[0]
        reached = np.array([reaching_step(run, epsilon + sigma) or np.nan for epsilon in epsilons])
        for form, style in (("plain", ":"), ("sharp", "-")):
            steps = np.array([constant_steps(form, epsilon, run.excess, sigma**2, sigma) for epsilon in epsilons])
            panel.plot(epsilons, steps / reached, color=color, linestyle=style,
                       label=TITLES[name] if form == "sharp" else "")
    for text, style in (("$T=2\\beta\\Delta/\\epsilon^2$", ":"), ("sharp $T$", "-")):
        panel.plot([], [], color=THEORY, linestyle=style, label=text)


def _draw_decaying(panel, runs: Sequence[Run], sigma: float, epsilons: np.ndarray) -> None:
    shown = {name: chosen(runs, "decaying", ("gaussian",), (name,))[0] for name in FUNCTIONS}
    excess = shown["quadratic"].excess
    steps = {label: [sufficient_steps(bound, epsilon**2) for epsilon in epsilons] for label, bound in zip(
        ("usual bound", "sharp bound"), decaying_bounds(excess, sigma).values(), strict=True)}
    steps["constant step that knows $\\epsilon$"] = [known_target(epsilon, excess, sigma**2)[1] for epsilon in epsilons]
    steps["$\\sigma^4/(4\\epsilon^4)$"] = sigma**4 / (4 * epsilons**4)
    for (label, values), style in zip(steps.items(), (":", "-", "--", "-."), strict=True):
        panel.plot(epsilons, values, color=THEORY, linestyle=style, label=label)
    for name, color in FUNCTIONS.items():
        panel.plot(epsilons, [reaching_step(shown[name], epsilon) or np.nan for epsilon in epsilons], color=color,
                   label=f"needed: {TITLES[name]}")
