"""Spectra and models against dense matrices, on a network small enough to have them."""

import numpy as np
import pytest

from descent.bounds import edge_of_stability as edge
from descent.curvature.spectral_density import spectral_density
from descent.dynamics.tanh_descent import TanhDescent


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    return rng.standard_normal((30, 4)), rng.standard_normal((30, 2))


@pytest.fixture
def descent(problem):
    rng = np.random.default_rng(1)
    return TanhDescent(rng.standard_normal((8, 4)), rng.standard_normal((8, 2)), *problem, 0.3)


def dense(descent, problem):
    hessian = edge.MeanHessian(descent.hidden, descent.outputs, *problem)
    return hessian, np.array([hessian(unit) for unit in np.eye(hessian.size)])


def test_recorded_ends_of_the_spectrum_are_the_dense_ones(descent, problem):
    again = TanhDescent(descent.hidden, descent.outputs, *problem, 0.3)
    rows = edge.spectrum_rows(descent, *problem, 5, 6, 1e-8, np.random.default_rng(2))
    for row in rows:
        eigenvalues = np.linalg.eigvalsh(dense(again, problem)[1])
        assert [row["least"], row["greatest"]] == pytest.approx([eigenvalues[0], eigenvalues[-1]], abs=1e-9)
        assert max(row["least_residual"], row["greatest_residual"]) < 1e-6
        for _ in range(5):
            again.step()


def test_the_model_s_path_is_the_dense_one_in_closed_form(descent, problem):
    hessian, matrix = dense(descent, problem)
    values, vectors = np.linalg.eigh(matrix)
    path = edge.model_path(hessian, hessian.gradient, 0.3, 40)
    for value, vector in zip(values, vectors.T):
        expected = edge.model_component(vector @ hessian.gradient, value, 0.3, 40)
        np.testing.assert_allclose(path @ vector, expected, rtol=1e-6, atol=1e-7 * np.abs(path).max())


def test_the_density_has_the_dense_spectrum_s_distribution(descent, problem):
    hessian, matrix = dense(descent, problem)
    nodes, weights = spectral_density(hessian, hessian.size, 40, 400, np.random.default_rng(3))
    eigenvalues = np.linalg.eigvalsh(matrix)
    for cut in (eigenvalues[1:] + eigenvalues[:-1])[::5] / 2:
        assert weights[nodes < cut].sum() == pytest.approx(np.mean(eigenvalues < cut), abs=0.05)
