"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from descent.claims import defects, read_claims
from descent.pipeline.tables import read_table
from tests.in_process import run_study, smoke_settings

EXPECTED = {
    "du.1.if": "holds", "du.1.only_if": "holds", "du.1.boundary": "holds", "du.1.printed": "refuted",
    "du.1.open_ball": "holds", "du.1.probability": "holds", "du.1.bound": "holds",
    "du.2.i": "holds", "du.2.ii": "holds", "du.2.equality": "holds", "du.2.chain": "holds", "du.2.frozen": "holds",
    "du.2.rate": "holds", "du.2.rate_printed": "refuted", "du.2.rate_runs": "refuted", "du.2.radius": "holds",
    "du.2.radius_printed": "refuted", "du.2.one_sample": "holds", "du.2.one_sample_limit": "holds",
}


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    laboratory = smoke_settings()
    return run_study("convergence_lemmas", laboratory.studies.convergence_lemmas, {"mnist1d": laboratory.data.mnist1d},
                     request.param, tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert {row.id: row.verdict for row in rows} == EXPECTED
    assert [row.id for row in rows if row.control_verdict != "rejected"] == []
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    flips = read_table(finished / "tables" / "flips.parquet")
    assert values["inside"] + values["outside"] == 2 * values["draws"] == 40000
    assert values["flips"][0]["hits"] == flips["inside_flips"][0]
    assert all(row["low"] < row["exact"] < row["high"] for row in values["flips"])
    chain = read_table(finished / "tables" / "chain.parquet")
    assert values["first_greatest"] == (chain["speed"] / chain["summed"]).max()
    assert values["kept"] == len(chain["step"]) / 2
    assert [row["case"] for row in values["constructed"]] == ["one_sample", "cone", "mnist1d", "mnist1d"]
    assert values["constructed"][0]["movement"] > 1.99
    assert len(values["findings"]) == 2


def test_doubling_the_step_changes_little_and_leaves_every_other_row_empty(finished):
    metrics = read_table(next(finished.glob("runs/*/metrics.parquet")))
    even = metrics["step"] % 2 == 0
    assert abs(metrics["loss"][even] / metrics["doubled_loss"][even] - 1).max() < 0.2
    assert (metrics["doubled_loss"][~even] != metrics["doubled_loss"][~even]).all()


def test_radii_and_widths_must_rise():
    block = smoke_settings().studies.convergence_lemmas
    for wrong in ({"flips": {"draws": 1000, "radii": [1.0, 0.5]}}, {"one_sample": {"draws": 100, "widths": [10, 10]}}):
        with pytest.raises(ValidationError, match="rising"):
            type(block).model_validate({**block.model_dump(), **wrong})
