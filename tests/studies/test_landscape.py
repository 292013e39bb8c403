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
    return run_study("landscape", laboratory.studies.landscape, data, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert [row.id.removeprefix("tau.2.4.") for row in rows] == [
        "spectrum", "half_time", "end_to_end", "escape_two", "escape_deep", "exponent", "least_squares",
        "negative_curvature", "sharpness", "stability"]
    assert {row.verdict for row in rows} == {"holds"}
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    runs = read_table(finished / "tables" / "runs.parquet")
    assert values["runs"] == len(runs["scale"]) == values["converged"]
    row = values["curvature"][0]
    small = (runs["depth"] == row["depth"]) & (runs["scale"] == runs["scale"].min()) & (
        np.array(runs["start"]) == "gaussian")
    assert row["least_lambda_min"] == pytest.approx(runs["least_lambda_min"][small].mean())


def test_the_spectrum_has_a_row_for_every_kept_step(finished):
    folder = finished / "runs" / "data=synthetic_regression"
    metrics, spectrum = (read_table(folder / f"{name}.parquet") for name in ("metrics", "hessian_spectrum"))
    for name in ("replicate", "start", "depth", "scale", "step"):
        np.testing.assert_array_equal(metrics[name], spectrum[name])
    assert np.all(spectrum["lambda_min"] <= spectrum["lambda_max"])
