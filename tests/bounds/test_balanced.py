"""Closed forms of the scalar problem against dense searches, and what the checks reject."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descent.bounds import balanced, balanced_checks
from descent.networks.relu_objective import ReluObjective

DECAYS = st.floats(0.005, 0.6)


def searched(target: float, decay: float) -> float:
    c = np.linspace(0, 2 * target, 200001)
    return c[np.argmin(0.5 * (target - c) ** 2 + 1.5 * decay * (c / 2) ** (2 / 3))]


@given(st.floats(0.01, 5), DECAYS)
def test_the_scalar_minimizer_is_that_of_a_search(target, decay):
    if abs(target / balanced.first_target(decay) - 1) > 0.01:
        assert balanced.scalar_mixed(target, decay) == pytest.approx(searched(target, decay), abs=3e-5 * target)


@given(DECAYS)
def test_the_thresholds_separate(decay):
    first, local = balanced.first_target(decay), balanced.first_local_target(decay)
    assert local < first
    assert balanced.scalar_mixed(0.999 * first, decay) == 0
    assert balanced.scalar_mixed(1.001 * first, decay) >= balanced.least_product(decay)
    # A local minimizer beside 0 is a sign change of the derivative from - to +.
    c = np.geomspace(1e-4, 10, 20001)
    for y, exists in ((0.999 * local, False), (1.001 * local, True)):
        slope = c - y + 0.5 * decay * np.cbrt(2 / c)
        assert np.any(slope < 0) == exists


@pytest.mark.parametrize("decay", [0.02, 0.1, 0.24])
def test_a_quarter_is_balanced(decay):
    assert balanced.scalar_mixed(decay + 0.25, decay) == pytest.approx(0.25, rel=1e-12)


def test_above_a_quarter_nothing_is_balanced():
    assert balanced.least_product(0.25) == pytest.approx(0.25)
    assert balanced.scalar_mixed(0.3 + 0.25, 0.3) == 0


def test_scalar_rows_find_the_closed_forms():
    starts, targets = np.array([[0.1, 0.1], [1.0, 1.0], [3.0, 1.5]]), [0.05, 0.2, 0.5, 1.0]
    for penalty, law in (("squared", balanced.scalar_balanced), ("mixed", balanced.scalar_mixed)):
        rows = balanced.scalar_rows(penalty, 0.1, targets, starts)
        products = [row["norm_outputs"] * row["norm_hidden"] for row in rows]
        np.testing.assert_allclose(products, [law(y, 0.1) for y in targets], atol=1e-9)


def test_fixed_step_follows_the_linear_growth():
    """One unit, one sample: e ← (1 − ηλ) e along the top direction, λ = u² + v²."""
    hidden, outputs, x, eta = np.array([[1.0]]), np.array([[2.0]]), np.array([[1.0]]), 0.3
    found = balanced.fixed_step(hidden, outputs, x, np.array([0.0, 1.0]), eta, 1, 1e-7)
    # λ = 5 and 16.25; the loss is quadratic in e.
    assert found["last"] == pytest.approx([(1 - 0.3 * 5) ** 2, (1 - 0.3 * 16.25) ** 2], rel=1e-4)


def test_rescaling_scales_the_blocks(rng):
    hidden, outputs, x = rng.standard_normal((3, 2)), rng.standard_normal((3, 1)), rng.standard_normal((6, 2))
    table = balanced.rescaling(hidden, outputs, x, np.array([-1.0, 0.0, 1.0]))
    targets = np.maximum(x @ hidden.T, 0) @ outputs
    for i, alpha in enumerate((0.5, 1.0, 2.0)):
        matrix = ReluObjective(x, targets, "squared", "none", 0.0).hessian(hidden / alpha, alpha * outputs)
        assert table["sharpness"][i] == pytest.approx(np.linalg.eigvalsh(matrix)[-1])
        assert table["of_hidden"][i] == pytest.approx(np.linalg.eigvalsh(matrix[:6, :6])[-1])
        assert table["of_outputs"][i] == pytest.approx(np.linalg.eigvalsh(matrix[6:, 6:])[-1])


def test_the_rational_check_sees_a_wrong_point():
    points = ([Fraction(1, 10), Fraction(1, 2)], [Fraction(1, 2), Fraction(2, 3)])
    assert balanced_checks.rational_points(*points).holds
    assert not balanced_checks.rational_points(*points, factor=3).holds


def test_balance_is_judged_by_the_residual():
    table = {"norm_outputs": np.array([1.0]), "norm_hidden": np.array([1.0 + 1e-6]), "decay": np.array([0.1]),
             "residual": np.array([1e-7])}
    assert not balanced_checks.layers_balanced({**table, "residual": np.array([1e-8])}).holds
    assert balanced_checks.layers_balanced({**table, "residual": np.array([2e-7])}).holds


def test_the_ratio_law_is_judged_by_the_residual():
    table = {"norm_outputs": np.array([2.0 * (1 + 1e-6), 0.0]), "norm_hidden": np.array([1.0, 0.0]),
             "decay": np.array([0.1, 0.1]), "residual": np.array([1e-6, 0.0])}
    assert balanced_checks.ratio_law([table]).cases == 1
    assert balanced_checks.ratio_law([table]).holds
    assert not balanced_checks.ratio_law([{**table, "residual": np.array([1e-9, 0.0])}]).holds
