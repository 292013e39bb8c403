"""Recipes and keys: what goes into them, and what does not."""

import dataclasses

import pytest

from descent.pipeline import recipes
from descent.pipeline.fingerprint import Fingerprints
from descent.pipeline.recipes import Identity, by_name
from descent.pipeline.stage import Stage

STAGE = Stage("claims", "descent.claims:write_claims", {"a": 1, "b": [0.5]},
              {"first": "results/a", "several": ("results/b", "results/c")}, {"claims": "results/claims.parquet"})
INPUTS = {"first": "0", "several": ["1", "2"]}


def digest(stage: Stage = STAGE, inputs=INPUTS, exact: bool = False):
    return Identity(stage, Fingerprints(), exact).digest(inputs, stage.replicates)


@pytest.mark.parametrize("change", [
    {"entry": "descent.claims:read_claims"}, {"settings": {"a": 1, "b": [0.25]}}, {"settings": {"a": [0.5], "b": 1}},
    {"settings": {"a": 1.0, "b": [0.5]}}, {"settings": {"a": True, "b": [0.5]}}, {"outputs": {"rows": "results/x"}},
    {"replicates": (0,)}, {"settings": {"a": "1", "b": [0.5]}},
])
def test_what_makes_a_stage_makes_its_digest(change):
    assert digest(dataclasses.replace(STAGE, **change)) != digest()


@pytest.mark.parametrize("change", [
    {"rule": "other"}, {"settings": {"b": (0.5,), "a": 1}}, {"outputs": {"claims": "elsewhere"}}, {"seconds": 9.0},
    {"memory_mb": 9}, {"megabytes": 9.0}, {"inputs": {"several": ("x", "y"), "first": "z"}},
])
def test_names_of_files_and_estimates_do_not(change):
    assert digest(dataclasses.replace(STAGE, **change)) == digest()


@pytest.mark.parametrize("inputs", [
    {"first": "1", "several": ["0", "2"]}, {"first": "0", "several": ["2", "1"]}, {"other": "0", "several": ["1", "2"]},
    {"first": "0", "several": ["1"]}, {"first": ["0"], "several": ["1", "2"]},
])
def test_inputs_count_by_name_and_in_order(inputs):
    assert digest(inputs=inputs) != digest()


def test_versions_count_where_they_are_used(monkeypatch):
    drawing = dataclasses.replace(STAGE, entry="descent.figures:new_figure")
    before = digest(), digest(drawing)
    installed = recipes.runtime_versions

    def newer(packages, tools):
        return {name: version + ".1" if name == "matplotlib" else version
                for name, version in installed(packages, tools).items()}

    monkeypatch.setattr(recipes, "runtime_versions", newer)
    assert digest() == before[0]
    assert digest(drawing) != before[1]


def test_the_cpu_counts_when_results_are_to_be_exact(monkeypatch):
    exact, inexact = digest(exact=True), digest()
    assert exact != inexact
    monkeypatch.setattr(recipes, "cpu", lambda: "another")
    assert digest(exact=True) != exact
    assert digest() == inexact


def test_one_replicate_is_not_a_stage_with_one_replicate():
    identity = Identity(dataclasses.replace(STAGE, replicates=(3,)), Fingerprints())
    assert identity.digest(INPUTS, 3) != identity.digest(INPUTS, (3,))


def test_joining_and_the_environment_belong_to_the_code():
    parts = Identity(dataclasses.replace(STAGE, replicates=(3,)), Fingerprints()).parts
    assert "descent.pipeline.tables:join_tables" in parts
    assert "descent.pipeline.environment:stage_environment" in Identity(STAGE, Fingerprints()).parts
    assert "descent.pipeline.tables:join_tables" not in Identity(STAGE, Fingerprints()).parts


def test_values_by_name():
    assert by_name(STAGE, str.upper) == {"first": "RESULTS/A", "several": ["RESULTS/B", "RESULTS/C"]}


def test_digests_do_not_depend_on_where_the_library_is(tmp_path):
    import shutil

    from descent.pipeline.fingerprint import ROOT

    shutil.copytree(ROOT / "descent", tmp_path / "descent", ignore=shutil.ignore_patterns("__pycache__"))
    elsewhere = Identity(STAGE, Fingerprints(tmp_path)).digest(INPUTS, ())
    assert elsewhere == digest()
