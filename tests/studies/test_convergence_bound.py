"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import importlib
import json
from functools import cache
from pathlib import Path

import pytest
import yaml

from descent.claims import defects, read_claims
from descent.data import mnist1d
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import join_tables, read_table
from descent.studies import convergence_bound as study

CONFIG = Path(__file__).parents[1]
# At smoke size the width is a fifth and the steps are few, so that the printed bounds hold for all of them.
EXPECTED = {
    "du.4": "holds", "du.5.h_infinity": "holds", "du.5.h_zero": "holds", "du.5.closed_form": "holds",
    "du.5.concentration": "holds", "du.6.discrete": "holds", "du.6.discrete_printed": "holds", "du.6.flow": "holds",
    "du.6.flow_printed": "holds", "du.6.flow_descent": "holds", "du.6.movement": "vacuous",
    "du.6.width": "hypothesis fails", "du.6.mini": "reported", "du.6.one_hot": "reported", "du.6.literal": "reported",
}


def overlaid(base: dict, over: dict) -> dict:
    return {**base, **{k: overlaid(base.get(k, {}), v) if isinstance(v, dict) else v for k, v in over.items()}}


@cache
def configuration() -> dict:
    files = (CONFIG.parent / "config.yaml", CONFIG / "config.yaml")
    return overlaid(*(yaml.safe_load(path.read_text("utf-8")) for path in files))


def run(stage, root: Path) -> None:
    module, name = stage.entry.split(":")
    function = getattr(importlib.import_module(module), name)
    inputs = {key: root / path for key, path in stage.inputs.items()}
    outputs = {key: root / path for key, path in stage.outputs.items()}
    for path in outputs.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    parts = [{key: Path(f"{path}.{r}") for key, path in outputs.items()} for r in stage.replicates]
    for replicate, part in zip(stage.replicates, parts, strict=True):
        function(dict(stage.settings), inputs, part, replicate)
    for key, path in outputs.items() if parts else ():
        join_tables([part[key] for part in parts], path)
    if not parts:
        function(dict(stage.settings), inputs, outputs)


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    root, blocks = tmp_path_factory.mktemp("study"), configuration()
    data = mnist1d.stage(mnist1d.Settings(**blocks["data"]["mnist1d"]), request.param)
    plan = StudyPlan("convergence_bound", request.param, False, {"mnist1d": data.outputs["table"]})
    study.plan(plan, study.Settings(**blocks["studies"]["convergence_bound"]))
    for stage in (data, *plan.stages):
        if stage.rule != "figure":
            run(stage, root)
    return root / "results" / "convergence_bound"


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert {row.id: row.verdict for row in rows if row.id != "du.6.hypothesis"} == EXPECTED
    assert {row.control_verdict for row in rows if row.control} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    gram = read_table(finished / "tables" / "gram.parquet")
    assert values["h_zero_least"] == gram["lambda_min"][gram["width"] == 200].min()
    assert values["lambda_0"] == read_table(finished / "tables" / "spectra.parquet")["h_infinity"].min()
    assert values["required_width"] > 1e6
    literal = values["runs"][-1]
    assert literal["diverged"] == 2
    assert literal["final_loss"] is None
    assert literal["steps"] < 400


def test_compared_runs_start_from_the_same_weights(finished):
    kept = [read_table(path) for path in sorted(finished.glob("runs/network=theorem,*/trajectory.parquet"))]
    for table in kept[1:]:
        assert (table["hidden"][table["step"] == 0] == kept[0]["hidden"][kept[0]["step"] == 0]).all()
