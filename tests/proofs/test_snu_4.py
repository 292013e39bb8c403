"""The formulas of report/proofs/snu.4.md: symbols, intervals, 40 digits, and runs from a grid of starts."""

from functools import cache

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq

RANDOM = given(seed=st.integers(0, 10**6))
FEW = settings(max_examples=10)


def parts(theta):
    """s, r and Δ in double precision; beyond an exponent of 700 one of the first two is 0 all the same."""
    power = np.exp(np.clip(3 * (theta - 3), -700, 700))
    return power / (1 + power), 1 / (1 + power), 100 - 10 * theta - 9.5 * theta**2


def slope(theta):
    s, r, delta = parts(theta)
    return 20 * theta * r + (theta - 10) * s + 3 * s * r * delta


def curvature(theta):
    s, r, delta = parts(theta)
    return 20 * r + s - 6 * s * r * (19 * theta + 10) + 9 * s * r * (r - s) * delta


def precise(theta, order):
    """The derivative of the printed quotient to 40 digits, by differences."""
    with mpmath.workdps(60):
        def printed(t):
            power = mpmath.exp(3 * (t - 3))
            return (10 * t**2 + power * ((t - 10) ** 2 / 2 + 50)) / (1 + power)

        return mpmath.diff(printed, mpmath.mpf(theta), order)


@cache
def points():
    """m_s, b and m_w."""
    return brentq(slope, -1, 1, xtol=1e-15), brentq(slope, 3, 4, xtol=1e-15), brentq(slope, 9, 11, xtol=1e-14)


def test_the_derivatives():
    t, power = sympy.symbols("t E", positive=True)
    s = power / (1 + power)
    r, delta = 1 - s, 100 - 10 * t - sympy.Rational(19, 2) * t**2

    def derivative(f):
        return sympy.diff(f, t) + 3 * power * sympy.diff(f, power)

    f = (10 * t**2 + power * ((t - 10) ** 2 / 2 + 50)) / (1 + power)
    first = 20 * t * r + (t - 10) * s + 3 * s * r * delta
    second = 20 * r + s - 6 * s * r * (19 * t + 10) + 9 * s * r * (r - s) * delta
    for difference in (f - (10 * t**2 + s * delta), derivative(f) - first, derivative(first) - second):
        assert sympy.cancel(sympy.together(difference)) == 0


# Intervals: pairs of arrays; each operation is widened by more than its rounding.


def wide(low, high):
    spread = 4e-15 * np.maximum(np.abs(low), np.abs(high)) + 1e-300
    return low - spread, high + spread


def plus(*terms):
    return wide(sum(low for low, _ in terms), sum(high for _, high in terms))


def times(factor, *factors):
    for other in factors:
        ends = [a * b for a in factor for b in other]
        factor = wide(np.minimum.reduce(ends), np.maximum.reduce(ends))
    return factor


def number(value):
    return np.array(value, float), np.array(value, float)


def enclosed(low, high):
    """Enclosures of f′ and f″ on the cells [low, high]."""
    theta = low, high
    s = wide(1 / (1 + np.exp(-3 * (low - 3))), 1 / (1 + np.exp(-3 * (high - 3))))
    r = wide(1 / (1 + np.exp(3 * (high - 3))), 1 / (1 + np.exp(3 * (low - 3))))
    # The exponent's own rounding, |3(θ − 3)| ε, is relative in s and r.
    s, r = (wide(*wide(*wide(*part))) for part in (s, r))
    delta = plus(number(100), times(number(-10), theta), times(number(-9.5), theta, theta))
    between = plus(r, times(number(-1), s))
    first = plus(times(number(20), theta, r), times(plus(theta, number(-10)), s), times(number(3), s, r, delta))
    second = plus(times(number(20), r), s, times(number(-6), s, r, plus(times(number(19), theta), number(10))),
                  times(number(9), s, r, between, delta))
    return first, second


def cells(low, high, count):
    ends = low + (high - low) * np.arange(count + 1) / count
    return ends[:-1], ends[1:]


