"""The formulas of report/proofs/du.6-discrete_bound.md on random instances; the recursion is compared exactly."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proofs.exact_instances import fraction, fractions, patterns, relu, signs, unit_vectors

SEEDS, SIZES = st.integers(0, 2**32 - 1), st.integers(1, 3)
ROUNDING = 1e-12


@given(SEEDS)
@settings(max_examples=10)
def test_increment_of_a_relu(seed):
    first, second = abs(fractions(np.random.default_rng(seed), 2))
    for a in (first, -first, 0 * first):
        for b in (second, -second, 0 * second):
            extra = 0 if (a >= 0) == (b >= 0) else abs(b)
            assert max(b, 0) - max(a, 0) == (a >= 0) * (b - a) + extra


def one_step(seed, n, d, root):
    """A step in fractions: residuals before and after, H, e, eta, and the norms that bound e."""
    rng = np.random.default_rng(seed)
    m, eta, x, y = root**2, fraction(rng), unit_vectors(rng, n, d), fractions(rng, n)
    w, a = fractions(rng, m, d), signs(rng, m)
    theta = patterns(w @ x.T)
    r = a @ relu(w @ x.T) / root - y
    after = w - eta * a[:, None] / root * (theta * r) @ x
    flips = patterns(after @ x.T) != theta
    e = (a[:, None] * flips * abs(after @ x.T)).sum(axis=0) / root
    h = (x @ x.T) * ((a**2)[:, None] * theta).T.dot(theta) / m
    moved = np.linalg.norm((after - w).astype(float), axis=1)
    return r, a @ relu(after @ x.T) / root - y, h, e, eta, (moved[:, None] * flips).sum(axis=0) / root, flips


@given(SEEDS, SIZES, SIZES, SIZES)
@settings(max_examples=15)
def test_recursion_of_the_residual(seed, n, d, root):
    r, after, h, e, eta, reach, _ = one_step(seed, n, d, root)
    assert list(after) == list(r - eta * h @ r + e)
    assert (abs(e).astype(float) <= reach.astype(float) * (1 + ROUNDING)).all()


def test_patterns_flip_in_these_steps():
    assert sum(one_step(seed, 2, 2, 2)[-1].any() for seed in range(10)) > 3


def test_flips_break_the_bound_in_the_example_by_hand():
    w, y, eta, rate = Fraction(1, 10), Fraction(-1), Fraction(1), Fraction(1, 2)
    h = Fraction(int(w >= 0))
    assert h >= rate / 2
    assert eta * h <= 2 - eta * rate / 2
    r = max(w, 0) - y
    w = w - eta * r
    after = max(w, 0) - y
    assert (r, w, after) == (Fraction(11, 10), -1, 1)
    assert (1 - eta * rate / 2) * r**2 == Fraction(363, 400) < after**2
    assert after == (1 - eta * h) * r + abs(w)


def kernels(seed, steps=6, n=4):
    """Symmetric H(s), eta and the greatest lambda_0 that fulfils the hypotheses."""
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((steps, n, 2 * n))
    h = roots @ roots.transpose(0, 2, 1) / 8
    values = np.linalg.eigvalsh(h)
    eta = rng.uniform(0.5, 1.7) / values.max()
    return rng, h, eta, 2 * min(values.min(), ((2 - eta * values.max()) / eta))


@pytest.mark.parametrize("seed", range(5))
def test_norm_of_one_step(seed):
    _, h, eta, rate = kernels(seed)
    q, norms = 1 - eta * rate / 2, []
    assert 0 <= q < 1
    for kernel in h:
        values = np.linalg.eigvalsh(kernel)
        contraction = np.linalg.eigvalsh(np.eye(len(kernel)) - eta * kernel)
        assert contraction == pytest.approx(1 - eta * values[::-1], abs=ROUNDING)
        assert contraction[-1] <= q + ROUNDING
        assert contraction[0] >= -1 + eta * rate / 2 - ROUNDING
        norms.append(abs(contraction).max())
    assert max(norms) == pytest.approx(q, abs=ROUNDING)  # the greatest lambda_0: the bound is attained


@pytest.mark.parametrize("seed", range(5))
def test_bound_with_the_remainder(seed):
    rng, h, eta, rate = kernels(seed)
    q, r, remainders, first = 1 - eta * rate / 2, rng.standard_normal(4), [], None
    for s, kernel in enumerate(h):
        first = np.linalg.norm(r) if first is None else first
        e = 0.3 * rng.standard_normal(4)
        before, r = np.linalg.norm(r), r - eta * kernel @ r + e
        remainders.append(np.linalg.norm(e))
        assert np.linalg.norm(r) <= (q * before + remainders[-1]) * (1 + ROUNDING)
        total = sum(q ** (s - j) * remainder for j, remainder in enumerate(remainders))
        assert np.linalg.norm(r) <= (q ** (s + 1) * first + total) * (1 + ROUNDING)
        shorter = sum(q ** (s - 1 - j) * remainder for j, remainder in enumerate(remainders[:-1]))
        assert q * (q**s * first + shorter) + remainders[-1] == pytest.approx(q ** (s + 1) * first + total)


def test_bound_is_attained_in_one_dimension():
    """One sample, H constant and e of one sign: the norm is the bound."""
    eta, h, r, e = 0.5, 0.6, 1.0, 0.1
    q, bound = 1 - eta * h, 1.0
    for _ in range(5):
        r, bound = (1 - eta * h) * r + e, q * bound + e
        assert r == pytest.approx(bound, rel=ROUNDING)


def test_bound_of_the_paper_is_attained_in_one_dimension():
    """The same with the greatest remainder that is allowed."""
    eta, h, r = 0.5, 0.6, 1.3
    rate = 2 * h
    q = 1 - eta * rate / 2
    for k in range(1, 6):
        r = (1 - eta * h) * r + (np.sqrt(q) - q) * r
        assert r**2 == pytest.approx((1 - eta * rate / 2) ** k * 1.3**2, rel=ROUNDING)


@pytest.mark.parametrize("seed", range(5))
def test_bound_of_the_paper(seed):
    """Remainders as large as the assumption allows, along the residual itself and in random directions."""
    rng, h, eta, rate = kernels(seed)
    q, start = 1 - eta * rate / 2, rng.standard_normal(4)
    for along in (True, False):
        r = start
        for k, kernel in enumerate(h):
            moved = r - eta * kernel @ r
            direction = moved if along else rng.standard_normal(4)
            r = moved + (np.sqrt(q) - q) * np.linalg.norm(r) * direction / np.linalg.norm(direction)
            assert r @ r <= (1 - eta * rate / 2) ** (k + 1) * (start @ start) * (1 + ROUNDING)
