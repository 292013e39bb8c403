"""`python -m descent`: stages by hand, and questions about the whole laboratory."""

import json
import subprocess

import pytest

from descent.__main__ import _dispatch, _stage_parser, stage_of
from tests.scratch_library import ScratchLibrary

TOY = '''
def number(settings, inputs, outputs):
    outputs["made"].write_text(str(settings["x"]))

def names(settings, inputs, outputs):
    outputs["made"].write_text(repr(inputs))
'''
MINIMAL = ["toy", "--entry", "descent.toy:number", "--settings", '{"x": 1}', "--output", "made=results/out"]


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ScratchLibrary:
    return ScratchLibrary(tmp_path_factory.mktemp("a library"), TOY)


def descent(library: ScratchLibrary, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(library.command(list(words)), cwd=library.root, env=library.environment(),
                          capture_output=True, text=True, check=False)


def test_the_code_of_another_checkout_is_refused(tmp_path, monkeypatch):
    (tmp_path / "workflow" / "descent").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for words in (["verify"], ["store"], ["submission", "x.zip"]):
        with pytest.raises(ValueError, match="would be used, not this checkout's"):
            _dispatch(words)


def parsed(*words: str):
    return stage_of(_stage_parser().parse_args([*MINIMAL, *words]))


def test_a_stage_needs_no_store_no_log_and_no_recipe(library):
    done = descent(library, *MINIMAL)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (library.root / "results" / "out").read_text() == "1"
    assert not library.record("results/out")["from_store"]


def test_paths_may_have_equals_signs_and_spaces():
    stage = parsed("--input", "metrics=results/runs/eta=0.1+init=a b/metrics.parquet")
    assert stage.inputs == {"metrics": "results/runs/eta=0.1+init=a b/metrics.parquet"}


def test_lists_of_inputs_stay_lists():
    stage = parsed("--input", "a=1", "--inputs", "b=2", "c=3", "c=4")
    assert stage.inputs == {"a": "1", "b": ("2",), "c": ("3", "4")}
    assert parsed("--inputs", "none=").inputs == {"none": ()}


def test_inputs_arrive_as_paths_and_lists_of_paths(library):
    (library.root / "source").write_text("")
    words = ["--input", "a=source", "--inputs", "b=source", "b=source"]
    done = descent(library, *MINIMAL, "--entry", "descent.toy:names", *words)
    assert done.returncode == 0, done.stderr
    path = "PosixPath('source')"
    assert (library.root / "results" / "out").read_text() == f"{{'a': {path}, 'b': [{path}, {path}]}}"


@pytest.mark.parametrize(("words", "line"), [
    (["--input", "a"], "descent: 'a': must be name=path"),
    (["--input", "a="], "descent: 'a=': must be name=path"),
    (["--input", "a=1", "a=2"], "descent: a: given 2 times (lists go after --inputs)"),
    (["--input", "a=none"], "descent: none: cannot read this input (No such file or directory)"),
    (["--entry", "descent.toy"], "descent: entry 'descent.toy': descent.toy has no "),
    (["--entry", "os:system"], "descent: entry 'os:system': no module os"),
    (["--entry", "descent.none:f"], "descent: entry 'descent.none:f': no module descent.none"),
    (["--settings", '{"x": NaN}'], "descent: Out of range float values are not JSON compliant"),
    (["--store", "nosuch://a"], "descent: store nosuch://a: Protocol not known: nosuch"),
])
def test_what_cannot_be_done_is_one_line(library, words, line):
    done = descent(library, *MINIMAL, *words)
    assert done.returncode == 1
    assert done.stderr.startswith(line)
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [
    ["--settings", "[]"], ["--settings", "{"], ["--settings", "x"], ["--replicates", "3"], ["--replicates", "{}"],
    ["--speed", "3"], ["--output"],
])
def test_what_is_no_stage_is_refused_with_the_usage(library, words):
    done = descent(library, *MINIMAL, *words)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m descent")
    assert done.stderr.splitlines()[-1].startswith("python -m descent: error: ")


def test_the_schema_is_printed(library):
    done = descent(library, "schema")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["properties"]) == {
        "master_seed", "preview", "checkpoint_seconds", "store", "report", "data", "studies"}


@pytest.mark.parametrize(("text", "line"), [
    (None, "descent: config.yaml: cannot be read (No such file or directory)"),
    ("master_seed: -1\nreport: {title: T}\ndata: {}\nstudies: {}\n",
     "descent: config: master_seed = -1: should be greater than or equal to 0"),
])
def test_a_laboratory_that_cannot_be_verified(library, text, line):
    config = library.root / "config.yaml"
    config.unlink(missing_ok=True)
    if text is not None:
        config.write_text(text)
    done = descent(library, "verify")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [line]
