"""The formulas of report/proofs/du.1.md on random instances, most of them in exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import erf

from tests.proofs.exact_instances import fraction, fractions, unit_vectors

SEEDS, SIZES = st.integers(0, 2**32 - 1), st.integers(1, 4)
ROUNDING = 1e-13  # of integrals over a smooth function, relative


def weight_with(rng, x, z):
    """A weight w with w^T x = z."""
    w = fractions(rng, len(x))
    return w + (z - w @ x) * x


def flips(z, radius, closed):
    """The event from its definition: w'^T x takes all values between z - R and z + R on the ball, ends if closed."""
    lowest, highest = z - radius, z + radius
    if z >= 0:
        return lowest < 0
    return highest >= 0 if closed else highest > 0


@given(SEEDS, SIZES)
@settings(max_examples=10)
def test_flipping_weight(seed, d):
    rng = np.random.default_rng(seed)
    (x,), radius = unit_vectors(rng, 1, d), fraction(rng)
    for share in (Fraction(-9, 10), Fraction(-1, 3), Fraction(0), Fraction(2, 5)):
        z = share * radius
        w, sigma = weight_with(rng, x, z), 1 if z >= 0 else -1
        other = w - sigma * (abs(z) + radius) / 2 * x
        assert (other - w) @ (other - w) == ((abs(z) + radius) / 2) ** 2 < radius**2
        assert other @ x == sigma * abs(z) - sigma * (abs(z) + radius) / 2 == -sigma * (radius - abs(z)) / 2
        assert (other @ x >= 0) != (w @ x >= 0)


@given(SEEDS, SIZES)
@settings(max_examples=10)
def test_reach_of_the_ball(seed, d):
    rng = np.random.default_rng(seed)
    (x, direction), radius = unit_vectors(rng, 2, d), fraction(rng)
    w = fractions(rng, d)
    for share in (Fraction(0), Fraction(1, 3), Fraction(1)):
        other = w + share * radius * direction
        assert (other @ x - w @ x) == (other - w) @ x
        assert ((other - w) @ x) ** 2 <= (other - w) @ (other - w) <= radius**2
    assert (w + radius * x) @ x - w @ x == radius


@given(SEEDS, SIZES)
@settings(max_examples=10)
def test_printed_equivalence_fails_at_one_boundary_only(seed, d):
    rng = np.random.default_rng(seed)
    (x,), radius = unit_vectors(rng, 1, d), fraction(rng)
    for share in (-2, -1, Fraction(-1, 2), 0, Fraction(1, 2), 1, 2):
        z = share * radius
        assert flips(z, radius, closed=False) == (abs(z) < radius)
        assert flips(z, radius, closed=True) == (-radius <= z < radius)
        assert (flips(z, radius, closed=True) == (abs(z) < radius)) == (share != -1)
    w, other = weight_with(rng, x, -radius), fractions(rng, d)
    step = other - w
    assert (step - radius * x) @ (step - radius * x) == step @ step - 2 * radius * (step @ x) + radius**2
    assert (w + radius * x) @ x == 0 > w @ x


def test_example_by_hand():
    w, other, x, radius = -1, 0, 1, 1
    assert (w * x >= 0, other * x >= 0) == (False, True)
    assert abs(other - w) <= radius
    assert not abs(w * x) < radius


@pytest.mark.parametrize("radius", [1e-3, 0.1, 0.7, 1.5, 3.0])
def test_probability_and_its_bounds(radius):
    integral = quad(lambda t: np.exp(-t * t / 2), 0, radius, epsabs=0)[0]
    lower = quad(lambda t: 1 - t * t / 2, 0, radius)[0]
    probability = 2 / np.sqrt(2 * np.pi) * integral
    substituted = 2 / np.sqrt(np.pi) * quad(lambda s: np.exp(-s * s), 0, radius / np.sqrt(2), epsabs=0)[0]
    assert [probability, substituted] == pytest.approx([erf(radius / np.sqrt(2))] * 2, rel=ROUNDING)
    assert lower == pytest.approx(radius - radius**3 / 6, rel=ROUNDING)
    assert lower <= integral < radius
    bound = 2 * radius / np.sqrt(2 * np.pi)
    assert bound * (1 - radius**2 / 6) <= erf(radius / np.sqrt(2)) < bound


def test_constants_of_the_bounds_are_sharp():
    """The bound less the probability, over the bound and R^2, tends to 1/6: the next term is R^2/40."""
    for radius in (0.05, 0.1):
        bound = 2 * radius / np.sqrt(2 * np.pi)
        assert (1 - erf(radius / np.sqrt(2)) / bound) / radius**2 == pytest.approx(1 / 6, abs=radius**2 / 30)
