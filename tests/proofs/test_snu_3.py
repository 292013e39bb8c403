"""The formulas of report/proofs/snu.3.md: descent step by step in fractions, with rational eigenvectors."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

RANDOM = given(seed=st.integers(0, 10**6))
FEW = settings(max_examples=15)
# Eigenvalues of XᵀX; those of the null space are 0, and 1/α is one of them for α = 1.
EIGENVALUES = np.array([9, 4, 4, 1, 0]).astype(object)


def integers(rng, *shape):
    return rng.integers(-4, 5, shape).astype(object)


def rational_orthogonal(rng, size):
    v = rng.integers(1, 5, size).astype(object)
    return np.eye(size, dtype=object) - np.array([[Fraction(int(2 * a * b), int(v @ v)) for b in v] for a in v])


def problem(seed):
    """X of rank 4 and shape (6, 5), its eigenvectors (columns), Y, and a solution of the normal equations."""
    rng = np.random.default_rng(seed)
    Q, R = rational_orthogonal(rng, 5), rational_orthogonal(rng, 6)
    roots = np.array([3, 2, 2, 1, 0]).astype(object)
    solution, beside = integers(rng, 5), R[:, 5] * integers(rng, 1)[0]
    X = R[:, :5] @ np.diag(roots).astype(object) @ Q.T
    return X, Q, X @ solution + beside, solution


def descend(theta, X, Y, alpha, count, noise=None):
    path = [theta]
    for k in range(count):
        theta = theta - alpha * (X.T @ (X @ theta - Y)) + (0 if noise is None else noise[k])
        path.append(theta)
    return path


def loss(theta, X, Y):
    return (X @ theta - Y) @ (X @ theta - Y) / Fraction(2)


def size(vector):
    return float(np.sqrt(float(vector @ vector)))


@RANDOM
@FEW
def test_the_spectrum(seed):
    X, Q, *_ = problem(seed)
    assert np.all(Q @ np.diag(EIGENVALUES) @ Q.T == X.T @ X)
    assert [(X @ q) @ (X @ q) for q in Q.T] == list(EIGENVALUES) == [q @ (X.T @ X) @ q for q in Q.T]


@RANDOM
@FEW
def test_solutions_of_the_normal_equations_are_least(seed):
    X, Q, Y, solution = problem(seed)
    theta = integers(np.random.default_rng(seed + 1), 5)
    assert np.all(X.T @ X @ solution == X.T @ Y)
    image = X @ (theta - solution)
    assert loss(theta, X, Y) == loss(solution, X, Y) + image @ image / Fraction(2) >= loss(solution, X, Y)
    assert loss(solution + 3 * Q[:, 4], X, Y) == loss(solution, X, Y)


@RANDOM
@FEW
def test_error_recursion(seed):
    X, Q, Y, solution = problem(seed)
    start, alpha = integers(np.random.default_rng(seed + 1), 5), Fraction(2, 7)
    for minimizer in (solution, solution + 5 * Q[:, 4]):
        power, step = np.eye(5, dtype=object), np.eye(5, dtype=object) - alpha * X.T @ X
        path = descend(start, X, Y, alpha, 5)
        for now, after in zip(path, path[1:]):
            assert np.all(now - minimizer == power @ (start - minimizer))
            assert np.all(after == step @ now + alpha * X.T @ Y)
            power = power @ step


def test_the_printed_step_is_refuted():
    X, Y, start = np.array([[1]]).astype(object), np.array([1]).astype(object), np.array([0]).astype(object)
    assert descend(start, X, Y, 1, 1)[1] == 1
    assert (np.eye(1, dtype=object) - X.T @ X) @ start - X.T @ Y == -1


@RANDOM
@FEW
def test_the_null_space_is_left_alone(seed):
    X, Q, Y, _ = problem(seed)
    start = integers(np.random.default_rng(seed + 1), 5)
    for alpha in (Fraction(1, 7), Fraction(3)):
        assert len({Q[:, 4] @ theta for theta in descend(start, X, Y, alpha, 4)}) == 1


def chosen_start(seed, components):
    """A start with integer components along the given eigenvectors, and the minimizer with its null component."""
    X, Q, Y, solution = problem(seed)
    rng = np.random.default_rng(seed + 1)
    c = np.zeros(5, dtype=object)
    c[list(components)] = rng.integers(1, 5, len(components)).astype(object) * rng.choice([-1, 1], len(components))
    minimizer = solution + integers(rng, 1)[0] * Q[:, 4]
    return X, Q, Y, minimizer, minimizer + Q @ c, c


@pytest.mark.parametrize("alpha", [Fraction(1, 9), Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(2, 9)])
@pytest.mark.parametrize("components", [(0,), (1, 2), (3,), (1, 2, 3), (0, 1, 3)])
def test_growth_is_bounded_from_both_sides(alpha, components):
    X, _, Y, minimizer, start, c = chosen_start(5, components)
    factors = [abs(1 - alpha * EIGENVALUES[i]) for i in components]
    m, top = max(factors), c[components[int(np.argmax(factors))]]
    errors = [theta - minimizer for theta in descend(start, X, Y, alpha, 9)]
    for k, error in enumerate(errors):
        assert m ** (2 * k) * top**2 <= error @ error <= m ** (2 * k) * (errors[0] @ errors[0])
        if len(components) == 1:  # both bounds are attained
            assert m ** (2 * k) * top**2 == error @ error == m ** (2 * k) * (errors[0] @ errors[0])
    largest = max(alpha * EIGENVALUES[i] for i in components)
    end = float(errors[9] @ errors[9] / (errors[0] @ errors[0]))
    assert end == 0 if m == 0 else end > 1 if largest > 2 else end < 1 or largest == 2


@RANDOM
@FEW
def test_components_along_the_eigenvectors(seed):
    X, Q, Y, minimizer, start, c = chosen_start(seed, (0, 1, 2, 3))
    alpha = Fraction(3, 8)
    for k, theta in enumerate(descend(start, X, Y, alpha, 5)):
        error = theta - minimizer
        assert error @ error == sum(c[i] ** 2 * (1 - alpha * EIGENVALUES[i]) ** (2 * k) for i in range(4))
        assert [q @ error for q in Q.T] == [c[i] * (1 - alpha * EIGENVALUES[i]) ** k for i in range(5)]


@pytest.mark.parametrize(("alpha", "components", "at_limit"), [
    (Fraction(2, 9), (0, 1, 3), [0]), (Fraction(1, 2), (1, 2, 3), [1, 2]), (Fraction(2), (3,), [3]),
])
def test_oscillation_at_the_threshold(alpha, components, at_limit):
    X, Q, Y, minimizer, start, c = chosen_start(3, components)
    u = Q[:, at_limit] @ c[at_limit]
    r = max([abs(1 - alpha * EIGENVALUES[i]) for i in components if i not in at_limit], default=0)
    path = descend(start, X, Y, alpha, 10)
    for k, theta in enumerate(path):
        rest = theta - minimizer - (-1) ** k * u
        assert rest @ rest <= r ** (2 * k) * ((start - minimizer) @ (start - minimizer))
    limit = loss(minimizer, X, Y) + u @ u / alpha
    gap = r**20 * EIGENVALUES[components[0]] * ((start - minimizer) @ (start - minimizer))
    assert 0 <= loss(path[10], X, Y) - limit <= gap


@RANDOM
@FEW
def test_quotients_of_distances_do_not_fall(seed):
    X, _, Y, minimizer, start, _ = chosen_start(seed, (0, 1, 3))
    for alpha in (Fraction(1, 10), Fraction(3, 8)):
        squares = [(theta - minimizer) @ (theta - minimizer) for theta in descend(start, X, Y, alpha, 8)]
        assert all(b * b <= a * c for a, b, c in zip(squares, squares[1:], squares[2:]))
        quotients = [c / a for a, c in zip(squares, squares[2:])]
        assert quotients == sorted(quotients)
    # With a single component it is an equality.
    X, _, Y, minimizer, start, _ = chosen_start(seed, (1,))
    a, b, c = ((theta - minimizer) @ (theta - minimizer) for theta in descend(start, X, Y, alpha, 2))
    assert b * b == a * c


def perturbed(seed, count=12):
    """A start on small eigenvalues, moved by w, and descent with perturbations; α = 3/10, so that α = 2.7/ρ."""
    X, Q, Y, minimizer, start, _ = chosen_start(seed, (1, 2, 3))
    rng = np.random.default_rng(seed + 2)
    w = Fraction(1, 1000) * Q[:, 0] * int(rng.integers(-3, 4))
    noise = [Fraction(1, 1000) * integers(rng, 5) for _ in range(count)]
    path = descend(start + w, X, Y, Fraction(3, 10), count, noise)
    return X, Q, w, noise, [theta - minimizer for theta in path]


@RANDOM
@FEW
def test_the_growing_component(seed):
    X, Q, w, noise, errors = perturbed(seed)
    step, factor = np.eye(5, dtype=object) - Fraction(3, 10) * X.T @ X, 1 - Fraction(3, 10) * 9
    for k, error in enumerate(errors[:6]):
        summed = Q[:, 0] @ w + sum(factor ** (-j - 1) * (Q[:, 0] @ noise[j]) for j in range(k))
        assert Q[:, 0] @ error == factor**k * summed
        carried = errors[0]
        for delta in noise[:k]:
            carried = step @ carried + delta
        assert np.all(error == carried)


@RANDOM
@FEW
def test_departure_is_not_early(seed):
    _, _, w, noise, errors = perturbed(seed)
    q, m, start = 0.7, 1.7, size(errors[0])
    d, r = size(w), max(size(delta) for delta in noise)
    for k, error in enumerate(errors[1:], 1):
        bound = q * start + m**k * d + r * sum(m ** (k - 1 - j) for j in range(k))
        assert size(error) <= bound * (1 + 1e-12) <= (q * start + m**k * (d + r / (m - 1))) * (1 + 1e-11)
        if size(error) >= start:
            assert m**k * (d + r / (m - 1)) >= (1 - q) * start


@pytest.mark.parametrize("q", [0.7, 0.0])
def test_departure_in_the_worst_case(q):
    """One dimension more than needed: all perturbations along the growing direction and of one size.

    For q = 0 nothing but these is left, and the departure comes as soon as the bound lets it.
    """
    m, r = 1.7, 1e-6
    growing, resting = 0.0, 1.0
    for k in range(1, 40):
        growing, resting = -m * growing + (-1) ** (k - 1) * r, q * resting
        assert abs(growing) == pytest.approx(r * (m**k - 1) / (m - 1), rel=1e-9)
        assert np.hypot(growing, resting) <= q + m**k * r / (m - 1)
        if np.hypot(growing, resting) >= 1:
            assert 1 - q <= m**k * r / (m - 1) <= 2
            break
    assert k < 39


@pytest.mark.parametrize("alpha", [Fraction(1, 5), Fraction(3, 8), Fraction(3)])
def test_the_exceptional_starts_are_a_subspace(alpha):
    """Starts with no component along eigenvalues above 2/α do not grow; one such component is enough to diverge."""
    calm = tuple(i for i in range(4) if alpha * EIGENVALUES[i] <= 2)
    assert (alpha > Fraction(2, 9)) == (len(calm) < 4)
    for wild in range(4 - len(calm)):
        X, _, Y, minimizer, start, _ = chosen_start(2, (*calm, wild))
        errors = [size(theta - minimizer) for theta in descend(start, X, Y, alpha, 40)[20::20]]
        assert errors[1] > 5 * errors[0]
    if calm:
        X, _, Y, minimizer, start, _ = chosen_start(2, calm)
        errors = [size(theta - minimizer) for theta in descend(start, X, Y, alpha, 5)]
        assert errors == sorted(errors, reverse=True)
