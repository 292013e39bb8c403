"""The formulas of report/proofs/du.2.md on random instances; everything rational is compared exactly."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from tests.proofs.exact_instances import fraction, fractions, patterns, relu, signs, unit_vectors

SEEDS, SIZES = st.integers(0, 2**32 - 1), st.integers(1, 3)
ROUNDING = 1e-11  # relative; sums of at most a hundred terms and eigenvectors of well separated eigenvalues


def drawn(seed, n, d, root):
    """A network of m = root^2 units and n samples, in fractions: hidden and output weights, inputs, labels, root."""
    rng = np.random.default_rng(seed)
    m = root**2
    return rng, fractions(rng, m, d), signs(rng, m), unit_vectors(rng, n, d), fractions(rng, n)


def outputs(w, a, x):
    return a @ relu(w @ x.T) / Fraction(int(round(len(a) ** 0.5)))


def velocities(a, theta, r, x, root):
    return -a[:, None] / root * (theta * r) @ x


def gram(theta, x):
    return (x @ x.T) * (theta.T @ theta) / len(theta)


@given(SEEDS, SIZES, SIZES, SIZES)
@settings(max_examples=10)
def test_residual_flow(seed, n, d, root):
    rng, w, a, x, y = drawn(seed, n, d, root)
    r = outputs(w, a, x) - y
    theta = patterns(w @ x.T)
    if (w @ x.T != 0).all():
        step = Fraction(1, 10**9)  # too short for a change of sign: outputs are linear
        moved = outputs(w + step * velocities(a, theta, r, x, root), a, x)
        assert list((moved - y - r) / step) == list(-gram(theta, x) @ r)
    theta = np.where(w @ x.T == 0, abs(fractions(rng, *theta.shape)) / 6, theta)
    slope = (a[:, None] * theta * (velocities(a, theta, r, x, root) @ x.T)).sum(axis=0) / root
    h = gram(theta, x)
    assert list(slope) == list(-h @ r)
    least = np.linalg.eigvalsh(h.astype(float))[0]
    assert float(2 * r @ slope) <= float(-2 * least * (r @ r)) + ROUNDING * float(r @ r)


@given(SEEDS, SIZES, SIZES, SIZES)
@settings(max_examples=10)
def test_chain(seed, n, d, root):
    rng, w, a, x, y = drawn(seed, n, d, root)
    r = outputs(w, a, x) - y
    theta = np.where(w @ x.T == 0, abs(fractions(rng, root**2, n)) / 6, patterns(w @ x.T))
    total, square, m = abs(r).sum(), r @ r, root**2
    for velocity, active in zip(velocities(a, theta, r, x, root), theta, strict=True):
        assert velocity @ velocity <= (abs(r) @ active) ** 2 / m <= total**2 / m <= n * square / m
    assert (total / n) ** 2 <= square / n


def test_scanned_inequality_fails_for_two_equal_residuals():
    residuals = np.array([1, 1])
    assert abs(residuals).sum() ** 2 > residuals @ residuals


@given(SEEDS, st.integers(2, 4), st.integers(2, 3))
@settings(max_examples=10)
def test_equality_in_the_chain(seed, n, d):
    rng = np.random.default_rng(seed)
    r, direction = fraction(rng) * signs(rng, n), unit_vectors(rng, 1, d)
    x = np.sign(r)[:, None] * direction

    def squares(r, theta, x):
        velocity = (r * theta) @ x
        return velocity @ velocity, abs(r).sum() ** 2, n * (r @ r)

    everywhere = np.array([Fraction(1)] * n, dtype=object)
    assert len(set(squares(r, everywhere, x))) == 1
    fewer = everywhere.copy()
    fewer[0] = Fraction(2, 3)
    first, second, _ = squares(r, fewer, x)
    assert first < second
    turned = x.copy()
    turned[0] = -x[0]
    first, second, _ = squares(r, everywhere, turned)
    assert first < second
    longer = r.copy()
    longer[0] *= 2
    first, second, third = squares(longer, everywhere, x)
    assert first == second < third


@given(SEEDS, SIZES, SIZES)
@settings(max_examples=10)
def test_gap_of_the_triangle_inequality(seed, n, d):
    rng = np.random.default_rng(seed)
    lengths = abs(fractions(rng, n))
    v = lengths[:, None] * unit_vectors(rng, n, d)
    terms = np.outer(lengths, lengths) - v @ v.T
    assert lengths.sum() ** 2 - v.sum(axis=0) @ v.sum(axis=0) == terms.sum()
    assert (terms >= 0).all()


@given(SEEDS, st.integers(1, 6))
@settings(max_examples=10)
def test_gap_of_jensen_s_inequality(seed, n):
    r = fractions(np.random.default_rng(seed), n)
    mean = abs(r).sum() / n
    assert r @ r / n - mean**2 == ((abs(r) - mean) ** 2).sum() / n
    assert abs(r).sum() ** 2 <= n * (r @ r)


def test_derivative_of_a_relu_along_a_path():
    step = Fraction(1, 10**6)
    for g in (lambda s: s * (3 - 2 * s), lambda s: -1 - s * s, lambda s: (s - 1) * (s + 2)):
        for s in (Fraction(1, 3), Fraction(-5, 2), Fraction(7, 3)):
            slope = (g(s + step) - g(s - step)) / (2 * step)  # exact for a polynomial of degree 2
            relu_slope = (max(g(s + step), 0) - max(g(s - step), 0)) / (2 * step)
            assert relu_slope == (1 if g(s) > 0 else 0) * slope
    for g in (lambda s: s**2, lambda s: -(s**2), lambda s: s**2 * (1 if s > 0 else -1)):  # g(0) = g'(0) = 0
        quotients = [max(g(h), 0) / h for h in (step, -step, step / 10, -step / 10)]
        assert all(abs(quotient) <= abs(h) for quotient, h in zip(quotients, (step, step, step, step), strict=True))


# the example by hand: one input, four units, one of them active

def example(s, epsilon=0.3):
    """Weights, residual and Gram number at time s as the proof states them."""
    w = np.array([1 - 2 * epsilon * (1 - np.exp(-s / 4)), -1.0, -1.0, -1.0])
    return w, epsilon * np.exp(-s / 4), np.mean(w >= 0)


def test_flow_of_the_example_by_hand():
    label = 0.5 - 0.3  # u(0) - epsilon
    for s in (0.0, 0.5, 2.0, 9.0):
        w, r, h = example(s)
        assert np.maximum(w, 0).sum() / 2 - label == pytest.approx(r, rel=ROUNDING)
        step = 1e-4
        slope = (example(s + step)[0] - example(s - step)[0]) / (2 * step)
        assert slope == pytest.approx([-r / 2, 0, 0, 0], rel=step**2)
        assert h == 0.25


def test_printed_rate_fails_in_the_example_by_hand():
    for s in (1e-6, 0.5, 2.0, 9.0):
        r, start = example(s)[1], example(0)[1]
        assert r > np.exp(-s / 2) * start
        assert r == pytest.approx(np.exp(-s / 4) * start, rel=ROUNDING)  # the corrected rate is attained


def test_printed_radius_fails_in_the_example_by_hand():
    printed = 0.3 / (2 * 0.5)
    moved = [abs(example(s)[0] - example(0)[0]).max() for s in (4 * np.log(2), 4 * np.log(2) + 0.01, 200.0)]
    assert moved[0] == pytest.approx(printed, rel=ROUNDING)
    assert printed < moved[1] < moved[2] == pytest.approx(2 * printed, rel=ROUNDING)


def test_rate_and_radius_are_attained():
    for s in (0.5, 2.0, 9.0):
        moved = abs(example(s)[0] - example(0)[0]).max()
        assert moved == pytest.approx(2 * 0.3 / (2 * 0.5) * (1 - np.exp(-s / 4)), rel=ROUNDING)
        speed = abs(example(s + 1e-4)[0] - example(s - 1e-4)[0]).max() / 2e-4
        assert speed == pytest.approx(np.sqrt(1 / 4) * np.exp(-s / 4) * 0.3, rel=1e-8)


def test_integral_of_the_rate():
    for rate, t in ((0.5, 3.0), (2.0, 0.7), (0.1, 50.0)):
        assert quad(lambda s, rate=rate: np.exp(-rate * s / 2), 0, t)[0] == pytest.approx(
            2 / rate * (1 - np.exp(-rate * t / 2)), rel=ROUNDING)
        assert quad(lambda s, rate=rate: np.exp(-rate * s), 0, np.inf)[0] == pytest.approx(1 / rate, rel=1e-7)


# flows without flips

def network(seed, n=3, d=4, m=12):
    """A float network with its patterns and Gram matrix, and inputs of unit length."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    x /= np.linalg.norm(x, axis=1)[:, None]
    w, a = rng.standard_normal((m, d)), rng.choice([-1.0, 1.0], m)
    theta = (w @ x.T > 0).astype(float)
    return w, a, x, theta, (x @ x.T) * (theta.T @ theta) / m


