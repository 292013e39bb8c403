"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from descent.claims import defects, read_claims
from descent.pipeline.tables import read_table
from descent.statistics import binomial_interval
from descent.studies.wide_minima import Settings
from tests.in_process import run_study, smoke_settings


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    return run_study("wide_minima", smoke_settings().studies.wide_minima, {}, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert {row.id: row.verdict for row in rows if row.verdict != "holds"} == {"snu.4.undecided": "reported"}
    assert len(rows) == 14
    assert {row.control_verdict for row in rows if row.control} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    ends = read_table(finished / "tables" / "ends.parquet")
    assert [row["sharp"] for row in values["rows"]] == ends["sharp"].tolist()
    assert sum(int(ends[name][0]) for name in ("sharp", "wide", "cycle", "diverged", "undecided")) == values["starts"]
    ends_of_interval = binomial_interval(ends["sharp"][0], values["starts"], 1 - values["confidence"])
    np.testing.assert_allclose([values["rows"][0][f"sharp_{side}"] for side in ("low", "high")], ends_of_interval)


@pytest.mark.parametrize("change", [{"proved_wide": [0.2, 0.995]}, {"proved_divergence": [1.05, 2]},
                                    {"proved_divergence": [3, 1001]}])
def test_ranges_beyond_the_theorems_are_refused(change):
    block = smoke_settings().studies.wide_minima.model_dump()
    with pytest.raises(ValidationError, match="proved_"):
        Settings(**{**block, **change})
