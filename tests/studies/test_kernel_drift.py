"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from descent.claims import defects, read_claims
from descent.pipeline.tables import read_table
from descent.studies.kernel_drift import Settings
from tests.in_process import run_study, smoke_settings

# At smoke size the error is ahead of the bound throughout, so that the printed statement holds as well.
EXPECTED = dict.fromkeys((
    "du.6.weyl", "du.6.sliding_order", "du.6.sliding_residual", "du.6.sliding_rate", "du.6.flow_widths",
    "du.6.flow_sliding", "du.6.drift_width", "du.6.float32"), "holds")


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    laboratory = smoke_settings()
    return run_study("kernel_drift", laboratory.studies.kernel_drift, {"mnist1d": laboratory.data.mnist1d},
                     request.param, tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert {row.id: row.verdict for row in rows} == EXPECTED
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert defects(rows) == []


def test_all_runs_of_a_width_start_from_the_same_weights(finished):
    starts = [read_table(path, ["step", "loss"]) for path in sorted(finished.glob("runs/*width=200*/metrics.parquet"))]
    losses = [table["loss"][table["step"] == 0] for table in starts]
    assert len(losses) == 3
    np.testing.assert_allclose(losses[1:], losses[:1] * 2, rtol=1e-5)


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    assert [row["width"] for row in values["widths"]] == [200, 400, 1600]
    assert [row["precision"] for row in values["widths"]] == ["float64"] * 3
    assert values["common_step"] == 500
    assert values["widths"][0]["pattern_end"] > values["widths"][0]["sliding_end"] > 0
    assert [(row["width"], row["parts"]) for row in values["halved"]] == [(200, 2)]
    assert values["halved"][0]["flow_time"] == pytest.approx(300 * values["eta"])
    assert [row["steps"] for row in values["precision"]] == [400]


@pytest.mark.parametrize("change", [
    lambda runs: runs[:1] * 3, lambda runs: [runs[0], *runs[2:]], lambda runs: runs[:3],
    lambda runs: [{**runs[0], "steps": 99}, *runs[1:]], lambda runs: [*runs, {**runs[3], "width": 800, "halvings": 1}]])
def test_runs_that_cannot_be_compared_are_refused(change):
    block = smoke_settings().studies.kernel_drift.model_dump()
    with pytest.raises(ValidationError):
        Settings(**{**block, "runs": change(block["runs"])})
