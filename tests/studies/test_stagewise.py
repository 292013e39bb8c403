"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from descent.claims import defects, read_claims
from descent.pipeline.tables import read_table
from descent.studies.stagewise import Settings
from tests.in_process import run_study, smoke_settings

EXPECTED = {"du.7.interlacing": "holds", "du.7.lambda_min": "holds", "du.7.discrete": "holds", "du.7.flow": "holds",
            "du.7.hypothesis": "holds", "du.7.comparison": "holds", "du.7.learning_rate": "reported"}


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    laboratory = smoke_settings()
    return run_study("stagewise", laboratory.studies.stagewise, {"mnist1d": laboratory.data.mnist1d}, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert {row.id: row.verdict for row in rows} == EXPECTED
    assert {row.control_verdict for row in rows if row.control} == {"rejected"}
    assert defects(rows) == []


def test_both_kinds_of_training_start_alike_and_have_the_same_flow_time(finished):
    metrics = [read_table(path) for path in sorted(finished.glob("runs/*stable*/metrics.parquet"))]
    starts = [table["all_loss"][table["step"] == 0] for table in metrics]
    np.testing.assert_allclose(starts[0], starts[1], rtol=1e-12)
    assert len(starts[0]) == 5
    assert metrics[0]["flow_time"].max() == pytest.approx(metrics[1]["flow_time"].max())


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    last = values["lr_stages"][-1]
    assert last["eta"] == pytest.approx(2 * 0.1 / 100)
    assert values["lr_stages"][0]["eta"] == pytest.approx(5 * last["eta"])
    assert values["stable_sample_share"] == pytest.approx((0.2 + 0.5 + 1) / 3)
    assert 0 < values["stable_ratio_low"] < values["stable_ratio"] < values["stable_ratio_high"]
    assert [row["digit"] for row in values["digits"]] == list(range(10))


def test_the_stages_rise_to_all_digits():
    block = smoke_settings().studies.stagewise.model_dump()
    for digits in ([1, 5], [5, 2, 10], [2, 2, 10]):
        with pytest.raises(ValidationError, match="rise to 10"):
            Settings(**{**block, "digits": digits})
