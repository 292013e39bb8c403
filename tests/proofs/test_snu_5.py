"""The formulas of report/proofs/snu.5.md on dense matrices that are built from their definition."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

RANDOM = given(seed=st.integers(0, 10**6))
FEW = settings(max_examples=10)


def dense(k, n):
    """The printed matrix: k at the places i, …, i + r − 1 of row i."""
    matrix = np.zeros((n - len(k) + 1, n), dtype=np.asarray(k).dtype)
    for i in range(len(matrix)):
        matrix[i, i:i + len(k)] = k
    return matrix


def symbol(k, omega):
    return np.exp(-1j * np.multiply.outer(omega, np.arange(len(k)))) @ k


def drawn(seed):
    rng = np.random.default_rng(seed)
    r = int(rng.integers(1, 5))
    return rng, rng.standard_normal(r), int(rng.integers(r, 12))


@RANDOM
@FEW
def test_the_operator_is_the_printed_matrix(seed):
    rng, k, n = drawn(seed)
    x = rng.standard_normal(n)
    sums = [sum(k[j] * x[i + j] for j in range(len(k))) for i in range(n - len(k) + 1)]
    np.testing.assert_allclose(dense(k, n) @ x, sums, atol=1e-13)
    assert symbol(k, 0.7) == pytest.approx(sum(k[j] * np.exp(-0.7j * j) for j in range(len(k))))


@RANDOM
@FEW
def test_the_transpose(seed):
    rng, k, n = drawn(seed)
    k = rng.integers(-9, 10, len(k))
    m = n - len(k) + 1
    x, y = rng.integers(-9, 10, n), rng.integers(-9, 10, m)
    at = [sum(int(k[j] * y[i - j]) for j in range(len(k)) if 0 <= i - j < m) for i in range(n)]
    assert list(dense(k, n).T @ y) == at
    assert int(y @ dense(k, n) @ x) == sum(int(a * b) for a, b in zip(x, at))


@RANDOM
@FEW
def test_rounding_of_the_product(seed):
    """Single precision, summed in a random order, against exact fractions; γ is attained up to its last factor."""
    rng = np.random.default_rng(seed)
    r, u = 6, Fraction(1, 2**24)
    k, x = (rng.standard_normal(r).astype(np.float32) for _ in range(2))
    terms = list((k * x)[rng.permutation(r)])
    while len(terms) > 1:
        terms.append(np.float32(terms.pop(0) + terms.pop(rng.integers(len(terms)))))
    exact = [Fraction(float(a)) * Fraction(float(b)) for a, b in zip(k, x)]
    assert abs(Fraction(float(terms[0])) - sum(exact)) <= r * u / (1 - r * u) * sum(map(abs, exact))


@pytest.mark.parametrize("u", [Fraction(1, 2**24), Fraction(1, 100), Fraction(1, 13)])
@pytest.mark.parametrize("r", [1, 2, 5, 12])
def test_the_rounding_constant(r, u):
    gamma = [s * u / (1 - s * u) for s in range(r + 1)]
    assert max((1 + u) ** r - 1, 1 - (1 - u) ** r) == (1 + u) ** r - 1 <= gamma[r]
    assert (1 - u) ** r >= 1 - r * u
    assert all((1 + u) * (1 + now) <= 1 + after for now, after in zip(gamma, gamma[1:]))
    assert gamma[r] <= r * u * (1 + 13 * r * u) or r * u > Fraction(1, 4)


@RANDOM
@FEW
def test_singular_values_lie_within_the_symbol(seed):
    _, k, n = drawn(seed)
    values = np.linalg.svd(dense(k, n), compute_uv=False)
    sizes = np.abs(symbol(k, 2 * np.pi * np.arange(n) / n))
    assert sizes.min() - 1e-12 <= values.min()
    assert values.max() <= sizes.max() + 1e-12


@RANDOM
@FEW
def test_the_circulant_is_diagonal(seed):
    _, k, n = drawn(seed)
    circulant = np.zeros((n, n))
    for i in range(n):
        for j in range(len(k)):
            circulant[i, (i + j) % n] += k[j]
    m = n - len(k) + 1
    np.testing.assert_array_equal(circulant[:m], dense(k, n))
    for number in range(n):
        wave = np.exp(2j * np.pi * number * np.arange(n) / n)
        np.testing.assert_allclose(circulant @ wave, symbol(k, -2 * np.pi * number / n) * wave, atol=1e-12)


@pytest.mark.parametrize("k", [[1.0, -2.0, 0.5], [1.0, 1.0], [0.3, 0.0, -1.0, 0.2]])
def test_the_norm_approaches_the_symbol(k):
    """n² times the difference tends to a positive number, below π² max|g″|/(4 max|k̂|) for n → ∞."""
    omega = np.linspace(-np.pi, np.pi, 200001)
    top = np.abs(symbol(np.array(k), omega)).max()
    gaps = {n: top - np.linalg.norm(dense(k, n), 2) for n in (10, 20, 40, 80, 160)}
    assert all(gap >= -1e-9 for gap in gaps.values())
    scaled = [n * n * gap for n, gap in gaps.items()]
    square = np.abs(symbol(np.array(k), omega)) ** 2
    bend = np.abs(np.diff(square, 2)).max() / (omega[1] - omega[0]) ** 2
    assert 0 < scaled[-1] <= np.pi**2 / 4 * bend / top * (1 + 4 / 160)
    assert scaled[-1] == pytest.approx(scaled[-2], rel=0.02)
    for n, gap in gaps.items():
        norm = np.linalg.norm(dense(k, n), 2)
        assert gap == pytest.approx((top**2 - norm**2) / (top + norm), abs=1e-12)


@RANDOM
@FEW
def test_the_energy_of_a_windowed_wave(seed):
    rng, k, n = drawn(seed)
    omega, r, a = rng.uniform(-3, 3), len(k), np.pi / (n + 1)
    window = np.sin(a * np.arange(1, n + 1))
    x = np.concatenate([np.zeros(r), window * np.exp(1j * omega * np.arange(n)), np.zeros(r)])
    w = np.array([k @ x[i:i + r] for i in range(n + r)])
    t = {d: sum(k[j] * k[j + abs(d)] for j in range(r - abs(d))) for d in range(1 - r, r)}
    sums = {d: sum(window[j] * window[j + abs(d)] for j in range(n - abs(d))) for d in t}
    energy = sum(t[d] * np.exp(1j * omega * d) * sums[d] for d in t)
    assert np.sum(np.abs(w) ** 2) == pytest.approx(energy.real, rel=1e-10)
    assert abs(symbol(k, omega)) ** 2 == pytest.approx(sum(t[d] * np.exp(1j * omega * d) for d in t).real, abs=1e-10)
    assert np.sum(window**2) == pytest.approx((n + 1) / 2)
    product = np.linalg.norm(dense(k, n) @ (window * np.exp(1j * omega * np.arange(n)))) ** 2
    edges = 2 * r * (a * r * np.sum(np.abs(k))) ** 2
    assert np.sum(np.abs(w) ** 2) - edges <= product <= np.sum(np.abs(w) ** 2) * (1 + 1e-12)
    mean = sum(t[d] * np.exp(1j * omega * d) * np.cos(a * d) for d in t).real
    g = [abs(symbol(k, omega + shift)) ** 2 for shift in (a, -a, 0)]
    assert mean == pytest.approx((g[0] + g[1]) / 2, abs=1e-10)
    bend, slope = sum(abs(t[d]) * d * d for d in t), sum(-d * t[d] * np.sin(omega * d) for d in t)
    assert abs(g[0] - g[2] - a * slope) <= a * a / 2 * bend + 1e-10
    assert mean >= g[2] - a * a / 2 * bend - 1e-10


@pytest.mark.parametrize(("n", "d"), [(1, 0), (5, 0), (5, 2), (5, 4), (40, 3)])
def test_the_sums_of_sines(n, d):
    a, j = np.pi / (n + 1), np.arange(1, n - d + 1)
    found = np.sum(np.sin(a * j) * np.sin(a * (j + d)))
    cosines = np.sum(np.cos(a * (2 * j + d)))
    assert found == pytest.approx(((n - d) * np.cos(a * d) - cosines) / 2, abs=1e-12)
    assert cosines == pytest.approx(-np.sin(a * (d + 1)) / np.sin(a), abs=1e-12)
    bracket = np.sin(a * d) / np.tan(a) - d * np.cos(a * d)
    assert found == pytest.approx((n + 1) * np.cos(a * d) / 2 + bracket / 2, abs=1e-12)
    assert abs(bracket) <= d * (d * d + 2) / 2 * a * a


def huber(u):
    return np.where(np.abs(u) <= 1, u**2 / 2, np.abs(u) - 0.5)


def clipped(u):
    return np.minimum(np.maximum(u, -1), 1)


def test_the_huber_function():
    u = np.linspace(-3, 3, 601)
    np.testing.assert_allclose(clipped(u) * u - clipped(u) ** 2 / 2, huber(u), atol=1e-15)
    for point in (-2.0, -1.0, -0.3, 0.9, 1.0, 1.7):
        slopes = [(huber(point + h) - huber(point)) / h for h in (1e-6, -1e-6)]
        np.testing.assert_allclose(slopes, clipped(point), atol=1e-6)


class Problem:
    """A dense A of shape (4, 7), b of several units, λ, and the minimizer by Newton's method on the pieces."""

    def __init__(self, seed, ridge=0.2):
        rng = np.random.default_rng(seed)
        self.A, self.b, self.ridge = rng.standard_normal((4, 7)), 2 * rng.standard_normal(4), ridge
        self.norm = np.linalg.norm(self.A, 2)
        self.L = self.norm**2 + ridge
        x = minimize(self.loss, np.zeros(7), jac=self.gradient, options={"gtol": 1e-9}).x
        for _ in range(5):
            inside = np.abs(self.A @ x - self.b) <= 1
            hessian = self.A[inside].T @ self.A[inside] + ridge * np.eye(7)
            x = x - np.linalg.solve(hessian, self.gradient(x))
        self.minimizer, self.hessian, self.rng = x, hessian, rng

    def loss(self, x):
        return np.sum(huber(self.A @ x - self.b)) + self.ridge / 2 * x @ x

    def gradient(self, x):
        return self.A.T @ clipped(self.A @ x - self.b) + self.ridge * x

    def descend(self, x, alpha, count):
        path = [x]
        for _ in range(count):
            path.append(path[-1] - alpha * self.gradient(path[-1]))
        return path


