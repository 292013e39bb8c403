"""Relaxation from several starts: its columns, its reference, and its own slowest mode."""

import numpy as np
import pytest
from scipy.linalg import expm

from descent.dynamics.relaxation import integrated_flow, relaxation


def problem(n: int = 12, starts: int = 2):
    rng = np.random.default_rng(n)
    factor = rng.standard_normal((n, n))
    return factor @ factor.T / n + 0.05 * np.eye(n), rng.standard_normal(n), rng.standard_normal((n, starts))


def test_the_integrator_is_the_matrix_exponential():
    gram, _, residuals = problem()
    times = np.array([0.1, 1.0, 7.0])
    expected = [expm(-t * gram) @ residuals for t in times]
    np.testing.assert_allclose(integrated_flow(gram, residuals, times, 1e-11), expected, rtol=0, atol=1e-9)


def test_columns_of_every_start():
    gram, y, starts = problem()
    eigenvalues = np.linalg.eigvalsh(gram)
    steps = np.array([1, 10, 100, int(30 * eigenvalues[-1] / eigenvalues[0])])
    rows = relaxation(gram, y, starts, steps, 0.1, 1e-10)
    times, rate = steps * 0.1 / eigenvalues[-1], eigenvalues[0]
    assert rows["start"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    np.testing.assert_allclose(rows["flow_time"], np.tile(times, 3))
    np.testing.assert_allclose(rows["rate"], rate)
    norms = rows["norm"].reshape(3, 4)
    for start, found in zip(starts.T, norms):
        expected = [np.linalg.norm(expm(-t * gram) @ (start - y)) / np.linalg.norm(start - y) for t in times]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(norms[2], np.exp(-rate * times), rtol=1e-10)
    known = np.tile(times <= 1 / rate, 3)
    for name in ("integrated", "deviation", "descent_deviation"):
        np.testing.assert_array_equal(np.isfinite(rows[name]), known)
    np.testing.assert_allclose(rows["integrated"][known], rows["norm"][known], atol=1e-8)
    assert rows["deviation"][known].max() < 1e-8
    powers = np.linalg.matrix_power(np.eye(12) - 0.1 / eigenvalues[-1] * gram, 10)
    for start, found in zip((starts - y[:, None]).T, rows["descent_deviation"].reshape(3, 4)):
        expected = np.linalg.norm((powers - expm(-times[1] * gram)) @ start) / np.linalg.norm(start)
        assert found[1] == pytest.approx(expected, abs=1e-8)
