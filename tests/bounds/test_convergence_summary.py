"""Numbers of the report on runs made up so that the answers are known."""

import numpy as np
import pytest

from descent.bounds import convergence_summary as summary

STEPS = np.arange(40)


def bounds(fails_from: int, held_until: int, replicate: int) -> dict[str, np.ndarray]:
    """A run whose error exceeds the flow bound from one step on and whose hypothesis is lost at another."""
    zero = np.zeros(40)
    return {
        "replicate": np.full(40, replicate), "step": STEPS, "flow_time": 0.5 * STEPS, "remainder": zero,
        "log_error": np.where(np.less(STEPS, fails_from), -1.0, 1.0), "log_flow_bound": zero,
        "log_discrete_bound": zero + 2, "log_remainder_bound": zero + 2, "spectrum_held": np.less(STEPS, held_until),
    }


def joined(*tables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def test_failures_are_counted_and_dated():
    found = summary.failures(joined(bounds(30, 20, 0), bounds(12, 25, 1), bounds(99, 99, 2)))
    assert (found["flow_fails"], found["flow_first_step"], found["flow_first_time"]) == (2, 12, 6.0)
    assert (found["lost_fails"], found["lost_first_step"], found["flow_before_loss"]) == (2, 20, 1)
    assert (found["discrete_fails"], found["discrete_first_step"], found["remainder_fails"]) == (0, None, 0)
    assert found["flow_log10_at_end"] == pytest.approx((1 + 1 - 1) / 3 / np.log(10))


def test_a_run_without_every_remainder_has_no_bound_with_remainder():
    table = bounds(30, 20, 0)
    table["remainder"][1:] = np.nan
    assert "remainder_fails" not in summary.failures(table)


def test_row_of_a_run_that_diverged_in_one_replicate():
    metrics = {"replicate": np.array([0, 0, 1, 1]), "step": np.array([0, 5, 0, 3]),
               "flow_time": np.array([0, 1, 0, 0.6]), "loss": np.array([4.0, 1.0, 2.0, np.inf])}
    row = summary.run_row(metrics, None)
    assert row == {"eta": 0.2, "flow_time": 1.0, "steps": 5, "first_loss": 3.0, "final_loss": None, "diverged": 1}
    metrics["loss"][-1] = 0.5
    assert summary.run_row(metrics, None)["final_loss"] == 0.75


@pytest.mark.parametrize(("name", "labels", "batch", "step"), [
    ("one_hot_mini_lr", "one-hot", "mini-batches", "first try"),
    ("literal_full_stable", "digit (literal network)", "all samples", "large"),
])
def test_names_in_words(name, labels, batch, step):
    assert summary.run_names(name) == {"labels": labels, "batch": batch, "step": step}


def test_changes_and_factors_are_taken_at_common_steps():
    full = {"replicate": np.zeros(10, int), "step": np.arange(10), "loss": np.ones(10), "log_error": np.zeros(10)}
    mini = {"replicate": np.zeros(2, int), "step": np.array([0, 5]), "loss": np.array([1.0, 0.25])}
    assert summary.batch_factor(full, mini) == pytest.approx(4)
    shorter = {**{name: values[:6] for name, values in full.items()}, "log_error": np.linspace(0, 0.3, 6)}
    assert summary.halving_changes([full, shorter, shorter]) == pytest.approx([0.3, 0.0])


def test_width_law_and_where_it_reaches_a_quarter_of_the_eigenvalue():
    widths = np.repeat([100, 400, 1600], 2)
    gram = {"width": widths, "distance": 8 * widths**-0.5, "lambda_min": np.linspace(0.1, 0.2, 6)}
    values = summary.gram_values(np.eye(3), gram, {"h_infinity": np.array([1.0, 0.4])}, 400)
    assert values["width_slope"] == pytest.approx(-0.5)
    assert values["quarter_width"] == pytest.approx(6400)
    assert (values["h_zero_least"], values["h_zero_most"]) == pytest.approx((0.14, 0.16))
    assert [row["width"] for row in values["gram"]] == [100, 400, 1600]
