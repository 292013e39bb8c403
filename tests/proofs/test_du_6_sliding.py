"""The formulas of report/proofs/du.6-sliding.md: weights on hyperplanes, kernels, and flows that slide."""

import numpy as np
import pytest
from scipy.special import erf

ROUNDING = 1e-11  # relative to numbers of order one


def test_flow_of_the_example_by_hand():
    b = 0.4
    stop = np.log(1 + b)

    def w(t):
        return (1 + b) * np.exp(-t) - 1 if t <= stop else 0.0

    assert w(0) == pytest.approx(b)
    assert w(stop) == pytest.approx(0, abs=ROUNDING)
    for t in (0.1, 0.3):
        assert (w(t + 1e-5) - w(t - 1e-5)) / 2e-5 == pytest.approx(-(w(t) + 1), rel=1e-8)
    residuals = [max(w(t), 0) + 1 for t in (0.0, 0.2, stop, 2.0, 9.0)]
    assert residuals == pytest.approx([1.4, 1.4 * np.exp(-0.2), 1, 1, 1])
    late = 4 * np.log(1 + b)
    assert np.exp(-late / 2) * (1 + b) ** 2 == pytest.approx(1)
    assert residuals[-1] ** 2 > np.exp(-9 / 2) * residuals[0] ** 2
    # descent sees it as well: it falls silent
    weight = b
    for _ in range(1000):
        weight -= 1e-2 * (weight > 0) * (max(weight, 0) + 1)
    assert -1e-2 * (1 + b) < weight <= 0


def slider(seed, n=4, d=6, m=5):
    """Weights, the first ones on the hyperplanes of some samples; inputs, signs and the sets Z_r as a mask."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    x /= np.linalg.norm(x, axis=1)[:, None]
    w, mask = rng.standard_normal((m, d)), np.zeros((m, n), bool)
    mask[:3] = rng.random((3, n)) < 0.5
    for r in range(3):
        w[r] = (np.eye(d) - projection(x, mask[r])) @ w[r]
    return rng, w, rng.choice([-1.0, 1.0], m), x, mask


def projection(x, chosen):
    """The orthogonal projection onto the span of the chosen rows."""
    if not chosen.any():
        return np.zeros((x.shape[1],) * 2)
    basis = np.linalg.qr(x[chosen].T)[0]
    return basis @ basis.T


def at_least_zero(w, x, mask):
    return np.where(mask, True, w @ x.T >= 0).astype(float)


def sliding_kernel(w, x, mask):
    theta, d = at_least_zero(w, x, mask), x.shape[1]
    return sum(np.outer(p, p) * (x @ (np.eye(d) - projection(x, chosen)) @ x.T)
               for p, chosen in zip(theta, mask, strict=True)) / len(w)


@pytest.mark.parametrize("seed", range(6))
def test_order_of_the_kernels(seed):
    rng, w, _, x, mask = slider(seed)
    assert (abs((w @ x.T)[mask]) < ROUNDING).all()
    for numbers in (rng.random(mask.shape) < 0.5, rng.random(mask.shape)):  # patterns, fractions
        check_order(np.where(mask, numbers, at_least_zero(w, x, mask)), w, x, mask)


def check_order(p, w, x, mask):
    h = (x @ x.T) * (p.T @ p) / len(w)
    part = sum(np.diag(row) @ x @ projection(x, chosen) @ x.T @ np.diag(row)
               for row, chosen in zip(p, mask, strict=True)) / len(w)
    rest = sum(np.diag(row) @ x @ (np.eye(x.shape[1]) - projection(x, chosen)) @ x.T @ np.diag(row)
               for row, chosen in zip(p, mask, strict=True)) / len(w)
    kernel = sliding_kernel(w, x, mask)
    assert kernel == pytest.approx(rest, abs=ROUNDING)
    assert h - kernel == pytest.approx(part, abs=ROUNDING)
    assert np.linalg.eigvalsh(part)[0] >= -ROUNDING
    assert np.linalg.eigvalsh(kernel)[0] >= -ROUNDING
    assert (np.linalg.eigvalsh(kernel) <= np.linalg.eigvalsh(h) + ROUNDING).all()


@pytest.mark.parametrize("seed", range(6))
def test_drift_of_both_kernels(seed):
    """Each weight is moved onto the hyperplanes of those samples that it can reach, or as far as it may go."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((4, 5))
    x /= np.linalg.norm(x, axis=1)[:, None]
    start, radius = rng.standard_normal((40, 5)), 0.3
    near = abs(start @ x.T) <= radius
    w, mask = start + radius * near.any(axis=1)[:, None] * np.sign(rng.standard_normal((40, 1))) * x[0], near.copy()
    for r, chosen in enumerate(near):
        moved = projection(x, chosen) @ start[r]
        mask[r] &= np.linalg.norm(moved) <= radius
        w[r] = start[r] - moved if mask[r].any() else w[r]
    assert (np.linalg.norm(w - start, axis=1) <= radius * (1 + ROUNDING)).all()
    fractions = np.where(mask, rng.random(mask.shape), (w @ x.T > 0).astype(float))
    first = (x @ x.T) * ((start @ x.T >= 0).T.astype(float) @ (start @ x.T >= 0)) / 40
    pairs = (near[:, :, None] | near[:, None, :]).mean(axis=0)
    drift = abs((x @ x.T) * (fractions.T @ fractions) / 40 - first)
    assert (drift <= pairs + ROUNDING).all()
    assert (abs(sliding_kernel(w, x, mask) - first) <= near.any(axis=1).mean() + ROUNDING).all()
    assert drift.max() > 0.02
    assert mask.any()


