"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import numpy as np
import pytest

from descent.claims import defects, read_claims
from descent.pipeline.tables import read_table
from descent.studies.linearization import Settings
from tests.in_process import run_study, smoke_settings

ERRATA = ("eth.2c.printed", "eth.2c.printed_pairs", "eth.2c.printed_training")


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    laboratory = smoke_settings()
    return run_study("linearization", laboratory.studies.linearization,
                     {"synthetic_regression": laboratory.data.synthetic_regression}, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert {row.id for row in rows if row.form == "erratum"} == set(ERRATA)
    assert {row.id: row.verdict for row in rows} == {
        row.id: "refuted" if row.id in ERRATA else "holds" for row in rows}
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    draws = read_table(finished / "tables" / "draws.parquet")
    assert values["draws"] == len(draws["width"]) == sum(row["draws"] for row in values["draw_rows"])
    assert values["same_point"] == np.mean(draws["scaled_gap"] > 0)
    assert {(row["data"], row["signs"]) for row in values["exponents"]} == {("synthetic", "random"),
                                                                            ("synthetic", "equal")}
    assert len(values["findings"]) == 2


def test_runs_share_their_hidden_weights_and_labels(finished):
    random, equal = (read_table(path) for path in sorted(finished.glob("runs/*/metrics.parquet"), reverse=True))
    np.testing.assert_array_equal(random["start_norm"], equal["start_norm"])
    first = random["step"] == 0
    np.testing.assert_allclose(random["loss"][first], equal["loss"][first], rtol=1e-12)
    assert not np.array_equal(random["gap"], equal["gap"])


@pytest.mark.parametrize(("block", "change", "message"), [
    ("draws", {"widths": [5000]}, "widths must be"), ("draws", {"exponents": [1, -1]}, "exponents rise"),
    ("training", {"widths": [16, 8, 32]}, "rising"), ("training", {"data": ["diabetes", "diabetes"]}, "different")])
def test_settings_that_make_no_sense_are_refused(block, change, message):
    whole = smoke_settings().studies.linearization.model_dump()
    with pytest.raises(ValueError, match=message):
        Settings(**{**whole, block: {**whole[block], **change}})
