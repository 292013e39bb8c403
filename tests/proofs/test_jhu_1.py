"""The formulas of report/proofs/jhu.1.md, both sides from their definitions, on random instances."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from tests.proofs.relu_problems import (
    LOSSES,
    drawn,
    equal,
    logistic,
    mixed,
    norms,
    objective,
    outputs,
    squared,
    stationary_point,
    subgradient_of_loss,
)

RANDOM = given(seed=st.integers(0, 10**6))
FEW = settings(max_examples=15)


@RANDOM
@FEW
def test_rescaled_units_compute_the_same(seed):
    rng = np.random.default_rng(seed)
    U, V, x = (rng.integers(-5, 6, shape).astype(object) for shape in ((2, 3), (4, 3), (1, 4)))
    factors = np.array([Fraction(int(p), int(q)) for p, q in rng.integers(1, 9, (3, 2))])
    assert np.all(outputs(U * factors, V / factors, x) == outputs(U, V, x))


@RANDOM
@FEW
def test_separated_data_have_no_minimizer(seed):
    rng = np.random.default_rng(seed)
    U, V, X = rng.standard_normal((2, 3)), rng.exponential(size=(2, 3)), rng.exponential(size=(4, 2))
    U = U / np.abs(outputs(U, V, X)).max()
    Y = np.sign(outputs(U, V, X))
    margins = Y * outputs(U, V, X)
    assume(margins.min() > 0.02)
    for t in (1, 3, 9, 30):
        value = logistic(outputs(t * U, t * V, X), Y)[0]
        assert value == pytest.approx(np.sum(np.log1p(np.exp(-t * t * margins))), rel=1e-9)
        assert 0 < value <= np.sum(np.exp(-t * t * margins)) * (1 + 1e-9)
    assert value < 1e-6


@RANDOM
@FEW
def test_the_penalties_under_rescaling(seed):
    U, V, X, Y, decay = drawn(seed)
    a, b = norms(U)[0], norms(V)[0]

    def unit(alpha, penalty):
        scale = np.array([alpha, 1.0])
        return objective(U * scale, V / scale, X, Y, decay, penalty)

    def layer(alpha):
        return objective(alpha * U, V / alpha, X, Y, decay, mixed)

    for alpha in (0.3, 1.7):
        expected = unit(1, equal) + decay / 2 * ((alpha**2 - 1) * a**2 + (alpha**-2 - 1) * b**2)
        assert unit(alpha, equal) == pytest.approx(expected, rel=1e-12)
        whole = decay / 2 * (alpha * np.linalg.norm(U) + alpha**-2 * np.sum(V**2))
        assert layer(alpha) == pytest.approx(squared(outputs(U, V, X), Y)[0] + whole, rel=1e-12)
    slopes = [(f(1 + 1e-5) - f(1 - 1e-5)) / 2e-5
              for f in (lambda t: unit(t, equal), layer, lambda t: unit(t, mixed))]
    closed = [decay * (a**2 - b**2), decay / 2 * (np.linalg.norm(U) - 2 * np.sum(V**2)),
              decay / 2 * (a**2 / np.linalg.norm(U) - 2 * b**2)]
    np.testing.assert_allclose(slopes, closed, atol=1e-6)


def least_over_rescalings(U, V, penalty):
    found = minimize(lambda t: penalty(U * np.exp(t), V * np.exp(-t), 2.0), np.zeros(U.shape[1]), method="BFGS",
                     options={"gtol": 1e-8})
    return U * np.exp(found.x), V * np.exp(-found.x)


@RANDOM
@FEW
def test_the_least_mixed_penalty_over_rescalings(seed):
    U, V, *_ = drawn(seed)
    U, V = least_over_rescalings(U, V, mixed)
    a, b = np.linalg.norm(U), np.linalg.norm(V)
    np.testing.assert_allclose([a, a / b], [2 * b**2, (4 * a * b) ** (1 / 3)], rtol=1e-5)
    np.testing.assert_allclose(norms(U), 2 * b * norms(V), rtol=1e-5)
    assert abs(a * b - 0.25) < 1e-4 or (a > b) == (a * b > 0.25)


@RANDOM
@FEW
def test_the_least_squared_penalty_over_rescalings(seed):
    U, V, *_ = drawn(seed)
    U, V = least_over_rescalings(U, V, equal)
    np.testing.assert_allclose(norms(U), norms(V), rtol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
@RANDOM
@settings(max_examples=5)
def test_off_the_kinks_the_subgradient_is_the_gradient(loss, seed):
    U, V, X, Y, _ = drawn(seed, loss)
    G = LOSSES[loss](outputs(U, V, X), Y)[1]
    P, Q = subgradient_of_loss(U, V, X, G, X @ V > 0)

    def slope(matrix, entry, value):
        moved = [matrix.copy(), matrix.copy()]
        moved[0][entry] += 1e-6
        moved[1][entry] -= 1e-6
        return (value(moved[0]) - value(moved[1])) / 2e-6

    for entry in np.ndindex(U.shape):
        assert slope(U, entry, lambda M: LOSSES[loss](outputs(M, V, X), Y)[0]) == pytest.approx(P[entry], abs=1e-6)
    for entry in np.ndindex(V.shape):
        assert slope(V, entry, lambda M: LOSSES[loss](outputs(U, M, X), Y)[0]) == pytest.approx(Q[entry], abs=1e-6)


def with_kinks(seed):
    """Integer weights and inputs of which many are orthogonal, any gradients, and weights at the kinks."""
    rng = np.random.default_rng(seed)
    U, V, X, G = (rng.integers(-2, 3, shape).astype(object) for shape in ((2, 3), (2, 3), (8, 2), (8, 2)))
    S = np.array([[Fraction(int(rng.integers(0, 8)), 7) if t == 0 else int(t > 0) for t in row] for row in X @ V])
    return U, V, X, G, S


@RANDOM
@FEW
def test_the_identity_of_the_two_layers(seed):
    U, V, X, G, S = with_kinks(seed)
    P, Q = subgradient_of_loss(U, V, X, G, S)
    for j in range(3):
        common = sum((G[i] @ U[:, j]) * max(V[:, j] @ X[i], 0) for i in range(8))
        assert P[:, j] @ U[:, j] == Q[:, j] @ V[:, j] == common


@RANDOM
@FEW
def test_the_directional_derivative_at_a_kink(seed):
    U, V, X, Y, _ = (part.astype(float) for part in with_kinks(seed))
    decay, d, t = 0.7, np.random.default_rng(seed).standard_normal(2), 1e-6
    moved = V.copy()
    moved[:, 0] += t * d
    measured = (objective(U, moved, X, Y, decay) - objective(U, V, X, Y, decay)) / t
    a = squared(outputs(U, V, X), Y)[1] @ U[:, 0]
    kinks, active = X @ V[:, 0] == 0, X @ V[:, 0] > 0
    linear = decay * V[:, 0] + a[active] @ X[active]
    derivative = linear @ d + a[kinks] @ np.maximum(X[kinks] @ d, 0)
    assert measured == pytest.approx(derivative, abs=1e-2)
    upwards = kinks & (a > 0)
    largest = max((linear + (np.array(s) * a[upwards]) @ X[upwards]) @ d
                  for s in product((0, 1), repeat=int(upwards.sum())))
    bound = linear @ d + a[upwards] @ np.maximum(X[upwards] @ d, 0)
    assert derivative <= bound + 1e-9
    assert bound == pytest.approx(largest, abs=1e-9)


def radial(U, V, A, B):
    return np.sum(A * U, 0) - np.sum(B * V, 0)


def any_subgradient(seed, penalty):
    """U, V, λ and a subgradient of the objective for arbitrary gradients of the loss."""
    U, V, X, G, decay = drawn(seed)
    P, Q = subgradient_of_loss(U, V, X, G, X @ V > 0)
    return U, V, decay, P + decay * (U if penalty is equal else U / np.linalg.norm(U) / 2), Q + decay * V


@RANDOM
@FEW
def test_the_difference_of_the_radial_components(seed):
    U, V, decay, A, B = any_subgradient(seed, equal)
    u, v = norms(U), norms(V)
    np.testing.assert_allclose(radial(U, V, A, B), decay * (u**2 - v**2), atol=1e-11)
    np.testing.assert_allclose(radial(U, V, A, B), decay * (u - v) * (u + v), atol=1e-11)
    U, V, decay, A, B = any_subgradient(seed, mixed)
    u, v, a, b = norms(U), norms(V), np.linalg.norm(U), np.linalg.norm(V)
    np.testing.assert_allclose(radial(U, V, A, B), decay / (2 * a) * u**2 - decay * v**2, atol=1e-11)
    assert np.sum(radial(U, V, A, B)) == pytest.approx(decay / 2 * a - decay * b**2, abs=1e-11)


@RANDOM
@FEW
def test_imbalance_is_bounded_by_the_subgradient(seed):
    U, V, decay, A, B = any_subgradient(seed, equal)
    each = np.sqrt(norms(A) ** 2 + norms(B) ** 2)
    assert np.all(np.abs(norms(U) - norms(V)) <= each / decay)
    assert abs(np.linalg.norm(U) - np.linalg.norm(V)) <= np.linalg.norm(each) / decay
    # With V = 0 and weights 0 at the kinks the subgradient is (λU, 0), and both are equalities.
    np.testing.assert_allclose(norms(U), norms(decay * U) / decay, rtol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
@RANDOM
@FEW
def test_norms_away_from_stationary_points(loss, seed):
    U, V, X, Y, decay = drawn(seed, loss)
    Z = outputs(U, V, X)
    value, G = LOSSES[loss](Z, Y)
    P, Q = subgradient_of_loss(U, V, X, G, X @ V > 0)
    A, B = P + decay * U, Q + decay * V
    size, rise = np.hypot(np.linalg.norm(A), np.linalg.norm(B)), LOSSES[loss](0 * Y, Y)[0] - value
    assert decay * np.sum(U**2) == pytest.approx(np.sum(A * U) - np.sum(G * Z), abs=1e-9)
    assert np.sum(A * U) - np.sum(G * Z) <= rise + size * np.linalg.norm(U) + 1e-9


@RANDOM
@FEW
def test_the_law_is_bounded_by_the_subgradient(seed):
    U, V, decay, A, B = any_subgradient(seed, mixed)
    a, b, size = np.linalg.norm(U), np.linalg.norm(V), np.hypot(np.linalg.norm(A), np.linalg.norm(B))
    assert abs(a - 2 * b**2) <= 2 * size / decay * np.hypot(a, b)
    # Equality for V = 0, where the subgradient is (λU/2‖U‖, 0).
    size = np.linalg.norm(decay / 2 * U / a)
    assert a == pytest.approx(2 * size / decay * a, rel=1e-13)


def test_stationary_points_of_the_squared_penalty():
    decay, problems = 0.3, [stationary_point(seed, equal, 0.3) for seed in range(12)]
    for U, V, X, Y in filter(None, problems):
        Z = outputs(U, V, X)
        value, G = squared(Z, Y)
        assert decay * np.sum(U**2) == pytest.approx(-np.sum(G * Z), rel=1e-7)
        at_zero = squared(0 * Z, Y)[0]
        assert -np.sum(G * Z) <= at_zero - value + 1e-9 * at_zero
        assert at_zero - value <= at_zero
        assert objective(U, V, X, Y, decay) <= objective(0 * U, 0 * V, X, Y, decay) * (1 + 1e-9)
    assert sum(problem is not None for problem in problems) > 3


@pytest.mark.parametrize("loss", LOSSES)
@RANDOM
@FEW
def test_losses_lie_above_their_tangents(loss, seed):
    U, V, X, Y, _ = drawn(seed, loss)
    value, G = LOSSES[loss](outputs(U, V, X), Y)
    assert -np.sum(G * outputs(U, V, X)) <= LOSSES[loss](0 * Y, Y)[0] - value + 1e-9


@pytest.mark.parametrize("loss", LOSSES)
@RANDOM
@FEW
def test_zero_is_a_strict_local_minimizer(loss, seed):
    U, V, X, Y, decay = drawn(seed, loss)
    size = np.linalg.norm(LOSSES[loss](0 * Y, Y)[1]) * np.linalg.norm(X, 2)
    for scale in (1, decay / (2 * size * np.linalg.norm(V))):
        a, b = np.linalg.norm(U), np.linalg.norm(scale * V)
        rise = (objective(U, scale * V, X, Y, decay, mixed, LOSSES[loss])
                - objective(0 * U, 0 * V, X, Y, decay, mixed, LOSSES[loss]))
        assert rise >= a * (decay / 2 - size * b) + decay / 2 * b**2 - 1e-9
    assert rise > 0
    # In the scalar problem only the loss's second-order term u²v²/2 is given away.
    u, v, y = (np.array([[entry]]) for entry in (1e-3, 0.3, 2.0))
    rise = objective(u, v, np.eye(1), y, decay, mixed) - objective(0 * u, 0 * v, np.eye(1), y, decay, mixed)
    bound = 1e-3 * (decay / 2 - 2.0 * 0.3) + decay / 2 * 0.3**2
    assert rise == pytest.approx(bound + (1e-3 * 0.3) ** 2 / 2, abs=1e-14)


@RANDOM
@FEW
def test_the_size_of_the_outputs(seed):
    U, V, X, *_ = drawn(seed)
    bound = np.linalg.norm(X, 2) * np.linalg.norm(U) * np.linalg.norm(V)
    assert np.linalg.norm(outputs(U, V, X)) <= bound
    positive = np.outer(norms(U), norms(V))[:, :1]
    assert np.linalg.norm(outputs(positive, np.eye(1), 3 * np.eye(1))) == pytest.approx(3 * np.linalg.norm(positive))


def test_stationary_points_of_the_mixed_penalty():
    counted = 0
    for seed, decay in product(range(12), (0.3, 0.01)):
        problem = stationary_point(seed, mixed, decay)
        if problem is None:
            continue
        U, V, X, Y = problem
        Z, b, S = outputs(U, V, X), np.linalg.norm(V), np.linalg.norm(X, 2)
        assert np.sum(Y * Z) - np.sum(Z * Z) == pytest.approx(decay * b**2, rel=1e-6)
        assert 2 * np.linalg.norm(Y) * S * b >= decay
        if objective(U, V, X, Y, decay, mixed) <= objective(0 * U, 0 * V, X, Y, decay, mixed):
            counted += 1
            assert np.sum(Y * Z) - np.sum(Z * Z) / 2 >= 3 * decay / 2 * b**2 * (1 - 1e-9)
            assert np.linalg.norm(U) * b >= (decay**3 / 4) ** 0.25 * S**-1.5
    assert counted > 3
