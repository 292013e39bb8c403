"""Lemma 3.2: the flipping weight, the extreme weight and the exact boundary cases."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from descent.bounds import pattern_flips as flips

VARIANTS = {"stated": (0.5, 1.0), "projected": (0.0, 1.0), "longer": (0.5, 1.2)}


def pairs(seed: int, count: int = 200, d: int = 5):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, d))
    return rng.standard_normal((count, d)), x / np.linalg.norm(x, axis=1, keepdims=True)


def pattern(weights, inputs):
    return np.sum(weights * inputs, axis=1) >= 0


@given(st.integers(0, 10**6), st.floats(0.01, 3.0), st.floats(0.05, 0.95))
def test_the_constructed_weight_flips_within_the_radius(seed, radius, beyond):
    w, x = pairs(seed)
    inside = np.abs(np.sum(w * x, axis=1)) < radius * (1 - 1e-9)
    w, x = w[inside], x[inside]
    moved = flips.flipping_weights(w, x, radius, beyond)
    assert (pattern(moved, x) != pattern(w, x)).all()
    assert (np.linalg.norm(moved - w, axis=1) < radius).all()


@given(st.integers(0, 10**6), st.floats(0.01, 3.0))
def test_where_the_extreme_weight_keeps_the_pattern_no_weight_of_the_ball_flips_it(seed, radius):
    w, x = pairs(seed)
    rng = np.random.default_rng(seed)
    kept = pattern(flips.extreme_weights(w, x, radius), x) == pattern(w, x)
    for _ in range(20):
        directions = rng.standard_normal(w.shape)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        others = w + radius * rng.random((len(w), 1)) * directions
        assert (pattern(others, x)[kept] == pattern(w, x)[kept]).all()
    np.testing.assert_array_equal(kept, np.abs(np.sum(w * x, axis=1)) >= radius)


def test_probability_is_the_integral_of_the_density_between_its_bounds():
    for radius in (1e-3, 0.1, 0.7, 2.0):
        integral = quad(lambda t: np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi), -radius, radius)[0]
        exact, bound = flips.flip_probability(radius), flips.flip_probability_bound(radius)
        assert exact == pytest.approx(integral, rel=1e-12)
        assert bound * (1 - radius**2 / 6) <= exact < bound


def test_counts_of_the_variants():
    _, x = pairs(0, 7)
    rows = flips.flip_counts(x, np.random.default_rng(1), 3000, [0.5, 1.5], VARIANTS, block=700)
    again = flips.flip_counts(x, np.random.default_rng(1), 3000, [0.5, 1.5], VARIANTS, block=700)
    assert rows == again
    w = np.concatenate([np.random.default_rng(1).standard_normal((3000, 5))])
    heights = np.abs(np.sum(w * x[np.arange(3000) % 7], axis=1))
    for row in rows:
        assert row["inside"] + row["outside"] == row["draws"] == 3000
        assert row["undecided"] == 0
        if row["variant"] == "stated":
            assert row["inside"] == row["inside_flips"] == np.sum(heights < row["radius"])
            assert row["outside_flips"] == 0
        if row["variant"] == "projected":
            assert 0.3 * row["inside"] < row["inside_flips"] < 0.8 * row["inside"]
        if row["variant"] == "longer":
            assert row["outside_flips"] == np.sum((1.2 * heights >= row["radius"]) & (heights < row["radius"]))


def test_a_draw_on_the_boundary_is_undecided():
    class Zero:
        def standard_normal(self, shape):
            return np.full(shape, 1.0)

    (row,) = flips.flip_counts(np.array([[0.6, 0.8]]), Zero(), 1, [1.4], {"stated": (0.5, 1.0)})
    assert row["undecided"] == 1


def test_rational_cases_are_unit_vectors_on_both_sides_of_the_boundary():
    cases = list(flips.boundary_cases())
    heights = set()
    for x, w, radius in cases:
        assert sum(a * a for a in x) == 1
        heights.add(sum(a * b for a, b in zip(x, w)) / radius)
    assert heights == {Fraction(0), *(sign * Fraction(k, 1000) for sign in (1, -1) for k in (999, 1000, 1001))}


def test_exact_events():
    for x, w, radius in flips.boundary_cases():
        assert flips.ball_flips(x, w, radius, closed=True) == flips.within(x, w, radius, "half_open")
        assert flips.ball_flips(x, w, radius, closed=False) == flips.within(x, w, radius, "open")
    x, radius = (Fraction(3, 5), Fraction(4, 5)), Fraction(1, 3)
    touching = tuple(-radius * a for a in x)
    assert flips.ball_flips(x, touching, radius, closed=True)
    assert not flips.ball_flips(x, tuple(-a for a in touching), radius, closed=True)
    assert not flips.within(x, touching, radius, "open")
    assert flips.within(x, tuple(-a for a in touching), radius, "closed")
