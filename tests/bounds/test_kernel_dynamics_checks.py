"""Each check on data that fulfil its statement, and on data that do not."""

import numpy as np
import pytest

from descent.bounds import kernel_dynamics_checks as checks
from descent.claims import verdict
from descent.dynamics.perturbed_kernel import perturbed_flow, slowest_mode_slowed

KERNEL = np.diag([1.0, 2.0, 5.0])


def decay(rate: float) -> dict[str, np.ndarray]:
    times = np.linspace(0.1, 5, 30)
    integrated = np.where(times < 2, np.exp(-rate * times), np.nan)
    return {"rate": np.ones(30), "flow_time": times, "norm": np.exp(-rate * times), "integrated": integrated,
            "deviation": integrated - integrated}


def slowed(ratio: float, case: int = 0) -> dict[str, np.ndarray]:
    ends = np.array([0.5, 2.0, 6.0 if ratio <= 1 else 20.0 / (ratio - 1)])
    columns = perturbed_flow(KERNEL, np.eye(3)[0], ends, slowest_mode_slowed(KERNEL, ratio), 10)
    rows = len(columns["flow_time"])
    return {"case": np.full(rows, case), "semidefinite": np.full(rows, ratio <= 1), **columns}


def joined(*tables):
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def test_decay_is_held_to_its_rate():
    assert checks.decays(decay(1.0), 1.0, 1e-9).holds
    assert checks.decays(decay(1.5), 1.0, 1e-9).holds
    assert not checks.decays(decay(0.999), 1.0, 1e-9).holds
    assert not checks.decays(decay(1.5), 2.0, 1e-9).holds


def test_decay_is_held_to_its_rate_by_the_integrator_too():
    table = decay(1.0)
    table["integrated"] *= 1 + 1e-6
    assert checks.decays(table, 1.0, 1e-5).holds
    assert not checks.decays(table, 1.0, 1e-9).holds
    assert checks.decays(table, 1.0, 1e-5).cases == 30 + np.isfinite(table["integrated"]).sum()


def test_equality_is_two_sided():
    assert checks.decays_exactly(decay(1.0), 1.0, 1e-8).holds
    assert not checks.decays_exactly(decay(1.01), 1.0, 1e-8).holds
    assert not checks.decays_exactly(decay(0.99), 1.0, 1e-8).holds
    assert checks.decays_exactly(decay(1.0), 1.0, 1e-8).cases == np.isfinite(decay(1.0)["integrated"]).sum()


def test_solutions_agree_to_within_the_error():
    table = decay(1.0)
    assert checks.solutions_agree(table, "deviation", 1e-8).holds
    table["deviation"][3] = 2e-8
    assert not checks.solutions_agree(table, "deviation", 1e-8).holds


@pytest.mark.parametrize(("bound", "constant"), [
    ("linear", 1.0), ("saturation", 1.0), ("contraction", 2.0), ("square_root", 2**0.5), ("saturating", 1.0),
])
def test_bounds_hold_for_semidefinite_kernels_only(bound, constant):
    table = joined(slowed(0.5), slowed(1.0, 1), slowed(3.0, 2))
    assert verdict(checks.stays_within(table, bound, constant, True)) == "holds"
    assert verdict(checks.stays_within(table, bound, constant, False)) == "refuted"
    table["semidefinite"][:] = True
    assert verdict(checks.stays_within(table, bound, constant, True)) == "hypothesis fails"


def test_the_sharp_bound_needs_no_condition_and_has_no_slack():
    table = joined(slowed(0.5), slowed(3.0, 1))
    assert checks.stays_within(table, "growth", 1.0, False).holds
    assert checks.stays_within(table, "growth", 1.0, False).observed == pytest.approx(1.0, abs=1e-8)
    assert not checks.stays_within(table, "growth", 0.999, False).holds


def test_a_bound_that_does_not_exist_is_refused():
    with pytest.raises(KeyError):
        checks.bound_values(slowed(0.5), "cubic")


def test_growth_rate_of_indefinite_kernels():
    table = joined(slowed(1.5), slowed(4.0, 1))
    assert verdict(checks.grows_exponentially(table, 1.0)) == "holds"
    assert verdict(checks.grows_exponentially(table, 0.0)) == "refuted"
    assert verdict(checks.grows_exponentially(slowed(0.5), 1.0)) == "hypothesis fails"


@pytest.mark.parametrize("ratio", [0.01, 0.5, 0.99])
def test_supremum_over_time_is_the_closed_form(ratio):
    assert checks.supremum(KERNEL, ratio) == pytest.approx(checks.bounds.worst_case(ratio), rel=1e-10)


def test_closed_form_notices_the_wrong_exponent():
    assert checks.closed_form([KERNEL], [0.1, 0.9], 1.0).holds
    assert not checks.closed_form([KERNEL], [0.1], 0.0).holds
    assert not checks.closed_form([KERNEL], [0.1], 1.000001).holds