def test_the_enclosures_contain_the_values():
    low, high = cells(-5, 20, 2000)
    first, second = enclosed(low, high)
    for theta in (low, (low + high) / 2, high):
        assert np.all((first[0] <= slope(theta)) & (slope(theta) <= first[1]))
        assert np.all((second[0] <= curvature(theta)) & (curvature(theta) <= second[1]))
    for theta in (-1.0, 2.3, 3.1):
        (value, *_), (bend, *_) = enclosed(theta, theta)
        assert value == pytest.approx(float(precise(theta, 1)), abs=1e-11)
        assert bend == pytest.approx(float(precise(theta, 2)), abs=1e-11)


def test_three_stationary_points():
    low, high = cells(-5, 20, 25000)
    first, second = enclosed(low, high)
    flat = (first[0] <= 0) & (first[1] >= 0)
    assert np.all((second[0][flat] > 0) | (second[1][flat] < 0))
    left, right = enclosed(low, low)[0], enclosed(high, high)[0]
    assert np.all((left[0] > 0) | (left[1] < 0))
    assert np.all((right[0] > 0) | (right[1] < 0))
    changes = np.flatnonzero((left[0] > 0) != (right[0] > 0))
    assert len(changes) == 3
    for cell, bounds in zip(changes, [(-0.01, 0), (3.1, 3.2), (10, 10.001)]):
        assert bounds[0] <= low[cell] + 1e-12
        assert high[cell] <= bounds[1] + 1e-12
    assert list(left[0][changes] > 0) == [False, True, False]


def test_bounds_on_the_curvature():
    left = enclosed(*cells(-5, 0, 50000))[1]
    assert left[0].min() > 19.9
    assert left[1].max() < 20.11
    assert enclosed(*cells(10, 20, 50000))[1][1].max() < 1.001
    assert enclosed(*cells(-5, 20, 100000))[1][1].max() < 25


def test_bounds_on_the_slope():
    assert enclosed(*cells(-5, 20, 250000))[0][1].max() < 48.1
    assert enclosed(2.3, 2.3)[0][0] > 47.8


def test_the_slope_far_out():
    def beta(t):
        return mpmath.mpf(57) / 2 * t**2 + 49 * t + 310

    for t in (1, 3.5, 10, 20, 40):
        assert beta(t) == pytest.approx(float(19 * t + 10 + 3 * (9.5 * t**2 + 10 * t + 100)))
        assert 57 * t + 49 < 3 * beta(t)
    with mpmath.workdps(60):
        for theta in (10, 10.5, 13, 20, 35):
            r = 1 / (1 + mpmath.exp(3 * (mpmath.mpf(theta) - 3)))
            closed = r * (19 * theta + 10) + 3 * (1 - r) * r * (100 - 10 * theta - mpmath.mpf("9.5") * theta**2)
            delta = precise(theta, 1) - (theta - 10)
            assert float(abs(delta / closed - 1)) < 1e-10
            assert abs(delta) <= mpmath.exp(-3 * (theta - 3)) * beta(theta) < 3e-6
        for theta in (-1, -1.5, -4, -10):
            s = 1 / (1 + mpmath.exp(-3 * (mpmath.mpf(theta) - 3)))
            closed = -s * (19 * theta + 10) + 3 * (1 - s) * s * (100 - 10 * theta - mpmath.mpf("9.5") * theta**2)
            delta = precise(theta, 1) - 20 * theta
            assert float(abs(delta / closed - 1)) < 1e-10
            assert abs(delta) <= mpmath.exp(3 * (theta - 3)) * beta(-theta) < 3e-3


def test_the_curvature_far_out():
    with mpmath.workdps(60):
        for theta in (20, 21, 25, 30):
            r = 1 / (1 + mpmath.exp(3 * (mpmath.mpf(theta) - 3)))
            s, delta = 1 - r, 100 - 10 * theta - mpmath.mpf("9.5") * theta**2
            closed = 19 * r - 6 * s * r * (19 * theta + 10) + 9 * s * r * (r - s) * delta
            excess = precise(theta, 2) - 1
            bracket = 19 + 6 * (19 * theta + 10) + 9 * (9.5 * theta**2 + 10 * theta + 100)
            assert float(abs(excess / closed - 1)) < 1e-6
            assert abs(excess) <= mpmath.exp(-3 * (theta - 3)) * bracket < 1e-16
            assert 171 * theta + 204 < 3 * bracket


