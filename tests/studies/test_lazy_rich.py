"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json

import numpy as np
import pytest
from pydantic import ValidationError

from descent.claims import defects, read_claims
from descent.dynamics.lazy_summary import NEAR
from descent.pipeline.tables import read_table
from descent.studies import lazy_rich
from tests.in_process import run_study, smoke_settings


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory):
    laboratory = smoke_settings()
    return run_study("lazy_rich", laboratory.studies.lazy_rich, {"mnist1d": laboratory.data.mnist1d}, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert {row.id.removeprefix("tau.4.lazy."): row.verdict for row in rows} == {
        **dict.fromkeys(["mirror", "movement", "drift", "drift_twins", "tangent", "tangent_twins", "flips",
                         "drift_relu", "tangent_relu", "test_error"], "holds"), "gain": "reported"}
    assert {row.control_verdict for row in rows if row.control} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    looks = read_table(finished / "runs" / "activation=relu+start=doubled+data=planted" / "trajectory.parquet")
    limit = looks["test_error"][np.isinf(looks["scale"])]
    assert values["relu_tangent_error"] == pytest.approx(limit.mean())
    assert values["count"] == len(np.unique(looks["scale"])) - 1
    assert values["relu_drift_low"] < values["relu_drift"] < values["relu_drift_high"]
    assert values["plane"][0]["after"] > values["plane_before"]
    near = [row["deviation"] <= NEAR for row in values["rows"]]
    first = [row["scale"] for row in values["rows"]].index(values["near_from"])
    assert all(near[first:])
    assert not near[first - 1]
    assert values["narrow_interval"] >= values["smooth_drift_high"] - values["smooth_drift_low"] > 0
    assert values["rows"][0]["training_error"] < 1
    assert len(values["findings"]) == 2


def test_digits_have_no_test_error_and_all_runs_start_in_the_kernel(finished):
    digits = read_table(finished / "runs" / "activation=relu+start=doubled+data=mnist1d" / "trajectory.parquet")
    assert np.isnan(digits["test_error"]).all()
    for path in finished.glob("runs/*/metrics.parquet"):
        table = read_table(path)
        np.testing.assert_allclose(table["squared_error"][table["step"] == 0], 1, rtol=1e-9)


@pytest.mark.parametrize(("change", "message"), [({"least_scale": 2000.0}, "least_scale"),
                                                 ({"lazy": [900.0, 1000.0]}, "at least 3 scales")])
def test_slopes_need_scales(change, message):
    block = smoke_settings().studies.lazy_rich.model_dump()
    with pytest.raises(ValidationError, match=message):
        lazy_rich.Settings.model_validate({**block, **change})
