"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json

import pytest

from descent.claims import defects, read_claims
from tests.in_process import run_study, smoke_settings


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory):
    block = smoke_settings().studies.exact_arithmetic
    return run_study("exact_arithmetic", block, {}, request.param, tmp_path_factory.mktemp("study"),
                     skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert len(rows) == 58
    assert {row.id for row in rows if row.verdict != ("refuted" if row.form == "erratum" else "holds")} == set()
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert [row.id for row in rows if ".exact" not in row.id] == []
    assert defects(rows) == []


def test_every_erratum_is_shown_with_its_counterexample(finished):
    rows, values = read_claims(finished / "claims.parquet"), json.loads((finished / "values.json").read_text("utf-8"))
    errata = {row.id for row in rows if row.form == "erratum"}
    assert {shown["id"] for shown in values["counterexamples"]} == errata
    assert values["refuted"] == values["errata"] == len(errata)
    assert values["holding"] == values["statements"] == len(rows) - len(errata)
    assert values["exact_end"] == pytest.approx(5 * 0.75**80)