@RANDOM
@FEW
def test_the_gradient(seed):
    problem = Problem(seed)
    x, v = problem.rng.standard_normal((2, 7))
    slope = (problem.loss(x + 1e-6 * v) - problem.loss(x - 1e-6 * v)) / 2e-6
    assert slope == pytest.approx(problem.gradient(x) @ v, rel=1e-6, abs=1e-6)
    assert np.abs(problem.gradient(problem.minimizer)).max() < 1e-11


@RANDOM
@FEW
def test_one_matrix_between_two_gradients(seed):
    problem = Problem(seed)
    x, z = 2 * problem.rng.standard_normal((2, 7))
    u, v = problem.A @ x - problem.b, problem.A @ z - problem.b
    d = (clipped(u) - clipped(v)) / (u - v)
    assert np.all((d >= 0) & (d <= 1 + 1e-12))
    M = problem.A.T @ np.diag(d) @ problem.A + problem.ridge * np.eye(7)
    np.testing.assert_allclose(problem.gradient(x) - problem.gradient(z), M @ (x - z), atol=1e-11)
    eigenvalues = np.linalg.eigvalsh(M)
    assert problem.ridge * (1 - 1e-9) <= eigenvalues[0] <= eigenvalues[-1] <= problem.L * (1 + 1e-9)
    assert np.linalg.norm(x - problem.minimizer) <= np.linalg.norm(problem.gradient(x)) / problem.ridge


