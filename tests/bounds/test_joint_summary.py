"""Numbers about the training of both layers, on tables whose numbers are known."""

import numpy as np
import pytest

from descent.bounds import joint_summary as summary
from descent.dynamics.joint_flow import random_point
from descent.kernels.joint_spectrum import derivative_terms


def test_formulas_are_right_or_wrong_point_by_point():
    parts = []
    for index, signs in ((0, False), (1, False), (0, True), (1, True)):
        terms = derivative_terms(random_point(1, index))
        if signs:
            terms["outputs_printed"] = terms["outputs_summed"]
        n = len(terms["measured"])
        parts.append({"point": np.full(n, index), "signs": np.full(n, signs), **terms})
    found = summary.derivative_values({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    assert (found["points"], found["right_off"], found["output_layer_off"]) == (2, 0, 0)
    assert found["unweighted_off"] == found["weighted_off"] == found["printed_off"] == 1
    assert found["printed_off_signs"] == 0
    assert found["right_error"] < 1 < found["one_unit_error"]


def run(factors: list[float]) -> dict[str, np.ndarray]:
    """Losses that fall from 8 by a factor of a hundred and one of `factors`, one for each replicate."""
    losses = np.concatenate([[8.0, 1.0 * factor, 0.08 * factor] for factor in factors])
    return {"replicate": np.repeat(np.arange(len(factors)), 3), "parts": np.ones(len(losses), int), "loss": losses}


def test_comparison_in_orders_of_magnitude():
    found = summary.comparison(run([1.0, 1.0, 1.0]), run([10.0, 100.0, 1000.0]))
    assert found["orders"] == pytest.approx(2)
    # Student's quantile with two degrees of freedom, standard deviation 1.
    assert found["orders_high"] - 2 == pytest.approx(4.302653 / 3**0.5)
    assert (found["ahead"], found["always_ahead"]) == (3, 3)
    mixed = summary.comparison(run([1.0, 1.0]), run([0.5, 10.0]))
    assert (mixed["ahead"], mixed["always_ahead"]) == (1, 1)


def test_limits_of_orthogonal_samples():
    found = summary.limit_values(np.eye(3))
    # H∞ = I/2; G∞ has 1/2 on the diagonal and 1/(2 pi) beside it.
    assert (found["lambda_0"], found["g_limit"]) == pytest.approx((0.5, 0.5 - 0.5 / np.pi))
    assert found["lambda_max_limit"] == pytest.approx(1 + 1 / np.pi)


def test_findings_say_what_the_numbers_say():
    numbers = {"both_lambda_min_h_first": 0.05, "both_lambda_min_h_last": 0.08, "hidden_lambda_min_h_last": 0.02,
               "both_lambda_min_unweighted_last": 0.03, "lambda_0": 0.06, "orders": 3.0, "orders_low": 2.5,
               "orders_high": 3.5, "both_flow_fails": 0}
    first, second = summary.findings(numbers)
    assert "rises from 0.05 to 0.08, because the output weights grow; with the hidden layer alone it falls" in first
    assert "never exceeded" in second
    first, second = summary.findings({**numbers, "both_lambda_min_h_last": 0.04, "both_flow_fails": 1})
    assert "falls from 0.05 to 0.04;" in first
    assert "fails" in second


def test_measured_rate_is_that_of_the_last_steps():
    step = np.arange(101)
    loss = np.where(step < 90, np.exp(-step / 10), np.exp(-9 - (step - 90) / 100))
    table = {name: np.tile(values, 2) for name, values in (
        ("step", step), ("flow_time", 0.5 * step), ("loss", loss), ("parts", np.ones(101, int)))}
    table["replicate"] = np.repeat([0, 1], 101)
    assert summary.measured_rate(table) == pytest.approx(0.02)
    assert summary.measured_rate(table, part=1e-6) == pytest.approx(0.02)
