"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from descent.bounds.matrix_completion import endings
from descent.claims import defects, read_claims
from descent.pipeline.tables import read_table
from descent.studies.matrix_completion import Settings
from tests.in_process import run_study, smoke_settings


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    return run_study("matrix_completion", smoke_settings().studies.matrix_completion, {}, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert [row.id for row in rows] == ["arora.single", "arora.depth_2_gaussian", "arora.depth_3_gaussian",
                                        "arora.depth_2_balanced", "arora.depth_3_balanced", "arora.rank",
                                        "arora.nuclear"]
    # At smoke size the least nuclear norm completes some of the matrices as well as three layers do.
    assert {row.verdict for row in rows if row.id != "arora.nuclear"} == {"holds"}
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    table = read_table(finished / "tables" / "runs_3.parquet")
    row = next(row for row in values["rows"] if (row["depth"], row["start"]) == (3, "gaussian"))
    assert row["error"] == pytest.approx(endings(table, "gaussian", "test_error")[:, -1].mean())
    assert values["gap"] <= smoke_settings().studies.matrix_completion.gap


def test_impossible_settings_are_refused():
    block = smoke_settings().studies.matrix_completion.model_dump()
    for change, words in (({"rank": 31}, "rank"), ({"depths": [2, 3, 4]}, "depths"), ({"scales": [0.1, 1]}, "scales")):
        with pytest.raises(ValidationError, match=words):
            Settings(**{**block, **change})
