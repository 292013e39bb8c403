"""`python -m descent compare` and `snapshot`: causes and movements named, equal results silent."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from descent.claims import Claim, write_claims
from descent.pipeline import snapshot
from descent.pipeline.comparison import Comparison
from descent.pipeline.comparison_text import lines
from descent.pipeline.sidecar import file_digest, file_state, write_sidecar
from tests.scratch_library import ScratchLibrary

TOY = '''
import json

def scale(x):
    return 2 * x

def values(settings, inputs, outputs):
    made = {"x": scale(settings["x"]), "mean": settings["x"], "low": settings["x"] - 1, "high": settings["x"] + 1}
    outputs["made"].write_text(json.dumps(made))

def other(settings, inputs, outputs):
    outputs["made"].write_text(inputs["source"].read_text())
'''
CLAIM = Claim(id="du.1", kind="theorem", document="du", statement="s", form="as printed", hypotheses="", cases=3,
              bound=2.0, observed=1.0, slack=0.5, confidence=None, verdict="holds", control="c",
              control_verdict="rejected", figure="")


class Results:
    """A results folder as the runner leaves it, with made-up records."""

    def __init__(self, folder: Path):
        self.folder = folder

    def put(self, path: str, data: bytes, **changes) -> None:
        """Write an output and its record; `changes` over a record like that of any other stage."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        record = {
            "rule": "table", "entry": "descent.a:f", "settings": {"x": 1}, "replicates": [], "code": "c1",
            "parts": {"descent.a:f": "1", "descent.a:g": "1"}, "versions": {"numpy": "1"},
            "inputs": {"report/a.md": "1"}, "recipe": "r", "key": "k", "cpu": "cpu 1", **changes,
            "digest": file_digest(file),
        }
        write_sidecar(file, {**record, "state": file_state(file)}, self.folder / "partial")

    def put_values(self, values: dict, study: str = "a") -> None:
        self.put(f"{study}/values.json", json.dumps(values).encode(), recipe=self.folder.parent.name)

    def put_claims(self, *changes: dict, study: str = "a") -> None:
        file = self.folder / study / "claims.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_claims(file, [replace(CLAIM, **row) for row in changes])
        self.put(f"{study}/claims.parquet", file.read_bytes(), recipe=self.folder.parent.name)


@pytest.fixture
def old(tmp_path) -> Results:
    return Results(tmp_path / "old" / "results")


@pytest.fixture
def new(tmp_path) -> Results:
    return Results(tmp_path / "new" / "results")


def compared(old: Results, new: Results, tolerance: float | None = None) -> Comparison:
    return Comparison(snapshot.read(old.folder), snapshot.read(new.folder), tolerance)


def sections(comparison: Comparison, everything: bool = False) -> dict[str, list[str]]:
    blocks = "\n".join(lines(comparison, ("a", "b"), everything)).split("\n\n")[1:-1]
    return {block.splitlines()[0]: [line.strip() for line in block.splitlines()[1:]] for block in blocks}


def both(old: Results, new: Results, path: str, before: dict, after: dict) -> dict[str, list[str]]:
    """Sections of a comparison of an output whose records are made from `before` and `after`."""
    old.put(path, b"1", **before)
    new.put(path, b"2", **{"recipe": "other", **after})
    return sections(compared(old, new))


def test_a_setting_is_named_with_both_values_and_once_for_all_stages(old, new):
    for path in ("b/tables/t.parquet", "c/figures/f.svg"):
        old.put(path, b"", settings={"rates": [1, 2], "block": {"x": 1, "y": None}})
        new.put(path, b"", settings={"rates": [1, 3], "block": {"x": 1.0}}, recipe="other")
    assert sections(compared(old, new)) == {"Settings of stages that differ otherwise": [
        "block.x: 1 -> 1.0  [2 outputs: b, c]", "block.y: null -> absent  [2 outputs: b, c]",
        "rates[1]: 2 -> 3  [2 outputs: b, c]"]}


