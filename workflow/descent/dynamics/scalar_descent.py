"""Gradient descent on the function with two minima from very many starts at once, until each has an end (snu.4)."""

from __future__ import annotations

import numpy as np

from descent.dynamics.two_minima import curvature, evaluate, slope

ENDS = ("undecided", "sharp", "wide", "cycle", "diverged")
UNDECIDED, SHARP, WIDE, CYCLE, DIVERGED = range(len(ENDS))
ESCAPED = 1e6
RETURN = 1e-12
# Starts that are advanced together: their arrays stay in the processor's cache.
BLOCK = 32768


def descend(start: np.ndarray, step: np.ndarray, limit: int, tolerance: float,
            boundary: float) -> dict[str, np.ndarray]:
    """Iterate θ ← θ − α f′(θ) from every `start` with its `step` α, at most `limit` times.

    A run ends in a minimum (left or right of `boundary`) when |f′| was at most `tolerance` at two points in a row and
    did not grow: beside an unstable minimum it grows. It ends in a cycle when it comes back to an earlier
    point (Brent's search) on an attracting cycle, and it has diverged beyond |θ| = 10⁶. Else it is undecided.
    Returns arrays: `end` (index into `ENDS`), `period` of a cycle, `steps` taken, and the last `position`.
    """
    start, step = np.broadcast_arrays(np.asarray(start, float), np.asarray(step, float))
    parts = [_descend_block(start[i:i + BLOCK], step[i:i + BLOCK], limit, tolerance, boundary)
             for i in range(0, len(start), BLOCK)]
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    _confirm_cycles(found, step)
    return found


def _descend_block(start, step, limit, tolerance, boundary):
    found = {"end": np.zeros(len(start), np.int8), "period": np.zeros(len(start), np.int32),
             "steps": np.full(len(start), limit, np.int32), "position": start.copy()}
    index, x, alpha = np.arange(len(start)), start, step
    reference, since, previous = x, 0, np.full(len(x), np.inf)
    for k in range(limit):
        gradient = evaluate(slope, x)
        size = np.abs(gradient)
        end = _ended(x, size, previous, reference, k - since, tolerance, boundary)
        if end.any():
            done = end > 0
            rows = index[done]
            found["end"][rows], found["steps"][rows], found["position"][rows] = end[done], k, x[done]
            found["period"][rows] = np.where(end[done] == CYCLE, k - since, 0)
            index, x, alpha, reference, gradient, size = (
                column[~done] for column in (index, x, alpha, reference, gradient, size))
            if not len(x):
                return found
        if k & (k - 1) == 0:
            reference, since = x, k
        x, previous = x - alpha * gradient, size
    found["position"][index] = x
    return found


def _ended(x, size, previous, reference, elapsed, tolerance, boundary):
    end = np.zeros(len(x), np.int8)
    if elapsed > 1:
        end[np.abs(x - reference) <= RETURN * (1 + np.abs(x))] = CYCLE
    rested = (previous <= tolerance) & (size <= previous)
    end[rested] = np.where(x[rested] < boundary, SHARP, WIDE)
    end[np.abs(x) > ESCAPED] = DIVERGED
    return end


def _confirm_cycles(found, step):
    rows = np.flatnonzero(found["end"] == CYCLE)
    while len(rows):  # a cycle approached from alternating sides is nearer to itself after two periods than after one
        halves = found["period"][rows] // 2
        rows, halves = rows[halves > 1], halves[halves > 1]
        back = cycle_facts(found["position"][rows], step[rows], halves)[0] <= 1e-8
        rows = rows[back & (found["period"][rows] % 2 == 0)]
        found["period"][rows] //= 2
    rows = np.flatnonzero(found["end"] == CYCLE)
    _, multiplier, extent = cycle_facts(found["position"][rows], step[rows], found["period"][rows])
    wrong = rows[(np.abs(multiplier) >= 1) | (extent < 1e-4)]
    found["end"][wrong], found["period"][wrong] = UNDECIDED, 0


def cycle_facts(position: np.ndarray, step: np.ndarray, period: np.ndarray) -> tuple[np.ndarray, ...]:
    """|T^p(θ) − θ|, the multiplier ∏(1 − α f″) over p steps, and the extent of the p points, for every θ and p."""
    x, multiplier = position.copy(), np.ones(len(position))
    low, high = position.copy(), position.copy()
    for k in range(int(period.max(initial=0))):
        on = period > k
        multiplier[on] *= 1 - step[on] * evaluate(curvature, x[on])
        x[on] -= step[on] * evaluate(slope, x[on])
        low, high = np.minimum(low, x), np.maximum(high, x)
    return np.abs(x - position), multiplier, high - low


def lyapunov_exponents(position: np.ndarray, step: np.ndarray, steps: int) -> np.ndarray:
    """Mean of ln|1 − α f″(θ)| over `steps` steps from `position`: positive where nearby starts separate."""
    x, total = position.copy(), np.zeros(len(position))
    for _ in range(steps):
        total += np.log(np.abs(1 - step * evaluate(curvature, x)))
        x = x - step * evaluate(slope, x)
    return total / steps
