"""The quadrature against SciPy's integrators, and the closed forms of the kernels against the quadrature."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad, quad
from scipy.special import ndtr

from descent.kernels.arc_cosine import relu_gram
from descent.kernels.neural_tangent_kernel import h_infinity
from descent.kernels.quadrature import gaussian_products, planar_coordinates

TINY = [1e-15, 1e-12, 1e-9, 1e-6, 1e-4, 1e-2, 0.1]
ANGLES = [*TINY, 0.7, np.pi / 2, 2.0, *(np.pi - np.array(TINY))]


def density(g: float) -> float:
    return np.exp(-g * g / 2) / np.sqrt(2 * np.pi)


@pytest.mark.parametrize("angle", [0.3, 1.2, np.pi / 2, 2.5])
def test_both_integrals_are_scipy_s_double_integrals(angle):
    c, s = np.cos(angle), np.sin(angle)
    region = {"a": 0, "b": 9, "gfun": lambda a: max(-9, -a * c / s), "hfun": 9}
    probability = dblquad(lambda b, a: density(a) * density(b), **region, epsabs=1e-12)[0]
    product = dblquad(lambda b, a: a * (c * a + s * b) * density(a) * density(b), **region, epsabs=1e-12)[0]
    found = gaussian_products(np.array([c]), np.array([s]))
    np.testing.assert_allclose(np.ravel(found), [probability, product], rtol=0, atol=1e-11)


@settings(max_examples=40)
@given(st.floats(0.01, 3.13))
def test_both_integrals_are_single_integrals_of_conditional_expectations(angle):
    # Given g_1 = a, the second variable is N(a c, s²): its probability and mean of being positive are known.
    c, s = np.cos(angle), np.sin(angle)
    probability = quad(lambda a: density(a) * ndtr(a * c / s), 0, 10, epsabs=1e-14, epsrel=1e-13, points=[s, 8 * s])[0]
    product = quad(lambda a: a * density(a) * (a * c * ndtr(a * c / s) + s * density(a * c / s)), 0, 10,
                   epsabs=1e-14, epsrel=1e-13, points=[s, 8 * s])[0]
    found = gaussian_products(np.array([c]), np.array([s]))
    np.testing.assert_allclose(np.ravel(found), [probability, product], rtol=0, atol=1e-12)


def pair_at_angle(angle: float, d: int = 9) -> np.ndarray:
    """Two unit vectors of d dimensions at an angle, up to rounding of their entries."""
    rng = np.random.default_rng(d)
    first = rng.standard_normal(d)
    first /= np.linalg.norm(first)
    across = rng.standard_normal(d)
    across -= first * (first @ across)
    across /= np.linalg.norm(across)
    second = np.cos(angle) * first + np.sin(angle) * across
    return np.array([first, second / np.linalg.norm(second)])


@pytest.mark.parametrize("angle", ANGLES)
def test_closed_forms_at_all_angles(angle):
    x = pair_at_angle(angle)
    along, across = planar_coordinates(x[:1], x[1:])
    probability, product = gaussian_products(along, across)
    assert h_infinity(x)[0, 1] == pytest.approx(along[0] * probability[0], rel=0, abs=1e-14)
    assert relu_gram(x.T)[0, 1] == pytest.approx(product[0], rel=0, abs=1e-14)


def test_coordinates_of_nearly_parallel_vectors_keep_their_digits():
    x = np.array([[1.0, 0.0], [np.cos(1e-7), np.sin(1e-7)]])
    along, across = planar_coordinates(x[:1], x[1:])
    assert along[0] == x[1, 0]
    assert across[0] == pytest.approx(1e-7, rel=1e-12)


def test_parallel_vectors_are_refused():
    with pytest.raises(ValueError, match="parallel"):
        gaussian_products(np.array([1.0]), np.array([0.0]))
