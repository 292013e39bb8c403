"""The formulas of report/proofs/du.5-h_infinity.md: angles, orthant probabilities and kernels of samples in a plane."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from tests.proofs.exact_instances import fractions, unit_vectors

ROUNDING = 1e-14


def closed_form(x):
    cosines = np.clip(x @ x.T, -1, 1)
    np.fill_diagonal(cosines, 1)
    return cosines * (np.pi - np.arccos(cosines)) / (2 * np.pi)


def orthant(theta):
    """P(g_1 >= 0, cos(theta) g_1 + sin(theta) g_2 >= 0) for independent normal g: given g_1 = s, g_2 >= -s cot."""
    from scipy.stats import norm

    return quad(lambda s: norm.pdf(s) * norm.cdf(s / np.tan(theta)), 0, np.inf, epsabs=1e-12)[0]


@pytest.mark.parametrize("theta", [0.01, 0.6, np.pi / 2, 2.0, 3.1])
def test_probability_of_both_patterns(theta):
    assert orthant(theta) == pytest.approx((np.pi - theta) / (2 * np.pi), rel=1e-8)
    x = np.array([[1.0, 0.0], [np.cos(theta), np.sin(theta)]])
    probabilities = np.array([[0.5, orthant(theta)], [orthant(theta), 0.5]])
    assert closed_form(x) == pytest.approx((x @ x.T) * probabilities, rel=1e-7)


def test_extreme_angles():
    w = np.random.default_rng(0).standard_normal((50, 3))
    x = np.array([0.6, 0.0, 0.8])
    assert ((w @ x >= 0) & (w @ -x >= 0)).sum() == 0
    assert closed_form(np.array([x, -x])) == pytest.approx(np.diag([0.5, 0.5]), abs=ROUNDING)


@pytest.mark.parametrize("seed", range(3))
def test_polar_coordinates(seed):
    rng = np.random.default_rng(seed)
    x, other, w = rng.standard_normal((3, 4))
    x, other = x / np.linalg.norm(x), other / np.linalg.norm(other)
    theta = np.arccos(x @ other)
    second = (other - x * np.cos(theta)) / np.sin(theta)
    rho, phi = np.hypot(w @ x, w @ second), np.arctan2(w @ second, w @ x)
    assert [x @ second, second @ second] == pytest.approx([0, 1], abs=100 * ROUNDING)
    assert w @ x == pytest.approx(rho * np.cos(phi), abs=100 * ROUNDING * rho)
    sum_form = rho * (np.cos(theta) * np.cos(phi) + np.sin(theta) * np.sin(phi))
    assert [sum_form, rho * np.cos(phi - theta)] == pytest.approx([w @ other] * 2, abs=100 * ROUNDING * rho)
    for at in np.linspace(-np.pi, np.pi, 1001)[:-1]:
        both = np.cos(at) >= 0 and np.cos(theta) * np.cos(at) + np.sin(theta) * np.sin(at) >= 0
        assert both == (theta - np.pi / 2 <= at <= np.pi / 2)


def arcs(angles):
    """Patterns of the weights in the plane and their probabilities."""
    ends = np.sort(np.concatenate([angles + np.pi / 2, angles - np.pi / 2]) % (2 * np.pi))
    ends = np.append(ends, ends[0] + 2 * np.pi)
    return [(np.cos((low + high) / 2 - angles) > 0, (high - low) / (2 * np.pi)) for low, high in pairwise(ends)]


@pytest.mark.parametrize("angles", [[0.2, 1.0, 2.9, 4.0, 5.5], [0.3, 0.3 + np.pi, 1.0], [0.0, 0.0, 2.0]])
def test_quadratic_form(angles):
    angles = np.array(angles)
    x = np.column_stack([np.cos(angles), np.sin(angles)])
    for v in np.random.default_rng(0).standard_normal((5, len(angles))):
        expectation = sum(share * np.sum(((v * active) @ x) ** 2) for active, share in arcs(angles))
        # an angle of two equal samples is off by the root of a rounding error
        assert v @ closed_form(x) @ v == pytest.approx(expectation, rel=1e-6, abs=1e-7)
        assert expectation >= 0


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_jump_across_a_hyperplane(seed):
    rng = np.random.default_rng(seed)
    x = unit_vectors(rng, 3, 3)
    v, w = fractions(rng, 4), fractions(rng, 3)
    w = w - (w @ x[0]) * x[0]
    if 0 in w @ x[1:].T or 0 in v:
        return
    delta = Fraction(1, 10**9)

    def jump(samples, v):
        ends = [(v * (samples @ (w + sign * delta * x[0]) >= 0)) @ samples for sign in (1, -1)]
        return list(ends[0] - ends[1])

    assert jump(x, v[:3]) == list(v[0] * x[0])
    assert jump(np.vstack([x, -x[:1]]), v) == list((v[0] + v[3]) * x[0])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_opposite_samples(seed):
    rng = np.random.default_rng(seed)
    x, v, w = unit_vectors(rng, 3, 2), fractions(rng, 3), fractions(rng, 2)
    if 0 in x @ w:
        return
    total = (v * (x @ w >= 0)) @ x + (-v * (-x @ w >= 0)) @ -x
    assert list(total) == list(v @ x)


def least(angles):
    angles = np.array(angles)
    return np.linalg.eigvalsh(closed_form(np.column_stack([np.cos(angles), np.sin(angles)])))[0]


def test_when_the_limit_is_singular():
    """Two equal samples, or opposite pairs whose vectors are dependent; nothing else."""
    opposite = [0.3, 0.3 + np.pi, 1.1, 1.1 + np.pi]
    assert least([0.3, 0.3 + np.pi]) == pytest.approx(0.5)
    assert least(opposite) > 0.01
    assert least([*opposite, 2.0]) > 0.01
    assert least([*opposite, 2.0, 2.0 + np.pi]) == pytest.approx(0, abs=1e-7)
    assert least([0.3, 1.1, 1.1]) == pytest.approx(0, abs=1e-7)
    assert least(np.linspace(0.1, 3.0, 7)) > 1e-4
