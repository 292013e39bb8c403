"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from descent.claims import defects, read_claims
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table
from descent.studies import kernel_dynamics
from tests.in_process import run_study, smoke_settings

HOLDS = {
    "tau.4.1.convergence", "tau.4.1.equality", "tau.4.1.solution", "tau.4.2.growth", "tau.4.2.square_root",
    "tau.4.2.refined", "tau.4.2.linear", "tau.4.2.saturation", "tau.4.2.contraction", "tau.4.2.worst_case",
    "tau.4.2.closed_form",
    "tau.4.3.kernel_quadrature", "tau.4.3.kernel_monte_carlo", "du.3.limit_quadrature", "du.3.limit_monte_carlo",
}


@pytest.fixture(scope="module")
def laboratory():
    return smoke_settings()


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, laboratory, tmp_path_factory) -> Path:
    data = {name: getattr(laboratory.data, name) for name in kernel_dynamics.DATA}
    return run_study("kernel_dynamics", laboratory.studies.kernel_dynamics, data, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert {row.id: row.verdict for row in rows} == {**dict.fromkeys(HOLDS, "holds"), "tau.4.2.printed": "refuted"}
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert {row.id for row in rows if row.form == "erratum"} == {"tau.4.2.printed"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    perturbed = read_table(finished / "tables" / "perturbed.parquet")
    assert values["cases"] == len(set(perturbed["case"]))
    assert values["lost_distance"] == perturbed["distance"].max()
    relaxation = read_table(finished / "tables" / "relaxation.parquet")
    assert [row["lambda_min"] for row in values["relaxation"]] == pytest.approx(sorted(
        set(relaxation["rate"]), key=list(relaxation["rate"]).index))


def changed(block, part: str, **values):
    settings = block.model_dump()
    settings[part] |= values
    return kernel_dynamics.Settings.model_validate(settings)


@pytest.mark.parametrize("ratios", [[0.5, 2.0], [1.0, 2.0], [0.5, 1.0], [2.0, 1.0, 0.5]])
def test_ratios_must_lie_on_both_sides_of_one_and_on_it(laboratory, ratios):
    with pytest.raises(ValidationError, match="ratios must rise"):
        changed(laboratory.studies.kernel_dynamics, "perturbed", ratios=ratios)


def test_closed_form_is_for_ratios_below_one(laboratory):
    with pytest.raises(ValidationError, match="closed_form_ratios"):
        changed(laboratory.studies.kernel_dynamics, "perturbed", closed_form_ratios=[1.0])


def test_kernels_are_not_larger_than_the_data(laboratory):
    paths = {name: f"results/data/{name}.parquet" for name in kernel_dynamics.DATA}
    plan = StudyPlan("kernel_dynamics", 1, False, paths, {"mnist1d": {"num_samples": 20}})
    with pytest.raises(ValueError, match="num_samples = 20: must be at least 30"):
        kernel_dynamics.plan(plan, changed(laboratory.studies.kernel_dynamics, "perturbed", sizes=[30]))
