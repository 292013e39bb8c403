"""Each check on data that fulfil its statement, and on data that do not."""

import numpy as np
import pytest

from descent.bounds import convergence_checks as checks
from descent.claims import verdict
from descent.kernels.neural_tangent_kernel import h_infinity

RNG = np.random.default_rng(5)
X = RNG.standard_normal((12, 5))
X /= np.linalg.norm(X, axis=1, keepdims=True)


def run(rate: float, steps: int = 50, held: int = 50, eta: float = 0.1, replicate: int = 0) -> dict:
    """A run whose squared error falls exactly like e^{−rate t}."""
    k = np.arange(steps)
    return {"replicate": np.full(steps, replicate), "step": k, "flow_time": eta * k, "log_error": 2.0 - rate * eta * k,
            "remainder": np.zeros(steps), "spectrum_held": k < held, "contraction_held": k < held}


def test_unit_length_and_number():
    assert checks.unit_length(X, 12, 2).holds
    assert not checks.unit_length(X, 13, 2).holds
    assert not checks.unit_length(1.001 * X, 12, 2).holds


def test_a_copied_sample_makes_the_gram_matrix_singular():
    copied = np.vstack([X, X[:1]])
    weights = [RNG.standard_normal((400, 5))]
    assert checks.positive_definite(X).holds
    assert checks.positive_definite(X, weights).holds
    assert not checks.positive_definite(copied).holds
    assert not checks.positive_definite(copied, weights).holds


@pytest.mark.parametrize(("factor", "holds"), [(1.0, True), (0.95, False)])
def test_closed_form_notices_a_factor(factor, holds):
    counts = checks.joint_counts(X, np.random.default_rng(1), 50_000, block=20_000)
    assert np.diag(counts).sum() == pytest.approx(12 * 25_000, rel=0.02)
    assert checks.closed_form(X, counts, 50_000, factor * h_infinity(X), 1e-3).holds is holds


def test_width_exponent():
    widths = np.array([10, 100, 1000, 10000, 100000])
    distances = 3 * widths**-0.5 * np.exp([0.02, -0.03, 0.01, 0.03, -0.02])
    assert checks.width_exponent(widths, distances, -0.5, 1e-3).holds
    assert not checks.width_exponent(widths, distances, -1.0, 1e-3).holds


@pytest.mark.parametrize("kind", ["flow", "discrete", "remainder"])
def test_bound_is_judged_only_while_the_condition_held(kind):
    table = run(0.5)
    assert checks.bound_along_descent([table], kind, 0.3, None).holds
    late = {**table, "log_error": np.where(table["step"] < 30, table["log_error"], 5.0)}
    assert not checks.bound_along_descent([late], kind, 0.3, None).holds
    condition = "spectrum_held"
    assert checks.bound_along_descent([run(0.5), {**late, condition: table["step"] < 30}], kind, 0.3, condition).holds
    assert verdict(checks.bound_along_descent([run(0.5, held=0)], kind, 0.3, condition)) == "hypothesis fails"


def test_not_a_number_is_above_every_bound():
    table = run(0.5)
    table["log_error"][20] = np.nan
    assert not checks.bound_along_descent([table], "flow", 0.3, None).holds


def test_flow_limit_needs_convergence_and_the_bound():
    coarse, middle, fine = (run(0.5 + shift) for shift in (0.04, 0.02, 0.01))
    assert verdict(checks.flow_limit(coarse, middle, fine, 0.3)) == "holds"
    assert verdict(checks.flow_limit(coarse, middle, fine, 0.6)) == "refuted"
    assert verdict(checks.flow_limit(fine, fine, coarse, 0.3)) == "hypothesis fails"


def test_least_eigenvalue_and_movement():
    table = {"lambda_min": np.array([0.3, 0.2]), "step": np.arange(2)}
    assert checks.least_eigenvalue_kept([table], 0.2).holds
    assert not checks.least_eigenvalue_kept([table], 0.21).holds
    assert verdict(checks.weights_stay_within(1.0, 5.0, 3, 6.0, {})) == "holds"
    assert verdict(checks.weights_stay_within(1.0, 9.0, 3, 6.0, {})) == "vacuous"
    assert verdict(checks.weights_stay_within(1.0, 0.5, 3, 6.0, {})) == "refuted"
    assert verdict(checks.weights_stay_within(1.0, 0.5, 3, 6.0, {"wide": False})) == "hypothesis fails"
