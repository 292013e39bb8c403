"""The formulas of report/proofs/tau.4.modes.md for random kernels, sequences, networks and all orders of labels."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

N, STEPS = 4, 6


@pytest.fixture
def kernel(rng):
    """H, its eigenvalues and eigenvectors (columns), and a step with ηλ in [0, 2], both ends attained."""
    basis = np.linalg.qr(rng.normal(size=(N, N)))[0]
    values = np.array([0.0, 0.5, 1.0, 4.0])
    return basis @ np.diag(values) @ basis.T, values, basis, 0.5


def defects(H, eta, r):
    return [after - (np.eye(N) - eta * H) @ before for before, after in zip(r[:-1], r[1:])]


def test_modes_with_defects(rng, kernel):
    """For an arbitrary sequence."""
    H, values, basis, eta = kernel
    r = rng.normal(size=(STEPS, N))
    d, step = defects(H, eta, r), np.eye(N) - eta * H
    for k in range(STEPS):
        for value, v in zip(values, basis.T):
            factor = 1 - eta * value
            right = factor ** k * v @ r[0] + sum(factor ** (k - 1 - s) * v @ d[s] for s in range(k))
            assert v @ r[k] == pytest.approx(right, abs=1e-12)
            assert k + 1 == STEPS or v @ r[k + 1] == pytest.approx(factor * v @ r[k] + v @ d[k], abs=1e-12)
        powers = [np.linalg.matrix_power(step, k - 1 - s) @ d[s] for s in range(k)]
        assert r[k] - np.linalg.matrix_power(step, k) @ r[0] == pytest.approx(sum(powers) + np.zeros(N), abs=1e-12)


def test_energy_without_defects(rng, kernel):
    """J of more weights than samples, and of fewer: descent on the linearized loss, step by step in the weights."""
    for weights in (2, 6):
        J, outputs, y = rng.normal(size=(N, weights)), rng.normal(size=N), rng.normal(size=N)
        theta, eta = np.zeros(weights), 0.1
        values, basis = np.linalg.eigh(J @ J.T)
        for k in range(STEPS):
            r = outputs + J @ theta - y
            energy = ((1 - eta * values) ** (2 * k) * (basis.T @ (outputs - y)) ** 2).sum()
            assert r @ r == pytest.approx(energy, rel=1e-12)
            theta = theta - eta * J.T @ r


def test_distance_from_the_fixed_kernel(rng, kernel):
    H, _, basis, eta = kernel
    for r in rng.normal(size=(20, STEPS, N)):
        sizes = [np.linalg.norm(d) for d in defects(H, eta, r)]
        for k in range(STEPS):
            fixed = np.linalg.matrix_power(np.eye(N) - eta * H, k) @ r[0]
            assert np.linalg.norm(r[k] - fixed) <= sum(sizes[:k]) + 1e-12
    constant = np.outer(np.arange(STEPS), basis[:, 0])
    assert sum(np.linalg.norm(d) for d in defects(H, eta, constant)) == pytest.approx(STEPS - 1)


def test_the_distance_needs_small_steps(kernel):
    """At ηλ = 2.4 a defect is amplified."""
    H, _, basis, _ = kernel
    d = basis[:, 3]
    r = np.array([0 * d, d, (np.eye(N) - 0.6 * H) @ d])
    assert np.linalg.norm(r[2]) > sum(np.linalg.norm(e) for e in defects(H, 0.6, r)) + 0.3


def test_defects_of_a_relu_network(rng):
    """e(k) from the flipped units alone; the step is large enough for flips."""
    m, eta = 12, 1.5
    X, y = rng.normal(size=(N, 3)), rng.normal(size=N)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    w, a = rng.normal(size=(m, 3)), rng.choice([-1.0, 1.0], size=m)

    def patterns(w):
        return (X @ w.T >= 0).astype(float)

    def gram(w):
        return X @ X.T * (patterns(w) @ patterns(w).T) / m

    def residual(w):
        return np.maximum(X @ w.T, 0) @ a / np.sqrt(m) - y

    first, flips = gram(w), 0
    for _ in range(5):
        r, Z = residual(w), patterns(w)
        stepped = w - eta / np.sqrt(m) * a[:, None] * ((Z * r[:, None]).T @ X)
        flipped = patterns(stepped) != Z
        e = (flipped * abs(X @ stepped.T)) @ a / np.sqrt(m)
        defect = residual(stepped) - (np.eye(N) - eta * first) @ r
        assert defect == pytest.approx(eta * (first - gram(w)) @ r + e, abs=1e-13)
        flips, w = flips + flipped.sum(), stepped
    assert flips > 3
    assert np.abs(gram(w) - first).max() > 0.01


def orders(rng):
    y = rng.normal(size=N)
    y -= y.mean()
    return y, np.array(list(permutations(y)))


def test_labels_in_random_order(rng):
    y, drawn = orders(rng)
    moment = drawn.T @ drawn / len(drawn)
    assert np.abs(moment - y @ y / (N - 1) * (np.eye(N) - np.ones((N, N)) / N)).max() < 1e-13
    for v in [*rng.normal(size=(5, N)), np.ones(N), np.array([1.0, -1, 0, 0])]:
        v = v / np.linalg.norm(v)
        right = y @ y / (N - 1) * (1 - v.sum() ** 2 / N)
        assert ((drawn @ v) ** 2).mean() == pytest.approx(right, abs=1e-13)


def test_mean_error_of_labels_in_random_order(rng, kernel):
    H, values, basis, eta = kernel
    y, drawn = orders(rng)
    for k in range(STEPS):
        step = np.linalg.matrix_power(np.eye(N) - eta * H, k)
        mean = ((drawn @ step.T) ** 2).sum(axis=1).mean()
        modes = (1 - eta * values) ** (2 * k) * (1 - basis.sum(axis=0) ** 2 / N)
        assert mean == pytest.approx(y @ y / (N - 1) * modes.sum())
