"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from descent.bounds.staircase import escapes
from descent.claims import defects, read_claims
from descent.dynamics.staircase import escape_time
from descent.pipeline.tables import read_table
from descent.studies.saddle_to_saddle import Ladder, Settings
from tests.in_process import run_study, smoke_settings


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    return run_study("saddle_to_saddle", smoke_settings().studies.saddle_to_saddle, {}, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert [row.id for row in rows] == ["saxe.sigmoid", "saxe.scalar", "saxe.descent", "saxe.delay", "saxe.exponent",
                                        "saxe.exponent_random", "saxe.plateau", "saxe.random"]
    assert {row.verdict for row in rows} == {"holds"}
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    settings = smoke_settings().studies.saddle_to_saddle
    paths = read_table(finished / "tables" / "paths.parquet")
    for row, ladder in zip(values["rows"], settings.ladders, strict=True):
        times = escapes(paths, "aligned", ladder.depth, settings.values)
        assert row["last"] == times[0, -1, -1]
        np.testing.assert_allclose(row["last_expected"], escape_time(ladder.depth, ladder.scales[-1],
                                                                     settings.values[-1]))


def test_inconsistent_settings_are_refused():
    with pytest.raises(ValidationError, match="common ratio"):
        Ladder(depth=2, scales=[0.1, 0.05, 0.01])
    block = smoke_settings().studies.saddle_to_saddle.model_dump()
    for change, words in (({"width": 3}, "width"), ({"values": [1, 2, 4]}, "fall"), ({"ladders": block["ladders"][1:]},
                          "depth 2"), ({"values": [4, 2, 0.01]}, "half")):
        with pytest.raises(ValidationError, match=words):
            Settings(**{**block, **change})
