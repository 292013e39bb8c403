"""H, G, wrong formulas and the rows of a trajectory against loops and dense linear algebra."""

from dataclasses import replace

import numpy as np
import pytest

from descent.dynamics.joint_flow import random_point
from descent.kernels.joint_spectrum import (
    derivative_terms,
    joint_row,
    joint_spectrum,
    rounding_size,
    tangent_parts,
    weighted_activations,
)
from descent.pipeline.tables import read_table, write_table

POINTS = [random_point(1, index) for index in range(20)]


@pytest.mark.parametrize("power", [0, 1, 2])
def test_weighted_activations_by_a_loop(power):
    for point in POINTS[:5]:
        activations = np.maximum(point.inputs @ point.hidden.T, 0)
        expected = sum(a**power * np.outer(f, f) for a, f in zip(point.outputs, activations.T)) / len(point.hidden)
        np.testing.assert_allclose(weighted_activations(point, power), expected, atol=1e-13)


def test_terms_are_what_their_names_say():
    for point in POINTS:
        terms, (hidden_part, output_part), m = derivative_terms(point), tangent_parts(point), len(point.hidden)
        unweighted = replace(point, outputs=np.ones(m))
        pull = -point.residual
        np.testing.assert_array_equal(terms["hidden_squared"], hidden_part @ pull)
        np.testing.assert_allclose(terms["hidden_unweighted"], tangent_parts(unweighted)[0] @ pull, atol=1e-13)
        np.testing.assert_array_equal(terms["outputs_summed"], output_part @ pull)
        first = np.maximum(point.inputs @ point.hidden[0], 0)
        np.testing.assert_allclose(terms["outputs_one_unit"], first * (first @ pull) / m, atol=1e-13)
        best = np.abs(output_part * pull - terms["measured_outputs"][:, None]).min(axis=1)
        np.testing.assert_array_equal(np.abs(terms["outputs_printed"] - terms["measured_outputs"]), best)
        assert np.all(np.abs(terms["measured"] - (hidden_part + output_part) @ pull) <= terms["rounding"])
        assert np.all(rounding_size(point) >= np.abs(hidden_part + output_part) * (1 - 1e-12))


def test_row_against_singular_values_and_gradients():
    start = POINTS[0]
    point = replace(start, hidden=start.hidden + 0.3, outputs=1.5 * start.outputs)
    row, (hidden_part, output_part) = joint_row(point, start), tangent_parts(point)
    for names, kernel in ((("lambda_min", "lambda_max"), hidden_part + output_part),
                          (("lambda_min_g", "lambda_max_g"), output_part)):
        singular = np.linalg.svd(kernel, compute_uv=False)
        np.testing.assert_allclose([row[name] for name in names], singular[[-1, 0]], atol=1e-13)
    assert row["lambda_min_h"] == pytest.approx(np.linalg.svd(hidden_part, compute_uv=False)[-1], abs=1e-13)
    residual = point.residual
    assert row["hidden_speed"] == pytest.approx(residual @ hidden_part @ residual)
    assert row["output_speed"] == pytest.approx(residual @ output_part @ residual)
    assert (row["hidden_form"], row["output_form"]) == pytest.approx((row["hidden_speed"], row["output_speed"]))
    assert row["movement"] == pytest.approx(0.3 * start.hidden.shape[1] ** 0.5)
    assert row["output_movement"] == pytest.approx(0.5 * np.abs(start.outputs).max())
    squares = [np.sum(at.hidden**2, axis=1) - at.outputs**2 for at in (point, start)]
    assert row["balance_drift"] == pytest.approx(np.abs(squares[0] - squares[1]).max())


def test_each_run_is_compared_with_its_own_start(tmp_path, rng):
    point, digits = POINTS[1], np.arange(len(POINTS[1].targets)) % 10
    hidden, outputs = rng.standard_normal((4, *point.hidden.shape)), rng.standard_normal((4, len(point.hidden)))
    write_table(tmp_path / "kept", {
        "replicate": np.array([0, 0, 1, 1]), "parts": np.array([1, 1, 1, 1]), "step": np.array([0, 5, 0, 5]),
        "flow_time": np.zeros(4), "crossings": np.zeros(4), "hidden": hidden.reshape(4, -1), "outputs": outputs})
    write_table(tmp_path / "data", {"x": point.inputs, "digit": digits})
    joint_spectrum({"labels": "parity"}, {"trajectory": tmp_path / "kept", "data": tmp_path / "data"},
                   {"table": tmp_path / "out"})
    table, points = read_table(tmp_path / "out"), [replace(point, hidden=w, outputs=a, targets=1.0 - 2.0 * (digits % 2))
                                                   for w, a in zip(hidden, outputs, strict=True)]
    expected = [joint_row(at, start) for at, start in zip(points, np.repeat(points[::2], 2), strict=True)]
    for name in expected[0]:
        np.testing.assert_array_equal(table[name], [row[name] for row in expected])
    assert table["movement"][[0, 2]].tolist() == [0, 0]
