"""The checks of kernel entries: what they accept, what they notice, and that their intervals cover."""

import numpy as np
import pytest

from descent.bounds import kernel_expectation_checks as checks
from descent.bounds.convergence_checks import joint_counts
from descent.kernels.arc_cosine import relu_gram
from descent.kernels.neural_tangent_kernel import h_infinity

X = np.random.default_rng(3).standard_normal((14, 6))
X /= np.linalg.norm(X, axis=1, keepdims=True)


def test_pairs_include_the_extremes_of_the_angle():
    cosines = X @ X.T
    upper = cosines[np.triu_indices(14, 1)]
    found = cosines[checks.pairs_by_angle(X, 5)]
    assert len(found) == 5
    assert found[0] == pytest.approx(upper.min())
    assert found[-1] == pytest.approx(upper.max())
    assert np.all(np.diff(found) > 0)
    assert len(checks.pairs_by_angle(X, 10**6)[0]) == 14 * 13 // 2


def test_planar_vectors_have_the_angles_asked_for():
    angles = np.array([1e-12, 1.0, np.pi - 1e-9])
    planar = checks.pairs_at_angles(angles)
    np.testing.assert_allclose(np.arctan2(planar[1:, 1], planar[1:, 0]), angles, rtol=1e-15)
    assert planar[0].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("gram", "products"), [(h_infinity(X), False), (relu_gram(X.T), True)])
def test_quadrature_notices_a_wrong_digit(gram, products):
    arguments = {"inputs": [X, X], "pairs": [checks.pairs_by_angle(X, 9)] * 2, "products": products}
    assert checks.agrees_with_quadrature(**arguments, grams=[gram, gram]).holds
    assert not checks.agrees_with_quadrature(**arguments, grams=[gram, gram + 2e-12]).holds
    assert not checks.agrees_with_quadrature(**{**arguments, "products": not products}, grams=[gram, gram]).holds


def test_moments_are_those_of_the_literal_sums():
    moments = checks.product_moments(X, np.random.default_rng(5), 70, block=30)
    weights = np.random.default_rng(5).standard_normal((70, 6))
    weights *= np.sqrt(6) / np.linalg.norm(weights, axis=1, keepdims=True)
    z = np.maximum(weights @ X.T, 0)[:, :, None] * np.maximum(weights @ X.T, 0)[:, None, :]
    np.testing.assert_allclose(moments.first, z.sum(axis=0), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(moments.second, (z**2).sum(axis=0), rtol=1e-5, atol=1e-5)
    assert np.all(z <= 6 * (1 + X @ X.T) / 2 + 1e-9)


@pytest.mark.parametrize(("factor", "holds"), [(1.0, True), (1.1, False), (0.9, False)])
def test_products_are_held_to_their_interval(factor, holds):
    moments = checks.product_moments(X, np.random.default_rng(1), 60_000)
    outcome = checks.products_agree([X, X], [moments] * 2, [relu_gram(X.T), factor * relu_gram(X.T)], 1e-3)
    assert outcome.holds == holds
    assert outcome.cases == 2 * 14 * 15 // 2


def test_the_interval_for_products_covers_more_often_than_it_promises():
    draws = np.random.default_rng(2)
    runs = [checks.products_agree([X], [checks.product_moments(X, draws, 2000)], [relu_gram(X.T)], 0.1)
            for _ in range(100)]
    assert sum(run.holds for run in runs) >= 90


@pytest.mark.parametrize(("factor", "holds"), [(1.0, True), (1.05, False)])
def test_patterns_of_several_data_sets(factor, holds):
    sample = {"inputs": X, "counts": joint_counts(X, np.random.default_rng(4), 60_000), "draws": 60_000}
    outcome = checks.patterns_agree([sample, sample], [h_infinity(X), factor * h_infinity(X)], 1e-3)
    assert outcome.holds == holds
