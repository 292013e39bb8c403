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
    laboratory = smoke_settings()
    data = {"synthetic_regression": laboratory.data.synthetic_regression}
    return run_study("end_to_end", laboratory.studies.end_to_end, data, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert [row.id for row in rows] == ["tau.3.1", "tau.3.2", "tau.3.2.flow", "tau.3.3", "tau.3.4.update",
                                        "tau.3.4.balanced", "tau.3.4.gaussian"]
    assert {row.verdict for row in rows} == {"holds"}
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables_and_starts_have_the_same_norm(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    table = read_table(finished / "tables" / "distances_synthetic_regression.parquet")
    paths = read_table(finished / "tables" / "paths_synthetic_regression.parquet")
    fine = table["distance"][table["eta"] == table["eta"].min()]
    assert values["smallest_step"] == table["eta"].min()
    assert values["rows"][0]["distance_fine"] == pytest.approx(fine[:2].mean())
    starts = paths["network"][paths["flow_time"] == 0]
    np.testing.assert_allclose(np.linalg.norm(starts, axis=1), 0.01)
