"""Figures of the study of implicit convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.bounds.implicit_convolution import LATE
from descent.figures import COLORS, LEVEL, THEORY, new_figure

CURVES = {"document": "α = {:.2g}", "half": "α = 1/L", "best": "α = 2/(L + λ)", "near": "α = 0.98 · 2/L",
          "beyond_local": "α = 1.02 · 2/L", "below_ridge": "α = 0.99 · 2/λ", "beyond_ridge": "α = 1.01 · 2/λ"}
# What is below is rounding of the minimizer, what is above has diverged.
FLOOR, CEILING = 1e-26, 1e12


def _rows(table: Mapping[str, Any], case: str, name: str) -> dict[str, Any]:
    chosen = (np.asarray(table["case"]) == case) & (table["replicate"] == 0) & (np.asarray(table["name"]) == name)
    return {key: np.asarray(values)[chosen] for key, values in table.items()}


def _visible(gaps: np.ndarray) -> np.ndarray:
    return np.clip(np.nan_to_num(gaps, nan=np.inf), FLOOR / 100, CEILING * 100)


def draw_descent(table: Mapping[str, Any], iterations: int):
    """Gap over that at the start against the iteration for several steps, and after two times against the step."""
    figure, ((left, right),) = new_figure(1, 2, height=3.9)
    for color, (name, label) in zip(COLORS, CURVES.items()):
        rows = _rows(table, "document", name)
        k, start = rows["iteration"], rows["start"]
        left.plot(k[1:], _visible(rows["gap"] / start)[1:], color=color, label=label.format(rows["step"][0]))
        rate = max(abs(1 - rows["step"][0] * rows["ridge"][0]), abs(1 - rows["step"][0] * rows["smoothness"][0]))
        if rate < 1:
            bound = rows["smoothness"] / 2 * rows["optimum"] ** 2 * rate ** (2.0 * k) / start
            left.plot(k[1:], bound[1:], color=color, linestyle="--", linewidth=1)
    left.axvline(iterations, **LEVEL)
    left.set(xscale="log", yscale="log", ylim=(FLOOR, CEILING), xlabel="iteration $k$",
             ylabel="objective gap / gap at $x = 0$")
    _draw_steps(right, _rows(table, "document", "grid"), iterations)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _draw_steps(axes, rows: Mapping[str, Any], iterations: int) -> None:
    most = rows["iteration"].max()
    for at, width, place in ((iterations, 0.8, (0.03, 0.75)), (most, 2.2, (0.24, 0.13))):
        chosen = rows["iteration"] == at
        axes.plot(rows["step"][chosen], _visible(rows["gap"] / rows["start"])[chosen], color=COLORS[7],
                  linewidth=width)
        axes.annotate(f"after {at:,}", place, xycoords="axes fraction", color=COLORS[7], fontsize=8)
    for value, label in ((2 / rows["smoothness"][0], "$2/L$"), (2 / rows["ridge"][0], r"$2/\lambda$")):
        axes.axvline(value, **LEVEL)
        axes.annotate(label, (value, 1e-24), color=THEORY, ha="right", xytext=(-3, 0), textcoords="offset points")
    axes.set(xscale="log", yscale="log", ylim=(FLOOR, CEILING), xlabel=r"step $\alpha$")


def draw_limits(table: Mapping[str, Any], norms: Sequence[Mapping[str, float]]):
    """Gaps at the end of descents with steps near 2/L, and max |k̂| − ‖A‖ against n."""
    figure, ((left, right),) = new_figure(1, 2)
    labels = {"document": "document", "tails": "residuals in the tails"}
    for color, (case, label) in zip(COLORS, labels.items()):
        rows = _rows(table, case, "close")
        late = rows["iteration"] >= rows["iteration"].max() - LATE
        gaps = np.maximum(rows["gap"] / rows["start"], FLOOR)[late].reshape(-1, LATE + 1)
        steps = (rows["step"] * rows["smoothness"] / 2)[late][:: LATE + 1]
        left.plot(steps, gaps.max(axis=1), color=color, label=label)
        left.fill_between(steps, gaps.min(axis=1), gaps.max(axis=1), color=color, alpha=0.2, linewidth=0)
        left.axvline(rows["smoothness"][0] / rows["local"][0], color=color, linestyle="--", linewidth=1)
    left.set(yscale="log", xlabel=r"step $\alpha$ / $(2/L)$", ylabel="final gap / gap at $x = 0$")
    sizes = np.array([row["size"] for row in norms])
    gaps = np.array([row["upper"] - row["greatest"] for row in norms])
    right.plot(sizes, gaps, "o", color=COLORS[0], markersize=4, label=r"max$|\hat k| - \|A\|$")
    right.plot(sizes, gaps[-1] * (sizes[-1] / sizes) ** 2, **LEVEL, label="$n^{-2}$")
    right.set(xscale="log", yscale="log", xlabel="size $n$", ylabel=r"max$|\hat k| - \|A\|$")
    right.set_xticks(sizes, [str(size) for size in sizes])
    right.minorticks_off()
    right.legend(loc="upper right")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure
