"""The formulas of report/proofs/tau.2.1.md; expectations over signs are sums over all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proofs.finite_noise import LOGARITHM, QUADRATIC, huber, paths, signs

FUNCTIONS = [QUADRATIC, LOGARITHM, huber(2.0, 0.7)]
SEED, POINT, LEVEL = st.integers(0, 999), st.floats(-3, 3), st.floats(0.1, 2)
FACTORS = st.lists(st.floats(0.05, 1), min_size=0, max_size=7)
TINY = 1e-11

few = settings(max_examples=8)
any_function = pytest.mark.parametrize("f", FUNCTIONS)


@any_function
@few
@given(POINT, POINT)
def test_descent_lemma(f, u, v):
    assert f.value(v) <= f.value(u) + f.slope(u) * (v - u) + f.beta / 2 * (v - u) ** 2 + TINY
    assert f.slope(u) ** 2 <= 2 * f.beta * f.value(u) + TINY


def test_descent_lemma_needs_its_constant():
    assert LOGARITHM.value(0.1) > LOGARITHM.value(0) + 0.9 * LOGARITHM.beta / 2 * 0.1 ** 2
    assert LOGARITHM.slope(0.1) ** 2 > 0.9 * 2 * LOGARITHM.beta * LOGARITHM.value(0.1)


@any_function
@few
@given(POINT, POINT, st.floats(0, 1))
def test_slopes_along_a_segment(f, u, v, s):
    at_s, at_zero = (f.slope(u + a * (v - u)) * (v - u) for a in (s, 0))
    assert at_s - at_zero <= f.beta * s * (v - u) ** 2 + TINY
    assert f is not QUADRATIC or at_s - at_zero == pytest.approx(f.beta * s * (v - u) ** 2, abs=TINY)


@any_function
@few
@given(POINT)
def test_a_step_of_one_over_beta(f, u):
    middle = f.value(u) - f.slope(u) ** 2 / f.beta + f.slope(u) ** 2 / (2 * f.beta)
    assert 0 <= f.value(u - f.slope(u) / f.beta) <= middle + TINY
    assert middle == pytest.approx(f.value(u) - f.slope(u) ** 2 / (2 * f.beta), abs=TINY)
    assert f is not QUADRATIC or middle == pytest.approx(0, abs=TINY)


@any_function
@few
@given(POINT, POINT, st.floats(0, 1))
def test_one_step(f, w, xi, c):
    g, after = f.slope(w), w - c / f.beta * (f.slope(w) + xi)
    right = 2 * f.beta * f.value(w) - 2 * c * g * (g + xi) + c ** 2 * (g + xi) ** 2
    assert 2 * f.beta * f.value(after) <= right + TINY
    assert f is not QUADRATIC or 2 * f.beta * f.value(after) == pytest.approx(right, abs=1e-10)


@few
@given(SEED, st.floats(0, 1))
def test_one_step_multiplied_out(seed, c):
    g, xi = np.random.default_rng(seed).normal(size=(2, 4))
    left = -2 * c * g @ (g + xi) + c ** 2 * (g + xi) @ (g + xi)
    right = -c * (2 - c) * g @ g - 2 * c * (1 - c) * g @ xi + c ** 2 * xi @ xi
    assert left == pytest.approx(right, abs=1e-12)


def expected(values):
    return values.mean(axis=0)


@any_function
@few
@given(POINT, LEVEL, FACTORS)
def test_one_step_in_expectation(f, start, sigma, factors):
    c, w = np.array(factors), paths(f, start, factors, sigma * signs(len(factors)))
    square, value = expected(f.slope(w) ** 2), expected(f.value(w))
    right = 2 * f.beta * (value[:-1] - value[1:]) + c ** 2 * sigma ** 2
    assert np.all(c * (2 - c) * square[:-1] <= right + TINY)
    assert f is not QUADRATIC or c * (2 - c) * square[:-1] == pytest.approx(right, abs=TINY)


@any_function
@few
@given(POINT, LEVEL, FACTORS)
def test_sum_of_steps(f, start, sigma, factors):
    c, w = np.array(factors), paths(f, start, factors, sigma * signs(len(factors)))
    square, last = expected(f.slope(w) ** 2), expected(f.value(w))[-1]
    right = 2 * f.beta * (f.value(start) - last) + sigma ** 2 * (c ** 2).sum()
    assert (c * (2 - c) * square[:-1]).sum() <= right + TINY
    assert f is not QUADRATIC or (c * (2 - c) * square[:-1]).sum() == pytest.approx(right, abs=TINY)


def sharp_sides(f, start, sigma, factors):
    c, w = np.array(factors), paths(f, start, factors, sigma * signs(len(factors)))
    square = expected(f.slope(w) ** 2)
    left = (c * (2 - c) * square[:-1]).sum() + square[-1]
    return left, 2 * f.beta * f.value(start) + sigma ** 2 * (c ** 2).sum()


@any_function
@few
@given(POINT, LEVEL, FACTORS)
def test_sharp_theorem(f, start, sigma, factors):
    left, right = sharp_sides(f, start, sigma, factors)
    assert left <= right + TINY


@few
@given(POINT, LEVEL, FACTORS)
def test_sharp_theorem_is_an_identity_on_quadratics(start, sigma, factors):
    left, right = sharp_sides(QUADRATIC, start, sigma, factors)
    assert left == pytest.approx(right, rel=1e-12, abs=1e-12)


def test_sharp_theorem_needs_its_condition_below_the_step_one():
    """The same noise in all steps: its product with the gradient has no mean of zero."""
    frozen = np.array([[0.5] * 6, [-0.5] * 6])
    w = paths(QUADRATIC, 0.0, [0.5] * 6, frozen)
    square = expected(QUADRATIC.slope(w) ** 2)
    assert 0.75 * square[:-1].sum() + square[-1] > 1.2 * 0.25 * 6 * 0.25


@few
@given(POINT, LEVEL, FACTORS, st.floats(0, 1))
def test_recursion_on_a_stretched_quadratic(start, sigma, factors, share):
    """One coordinate of curvature β and one of less; both have the noise ±σ of their own."""
    beta, c = 1.5, np.array(factors)
    for rate in (beta, share * beta):
        w = [np.full(2 ** len(c), start)]
        for step, xi in zip(c, sigma * signs(len(c)).T):
            w.append(w[-1] - step / beta * (rate * w[-1] + xi))
        square = ((rate * np.array(w)) ** 2).mean(axis=1)
        expected = (1 - c * rate / beta) ** 2 * square[:-1] + (c * rate / beta) ** 2 * sigma ** 2
        assert square[1:] == pytest.approx(expected, rel=1e-12, abs=1e-13)


@any_function
@few
@given(POINT, LEVEL, st.integers(1, 7))
def test_average_of_the_constant_step(f, start, sigma, T):
    slopes = f.slope(paths(f, start, [1.0] * (T - 1), sigma * signs(T - 1)))
    twice = 2 * f.beta * f.value(start)
    middle = (twice - sigma ** 2) / T + sigma ** 2
    assert expected(slopes ** 2).mean() <= middle + TINY
    assert middle <= twice / T + sigma ** 2
    assert expected(abs(slopes)).min() ** 2 <= middle + TINY
    assert f is not QUADRATIC or expected(slopes ** 2).mean() == pytest.approx(middle)


@any_function
@few
@given(POINT, SEED, st.integers(0, 30))
def test_every_path_of_the_constant_step(f, start, seed, steps):
    """Biased noise, one draw for all steps added to one for each."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(20, 1)) + rng.exponential(size=(20, steps))
    w = paths(f, start, [1.0] * steps, noise)
    left, right = (f.slope(w) ** 2).sum(axis=1), 2 * f.beta * f.value(start) + (noise ** 2).sum(axis=1)
    assert np.all(left <= right + 1e-9)
    assert f is not QUADRATIC or left == pytest.approx(right)


