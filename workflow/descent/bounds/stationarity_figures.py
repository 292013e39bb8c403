"""Figures of stochastic gradient descent: gradient norms against their bounds, steps that suffice and that were needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from descent.bounds.stationarity import average_bound, constant_steps, known_target, plain_bound, sufficient_steps
from descent.bounds.stationarity_runs import Run, chosen, reaching_step
from descent.bounds.stationarity_summary import decaying_bounds
from descent.figures import COLORS, THEORY, new_figure

TITLES = {"line": "$\\beta w^2/2$, one dimension", "quadratic": "$\\beta\\Vert w\\Vert^2/2$",
          "stretched": "stretched quadratic", "logarithm": "$\\sum_i\\,\\log(1+w_i^2)$"}
NOISES = {"rademacher": ("random signs", COLORS[0]), "gaussian": ("Gaussian", COLORS[1]),
          "frozen": ("one draw for all $t$", COLORS[2]), "opposed": ("against the gradient", COLORS[3])}


def _kept(steps: np.ndarray) -> np.ndarray:
    return np.unique(np.geomspace(1, len(steps), 90).astype(int)) - 1


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
    for panel in axes[1]:
        panel.set_xlabel("number of steps $T$")
    for panel in axes[:, 0]:
        panel.set_ylabel("gradient norm")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _draw_bounds(panel, run: Run, sigma: float) -> None:
    at = _kept(run.steps)
    steps = run.steps[at]
    if run.schedule == "constant":
        panel.plot(steps, np.sqrt(run.excess / steps) + sigma, color=THEORY, linestyle=":",
                   label="bound $(2\\beta\\Delta/T)^{1/2}+\\sigma$")
        panel.axhline(sigma, color=THEORY, linewidth=0.8, linestyle="-.", label="$\\sigma$")
    else:
        panel.plot(steps, np.sqrt(plain_bound("decaying", steps, run.excess, sigma**2)), color=THEORY, linestyle=":",
                   label="usual bound")
        panel.plot(steps[len(steps) // 3:], sigma / 2**0.5 * steps[len(steps) // 3:] ** -0.25, color=THEORY,
                   linewidth=0.8, linestyle="-.", label="$\\sigma\\,2^{-1/2}\\,T^{-1/4}$")
    panel.plot(steps, np.sqrt(average_bound(run.parts, run.excess, sigma**2))[at], color=THEORY, linewidth=3.5,
               alpha=0.45, label="sharp bound")


def _draw_run(panel, run: Run) -> None:
    at, (label, color) = _kept(run.steps), NOISES[run.noise]
    least = np.minimum.accumulate(run.rows["norm"])
    place = np.maximum.accumulate(np.where(run.rows["norm"] == least, np.arange(len(least)), 0))
    half = 1.96 * run.rows["norm_error"][place]
    if run.noise in ("rademacher", "gaussian"):
        panel.plot(run.steps[at], np.sqrt(run.rows["average"][at]), color=color, linestyle="--", linewidth=1.2,
                   label=f"{label}: root of the average")
    panel.plot(run.steps[at], least[at], color=color, label=f"{label}: minimum of $E\\Vert\\nabla f\\Vert$")
    panel.fill_between(run.steps[at], (least - half)[at], (least + half)[at], color=color, alpha=0.25, linewidth=0)


def draw_sufficient_steps(runs: Sequence[Run], sigma: float, constant: Sequence[float], decaying: Sequence[float]):
    """Left: T that suffices over T that was needed, constant step. Right: both against ε, decaying step."""
    figure, ((left, right),) = new_figure(1, 2, height=3.9)
    epsilons = np.geomspace(constant[-1], constant[0], 25)
    for run, color in zip(chosen(runs, "constant", ("gaussian",)), COLORS):
        reached = np.array([reaching_step(run, epsilon + sigma) or np.nan for epsilon in epsilons])
        for form, style in (("plain", ":"), ("sharp", "-")):
            steps = np.array([constant_steps(form, epsilon, run.excess, sigma**2, sigma) for epsilon in epsilons])
            left.plot(epsilons, steps / reached, color=color, linestyle=style,
                      label=TITLES[run.name] if form == "sharp" else "")
    left.plot([], [], color=THEORY, linestyle=":", label="with $T=2\\beta\\Delta/\\epsilon^2$")
    left.set(xscale="log", yscale="log", xlabel="$\\epsilon$", ylabel="sufficient $T$ over needed $T$",
             title="Constant step, target $\\epsilon+\\sigma$")
    _draw_decaying(right, runs, sigma, np.geomspace(decaying[-1], decaying[0], 40))
    for panel in (left, right):
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=7.5)
    return figure


def _draw_decaying(panel, runs: Sequence[Run], sigma: float, epsilons: np.ndarray) -> None:
    run = chosen(runs, "decaying", ("gaussian",), ("quadratic",))[0]
    lines = (("usual bound", ":"), ("sharp bound", "-"))
    for (label, style), bound in zip(lines, decaying_bounds(run.excess, sigma).values(), strict=True):
        panel.plot(epsilons, [sufficient_steps(bound, epsilon**2) for epsilon in epsilons], color=THEORY,
                   linestyle=style, label=f"{label}, {TITLES['quadratic']}")
    panel.plot(epsilons, [known_target(epsilon, run.excess, sigma**2)[1] for epsilon in epsilons], color=COLORS[4],
               label="constant step that knows $\\epsilon$")
    for other, color in zip(chosen(runs, "decaying", ("gaussian",)), COLORS):
        panel.plot(epsilons, [reaching_step(other, epsilon) or np.nan for epsilon in epsilons], color=color,
                   marker=".", markersize=3, linewidth=1, label=f"needed: {TITLES[other.name]}")
    panel.plot(epsilons, sigma**4 / (4 * epsilons**4), color=THEORY, linewidth=0.8, linestyle="-.",
               label="$\\sigma^4/(4\\epsilon^4)$")
    panel.set(xscale="log", yscale="log", xlabel="$\\epsilon$", ylabel="number of steps $T$",
              title="Decaying step, target $\\epsilon$")
