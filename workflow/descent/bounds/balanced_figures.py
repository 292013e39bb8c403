"""Figures of the study of balanced minimizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.bounds.balanced import first_target, least_product, scalar_balanced, scalar_mixed
from descent.figures import COLORS, LEVEL, PREDICTION, THEORY, new_figure, sequence


def draw_balance(several: Mapping[str, Any], scalar: Mapping[str, Any], decays: Sequence[float]):
    """Norms of the layers; ratio against product; product against target for both penalties."""
    figure, ((norms, ratio), (squared, mixed)) = new_figure(2, 2, height=6.0)
    _draw_norms(norms, several)
    _draw_ratio(ratio, several, scalar, decays)
    _draw_products(squared, scalar, decays, "squared")
    _draw_products(mixed, scalar, decays, "mixed")
    return figure


def _rows(table, **values):
    chosen = [np.array(table[name]) == value for name, value in values.items()]
    return np.logical_and.reduce([*chosen, table["norm_outputs"] * table["norm_hidden"] > 0])


def _draw_norms(axes, several) -> None:
    line = np.array([0.25, 12.0])
    axes.plot(line, line, color=THEORY, linestyle="--", linewidth=1, label=r"$\|U\|_F = \|V\|_F$")
    axes.plot(line, 2 * line**2, color=THEORY, linestyle=":", linewidth=1.2, label=r"$\|U\|_F = 2\|V\|_F^2$")
    for color, (penalty, loss) in zip(COLORS, _kinds()):
        rows = _rows(several, penalty=penalty, loss=loss)
        axes.plot(several["norm_hidden"][rows], several["norm_outputs"][rows], "o", markersize=3, alpha=0.5,
                  color=color, markeredgewidth=0, rasterized=True, label=f"{penalty} penalty, {loss} loss")
    axes.set(xscale="log", yscale="log", xlabel=r"$\|V\|_F$", ylabel=r"$\|U\|_F$",
             title="Norms at the minimizers found", ylim=(0.03, 3e4))
    axes.legend(loc="upper left", fontsize=7)


def _kinds():
    return [(penalty, loss) for penalty in ("squared", "mixed") for loss in ("squared", "logistic")]


def _draw_ratio(axes, several, scalar, decays) -> None:
    c = np.array([0.01, 200.0])
    axes.plot(c, np.cbrt(4 * c), **PREDICTION, label="$(4c)^{1/3}$")
    axes.axvline(0.25, 0, 0.4, **LEVEL)
    axes.axhline(1, **LEVEL)
    for color, loss in zip(COLORS[2:], ("squared", "logistic")):
        _scatter(axes, several, _rows(several, penalty="mixed", loss=loss), "o", color, f"{loss} loss")
    for color, decay in zip(sequence("scale", len(decays)), decays):
        _scatter(axes, scalar, _rows(scalar, penalty="mixed", decay=decay), "x", color,
                 rf"scalar, $\lambda$ = {decay:g}")
    axes.set(xscale="log", yscale="log", xlabel=r"$c = \|U\|_F\,\|V\|_F$", ylabel=r"$\|U\|_F\,/\,\|V\|_F$",
             title="Mixed penalty: ratio and product", ylim=(0.2, 400))
    axes.text(0.28, 0.22, "$c$ = 1/4", fontsize=7, color=THEORY)
    axes.legend(loc="upper left", fontsize=7)


def _scatter(axes, table, rows, marker, color, label) -> None:
    a, b = table["norm_outputs"][rows], table["norm_hidden"][rows]
    axes.plot(a * b, a / b, marker, markersize=3.5, alpha=0.7, color=color, rasterized=True, label=label)


def _draw_products(axes, scalar, decays, penalty) -> None:
    for color, decay in zip(sequence("scale", len(decays)), decays):
        rows = (np.array(scalar["penalty"]) == penalty) & (scalar["decay"] == decay)
        target, found = scalar["target"][rows], (scalar["norm_outputs"] * scalar["norm_hidden"])[rows]
        law = scalar_mixed if penalty == "mixed" else scalar_balanced
        y = np.geomspace(0.02, 4, 120)
        expected = np.array([law(value, decay) for value in y])
        axes.plot(y, np.where(expected > 0, expected, np.nan), color=color, linewidth=1, linestyle="--")
        axes.plot(target[found > 0], found[found > 0], "x", color=color, markersize=3.5,
                  label=rf"$\lambda$ = {decay:g}")
        if penalty == "mixed":
            axes.plot(first_target(decay), least_product(decay), "o", color=color,
                      markerfacecolor="white", markersize=5)
    axes.set(xscale="log", yscale="log", xlabel="target $y$", ylabel="$c = uv$ of the best minimum", ylim=(0.005, 8),
             xlim=(0.02, 4), title=f"Scalar problem, {penalty} penalty")
    if penalty == "mixed":
        axes.axhline(0.25, **LEVEL)
        axes.text(0.022, 0.28, "$c$ = 1/4", fontsize=7, color=THEORY)
    axes.legend(loc="lower right", fontsize=7)


def draw_sharpness(table: Mapping[str, Any]):
    """λ_max of rescaled minimizers against α, and the growth of the loss under a fixed step against ηλ_max."""
    figure, ((left, right),) = new_figure(1, 2)
    for color, replicate in zip(np.resize(COLORS, len(table["replicate"])), np.unique(table["replicate"])):
        rows = table["replicate"] == replicate
        alpha, limit = 2.0 ** table["exponent"][rows], 2 / table["eta"][rows]
        sharpness = table["sharpness"][rows] / limit
        left.plot(alpha, sharpness, color=color, marker=".", markersize=3, linewidth=1)
        left.plot(alpha, np.maximum(table["of_hidden"][rows], table["of_outputs"][rows]) / limit, color=color,
                  linestyle="--", linewidth=1)
        grown = np.minimum(np.where(np.isfinite(table["greatest"][rows]), table["greatest"][rows], np.inf), 1e14)
        diverged = ~np.isfinite(table["last"][rows])
        for part, marker in ((~diverged, "."), (diverged, "x")):
            right.plot(2 * sharpness[part], grown[part], marker, color=color, markersize=4)
    left.axhline(1, **LEVEL)
    left.set_xscale("log", base=2)
    left.set(yscale="log", xlabel=r"rescaling $\alpha$ of $(\alpha U, V/\alpha)$",
             ylabel=r"sharpness $\lambda_{\max}$ over $2/\eta$", title="Rescaled copies of one minimizer")
    right.axvline(2, **LEVEL)
    right.set(xscale="log", yscale="log", xlabel=r"$\eta\,\lambda_{\max}$ at the minimizer",
              ylabel="greatest loss / first loss", title="One fixed step, started near each")
    return figure