@few
@given(st.floats(0.01, 2), st.floats(0, 2), st.floats(0.1, 50))
def test_three_numbers_of_steps(epsilon, sigma, twice):
    """The third T is where the bound on the average reaches (ε + σ)²; the others are not less."""
    first, second = twice / epsilon ** 2, twice / (epsilon ** 2 + 2 * epsilon * sigma)
    third = (twice - sigma ** 2) / (epsilon ** 2 + 2 * epsilon * sigma)
    assert first >= second >= third
    assert twice / first <= epsilon ** 2 * (1 + TINY)
    if third > 0:
        assert (twice - sigma ** 2) / third + sigma ** 2 == pytest.approx((epsilon + sigma) ** 2)
        assert (twice - sigma ** 2) / (third / 1.01) + sigma ** 2 > (epsilon + sigma) ** 2
    else:
        assert twice <= (epsilon + sigma) ** 2


@pytest.mark.parametrize("dimension", [2, 3, 9])
def test_variance_per_coordinate_is_not_enough(dimension, rng):
    """Every path has the same norms, so that one path per draw is the expectation."""
    beta, sigma = 1.5, 0.4
    w = np.full(dimension, sigma / beta) * 1.2
    norms = [beta * np.linalg.norm(w)]
    for _ in range(5):
        xi = sigma * rng.choice([-1, 1], size=dimension)
        w = w - (beta * w + xi) / beta
        assert np.abs(beta * w + xi).max() < 1e-15
        norms.append(beta * np.linalg.norm(w))
    assert min(norms) == pytest.approx(sigma * np.sqrt(dimension))
    assert min(norms) > 0.9 * (np.sqrt(dimension) - 1) * sigma + sigma