def test_settings_have_the_keys_of_the_configuration_where_the_report_s_source_is_there(old, new):
    for results, seed, epochs in ((old, 1, 4), (new, 2, 8)):
        results.put("report/report.md", b"", settings={
            "title": "T", "preview": False, "master_seed": seed, "provenance": [seed], "sections": ["b"],
            "studies": {"b": {"rate": {"epochs": epochs}, "replicates": epochs}}})
        results.put("data/d.parquet", b"", rule="d", settings={"samples": epochs, "master_seed": seed})
        results.put("b/runs/eta=1/metrics.parquet", b"", replicates=list(range(epochs)),
                    settings={"epochs": epochs, "master_seed": seed, "steps": 100 * epochs})
    assert sections(compared(old, new)) == {
        "Settings that differ": ["master_seed: 1 -> 2", "data.d.samples: 4 -> 8",
                                 "studies.b.rate.epochs: 4 -> 8", "studies.b.replicates: 4 -> 8"],
        "Settings of stages that differ otherwise": ["steps: 400 -> 800  [1 output: b]"],
    }


def test_code_is_named_by_module(old, new):
    parts = {"descent.a:f": "2", "descent.a:h": "1", "descent.b:k": "1"}
    assert both(old, new, "b/figures/f.svg", {}, {"parts": parts, "code": "c2"}) == {"Code that differs": [
        "descent.a: changed f; new h; gone g  [1 output: b]", "descent.b: new k  [1 output: b]"]}


def test_code_that_merely_comes_into_use_follows_from_its_caller(old, new):
    for results in (old, new):
        results.put("b/tables/t.parquet", b"", parts={"descent.b:k": "1"}, versions={"scipy": "1"}, code="c3")
    after = {"parts": {"descent.a:f": "2", "descent.a:g": "1", "descent.b:k": "1"}, "code": "c2",
             "versions": {"numpy": "1", "scipy": "1"}}
    assert both(old, new, "b/figures/f.svg", {}, after) == {
        "Code that differs": ["descent.a: changed f  [1 output: b]"]}


def test_versions_sources_entries_and_cpus(old, new):
    after = {"versions": {"numpy": "2", "scipy": "1"}, "inputs": {"report/a.md": "2", "report/b.md": "1"},
             "cpu": "cpu 2", "entry": "descent.a:g"}
    assert both(old, new, "b/figures/f.svg", {}, after) == {
        "Versions that differ": ['numpy: "1" -> "2"  [1 output: b]', 'scipy: absent -> "1"  [1 output: b]',
                                 'cpu: "cpu 1" -> "cpu 2"  [1 output: b]',
                                 'entry: "descent.a:f" -> "descent.a:g"  [1 output: b]'],
        "Source files that differ": ["report/a.md: other contents  [1 output: b]",
                                     "report/b.md: only in B  [1 output: b]"]}


def test_outputs_of_one_result_only_are_named_by_study_run_and_figure(old, new):
    old.put("b/values.json", b"{}")
    for path in ("b/values.json", "b/runs/eta=0.1/metrics.parquet", "b/runs/eta=0.1/trajectory.parquet",
                 "b/figures/f.svg", "b/figures/f.pdf", "c/values.json", "c/tables/t.parquet"):
        new.put(path, b"{}")
    found = compared(old, new)
    assert found.differs
    assert sections(found) == {
        "Outputs only in B": ["b/figures/f  [2 files]", "b/runs/eta=0.1  [2 files]", "c  [2 files]"]}


def test_other_bytes_without_a_cause_are_a_difference(old, new):
    old.put("b/tables/t.parquet", b"1")
    new.put("b/tables/t.parquet", b"2")
    assert compared(old, new).differs
    assert sections(compared(old, new)) == {
        "Other bytes from the same recipe, inputs and type of CPU": ["b/tables/t.parquet"]}
    new.put("b/tables/t.parquet", b"2", cpu="cpu 2")
    assert not compared(old, new).differs


def test_results_that_do_not_match_their_records_are_named_and_compared(old, new):
    old.put_values({"x": 1})
    new.put_values({"x": 1})
    (new.folder / "a" / "values.json").write_text('{"x": 2}')
    (new.folder / "b").mkdir()
    (new.folder / "b" / "values.json").write_text("{}")
    found = sections(compared(old, new))
    assert found["Files that do not have a valid record"] == [
        "B: a/values.json: edited since it was made", "B: b/values.json: no record of what made it"]
    assert found["Values without an interval that moved (numbers by more than 1e-09 of their size)"] == ["a.x: 1 -> 2"]


