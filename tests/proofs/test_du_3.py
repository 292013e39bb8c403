"""The formulas of report/proofs/du.3.md on random instances; everything rational is compared exactly."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proofs.exact_instances import fraction, fractions, patterns, relu, unit_vectors

SEEDS, SIZES = st.integers(0, 2**32 - 1), st.integers(1, 3)
STEP = Fraction(1, 10**9)  # too short for a change of sign where no pre-activation is zero
ROUNDING = 1e-12


class Point:
    """Weights of both layers, inputs and labels, and what the proof defines from them; theta in [0, 1] at kinks."""

    def __init__(self, seed, n, d, root, kinks=False):
        rng = np.random.default_rng(seed)
        self.root, self.m = root, root**2
        self.x, self.y = unit_vectors(rng, n, d), fractions(rng, n)
        self.w, self.a = fractions(rng, self.m, d), fractions(rng, self.m)
        if kinks:  # each unit onto the hyperplane of one sample
            on = self.x[rng.integers(0, n, self.m)]
            self.w = self.w - (self.w * on).sum(axis=1)[:, None] * on
        z = self.w @ self.x.T
        self.smooth = (z != 0).all()
        self.theta = np.where(z == 0, abs(fractions(rng, *z.shape)) / 6, patterns(z))
        self.z, self.error = z, self.y - self.outputs(self.w, self.a)
        self.h = (self.x @ self.x.T) * ((self.a**2)[:, None] * self.theta).T.dot(self.theta) / self.m
        self.g = relu(z).T @ relu(z) / self.m
        self.dw = self.a[:, None] / root * (self.theta * self.error) @ self.x
        self.da = relu(z) @ self.error / root

    def outputs(self, w, a):
        return a @ relu(w @ self.x.T) / self.root

    def loss(self, w, a):
        residual = self.outputs(w, a) - self.y
        return residual @ residual / 2


def slope(function):
    """The derivative at 0 of a polynomial of degree 2, exactly."""
    return (function(STEP) - function(-STEP)) / (2 * STEP)


@given(SEEDS, SIZES, SIZES, st.integers(1, 2))
@settings(max_examples=8)
def test_velocities(seed, n, d, root):
    at = Point(seed, n, d, root)
    if not at.smooth:
        return
    for r in range(at.m):
        unit = np.array([Fraction(int(k == r)) for k in range(at.m)], dtype=object)
        assert slope(lambda h, u=unit: at.loss(at.w, at.a + h * u)) == -at.da[r]
        assert list(slope(lambda h, u=unit: at.outputs(at.w, at.a + h * u))) == list(relu(at.z)[r] / root)
        for k in range(d):
            direction = np.zeros((at.m, d), dtype=object)
            direction[r, k] = Fraction(1)
            assert slope(lambda h, v=direction: at.loss(at.w + h * v, at.a)) == -at.dw[r, k]
            assert list(slope(lambda h, v=direction: at.outputs(at.w + h * v, at.a))) == list(
                at.a[r] / root * at.theta[r] * at.x[:, k])


@given(SEEDS, SIZES, SIZES, SIZES)
@settings(max_examples=10)
def test_derivative_of_the_outputs(seed, n, d, root):
    at = Point(seed, n, d, root)
    expected = list((at.h + at.g) @ at.error)
    if at.smooth:
        assert list(slope(lambda h: at.outputs(at.w + h * at.dw, at.a + h * at.da))) == expected
        assert list(slope(lambda h: at.outputs(at.w, at.a + h * at.da))) == list(at.g @ at.error)
    kink = Point(seed, n, d, root, kinks=True)
    first = relu(kink.z).T @ kink.da / root
    second = (kink.a[:, None] * kink.theta * (kink.dw @ kink.x.T)).sum(axis=0) / root
    assert list(first) == list(kink.g @ kink.error)
    assert list(second) == list(kink.h @ kink.error)


def test_printed_output_layer_fails_in_the_example_by_hand():
    x, y, w, a = np.array([1, 1]), np.array([2, 0]), 1, 1
    u = a * np.maximum(w * x, 0)
    g = np.outer(np.maximum(w * x, 0), np.maximum(w * x, 0))
    left = np.maximum(w * x, 0) * ((y - u) @ np.maximum(w * x, 0))
    assert list(left) == [0, 0] == list(g @ (y - u))
    assert all((y - u)[j] * g[i, j] != left[i] for i in range(2) for j in range(2))


def test_decay_without_the_squares_fails_in_the_example_by_hand():
    x, w, a, y = 1, 1, 2, 3
    error = y - a * w * x
    du = a * (error * a * x) + w * (error * w * x)
    assert (error, du, -2 * error * du) == (1, 5, -10)
    assert -2 * (a**2 + w**2) * error**2 == -10 != -2 * (1 + w**2) * error**2 == -4


@given(SEEDS, SIZES, SIZES, SIZES, st.booleans())
@settings(max_examples=15)
def test_decay(seed, n, d, root, kinks):
    at = Point(seed, n, d, root, kinks)
    du = relu(at.z).T @ at.da / root + (at.a[:, None] * at.theta * (at.dw @ at.x.T)).sum(axis=0) / root
    decay = -2 * at.error @ du
    assert decay == -2 * at.error @ (at.h + at.g) @ at.error <= -2 * at.error @ at.h @ at.error
    if at.smooth:
        moved = slope(lambda h: at.outputs(at.w + h * at.dw, at.a + h * at.da))
        assert decay == -2 * at.error @ moved


@given(SEEDS, SIZES, SIZES, SIZES)
@settings(max_examples=10)
def test_quadratic_forms(seed, n, d, root):
    at = Point(seed, n, d, root, kinks=True)
    v = fractions(np.random.default_rng(seed), n)
    phi = relu(at.z).T / root
    assert v @ at.g @ v == (phi.T @ v) @ (phi.T @ v) >= 0
    psi = at.a[:, None, None] * at.theta[:, :, None] * at.x / root  # (m, n, d)
    sums = (v[:, None] * psi).sum(axis=1)
    assert v @ at.h @ v == (sums**2).sum() >= 0


@given(SEEDS, SIZES, SIZES, SIZES)
@settings(max_examples=10)
def test_rate_of_the_error(seed, n, d, root):
    at = Point(seed, n, d, root)
    square, decay = float(at.error @ at.error), float(-2 * at.error @ (at.h + at.g) @ at.error)
    hidden = float(-2 * at.error @ at.h @ at.error)
    rate = 2 * max(np.linalg.eigvalsh(at.h.astype(float))[0], 0)
    scale = ROUNDING * (1 + abs(decay))
    assert decay <= hidden + scale
    assert hidden <= -rate * square + scale
    if square > 0:
        assert -decay / square >= rate - scale / square
    for t in (0.3, 2.0):  # the product rule, and its sign
        def product(h, t=t):
            return np.exp(rate * (t + h)) * (square + h * decay)
        difference = (product(1e-6) - product(-1e-6)) / 2e-6
        assert difference == pytest.approx(np.exp(rate * t) * (decay + rate * square), rel=1e-5, abs=1e-6 * product(0))
        assert np.exp(rate * t) * (decay + rate * square) <= np.exp(rate * t) * scale


@pytest.mark.parametrize("seed", [0, 1, 4])
def test_error_along_the_flow(seed):
    """Runge and Kutta's fourth-order steps, as long as no pattern flips: the error is a rounding error of the bound."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((3, 4))
    x /= np.linalg.norm(x, axis=1)[:, None]
    w, a, y, step = rng.standard_normal((30, 4)), rng.standard_normal(30), 0.3 * rng.standard_normal(3), 0.01
    y += a @ np.maximum(w @ x.T, 0) / np.sqrt(30)
    theta = w @ x.T > 0

    def outputs(w, a):
        return (a[:, None] * theta * (w @ x.T)).sum(axis=0) / np.sqrt(30)

    def velocity(w, a):
        error = y - outputs(w, a)
        return a[:, None] * (theta * error) @ x / np.sqrt(30), (theta * (w @ x.T)) @ error / np.sqrt(30)

    errors, least = [], []
    while len(errors) < 100 and ((w @ x.T > 0) == theta).all():
        errors.append(np.sum((y - outputs(w, a)) ** 2))
        least.append(np.linalg.eigvalsh((x @ x.T) * ((a**2)[:, None] * theta).T.dot(theta) / 30)[0])
        k1 = velocity(w, a)
        k2 = velocity(w + step / 2 * k1[0], a + step / 2 * k1[1])
        k3 = velocity(w + step / 2 * k2[0], a + step / 2 * k2[1])
        k4 = velocity(w + step * k3[0], a + step * k3[1])
        w = w + step / 6 * (k1[0] + 2 * k2[0] + 2 * k3[0] + k4[0])
        a = a + step / 6 * (k1[1] + 2 * k2[1] + 2 * k3[1] + k4[1])
    assert len(errors) > 5
    rate, t = 2 * min(least), step * np.arange(len(errors))
    assert rate > 0
    assert (np.array(errors) <= np.exp(-rate * t) * errors[0] * (1 + 1e-9)).all()