def response(w, a, x):
    return a @ np.maximum(w @ x.T, 0) / np.sqrt(len(a))


@given(st.integers(0, 10**6))
@settings(max_examples=10)
def test_corrected_rate_and_radius(seed):
    """Any small first residual: r = e^{-Hs} r(0) as long as no pattern flips, and the weights integrate it."""
    w, a, x, theta, h = network(seed)
    values, vectors = np.linalg.eigh(h)
    if values[0] < 1e-3:
        return
    first = np.random.default_rng(seed).standard_normal(3)
    first *= 0.1 * values[0] * abs(w @ x.T).min() / np.linalg.norm(first)
    y, rate = response(w, a, x) - first, 2 * values[0]
    for s in (0.3, 3.0, 30.0):
        integral = vectors @ ((1 - np.exp(-values * s)) / values * (vectors.T @ first))
        moved = w - a[:, None] / np.sqrt(len(a)) * (theta * integral) @ x
        assert ((moved @ x.T > 0) == (theta > 0)).all()
        r = response(moved, a, x) - y
        start = np.linalg.norm(first)
        assert np.linalg.norm(r) <= np.exp(-rate * s / 2) * start + ROUNDING
        speed = np.linalg.norm((theta * r) @ x, axis=1).max() / np.sqrt(len(a))
        assert speed <= np.sqrt(3 / len(a)) * np.exp(-rate * s / 2) * start + ROUNDING
        radius = 2 * np.sqrt(3) * start / (np.sqrt(len(a)) * rate) * (1 - np.exp(-rate * s / 2))
        assert np.linalg.norm(moved - w, axis=1).max() <= radius + ROUNDING