def test_verdicts_and_controls_that_moved_come_with_what_decided_them(old, new):
    moves = {"verdict": "refuted", "observed": 3.0, "slack": 1.5}
    old.put_claims({}, {"id": "du.2"}, {"id": "du.3"}, {"id": "du.4"})
    new.put_claims(moves, {"id": "du.2", "control_verdict": "NOT REJECTED"}, {"id": "du.3"}, {"id": "du.5"})
    found = compared(old, new)
    assert found.differs
    assert sections(found) == {
        "Verdicts that moved": [
            'a du.1: verdict holds -> refuted, observed 1 -> 3, bound 2 -> 2, slack 0.5 -> 1.5',
            'a du.2: control rejected -> NOT REJECTED, observed 1 -> 1, bound 2 -> 2, slack 0.5 -> 0.5'],
        "Claims only in one": ["a du.4: only in A (holds)", "a du.5: only in B (holds)"]}


def test_claims_that_moved_under_the_same_verdict(old, new):
    sampled = {"confidence": 0.999, "slack": None}
    old.put_claims({}, {"id": "du.2"}, {"id": "du.3", **sampled}, {"id": "du.4", "bound": None, "slack": None})
    new.put_claims({"observed": 1.5, "slack": 0.75}, {"id": "du.2", "statement": "t", "observed": 1 + 1e-12},
                   {"id": "du.3", **sampled, "observed": 1.9}, {"id": "du.4", "bound": None, "slack": None})
    assert sections(compared(old, new)) == {"Claims that moved under the same verdict": [
        "a du.1: observed 1 -> 1.5, slack 0.5 -> 0.75", "a du.2: other statement"]}


def test_numbers_are_judged_by_their_intervals_and_else_by_the_tolerance(old, new):
    old.put_values({"slope": 1.0, "slope_low": 0.5, "slope_high": 1.5, "near": {"mean": 1.0, "low": 0.9, "high": 1.1},
                    "loss": 1.0, "rounded": 1.0})
    new.put_values({"slope": 3.0, "slope_low": 2.0, "slope_high": 4.0, "near": {"mean": 1.1, "low": 0.9, "high": 1.2},
                    "loss": 1.001, "rounded": 1.0 + 1e-12})
    plain = "Values without an interval that moved (numbers by more than {} of their size)"
    beyond = {"Numbers that moved beyond their intervals": ["a.slope: 1 [0.5, 1.5] -> 3 [2, 4]"]}
    old.put("a/tables/t.parquet", b"1")
    new.put("a/tables/t.parquet", b"1")
    assert sections(compared(old, new)) == {**beyond, plain.format("1e-09"): ["a.loss: 1 -> 1.001"]}
    assert sections(compared(old, new, 0.01)) == beyond
    last = lines(compared(old, new), ("a", "b"))[-1]
    assert last == ("descent: 0 of 0 verdicts and 2 of 4 values moved (2 more within their intervals or 1e-09); "
                    "bytes differ in 1 of 2 common outputs")


def test_texts_are_shown_unless_they_are_prose(old, new):
    old.put_values({"best": "a", "finding": "before " * 20})
    new.put_values({"best": "b", "finding": "after " * 20})
    (rows,) = sections(compared(old, new)).values()
    assert rows == ['a.best: "a" -> "b"', "a.finding: other text"]


def test_other_types_of_cpu_are_allowed_their_rounding(old, new):
    for results, cpu, x in ((old, "cpu 1", 1.0), (new, "cpu 2", 1.0 + 1e-8)):
        results.put("a/values.json", json.dumps({"x": x}).encode(), cpu=cpu)
    assert not compared(old, new).differs
    assert compared(old, new, 1e-9).differs


def test_long_sections_are_cut_unless_all_is_asked_for(old, new):
    old.put_values({f"x{i}": 1.0 for i in range(30)})
    new.put_values({f"x{i}": 1.5 + i for i in range(30)})
    (rows,) = [rows for title, rows in sections(compared(old, new)).items() if "interval" in title]
    assert rows[0] == "a.x29: 1 -> 30.5"
    assert (len(rows), rows[-1]) == (21, "and 10 more (--all)")
    (rows,) = [rows for title, rows in sections(compared(old, new), True).items() if "interval" in title]
    assert len(rows) == 30


