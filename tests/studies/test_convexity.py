"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import numpy as np
import pytest

from descent.claims import defects, read_claims
from descent.pipeline.tables import read_table
from tests.in_process import run_study, smoke_settings

EXPECTED = {
    "tau.1.1.stationary": "holds", "tau.1.1": "holds", "tau.1.1.hessian": "holds", "tau.2.3.rescaling": "holds",
    "tau.2.3": "holds", "tau.2.3.affine": "holds", "tau.2.3.affine_deep": "holds", "tau.2.3.printed": "refuted",
    "tau.2.3.ball": "holds",
}


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    laboratory = smoke_settings()
    data = {name: getattr(laboratory.data, name) for name in ("synthetic_regression", "diabetes")}
    return run_study("convexity", laboratory.studies.convexity, data, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert {row.id: row.verdict for row in rows} == EXPECTED
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    paths, balls = read_table(finished / "tables" / "paths.parquet"), read_table(finished / "tables" / "balls.parquet")
    assert values["least_loss"] == paths["loss"][paths["depth"] > 1].min()
    assert values["exponent_one_layer"] == 0
    assert all(row["three_layers"] == 0 for row in values["at_zero"])
    first = np.flatnonzero(np.diff(balls["depth"], prepend=0))
    # The aligned case attains its bound N M + (N - 1) G with M = 1 and G = 2.
    np.testing.assert_allclose(balls["curvature"][first], 3 * balls["depth"][first] - 2, rtol=1e-12)
