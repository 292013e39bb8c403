"""The whole laboratory as stages, on a small one whose studies are made here."""

import copy
import dataclasses
import shlex
from types import SimpleNamespace

import pytest
from pydantic import Field

from descent.__main__ import _stage_parser, stage_of
from descent.pipeline import discovery, settings
from descent.pipeline.fingerprint import Fingerprints
from descent.pipeline.plan import LEDGER_PAGE, REPORT, VERDICT, Plan
from descent.pipeline.recipes import Identity, by_name
from descent.pipeline.settings import Block, ConfigError
from descent.pipeline.stage import Stage
from descent.pipeline.staleness import estimate, stale_outputs
from tests.laboratory import CHECKOUT

# Functions of the library that stand in for those of the studies, which are not run here.
ENTRY, OTHER = "descent.claims:read_claims", "descent.claims:defects"


class Noise(Block):
    size: int = Field(3, ge=1, description="Samples")


class Sweep(Block):
    rates: list[float] = Field([0.1, 0.2], description="Learning rates")
    names: list[str] = Field([], description="Names")
    replicates: int = Field(2, ge=1, description="Replicates")
    weight: float = Field(1.0, description="Weight of the summary")


def noise_stage(settings, master_seed):
    return Stage("noise", OTHER, {**settings.model_dump(), "master_seed": master_seed}, {},
                 {"table": "results/data/noise.parquet"}, seconds=2.0, megabytes=1.0)


def plan_sweep(study, settings):
    if settings.weight < 0:
        raise ValueError("weight: must not be negative")
    data = {"data": study.data("noise")}
    runs = [study.train({"eta": rate}, {"eta": rate}, data, range(settings.replicates), ENTRY, seconds=5.0)["metrics"]
            for rate in settings.rates]
    for i, name in enumerate(settings.names):
        study.train({"name": name}, {"i": i}, data, range(1), ENTRY)
    study.table("summary", {"weight": settings.weight}, {"runs": runs, "source": "source.txt"}, OTHER, seconds=3.0)


def plan_other(study, settings):
    study.table("alone", {}, {}, OTHER)


MODULES = {
    ("data", "noise"): SimpleNamespace(Settings=Noise, stage=noise_stage, __doc__="Noise."),
    ("studies", "sweep"): SimpleNamespace(Settings=Sweep, plan=plan_sweep, __doc__="A sweep."),
    ("studies", "other"): SimpleNamespace(Settings=Noise, plan=plan_other, __doc__="Another."),
}
CONFIG = {"master_seed": 1, "report": {"title": "T"}, "data": {"noise": {}}, "studies": {"sweep": {}, "other": {}}}
METRICS = "results/sweep/runs/eta=0.1/metrics.parquet"
SUMMARY = "results/sweep/tables/summary.parquet"
ALONE = "results/other/tables/alone.parquet"


def report_stages(plan, plans):
    tables = tuple(path for study in plans for stage in study.stages for path in stage.outputs.values())
    made = {path: path for path in (*REPORT, VERDICT, LEDGER_PAGE)}
    return [Stage("report", OTHER, {}, {"tables": tables}, made, seconds=1.0)]


@pytest.fixture(autouse=True)
def small_laboratory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "source.txt").write_text("source")
    monkeypatch.setattr(discovery, "module_names", lambda package: [name for kind, name in MODULES if kind == package])
    monkeypatch.setattr(discovery, "load", lambda package, name: MODULES[package, name])
    monkeypatch.setattr(Plan, "_report_stages", report_stages)


def planned(**changes) -> Plan:
    config = copy.deepcopy(CONFIG)
    for key, value in changes.items():
        block = config
        *folders, last = key.split("__")
        for folder in folders:
            block = block[folder]
        block[last] = value
    return Plan(config)


def recipes(plan: Plan) -> dict[str, str]:
    return {path: plan.recipe(path) for stage in plan.stages for path in stage.outputs.values()}


def changed(before: Plan, after: Plan) -> set[str]:
    old, new = recipes(before), recipes(after)
    return {path for path in old if old[path] != new.get(path)}


def test_stages_are_those_of_the_configured_data_and_studies():
    assert METRICS in recipes(planned())
    assert ALONE not in recipes(planned(studies={"sweep": {}}))
    assert ALONE not in recipes(planned(studies__other=None))


def test_a_setting_changes_the_recipes_of_what_reads_it_and_of_what_reads_that():
    everywhere = {*REPORT, VERDICT, LEDGER_PAGE}
    run = {METRICS, METRICS.replace("metrics", "trajectory")}
    assert changed(planned(), planned(studies__sweep={"weight": 2.0})) == {SUMMARY} | everywhere
    assert changed(planned(), planned(studies__sweep={"rates": [0.1, 0.2, 0.3]})) == {SUMMARY} | everywhere
    assert run <= changed(planned(), planned(studies__sweep={"replicates": 3}))
    assert changed(planned(), planned(data__noise={"size": 4})) == recipes(planned()).keys() - {ALONE}
    assert changed(planned(), planned(report__title="Another")) == set()
    assert changed(planned(), planned(store={"path": "elsewhere"})) == set()


