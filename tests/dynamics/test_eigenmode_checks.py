"""Each check on data that fulfil its statement, and on data that do not."""

import numpy as np

from descent.claims import verdict
from descent.dynamics import eigenmode_checks as checks
from descent.dynamics.eigenmodes import permuted_errors
from descent.dynamics.kernel_dynamics import KernelDynamics
from descent.networks.antisymmetric import initial_weights

RNG = np.random.default_rng(5)
X = RNG.standard_normal((10, 4))
X /= np.linalg.norm(X, axis=1, keepdims=True)


def test_linearized_descent_decays_with_twice_the_exponent():
    starts = [initial_weights(False, 1, r, 16, 4) for r in range(2)]
    arguments = (starts, X, RNG.standard_normal(10), 0.2, 40)
    outcome = checks.linearized_prediction(*arguments, power=2)
    assert outcome.holds
    assert outcome.cases == 82
    assert not checks.linearized_prediction(*arguments, power=1).holds


def test_distances_are_held_against_the_sum_of_defects_from_the_second_step_on():
    table = {"step": np.arange(4), "deviation_zero": np.array([0, 1, 1.5, 2]), "defect_sum": np.array([0, 1, 2, 3.0]),
             "stability": np.full(4, 0.8)}
    outcome = checks.defects_add_up(table, "deviation_zero")
    assert outcome.holds
    assert (outcome.observed, outcome.cases) == (0.75, 2)
    assert not checks.defects_add_up({**table, "deviation_zero": np.array([0, 1, 1.5, 3.1])}, "deviation_zero").holds
    unstable = {**table, "stability": np.full(4, 2.1)}
    assert verdict(checks.defects_add_up(unstable, "deviation_zero")) == "hypothesis fails"


def test_labels_along_the_top_modes_are_aligned_and_shuffled_ones_are_not():
    a = RNG.standard_normal((60, 60))
    dynamics = KernelDynamics(a @ a.T / 60, np.zeros(60))
    y = dynamics.eigenvectors[:, -10:] @ RNG.standard_normal(10)
    permuted = permuted_errors(dynamics, y, 0.5, np.random.default_rng(1), 100_000)
    assert checks.aligned(dynamics, y, permuted, 0.5).holds
    outcome = checks.aligned(dynamics, RNG.permutation(y), permuted, 0.5)
    assert not outcome.holds
    assert outcome.cases == 100_000
