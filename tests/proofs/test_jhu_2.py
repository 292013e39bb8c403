"""The formulas of report/proofs/jhu.2-arc_cosine.md against integrals that do not use them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

RANDOM = given(seed=st.integers(0, 10**6))
FEW = settings(max_examples=10)
ANGLES = [0.0, 0.3, np.pi / 2, 2.0, 3.1, np.pi]


def kernel(A, B):
    """K(A, B) by the theorem's formula, columns of A by columns of B; zero columns give zero."""
    a, b = np.linalg.norm(A, axis=0)[:, None], np.linalg.norm(B, axis=0)
    angle = np.arccos(np.clip(A.T @ B / np.where(a * b == 0, 1, a * b), -1, 1))
    return a * b * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)


def gaussian_expectation(v, w):
    """E ψ(xᵀv)ψ(xᵀw): given x along v, xᵀw is normal, and the mean of its positive part is known."""
    along = v @ w / np.linalg.norm(v)
    rest = np.sqrt(max(w @ w - along**2, 0))

    def integrand(g):
        mean = along * g
        inner = rest * norm.pdf(mean / rest) + mean * norm.cdf(mean / rest) if rest > 1e-12 else max(mean, 0)
        return norm.pdf(g) * np.linalg.norm(v) * g * inner

    return quad(integrand, 0, 12, epsabs=1e-12, epsrel=1e-11)[0]


@RANDOM
@FEW
def test_the_kernel_is_the_gaussian_expectation(seed):
    v, w = np.random.default_rng(seed).standard_normal((2, 4))
    assert kernel(v[:, None], w[:, None]).item() == pytest.approx(gaussian_expectation(v, w), rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("angle", ANGLES)
def test_the_kernel_at_the_ends(angle):
    v, w = np.array([2.0, 0.0]), 3 * np.array([np.cos(angle), np.sin(angle)])
    expected = 0 if angle == np.pi else gaussian_expectation(v, w)
    assert kernel(v[:, None], w[:, None]).item() == pytest.approx(expected, abs=1e-9)
    assert kernel(np.array([[2.0]]), np.array([[-3.0]])).item() == pytest.approx(0, abs=1e-15)
    assert kernel(v[:, None], v[:, None]).item() == pytest.approx(2)
    assert kernel(v[:, None], 0 * w[:, None]).item() == 0


@pytest.mark.parametrize("angle", ANGLES)
def test_the_steps_of_the_integral(angle):
    phi = np.linspace(-np.pi, np.pi, 2001)[:-1] + 1e-4
    v, w = np.array([1.0, 0.0]), np.array([np.cos(angle), np.sin(angle)])
    x = np.stack([np.cos(phi), np.sin(phi)], 1)
    np.testing.assert_allclose(x @ w, np.cos(phi - angle), atol=1e-14)
    inside = (phi > angle - np.pi / 2) & (phi < np.pi / 2)
    assert np.all(inside == ((x @ v > 0) & (x @ w > 0)))
    radial = quad(lambda rho: rho**3 * np.exp(-(rho**2) / 2), 0, 12)[0]
    assert radial == pytest.approx(2, rel=1e-10)
    angular = quad(lambda t: np.cos(t) * np.cos(t - angle), angle - np.pi / 2, np.pi / 2)[0]
    assert angular == pytest.approx((np.pi - angle) * np.cos(angle) / 2 + np.sin(angle) / 2, abs=1e-12)
    middle = (np.pi - angle) * np.cos(angle) / 2 + (np.sin(np.pi - angle) - np.sin(angle - np.pi)) / 4
    assert angular == pytest.approx(middle, abs=1e-12)
    assert radial * angular / (2 * np.pi) == pytest.approx(kernel(v[:, None], w[:, None]).item(), abs=1e-9)


def drawn(seed):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) for shape in ((3, 4), (2, 4), (3, 5), (2, 5)))


@RANDOM
@FEW
def test_the_population_risk(seed):
    """In the plane: what is homogeneous of degree 2 has as mean E‖x‖² = 2 times the mean over the circle."""
    U0, V0, U, V = drawn(seed)
    phi = np.arange(20000) * 2 * np.pi / 20000
    x = np.stack([np.cos(phi), np.sin(phi)], 1)
    y, z = np.maximum(x @ V0, 0) @ U0.T, np.maximum(x @ V, 0) @ U.T
    risk = (np.trace(U0 @ kernel(V0, V0) @ U0.T) / 2 - np.trace(U @ kernel(V, V0) @ U0.T)
            + np.trace(U @ kernel(V, V) @ U.T) / 2)
    assert risk == pytest.approx(2 * np.mean(np.sum((y - z) ** 2, 1)) / 2, rel=1e-6)
    assert np.trace(U0 @ kernel(V0, V0) @ U0.T) == pytest.approx(2 * np.mean(np.sum(y**2, 1)), rel=1e-6)


@RANDOM
@FEW
def test_the_traces(seed):
    U0, V0, U, V = drawn(seed)
    x = np.random.default_rng(seed + 1).standard_normal(2)
    y, z = U0 @ np.maximum(V0.T @ x, 0), U @ np.maximum(V.T @ x, 0)
    product_of_units = np.outer(np.maximum(V.T @ x, 0), np.maximum(V0.T @ x, 0))
    assert z @ y == pytest.approx(np.trace(U @ product_of_units @ U0.T), rel=1e-10, abs=1e-12)
    expanded = np.trace(np.outer(y, y)) / 2 - np.trace(np.outer(z, y)) + np.trace(np.outer(z, z)) / 2
    assert np.sum((y - z) ** 2) / 2 == pytest.approx(expanded, rel=1e-10)


def test_the_mean_over_the_weights():
    """Entries of U₀ and V₀ take few values with the right mean and variance; all matrices are averaged over."""
    outputs, units = 3, 2
    U0 = np.array(list(product((-1, 1), repeat=outputs * units))).reshape(-1, outputs, units) / np.sqrt(units)
    values = np.array([-1, 0, 0, 1]) * np.sqrt(2)
    V0 = np.array(list(product(values, repeat=2 * units))).reshape(-1, 2, units) / np.sqrt(2)
    means = [np.mean(np.einsum("mar,rs,mas->m", U0, kernel(V, V), U0)) for V in V0]
    assert np.mean(means) == pytest.approx(outputs / 2, rel=1e-12)
