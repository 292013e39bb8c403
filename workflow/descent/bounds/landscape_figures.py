"""Figures of the landscape study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.bounds.landscape import Label, chosen
from descent.dynamics.aligned import aligned_extremes, aligned_time
from descent.dynamics.linear_descent import Moments
from descent.figures import DEPTHS, THEORY, new_figure

NAMES = {"synthetic_regression": "synthetic", "diabetes": "diabetes", "user_regression": "user's file"}


def draw_landscape(runs: Sequence[tuple[Label, Mapping[str, Any]]], depths: Sequence[int], scale: float):
    """Excess loss, gradient norm, λ_max with 2/η, and λ_min against flow time, Gaussian starts, one scale."""
    figure, axes = new_figure(2, 2, height=5.0, sharex=True)
    for (start, depth, at, replicate), run in runs:
        if start != "gaussian" or at != scale:
            continue
        line = {"color": DEPTHS[depth], "linewidth": 1.6 if replicate == 0 else 0.6,
                "alpha": 1.0 if replicate == 0 else 0.45, "label": f"N = {depth}" if replicate == 0 else None}
        # Flow time 0 has no place on a logarithmic axis.
        time = run["flow_time"][1:]
        for panel, name in zip(axes.flat, ("excess", "gradient_norm", "lambda_max", "lambda_min")):
            panel.plot(time, run[name][1:], **line)
        if replicate == 0:
            axes[1, 0].axhline(2 / run["eta"][0], color=DEPTHS[depth], linestyle="--", linewidth=1)
    for panel, title in zip(axes.flat, ("excess loss", "gradient norm", r"$\lambda_{\max}$ (dashed: $2/\eta$)",
                                        r"$\lambda_{\min}$")):
        panel.set(title=title, xscale="log")
    for panel in axes.flat[:3]:
        panel.set_yscale("log")
    for panel in axes[1]:
        panel.set_xlabel(r"flow time $t = \eta k$")
    axes[0, 0].legend(loc="lower left")
    return figure


def draw_escape(runs: Mapping[str, Any], data: str, depths: Sequence[int]):
    """Escape time against 1/a, one panel for N = 2 (linear in the logarithm) and one for the deeper networks."""
    figure, (axes,) = new_figure(1, 2)
    markers = {"aligned": ("o", "whitened"), "balanced": ("s", data), "gaussian": ("x", data)}
    for depth in depths:
        panel = axes[0] if depth == 2 else axes[1]
        for start, (marker, name) in markers.items():
            rows = chosen(runs, data=name, depth=depth, start=start)
            panel.plot(1 / runs["scale"][rows], runs["escape_time"][rows], marker, color=DEPTHS[depth],
                       markersize=4, fillstyle="none", linestyle="none")
            if start == "gaussian" and depth > 2:
                continue
            rows &= runs["replicate"] == 0
            panel.plot(1 / runs["scale"][rows], runs["predicted"][rows], "--", color=DEPTHS[depth], linewidth=1)
    axes[0].set(title="N = 2", ylabel="escape time (flow time)")
    axes[1].set(title=" and ".join(f"N = {depth}" for depth in depths if depth > 2), yscale="log")
    for panel in axes:
        panel.set_xscale("log")
        panel.set_xticks(np.unique(1 / runs["scale"]), [f"{inverse:g}" for inverse in np.unique(1 / runs["scale"])])
        panel.minorticks_off()
        panel.set_xlabel(r"inverse scale $1/a$ of a layer")
    for start, (marker, _) in markers.items():
        axes[0].plot([], [], marker, color=THEORY, markersize=4, fillstyle="none", linestyle="none",
                     label={"aligned": "aligned, whitened"}.get(start, {"gaussian": "Gaussian"}.get(start, start)))
    axes[0].plot([], [], "--", color=THEORY, linewidth=1, label="prediction")
    axes[0].legend(loc="upper left")
    for depth in depths:
        if depth > 2:
            axes[1].plot([], [], color=DEPTHS[depth], label=f"N = {depth}")
    axes[1].legend(loc="upper left")
    return figure


def draw_aligned(runs: Sequence[tuple[Label, Mapping[str, Any]]], moments: Moments, depths: Sequence[int],
                 scale: float):
    """s/s* against time over the half-time, and both extremes of the curvature against s/s*, with the closed forms."""
    figure, (axes,) = new_figure(1, 2)
    target, shares = float(np.linalg.norm(moments.q)), np.linspace(1e-3, 0.995, 400)
    for (_, depth, at, _), run in runs:
        if at != scale:
            continue
        color, start = DEPTHS[depth], at**depth
        half = aligned_time(start, target / 2, target, depth)
        share = np.linalg.norm(run["weights"], axis=1) / target
        ends = shares[shares * target > start] * target
        times = [aligned_time(start, end, target, depth) / half for end in ends]
        axes[0].plot(times, ends / target, color=color, linestyle="--", label=f"N = {depth}")
        axes[0].plot(run["flow_time"] / half, share, ".", color=color, markersize=4)
        size = target ** (2 - 2 / depth)
        for name, values in zip(("lambda_min", "lambda_max"), aligned_extremes(shares * target, target, depth)):
            axes[1].plot(shares, values / size, color=color, linestyle="--")
            axes[1].plot(share, run[name] / size, ".", color=color, markersize=4)
    axes[0].set(xlabel="flow time / half-time", ylabel=r"$s/s^\ast$", xlim=(0, 2.5))
    axes[0].legend(loc="lower right")
    axes[1].set(xlabel=r"$s/s^\ast$", ylabel=r"$\lambda_{\min}$ and $\lambda_{\max}$, over $s^{\ast\,2 - 2/N}$")
    return figure


def draw_data_sets(reference: Mapping[str, Any], data: Sequence[str], depths: Sequence[int], scale: float):
    """Excess loss of networks from balanced starts (pale) and of tau.3.3's flow (dashed), a panel for each set."""
    figure, (axes,) = new_figure(1, len(data), sharey=True)
    for panel, name in zip(axes, data):
        for depth in depths:
            rows = chosen(reference, data=name, depth=depth, scale=scale) & (reference["flow_time"] > 0)
            time, color = reference["flow_time"][rows], DEPTHS[depth]
            panel.plot(time, reference["network_excess"][rows], color=color, linewidth=4, alpha=0.35)
            panel.plot(time, reference["flow_excess"][rows], "--", color=color, linewidth=1.2, label=f"N = {depth}")
        panel.set(title=NAMES[name], xscale="log", yscale="log", xlabel=r"flow time $t = \eta k$")
    axes[0].set_ylabel("excess loss / that of $w = 0$")
    axes[0].legend(loc="lower left")
    return figure
