"""Minimization on the kinks of ReLU against closed forms, definitions and neighbouring points."""

import numpy as np
import pytest

from descent.dynamics.kink_newton import minimize_objective
from descent.networks.relu_objective import ReluObjective


def problem(seed: int, loss: str, penalty: str, decay: float) -> tuple:
    rng = np.random.default_rng(seed)
    inputs, targets = rng.standard_normal((8, 3)), rng.standard_normal((8, 2))
    targets = np.sign(targets) if loss == "logistic" else targets / np.linalg.norm(targets)
    objective = ReluObjective(inputs / np.linalg.norm(inputs, 2), targets, loss, penalty, decay)
    return objective, rng.standard_normal((4, 3)), rng.standard_normal((4, 2)), rng


CASES = [(seed, loss, penalty, decay) for seed in range(5) for loss, penalty, decay in
         [("squared", "squared", 0.1), ("squared", "mixed", 0.05), ("logistic", "squared", 0.3),
          ("logistic", "mixed", 0.5)]]


@pytest.mark.parametrize(("seed", "loss", "penalty", "decay"), CASES)
def test_the_end_is_stationary_downhill_and_a_local_minimum(seed, loss, penalty, decay):
    objective, hidden, outputs, rng = problem(seed, loss, penalty, decay)
    found = minimize_objective(objective, hidden, outputs)
    assert found.residual <= 1e-10
    assert found.curvature >= -1e-9
    value = objective.value(found.hidden, found.outputs)
    assert value <= objective.value(hidden, outputs)
    alive = np.linalg.norm(found.hidden, axis=1) > 0
    assert (alive == (np.linalg.norm(found.outputs, axis=1) > 0)).all()
    # Random points near by, of units that are not 0, are no better.
    for size in (1e-3, 1e-4):
        for _ in range(50):
            moved = (found.hidden + size * alive[:, None] * rng.standard_normal(hidden.shape),
                     found.outputs + size * alive[:, None] * rng.standard_normal(outputs.shape))
            assert objective.value(*moved) >= value - 1e-13


def test_the_kinks_are_exact_and_met():
    counts = []
    for case in CASES:
        objective, hidden, outputs, _ = problem(*case)
        found = minimize_objective(objective, hidden, outputs)
        alive = np.linalg.norm(found.hidden, axis=1) > 0
        distance = np.abs(objective.inputs @ found.hidden[alive].T) / np.linalg.norm(found.hidden[alive], axis=1)
        assert np.sum(distance < 1e-12) == found.kinks
        counts.append(found.kinks)
    assert max(counts) > 0


def test_a_minimum_on_a_kink_in_closed_form():
    # ½ Σ (y − relu(v·x))² with x = e_1 ± e_2 and outputs near 1: the second sample wants −1 and gets 0.
    inputs, targets = np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([[1.0], [-1.0]])
    objective = ReluObjective(inputs, targets, "squared", "squared", 0.1)
    found = minimize_objective(objective, np.array([[1.0, 0.9]]), np.array([[1.0]]))
    # v = t (1, 1)/√2 lies on the kink of the second sample; u = t, and (1 − √2 t²) √2 = λ.
    t = np.sqrt((1 - 0.1 / np.sqrt(2)) / np.sqrt(2))
    assert found.kinks == 1
    np.testing.assert_allclose(found.hidden, t * np.sqrt(0.5) * np.ones((1, 2)), rtol=1e-10)
    np.testing.assert_allclose(found.outputs, [[t]], rtol=1e-10)


def test_a_dead_unit_becomes_zero():
    objective = ReluObjective(np.array([[1.0], [2.0]]), np.array([[1.0], [2.0]]), "squared", "squared", 0.1)
    found = minimize_objective(objective, np.array([[1.0], [-1.0]]), np.array([[1.0], [1.0]]))
    assert found.hidden[1, 0] == found.outputs[1, 0] == 0
    assert found.hidden[0, 0] == pytest.approx(np.sqrt(1 - 0.1 / 5), rel=1e-10)