@RANDOM
@FEW
def test_contraction_below_the_limit(seed):
    problem = Problem(seed)
    lam, L = problem.ridge, problem.L
    for alpha in (0.3 / L, 2 / (L + lam), 1.9 / L, 2 / L):
        q = max(abs(1 - alpha * lam), abs(1 - alpha * L))
        assert q < 1 or alpha == 2 / L
        path = problem.descend(3 * problem.rng.standard_normal(7), alpha, 12)
        errors = [np.linalg.norm(x - problem.minimizer) for x in path]
        slopes = [np.linalg.norm(problem.gradient(x)) for x in path]
        for k in range(12):
            assert errors[k + 1] <= q * errors[k] * (1 + 1e-9)
            assert slopes[k + 1] <= q * slopes[k] * (1 + 1e-9)
            gap = problem.loss(path[k]) - problem.loss(problem.minimizer)
            assert gap <= L / 2 * q ** (2 * k) * errors[0] ** 2 + 1e-11
    rates = [max(abs(1 - a * lam), abs(1 - a * L)) for a in np.linspace(0.1, 2, 400) / L]
    kappa = L / lam
    assert min(rates) >= (kappa - 1) / (kappa + 1) - 1e-12
    assert max(abs(1 - 2 * lam / (L + lam)), abs(1 - 2 * L / (L + lam))) == pytest.approx((kappa - 1) / (kappa + 1))


