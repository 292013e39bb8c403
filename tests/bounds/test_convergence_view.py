"""Spectra of H(t) as the page gets them, against a dense Gram matrix written out entry by entry."""

import numpy as np
import pytest

from descent.bounds.convergence_view import MOST_EIGENVALUES, ranks, run_view, run_words, spectra_view
from tests.test_views import logarithms

STEPS = np.array([0, 1, 5, 30])


@pytest.fixture
def run(rng):
    x = rng.standard_normal((7, 4))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    replicate = np.repeat([0, 1], len(STEPS))
    trajectory = {"replicate": replicate, "step": np.tile(STEPS, 2), "hidden": rng.standard_normal((8, 400 * 4))}
    metrics = {"replicate": np.repeat([0, 1], 31), "step": np.tile(np.arange(31), 2),
               "flow_time": 0.25 * np.tile(np.arange(31), 2), "loss": np.exp(-rng.random(62))}
    return x, trajectory, metrics


def dense(x, weights):
    gram = np.zeros((len(x), len(x)))
    for i, first in enumerate(x):
        for j, second in enumerate(x):
            both = np.mean((weights @ first >= 0) & (weights @ second >= 0))
            gram[i, j] = first @ second * both
    return np.linalg.eigvalsh(gram)[::-1]


def test_eigenvalues_are_those_of_the_dense_gram_matrix(run):
    x, trajectory, metrics = run
    view = run_view(x, trajectory, metrics)
    assert view["eta"] == 0.25
    for replicate in (0, 1):
        found = view["replicates"][replicate]
        assert found["steps"] == STEPS.tolist()
        hidden = trajectory["hidden"][trajectory["replicate"] == replicate].reshape(len(STEPS), -1, 4)
        expected = np.array([dense(x, weights) for weights in hidden])
        assert logarithms(found["eigenvalues"]).reshape(expected.shape) == pytest.approx(expected, rel=1.2e-4)
        losses = metrics["loss"][metrics["replicate"] == replicate]
        assert logarithms(found["losses"]) == pytest.approx(losses[found["loss_steps"]], rel=1.2e-4)
        assert found["loss_steps"][0] == 0
        assert found["loss_steps"][-1] == 30


def test_the_ends_of_the_spectrum_are_always_shown():
    assert ranks(7).tolist() == [1, 2, 3, 4, 5, 6, 7]
    many = ranks(500)
    assert (many[0], many[-1], len(many)) == (1, 500, MOST_EIGENVALUES)


def test_the_view_has_the_limit_and_names_its_runs(run):
    x, trajectory, metrics = run
    limit = np.linspace(3.0, 0.2, 7)
    view = spectra_view(x, limit, {"digit_full_lr": (trajectory, metrics)}, 400)
    assert view["lambda_0"] == 0.2
    assert logarithms(view["limit"]) == pytest.approx(limit, rel=1.2e-4)
    assert [found["words"] for found in view["runs"]] == [run_words("digit_full_lr")] == ["digit labels, small step"]
