"""Bounds of stages, the checks on data that fulfil a statement and on data that do not, and the comparison."""

import numpy as np
import pytest

from descent.bounds import stagewise_checks as checks
from descent.bounds import stagewise_summary as summary
from descent.bounds.stagewise import chain, exchanged, nested_subsets, stage_bounds, stage_rates
from descent.kernels.neural_tangent_kernel import h_infinity

RNG = np.random.default_rng(5)
X = RNG.standard_normal((30, 5))
X /= np.linalg.norm(X, axis=1, keepdims=True)
LABELS = np.arange(30) % 10
SETS = nested_subsets(LABELS, [2, 5, 10])
RATES = {5: 0.2, 10: 0.1}


def run(decays=(0.3, 0.2), digits=(5, 10), steps=20, eta=0.5, replicates=2) -> tuple[dict, dict]:
    """Two stages whose squared errors fall exactly like e^{−decay t}, the least eigenvalues at their limits."""
    metrics, states = [], []
    for replicate in range(replicates):
        for stage, (decay, count) in enumerate(zip(decays, digits)):
            k = np.arange(steps + 1)
            common = {"replicate": np.full(steps + 1, replicate), "stage": np.full(steps + 1, stage + 1),
                      "digits": np.full(steps + 1, count), "samples": np.full(steps + 1, 3 * count),
                      "stage_step": k, "step": k + stage * steps, "flow_time": eta * (k + stage * steps)}
            loss = 7.0 * (1 + replicate) * np.exp(-decay * eta * k)
            metrics.append({**common, "loss": loss, "remainder": np.zeros(steps + 1), "all_loss": loss})
            kept = {name: values[[0, steps]] for name, values in common.items()}
            states.append({**kept, "lambda_min": np.full(2, RATES[count]), "lambda_max": np.ones(2)})
    return tuple({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
                 for parts in (metrics, states))


def test_subsets_are_nested_and_their_chain_grows_by_one_sample():
    inner, outer = chain(SETS)
    assert [int(s.sum()) for s in SETS] == [6, 15, 30]
    assert [(int(a.sum()), int(b.sum())) for a, b in zip(inner, outer)] == [(6, 7), (7, 15), (15, 16), (16, 30)]
    assert not any((a & ~b).any() for a, b in zip(inner, outer))
    swapped = exchanged(inner, outer)
    assert [int((a & ~b).sum()) for a, b in zip(swapped, outer)] == [1, 1, 1, 0]
    assert [a.sum() for a in swapped] == [a.sum() for a in inner]


def test_interlacing_and_least_eigenvalues():
    gram, (inner, outer) = h_infinity(X), chain(SETS)
    assert checks.interlacing([gram], inner, outer).holds
    assert checks.interlacing([gram], inner, outer).cases == 2 * (6 + 7 + 15 + 16)
    assert not checks.interlacing([gram], exchanged(inner, outer), outer).holds
    assert checks.falling_least_eigenvalue(gram, SETS).holds
    assert not checks.falling_least_eigenvalue(gram, SETS[::-1]).holds
    rates = stage_rates(X, LABELS, [2, 10])
    assert rates[10] == np.linalg.eigvalsh(gram)[0]
    assert rates[2] > rates[10]


def test_bounds_start_anew_in_each_stage():
    table = stage_bounds(*run(), RATES)
    starts = table["step"] == 0
    assert starts.sum() == 4
    np.testing.assert_array_equal(table["log_error"][starts], table["log_flow_bound"][starts])
    assert set(table["relative_eigenvalue"]) == {2.0}
    np.testing.assert_allclose(table["log_flow_bound"][20], np.log(14) - 0.2 * 10)
    assert table["total_time"].max() == 20
    assert table["contraction_held"].all()


@pytest.mark.parametrize(("check", "decays", "holds"), [
    (checks.one_step, (0.3, 0.2), True), (checks.one_step, (0.3, 0.08), False), (checks.stage_flow, (0.3, 0.2), True),
    (checks.stage_flow, (0.19, 0.2), False)])
def test_each_stage_is_held_to_its_own_rate(check, decays, holds):
    assert check([stage_bounds(*run(decays), RATES)]).holds is holds


def test_steps_without_the_hypothesis_are_not_judged():
    metrics, states = run((0.3, 0.01))
    assert not checks.eigenvalue_kept([stage_bounds(metrics, states, RATES)], level=2.1).holds
    states["lambda_min"] = np.where(states["stage"] == 2, 0.04, states["lambda_min"])
    table = stage_bounds(metrics, states, RATES)
    assert checks.one_step([table]).holds
    assert checks.one_step([table]).cases == 40
    assert checks.eigenvalue_kept([table]).observed == pytest.approx(0.8)


def test_pairs_are_compared_by_their_logarithms():
    low, high = np.array([1.0, 2.0, 3.0, 1.5, 2.5]), np.array([2000.0, 4100.0, 6050.0, 3020.0, 4900.0])
    assert checks.greater_in_pairs(high, low).holds
    assert not checks.greater_in_pairs(np.roll(low, 1), low).holds
    ratio = summary.geometric(high / low, "ratio")
    assert ratio["ratio_low"] < 2000 < ratio["ratio_high"]


def test_comparison_of_two_runs():
    staged, full = run((0.3, 0.1))[0], run((0.1,), digits=(10,), steps=40)[0]
    found = summary.comparison(staged, full)
    assert found["ratio"] == pytest.approx(np.exp(2 - 1))
    assert found["sample_share"] == pytest.approx(0.75)
    assert found["ratio_equal_samples"] == pytest.approx(np.exp(1.5 - 1))
    assert found["last_stage"] == pytest.approx(1.0)
    assert found["needed"] == pytest.approx(0.5, abs=1 / 40)
    assert summary.first_below(full, np.array([6.99, 5.0])).tolist() == [1, 21]
    # The loss on all samples may be recorded at few steps only.
    sparse = {**full, "all_loss": np.where(full["step"] % 20 == 0, full["all_loss"], np.nan)}
    assert summary.first_below(sparse, np.array([6.99, 5.0])).tolist() == [1, 21]
    expected = 7 * np.exp(-0.125) * np.array([1, 2])
    np.testing.assert_allclose(summary.loss_at(full, "flow_time", 1.25), expected)
    never = summary.comparison(run((0.3, 0.3))[0], full)
    assert not never["full_reaches"]
    assert "needed" not in never


def test_hypothesis_in_both_kinds_of_training():
    table = stage_bounds(*run(), RATES)
    full = {"replicate": np.repeat([0, 1], 3), "step": np.tile([0, 10, 20], 2),
            "lambda_min": np.array([0.1, 0.04, 0.06, 0.1, 0.06, 0.06])}
    found = summary.hypothesis(table, full, 0.1)
    assert (found["full_lost"], found["full_lost_step"]) == (1, 10)
    assert found["full_least_quotient"] == pytest.approx(0.8)
    assert found["stagewise_least_quotient"] == 2.0