def descend(theta, alpha, count):
    for _ in range(count):
        theta = theta - alpha * slope(theta)
    return theta


@pytest.mark.parametrize("alpha", [0.01, 0.04])
def test_shares_of_the_two_minima(alpha):
    m_s, b, m_w = points()
    starts = np.linspace(-5, 20, 2001)
    ends = descend(starts, alpha, 3000)
    sharp, wide_ones = np.abs(ends - m_s) < 1e-6, np.abs(ends - m_w) < 1e-6
    assert np.all(sharp | wide_ones)
    assert np.mean(sharp) == pytest.approx((b + 5) / 25, abs=1e-3)
    assert np.mean(wide_ones) == pytest.approx((20 - b) / 25, abs=1e-3)
    assert np.all(sharp == (starts < b))
    assert descend(b, alpha, 3) == pytest.approx(b, abs=1e-12)


def test_the_minimum_near_zero_is_global():
    assert 100 / (1 + np.exp(9)) < 1
    values = [10 * t**2 * parts(t)[1] + ((t - 10) ** 2 / 2 + 50) * parts(t)[0] for t in points()]
    assert values[0] <= 100 / (1 + np.exp(9))
    assert values[2] >= 50


# An expanding map with a Cantor set: T(x) = 5x(1 − x), E = {x : 0 ≤ T(x) ≤ 1}.
EDGE = (1 - 0.2**0.5) / 2
ETA = 0.02
KAPPA = 5 * (1 - 2 * (EDGE + ETA))
BEND = 10 / KAPPA


def pulled_back(rng, k):
    """Endpoints of the intervals B, T(B), …, T^k(B): the last of length η in E, the others by random branches."""
    start = rng.uniform(0, EDGE - ETA)
    intervals = [np.array([start, start + ETA])]
    for branch in rng.choice([-1, 1], k):
        intervals.insert(0, (1 + branch * np.sqrt(1 - 0.8 * intervals[0])) / 2)
    return intervals


@RANDOM
@FEW
def test_distortion_is_bounded(seed):
    rng = np.random.default_rng(seed)
    intervals = pulled_back(rng, 8)
    lengths = [abs(high - low) for low, high in intervals]
    assert all(length <= KAPPA ** -(8 - j) * ETA * (1 + 1e-12) for j, length in enumerate(lengths))
    logarithm = abs(sum(np.log(abs(1 - 2 * low)) - np.log(abs(1 - 2 * high)) for low, high in intervals[:-1]))
    bound = BEND * sum(lengths[:-1])
    limit = BEND * ETA / (KAPPA - 1)
    assert logarithm <= bound <= BEND * ETA * sum(KAPPA**-i for i in range(1, 9)) <= limit
    assert BEND * ETA * sum(KAPPA**-i for i in range(1, 99)) == pytest.approx(limit)
    part = intervals[0].mean()
    image = part
    for _ in range(8):
        image = 5 * image * (1 - image)
    assert abs(image - intervals[-1][0]) / ETA <= np.exp(limit) * abs(part - intervals[0][0]) / lengths[0]


def test_almost_nothing_stays_in_an_expanding_set():
    """The total length of {x : x, …, T^k(x) in [0, 1]}, 2^k intervals, falls geometrically."""
    ends, totals = np.array([[0.0, 1.0]]), []
    for _ in range(8):
        roots = np.sqrt(1 - 0.8 * ends)
        ends = np.concatenate([(1 - roots) / 2, (1 + roots[:, ::-1]) / 2])
        totals.append(np.sum(ends[:, 1] - ends[:, 0]))
    ratios = np.array(totals[1:]) / totals[:-1]
    assert np.all(ratios < 2 / 5**0.5)


