"""The formulas of report/proofs/du.7.md on random symmetric matrices and random samples."""

import numpy as np
import pytest

ROUNDING = 1e-12  # times the norm of the matrix


def submatrix(seed):
    rng = np.random.default_rng(seed)
    q = int(rng.integers(2, 9))
    p = int(rng.integers(1, q + 1))
    a = rng.standard_normal((q, q))
    chosen = np.sort(rng.choice(q, p, replace=False))
    a = a + a.T
    return a, chosen, a[np.ix_(chosen, chosen)]


@pytest.mark.parametrize("seed", range(12))
def test_interlacing(seed):
    a, chosen, part = submatrix(seed)
    mu, values, tolerance = np.linalg.eigvalsh(a), np.linalg.eigvalsh(part), ROUNDING * np.linalg.norm(a)
    p, q = len(chosen), len(a)
    assert (mu[:p] <= values + tolerance).all()
    assert (values <= mu[q - p:] + tolerance).all()


def test_interlacing_is_attained():
    a, part = np.diag([1.0, 2.0, 3.0, 4.0]), np.diag([1.0, 2.0])
    assert np.linalg.eigvalsh(a)[:2] == pytest.approx(np.linalg.eigvalsh(part))
    assert np.linalg.eigvalsh(a)[2:] == pytest.approx(np.linalg.eigvalsh(np.diag([3.0, 4.0])))


@pytest.mark.parametrize("seed", range(6))
def test_vector_in_both_spaces(seed):
    a, chosen, part = submatrix(seed)
    mu, v = np.linalg.eigh(a)
    values, w = np.linalg.eigh(part)
    e, tolerance = np.eye(len(a))[:, chosen], ROUNDING * np.linalg.norm(a)
    for i in range(len(chosen)):
        spans = np.hstack([e @ w[:, :i + 1], -v[:, i:]])
        coefficients = np.linalg.svd(spans)[2][-1]  # the spaces meet: more columns than rows
        assert spans @ coefficients == pytest.approx(0, abs=tolerance)
        b, c = np.split(coefficients, [i + 1])
        b, c = b / np.linalg.norm(b), c / np.linalg.norm(c)
        z = v[:, i:] @ c
        assert e @ (w[:, :i + 1] @ b) == pytest.approx(z, abs=tolerance)
        form = z @ a @ z
        assert form == pytest.approx(mu[i:] @ c**2, abs=tolerance)
        assert form == pytest.approx(values[:i + 1] @ b**2, abs=tolerance)
        assert mu[i] - tolerance <= form <= values[i] + tolerance


@pytest.mark.parametrize("seed", range(3))
def test_nested_stages(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((12, 5))
    x /= np.linalg.norm(x, axis=1)[:, None]
    cosines = np.clip(x @ x.T, -1, 1)
    np.fill_diagonal(cosines, 1)
    h = cosines * (np.pi - np.arccos(cosines)) / (2 * np.pi)
    ends = [np.linalg.eigvalsh(h[:size, :size])[[0, -1]] for size in (1, 3, 4, 8, 12)]
    least, greatest = np.array(ends).T
    assert (np.diff(least) <= ROUNDING).all()
    assert (np.diff(greatest) >= -ROUNDING).all()
    assert (least <= greatest).all()
    assert least[-1] > 0