def test_drift_is_attained():
    """One unit slides on the first sample: its whole entry is lost, and part of that of the other sample, far off."""
    x, start, w = np.array([[1.0, 0.0], [0.6, 0.8]]), np.array([[0.1, 1.0]]), np.array([[0.0, 1.0]])
    mask = abs(start @ x.T) <= 0.1
    assert mask.tolist() == [[True, False]]
    loss = x @ x.T - sliding_kernel(w, x, mask)
    assert loss[0] == pytest.approx([1, 0.6])
    assert loss[1, 1] == pytest.approx(0.36)  # in H with fractions this entry is what it was


@pytest.mark.parametrize("radius", [0.01, 0.3])
def test_expected_drift_of_both_kernels(radius):
    """For orthogonal inputs, where the events are independent: nearly attained for a small radius."""
    single = erf(radius / np.sqrt(2))
    for n in (2, 3, 7):
        assert 1 - (1 - single) ** n <= n * single < 2 * n * radius / np.sqrt(2 * np.pi)
        assert 1 - (1 - single) ** n > 0.7 * 2 * n * radius / np.sqrt(2 * np.pi) or n * radius > 0.5
    near = abs(np.random.default_rng(0).standard_normal((20000, 3))) <= radius
    error = 4 * np.sqrt(single / 20000)
    assert near[:, :2].any(axis=1).mean() == pytest.approx(1 - (1 - single) ** 2, abs=2 * error)
    assert near[:, :2].any(axis=1).mean() <= 4 * radius / np.sqrt(2 * np.pi) + 2 * error
    assert near.any(axis=1).mean() <= 6 * radius / np.sqrt(2 * np.pi) + 3 * error


def test_width_and_probability():
    """Just beyond the required width the radius of the rate is just below R; and Markov's bound is delta."""
    n, rate, delta, error = 7, 0.05, 0.02, 3.0
    radius = np.sqrt(2 * np.pi) * delta * rate / (16 * n**2)
    required = 4 * n * error**2 / (rate**2 * radius**2)
    for factor in (1.01, 0.99):
        moved = 2 * np.sqrt(n) * error / (np.sqrt(factor * required) * rate)
        assert (moved < radius) == (factor > 1)
    assert moved == pytest.approx(radius, rel=0.01)
    assert 4 / rate * 4 * n**2 * radius / np.sqrt(2 * np.pi) == pytest.approx(delta)


def test_distance_of_the_start_from_the_limit():
    """Its mean square from the probabilities of joint activation, by 2000 starts, and the bound."""
    rng, m, n = np.random.default_rng(0), 20, 5
    x = rng.standard_normal((n, 2))
    x /= np.linalg.norm(x, axis=1)[:, None]
    cosines = np.clip(x @ x.T, -1, 1)
    np.fill_diagonal(cosines, 1)
    share = (np.pi - np.arccos(cosines)) / (2 * np.pi)
    exact = (cosines**2 * share * (1 - share)).sum() / m
    assert (np.full((n, n), 0.5) * (1 - 0.5)).sum() / m == n**2 / (4 * m)  # equal samples attain the bound
    active = (rng.standard_normal((2000, m, 2)) @ x.T >= 0).astype(float)
    kernels = cosines * (active.transpose(0, 2, 1) @ active) / m
    squares = ((kernels - cosines * share) ** 2).sum(axis=(1, 2))
    assert squares.mean() == pytest.approx(exact, abs=5 * squares.std() / np.sqrt(2000))
    assert n / (4 * m) <= exact <= n**2 / (4 * m)  # the diagonal alone, and the bound
    for level in (0.3, 0.6, 1.2):
        far = np.linalg.norm(kernels - cosines * share, 2, axis=(1, 2)) > level / 4
        assert far.mean() <= 4 * n**2 / (m * level**2)
        assert 16 / level**2 * n**2 / (4 * m) == pytest.approx(4 * n**2 / (m * level**2))


