"""The linearization bound |f(W) − f_0(W)| ≤ β/(2√m) ‖W − W_0‖_F² ‖x‖² on drawn and on adversarial displacements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from descent.networks.smooth_activation import SmoothActivation

# Where the weights go, from no adversary to the worst: see `displacements`.
DIRECTIONS = ("gaussian", "gradient", "parallel", "one_signed", "steepest")
_GRID = 16


@dataclass(frozen=True)
class Draws:
    """k draws of a network at W_0, an input and a displacement W − W_0.

    `start` (k, m, d), `signs` (k, m), `inputs` (k, d), `moves` (k, m, d), and `others` (k, m, d), the displacement
    V − W_0 of a second point; `scale` (k,), the factor of both.
    """

    start: np.ndarray
    signs: np.ndarray
    inputs: np.ndarray
    moves: np.ndarray
    others: np.ndarray
    scale: np.ndarray


def on_grid(values: np.ndarray) -> np.ndarray:
    """The nearest multiples of 1/16 other than zero.

    Sums and products of so few bits are exact in float64, and so is everything about z²/2 at powers of two of them:
    equality in the bound is seen as equality.
    """
    rounded = np.rint(_GRID * values) / _GRID
    return np.where(rounded == 0, np.copysign(1 / _GRID, values), rounded)


def displacements(generator: np.random.Generator, activation: SmoothActivation, direction: str, count: int, width: int,
                  dimension: int, exponents: tuple[int, int]) -> Draws:
    """`count` draws with W_0 ~ N(0, I), signs ±1 and inputs of length around 1, displaced on a random scale.

    The scale is 2^k with k uniform on `exponents`, ends included. Displacement of unit j, times the scale:
    `gaussian`: N(0, I); `gradient`: a_j σ′(w_jᵀx) x, the network's own gradient; `parallel`: c_j x, |c_j| ≥ ½ random;
    `one_signed`: the same, but only units with one sign of a_j σ″(w_jᵀx) move; `steepest`: the same again, after W_0
    was shifted along x to where |σ″| is largest (and a_j σ″ of one sign, if σ″ takes both). V is always displaced like
    `gaussian`. Raises ValueError on another direction.
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"direction {direction!r}: not one of {', '.join(DIRECTIONS)}")
    shape = (count, width, dimension)
    start, signs = generator.standard_normal(shape), generator.choice([-1.0, 1.0], shape[:2])
    inputs = on_grid(generator.standard_normal((count, dimension))) * 2.0 ** -np.floor(np.log2(dimension) / 2)
    scale = 2.0 ** generator.integers(*exponents, size=(count, 1, 1), endpoint=True)
    if direction == "steepest":
        start = _moved_to_steepest(activation, start, signs, inputs)
    if direction == "gaussian":
        moves = on_grid(generator.standard_normal(shape))
    else:
        lengths = _lengths(generator, activation, direction, signs, _along(start, inputs))
        moves = lengths[:, :, None] * inputs[:, None, :]
    others = on_grid(generator.standard_normal(shape))
    return Draws(start, signs, inputs, scale * moves, scale * others, scale[:, 0, 0])


def _along(weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    return np.einsum("kmd,kd->km", weights, inputs)


def _moved_to_steepest(activation: SmoothActivation, start, signs, inputs) -> np.ndarray:
    wanted = signs * np.sign(activation.curvature(np.array(activation.steepest))) * activation.steepest
    shift = (wanted - _along(start, inputs)) / np.sum(inputs**2, axis=1, keepdims=True)
    return start + shift[:, :, None] * inputs[:, None, :]


def _lengths(generator: np.random.Generator, activation: SmoothActivation, direction: str, signs: np.ndarray,
             first: np.ndarray) -> np.ndarray:
    if direction == "gradient":
        return on_grid(signs * activation.slope(first))
    drawn = generator.standard_normal(signs.shape)
    lengths = on_grid(drawn + np.copysign(0.5, drawn))
    if direction == "parallel":
        return lengths
    bent = signs * activation.curvature(first)
    # Units that bend like the first one, so that at least one moves.
    return np.where(bent * bent[:, :1] > 0, lengths, 0.0)


def bound_columns(draws: Draws, activation: SmoothActivation) -> dict[str, Any]:
    """Both sides of the bound, corrected and as printed, for each of k draws; all columns have shape (k,).

    `scaled_gap` √m |f(W) − f_0(W)|, from the activation's remainder, without cancellation; `squared_movement`
    ‖W − W_0‖_F²; `squared_input` ‖x‖²; for the printed form `scaled_printed_gap` √m |f(W) − f_0(V)| and
    `squared_distance` ‖W − V‖_F²; `scale`. The bounds on the scaled gaps are β/2 times products of the squares.
    """
    first, moved, other = (_along(weights, draws.inputs) for weights in (draws.start, draws.moves, draws.others))
    remainder = np.sum(draws.signs * activation.remainder(first, moved), axis=1)
    linear = np.sum(draws.signs * activation.slope(first) * (moved - other), axis=1)
    return {
        "scale": draws.scale, "scaled_gap": np.abs(remainder), "scaled_printed_gap": np.abs(remainder + linear),
        "squared_movement": np.sum(draws.moves**2, axis=(1, 2)), "squared_input": np.sum(draws.inputs**2, axis=1),
        "squared_distance": np.sum((draws.moves - draws.others) ** 2, axis=(1, 2)),
    }
