"""Products and descents of the study at sizes at which a matrix fits."""

import numpy as np
import pytest

from descent.bounds import implicit_convolution as study
from descent.bounds import implicit_convolution_checks as checks
from descent.dynamics import huber_descent


def test_products_are_counted_and_compared(rng):
    rows = study.product_rows(rng, 500, {"int64": 3, "complex64": 3, "long float64": 100})
    assert [row["dtype"] for row in rows] == ["int64", "complex64", "float64"]
    assert [row["direct"] for row in rows] == [True, True, False]
    assert rows[0]["error"] == rows[0]["adjoint"] == 0
    assert rows[1]["dense_bytes"] == 8 * 500 * 498
    assert 0 < rows[2]["error"] < 1e-14 < 1e-8 < 10 * rows[1]["error"] < 1e-5


def test_the_certificate_of_a_large_descent_is_an_upper_bound():
    problem = huber_descent.legacy_problem(60, 3, 0.1)
    table = study.large_descents(problem, {"short": (0.01, 30), "long": (0.18, 300)})
    optimum = huber_descent.minimizer(problem)
    for name, step, iterations in (("short", 0.01, 30), ("long", 0.18, 300)):
        x = huber_descent.descend(problem.dense, problem.targets, 0.1, step, np.zeros(60), iterations)
        row = np.flatnonzero(table["run"] == name)[-1]
        assert table["iteration"][row] == iterations
        assert table["gradient"][row] == pytest.approx(np.linalg.norm(problem.gradient(x)), rel=1e-3, abs=1e-13)
        assert table["certified"][row] >= np.linalg.norm(x - optimum) / np.linalg.norm(optimum) - 1e-13


def test_recorded_iterations_hold_those_that_are_read():
    found = study.recorded_iterations(100, 2000, 20)
    assert {0, 100, 2000 - study.LATE, 2000} <= {*found.tolist()}
    assert (np.diff(found) > 0).all()


def test_a_wrong_operator_is_noticed(rng):
    problem = huber_descent.legacy_problem(20, 3, 0.1)
    assert checks.same_descent(problem, 0.01, 50, flipped=False).holds
    assert not checks.same_descent(problem, 0.01, 50, flipped=True).holds
    x = rng.standard_normal(1000).astype(np.float32)
    kernel = np.array([1.0, 1 / 3, -0.7], np.float32)
    assert checks.rounding_of_sums(kernel, x, 2.0**-24).holds
    assert not checks.rounding_of_sums(kernel, x, 2.0**-26).holds
