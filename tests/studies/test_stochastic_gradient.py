"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from descent.claims import defects, read_claims
from descent.pipeline.tables import read_table
from descent.studies.stochastic_gradient import Settings
from tests.in_process import run_study, smoke_settings

HOLDS = ("tau.2.1.minimum", "tau.2.1.average", "tau.2.1.sharp", "tau.2.1.floor", "tau.2.1.needed", "tau.2.1.any_noise",
         "tau.2.1.recursion", "tau.2.2.minimum", "tau.2.2.average", "tau.2.2.sharp", "tau.2.2.identity",
         "tau.2.2.recursion", "tau.2.2.rate", "tau.2.2.measured_rate", "tau.2.2.limit", "tau.2.2.known_target")
EXPECTED = {**dict.fromkeys(HOLDS, "holds"), "tau.2.2.printed_noise": "refuted"}


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    return run_study("stochastic_gradient", smoke_settings().studies.stochastic_gradient, {}, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert {row.id: row.verdict for row in rows} == EXPECTED
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    table = read_table(finished / "tables" / "gaussian.parquet")
    rows = (np.array(table["objective"]) == "logarithm") & (np.array(table["schedule"]) == "decaying")
    assert values["functions"][3]["decaying_gaussian_last"] == table["norm"][rows][-1]
    assert [row["excess"] for row in values["functions"][:2]] == [9.0, 90.0]
    least = {row["function"]: row["least"] for row in values["dependent"] if row["noise"] == "frozen"}
    assert least[values["functions"][0]["function"]] == 2.0


def test_both_schemes_of_steps_get_the_same_noise(finished):
    table = read_table(finished / "tables" / "gaussian.parquet")
    rows = np.array(table["objective"]) == "quadratic"
    first = [table["norm"][rows & (np.array(table["schedule"]) == schedule)][:2]
             for schedule in ("constant", "decaying")]
    # The first steps of both have eta = 1/beta.
    np.testing.assert_array_equal(*first)


def test_targets_must_fall():
    block = smoke_settings().studies.stochastic_gradient.model_dump()
    for targets in ([0.5, 1.0], [1.0, 1.0], [1.0, -1.0]):
        with pytest.raises(ValidationError, match="must be positive and fall|greater than 0"):
            Settings(**{**block, "constant_targets": targets})