def test_rate_is_nearly_attained():
    """Large output weights and short hidden ones make G small, and the error is along the last eigenvector of H."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4))
    x /= np.linalg.norm(x, axis=1)[:, None]
    w, a, step = 0.01 * rng.standard_normal((30, 4)), 10 * rng.choice([-1.0, 1.0], 30), 1e-4
    theta = w @ x.T > 0
    values, vectors = np.linalg.eigh((x @ x.T) * ((a**2)[:, None] * theta).T.dot(theta) / 30)
    y = a @ np.maximum(w @ x.T, 0) / np.sqrt(30) + 1e-6 * vectors[:, 0]
    first, rate = 1e-6, 2 * values[0]  # the theorem's lambda_0
    for k in range(200):
        error = y - a @ np.maximum(w @ x.T, 0) / np.sqrt(30)
        assert np.exp(-1.02 * rate * k * step) <= (np.linalg.norm(error) / first) ** 2 * (1 + 1e-6)
        assert (np.linalg.norm(error) / first) ** 2 <= np.exp(-rate * k * step) * (1 + 1e-6)
        w, a = (w + step * a[:, None] / np.sqrt(30) * (theta * error) @ x,
                a + step * np.maximum(w @ x.T, 0) @ error / np.sqrt(30))
    assert ((w @ x.T > 0) == theta).all()
    assert rate * 200 * step > 0.3


@given(SEEDS, SIZES, SIZES, SIZES, st.booleans())
@settings(max_examples=10)
def test_balance(seed, n, d, root, kinks):
    at = Point(seed, n, d, root, kinks)
    inner = (at.w * at.dw).sum(axis=1)
    assert list(inner) == list(at.a / root * (relu(at.z) @ at.error)) == list(at.a * at.da)


@given(SEEDS)
@settings(max_examples=20)
def test_change_of_one_unit(seed):
    rng = np.random.default_rng(seed)
    for sign in (1, -1):
        for other in (1, -1):
            p, q, (a, b) = sign * abs(fractions(rng, 1)[0]), other * abs(fractions(rng, 1)[0]), fractions(rng, 2)
            active, extra = int(p >= 0), abs(q) if (p >= 0) != (q >= 0) else 0
            left = b * max(q, 0) - a * max(p, 0)
            assert left == (b - a) * max(p, 0) + b * (max(q, 0) - max(p, 0))
            assert left == (b - a) * max(p, 0) + b * active * (q - p) + b * extra
            assert left == (b - a) * max(p, 0) + a * active * (q - p) + (b - a) * active * (q - p) + b * extra


def descent_step(at, eta):
    """Residual before and after one step with the convention 1{z >= 0}, the matrix H + G and the remainder."""
    theta = patterns(at.z)
    dw = at.a[:, None] / at.root * (theta * at.error) @ at.x
    w, a = at.w + eta * dw, at.a + eta * at.da
    flips = patterns(w @ at.x.T) != theta
    remainder = (a[:, None] * flips * abs(w @ at.x.T)).sum(axis=0) / at.root
    remainder = remainder + ((a - at.a)[:, None] * theta * ((w - at.w) @ at.x.T)).sum(axis=0) / at.root
    h = (at.x @ at.x.T) * ((at.a**2)[:, None] * theta).T.dot(theta) / at.m
    return -at.error, at.outputs(w, a) - at.y, h + at.g, remainder, flips.any()


@given(SEEDS, SIZES, SIZES, SIZES, st.booleans())
@settings(max_examples=20)
def test_recursion_of_the_residual(seed, n, d, root, kinks):
    at = Point(seed, n, d, root, kinks)
    eta = fraction(np.random.default_rng(seed))
    before, after, kernel, remainder, _ = descent_step(at, eta)
    assert list(after) == list(before - eta * kernel @ before + remainder)


def test_steps_of_the_recursion_flip_patterns():
    assert sum(descent_step(Point(seed, 2, 2, 2), Fraction(1))[-1] for seed in range(10)) > 3


def test_discrete_bound_is_attained_in_one_step():
    """One unit, one sample, weights that move the same way: remainder and residual have one sign, and nothing flips."""
    w, a, y, eta = Fraction(1), Fraction(3, 2), Fraction(1), Fraction(1, 5)
    rho = a * w - y
    kernel, dw, da = a**2 + w**2, -eta * a * rho, -eta * w * rho
    remainder = da * dw
    assert (rho > 0, remainder > 0, w + dw > 0) == (True, True, True)
    rate = 2 * kernel
    assert eta * kernel <= 2 - eta * rate / 2
    assert (a + da) * (w + dw) - y == (1 - eta * rate / 2) * rho + remainder


@pytest.mark.parametrize("seed", range(4))
def test_discrete_bound(seed):
    """lambda_0 is the greatest that fulfils the hypotheses at all steps taken."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((3, 4))
    x /= np.linalg.norm(x, axis=1)[:, None]
    w, a, y, eta = rng.standard_normal((40, 4)), rng.standard_normal(40), rng.standard_normal(3), 0.4
    residuals, remainders, rates = [], [], []
    for _ in range(8):
        z = w @ x.T
        theta = (z >= 0).astype(float)
        r = a @ np.maximum(z, 0) / np.sqrt(40) - y
        values = np.linalg.eigvalsh((x @ x.T) * ((a**2)[:, None] * theta).T.dot(theta) / 40
                                    + np.maximum(z, 0).T @ np.maximum(z, 0) / 40)
        rates.append(2 * min(values[0], (2 - eta * values[-1]) / eta))
        after = w - eta * a[:, None] / np.sqrt(40) * (theta * r) @ x
        moved = a - eta * np.maximum(z, 0) @ r / np.sqrt(40)
        flips = (after @ x.T >= 0) != (z >= 0)
        remainders.append(np.linalg.norm(
            ((moved[:, None] * flips * abs(after @ x.T)) + (moved - a)[:, None] * theta * ((after - w) @ x.T))
            .sum(axis=0) / np.sqrt(40)))
        residuals.append(np.linalg.norm(r))
        w, a = after, moved
    assert min(rates) > 0
    q = 1 - eta * min(rates) / 2
    for k in range(1, 8):
        bound = q**k * residuals[0] + sum(q ** (k - 1 - s) * remainders[s] for s in range(k))
        assert residuals[k] <= bound * (1 + ROUNDING)
