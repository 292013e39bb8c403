"""The study at smoke size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import numpy as np
import pytest

from descent.claims import defects, read_claims
from descent.pipeline.fingerprint import Fingerprints
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table
from descent.studies import joint_training
from tests.in_process import run_study, smoke_settings

EXPECTED = {
    "du.3.derivative": "holds", "du.3.output_layer": "holds", "du.3.output_layer_printed": "refuted",
    "du.3.gram": "holds", "du.3.decay": "holds", "du.3.lemma_a2": "holds", "du.3.balance": "holds",
    "du.3.rate": "holds", "du.3.flow": "holds", "du.3.flow_descent": "holds", "du.3.discrete": "holds",
    "du.3.hypothesis": "holds",
}


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    laboratory = smoke_settings()
    return run_study("joint_training", laboratory.studies.joint_training, {"mnist1d": laboratory.data.mnist1d},
                     request.param, tmp_path_factory.mktemp("study"), skip=frozenset({"figure"}))


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert {row.id: row.verdict for row in rows} == EXPECTED
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    assert (values["unweighted_off_signs"], values["right_off"]) == (0, 0)
    assert values["unweighted_off"] > 0.9
    spectra = {name: read_table(finished / f"runs/trained={name}/joint_spectrum.parquet")
               for name in ("both", "hidden")}
    last = spectra["both"]["step"] == 400
    assert values["both_lambda_min_h_last"] == spectra["both"]["lambda_min_h"][last].mean()
    assert np.all(spectra["hidden"]["output_movement"] == 0)
    assert values["share_least"] > 0


def test_both_runs_start_from_the_same_weights_and_the_smaller_steps_too(finished):
    kept = [read_table(finished / f"runs/trained={name}/trajectory.parquet") for name in ("both", "hidden")]
    starts = [{name: table[name][table["step"] == 0] for name in ("hidden", "outputs")} for table in kept]
    for name in ("hidden", "outputs"):
        np.testing.assert_array_equal(starts[0][name], np.repeat(starts[1][name], 3, axis=0))
    metrics = read_table(finished / "runs/trained=both/metrics.parquet")
    times = [metrics["flow_time"][(metrics["parts"] == parts) & (metrics["replicate"] == 0)] for parts in (1, 2, 4)]
    np.testing.assert_allclose(times[1], times[2], rtol=1e-14)
    np.testing.assert_allclose(times[1], times[0][: len(times[1])], rtol=1e-14)


def test_training_on_a_device_gives_what_the_cpu_gives(finished, tmp_path):
    """The CPU stands in for the GPU; losses, remainders and weights within 1e-9 after 40 steps."""
    settings = {"trained": "both", "labels": "digit", "width": 40, "stable": 0.5, "steps": 40, "limit_steps": 10,
                "kept_steps": 6, "parts": [1, 2], "master_seed": 1, "device": "cpu"}
    data, tables = {"data": finished.parent / "data" / "mnist1d.parquet"}, []
    for train in (joint_training.train, joint_training.train_on_device):
        outputs = {name: tmp_path / name for name in ("metrics", "trajectory")}
        train(settings, data, outputs, 0)
        tables.append({**read_table(outputs["trajectory"]), **read_table(outputs["metrics"])})
    for name, values in tables[0].items():
        np.testing.assert_allclose(tables[1][name], values, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("device", "entry"), [("cpu", "train"), ("cuda", "train_on_device")])
def test_the_device_chooses_the_entry(monkeypatch, device, entry):
    monkeypatch.setattr(joint_training, "resolve", lambda setting: device)
    plan = StudyPlan("joint_training", 1, False, {"mnist1d": "results/data/mnist1d.parquet"})
    joint_training.plan(plan, smoke_settings().studies.joint_training)
    stages = [stage for stage in plan.stages if stage.rule == "train"]
    assert {(stage.entry.partition(":")[2], stage.settings["device"]) for stage in stages} == {(entry, device)}
    closure = Fingerprints().closure(f"descent.studies.joint_training:{entry}")
    assert ("torch" in closure.packages) == (device == "cuda")


def test_the_repeated_part_is_no_longer_than_the_run():
    block = smoke_settings().studies.joint_training.model_dump()
    with pytest.raises(ValueError, match="limit_steps = 401"):
        joint_training.Settings(**{**block, "limit_steps": 401})
