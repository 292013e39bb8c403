"""The formulas of report/proofs/tau.4.3-gram_fluctuation.md: in the plane patterns change at finitely many angles,
and expectations over few units are sums over all their patterns, weighted by arcs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

# The last two are opposite to, and the same as, the first.
ANGLES = np.array([0.3, 1.1, 2.9, 0.3 + np.pi, 0.3])
X = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])


def arcs():
    """Probabilities of the arcs of directions of w on which no pattern changes, and the patterns there."""
    cuts = np.unique(np.round(np.concatenate([ANGLES + np.pi / 2, ANGLES - np.pi / 2]) % (2 * np.pi), 12))
    ends = np.append(cuts[1:], cuts[0] + 2 * np.pi)
    middle = (cuts + ends) / 2
    patterns = X @ np.array([np.cos(middle), np.sin(middle)]) >= 0
    return (ends - cuts) / (2 * np.pi), patterns.T.astype(float)


def matrices(units, copies=1):
    """Probability and H(0) for every choice of patterns of `units` independent units, each `copies` times."""
    chances, patterns = arcs()
    for chosen in product(range(len(chances)), repeat=units):
        Z = np.repeat(patterns[list(chosen)], copies, axis=0)
        yield chances[list(chosen)].prod(), (X @ X.T) * (Z.T @ Z) / len(Z)


def pair_probabilities():
    chances, patterns = arcs()
    return sum(c * np.outer(z, z) for c, z in zip(chances, patterns))


def constant():
    p = pair_probabilities()
    return ((X @ X.T) ** 2 * p * (1 - p)).sum()


def limit():
    """The closed form, from the angles and not from the patterns."""
    between = np.arccos(np.clip(np.cos(ANGLES[:, None] - ANGLES), -1, 1))
    return np.cos(ANGLES[:, None] - ANGLES) * (np.pi - between) / (2 * np.pi)


def test_patterns_have_the_probabilities_of_the_closed_form():
    chances, _ = arcs()
    assert chances.sum() == pytest.approx(1)
    assert np.abs((X @ X.T) * pair_probabilities() - limit()).max() < 1e-8


@pytest.mark.parametrize("m", [1, 2, 3])
def test_mean_and_mean_square_of_the_gram_matrix(m):
    p, gram = pair_probabilities(), X @ X.T
    draws = list(matrices(m))
    assert np.abs(sum(c * H for c, H in draws) - limit()).max() < 1e-8
    entries = sum(c * (H - gram * p) ** 2 for c, H in draws)
    assert np.abs(entries - gram ** 2 * p * (1 - p) / m).max() < 1e-12
    squares = sum(c * np.linalg.norm(H - gram * p) ** 2 for c, H in draws)
    assert squares == pytest.approx(constant() / m)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_mean_of_the_spectral_norm(m):
    centre = (X @ X.T) * pair_probabilities()
    mean = sum(c * np.linalg.norm(H - centre, 2) for c, H in matrices(m))
    assert 0.5 * np.sqrt(constant() / m) < mean <= np.sqrt(constant() / m)
    assert constant() <= ((X @ X.T) ** 2).sum() / 4
    p = pair_probabilities()
    assert np.abs(0.25 - p * (1 - p) - (0.5 - p) ** 2).max() < 1e-15


def test_gram_matrix_of_pairs():
    """Four units in two pairs against two units: the same matrices with the same probabilities, and C/(m/2)."""
    pairs, single = list(matrices(2, copies=2)), list(matrices(2))
    assert all(c == d and np.abs(H - K).max() < 1e-15 for (c, H), (d, K) in zip(pairs, single))
    centre = (X @ X.T) * pair_probabilities()
    assert sum(c * np.linalg.norm(H - centre) ** 2 for c, H in pairs) == pytest.approx(constant() / (4 / 2))


def test_gram_matrix_of_a_network(rng):
    """J Jᵀ of f(x) = m^{−1/2} Σ a_r max(w_rᵀx, 0), J by differences: f is piecewise linear in the weights."""
    m, step = 4, 1e-6
    w, a = rng.normal(size=(m, 2)), rng.choice([-1.0, 1.0], size=m)

    def outputs(flat):
        return np.maximum(X @ flat.reshape(m, 2).T, 0) @ a / np.sqrt(m)

    J = np.array([(outputs(w.ravel() + step * e) - outputs(w.ravel() - step * e)) / (2 * step) for e in np.eye(2 * m)])
    Z = (X @ w.T >= 0).astype(float)
    assert np.abs(J.T @ J - (X @ X.T) * (Z @ Z.T) / m).max() < 1e-8
