"""Random instances in exact arithmetic: fractions, unit vectors and orthogonal matrices with rational entries."""

from fractions import Fraction

import numpy as np


def fractions(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Fractions p/q with |p| <= 6 and q <= 3, as an array of objects."""
    drawn = [Fraction(int(p), int(q)) for p, q in zip(rng.integers(-6, 7, np.prod(shape, dtype=int)),
                                                      rng.integers(1, 4, np.prod(shape, dtype=int)), strict=True)]
    return np.array(drawn, dtype=object).reshape(shape)


def fraction(rng: np.random.Generator) -> Fraction:
    """One such fraction that is positive."""
    return Fraction(int(rng.integers(1, 7)), int(rng.integers(1, 4)))


def unit_vectors(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    """Rows of length 1: the inverse stereographic projection of fractions, with random signs."""
    points = fractions(rng, count, size - 1)
    squares = (points**2).sum(axis=1) if size > 1 else np.array([Fraction(0)] * count, dtype=object)
    vectors = np.column_stack([2 * points, squares - 1]) / (squares + 1)[:, None]
    return vectors * signs(rng, count)[:, None]


def signs(rng: np.random.Generator, count: int) -> np.ndarray:
    """Fair signs, as fractions."""
    return np.array([Fraction(int(sign)) for sign in rng.choice([-1, 1], count)], dtype=object)


def identity(size: int) -> np.ndarray:
    """The identity matrix of fractions."""
    return np.array([[Fraction(int(i == j)) for j in range(size)] for i in range(size)], dtype=object)


def orthogonal(rng: np.random.Generator, size: int) -> np.ndarray:
    """A product of two rational reflections I - 2 vv^T, v of length 1."""
    first, second = (identity(size) - 2 * np.outer(v, v) for v in unit_vectors(rng, 2, size))
    return first @ second


def relu(z: np.ndarray) -> np.ndarray:
    """max(z, 0), entry by entry."""
    return np.where(z > 0, z, 0 * z)


def patterns(z: np.ndarray) -> np.ndarray:
    """1{z >= 0} as fractions."""
    return np.where(z >= 0, Fraction(1), Fraction(0))
