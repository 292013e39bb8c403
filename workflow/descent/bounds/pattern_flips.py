"""Which activation patterns can flip within a distance R of a weight (Du et al., Lemma 3.2), with the weight that does.

A_ir is the event that some w with ‖w − w_r‖ ≤ R has 1{wᵀx_i ≥ 0} ≠ 1{w_rᵀx_i ≥ 0}. Over the ball wᵀx fills the interval
[z − R, z + R], z = w_rᵀx, for ‖x‖ = 1; its ends belong to w_r ∓ R x.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product

import numpy as np
from scipy.special import erf

Vector = tuple[Fraction, ...]


def flip_probability(radius):
    """P(|z| < R) = erf(R/√2) for z ~ N(0, 1), the probability of A_ir at a Gaussian w_r."""
    return erf(np.asarray(radius) / np.sqrt(2))


def flip_probability_bound(radius):
    """2R/√(2π), the bound of Lemma 3.2: the interval's length times the greatest density of N(0, 1)."""
    return 2 * np.asarray(radius) / np.sqrt(2 * np.pi)


def flipping_weights(hidden: np.ndarray, inputs: np.ndarray, radius: float, beyond: float = 0.5) -> np.ndarray:
    """w' = w ∓ (|z| + `beyond` (R − |z|)) x, − for z = wᵀx ≥ 0 and + for z < 0; a row for each pair of rows (k, d).

    For unit x, |z| < R and 0 < beyond < 1 the sign of w'ᵀx is not that of z, and ‖w' − w‖ < R. With beyond = 0, w' is
    the projection of w onto the hyperplane, which does not flip the pattern of z ≥ 0 as the hyperplane belongs to it.
    """
    z = _products(hidden, inputs)
    length = np.abs(z) + beyond * (radius - np.abs(z))
    return hidden - _toward(z, length)[:, None] * inputs


def extreme_weights(hidden: np.ndarray, inputs: np.ndarray, radius: float) -> np.ndarray:
    """w ∓ R x/‖x‖, the point of the closed ball about w where wᵀx gets furthest towards the other pattern; (k, d)."""
    z = _products(hidden, inputs)
    return hidden - (_toward(z, radius) / np.linalg.norm(inputs, axis=1))[:, None] * inputs


def _products(hidden: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", hidden, inputs)


def _toward(z: np.ndarray, length) -> np.ndarray:
    return np.where(z >= 0, length, -length)


def flip_counts(inputs: np.ndarray, draws: np.random.Generator, count: int, radii: Sequence[float],
                variants: dict[str, tuple[float, float]], block: int = 500) -> list[dict[str, object]]:
    """Tallies for every variant and radius over the same `count` pairs of a Gaussian weight and a sample, in turn.

    A variant is (beyond, stretch): the argument of `flipping_weights`, and a factor on the inputs (n, d). A row has
    `inside` and `outside`, the numbers of draws with |z| < R and with |z| ≥ R; `inside_flips`, those of the former
    whose w' flips the pattern and lies within R; `outside_flips`, those of the latter whose extreme weight flips it;
    `undecided`, the draws with | |z| − R | below the rounding error of z.
    """
    # Arrays of larger blocks are given back to the system after each use, which costs more than the arithmetic.
    rows = {(name, radius): np.zeros(5, np.int64) for name in variants for radius in radii}
    for start in range(0, count, block):
        chosen = np.arange(start, min(start + block, count)) % len(inputs)
        hidden = draws.standard_normal((len(chosen), inputs.shape[1]))
        for (name, radius), tally in rows.items():
            beyond, stretch = variants[name]
            tally += _tally(hidden, stretch * inputs[chosen], radius, beyond)
    names = ("inside", "inside_flips", "outside", "outside_flips", "undecided")
    return [{"variant": name, "radius": radius, "draws": count, **dict(zip(names, tally.tolist(), strict=True))}
            for (name, radius), tally in rows.items()]


def _tally(hidden: np.ndarray, inputs: np.ndarray, radius: float, beyond: float) -> tuple[int, ...]:
    z = _products(hidden, inputs)
    inside = np.abs(z) < radius
    w, x = hidden[inside], inputs[inside]
    moved = flipping_weights(w, x, radius, beyond)
    flips = _flipped(moved, w, x) & (np.linalg.norm(moved - w, axis=1) <= radius)
    w, x = hidden[~inside], inputs[~inside]
    rounding = 4 * len(inputs[0]) * np.finfo(float).eps * np.linalg.norm(hidden, axis=1)
    undecided = np.abs(np.abs(z) - radius) <= rounding
    return (inside.sum(), flips.sum(), len(z) - inside.sum(), _flipped(extreme_weights(w, x, radius), w, x).sum(),
            undecided.sum())


def _flipped(moved: np.ndarray, hidden: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    return (_products(moved, inputs) >= 0) != (_products(hidden, inputs) >= 0)


def boundary_cases() -> Iterator[tuple[Vector, Vector, Fraction]]:
    """Rational (x, w, R) with ‖x‖ = 1 and wᵀx at, just inside and just outside ±R, and at 0; two to four dimensions."""
    units = [(3, 4, 5), (-5, 12, 13), (2, -1, 2, 3), (1, -1, 1, 1, 2)]
    across = [(4, -3), (12, 5), (1, 2, 0), (1, 1, 0, 0)]
    radii, factors = (Fraction(1, 1000), Fraction(1, 3), Fraction(5, 2)), (Fraction(999, 1000), 1, Fraction(1001, 1000))
    for (numbers, other), radius in product(zip(units, across, strict=True), radii):
        x = tuple(Fraction(number, numbers[-1]) for number in numbers[:-1])
        for z in (Fraction(0), *(sign * factor * radius for sign in (1, -1) for factor in factors)):
            yield x, tuple(z * a + b for a, b in zip(x, other, strict=True)), radius


def ball_flips(x: Vector, w: Vector, radius: Fraction, closed: bool) -> bool:
    """Whether A_ir occurs for the `closed` ball of `radius` about w or for the open one, in exact arithmetic.

    Closed: one of w ± R x flips the pattern. Open: one of w ± c x does, where c = (|z| + R)/2 must be below R.
    """
    z = _exact_product(w, x)
    reach = radius if closed else (abs(z) + radius) / 2
    if not closed and reach >= radius:
        return False
    ends = [tuple(a + t * b for a, b in zip(w, x, strict=True)) for t in (reach, -reach)]
    return any((_exact_product(end, x) >= 0) != (z >= 0) for end in ends)


def _exact_product(a: Vector, b: Vector) -> Fraction:
    return sum((p * q for p, q in zip(a, b, strict=True)), Fraction(0))


def within(x: Vector, w: Vector, radius: Fraction, rule: str) -> bool:
    """|z| < R (`open`), −R ≤ z < R (`half_open`) or |z| ≤ R (`closed`) for z = wᵀx, in exact arithmetic."""
    z = _exact_product(w, x)
    return {"open": -radius < z < radius, "half_open": -radius <= z < radius, "closed": abs(z) <= radius}[rule]