def test_a_source_file_changes_the_recipes_of_what_reads_it(tmp_path):
    before = planned()
    (tmp_path / "source.txt").write_text("other")
    assert changed(before, planned()) == {SUMMARY, *REPORT, VERDICT, LEDGER_PAGE}
    (tmp_path / "source.txt").unlink()
    with pytest.raises(ConfigError, match="source.txt: cannot read this source file"):
        recipes(planned())


def test_results_of_another_cpu_type_count_when_exact():
    assert changed(planned(), planned(store={"exact": True})) == recipes(planned()).keys()


@pytest.mark.parametrize("names", [["Gaussian", "gaussian"], ["a", "A"]])
def test_two_settings_may_not_make_the_same_file(names):
    with pytest.raises(ConfigError, match="two different settings would both make results/sweep/runs/name="):
        planned(studies__sweep={"names": names})


def test_asking_twice_for_the_same_run_is_no_fault():
    assert recipes(planned(studies__sweep={"rates": [0.1, 0.1, 0.2]})).keys() == recipes(planned()).keys()


@pytest.mark.parametrize(("changes", "line"), [
    ({"studies__sweep": {"weight": -1.0}}, "config: studies.sweep: weight: must not be negative"),
    ({"studies__sweep": {"names": ["../../etc"]}}, "config: studies.sweep: name: '../../etc' cannot be part of"),
    ({"data__noise": None}, "config: studies.sweep: study sweep: no data set 'noise'"),
    ({"studies__sweep": {"wait": 1}}, "config: studies.sweep.wait = 1: no such key"),
])
def test_what_a_study_cannot_do_is_one_line(changes, line):
    with pytest.raises(ConfigError) as raised:
        planned(**changes)
    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)


def test_an_unknown_file_is_named_with_what_there_is():
    plan = planned()
    with pytest.raises(KeyError) as raised:
        plan.stage(METRICS.replace("0.1", "0.15"))
    assert METRICS in raised.value.args[0]
    with pytest.raises(KeyError) as raised:
        plan.stage("qqq")
    assert raised.value.args[0] == "qqq: nothing in the configuration makes this file (studies: sweep, other)"


def test_producers_come_before_their_readers():
    plan = planned()
    order = plan.upstream(["report"])
    assert len(order) == len(plan.stages)
    made: set[str] = {"source.txt"}
    for stage in order:
        assert made.issuperset(stage.input_paths)
        made.update(stage.outputs.values())


def test_targets_are_paths_or_operations():
    plan = planned()
    assert [stage.rule for stage in plan.upstream([METRICS])] == ["noise", "train"]
    assert [stage.rule for stage in plan.upstream(["table"])] == ["noise", "train", "train", "table", "table"]
    assert plan.upstream(["all"]) == plan.upstream(["report"])
    assert plan.producer("source.txt") is None
    assert plan.producer(METRICS) is plan.stage(METRICS)


def test_what_most_waits_for_comes_first():
    seconds = planned().remaining_seconds
    assert seconds["results/data/noise.parquet"] == 2.0 + 5.0 + 3.0 + 1.0
    assert seconds[METRICS] == 5.0 + 3.0 + 1.0
    assert seconds[REPORT[0]] == 1.0


@pytest.mark.parametrize("target", [METRICS, SUMMARY, "results/data/noise.parquet"])
def test_the_printed_command_makes_the_same_stage(target):
    plan = planned()
    stage = plan.stage(target)
    arguments = _stage_parser().parse_args(shlex.split(plan.command(stage, log="a b.log")))
    parsed = stage_of(arguments)
    assert parsed == dataclasses.replace(stage, seconds=parsed.seconds, megabytes=parsed.megabytes)
    digest = Identity(parsed, Fingerprints()).digest(by_name(parsed, plan.recipe), parsed.replicates)
    assert digest == plan.recipe(target) == arguments.recipe
    assert (arguments.store, arguments.exact, str(arguments.log)) == (".descent/store", False, "a b.log")


def test_every_command_of_the_shipped_laboratory_makes_its_stage(monkeypatch):
    monkeypatch.undo()  # the studies that this file makes
    monkeypatch.chdir(CHECKOUT)
    plan = Plan(settings.read(["config.yaml"]))
    for stage in plan.stages:
        parsed = stage_of(_stage_parser().parse_args(shlex.split(plan.command(stage))))
        assert parsed == dataclasses.replace(stage, seconds=parsed.seconds, megabytes=parsed.megabytes,
                                             memory_mb=parsed.memory_mb)


def test_before_the_first_run_everything_is_missing(tmp_path):
    plan = planned()
    before = sorted(tmp_path.rglob("*"))
    stale = stale_outputs(plan, ["report"])
    assert stale == dict.fromkeys(recipes(plan), "missing")
    assert estimate(plan, stale, ["report"]) == (len(plan.stages), 2 + 5 + 5 + 3 + 1 + 1, pytest.approx(1.5))
    assert estimate(plan, {SUMMARY: "missing"}, ["report"])[:2] == (2, 4.0)
    assert estimate(plan, {}, ["report"]) == (0, 0.0, 0.0)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_in_place_of_an_output_is_no_output(tmp_path):
    (tmp_path / SUMMARY).mkdir(parents=True)
    assert stale_outputs(planned(), [SUMMARY])[SUMMARY] == "missing"
