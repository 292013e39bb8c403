"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import numpy as np
import pytest

from descent.claims import defects, read_claims
from descent.pipeline.fingerprint import Fingerprints
from descent.pipeline.recipes import Identity
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table
from descent.studies import convergence_bound
from tests.in_process import run_study, smoke_settings

# At smoke size the width is a fifth and the steps are few, so that the printed bounds hold for all of them.
EXPECTED = {
    "du.4": "holds", "du.5.h_infinity": "holds", "du.5.h_zero": "holds", "du.5.closed_form": "holds",
    "du.5.concentration": "holds", "du.6.discrete": "holds", "du.6.discrete_printed": "holds", "du.6.flow": "holds",
    "du.6.flow_printed": "holds", "du.6.flow_descent": "holds", "du.6.movement": "vacuous",
    "du.6.width": "hypothesis fails", "du.6.mini": "reported", "du.6.one_hot": "reported", "du.6.literal": "reported",
}


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    laboratory = smoke_settings()
    block = laboratory.studies.convergence_bound
    # The interval for the slope of the width law takes more than a few points to tell 1/√m from 1/m.
    block = block.model_copy(update={"gram": block.gram.model_copy(update={"seeds": 4})})
    return run_study("convergence_bound", block, {"mnist1d": laboratory.data.mnist1d}, request.param,
                     tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


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
    kept = [read_table(path) for path in sorted(finished.glob("runs/network=theorem+*/trajectory.parquet"))]
    for table in kept[1:]:
        assert (table["hidden"][table["step"] == 0] == kept[0]["hidden"][kept[0]["step"] == 0]).all()


def trained_on(monkeypatch, device: str) -> dict[str, tuple]:
    """Settings, entry and key of every training stage, by output, where the setting resolves to `device`."""
    monkeypatch.setattr(convergence_bound, "resolve", lambda setting: device)
    plan = StudyPlan("convergence_bound", 1, False, {"mnist1d": "results/data/mnist1d.parquet"})
    fingerprints = Fingerprints()
    convergence_bound.plan(plan, smoke_settings().studies.convergence_bound)
    return {stage.outputs["metrics"]: (stage.settings, stage.entry.partition(":")[2],
                                       Identity(stage, fingerprints).digest({}, stage.replicates))
            for stage in plan.stages if stage.rule == "train"}


def test_the_device_is_part_of_settings_and_key(monkeypatch):
    on_cpu, on_gpu = trained_on(monkeypatch, "cpu"), trained_on(monkeypatch, "cuda")
    assert on_cpu.keys() == on_gpu.keys()
    for path, (settings, entry, key) in on_cpu.items():
        assert (settings["device"], entry) == ("cpu", "train")
        assert on_gpu[path][:2] == ({**settings, "device": "cuda"}, "train_on_device")
        assert on_gpu[path][2] != key


def test_the_code_of_training_on_the_cpu_has_no_torch():
    closures = [Fingerprints().closure(f"descent.studies.convergence_bound:{entry}")
                for entry in ("train", "train_on_device")]
    assert ["torch" in closure.packages for closure in closures] == [False, True]
    assert [any("device_descent" in part for part in closure.parts) for closure in closures] == [False, True]


@pytest.mark.parametrize("run", [
    {"network": "theorem", "labels": "one_hot", "batch": "full", "stable": 0.5},
    {"network": "theorem", "labels": "digit", "batch": 20, "stable": 0.5},
    {"network": "literal", "labels": "digit", "batch": "full", "lr": 1e-5},
])
def test_training_on_a_device_gives_what_the_cpu_gives(finished, tmp_path, run):
    """The CPU stands in for the GPU; the same losses and weights within 1e-9 after 40 steps."""
    settings = {**run, "width": 40, "steps": 40, "record_every": 1, "kept_steps": 4, "master_seed": 1, "device": "cpu"}
    data, tables = {"data": finished.parent / "data" / "mnist1d.parquet"}, []
    for train in (convergence_bound.train, convergence_bound.train_on_device):
        outputs = {name: tmp_path / name for name in ("metrics", "trajectory")}
        train(settings, data, outputs, 0)
        tables.append({**read_table(outputs["trajectory"]), **read_table(outputs["metrics"])})
    assert tables[0].keys() == tables[1].keys()
    for name, values in tables[0].items():
        np.testing.assert_allclose(tables[1][name], values, rtol=1e-9, atol=1e-9)
