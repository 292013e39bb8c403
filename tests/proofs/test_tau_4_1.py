"""The formulas of report/proofs/tau.4.1.md; solutions from the matrix exponential."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from tests.proofs.complex_step import derivative

SIZES = [1, 2, 5]
every_size = pytest.mark.parametrize("n", SIZES)


def definite(rng, n, least=0.3):
    """A positive definite matrix with the least eigenvalue given, and a unit eigenvector of it."""
    basis = np.linalg.qr(rng.normal(size=(n, n)))[0]
    values = np.append(least, least + rng.exponential(size=n - 1))
    return basis @ np.diag(values) @ basis.T, basis[:, 0]


def residual(H, start, t):
    return expm(-H * t) @ start


@every_size
def test_solution_from_eigenvectors(rng, n):
    """Against the equation: its derivative and its start."""
    H, _ = definite(rng, n)
    values, vectors = np.linalg.eigh(H)
    start, y = rng.normal(size=(2, n))

    def solution(t):
        return y + (vectors * np.exp(-values * t)) @ vectors.T @ (start - y)

    assert solution(0) == pytest.approx(start, abs=1e-13)
    for t in (0.0, 0.7, 3.0):
        assert derivative(solution, t) == pytest.approx(-H @ (solution(t) - y), abs=1e-12)
        assert solution(t) == pytest.approx(y + residual(H, start - y, t), abs=1e-12)


@every_size
def test_rayleigh_quotient(rng, n):
    H, slowest = definite(rng, n)
    for z in rng.normal(size=(50, n)):
        assert z @ H @ z >= 0.3 * z @ z - 1e-13
    assert slowest @ H @ slowest == pytest.approx(0.3)
    assert 2 * H @ slowest - 2 * 0.3 * slowest == pytest.approx(0, abs=1e-14)


@every_size
def test_derivative_of_the_square(rng, n):
    H, _ = definite(rng, n)
    start = rng.normal(size=n)
    for t in (0.0, 0.7, 3.0):
        r = residual(H, start, t)
        change = derivative(lambda s: (residual(H, start, s) ** 2).sum(), t)
        assert change == pytest.approx(-2 * r @ H @ r, rel=1e-10)
        assert change <= -2 * 0.3 * r @ r * (1 - 1e-10)
        scaled = derivative(lambda s: np.exp(0.6 * s) * (residual(H, start, s) ** 2).sum(), t)
        assert scaled == pytest.approx(np.exp(0.6 * t) * (change + 0.6 * r @ r), rel=1e-9, abs=1e-12)
        assert scaled <= 1e-12


@every_size
def test_exponential_convergence(rng, n):
    """The bound from any start, with equality from the slowest mode and from nowhere else."""
    H, slowest = definite(rng, n)
    for t in (0.1, 1.0, 5.0):
        for start in rng.normal(size=(10, n)):
            ratio = np.linalg.norm(residual(H, start, t)) / np.linalg.norm(start) / np.exp(-0.3 * t)
            assert ratio <= 1 + 1e-12
            assert n == 1 or ratio < 1 - 1e-6
        assert np.linalg.norm(residual(H, 2 * slowest, t)) == pytest.approx(2 * np.exp(-0.3 * t))


def test_convergence_for_kernels_that_are_not_symmetric_or_change(rng):
    """Two pieces of time; the skew part does not matter, and a rate below zero bounds the growth."""
    H, _ = definite(rng, 4)
    start, skew = rng.normal(size=4), rng.normal(size=(4, 4))
    for rate in (0.3, -0.5):
        pieces = [H + (rate - 0.3) * np.eye(4) + sign * (skew - skew.T) for sign in (1, -1)]
        end = residual(pieces[1], residual(pieces[0], start, 0.8), 0.5)
        assert np.linalg.norm(end) <= np.exp(-rate * 1.3) * np.linalg.norm(start)
