"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from descent.claims import defects, read_claims
from descent.pipeline.tables import read_table
from descent.studies.implicit_convolution import Settings
from tests.in_process import run_study, smoke_settings

EXPECTED = {f"snu.5.{name}" for name in (
    "operator", "adjoint", "line", "precision", "optimum", "contraction", "attained", "rate", "reached", "limit",
    "unstable", "tails", "bounded", "divergence", "norm", "norm_rate", "large", "large_optimum")}


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    return run_study("implicit_convolution", smoke_settings().studies.implicit_convolution, {}, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert {row.id for row in rows} == EXPECTED
    assert {row.verdict for row in rows} == {"holds"}
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    table = read_table(finished / "tables" / "descents.parquet")
    first = (np.array(table["case"]) == "document") & (table["replicate"] == 0)
    assert values["limit"] == 2 / table["smoothness"][first][0]
    assert (values["outside"], values["last_limit"]) == (0, 20)
    # ‖A‖ at n = 20, from the draws of the document's legacy generator.
    assert table["norm"][first][0] == pytest.approx(3.1104338962680536)
    assert values["document_gap"] == pytest.approx(0.13199003558560607, rel=1e-12)
    products = read_table(finished / "tables" / "products.parquet")
    assert products["dense_bytes"][0] == 8 * 20000 * 19998
    assert products["direct"].tolist() == [True] * 5 + [False] * 2
    assert products["adjoint"][0] == products["error"][0] == 0


def test_compared_descents_share_their_problem(finished):
    table = read_table(finished / "tables" / "descents.parquet")
    for case in ("document", "tails"):
        for replicate in range(3):
            rows = (np.array(table["case"]) == case) & (table["replicate"] == replicate) & (table["iteration"] == 0)
            assert len(np.unique(table["gap"][rows])) == len(np.unique(table["distance"][rows])) == 1


@pytest.mark.parametrize(("change", "message"), [
    ({"norm_sizes": [40, 20, 80, 160]}, "must be rising"), ({"norm_sizes": [4, 20, 80, 160]}, "twice"),
    ({"most_iterations": 1000, "iterations": 500}, "ten times")])
def test_settings_that_do_not_fit(change, message):
    block = smoke_settings().studies.implicit_convolution.model_dump()
    with pytest.raises(ValidationError, match=message):
        Settings(**{**block, **change})
