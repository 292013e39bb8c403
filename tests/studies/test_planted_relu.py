"""The planted-ReLU study at smoke size: verdicts and controls at several seeds, divergence, what stages read."""

import json

import numpy as np
import pytest
from pydantic import ValidationError

from descent.claims import defects, read_claims
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table
from descent.studies import planted_relu
from tests.in_process import run_study, smoke_settings

SEEDS = (1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def blocks():
    laboratory = smoke_settings()
    return laboratory.studies.planted_relu, {"planted_relu": laboratory.data.planted_relu}


@pytest.fixture(scope="module", params=SEEDS)
def results(request, blocks, tmp_path_factory):
    return run_study("planted_relu", *blocks, request.param, tmp_path_factory.mktemp("run"), frozenset({"figure"}))


def with_settings(block, **changes):
    """The block with some settings changed, validated again."""
    return planted_relu.Settings.model_validate({**block.model_dump(), **changes})


def planned(block, seed=1):
    plan = StudyPlan("planted_relu", seed, False, {"planted_relu": "results/data/planted_relu.parquet"})
    planted_relu.plan(plan, block)
    return plan.stages


def test_theorems_hold_and_controls_are_rejected(results):
    claims = {claim.id: claim for claim in read_claims(results / "claims.parquet")}
    assert defects(list(claims.values())) == []
    assert (claims["jhu.2a"].verdict, claims["jhu.2b"].verdict) == ("holds", "holds")
    assert {claim.control_verdict for claim in claims.values()} == {"rejected", ""}
    assert {claim.verdict for claim in claims.values()} <= {"holds", "refuted", "reported"}


def test_values_repeat_the_tables(results, blocks):
    values = json.loads((results / "values.json").read_text())
    block, _ = blocks
    assert len(values["teachers"]) == block.replicates
    assert len(values["batches"]) == block.mini_batches.count
    for best in values["best"]:
        file = results / "runs" / f"init={best['init']}" / "best_learning_rate.parquet"
        assert read_table(file)["learning_rate"].tolist() == [best["rate"]]
        winners = [row["rate"] for row in values["rates"] if row["init"] == best["init"] and row["wins"]]
        assert winners == [best["rate"]]


def test_divergence_is_data(blocks, tmp_path):
    block, data = blocks
    block = with_settings(block, learning_rate={"factor": 2, "epochs": 3, "rates": [0.01, 1000.0]})
    results = run_study("planted_relu", block, data, 1, tmp_path)
    metrics = read_table(results / "runs" / "init=gaussian+factor=2+eta=1000.0" / "metrics.parquet")
    assert sorted(set(metrics["replicate"].tolist())) == list(range(block.replicates))
    last = metrics["diverged_step"] > 0
    assert np.isnan(metrics["objective"][last]).all()
    assert last.sum() == block.replicates
    values = json.loads((results / "values.json").read_text())
    worst = [row for row in values["rates"] if row["rate"] == 1000.0]
    assert all(row["diverged"] == block.replicates and row["mean"] is None for row in worst)
    assert {best["rate"] for best in values["best"]} == {0.01}
    assert (results / "figures" / "learning_rate.svg").stat().st_size > 1000


def test_when_every_run_diverges_the_study_still_ends(blocks, tmp_path):
    block, data = blocks
    block = with_settings(block, learning_rate={"factor": 2, "epochs": 2, "rates": [1000.0, 2000.0]})
    results = run_study("planted_relu", block, data, 1, tmp_path)
    values = json.loads((results / "values.json").read_text())
    assert {best["rate"] for best in values["best"]} == {1000.0}


@pytest.mark.parametrize(("lasts", "best"), [
    ({0.1: [3.0, 2.0], 1.0: [1.0, 1.0]}, 1.0),
    ({0.1: [3.0, 2.0], 1.0: [0.0, np.inf]}, 0.1),
    ({0.1: [np.inf, np.inf], 1.0: [1.0, np.inf]}, 1.0),
    ({0.1: [np.inf, np.inf], 1.0: [np.inf, np.inf]}, 0.1),
])
def test_the_winner_diverges_least_and_then_ends_lowest(tmp_path, lasts, best):
    paths = []
    for rate, ends in lasts.items():
        paths.append(tmp_path / f"{rate}")
        write_table(paths[-1], {"replicate": [0, 1], "epoch": [1, 1], "learning_rate": [rate] * 2,
                                "diverged_step": [int(np.isinf(end)) for end in ends],
                                "objective": [np.nan if np.isinf(end) else end for end in ends]})
    settings = {"rates": list(lasts), "epochs": 1}
    planted_relu.best_learning_rate(settings, {"runs": paths}, {"table": tmp_path / "best"})
    assert read_table(tmp_path / "best")["learning_rate"].tolist() == [best]


def test_an_added_rate_leaves_the_other_runs_alone(blocks):
    block, _ = blocks
    rates = block.learning_rate.rates
    before = {tuple(stage.outputs.values()): (stage.settings, stage.inputs) for stage in planned(block)}
    added = with_settings(block, learning_rate={**block.learning_rate.model_dump(), "rates": [*rates, 2 * rates[-1]]})
    after = {tuple(stage.outputs.values()): (stage.settings, stage.inputs) for stage in planned(added)}
    runs = [paths for paths in before if "/runs/" in paths[0] and "best_learning_rate" not in paths[0]]
    assert len(runs) == len(block.initializations) * (len(rates) + len(block.width.factors))
    assert all(after[paths] == before[paths] for paths in runs)


@pytest.mark.parametrize(("changes", "message"), [
    ({"epoch_samples": 1001}, "must be a multiple of"),
    ({"learning_rate": {"factor": 2, "epochs": 1, "rates": [0.1, 0.01]}}, "must be positive and rising"),
    ({"width": {"factors": [2, 4, 8], "epochs": 1}}, "must start at 1"),
])
def test_settings_that_do_not_fit_together_are_refused(blocks, changes, message):
    with pytest.raises(ValidationError, match=message):
        with_settings(blocks[0], **changes)