def frozen(seed, which):
    w, a, x, theta, h = network(seed)
    values, vectors = np.linalg.eigh(h)
    mu, v = values[which], vectors[:, which]
    g = (theta * v) @ x
    m = len(a)
    with np.errstate(divide="ignore"):
        epsilon = (mu * np.sqrt(m) * abs(w @ x.T).min(axis=1) / np.linalg.norm(g, axis=1)).min() / 2

    def path(s):
        return w - a[:, None] * epsilon * (1 - np.exp(-mu * s)) / (mu * np.sqrt(m)) * g

    return w, a, x, theta, mu, v, g, epsilon, path


@pytest.mark.parametrize("which", [0, 1, 2])
def test_frozen_flow(which):
    w, a, x, theta, mu, v, g, epsilon, path = frozen(3, which)
    assert mu > 0.01
    y, root = response(w, a, x) - epsilon * v, np.sqrt(len(a))
    for s in (0.1, 1.0, 10.0):
        moved = path(s)
        reach = abs((moved - w) @ x.T)
        assert (reach <= epsilon * np.linalg.norm(g, axis=1)[:, None] / (mu * root) * (1 + ROUNDING)).all()
        assert (reach <= abs(w @ x.T) / 2 * (1 + ROUNDING)).all()
        change = response(moved, a, x) - response(w, a, x)
        linear = (a[:, None] * theta * ((moved - w) @ x.T)).sum(axis=0) / root
        inner = -epsilon * (1 - np.exp(-mu * s)) / mu * (theta * (g @ x.T)).mean(axis=0)
        tolerance = ROUNDING * np.linalg.norm(response(w, a, x))
        assert change == pytest.approx(linear, abs=tolerance)
        assert change == pytest.approx(inner, abs=tolerance)
        assert change == pytest.approx(-epsilon * (1 - np.exp(-mu * s)) * v, abs=tolerance)
        r = response(moved, a, x) - y
        assert r == pytest.approx(epsilon * np.exp(-mu * s) * v, abs=tolerance)
        slope = (path(s + 1e-4) - path(s - 1e-4)) / 2e-4
        assert slope == pytest.approx(-a[:, None] / root * (theta * r) @ x, abs=epsilon * 1e-8)


def test_printed_rate_fails_without_flips():
    w, a, x, _, mu, v, _, epsilon, path = frozen(3, 0)
    y = response(w, a, x) - epsilon * v
    for factor in (1.01, 1.5, 2.0):  # lambda_0 / mu, above 1 and at most 2
        for s in (0.5, 5.0, 20.0):
            r = np.linalg.norm(response(path(s), a, x) - y)
            assert r > np.exp(-factor * mu * s) * epsilon
            assert r <= np.exp(-factor * mu * s / 2) * epsilon


# least eigenvalues just below their limit