def test_a_snapshot_says_all_that_its_folder_says(old, tmp_path):
    old.put_claims({}, {"id": "du.2", "observed": float("inf"), "slack": None, "confidence": 0.1})
    old.put_values({"x": 0.1 + 0.2, "big": 2**70, "tiny": 5e-324, "rows": [{"a": None, "b": "µ"}]})
    taken = snapshot.take(old.folder)
    for name in ("one.json", "two.json"):
        snapshot.write(taken, tmp_path / name)
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert snapshot.read(tmp_path / "one.json") == taken == snapshot.read(old.folder.parent)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "one.json", "two.json"]


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ScratchLibrary:
    made = ScratchLibrary(tmp_path_factory.mktemp("a library"), TOY)
    (made.root / "source").write_text("1")
    run_toy(made, 1)
    shutil.copytree(made.root / "results", made.root / "before")
    return made


def run_toy(library: ScratchLibrary, x: float) -> None:
    library.made("values", {"x": x}, "results/toy/values.json")
    library.made("other", {}, "results/toy/other", inputs={"source": "source"})


def descent(library: ScratchLibrary, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(library.command(list(words)), cwd=library.root, env=library.environment(),
                          capture_output=True, text=True, check=False)


def test_equal_results_say_nothing_and_end_with_0(library):
    done = descent(library, "compare", "before", "before")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "A: before (2 outputs)", "B: before (2 outputs)", "",
        "descent: 0 of 0 verdicts and 0 of 2 values moved (0 more within their intervals or 1e-09); "
        "bytes differ in 0 of 2 common outputs"]


def test_a_setting_the_code_and_a_source_of_real_stages(library):
    assert descent(library, "snapshot", "before.json", "before").returncode == 0
    library.toy.write_text(TOY.replace("2 * x", "3 * x"))
    (library.root / "source").write_text("2")
    run_toy(library, 10)
    for old in ("before", "before.json"):
        done = descent(library, "compare", old, ".")
        assert (done.returncode, done.stderr) == (1, "")
        assert [line for line in done.stdout.splitlines() if line.startswith("  ")] == [
            "  x: 1 -> 10  [1 output: toy]",
            "  descent.toy: changed scale  [1 output: toy]",
            "  source: other contents  [1 output: toy]",
            "  toy.mean: 1 [0, 2] -> 10 [9, 11]",
            "  toy.x: 2 -> 30"]


@pytest.mark.parametrize(("words", "line"), [
    (["before", "nothing"], "descent: nothing: cannot be read (No such file or directory)"),
    (["store", "before"], "descent: store: no results here (give a results folder, "),
    (["source", "before"], "descent: source: not a snapshot (or: a results folder, or a checkout that has one)"),
    (["before", "broken"], "descent: broken/a/values.json: not readable JSON ("),
    (["half", "before"], "descent: half/a/claims.parquet: not a readable Parquet table ("),
    (["partial.json", "before"], "descent: partial.json: not a snapshot (or: a results folder, "),
])
def test_trouble_is_one_line_and_status_2(library, words, line):
    for name, file, text in (("broken", "values.json", "{"), ("half", "claims.parquet", "PAR1")):
        (library.root / name / "a").mkdir(parents=True, exist_ok=True)
        (library.root / name / "a" / file).write_text(text)
    whole = json.loads(snapshot.take(library.root / "before").model_dump_json())
    (library.root / "partial.json").write_text(json.dumps({**whole, "code": {}}))
    done = descent(library, "compare", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(line)
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_tolerance_is_refused_with_the_usage(library):
    for value in ("-1", "nan", "1", "x"):
        done = descent(library, "compare", "before", "before", f"--tolerance={value}")
        assert done.returncode == 2
        assert done.stderr.startswith("usage: ")


def test_one_changed_setting_of_the_laboratory_is_named_alone(laboratory):
    assert laboratory.stage("compare", ".", ".").returncode == 0
    laboratory.stage("snapshot", "before.json")
    laboratory.configure("studies: {convergence_bound: {gram: {seeds: 5}}}")
    laboratory.run("results/report/report.md")
    done = laboratory.stage("compare", "before.json", ".", "--all", check=False)
    assert (done.returncode, done.stderr) == (1, "")
    blocks = {block.splitlines()[0]: block.splitlines()[1:] for block in done.stdout.split("\n\n")}
    assert blocks.pop("Settings that differ") == ["  studies.convergence_bound.gram.seeds: 4 -> 5"]
    assert [title for title in blocks if title.endswith(("differ", "differ otherwise", "only in A", "only in B"))] == []
    moved = [line for title, rows in blocks.items() if "moved" in title for line in rows]
    assert moved
    assert all(line.startswith(("  convergence_bound.", "  convergence_bound du.", "descent:")) for line in moved)
