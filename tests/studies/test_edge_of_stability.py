"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import pytest

from descent.claims import defects, read_claims
from descent.pipeline.tables import read_table
from tests.in_process import run_study, smoke_settings


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    laboratory = smoke_settings()
    return run_study("edge_of_stability", laboratory.studies.edge_of_stability, {"mnist1d": laboratory.data.mnist1d},
                     request.param, tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert [row.id for row in rows] == ["edge.plateau", "edge.sharpening", "edge.flow", "edge.loss", "edge.component",
                                        "edge.model", "edge.density"]
    assert {row.id: row.verdict for row in rows if row.verdict != "holds"} == {}
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    table = read_table(finished / "tables" / "spectrum.parquet")
    rates = [row["eta"] for row in values["rows"]]
    last = (table["eta"] == rates[-1]) & (table["flow_time"] == table["flow_time"].max())
    assert values["reference_end"] == pytest.approx(table["greatest"][last].mean())
    assert values["rows"][-1]["reached"] is None
    assert values["weights"] == 40 * 50
