"""Damage to what a run left behind, and to what one needs: seen, named, and mended from the store alone."""

import json
import os
import subprocess
import time
from pathlib import Path

from tests.scratch_library import ScratchLibrary

RUN = "results/planted_relu/runs/init=gaussian,factor=2,eta=0.01"
FIGURE = "results/planted_relu/figures/width"
EVERY_TYPE = (
    "results/data/mnist1d.parquet", f"{RUN}/metrics.parquet", f"{RUN}/trajectory.parquet",
    "results/planted_relu/tables/width.parquet", "results/planted_relu/claims.parquet", "results/claims.parquet",
    "results/planted_relu/values.json", f"{FIGURE}.svg", f"{FIGURE}.pdf", f"{FIGURE}.png", "results/report/report.md",
    "results/report/report.html", "results/report/report.tex", "results/report/report.pdf",
    "results/report/verdict.txt",
)
DAMAGES = (
    lambda data: data[: len(data) // 2], lambda data: b"",
    lambda data: data[: len(data) // 3] + bytes([data[len(data) // 3] ^ 16]) + data[len(data) // 3 + 1 :],
)
RECORDS = ("", "[" * 100_000, "\x00", '{"digest": 1, "recipe": [], "state": 2, "inputs": [], "key": {}}')


def test_every_type_of_result_is_mended_from_the_store_when_damaged(laboratory):
    original = laboratory.results()
    for i, name in enumerate(EVERY_TYPE):
        path = laboratory.path(name)
        path.write_bytes(DAMAGES[i % len(DAMAGES)](path.read_bytes()))
    done = laboratory.stage("verify", "--configfile", *laboratory.overlays, check=False)
    assert done.returncode == 1
    for name in EVERY_TYPE:
        assert f"{name}: edited since it was made" in done.stderr
    ran = laboratory.run()
    assert ran.served >= set(EVERY_TYPE)
    assert not ran.computed
    assert laboratory.results() == original


def test_damaged_records_are_no_records_and_a_damaged_entry_is_computed_again(laboratory):
    original = laboratory.results()
    unrecorded, values = (EVERY_TYPE[0], *EVERY_TYPE[3:6]), "results/planted_relu/values.json"
    key = laboratory.record(values)["key"]
    for name, text in zip(unrecorded, RECORDS, strict=True):
        path = laboratory.path(name)
        (path.parent / ".provenance" / f"{path.name}.json").write_text(text)
    laboratory.path(values).unlink()
    entry = laboratory.path(f".descent/store/{key[:2]}/{key}/values")
    entry.write_bytes(entry.read_bytes()[:-10])
    planned = laboratory.snakemake("report", "--dry-run")
    for name in unrecorded:
        assert f"{name}: no record of what made it" in planned.stderr
    laboratory.snakemake("report")
    assert [name for name in (*unrecorded, values) if not laboratory.record(name)["from_store"]] == [values]
    assert laboratory.results() == original


def at(moment: float, *folders: Path) -> None:
    for folder in folders:
        for path in folder.rglob("*"):
            os.utime(path, (moment, moment))


def test_a_clock_that_jumps_back_makes_nothing_stale_and_no_stage_fail(laboratory):
    everything = [laboratory.path(name) for name in ("results", "report", "workflow", ".descent", ".snakemake")]
    tomorrow = time.time() + 86_400
    at(tomorrow, *everything)
    assert not laboratory.run().outputs
    section = laboratory.path("report/sections/planted_relu.md")
    section.write_text(section.read_text() + "\nOne more sentence.\n")
    at(tomorrow, *everything)  # inputs that are younger than what is made from them now
    assert "results/report/report.html" in laboratory.run().computed
    assert "One more sentence." in laboratory.path("results/report/report.html").read_text()
    assert not laboratory.run().outputs


def test_a_killed_stage_stops_its_readers_alone(laboratory):
    """What the kernel does to a stage that takes all memory."""
    original = laboratory.results()
    study = laboratory.path("workflow/descent/studies/planted_relu.py")
    whole = study.read_text()
    head, name, tail = whole.partition("def figure_width(")
    study.write_text(head + name + tail.replace(":\n", ":\n    import os\n    os.kill(os.getpid(), 9)\n", 1))
    other = "results/convergence_bound/values.json"
    laboratory.path(other).unlink()
    done = laboratory.snakemake("report", check=False)
    assert done.returncode != 0
    assert "descent: figure: the computation was killed by SIGKILL (out of memory? it had " in done.stdout + done.stderr
    assert laboratory.path(other).exists()
    study.write_text(whole)
    assert not laboratory.run().computed
    assert laboratory.results() == original


TOY = '''
def number(settings, inputs, outputs):
    outputs["made"].write_text(str(settings["x"]))
'''


def test_two_settings_that_race_for_one_output_never_sign_each_other_s_file(tmp_path):
    library = ScratchLibrary(tmp_path / "a library", TOY)
    commands = [library.command(library.words("number", {"x": i % 2})) for i in range(8)]
    racing = [subprocess.Popen(command, cwd=library.root, env=library.environment(), stderr=subprocess.PIPE, text=True)
              for command in commands]
    said = [process.communicate()[1] for process in racing]
    text, record = (library.root / "results/a/text.txt").read_text(), library.record()
    for process, line in zip(racing, said, strict=True):
        assert (process.returncode, line) == (0, "") or "run it again" in line
    done = library.run("number", {"x": 2}, "results/b/text.txt", inputs={"made": "results/a/text.txt"})
    assert json.dumps(record["settings"]) == f'{{"x": {text}}}' or "was changed since it was made" in done.stderr
    assert library.made("number", {"x": 1})["settings"] == {"x": 1}
    assert library.leftovers() == []


