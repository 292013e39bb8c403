"""Gradient flow: the ordinary differential equation, integrated so finely that the integrator does not show."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.integrate import solve_ivp

RTOL = 1e-11


def flow(field: Callable[[np.ndarray], np.ndarray], start: np.ndarray, times: Sequence[float], rtol: float = RTOL,
         atol: float = 1e-14) -> np.ndarray:
    """States ẋ = field(x), x(times[0]) = `start`, at rising `times`: shape (times, *start.shape).

    Dormand and Prince's method of order 8 (DOP853) for smooth autonomous fields, from each time to the next: what it
    interpolates within a step can be much less exact than its steps. Raises RuntimeError with the integrator's words
    when it gives up.
    """
    def flat(_, state):
        return field(state.reshape(start.shape)).ravel()

    states = [start.ravel()]
    for now, then in zip(times, times[1:]):
        found = solve_ivp(flat, (now, then), states[-1], "DOP853", t_eval=[then], rtol=rtol, atol=atol)
        if not found.success:
            raise RuntimeError(f"gradient flow: {found.message}")
        states.append(found.y[:, -1])
    return np.array(states).reshape(len(times), *start.shape)


def flow_with_error(field: Callable[[np.ndarray], np.ndarray], start: np.ndarray,
                    times: Sequence[float]) -> tuple[np.ndarray, float]:
    """`flow`, and the largest difference to the same with a hundred times the relative tolerance."""
    states = flow(field, start, times)
    return states, float(np.abs(states - flow(field, start, times, rtol=100 * RTOL)).max())


def pack(layers: Sequence[np.ndarray]) -> np.ndarray:
    """All entries of `layers` in one vector, for a field of several matrices."""
    return np.concatenate([layer.ravel() for layer in layers])


def unpack(state: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """The matrices of a packed `state`, views; the inverse of `pack`."""
    matrices, begin = [], 0
    for shape in shapes:  # np.split takes longer than most fields that need this
        end = begin + math.prod(shape)
        matrices.append(state[begin:end].reshape(shape))
        begin = end
    return matrices
