"""Ends of spectra against dense eigenvalues, negative and nearly double ones included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descent.curvature.lanczos import Counted, spectrum_end


def matrix_with(eigenvalues, rng):
    orthogonal = np.linalg.qr(rng.standard_normal((len(eigenvalues),) * 2))[0]
    return orthogonal @ np.diag(eigenvalues) @ orthogonal.T


# Rounded: squares of eigenvalues of 1e-305 are no numbers.
@given(st.lists(st.floats(-100, 100).map(lambda value: round(value, 6)), min_size=4, max_size=40),
       st.integers(0, 10**6))
def test_both_ends_lie_within_their_residuals(eigenvalues, seed):
    rng = np.random.default_rng(seed)
    matrix = matrix_with(eigenvalues, rng)
    exact, scale = np.linalg.eigvalsh(matrix), max(1.0, np.abs(eigenvalues).max())
    for side, expected in (("SA", exact[0]), ("LA", exact[-1])):
        end = spectrum_end(lambda v: matrix @ v, rng.standard_normal(len(eigenvalues)), side)
        assert np.linalg.norm(end.vector) == pytest.approx(1)
        assert exact[0] - 1e-12 * scale <= end.value <= exact[-1] + 1e-12 * scale
        assert np.abs(exact - end.value).min() <= end.residual + 1e-12 * scale
        assert end.value == pytest.approx(expected, abs=1e-6 * scale)


def test_a_small_positive_end_is_found_beside_a_large_negative_one(rng):
    matrix = matrix_with([-1000.0, *np.linspace(-1, 0.5, 60), 2.0], rng)
    assert spectrum_end(lambda v: matrix @ v, np.ones(62), "LA").value == pytest.approx(2.0, rel=1e-9)


def test_a_good_start_saves_products(rng):
    matrix = matrix_with(np.linspace(-3, 5, 200) ** 3, rng)
    costs = []
    for start in (rng.standard_normal(200), np.linalg.eigh(matrix)[1][:, -1]):
        product = Counted(lambda v: matrix @ v)
        spectrum_end(product, start, "LA")
        costs.append(product.products)
    assert costs[1] < costs[0]


def test_giving_up_shows_in_the_residual(rng, monkeypatch):
    matrix = matrix_with(np.linspace(0, 1, 300), rng)
    from scipy.sparse.linalg import eigsh

    monkeypatch.setattr("descent.curvature.lanczos.eigsh", lambda *a, **k: eigsh(*a, **k, maxiter=1))
    end = spectrum_end(lambda v: matrix @ v, rng.standard_normal(300), "LA", tolerance=1e-14)
    assert end.residual > 1e-6
    assert np.abs(np.linspace(0, 1, 300) - end.value).min() <= end.residual
