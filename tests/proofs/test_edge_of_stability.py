"""The formulas of report/proofs/edge_of_stability.md, mostly in fractions, with rational eigenvectors."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

RANDOM = given(seed=st.integers(0, 10**6))
FEW = settings(max_examples=10)
EIGENVALUES = np.array([5, 4, 1, 0, -2]).astype(object)


def problem(seed):
    """H with the eigenvalues above, its eigenvectors (columns) and g, all rational."""
    rng = np.random.default_rng(seed)
    v = rng.integers(1, 5, 5).astype(object)
    Q = np.eye(5, dtype=object) - np.array([[Fraction(int(2 * a * b), int(v @ v)) for b in v] for a in v])
    return Q @ np.diag(EIGENVALUES) @ Q.T, Q, Q @ (rng.integers(1, 9, 5).astype(object) * rng.choice([-1, 1], 5))


def descend(H, g, eta, count):
    path = [0 * g]
    for _ in range(count):
        path.append(path[-1] - eta * (g + H @ path[-1]))
    return path


@RANDOM
@FEW
def test_the_iteration_descends_the_model(seed):
    """Central differences are exact for a quadratic function."""
    H, _, g = problem(seed)
    delta = np.random.default_rng(seed + 1).integers(-5, 6, 5).astype(object)

    def model(d):
        return 7 + g @ d + d @ H @ d / Fraction(2)

    slopes = np.array([(model(delta + e) - model(delta - e)) / Fraction(2) for e in np.eye(5, dtype=object)])
    assert np.all(slopes == g + H @ delta)


@RANDOM
@FEW
def test_the_component_along_an_eigenvector(seed):
    H, Q, g = problem(seed)
    for eta in (Fraction(1, 3), Fraction(1, 2)):
        path = descend(H, g, eta, 7)
        for v, value in zip(Q.T, EIGENVALUES):
            for k in range(7):
                closed = (1 - (1 - eta * value) ** k) * (v @ g) / Fraction(value) if value else k * eta * (v @ g)
                assert v @ path[k] == -closed
                assert v @ path[k + 1] == (1 - eta * value) * (v @ path[k]) - eta * (v @ g)


def test_what_the_component_does():
    H, Q, g = problem(1)
    path = descend(H, g, Fraction(1, 2), 30)
    edge, beyond, below, flat, negative = (Q[:, i] for i in (1, 0, 2, 3, 4))
    assert {edge @ delta for delta in path} == {0, -(edge @ g) / Fraction(2)}
    grown = [beyond @ delta for delta in path[20:]]
    assert all(a * b < 0 and abs(b) > abs(a) for a, b in zip(grown, grown[1:]))
    assert float(below @ path[-1] + below @ g) == pytest.approx(0, abs=1e-6)
    for v in (flat, negative):
        components = [v @ delta * -np.sign(v @ g) for delta in path]
        assert components == sorted(components)
        assert components[1] > 0
    alone = descend(H, g - (beyond @ g) * beyond, Fraction(1, 2), 9)
    assert {beyond @ delta for delta in alone} == {0}


@RANDOM
@FEW
def test_a_residual_bounds_the_distance_to_an_eigenvalue(seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((6, 6))
    A = A + A.T
    values, vectors = np.linalg.eigh(A)
    for v in (rng.standard_normal(6), vectors[:, 2] + 1e-3 * rng.standard_normal(6)):
        v = v / np.linalg.norm(v)
        theta = v @ A @ v
        residual = np.sum((A @ v - theta * v) ** 2)
        assert residual == pytest.approx(np.sum((vectors.T @ v) ** 2 * (values - theta) ** 2), rel=1e-6)
        assert np.min((values - theta) ** 2) <= residual * (1 + 1e-9)
        assert values[0] <= theta <= values[-1]
    # Half of two eigenvectors each: both distances are the residual.
    v = (vectors[:, 0] + vectors[:, 1]) / np.sqrt(2)
    theta = v @ A @ v
    assert np.abs(values[:2] - theta) == pytest.approx(np.linalg.norm(A @ v - theta * v), rel=1e-9)
