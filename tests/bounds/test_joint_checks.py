"""Each check of the training of both layers on data that fulfil its statement, and on data that do not."""

from dataclasses import replace

import numpy as np
import pytest

from descent.bounds import joint_checks as checks
from descent.claims import verdict
from descent.dynamics.joint_flow import random_point
from descent.kernels.joint_spectrum import derivative_terms

POINTS = [random_point(1, index) for index in range(60)]
TERMS = [derivative_terms(point) for point in POINTS]
TABLE = {name: np.concatenate([terms[name] for terms in TERMS]) for name in TERMS[0]}


@pytest.mark.parametrize(("terms", "holds"), [
    (("hidden_squared", "outputs_summed"), True), (("hidden_unweighted", "outputs_summed"), False),
    (("hidden_squared",), False),
])
def test_formula_for_both_layers(terms, holds):
    assert checks.formula_agrees(TABLE, "measured", "rounding", terms).holds is holds


def test_formula_notices_an_error_of_a_billionth():
    wrong = {**TABLE, "outputs_summed": TABLE["outputs_summed"] * (1 + 1e-9)}
    assert not checks.formula_agrees(wrong, "measured_outputs", "rounding_outputs", ("outputs_summed",)).holds
    still = {name: np.zeros(3) for name in TABLE}
    assert checks.formula_agrees(still, "measured", "rounding", ("hidden_squared",)).holds


def test_a_gram_matrix_and_one_with_signs():
    assert any(len(point.targets) > len(point.hidden) for point in POINTS)
    assert checks.positive_semidefinite(POINTS).holds
    assert not checks.positive_semidefinite(POINTS, power=1).holds
    without_activation = replace(POINTS[0], hidden=np.zeros_like(POINTS[0].hidden))
    assert checks.positive_semidefinite([without_activation]).holds


def kept(**more) -> dict[str, np.ndarray]:
    """Three rows in which both layers' speeds are their forms."""
    hidden, output = np.array([3.0, 2.0, 1.0]), np.array([0.5, 0.2, 0.1])
    return {"hidden_form": hidden, "output_form": output, "hidden_speed": hidden, "output_speed": output,
            "form_size": 4 * hidden, "lambda_min_h": np.array([0.3, 0.2, 0.05]), "squared_error": hidden, **more}


def test_decay_of_the_squared_error():
    for check in (checks.decay_is_quadratic_form, checks.decay_at_least_hidden_part):
        assert check(kept(), 10).holds
        assert not check(kept(), 10, sign=-1).holds
    assert not checks.decay_is_quadratic_form(kept(output_speed=np.array([0.5, 0.2, 0.1 + 1e-9])), 10).holds
    assert not checks.decay_at_least_hidden_part(kept(output_speed=np.array([0.5, 0.2, -1e-9])), 10).holds


def test_rate_counts_only_where_the_hypothesis_holds():
    outcome = checks.decay_rate(kept(), 0.2, 2.1)
    assert (outcome.cases, outcome.holds) == (2, True)
    assert not checks.decay_rate(kept(), 0.2, 2.3).holds
    assert verdict(checks.decay_rate(kept(), 1.0, 0.1)) == "hypothesis fails"


def test_balance_of_right_and_wrong_proportions():
    assert checks.balance_is_kept(POINTS).holds
    assert not checks.balance_is_kept(POINTS, factor=1 + 1e-9).holds


def test_bounds_take_the_sum_for_the_contraction_and_the_hidden_part_for_the_hypothesis():
    steps = np.arange(6)
    metrics = {"replicate": np.zeros(6, int), "parts": np.array([1] * 6), "step": steps, "flow_time": 0.1 * steps,
               "loss": 0.5 * np.exp(-0.1 * steps), "remainder": np.zeros(6)}
    spectrum = {"replicate": np.zeros(3, int), "parts": np.array([1, 1, 1]), "step": np.array([0, 2, 5]),
                "lambda_min": np.array([0.5, 0.5, 0.5]), "lambda_max": np.ones(3),
                "lambda_min_h": np.array([0.5, 0.5, 0.2])}
    doubled = [{name: np.concatenate([values, 2 * values]) for name, values in table.items()}
               for table in (metrics, spectrum)]
    for tables in ((metrics, spectrum), [{**table, "replicate": 0 * table["replicate"]} for table in doubled]):
        found = checks.joint_bounds(*tables, 0.6)
        assert found["spectrum_held"].tolist() == [True] * 3 + [False] * 3
        assert found["contraction_held"].all()
        np.testing.assert_allclose(found["log_error"], -0.1 * steps, atol=1e-15)
