"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from descent.claims import defects, read_claims
from descent.pipeline.tables import read_table
from tests.in_process import run_study, smoke_settings

HOLD = ("snu.1a", "snu.1b", "snu.1.rational", "snu.2", "snu.2.converges", "snu.2.power", "snu.2.cycle",
        "snu.2.one_step", "snu.3.step", "snu.3.power", "snu.3.null", "snu.3.exceptional", "snu.3.limit_case",
        "snu.3", "snu.3.growth", "snu.3.map", "snu.3.minimizer", "snu.3.departure", "snu.3.bits", "snu.3.double")
EXPECTED = {**dict.fromkeys(HOLD, "holds"), "snu.3.printed": "refuted"}


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    laboratory = smoke_settings()
    data = {name: getattr(laboratory.data, name) for name in ("synthetic_regression", "diabetes")}
    return run_study("least_squares_descent", laboratory.studies.least_squares_descent, data, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert {row.id: row.verdict for row in rows} == EXPECTED
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    growth = read_table(finished / "tables" / "growth.parquet")
    generic = np.array(growth["arithmetic"]) == "double"
    assert values["runs"] == generic.sum()
    assert values["runs_above"] == values["diverged_above"] == (growth["ratio"][generic] > 1).sum()
    assert values["diverged_below"] == 0
    assert values["rational_returned"] is None
    assert values["single_returned"] < values["double_returned"]
    wide = next(row for row in values["problems"] if row["features"] > row["rank"])
    assert wide["rank"] == 8


@pytest.mark.parametrize(("change", "message"), [
    ({"ratios": [0.5, 0.9]}, "both sides of 1"), ({"ratios": [0.5, 1.01, 1.2]}, "closer than 0.04"),
    ({"departures": {"ratios": [1.0]}}, "from 1.05"), ({"departures": {"bits": [16, 32, 50]}}, "from 8 to 48"),
])
def test_settings_that_cannot_be_told_apart_are_refused(change, message):
    block = smoke_settings().studies.least_squares_descent
    settings = block.model_dump()
    for name, value in change.items():
        settings[name] = {**settings[name], **value} if isinstance(value, dict) else value
    with pytest.raises(ValidationError, match=message):
        type(block)(**settings)
