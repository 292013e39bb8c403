"""The study at a small size under five other master seeds: every verdict and every negative control."""

import json
from pathlib import Path

import numpy as np
import pytest

from descent.claims import defects, read_claims
from descent.pipeline import settings
from descent.pipeline.fingerprint import Fingerprints
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table
from descent.studies import width_experiment
from tests.in_process import run_study, smoke_settings

CLAIMS = ("fluctuation", "gram", "closer", "deviation_synthetic_regression_short", "deviation_synthetic_regression",
          "movement", "flips", "drift", "step")
BASE = ["config.yaml", "tests/config.yaml"]


def small_study(folder: Path, seed: int) -> Path:
    """Wider than at smoke size and with more data and inputs, so that exponents are known to a tenth."""
    laboratory = smoke_settings()
    block = laboratory.studies.width_experiment.model_copy(
        update={"widths": [32, 128, 512, 2048, 8192], "shared_up_to": 512, "replicates": 16, "horizons": [0.2, 1, 2]})
    data = laboratory.data.synthetic_regression.model_copy(update={"samples": 64, "input_dimension": 10})
    return run_study("width_experiment", block, {"synthetic_regression": data}, seed, folder, frozenset({"figure"}))


@pytest.fixture(scope="module", params=[1, 2, 3, 4, 5])
def finished(request, tmp_path_factory) -> Path:
    return small_study(tmp_path_factory.mktemp("study"), request.param)


def test_verdicts_and_controls_do_not_depend_on_the_seed(finished):
    rows = read_claims(finished / "claims.parquet")
    assert {row.id: row.verdict for row in rows} == {f"tau.4.3.{name}": "holds" for name in CLAIMS}
    assert {row.control_verdict for row in rows} == {"rejected"}
    assert defects(rows) == []


def test_values_agree_with_the_tables(finished):
    values = json.loads((finished / "values.json").read_text("utf-8"))
    (data,) = values["sets"]
    assert (data["n"], data["d"]) == (64, 10)
    law = next(row for row in values["laws"] if row["start"] == "independent" and row["time"] == 2)
    table = read_table(finished / "runs" / "data=synthetic_regression+init=theorem+m=8192" / "metrics.parquet")
    last = table["flow_time"] == 2
    assert law["movement_last"] == pytest.approx(np.exp(np.mean(np.log(table["movement"][last]))))
    assert law["deviation_first"] > 5 * law["deviation_last"]
    assert "Yes: from 32 to 8,192 hidden units" in values["findings"][0]


def test_halved_steps_start_from_the_same_weights(finished):
    whole = read_table(finished / "runs" / "data=synthetic_regression+init=theorem+m=2048" / "metrics.parquet")
    halved = read_table(finished / "runs" / "data=synthetic_regression+step=halved" / "metrics.parquet")
    for replicate in (0, 1):
        same = [np.unique(table["start_error"][(table["width"] == 2048) & (table["replicate"] == replicate)])
                for table in (whole, halved)]
        assert same[0] == pytest.approx(same[1], rel=1e-14)
    assert np.unique(halved["step_size"]).tolist() == [0.025, 0.05]


def run_settings(**more) -> dict:
    return {"master_seed": 1, "initialization": "theorem", "widths": [20, 40], "step_sizes": [0.1],
            "horizons": [0.2, 1.0], "points": 2, "device": "cpu", **more}


def test_training_on_a_device_gives_what_the_cpu_gives(finished, tmp_path):
    """The CPU stands in for the GPU; the same to 1e-8 after ten steps, in which rounding decides no pattern."""
    data, tables = {"data": finished.parent / "data" / "synthetic_regression.parquet"}, []
    for train in (width_experiment.train, width_experiment.train_on_device):
        outputs = {name: tmp_path / name for name in ("metrics", "trajectory")}
        train(run_settings(), data, outputs, 0)
        tables.append({**read_table(outputs["trajectory"]), **read_table(outputs["metrics"])})
    assert tables[0].keys() == tables[1].keys()
    for name, values in tables[0].items():
        np.testing.assert_allclose(tables[1][name], values, rtol=1e-8, atol=1e-8)


def test_a_step_at_which_the_control_diverges_is_refused(finished, tmp_path):
    data = {"data": finished.parent / "data" / "synthetic_regression.parquet"}
    with pytest.raises(ValueError, match="step 1.0: must be below"):
        width_experiment.train(run_settings(step_sizes=[1.0], horizons=[1.0, 2.0]), data, {}, 0)


def trained_on(monkeypatch, device: str) -> list[tuple]:
    monkeypatch.setattr(width_experiment, "resolve", lambda setting: device)
    plan = StudyPlan("width_experiment", 1, False, {"synthetic_regression": "synthetic_regression.parquet"})
    width_experiment.plan(plan, smoke_settings().studies.width_experiment)
    return [(stage.settings, stage.entry.partition(":")[2]) for stage in plan.stages if stage.rule == "train"]


def test_the_device_is_part_of_the_settings_and_chooses_the_entry(monkeypatch):
    on_cpu, on_gpu = trained_on(monkeypatch, "cpu"), trained_on(monkeypatch, "cuda")
    assert on_gpu == [({**settings, "device": "cuda"}, "train_on_device") for settings, _ in on_cpu]
    assert {(settings["device"], entry) for settings, entry in on_cpu} == {("cpu", "train")}


def test_the_code_of_training_on_the_cpu_has_no_torch():
    closures = [Fingerprints().closure(f"descent.studies.width_experiment:{entry}")
                for entry in ("train", "train_on_device")]
    assert ["torch" in closure.packages for closure in closures] == [False, True]


@pytest.mark.parametrize(("change", "message"), [
    ({"widths": [32, 30, 64]}, "widths must be rising multiples of 4"),
    ({"halving": {"widths": [32, 64, 128], "replicates": 2}}, "halving.widths must rise and be among widths"),
    ({"halving": {"widths": [128, 512, 2048], "replicates": 50}}, "halving.replicates must not exceed replicates"),
    ({"horizons": [0.25, 1, 4]}, "horizons must be whole numbers of steps"),
    ({"short_horizon": 4}, "short_horizon be one of them but the last"),
    ({"initializations": ["antisymmetric"]}, "initializations must contain theorem"),
    ({"data": ["diabetes", "diabetes"]}, "must each be different"),
])
def test_settings_that_do_not_fit_are_told(change, message):
    config = settings.read(BASE)
    config["studies"]["width_experiment"].update(change)
    with pytest.raises(settings.ConfigError, match=message):
        settings.validate(config)
