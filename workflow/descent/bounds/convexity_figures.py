"""Figures of the study of convexity and smoothness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.figures import DEPTHS, LEVEL, THEORY, new_figure


def draw_path(paths: Mapping[str, Any], activation: str):
    """L(s)/L(0) through zero weights for every depth, and how L(0) − L(s) vanishes with s (synthetic set)."""
    figure, ((plain, logarithmic),) = new_figure(1, 2)
    chosen = (np.array(paths["data"]) == "synthetic") & (np.array(paths["activation"]) == activation)
    for depth in np.unique(paths["depth"]).tolist():
        color = DEPTHS[depth]
        rows = chosen & (paths["depth"] == depth)
        s, loss = paths["scale"][rows], paths["loss"][rows]
        label = f"N = {depth}"
        plain.plot(s, loss, color=color, label=label)
        falling = (s > 0) & (loss < 1)
        logarithmic.plot(s[falling], 1 - loss[falling], color=color, label=label)
        small = s[falling][:2]
        logarithmic.plot(s[falling], (1 - loss[falling][0]) * (s[falling] / small[0]) ** depth, **LEVEL)
    plain.set(xlabel="position $s$ on the path", ylabel="loss / loss at zero weights", ylim=(0, 1.6))
    plain.axvline(0, color=THEORY, linewidth=0.6)
    logarithmic.set(xscale="log", yscale="log", xlabel="position $s$ on the path", ylim=(1e-14, 10),
                    ylabel="1 − loss / loss at zero weights")
    figure.legend(*plain.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


# A colour for the depth, a line for the loss.
LOSSES = {"quadratic": {"linestyle": "-"}, "log cosh": {"linestyle": "-."},
          "affine": {"linestyle": "-", "marker": "o", "markersize": 3}}
RAYS = {"quadratic": ("quadratic", 2), "log_cosh": ("log cosh", 2), "affine_deep": ("affine", 3),
        "affine": ("affine", 2), "one_layer": ("quadratic", 1)}


def draw_curvature(rays: Mapping[str, Any], ratios: Mapping[str, Any], depths: Sequence[int]):
    """‖∇²φ‖ against the rescaling c, and its distribution in unit balls relative to the bound."""
    figure, ((left, right),) = new_figure(1, 2)
    c = rays["factor"]
    for name, (loss, depth) in RAYS.items():
        left.plot(c, rays[name], color=DEPTHS[depth], **LOSSES[loss], label=f"{loss}, N = {depth}")
    for power in (1, 2):
        left.plot(c, rays["affine"][0] * c**power, **LEVEL)
        left.annotate(f"$c^{power}$" if power > 1 else "$c$", (c[-1], rays["affine"][0] * c[-1] ** power), color=THEORY)
    left.set(xscale="log", yscale="log", xlabel="rescaling $c$ of the factors",
             ylabel=r"curvature $\|\nabla^2\varphi\|_2$")
    left.legend(loc="upper left")
    for depth in depths:
        rows = ratios["depth"] == depth
        ordered = np.sort(ratios["curvature"][rows] / ratios["bound"][rows])
        right.plot(ordered, np.arange(1, len(ordered) + 1) / len(ordered), color=DEPTHS[depth], label=f"N = {depth}")
    right.axvline(1, **LEVEL)
    right.set(xlabel="curvature / bound", ylabel="fraction of the draws below", xlim=(0, 1.05))
    right.legend(loc="center right", bbox_to_anchor=(0.95, 0.4))
    return figure
