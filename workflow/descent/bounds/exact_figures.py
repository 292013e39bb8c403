"""The figure of the study of exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from descent.bounds.exact_descent import exceptional_path, rounded_path
from descent.figures import COLORS, PREDICTION, new_figure


def norms(steps: int, displacement: Fraction = Fraction(0)) -> np.ndarray:
    """‖θ^k − θ*‖ along `exceptional_path`, rounded only for drawing, shape (`steps` + 1,)."""
    return np.array([float(np.sum(error**2)) ** 0.5 for error in exceptional_path(steps, displacement)])


def draw_exceptional(steps: int, exponent: int):
    """Distance from the minimizer for an exceptional start: rational, rational and displaced, double precision."""
    figure, ((axes,),) = new_figure(height=3.2)
    k = np.arange(steps + 1)
    axes.plot(k, norms(steps, Fraction(1, 10**exponent)), color=COLORS[1],
              label=rf"rational, start moved by $5 \cdot 10^{{-{exponent}}}$")
    axes.plot(k, rounded_path(steps), color=COLORS[0], label="double precision, exceptional start")
    axes.plot(k, norms(steps), color=COLORS[2], linewidth=4.5, alpha=0.45, label="rational, exceptional start")
    axes.plot(k, 5 * 0.75**k, **PREDICTION, label=r"$5\,(3/4)^k$")
    axes.set(yscale="log", xlabel="step $k$", ylabel=r"$\|\theta^k - \theta^*\|$", xlim=(0, steps))
    axes.legend()
    return figure