@pytest.mark.parametrize("ratio", [1.99, 2.1])
def test_rate_and_gap_are_attained_along_the_steepest_direction(ratio):
    """Without residuals in the tails, along the top singular vector e_k = (1 − αL)^k e_0 and the gap is L‖e_k‖²/2."""
    problem = Problem(1)
    problem.b = problem.b * 0
    v, alpha = np.linalg.svd(problem.A)[2][0] * 0.01, ratio / problem.L
    q = max(abs(1 - alpha * problem.ridge), abs(1 - alpha * problem.L))
    for k, x in enumerate(problem.descend(v, alpha, 8)):
        assert np.linalg.norm(x) == pytest.approx(q**k * np.linalg.norm(v), rel=1e-10)
        assert problem.loss(x) == pytest.approx(problem.L / 2 * q ** (2 * k) * v @ v, rel=1e-10)
    assert (q < 1) == (ratio < 2)


@RANDOM
@FEW
def test_the_rate_is_attained_in_the_null_space(seed):
    problem = Problem(seed)
    v = np.linalg.svd(problem.A)[2][-1]
    for alpha in (0.5, 2 / problem.ridge, 2.2 / problem.ridge):
        path = problem.descend(problem.minimizer + v, alpha, 3)
        for k, x in enumerate(path[:2] if alpha > 1 else path):
            np.testing.assert_allclose(x - problem.minimizer, (1 - alpha * problem.ridge) ** k * v, atol=1e-8)


@RANDOM
@FEW
def test_iterates_stay_bounded(seed):
    problem = Problem(seed)
    for ratio in (0.5, 1.0, 1.5, 1.99):
        alpha = ratio / problem.ridge
        bound = alpha * problem.norm * 2 / (1 - abs(1 - ratio))
        assert max(np.linalg.norm(x) for x in problem.descend(np.zeros(7), alpha, 60)) <= bound
    # Four rows, each far from its minimizer, where the slope of every entry is 1: the bound is the fixed point.
    problem.A, problem.b = np.eye(4), np.full(4, 1e9)
    end = np.linalg.norm(problem.descend(np.zeros(4), 0.5 / problem.ridge, 80)[-1])
    assert end == pytest.approx(0.5 / problem.ridge * np.sqrt(4) / (1 - abs(1 - 0.5)))


