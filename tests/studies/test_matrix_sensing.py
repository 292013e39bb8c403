"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import numpy as np
import pytest

from descent.claims import defects, read_claims
from descent.pipeline.tables import read_table
from tests.in_process import run_study, smoke_settings

REFUTED = {"eth.1b.printed", "eth.1d.printed"}


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    return run_study("matrix_sensing", smoke_settings().studies.matrix_sensing, {}, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert {row.id for row in rows if row.verdict == "refuted"} == REFUTED
    assert {row.verdict for row in rows if row.id not in REFUTED} == {"holds", "reported"}
    assert {row.control_verdict for row in rows if row.control} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables_and_many_measurements_determine_the_target(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    sensing = read_table(finished / "tables" / "sensing.parquet")
    end = sensing["flow_time"] == sensing["flow_time"].max()
    for row in values["errors"]:
        mine = end & (sensing["depth"] == row["depth"]) & (sensing["measurements"] == row["measurements"])
        assert row["error"] == pytest.approx(sensing["error"][mine].mean())
    shallow = end & (sensing["depth"] == 2)  # deeper networks have not finished at this horizon
    few, many = (sensing["error"][shallow & (sensing["measurements"] == n)] for n in (8, 60))
    assert np.median(few) > 10 * np.median(many)
