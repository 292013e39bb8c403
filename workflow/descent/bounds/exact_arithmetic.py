"""Exact checks: rational instances, derivatives without rounding, and the verdict of a residual that must be 0.

Arrays are numpy arrays of Python's `Fraction` (dtype object): + − * @ and comparisons are exact on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from descent.claims import Outcome

# Weights and inputs have denominators 1, 2 or 3, so that their inner products are multiples of 1/36: no activation
# pattern changes within so small a step.
SMALL_STEP = Fraction(1, 10**12)


def exact(values: Any) -> np.ndarray:
    """`values` (nested sequences of integers or fractions) as an array of fractions, of the same shape."""
    array = np.array(values, dtype=object)
    return np.array([Fraction(entry) for entry in array.flat], dtype=object).reshape(array.shape)


def rationals(draws: np.random.Generator, *shape: int) -> np.ndarray:
    """Independent fractions p/q of the given shape, p from −6, …, 6 and q from 1, 2, 3."""
    size = int(np.prod(shape))
    numerators, denominators = draws.integers(-6, 7, size), draws.integers(1, 4, size)
    drawn = [Fraction(int(p), int(q)) for p, q in zip(numerators, denominators)]
    return np.array(drawn, dtype=object).reshape(shape)


def identity(d: int) -> np.ndarray:
    """The identity (d, d) of integers, which unlike numpy's default keeps products of fractions exact."""
    return np.eye(d, dtype=object)


def orthogonal(draws: np.random.Generator, d: int) -> np.ndarray:
    """A rational orthogonal matrix (d, d): the product of two reflections I − 2vvᵀ/vᵀv in integer vectors v."""
    matrix = identity(d)
    for _ in range(2):
        v = exact(draws.integers(1, 5, d) * draws.choice([-1, 1], d))
        matrix = matrix - np.outer(2 * v / (v @ v), v @ matrix)
    return matrix


def power(matrix: np.ndarray, exponent: int) -> np.ndarray:
    """M^k of a square matrix for an integer k ≥ 0, M⁰ = I."""
    result = identity(len(matrix))
    for _ in range(exponent):
        result = result @ matrix
    return result


def derivative(function: Callable[[Fraction], Any], step: Fraction = Fraction(1)) -> Any:
    """f′(0) = (8 (f(h) − f(−h)) − (f(2h) − f(−2h))) / 12h, without error for polynomials of degree at most 4."""
    near, far = (function(k * step) - function(-k * step) for k in (1, 2))
    return (8 * near - far) / (12 * step)


def gradient(function: Callable[[np.ndarray], Fraction], point: np.ndarray, step: Fraction = Fraction(1)) -> np.ndarray:
    """∇f at `point`, entry by entry with `derivative`: f has degree at most 4 in each entry; the shape of `point`."""
    found = np.empty_like(point)
    for index in np.ndindex(point.shape):
        unit = np.zeros_like(point)
        unit[index] = Fraction(1)
        found[index] = derivative(lambda h, unit=unit: function(point + h * unit), step)
    return found


def excess(left: Any, right: Any) -> Any:
    """max(left − right, 0): zero exactly where left ≤ right."""
    return max(left - right, Fraction(0))


def is_zero(residual: Any) -> bool:
    """Whether every entry of a residual (a number, a sympy expression, or nested sequences of them) is exactly 0."""
    if isinstance(residual, Sequence | np.ndarray):
        return all(is_zero(entry) for entry in residual)
    return bool(residual == 0)


def vanishes(instances: Iterable[Mapping[str, Any]], residual: Callable[..., Any], **variant: Any) -> Outcome:
    """Whether residual(**instance, **variant) is exactly 0 for every instance; observed: the number of exceptions.

    Raises TypeError where floating point got into a residual: it would make the verdict inexact.
    """
    verdicts = []
    for instance in instances:
        found = residual(**instance, **variant)
        refuse_floats(found)
        verdicts.append(is_zero(found))
    return Outcome(float(verdicts.count(False)), 0.0, len(verdicts), all(verdicts))


def refuse_floats(residual: Any) -> None:
    """Raises TypeError when a residual holds a floating-point number."""
    entries = np.asarray(residual, dtype=object).ravel()
    if any(isinstance(entry, float | np.floating) for entry in entries):
        raise TypeError("a floating-point number in an exact residual")