@few
@given(POINT, POINT, LEVEL)
def test_huber_function(w, v, s):
    f = huber(2.0, s)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    cuts = np.unique(np.clip([-s / 2, s / 2, v, w], min(v, w), max(v, w)))
    integral = sum((b - a) / 2 * weights @ f.slope((a + b) / 2 + (b - a) / 2 * nodes)
                   for a, b in zip(cuts[:-1], cuts[1:]))
    assert (f.value(w) - f.value(v)) * np.sign(w - v) == pytest.approx(integral, abs=1e-12)
    assert abs(f.slope(w) - f.slope(v)) <= 2 * abs(w - v) * (1 + 1e-14)


def needed(twice, s, sigma):
    return 1 + (twice - s ** 2) / (2 * s * (s + sigma))


@few
@given(st.floats(1, 7), st.floats(0.1, 2), st.floats(0, 1), st.floats(0.5, 3))
def test_steps_that_are_needed(bound, s, sigma, beta):
    """From the Δ that makes the bound `bound`; the worst path is the one whose noise is always σ."""
    f, twice = huber(beta, s), s ** 2 + (bound - 1) * 2 * s * (s + sigma)
    start = (twice + s ** 2) / (2 * s * beta)
    assert 2 * beta * f.value(start) == pytest.approx(twice)
    assert needed(twice, s, sigma) == pytest.approx(bound)
    w = paths(f, start, [1.0] * 7, sigma * signs(7))
    reached = int(np.floor(bound + 1e-9))
    lowest = start - np.arange(8) * (s + sigma) / beta
    assert np.all(w[:, :reached] >= lowest[:reached] - 1e-12)
    assert np.abs(f.slope(w[:, :reached]) - s).max() < 1e-12
    assert f.slope(w[-1])[int(np.floor(bound + 1e-9))] < s


def rounded(beta, s, kappa):
    """f and f′ for w ≥ 0 from the second derivative, by exact quadrature of its three pieces."""
    nodes, weights = np.polynomial.legendre.leggauss(4)
    knots = [0.0, s / beta - kappa, s / beta + kappa]

    def curvature(w):
        return np.interp(w, knots[1:], [beta, 0.0])

    def integral(function, w):
        cuts = [min(k, w) for k in knots] + [w]
        return sum((b - a) / 2 * weights @ np.array([function((a + b) / 2 + (b - a) / 2 * z) for z in nodes])
                   for a, b in zip(cuts[:-1], cuts[1:]))

    return lambda w: integral(lambda x: integral(curvature, x), w), lambda w: integral(curvature, w)


@few
@given(st.floats(0.5, 3), st.floats(0.2, 2), st.floats(0.05, 0.95), st.floats(0, 3), st.floats(0, 1))
def test_rounded_huber_function(beta, s, share, beyond, inside):
    kappa = share * s / beta
    value, slope = rounded(beta, s, kappa)
    w = s / beta + kappa + beyond
    assert value(w) == pytest.approx(s * w - s ** 2 / (2 * beta) - beta * kappa ** 2 / 6)
    assert slope(w) == pytest.approx(s)
    near = s / beta + (2 * inside - 1) * kappa
    gap = beta / (4 * kappa) * (kappa - abs(near - s / beta)) ** 2
    assert min(beta * near, s) - slope(near) == pytest.approx(gap, abs=1e-12)


@settings(max_examples=5)
@given(st.floats(2, 5), st.floats(0.5, 2), st.floats(0, 1), st.floats(0.01, 0.3))
def test_steps_that_are_needed_with_two_derivatives(bound, s, sigma, share):
    beta = 1.5
    kappa = share * s / beta
    value, slope = rounded(beta, s, kappa)
    start = s / beta + kappa + (bound - 1) * (s + sigma) / beta
    twice = 2 * beta * value(start)
    right = 1 + (twice - s ** 2 - 2 * s * beta * kappa + beta ** 2 * kappa ** 2 / 3) / (2 * s * (s + sigma))
    assert right == pytest.approx(bound)
    w = start
    for t in range(1, 7):
        assert (slope(w) > s - 1e-12) == (t <= bound + 1e-9) or abs(t - bound) < 0.1
        w = w - (slope(w) + sigma) / beta
        if w < 0:
            break


@few
@given(st.floats(0.01, 2), st.floats(0, 2))
def test_factor_between_sufficient_and_needed(epsilon, sigma):
    """The ratio of the coefficients of Δ, against both numbers of steps at a very large Δ."""
    s, twice = epsilon + sigma, 1e14
    ratio = (twice - sigma ** 2) / (epsilon ** 2 + 2 * epsilon * sigma) / needed(twice, s, sigma)
    middle = 2 * (epsilon + sigma) * (epsilon + 2 * sigma) / (epsilon ** 2 + 2 * epsilon * sigma)
    assert middle == pytest.approx(2 * (1 + sigma / epsilon))
    assert ratio == pytest.approx(middle, rel=1e-9)
