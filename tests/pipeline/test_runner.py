"""Running stages: what is computed, what is served, and what is refused."""

import json
import os
import py_compile
import sys

import pytest

from tests.scratch_library import ScratchLibrary

TOY = '''
import json, os, sys
from pathlib import Path

FACTOR = 10

def number(settings, inputs, outputs):
    outputs["made"].write_text(str(FACTOR * settings["x"]))

def total(settings, inputs, outputs):
    outputs["made"].write_text(str(sum(int(path.read_text()) for path in inputs.values())))

def table(settings, inputs, outputs, replicate):
    from descent.pipeline.tables import write_table
    if replicate == settings.get("stop"):
        raise RuntimeError("stopped")
    write_table(outputs["made"], {"replicate": [replicate], "x": [FACTOR * settings["x"] + replicate]})

def uncompressed(settings, inputs, outputs, replicate):
    import pyarrow as pa
    import pyarrow.parquet as pq
    pq.write_table(pa.table({"replicate": [replicate]}), outputs["made"], compression="none")

def edit_table(settings, inputs, outputs, replicate):
    table({"x": 1}, inputs, outputs, replicate)
    if replicate == 1 and os.path.exists("edit"):
        Path(__file__).write_text(Path(__file__).read_text().replace("FACTOR = 10", "FACTOR = 20"))

def read(settings, inputs, outputs):
    from descent.pipeline.tables import read_table
    outputs["made"].write_text(str(read_table(inputs["table"])["x"]))

def edit(settings, inputs, outputs):
    path = Path(settings["path"])
    path.write_text(path.read_text().replace(settings["old"], settings["new"]))
    number({"x": 1}, inputs, outputs)

def nothing(settings, inputs, outputs):
    pass

def fail(settings, inputs, outputs):
    outputs["made"].write_text("half")
    raise ValueError(f"{settings['x']} is not a number")

def leave(settings, inputs, outputs):
    os._exit(3)

def configuration(settings, inputs, outputs):
    open(settings["path"]).read()
    number({"x": 1}, inputs, outputs)

def shadowed(settings, inputs, outputs):
    import colorsys
    number({"x": 1}, inputs, outputs)
'''


@pytest.fixture
def library(tmp_path) -> ScratchLibrary:
    return ScratchLibrary(tmp_path / "a library", TOY)


def text(library, output="results/a/text.txt"):
    return (library.root / output).read_text()


def test_a_stage_is_computed_once_and_then_served(library):
    first = library.made("number", {"x": 4})
    assert text(library) == "40"
    assert not first["from_store"]
    (library.root / "results/a/text.txt").unlink()
    again = library.made("number", {"x": 4})
    assert text(library) == "40"
    assert again["from_store"]
    assert {name: again[name] for name in ("key", "recipe", "digest", "code", "settings")} == {
        name: first[name] for name in ("key", "recipe", "digest", "code", "settings")}
    assert library.leftovers() == []


