"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import numpy as np
import pytest

from descent.claims import defects, read_claims
from descent.pipeline.tables import read_table
from tests.in_process import run_study, smoke_settings


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    return run_study("balanced_minimizers", smoke_settings().studies.balanced_minimizers, {}, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert len(rows) == 18
    assert {row.id: row.verdict for row in rows if row.verdict != "holds"} == {}
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    table = read_table(finished / "tables" / "minimizers.parquet")
    assert values["runs"] == len(table["residual"]) == sum(row["runs"] for row in values["kinds"])
    assert values["worst_residual"] == table["residual"].max() <= 1e-10
    squared = np.array(table["penalty"]) == "squared"
    assert values["worst_balance"] == np.abs(table["norm_outputs"] - table["norm_hidden"])[squared].max()
    for row in values["thresholds"]:
        assert row["first_local"] < row["last_zero"] < row["first"] < row["first_nonzero"]