def arcs(angles):
    """Patterns and probabilities of the weights in the plane, by the arcs between the hyperplanes of the samples."""
    ends = np.sort(np.concatenate([angles + np.pi / 2, angles - np.pi / 2]) % (2 * np.pi))
    ends = np.append(ends, ends[0] + 2 * np.pi)
    return [((np.cos((low + high) / 2 - angles) > 0).astype(float), (high - low) / (2 * np.pi))
            for low, high in pairwise(ends) if high - low > 1e-9]


@pytest.mark.parametrize("angles", [np.array([0.0, 2.0, 4.0]) * np.pi / 3, np.array([0.1, 1.3, 2.9, 4.0]),
                                    np.array([0.0, 1.0])])
def test_least_eigenvalue_below_the_limit(angles):
    cosines = np.cos(angles[:, None] - angles)
    limit = cosines * (np.pi - np.arccos(np.clip(cosines, -1, 1))) / (2 * np.pi)
    kernels = [(np.outer(p, p) * cosines, share) for p, share in arcs(angles)]
    assert sum(share * kernel for kernel, share in kernels) == pytest.approx(limit, abs=1e-7)
    w = np.random.default_rng(0).standard_normal((50, 2))
    active = w @ np.array([np.cos(angles), np.sin(angles)]) >= 0
    counted = sum(np.sum((active == (p > 0)).all(axis=1)) / 50 * kernel
                  for (p, _), (kernel, _) in zip(arcs(angles), kernels, strict=True))
    assert counted == pytest.approx(cosines * (active.T.astype(float) @ active) / 50, abs=ROUNDING)
    values, vectors = np.linalg.eigh(limit)
    least, v = values[0], vectors[:, 0]
    forms = [v @ kernel @ v for kernel, _ in kernels]
    assert sum(form * share for form, (_, share) in zip(forms, kernels, strict=True)) == pytest.approx(least)
    kernel = min((kernel for kernel, _ in kernels),
                 key=lambda kernel: (round(v @ kernel @ v, 9), -np.linalg.norm(kernel @ v - least * v)))
    assert v @ kernel @ v <= least + ROUNDING
    assert np.linalg.norm(kernel @ v - least * v) > 1e-3
    below = [np.linalg.eigvalsh((1 - delta) * limit + delta * kernel)[0] for delta in (0.01, 0.1, 0.5)]
    assert max(below) < least - 1e-7
    assert below[0] > least / 2


@pytest.mark.parametrize(("n", "c", "m"), [(2, 0.5, 10**2), (3, 0.9, 10**4), (5, 0.99, 10**4)])
def test_radius_of_equiangular_inputs(n, c, m):
    gram_of_inputs = (1 - c) * np.eye(n) + c * np.ones((n, n))
    x = np.linalg.cholesky(gram_of_inputs)
    h_infinity = gram_of_inputs * (np.pi - np.arccos(np.clip(gram_of_inputs, -1, 1))) / (2 * np.pi)
    rate = np.linalg.eigvalsh(h_infinity)[0]
    assert rate == pytest.approx(0.5 - c * (np.pi - np.arccos(c)) / (2 * np.pi), rel=1e-9)
    b = int(np.ceil(m * rate / 2))
    assert n * b + 1 <= m
    z = -np.ones((m, n))
    z[0] = 1
    for i in range(n):
        z[1 + i * b:1 + (i + 1) * b, i] = 1
    w = z @ np.linalg.inv(x.T)
    theta = (w @ x.T >= 0).astype(float)
    h = gram_of_inputs * (theta.T @ theta) / m
    assert h == pytest.approx(((b + 1 - c) * np.eye(n) + c * np.ones((n, n))) / m, rel=1e-9)
    v, mu = np.ones(n) / np.sqrt(n), (b + 1 - c + n * c) / m
    assert np.linalg.eigvalsh(h)[0] == pytest.approx((b + 1 - c) / m, rel=1e-9)
    assert (b + 1 - c) / m > rate / 2
    assert h @ v == pytest.approx(mu * v, rel=1e-9)
    g = theta[0] * v @ x
    assert g @ g == pytest.approx(1 - c + n * c, rel=1e-9)
    ratio = np.linalg.norm(g) / (mu * np.sqrt(m)) / (np.sqrt(n) / (np.sqrt(m) * rate))
    assert ratio == pytest.approx(np.sqrt((1 - c + n * c) / n) * rate / mu, rel=1e-9)
    limit = 2 * np.sqrt((1 - c + n * c) / n)
    assert ratio == pytest.approx(limit, rel=2 * (2 + n) / (m * rate))