def test_the_record_says_what_made_the_output(library):
    library.made("number", {"x": 4}, "results/a/in.txt")
    record = library.made("total", {"b": 1, "a": [0.5]}, inputs={"first": "results/a/in.txt"})
    assert record["rule"] == "toy"
    assert record["entry"] == "descent.toy:total"
    assert record["settings"] == {"a": [0.5], "b": 1}
    assert record["inputs"] == {"results/a/in.txt": library.record("results/a/in.txt")["digest"]}
    assert record["outputs"] == {"results/a/text.txt": record["digest"]}
    assert record["versions"] == {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    assert "descent.toy:total" in record["parts"]
    assert record["threads"] == 1
    assert record["peak_memory_mb"] > 1
    assert record["cpu_seconds"] >= 0
    assert record["wall_seconds"] > 0
    assert record["cpu"]


def test_a_hit_starts_no_process_and_loads_nothing_slow(library):
    library.made("table", {"x": 4}, "results/a/t.parquet", replicates=[0])
    watch = (
        "import atexit, subprocess, sys\n"
        "def refuse(*_, **__): raise SystemExit('a process was started')\n"
        "subprocess.Popen = refuse\n"
        "atexit.register(lambda: print(*sys.modules))\n"
    )
    done = library.run("table", {"x": 4}, "results/b/t.parquet", replicates=[0], prelude=watch)
    assert done.returncode == 0, done.stderr
    assert library.record("results/b/t.parquet")["from_store"]
    loaded = set(done.stdout.split())
    assert {"numpy", "pyarrow", "pydantic", "yaml", "snakemake", "fsspec", "descent.toy"} & loaded == set()
    assert "descent.pipeline.runner" in loaded


def test_settings_code_and_contents_make_the_key_and_paths_do_not(library):
    first = library.made("number", {"x": 4}, "results/a/1.txt")
    assert library.made("number", {"x": 4}, "results/b/2.txt")["key"] == first["key"]
    assert library.made("number", {"x": 4.0}, "results/b/2.txt")["key"] != first["key"]
    assert library.made("number", {"x": 5}, "results/b/2.txt")["key"] != first["key"]
    library.toy.write_text(TOY.replace("def nothing", "# why\ndef nothing").replace("pass", "return"))
    assert library.made("number", {"x": 4}, "results/a/1.txt")["from_store"]
    library.toy.write_text(TOY.replace("FACTOR = 10", "FACTOR = 20"))
    changed = library.made("number", {"x": 4}, "results/a/1.txt")
    assert not changed["from_store"]
    assert text(library, "results/a/1.txt") == "80"
    library.toy.write_text(TOY)
    assert library.made("number", {"x": 4}, "results/a/1.txt")["from_store"]
    assert text(library, "results/a/1.txt") == "40"


def test_a_change_that_leaves_the_bytes_alone_ends_there(library):
    library.made("number", {"x": 4}, "results/a/in.txt")
    before = library.made("total", {}, inputs={"first": "results/a/in.txt"})
    library.toy.write_text(TOY.replace("str(FACTOR *", "str(0 + FACTOR *"))
    assert not library.made("number", {"x": 4}, "results/a/in.txt")["from_store"]
    after = library.made("total", {}, inputs={"first": "results/a/in.txt"})
    assert after["from_store"]
    assert after["key"] == before["key"]
    assert after["recipe"] != before["recipe"]


def test_inputs_are_told_apart_by_their_names(library):
    for x in (1, 2):
        library.made("number", {"x": x}, f"results/a/{x}.txt")
    inputs = {"first": "results/a/1.txt", "second": "results/a/2.txt"}
    swapped = dict(zip(inputs, reversed(inputs.values()), strict=True))
    assert library.made("total", {}, inputs=inputs)["key"] != library.made("total", {}, inputs=swapped)["key"]


def test_only_missing_replicates_are_computed(library):
    output = "results/a/t.parquet"

    def computed(*replicates, **settings):
        return library.made("table", {"x": 1, **settings}, output, replicates=list(replicates))["computed_replicates"]

    assert computed(0, 1) == [0, 1]
    assert computed(0, 1, 2) == [2]
    assert computed(2, 0) == []
    assert library.record(output)["replicates"] == [2, 0]
    assert computed(0, 1, x=2) == [0, 1]
    library.toy.write_text(TOY.replace("FACTOR = 10", "FACTOR = 20"))
    assert computed(0, 1) == [0, 1]


def test_replicates_are_joined_in_order(library):
    from descent.pipeline.tables import read_table

    library.made("table", {"x": 1}, "results/a/t.parquet", replicates=[2, 0, 11])
    columns = read_table(library.root / "results/a/t.parquet")
    assert columns["replicate"].tolist() == [2, 0, 11]
    assert columns["x"].tolist() == [12, 10, 21]


def test_a_joined_table_has_the_same_bytes_whatever_the_store_had(library):
    library.made("uncompressed", {}, "results/a/t.parquet", replicates=[0, 1])
    first = library.made("uncompressed", {}, "results/a/t.parquet", replicates=[0])
    assert first["computed_replicates"] == []
    os.rename(library.root / "store", library.root / "old store")
    fresh = library.made("uncompressed", {}, "results/b/t.parquet", replicates=[0])
    assert fresh["computed_replicates"] == [0]
    assert fresh["digest"] == first["digest"]
    assert library.made("uncompressed", {}, "results/c/t.parquet", replicates=[0])["digest"] == first["digest"]


def test_a_replicate_made_while_the_code_changed_is_not_kept(library):
    (library.root / "edit").touch()
    line = library.refused("edit_table", {}, "results/a/t.parquet", replicates=[0, 1])
    assert line == "descent: toy: the code changed while the stage ran; run it again"
    (library.root / "edit").unlink()
    for text in (TOY, TOY.replace("FACTOR = 10", "FACTOR = 20")):
        library.toy.write_text(text)
        record = library.made("edit_table", {}, "results/a/t.parquet", replicates=[0, 1])
        assert 1 in record["computed_replicates"]


def test_finished_replicates_survive_a_failure(library):
    line = library.refused("table", {"x": 1, "stop": 1}, "results/a/t.parquet", replicates=[0, 1, 2])
    assert line == "descent: toy: RuntimeError: stopped (log: results/a/t.parquet.log)"
    library.toy.write_text(TOY.replace('"stopped"', '"halted"'))  # another code: nothing may be reused
    library.refused("table", {"x": 1, "stop": 1}, "results/a/t.parquet", replicates=[0, 1, 2])
    library.toy.write_text(TOY)
    record = library.made("table", {"x": 1, "stop": 1}, "results/a/t.parquet", replicates=[0, 2])
    assert record["computed_replicates"] == [2]


def test_a_damaged_entry_is_computed_again(library):
    record = library.made("number", {"x": 4})
    entry = library.root / "store" / record["key"][:2] / record["key"]
    (entry / "made").write_text("41")
    assert not library.made("number", {"x": 4})["from_store"]
    assert text(library) == "40"
    assert library.made("number", {"x": 4})["from_store"]


def test_what_a_damaged_entry_had_is_no_output(library):
    library.toy.write_text(TOY.replace("def nothing(settings, inputs, outputs):\n    pass",
                                       "def nothing(settings, inputs, outputs):\n"
                                       "    if not os.path.exists('stop'): outputs['made'].write_text('once')"))
    record = library.made("nothing", {})
    (library.root / "store" / record["key"][:2] / record["key"] / "made").write_text("damaged")
    (library.root / "stop").touch()
    assert "did not write made" in library.refused("nothing", {})


def test_an_expected_recipe_must_be_met(library):
    recipe = library.made("number", {"x": 4})["recipe"]
    assert library.made("number", {"x": 4}, "results/a/text.txt", "--recipe", recipe)["from_store"]
    line = library.refused("number", {"x": 5}, "results/a/text.txt", "--recipe", recipe)
    assert line == (
        "descent: toy: code, inputs or versions are not those that the workflow planned with (versions here: python "
        f"{sys.version_info.major}.{sys.version_info.minor}); run it again, in the same environment on every machine")


@pytest.mark.parametrize(("new", "unharmed"), [("FACTOR = 30", False), ("FACTOR = 10  # ten", True)])
def test_code_that_changes_while_a_stage_runs(library, new, unharmed):
    settings = {"path": "workflow/descent/toy.py", "old": "FACTOR = 10", "new": new}
    if unharmed:
        assert library.made("edit", settings)
        return
    assert library.refused("edit", settings) == "descent: toy: the code changed while the stage ran; run it again"
    assert not (library.root / "results/a/text.txt").exists()
    assert not (library.root / "store").exists()
    assert library.leftovers() == []


def test_an_input_that_changes_while_a_stage_runs(library):
    library.made("number", {"x": 4}, "results/a/in.txt")
    settings = {"path": "results/a/in.txt", "old": "40", "new": "41"}
    line = library.refused("edit", settings, "results/b/text.txt", inputs={"first": "results/a/in.txt"})
    assert line == "descent: results/a/in.txt: changed while the stage ran; run it again"
    assert not (library.root / "results/b/text.txt").exists()


def test_an_input_edited_by_hand_is_refused(library):
    library.made("number", {"x": 4}, "results/a/in.txt")
    path = library.root / "results/a/in.txt"
    status = path.stat()
    path.write_text("41")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    line = library.refused("total", {}, inputs={"first": "results/a/in.txt"})
    assert line == "descent: results/a/in.txt: was changed since it was made; run the workflow again to remake it"


def test_an_input_that_was_only_touched_is_accepted(library):
    library.made("number", {"x": 4}, "results/a/in.txt")
    first = library.made("total", {}, inputs={"first": "results/a/in.txt"})
    os.utime(library.root / "results/a/in.txt", (0, 0))
    assert library.made("total", {}, inputs={"first": "results/a/in.txt"})["key"] == first["key"]


@pytest.mark.parametrize("record", ["", "{", '{"digest": "0"}', "[]", None])
def test_an_input_without_a_whole_record_is_refused(library, record):
    library.made("number", {"x": 4}, "results/a/in.txt")
    path = library.root / "results/a/.provenance/in.txt.json"
    path.unlink() if record is None else path.write_text(record)
    line = library.refused("total", {}, inputs={"first": "results/a/in.txt"})
    assert line == "descent: results/a/in.txt: has no record of what made it; run the workflow again to remake it"


def test_a_missing_input_is_named(library):
    line = library.refused("total", {}, inputs={"first": "results/a/in.txt"})
    assert line == "descent: results/a/in.txt: cannot read this input (No such file or directory)"


def test_a_source_file_is_an_input_by_its_contents(library):
    (library.root / "source.txt").write_text("7")
    first = library.made("total", {}, inputs={"first": "source.txt"})
    (library.root / "source.txt").write_text("8")
    second = library.made("total", {}, inputs={"first": "source.txt"})
    assert first["recipe"] != second["recipe"]
    assert text(library) == "8"


@pytest.mark.parametrize("damage", [lambda data: data[:-5], lambda data: b"", lambda data: b"PAR1" + data[9:],
                                    lambda data: data[: len(data) // 2], lambda data: b"no table"])
def test_a_damaged_table_is_named(library, damage):
    library.made("table", {"x": 4}, "results/a/t.parquet", replicates=[0])
    data = (library.root / "results/a/t.parquet").read_bytes()
    (library.root / "results/a/t.parquet").write_bytes(damage(data))
    line = library.refused("read", {}, inputs={"table": "results/a/t.parquet"})
    assert line == "descent: results/a/t.parquet: was changed since it was made; run the workflow again to remake it"
    (library.root / "source.parquet").write_bytes(damage(data))
    line = library.refused("read", {}, inputs={"table": "source.parquet"})
    assert "source.parquet: not a readable Parquet table" in line


@pytest.mark.parametrize(("function", "message"), [
    ("nothing", "toy: descent.toy:nothing did not write made"),
    ("fail", "toy: ValueError: 4 is not a number (log: results/a/text.txt.log)"),
    ("leave", "toy: descent.toy:leave ended with exit status 3 (log: results/a/text.txt.log)"),
    ("absent", "entry 'descent.toy:absent': descent.toy has no absent"),
])
def test_a_stage_that_fails_says_why_in_one_line(library, function, message):
    assert library.refused(function, {"x": 4}) == f"descent: {message}"
    assert not (library.root / "results/a/text.txt").exists()
    assert library.leftovers() == []


def test_the_log_has_the_whole_story(library):
    library.refused("fail", {"x": 4})
    log = text(library, "results/a/text.txt.log")
    assert "Traceback" in log
    assert "toy.py" in log


def test_what_the_library_finds_wrong_with_a_file_is_said_in_words_alone(library):
    (library.root / "source.parquet").write_text("no table")
    line = library.refused("read", {}, inputs={"table": "source.parquet"})
    assert line.startswith("descent: toy: source.parquet: not a readable Parquet table")
    assert "Traceback" not in text(library, "results/a/text.txt.log")


def test_code_that_does_not_parse_is_named(library):
    library.toy.write_text("def number(:\n")
    assert "toy.py" in library.refused("number", {"x": 4})


@pytest.mark.parametrize("name", ["config.yaml", "preview.yaml", "tests/config.yaml"])
def test_a_stage_may_not_read_the_configuration(library, name):
    (library.root / name).parent.mkdir(exist_ok=True)
    (library.root / name).write_text("master_seed: 1")
    assert "may not read the configuration" in library.refused("configuration", {"path": name})


def test_other_configuration_files_are_none_of_our_business(library):
    (library.root / ".numba_config.yaml").write_text("")
    assert library.made("configuration", {"path": ".numba_config.yaml"})


def test_files_in_the_current_folder_are_no_modules(library):
    (library.root / "colorsys.py").write_text("raise RuntimeError('taken for a module')")
    assert library.made("shadowed", {})


def test_bytecode_of_an_earlier_edit_is_not_run(library):
    status = library.toy.stat()
    writing = {"PYTHONDONTWRITEBYTECODE": ""}
    library.made("number", {"x": 4}, environment=writing)
    before = [path for path in library.package.rglob("*.pyc") if "runner" in path.name]
    assert before, "no bytecode was written, so that this test would show nothing"
    py_compile.compile(str(library.toy), invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
    library.toy.write_text(TOY.replace("FACTOR = 10", "FACTOR = 20"))
    os.utime(library.toy, ns=(status.st_atime_ns, status.st_mtime_ns))
    library.made("number", {"x": 4}, environment=writing)
    assert text(library) == "80"


def test_two_runs_at_once_do_not_sign_each_other_s_files(library):
    other = (
        "import os\nreplace = os.replace\n"
        "def racing(source, target):\n"
        "    replace(source, target)\n"
        "    if target == 'results/a/text.txt':\n"
        "        open('other', 'w').write('50')\n"
        "        replace('other', target)\n"
        "os.replace = racing\n"
    )
    library.made("number", {"x": 3})
    line = library.refused("number", {"x": 4}, prelude=other)
    assert line == "descent: results/a/text.txt: was replaced while it was being finished; run it again"
    record = library.record()
    assert record["settings"] == {"x": 3}
    assert json.loads(text(library)) == 50
    assert library.leftovers() == []


def test_results_of_another_cpu_type_are_not_reused_when_exact(library):
    inexact = library.made("number", {"x": 4})
    exact = library.made("number", {"x": 4}, "results/a/text.txt", "--exact")
    assert exact["key"] != inexact["key"]
    assert not exact["from_store"]
