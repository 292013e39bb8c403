"""The checks on data that fulfil a statement and on data that do not."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from descent.bounds import stationarity_checks as checks
from descent.bounds.stationarity import average_bound
from descent.bounds.stationarity_runs import Run, chosen, reaching_step
from descent.bounds.stationarity_summary import summary
from descent.claims import verdict
from descent.dynamics.stochastic_descent import Quadratic, step_parts

QUADRATIC = Quadratic(np.full(4, 2.0))
SIGMA = 2.0


def run(schedule="constant", factor=1.0, error=1e-3, steps=200) -> Run:
    """A run whose A_T is `factor` times its bound and whose norms are the roots of what that makes of E‖g‖²."""
    parts, excess = step_parts(schedule, steps), 36.0
    total = 1 + np.concatenate([[0.0], np.cumsum(parts * (2 - parts))[:-1]])
    average = factor * average_bound(parts, excess, SIGMA**2)
    square = [average[0]]
    for t in range(1, steps):
        square.append(average[t] * total[t] - np.sum((parts * (2 - parts))[:t] * square))
    square = np.array(square)
    rows = {"step": np.arange(1, steps + 1), "square": square, "norm": np.sqrt(square), "average": average,
            "pathwise": np.full(steps, factor), "batch_norm": np.sqrt(square)[:, None] * np.linspace(0.99, 1.01, 20)}
    rows |= {f"{name}_error": error * rows[name] for name in ("square", "norm", "average")}
    return Run("quadratic", "gaussian", schedule, QUADRATIC, excess, 1.5, 1000, rows)


@pytest.mark.parametrize("schedule", ["constant", "decaying"])
def test_averages_at_and_above_the_bound(schedule):
    assert verdict(checks.sharp_average([run(schedule)], SIGMA)) == "holds"
    assert verdict(checks.sharp_average([run(schedule, 1.02)], SIGMA)) == "refuted"
    assert verdict(checks.sharp_average([run(schedule, 1.02, error=0.01)], SIGMA)) == "holds"
    assert verdict(checks.plain_average([run(schedule)], SIGMA)) == "holds"
    assert verdict(checks.plain_average([run(schedule, 2.0)], SIGMA)) == "refuted"
    assert verdict(checks.sharp_average([run(schedule)], SIGMA, per_coordinate=True)) == "refuted"


def test_the_minimum_uses_limits_of_all_earlier_steps():
    sound = run(error=0.0)
    assert verdict(checks.minimum([sound], SIGMA, "constant")) == "holds"
    assert verdict(checks.minimum([sound], SIGMA, "constant", per_coordinate=True)) == "refuted"
    above = replace(sound, rows={**sound.rows, "norm": np.full(200, 9.0)})
    assert verdict(checks.minimum([above], SIGMA, "constant")) == "refuted"
    # One uncertain step is enough to leave the minimum undecided.
    uncertain = replace(above, rows={**above.rows, "norm_error": np.where(np.arange(200) == 0, 3.0, 0.0)})
    assert checks.minimum([uncertain], SIGMA, "constant").holds
    assert not checks.minimum([sound], SIGMA, "decaying").holds


@pytest.mark.parametrize("schedule", ["constant", "decaying"])
def test_exact_expectations_of_the_equality_case(schedule):
    # In the equality case with equal curvatures the bound on the average and the recursion are the same statement.
    found = run(schedule)
    assert verdict(checks.exact_expectation([found], SIGMA)) == "holds"
    assert verdict(checks.exact_expectation([run(schedule, 1.1)], SIGMA)) == "refuted"
    if schedule == "decaying":
        assert verdict(checks.exact_expectation([found], SIGMA, noise_power=1)) == "refuted"


def test_paths_and_rational_checks_with_their_controls():
    assert checks.along_every_path([run()]).holds
    assert not checks.along_every_path([run(), run(factor=1.001)]).holds
    assert checks.floor_attained(6, Fraction(3), Fraction(1)).holds
    assert not checks.floor_attained(6, Fraction(3), Fraction(9, 10)).holds
    assert checks.identity(7, Fraction(1, 3), Fraction(5)).holds
    assert not checks.identity(7, Fraction(1, 3), Fraction(5), second_order=0).holds
    case = [(Fraction(1, 2), Fraction(1), Fraction(30))]
    assert checks.steps_needed(case).holds
    assert not checks.steps_needed(case, sufficient=True).holds
    target = [(Fraction(1, 2), Fraction(3), Fraction(1))]
    assert checks.known_target_reached(target).holds
    assert not checks.known_target_reached(target, fewer=1).holds


def test_exponents_of_exact_power_laws():
    steps = np.arange(1, 401.0)
    found = run("decaying", steps=400)
    exact = replace(found, rows={**found.rows, "batch_norm": steps[:, None] ** -0.25 * np.linspace(1, 2, 20)})
    np.testing.assert_allclose(checks.measured_exponents(exact), -4, rtol=1e-10)
    assert checks.measured_exponent([exact], 0.01).holds
    assert not checks.measured_exponent([exact], 0.5, power=2).holds
    epsilons = np.geomspace(1e-4, 1e-3, 5)
    assert checks.logarithmic_slope(lambda t: t**-0.5, epsilons, remove=0) == pytest.approx(-4, abs=1e-5)
    assert checks.bound_exponent([lambda t: np.log(t + 2.0) / t**0.5], epsilons, 0.01).holds
    assert not checks.bound_exponent([lambda t: np.log(t + 2.0) / t**0.5], epsilons, 0.1, power=1).holds


def test_reaching_a_target_needs_the_upper_limit():
    found = run(error=0.01)
    assert reaching_step(found, 1.0) is None
    step = reaching_step(found, 2.1)
    upper = found.rows["norm"] * 1.0196
    assert upper[step - 1] <= 2.1 < upper[:step - 1].min()
    assert chosen([found], "constant", ("rademacher",)) == []


def test_the_summary_leaves_a_gap_where_a_target_was_not_reached():
    runs = [replace(run(schedule), name=name, noise=noise) for name in ("line", "quadratic", "stretched", "logarithm")
            for schedule in ("constant", "decaying") for noise in ("rademacher", "gaussian", "frozen", "opposed")]
    found = summary(runs, {"sigma": SIGMA, "constant_targets": [1.0, 0.5], "decaying_targets": [1.0, 0.01]})
    assert [row["ratio"] is None for row in found["decaying"][:2]] == [False, True]
    assert found["decaying"][0]["plain"] > found["decaying"][0]["sharp"] > found["decaying"][0]["known"]
    assert len(found["findings"]) == 2
