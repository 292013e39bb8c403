"""The formulas of report/proofs/snu.1.md in rational numbers, where nothing is rounded."""

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

RANDOM = given(seed=st.integers(0, 10**6))
FEW = settings(max_examples=20)


def drawn(seed):
    """X of any shape up to (4, 4), Y, θ, a direction and a step, as fractions."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 5, 2)

    def fractions(*shape):
        return np.array([Fraction(int(p), int(q)) for p, q in zip(rng.integers(-9, 10, np.prod(shape)),
                                                                  rng.integers(1, 5, np.prod(shape)))]).reshape(shape)

    step = Fraction(int(rng.integers(1, 9)), int(rng.integers(1, 9)))
    return fractions(rows, columns), fractions(rows), fractions(columns), fractions(columns), step


def sample_loss(theta, row, y):
    return Fraction(1, 2) * (sum(a * b for a, b in zip(row, theta)) - y) ** 2


def loss(theta, X, Y):
    return sum(sample_loss(theta, row, y) for row, y in zip(X, Y))


@RANDOM
@FEW
def test_the_loss_is_the_sum_over_samples(seed):
    X, Y, theta, *_ = drawn(seed)
    residual = X @ theta - Y
    assert residual @ residual / 2 == loss(theta, X, Y)


@RANDOM
@FEW
def test_the_gradients(seed):
    """f(θ + tv) is a polynomial of degree 2 in t: its first coefficient is the derivative along v."""
    X, Y, theta, v, _ = drawn(seed)
    for function, gradient in [(lambda w: loss(w, X, Y), X.T @ (X @ theta - Y)),
                               (lambda w: sample_loss(w, X[0], Y[0]), (X[0] @ theta - Y[0]) * X[0])]:
        along = 2 * function(theta + v) - function(theta + 2 * v) / 2 - Fraction(3, 2) * function(theta)
        assert along == gradient @ v


@RANDOM
@FEW
def test_the_expansion_has_no_further_terms(seed):
    X, Y, theta, v, _ = drawn(seed)
    image = X @ v
    assert loss(theta + v, X, Y) == loss(theta, X, Y) + (X.T @ (X @ theta - Y)) @ v + image @ image / 2
    r, s = X[0] @ theta - Y[0], X[0] @ v
    assert sample_loss(theta + v, X[0], Y[0]) == (r + s) ** 2 / 2 == sample_loss(theta, X[0], Y[0]) + r * s + s * s / 2


@RANDOM
@FEW
def test_central_differences_are_exact(seed):
    X, Y, theta, _, step = drawn(seed)
    gradient, single = X.T @ (X @ theta - Y), (X[0] @ theta - Y[0]) * X[0]
    for j, unit in enumerate(np.eye(len(theta), dtype=int)):
        up, down = theta + step * unit, theta - step * unit
        assert (loss(up, X, Y) - loss(down, X, Y)) / (2 * step) == gradient[j]
        assert (sample_loss(up, X[0], Y[0]) - sample_loss(down, X[0], Y[0])) / (2 * step) == single[j]