@RANDOM
@FEW
def test_two_steps_across_the_valley(seed):
    rng = np.random.default_rng(seed)
    with mpmath.workdps(40):
        for alpha in map(mpmath.mpf, (1.02, 1.05, 1.06, rng.uniform(1.1, 4), 10 ** rng.uniform(0.5, 3))):
            least = max(11.1 / (alpha - 1), 0)
            far = 400 / (20 * alpha - 21) if alpha > 1.0501 else 0
            y = max(least, far) * (1 + mpmath.mpf(rng.exponential()))
            first = 10 + y - alpha * far_slope(10 + y)
            assert first <= -1
            rise = first - alpha * far_slope(first) - 10 - y
            error = rise - (alpha * (20 * alpha - 21) * y - 200 * alpha)
            assert abs(error) <= 3e-6 * alpha * abs(20 * alpha - 1) + 3e-3 * alpha
            if far:
                assert first < -9
                assert rise >= 400 * alpha - 200 * alpha - mpmath.mpf("0.07") * alpha > 199 * alpha
            else:
                assert rise < 0


def far_slope(theta):
    power = mpmath.exp(-3 * abs(theta - 3))
    small, large = power / (1 + power), 1 / (1 + power)
    s, r = (large, small) if theta > 3 else (small, large)
    return 20 * theta * r + (theta - 10) * s + 3 * s * r * (100 - 10 * theta - mpmath.mpf("9.5") * theta**2)


@pytest.mark.parametrize("alpha", [0.02, 0.099, 0.3, 0.9, 1.05])
def test_iterates_of_moderate_steps_are_bounded(alpha):
    theta = np.linspace(-30, 60, 500)
    for _ in range(300):
        theta = theta - alpha * slope(theta)
        assert np.abs(theta).max() <= 1500


@pytest.mark.parametrize("alpha", [0.03, 0.09, 0.11])
def test_images_of_the_left_side(alpha):
    m_s = points()[0]
    for theta in (-5.0, -2.0, -0.5):
        integral = quad(lambda t: alpha * curvature(t) - 1, theta, m_s, epsabs=1e-12)[0]
        assert theta - alpha * slope(theta) == pytest.approx(m_s + integral, abs=1e-9)


def lowest(alpha):
    """μ(α) on a grid, and where it is taken."""
    grid = np.linspace(points()[0], points()[1], 200001)
    images = grid - alpha * slope(grid)
    return images.min(), grid[np.argmin(images)]


def image(theta, alpha):
    return theta - alpha * slope(theta)


def test_the_step_at_which_they_escape():
    m_s, b, _ = points()
    steps = np.linspace(0.08, 0.11, 13)
    bottoms = [lowest(alpha) for alpha in steps]
    for (alpha, (mu, _)), (later, (below, where)) in zip(zip(steps, bottoms), zip(steps[1:], bottoms[1:])):
        assert image(below, later) > image(mu, later) > image(mu, alpha)
        assert -5 <= below < mu < m_s < where < b
    images = [image(mu, alpha) for alpha, (mu, _) in zip(steps, bottoms)]
    assert images[0] < 3.05 < b < 3.3 < images[-1]
    assert np.sum(np.diff(np.sign(np.array(images) - b)) != 0) == 1


@pytest.mark.parametrize("alpha", [0.05, 0.0905, 0.1, 0.102])
def test_starts_that_are_kept(alpha):
    m_s, b, m_w = points()
    assert image(lowest(alpha)[0], alpha) < b
    starts = np.linspace(-5, 20, 1201)
    kept = (starts <= b) & (image(starts, alpha) <= b)
    assert np.all(kept == (starts <= b)) == (alpha <= 0.08)
    theta = starts
    for _ in range(1200):
        theta = image(theta, alpha)
        assert theta[kept].max() <= b
        assert theta[kept].min() >= -5
    np.testing.assert_allclose(theta[~kept], m_w, atol=1e-6)
    if alpha > 2 / curvature(m_s):
        assert np.all(np.abs(theta[kept & (np.abs(starts - m_s) > 1e-3)] - m_s) > 1e-3)


@pytest.mark.parametrize("alpha", [0.11, 0.2])
def test_a_minimum_that_is_too_sharp_repels(alpha):
    m_s = points()[0]
    assert curvature(m_s) > 2 / alpha
    distances = [abs(descend(m_s + 1e-9, alpha, k) - m_s) for k in range(12)]
    assert distances == sorted(distances)
