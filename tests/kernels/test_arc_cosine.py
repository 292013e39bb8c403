"""The arc-cosine kernel against quadrature, identities and Monte Carlo."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from descent.kernels.arc_cosine import PlantedRisk, expected_square, relu_gram

angles = st.floats(0.0, np.pi)
lengths = st.floats(1e-3, 1e3)


def by_quadrature(first: float, second: float, angle: float) -> float:
    """E[relu(v.x) relu(w.x)] in the plane of v and w: E rho^2 = 2 times the mean over the direction of x."""
    mean, _ = quad(lambda phi: max(np.cos(phi), 0) * max(np.cos(phi - angle), 0), -np.pi, np.pi,
                   points=[-np.pi / 2, np.pi / 2, angle - np.pi / 2], limit=200)
    return first * second * mean / np.pi


@given(lengths, lengths, angles)
def test_gram_is_the_planar_integral(first, second, angle):
    vectors = np.array([[first], [0.0]])
    others = second * np.array([[np.cos(angle)], [np.sin(angle)]])
    expected = by_quadrature(first, second, angle)
    assert relu_gram(vectors, others)[0, 0] == pytest.approx(expected, rel=1e-6, abs=1e-9 * first * second)


def test_gram_is_half_of_cho_and_saul(rng):
    vectors = rng.standard_normal((5, 4))
    norms = np.linalg.norm(vectors, axis=0)
    angle = np.arccos(np.clip(vectors.T @ vectors / np.outer(norms, norms), -1, 1))
    degree_one = np.outer(norms, norms) * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
    np.testing.assert_allclose(relu_gram(vectors), degree_one / 2, rtol=1e-12)


def test_diagonal_is_exact_and_gram_is_positive_semidefinite(rng):
    vectors = rng.standard_normal((20, 30)) * 10.0 ** rng.uniform(-6, 6, 30)
    gram = relu_gram(vectors)
    assert np.array_equal(np.diag(gram), np.sum(vectors**2, axis=0) / 2)
    np.testing.assert_array_equal(gram, gram.T)
    unit = relu_gram(vectors / np.linalg.norm(vectors, axis=0))
    assert np.linalg.eigvalsh(unit)[0] > -1e-14


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10))
def test_parallel_opposite_and_zero_vectors(seed, length):
    vector = np.random.default_rng(seed).standard_normal((150, 1))
    square = float(np.sum(vector**2))
    assert relu_gram(vector, length * vector)[0, 0] == pytest.approx(length * square / 2, rel=1e-12)
    assert abs(relu_gram(vector, -length * vector)[0, 0]) <= 1e-12 * length * square
    assert relu_gram(vector, 0 * vector)[0, 0] == 0


def test_risk_is_the_full_quadratic_form(rng):
    output, hidden = rng.standard_normal((3, 7)), rng.standard_normal((12, 7))
    for width in (1, 63, 64, 150):
        student = rng.standard_normal((3, width)), rng.standard_normal((12, width))
        joint = np.concatenate([student[0], -output], axis=1)
        full = expected_square(joint, relu_gram(np.concatenate([student[1], hidden], axis=1))) / 2
        assert PlantedRisk(output, hidden)(*student) == pytest.approx(full, rel=1e-12)


def test_risk_against_samples(rng):
    output, hidden = rng.standard_normal((3, 6)), rng.standard_normal((8, 6))
    student = rng.standard_normal((3, 11)), rng.standard_normal((8, 11))
    x = rng.standard_normal((8, 400_000))
    residuals = student[0] @ np.maximum(student[1].T @ x, 0) - output @ np.maximum(hidden.T @ x, 0)
    samples = 0.5 * np.sum(residuals**2, axis=0)
    error = samples.std() / np.sqrt(len(samples))
    assert abs(samples.mean() - PlantedRisk(output, hidden)(*student)) < 5 * error


def test_risk_vanishes_at_the_teacher_and_its_symmetries(rng):
    output, hidden = rng.standard_normal((3, 6)), rng.standard_normal((8, 6))
    risk, order, scale = PlantedRisk(output, hidden), rng.permutation(6), rng.uniform(0.1, 10, 6)
    assert abs(risk(output, hidden)) < 1e-13 * risk.teacher_square
    assert abs(risk(output[:, order] / scale, hidden[:, order] * scale)) < 1e-13 * risk.teacher_square
    silent = np.zeros((3, 2)), rng.standard_normal((8, 2))
    assert risk(*silent) == pytest.approx(risk.teacher_square / 2, rel=1e-14)


def test_risk_of_a_diverged_student_is_not_a_number(rng):
    output, hidden = rng.standard_normal((3, 6)), rng.standard_normal((8, 6))
    assert np.isnan(PlantedRisk(output, hidden)(np.full((3, 2), np.inf), np.ones((8, 2))))
