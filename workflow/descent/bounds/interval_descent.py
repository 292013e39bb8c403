"""Statements on descent with every step of an interval, by interval arithmetic with outward rounding (snu.4).

Intervals are mpmath's: every result contains all values over the arguments, rounding included. The theorems that turn a
finished covering into a statement are in the proof of snu.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from descent.dynamics.two_minima import STARTS, curvature, evaluate, slope

# |T'| on cells that count as expanding; cells below this width count as failed; steps followed to reach the target.
EXPANSION = 1.002
LEAST_WIDTH = 1e-4
FOLLOWED = 6


def _interval(low: float, high: float):
    from mpmath import iv

    return iv.mpf([low, high])


def enclose(form: Callable, theta):
    """An interval that contains all values of `slope` or `curvature` on the interval `theta`."""
    from mpmath import iv

    power = iv.exp(3 * (theta - 3))
    return form(theta, 1 / (1 + 1 / power), 1 / (1 + power))


def certified_cells(low: float, high: float, settled: Callable[[float, float], bool],
                    least: float = LEAST_WIDTH) -> Iterator[tuple[float, float, bool]]:
    """Bisect [low, high] until `settled(a, b)`; yields (a, b, True), or (a, b, False) and ends at width `least`."""
    waiting = [(low, high)]
    while waiting:
        a, b = waiting.pop()
        if settled(a, b):
            yield a, b, True
        elif b - a < least:
            yield a, b, False
            return
        else:
            middle = (a + b) / 2
            waiting += [(middle, b), (a, middle)]


def count_stationary_points() -> tuple[int, int]:
    """Number of zeros of f′ on the starts' interval, and of cells that prove it; −1 zeros when the proof fails.

    In every cell f′ has no zero, or f″ has none, so that f′ is monotone and its signs at the ends decide.
    """
    def settled(a, b):
        cell = _interval(a, b)
        return 0 not in enclose(slope, cell) or 0 not in enclose(curvature, cell)

    cells = list(certified_cells(*STARTS, settled))
    ends = [enclose(slope, _interval(point, point)) for point in (STARTS[0], *(b for _, b, _ in cells))]
    if not all(fine for *_, fine in cells) or any(0 in end for end in ends):
        return -1, len(cells)
    return sum((left > 0) != (right > 0) for left, right in zip(ends, ends[1:])), len(cells)


@cache
def greatest_curvature(width: float = 1e-4) -> tuple[float, float]:
    """Numbers that enclose the maximum of f″ on the starts' interval, by branch and bound to cells of `width`."""
    grid = np.linspace(*STARTS, 20001)
    best = grid[np.argmax(evaluate(curvature, grid))]
    low = float(enclose(curvature, _interval(best, best)).a)
    cells = certified_cells(*STARTS, lambda a, b: b - a <= width or enclose(curvature, _interval(a, b)).b <= low, 0)
    return low, max(float(enclose(curvature, _interval(a, b)).b) for a, b, _ in cells)


def _lowest_image(alpha: float, high: float) -> float:
    grid = np.linspace(STARTS[0], high, 4001)
    return float(min(STARTS[0], (grid - alpha * evaluate(slope, grid)).min())) - 1


def _cover(alpha, low: float, target: float) -> tuple[int, bool]:
    def settled(a, b):
        theta = _interval(a, b)
        image = theta - alpha * enclose(slope, theta)
        rate = 1 - alpha * enclose(curvature, theta)
        return image.a >= low and (rate.a >= EXPANSION or rate.b <= -EXPANSION or _reaches(image, alpha, target))

    cells = list(certified_cells(low, target, settled))
    return len(cells), all(fine for *_, fine in cells)


def _reaches(theta, alpha, target: float) -> bool:
    for _ in range(FOLLOWED):
        if theta.a > target:
            return True
        if theta.delta > 50:
            return False
        theta = theta - alpha * enclose(slope, theta)
    return False


def cover_for_wide(low_step: float, high_step: float) -> tuple[int, bool]:
    """Cells, and whether they prove for all α in the interval: almost every start goes to the wide minimum.

    Target: (c, ∞) with 0 < αf″ ≤ 1, on which descent is monotone towards the wide minimum (verified on [c, 20],
    proved beyond). Elsewhere every cell is expanding or goes to the target, and none of its points leaves to the left.
    """
    if high_step > 0.99:
        return 0, False
    grid = np.linspace(4.0, 9.0, 1001)
    target = float(grid[np.flatnonzero(high_step * evaluate(curvature, grid) <= 0.999)[0]])

    def monotone(a, b):
        bend = enclose(curvature, _interval(a, b))
        return bend.a > 0 and (high_step * bend).b <= 1

    cells = list(certified_cells(target, STARTS[1], monotone))
    if enclose(slope, _interval(target, target)).b >= 0 or not all(fine for *_, fine in cells):
        return len(cells), False
    covered, fine = _cover(_interval(low_step, high_step), _lowest_image(high_step, target), target)
    return len(cells) + covered, fine


def escape_point(step: float) -> float:
    """10 + 400/(20α − 21): for 21/20 < α ≤ 1000 every start to its right diverges."""
    return 10 + 400 / (20 * step - 21)


def cover_for_divergence(low_step: float, high_step: float) -> tuple[int, bool]:
    """Cells, and whether they prove for all α in the interval (above 21/20): almost every start diverges."""
    if high_step > 1000:  # the theorem on the escape point ends there; far beyond, the wide minimum lies to its right
        return 0, False
    target = escape_point(low_step)
    return _cover(_interval(low_step, high_step), _lowest_image(high_step, target), target)


def slices(low: float, high: float, ratio: float = 1.04) -> list[tuple[float, float]]:
    """Intervals of steps that together are [low, high], each with ends whose ratio is at most about `ratio`."""
    count = max(1, int(np.ceil(np.log(high / low) / np.log(ratio))))
    ends = [low, *np.geomspace(low, high, count + 1)[1:-1].tolist(), high]
    return list(zip(ends, ends[1:]))