@RANDOM
@FEW
def test_divergence_beyond_the_ridge(seed):
    problem = Problem(seed)
    for ratio in (2.0, 2.5):
        path = problem.descend(problem.minimizer + 1e-3 * problem.rng.standard_normal(7), ratio / problem.ridge, 12)
        errors = [np.linalg.norm(x - problem.minimizer) for x in path]
        assert all(after >= (ratio - 1) * now * (1 - 1e-6) for now, after in zip(errors, errors[1:]))


@RANDOM
@FEW
def test_near_the_minimizer_descent_is_linear(seed):
    problem = Problem(seed)
    margin = np.abs(np.abs(problem.A @ problem.minimizer - problem.b) - 1).min()
    error = problem.rng.standard_normal(7)
    error *= 0.5 * margin / (problem.norm * np.linalg.norm(error))
    x = problem.minimizer + error
    for alpha in (0.1, 5.0):
        after = x - alpha * problem.gradient(x) - problem.minimizer
        np.testing.assert_allclose(after, error - alpha * problem.hessian @ error, atol=1e-10 * (1 + alpha))
    values, vectors = np.linalg.eigh(problem.hessian)
    path = problem.descend(problem.minimizer + 1e-3 * error, 2.1 / values[-1], 10)
    components = [abs(vectors[:, -1] @ (y - problem.minimizer)) for y in path]
    assert components[-1] == pytest.approx(1.1**10 * components[0], rel=1e-3, abs=1e-10)


@RANDOM
@FEW
def test_the_range_of_the_transpose_is_kept(seed):
    problem = Problem(seed)
    A, y, lam, alpha = problem.A, problem.rng.standard_normal(4), problem.ridge, 0.3
    x = A.T @ y
    after = A.T @ ((1 - alpha * lam) * y - alpha * clipped(A @ x - problem.b))
    np.testing.assert_allclose(x - alpha * problem.gradient(x), after, atol=1e-12)
    D = np.diag((np.abs(A @ problem.minimizer - problem.b) < 1).astype(float))
    np.testing.assert_allclose(problem.hessian @ A.T @ y, A.T @ (D @ A @ A.T @ y + lam * y), atol=1e-11)
    at_minimizer = -A.T @ clipped(A @ problem.minimizer - problem.b) / lam
    np.testing.assert_allclose(problem.minimizer, at_minimizer, atol=1e-9)


@RANDOM
@FEW
def test_the_gap_is_an_integral_of_the_gradient(seed):
    problem = Problem(seed)
    e = problem.rng.standard_normal(7)
    # The integrand is linear between the t at which an entry of the residual passes 1 or -1.
    start, slope = problem.A @ problem.minimizer - problem.b, problem.A @ e
    kinks = np.concatenate([(1 - start) / slope, (-1 - start) / slope, [0, 1]])
    t = np.sort(kinks[(kinks >= 0) & (kinks <= 1)])
    along = np.array([problem.gradient(problem.minimizer + each * e) @ e for each in t])
    integral = np.sum(np.diff(t) * (along[1:] + along[:-1]) / 2)
    gap = problem.loss(problem.minimizer + e) - problem.loss(problem.minimizer)
    assert gap == pytest.approx(integral, abs=1e-10)
    assert gap <= problem.L / 2 * e @ e


@RANDOM
@FEW
def test_the_gap_without_cancellation(seed):
    problem = Problem(seed)
    x = problem.minimizer + problem.rng.standard_normal(7)
    u, at = problem.A @ x - problem.b, problem.A @ problem.minimizer - problem.b
    c, star = clipped(u), clipped(at)
    terms = (c - star) * (u - (c + star) / 2)
    expected = np.sum(terms) + problem.ridge / 2 * np.sum((x - problem.minimizer) ** 2)
    assert problem.loss(x) - problem.loss(problem.minimizer) == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose(huber(u) - huber(at) - star * (u - at), terms, atol=1e-12)
    expanded = c * u - c**2 / 2 - star * at + star**2 / 2 - star * u + star * at
    np.testing.assert_allclose(expanded, terms, atol=1e-12)
