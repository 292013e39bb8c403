"""The formulas of report/proofs/tau.2.2.md; expectations over signs are sums over all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proofs.complex_step import derivative
from tests.proofs.finite_noise import LOGARITHM, QUADRATIC, huber, paths, signs

few = settings(max_examples=8)
POINT, LEVEL = st.floats(-3, 3), st.floats(0.1, 2)
TINY = 1e-11


def decaying(T):
    return 1 / np.sqrt(np.arange(1, T))


def middle(twice, sigma, T):
    H, S = (np.arange(1, T) ** -1.0).sum(), (np.arange(1, T) ** -0.5).sum()
    return (twice + sigma ** 2 * H) / (1 + 2 * S - H)


def right(twice, sigma, T):
    return (twice + sigma ** 2 * (1 + np.log(T))) / (2 * (np.sqrt(T + 1) - 1))


@pytest.mark.parametrize("f", [QUADRATIC, LOGARITHM, huber(2.0, 0.7)])
@few
@given(POINT, LEVEL, st.integers(1, 8))
def test_bounds_of_the_decaying_step(f, start, sigma, T):
    slopes = f.slope(paths(f, start, decaying(T), sigma * signs(T - 1)))
    twice, weights = 2 * f.beta * f.value(start), np.append(decaying(T), 1 / np.sqrt(T))
    least = (abs(slopes).mean(axis=0) ** 2).min()
    assert least <= middle(twice, sigma, T) + TINY
    assert middle(twice, sigma, T) <= right(twice, sigma, T) + TINY
    assert weights @ (slopes ** 2).mean(axis=0) / weights.sum() <= right(twice, sigma, T) + TINY
    c = decaying(T)
    sharp = np.append(c * (2 - c), 1)
    average = sharp @ (slopes ** 2).mean(axis=0) / sharp.sum()
    assert f is not QUADRATIC or average == pytest.approx(middle(twice, sigma, T), abs=TINY)


@pytest.mark.parametrize("f", [QUADRATIC, LOGARITHM])
@few
@given(POINT, LEVEL, st.integers(1, 8))
def test_weighted_sum_of_the_decaying_step(f, start, sigma, T):
    """On the quadratic what is missing is what the smaller weights give away."""
    square = (f.slope(paths(f, start, decaying(T), sigma * signs(T - 1))) ** 2).mean(axis=0)
    weights, c = np.append(decaying(T), 1 / np.sqrt(T)), decaying(T)
    bound = 2 * f.beta * f.value(start) + sigma ** 2 * sum(1 / t for t in range(1, T))
    given_away = (c * (1 - c)) @ square[:-1] + (1 - weights[-1]) * square[-1]
    assert weights @ square + given_away <= bound + TINY
    assert given_away >= 0
    assert f is not QUADRATIC or weights @ square + given_away == pytest.approx(bound, abs=TINY)


@pytest.mark.parametrize("T", [1, 2, 3, 10, 1000, 100_000])
def test_sums_of_weights(T):
    c = decaying(T)
    harmonic, roots = math.fsum(1 / np.arange(1, T)), math.fsum(c)
    total = math.fsum(c * (2 - c)) + 1
    assert total == pytest.approx(2 * roots - harmonic + 1, rel=1e-12)
    steps = math.fsum(np.append(c, 1 / math.sqrt(T)))
    assert total >= steps * (1 - 1e-15)
    assert steps >= 2 * (math.sqrt(T + 1) - 1)
    assert harmonic <= harmonic + 1 / T <= 1 + math.log(T)


def test_the_constants_in_the_sums_are_needed():
    assert math.fsum(np.arange(1, 100_001) ** -0.5) < 2 * (math.sqrt(100_001) - 1) + 0.6
    assert math.fsum(1 / np.arange(1, 100_000)) > 0.5 + math.log(100_000)


def least_steps(twice, sigma, target):
    """The least real T with the right side at most `target`, by bisection in ln T (the bound falls)."""
    low, high = 0.0, 1400.0
    while high - low > 1e-12 * high:
        half = (low + high) / 2
        numerator = twice + sigma ** 2 * (1 + half)
        root = math.exp(half / 2)
        low, high = (half, high) if numerator > target * 2 * (math.hypot(root, 1) - 1) else (low, half)
    return high


@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_rate_of_the_number_of_steps(sigma):
    """ln of the ratio to its limit falls like ln ln(1/ε)/ln(1/ε), hence the large range of ε."""
    ratios = []
    for exponent in (20, 40, 80, 120):
        logarithm = least_steps(4.0, sigma, 10.0 ** (-2 * exponent))
        inverse = exponent * math.log(10)
        ratios.append(math.exp(logarithm - 4 * inverse) / inverse ** 2 / (4 * sigma ** 4))
    assert sorted(ratios, reverse=True) == ratios or sorted(ratios) == ratios
    assert abs(ratios[-1] - 1) < 0.12
    assert abs(ratios[-1] - 1) < 0.45 * abs(ratios[0] - 1)


def test_asymptotics_of_the_bound():
    for twice, sigma in ((4.0, 1.0), (1.0, 2.0)):
        scaled = [right(twice, sigma, 10.0 ** k) * 2 * 10 ** (k / 2) / sigma ** 2 / (k * math.log(10))
                  for k in (15, 150)]
        assert abs(scaled[1] - 1) < 0.02
        assert abs(scaled[1] - 1) < 0.2 * abs(scaled[0] - 1)
        assert right(twice, sigma, 1e8 - 1) / right(twice, sigma, 1e8) == pytest.approx(1, abs=1e-7)


@few
@given(LEVEL, st.floats(1, 20), st.integers(1, 300))
def test_increments_of_the_first_bound(sigma, ratio, T):
    c = 1 / math.sqrt(T)
    rho = sigma ** 2 * c ** 2 / (c * (2 - c))
    assert rho == pytest.approx(sigma ** 2 / (2 * math.sqrt(T) - 1))
    before, after = (middle(ratio * sigma ** 2, sigma, t) for t in (T, T + 1))
    assert rho * (1 - 1e-12) <= after <= before * (1 + 1e-12)
    assert middle(sigma ** 2, sigma, 1) == pytest.approx(middle(sigma ** 2, sigma, 2))


@few
@given(LEVEL, st.floats(1, 20), st.floats(1, 1e6))
def test_sign_of_the_derivative_of_the_second_bound(sigma, ratio, T):
    """The stated sign times the positive factor of the quotient rule is the derivative."""
    twice = ratio * sigma ** 2
    sign = (2 * sigma ** 2 * (math.sqrt(T + 1) - 1) / T
            - (twice + sigma ** 2 * (1 + math.log(T))) / math.sqrt(T + 1))
    slope = derivative(lambda s: right(twice, sigma, s), T)
    assert slope == pytest.approx(sign / (2 * (math.sqrt(T + 1) - 1)) ** 2, rel=1e-8)
    assert sign < 0


@few
@given(POINT, LEVEL, st.integers(2, 8))
def test_recursion_on_a_quadratic(start, sigma, T):
    slopes = QUADRATIC.slope(paths(QUADRATIC, start, decaying(T), sigma * signs(T - 1)))
    m, c = (slopes ** 2).mean(axis=0), decaying(T)
    assert m[1:] == pytest.approx((1 - c) ** 2 * m[:-1] + c ** 2 * sigma ** 2, rel=1e-12, abs=1e-13)


def squares(first, sigma, T):
    """E‖g_t‖² for t = 1 … T."""
    m = [first]
    for t in range(1, T):
        m.append((1 - t ** -0.5) ** 2 * m[-1] + sigma ** 2 / t)
    return np.array(m)


TIMES = np.arange(1, 60_001)
SQUARES = {sigma: squares(5.0, sigma, len(TIMES)) for sigma in (0.5, 2.0)}


@pytest.mark.parametrize("sigma", SQUARES)
def test_limit_on_a_quadratic(sigma):
    x = np.sqrt(TIMES) * SQUARES[sigma] - sigma ** 2 / 2
    assert abs(x[-1]) < 0.01 * sigma ** 2
    assert abs(x[-1]) < 0.6 * abs(x[len(x) // 4])
    epsilon = 0.1 * sigma
    # From a start at the minimum the first such T is 1.
    assert squares(0.0, sigma, 2)[0] <= epsilon ** 2 < squares(0.0, sigma, 2)[1]
    first = TIMES[np.argmax(SQUARES[sigma] <= epsilon ** 2)]
    assert first == pytest.approx(sigma ** 4 / (4 * epsilon ** 4), rel=0.05)


@pytest.mark.parametrize("sigma", SQUARES)
def test_scaled_recursion(sigma):
    """Both remainders times t stay bounded: by 3/2 + 1/√t in front of √t m_t, by σ² behind."""
    y, t = np.sqrt(TIMES) * SQUARES[sigma], TIMES[:-1]
    remainder = y[1:] - (1 - 2 / np.sqrt(t)) * y[:-1] - sigma ** 2 / np.sqrt(t)
    assert np.all(abs(remainder) * t <= 1.5 * y[:-1] + sigma ** 2)


@pytest.mark.parametrize("sigma", SQUARES)
def test_contraction_of_the_scaled_recursion(sigma):
    """From t = 9 on, with K = 3σ²."""
    x, c = np.sqrt(TIMES) * SQUARES[sigma] - sigma ** 2 / 2, 1 / np.sqrt(TIMES[:-1])
    assert np.all((abs(x[1:]) <= (1 - c) * abs(x[:-1]) + 3 * sigma ** 2 * c ** 2)[8:])


def test_product_of_contractions():
    """|x_{t+1}| = (1 − c_t)|x_t| + κc_t is the extreme case: then the first relation is an equality."""
    c, kappa, x = 1 / np.sqrt(np.arange(9, 400)), 0.3, [2.0]
    for factor in c:
        x.append((1 - factor) * x[-1] + kappa * factor)
    products = np.cumprod(1 - c)
    assert np.array(x[1:]) - kappa == pytest.approx((x[0] - kappa) * products, abs=1e-14)
    assert np.all(products <= np.exp(-np.cumsum(c)))
    assert products[-1] < 1e-12


@pytest.mark.parametrize("f", [QUADRATIC, LOGARITHM])
@few
@given(POINT, LEVEL, st.floats(0.05, 1), st.integers(1, 8))
def test_bound_of_a_constant_step(f, start, sigma, c, T):
    slopes = f.slope(paths(f, start, [c] * (T - 1), sigma * signs(T - 1)))
    twice = 2 * f.beta * f.value(start)
    bound = (twice + (T - 1) * c ** 2 * sigma ** 2) / (1 + (T - 1) * c * (2 - c))
    assert (abs(slopes).mean(axis=0) ** 2).min() <= bound + TINY


@few
@given(st.floats(0.05, 2), st.floats(0, 2), st.floats(1, 50), st.floats(0.01, 1), st.integers(1, 300))
def test_a_step_that_knows_the_target(epsilon, sigma, ratio, c, T):
    """At the stated c and T the bound is at most ε², at T − 1 it is not, and the condition on c is equivalent."""
    twice = ratio * epsilon ** 2

    def bound(c, T):
        return (twice + (T - 1) * c ** 2 * sigma ** 2) / (1 + (T - 1) * c * (2 - c))

    margin = (T - 1) * c * (2 * epsilon ** 2 - c * (epsilon ** 2 + sigma ** 2)) - (twice - epsilon ** 2)
    assert (epsilon ** 2 - bound(c, T)) * (1 + (T - 1) * c * (2 - c)) == pytest.approx(margin, abs=1e-10)
    best = epsilon ** 2 / (epsilon ** 2 + sigma ** 2)
    steps = 1 + math.ceil((twice - epsilon ** 2) * (epsilon ** 2 + sigma ** 2) / epsilon ** 4 - 1e-9)
    assert bound(best, steps) <= epsilon ** 2 * (1 + 1e-8)
    assert steps == 1 or min(bound(best, steps - 1), bound(c, steps - 1)) > epsilon ** 2 * (1 - 1e-8)


@few
@given(st.floats(0.1, 2), st.floats(1, 5), st.lists(st.floats(-2, 3), min_size=1, max_size=8))
def test_frozen_noise(sigma, ratio, factors):
    """Any steps, of either sign; two paths."""
    start = ratio * sigma / QUADRATIC.beta
    noise = np.outer([sigma, -sigma], np.ones(len(factors)))
    slopes = QUADRATIC.slope(paths(QUADRATIC, start, factors, noise))
    a = [0.0]
    for c in factors:
        a.append(a[-1] + c * (1 - a[-1]))
    a, first, scale = np.array(a), ratio * sigma, np.abs(slopes).max()
    assert np.abs(slopes[0] - ((1 - a) * first - a * sigma)).max() < 1e-12 * scale
    mean = abs(slopes).mean(axis=0)
    assert np.abs(mean - np.maximum(abs(1 - a) * first, abs(a) * sigma)).max() < 1e-12 * scale
    assert mean.min() >= first * sigma / (first + sigma) * (1 - 1e-12)
    assert first * sigma / (first + sigma) >= sigma / 2 * (1 - 1e-12)  # equal at ratio 1


def test_least_gradient_under_frozen_noise():
    """The bound is attained, by the step that makes both sides of the maximum equal; at |g_1| = σ it is σ/2."""
    for first in (1.0, 3.0):
        a = first / (first + 1)
        w = paths(QUADRATIC, first / QUADRATIC.beta, [a], np.array([[1.0], [-1.0]]))
        assert abs(QUADRATIC.slope(w[:, 1])).mean() == pytest.approx(first / (first + 1))
    w = paths(QUADRATIC, 3 / QUADRATIC.beta, decaying(9), np.outer([1.0, -1.0], np.ones(8)))
    assert abs(QUADRATIC.slope(w)).mean(axis=0).min() == pytest.approx(1.0)