@pytest.mark.parametrize("seed", range(4))
def test_characterization_of_eigenvalues(seed):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((5, 5))
    a = a + a.T
    values, vectors = np.linalg.eigh(a)
    for k in range(1, 6):
        attained = vectors[:, :k]
        assert np.linalg.eigvalsh(attained.T @ a @ attained)[-1] == pytest.approx(values[k - 1])
        for _ in range(5):
            basis = np.linalg.qr(rng.standard_normal((5, k)))[0]
            assert np.linalg.eigvalsh(basis.T @ a @ basis)[-1] >= values[k - 1] - ROUNDING


@pytest.mark.parametrize("seed", range(4))
def test_weyl_s_inequality(seed):
    a, e = np.random.default_rng(seed).standard_normal((2, 6, 6))
    a, e = a + a.T, e + e.T
    moved = abs(np.linalg.eigvalsh(a + e) - np.linalg.eigvalsh(a))
    assert (moved <= np.linalg.norm(e, 2) + ROUNDING).all()
    shifted = abs(np.linalg.eigvalsh(a + 0.3 * np.eye(6)) - np.linalg.eigvalsh(a))
    assert shifted == pytest.approx(0.3)  # attained


def inclusion(z, a, x, mask, r):
    """The fractions that keep the weights on their hyperplanes, and the velocities of the inclusion with them."""
    alpha = (z > 0).astype(float)
    for k, chosen in enumerate(mask):
        if chosen.any():
            push = x[chosen] @ ((alpha[k] * r) @ x)
            alpha[k, chosen] = np.linalg.solve(x[chosen] @ x[chosen].T, -push) / r[chosen]
    return alpha, -a[:, None] / np.sqrt(len(a)) * (alpha * r) @ x


@pytest.mark.parametrize("seed", range(6))
def test_residual_of_sliding_weights(seed):
    rng, w, a, x, mask = slider(seed)
    r, z = rng.standard_normal(len(x)), np.where(mask, 0, w @ x.T)
    positive = (z > 0).astype(float)
    _, velocity = inclusion(z, a, x, mask, r)
    assert (abs(velocity @ x.T)[mask] < 1e-9).all()
    for k, chosen in enumerate(mask):
        free = np.eye(x.shape[1]) - projection(x, chosen)
        terms = (positive[k] * r) @ x @ free
        assert velocity[k] == pytest.approx(-a[k] / np.sqrt(len(a)) * terms, abs=1e-9)
    slope = (a[:, None] * positive * (velocity @ x.T)).sum(axis=0) / np.sqrt(len(a))
    double_sum = -sum(np.outer(p, p) * (x @ (np.eye(x.shape[1]) - projection(x, chosen)) @ x.T)
                      for p, chosen in zip(positive, mask, strict=True)) @ r / len(a)
    assert slope == pytest.approx(double_sum, abs=1e-9)
    assert slope == pytest.approx(-sliding_kernel(w, x, mask) @ r, abs=1e-9)


def test_bound_along_a_flow_that_slides():
    """A weight slides on the first sample while others move: fractions within [0, 1], residuals from the outputs."""
    x = np.array([[1.0, 0.0, 0.0], [-0.5, np.sqrt(0.75), 0.0]])
    w = np.array([[0.0, 1.0, 0.0], [2.0, 3.0, 1.0], [2.5, 3.0, 0.0], [-1.0, 2.0, 1.0]])
    a, mask, step = np.ones(4), np.zeros((4, 2), bool), 4e-3
    mask[0, 0] = True
    y = np.maximum(np.where(mask, 0, w @ x.T), 0).sum(axis=0) / 2 - np.array([1.0, 0.5])
    squares, exponent, plain = [], [0.0], [0.0]
    for _ in range(150):
        z = np.where(mask, 0, w @ x.T)
        r = a @ np.maximum(z, 0) / 2 - y
        alpha, velocity = inclusion(z, a, x, mask, r)
        assert 0 < alpha[0, 0] < 1
        assert (abs(velocity[mask.any(axis=1)] @ x[0]) < ROUNDING).all()
        squares.append(r @ r)
        exponent.append(exponent[-1] + step * np.linalg.eigvalsh(sliding_kernel(w, x, mask))[0])
        theta = (z >= 0).astype(float)
        plain.append(plain[-1] + step * np.linalg.eigvalsh((x @ x.T) * (theta.T @ theta) / 4)[0])
        w = w + step * velocity
    assert exponent[-1] > 0.05
    bound = np.exp(-2 * np.array(exponent[:-1])) * squares[0]
    assert (np.array(squares) <= bound * (1 + step)).all()
    assert exponent[-1] < plain[-1]
    assert squares[-1] > np.exp(-4 * exponent[-1]) * squares[0]  # twice the rate would be too much
