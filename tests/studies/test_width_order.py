"""The study width_order at smoke size: verdicts and controls at several seeds, what is chosen, what stages read."""

import json

import numpy as np
import pytest
from pydantic import ValidationError

from descent.claims import defects, read_claims
from descent.dynamics.width_order import choices
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table
from descent.studies import width_order
from tests.in_process import run_study, smoke_settings

SEEDS = (1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def blocks():
    laboratory = smoke_settings()
    return laboratory.studies.width_order, {"planted_relu": laboratory.data.planted_relu}


@pytest.fixture(scope="module", params=SEEDS)
def results(request, blocks, tmp_path_factory):
    return run_study("width_order", *blocks, request.param, tmp_path_factory.mktemp("run"), frozenset({"figure"}))


def with_settings(block, **changes):
    """The block with some settings changed, validated again."""
    return width_order.Settings.model_validate({**block.model_dump(), **changes})


def planned(block, seed=1):
    plan = StudyPlan("width_order", seed, False, {"planted_relu": "results/data/planted_relu.parquet"})
    width_order.plan(plan, block)
    return {next(iter(stage.outputs.values())): stage for stage in plan.stages}


def test_verdicts_and_controls(results):
    """Networks of four hidden units differ too much to tell their order; that is left to larger ones."""
    claims = {claim.id: claim for claim in read_claims(results / "claims.parquet")}
    assert defects(list(claims.values())) == []
    assert claims["jhu.2e.near_zero"].verdict == "holds"
    assert claims["jhu.2e.order"].verdict in {"holds", "refuted"}
    assert {claim.control_verdict for claim in claims.values()} == {"rejected", ""}


def test_the_choice_is_made_on_replicates_that_the_test_does_not_use(results, blocks):
    block, _ = blocks
    sweep = read_table(results / "tables" / "sweep.parquet")
    screened = set(range(block.screening.replicates))
    for purpose in width_order.PURPOSES:
        chosen = np.array(sweep[f"for_{purpose}"])
        assert chosen.sum() == 1
        assert sweep["full"][chosen] == (purpose != "document")
        run = read_table(results / "runs" / f"runs={purpose}" / "trajectory.parquet")
        assert set(choices(run)) == {choices(sweep)[int(np.flatnonzero(chosen)[0])]}
        assert screened.isdisjoint(run["replicate"].tolist())
        assert len(set(run["replicate"].tolist())) == block.full.replicates
    full = sweep["full"] & (sweep["power"] == 0)
    assert sweep["margin"][sweep["for_order"]] == sweep["margin"][full].max()
    assert sweep["worst_risk"][sweep["for_near_zero"]] == sweep["worst_risk"][sweep["full"]].min()


def test_values_repeat_the_tables(results, blocks):
    values, (block, _) = json.loads((results / "values.json").read_text()), blocks
    assert values["settings"] == sum(len(one.rates) for one in block.optimizers) * len(block.powers) * len(
        block.initializations)
    assert [one["purpose"] for one in values["chosen"]] == list(width_order.PURPOSES)
    assert len(values["widths"]) == len(width_order.PURPOSES) * len(block.factors)
    assert sum(row["for_order"] for row in values["finalists"]) == 1


def test_figures_and_divergence(blocks, tmp_path):
    block, data = blocks
    optimizers = [{"name": "sgd", "batch_size": 2, "rates": [0.001, 0.003, 1000.0]},
                  {"name": "adam", "batch_size": 2, "rates": [0.01]}]
    block = with_settings(block, optimizers=optimizers, factors=[1, 2, 4],
                          screening={"replicates": 2, "epochs": 4}, full={"replicates": 2, "epochs": 8})
    results = run_study("width_order", block, data, 1, tmp_path)
    sweep = read_table(results / "tables" / "sweep.parquet")
    diverged = sweep["rate"] == 1000
    assert (sweep["diverged"][diverged] == 6).all()
    assert (sweep["margin"][diverged] == -np.inf).all()
    for name in ("mse_by_iteration", "sweep"):
        assert 5_000 < (results / "figures" / f"{name}.svg").stat().st_size < 200_000


def test_an_added_rate_or_choice_leaves_the_other_screening_runs_alone(blocks):
    block, _ = blocks
    (one,) = block.model_dump()["optimizers"]
    before = planned(block)
    another = planned(with_settings(block, optimizers=[one, {**one, "name": "adam"}]))
    fewer = planned(with_settings(block, near_zero=0.5, finalists={
        "order": {"count": 2, "exponents": [1.0]}, "near_zero": {"count": 1, "exponents": [0.0]}}))
    screening = [path for path, stage in before.items() if stage.entry.endswith(":train")]
    assert len(screening) == 1
    for path in screening:
        for after in (another, fewer):
            assert (after[path].settings, after[path].inputs) == (before[path].settings, before[path].inputs)


def test_the_smoke_size_has_few_stages(blocks):
    assert len(planned(blocks[0])) <= 10


@pytest.mark.parametrize(("changes", "message"), [
    ({"screening": {"replicates": 2, "epochs": 5}}, "multiple of intervals"),
    ({"epoch_samples": 1001}, "multiple of every batch_size"),
    ({"factors": [2, 1, 4]}, "must be rising"),
    ({"document": {"initialization": "small", "batch_size": 2, "factor": 2, "rates": [0.001, 0.5]}}, "among those"),
])
def test_settings_that_do_not_fit_together_are_refused(blocks, changes, message):
    with pytest.raises(ValidationError, match=message):
        with_settings(blocks[0], **changes)
