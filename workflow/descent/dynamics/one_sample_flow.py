"""Gradient flow of the two-layer ReLU network on a single sample, exactly: units only ever fall silent.

With z_r = w_rᵀx, ‖x‖ = 1, residual r and path τ(t) = (1/√m) ∫ |r|, an active unit moves by −sign(a_r r) τ along x and a
silent one not at all. So H = (active units)/m never rises, a unit with a_r r > 0 falls silent when τ reaches z_r, and
|r| = |r(0)| − (1/√m) ∫ (active units) dτ.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class OneSampleFlow:
    """|r(0)|, H(0), H(∞) and τ(∞), the distance that every unit which stays active moves."""

    start_error: float
    start_rate: float
    end_rate: float
    path: float


def one_sample_flow(heights: np.ndarray, signs: np.ndarray, target: float) -> OneSampleFlow:
    """The flow to t = ∞ from pre-activations `heights` z(0) (m,) and `signs` a (m,), u = m^(−1/2) Σ_r a_r relu(z_r).

    H(∞) = 0 and r(∞) ≠ 0 where all active units fall silent before the error is gone.
    """
    width, active = len(heights), heights >= 0
    residual = signs[active] @ heights[active] / np.sqrt(width) - target
    stops = np.sort(heights[active & (signs * residual > 0)])
    count, before = int(active.sum()), np.concatenate([[0.0], np.cumsum(stops)])
    # Fall of √m |r| until each unit stops: those that stopped earlier have contributed their own heights.
    falls = before[:-1] + (count - np.arange(len(stops))) * stops
    goal = np.sqrt(width) * abs(residual)
    stopped = int(np.searchsorted(falls, goal))
    left = count - stopped
    path = (goal - before[stopped]) / left if left else (stops[-1] if count else 0.0)
    return OneSampleFlow(abs(float(residual)), count / width, left / width, float(path))


def one_sample_columns(draws: np.random.Generator, width: int, count: int, target: float) -> dict[str, np.ndarray]:
    """`one_sample_flow` from `count` Gaussian initializations; columns width and the fields of OneSampleFlow."""
    flows = [one_sample_flow(draws.standard_normal(width), draws.choice([-1.0, 1.0], width), target)
             for _ in range(count)]
    rows = [asdict(flow) for flow in flows]
    return {"width": np.full(count, width), **{name: np.array([row[name] for row in rows]) for name in rows[0]}}
