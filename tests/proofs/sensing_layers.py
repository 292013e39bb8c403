"""Linear layers in exact arithmetic: products, loss, the flow of each layer, and exact derivatives of polynomials."""

from fractions import Fraction
from functools import reduce

import numpy as np

from tests.proofs.exact_instances import fractions, identity


def span(layers, low, high):
    """W_{low:high}, layers counted from 1; the identity if it is empty."""
    return reduce(lambda done, layer: layer @ done, layers[low - 1:high], identity(len(layers[0])))


def inner(x, y):
    """The Frobenius inner product."""
    return (x * y).sum()


def loss(layers, target):
    """The loss of matrix sensing, in expectation."""
    error = span(layers, 1, len(layers)) - target
    return inner(error, error) / (2 * len(layers))


def velocities(layers, target):
    """The flow as the proof gives it."""
    depth, error = len(layers), target - span(layers, 1, len(layers))
    return [span(layers, k + 1, depth).T @ error @ span(layers, 1, k - 1).T / depth for k in range(1, depth + 1)]


def derivative(function):
    """At 0, exact for polynomials of degree at most 4."""
    return (8 * (function(1) - function(-1)) - (function(2) - function(-2))) / Fraction(12)


def moved(layers, directions, h):
    """Every layer, h times its direction further."""
    return [layer + h * direction for layer, direction in zip(layers, directions, strict=True)]


def free(seed, depth, d=2):
    """The generator, layers without any relation to one another, and a target."""
    rng = np.random.default_rng(seed)
    return rng, [fractions(rng, d, d) for _ in range(depth)], fractions(rng, d, d)


def same(*matrices):
    """Whether all are equal, entry by entry."""
    return all((matrix == matrices[0]).all() for matrix in matrices)
