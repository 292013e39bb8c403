"""The hand-in: the same bytes again, nothing of this machine in it, and the same report where it is unpacked."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from descent.pipeline import settings
from descent.pipeline.plan import Plan
from descent.report.archive import digest_list, write_archive
from tests.laboratory import Laboratory

ARCHIVE = "results/submission.zip"


def unpack(archive: Path, folder: Path) -> Path:
    """As `unzip` does, modes included."""
    with ZipFile(archive) as opened:
        for entry in opened.infolist():
            Path(opened.extract(entry, folder)).chmod(entry.external_attr >> 16 & 0o777)
    return folder / "submission"


def documented(submission: Path, word: str) -> str:
    """The one command of REPRODUCE.md with this word."""
    found, = re.findall(rf"`(snakemake [^`]*{word}[^`]*)`", (submission / "REPRODUCE.md").read_text("utf-8"))
    return found


def digests_agree(folder: Path, name: str) -> bool:
    return subprocess.run(["sha256sum", "--check", "--quiet", "--strict", name], cwd=folder).returncode == 0


def recipes(laboratory: Laboratory, overlays: list[str], monkeypatch) -> dict[str, str]:
    monkeypatch.chdir(laboratory.root)
    plan = Plan(settings.read(["config.yaml", *overlays]))
    return {path: plan.recipe(path) for stage in plan.stages for path in stage.outputs.values()}


def test_a_submission_makes_its_report_again_in_another_place(laboratory, tmp_path, monkeypatch):
    laboratory.configure(f"store: {{path: '{laboratory.path('.descent/store')}'}}")
    laboratory.replace("config.yaml", "path: .descent/store", f"path: '{tmp_path}/elsewhere'")
    shutil.copyfile(laboratory.path("docs/iris.csv"), laboratory.path("mine.csv"))
    laboratory.configure("data: {user_regression: {path: mine.csv}}")  # which neither study reads
    laboratory.snakemake("submission")
    first = laboratory.path(ARCHIVE).read_bytes()
    done = laboratory.stage("submission", "again.zip", "--configfile", *laboratory.overlays)
    assert done.stdout.startswith("descent: again.zip: ")
    assert laboratory.path("again.zip").read_bytes() == first

    submission = unpack(laboratory.path(ARCHIVE), tmp_path / "some where else")
    assert digests_agree(submission, "MANIFEST.sha256")
    listed = [line.split("  ", 1)[1] for line in (submission / "MANIFEST.sha256").read_text().splitlines()]
    files = {path.relative_to(submission).as_posix() for path in submission.rglob("*") if path.is_file()}
    assert files == {*listed, "MANIFEST.sha256"}
    for path in files:
        assert str(tmp_path).encode() not in (submission / path).read_bytes(), path
    figures = re.findall(r"\{(\.\./[^{}]*/figures/[^{}]*)\}", (submission / "tex/report/report.tex").read_text("utf-8"))
    assert figures
    assert all((submission / "tex/report" / figure).with_suffix(".pdf").exists() for figure in figures)

    again = Laboratory(submission / "laboratory", ["settings.json"])
    assert os.access(again.path("envs/create"), os.X_OK)
    assert recipes(again, again.overlays, monkeypatch) == recipes(laboratory, laboratory.overlays, monkeypatch)
    shutil.copytree(laboratory.path(".descent/store"), again.path(".descent/store"))
    words = documented(submission, "settings.json").split()
    done = subprocess.run([sys.executable, "-m", *words], cwd=again.root, env=again.environment(), capture_output=True)
    assert done.returncode == 0, done.stderr
    assert digests_agree(again.root, "RESULTS.sha256")
    for name in ("report/report.pdf", "report/report.html", "claims.parquet", "claims.csv"):
        assert (again.path("results") / name).read_bytes() == (submission / Path(name).name).read_bytes()


@pytest.mark.parametrize(("change", "reason"), [
    (lambda laboratory: laboratory.path("results/claims.csv").write_text("id\n"), "results/claims.csv: edited since"),
    (lambda laboratory: laboratory.path("results/report/report.pdf").unlink(), "results/report/report.pdf: missing"),
    (lambda laboratory: laboratory.configure("report: {title: Another}"),
     "results/claims.html: settings changed: title (and 4 more)"),
])
def test_nothing_stale_or_edited_is_handed_in(laboratory, change, reason):
    change(laboratory)
    done = laboratory.stage("submission", ARCHIVE, "--configfile", *laboratory.overlays, check=False)
    assert done.returncode == 1
    line, = done.stderr.splitlines()
    assert line.startswith(f"descent: submission: {reason}")
    assert not laboratory.path(ARCHIVE).exists()


def test_a_data_set_that_is_not_named_from_the_folder_is_not_handed_in(laboratory):
    shutil.copyfile(laboratory.path("docs/iris.csv"), laboratory.root.parent / "iris.csv")
    for path in (str(laboratory.path("docs/iris.csv")), "../iris.csv"):
        laboratory.configure(json.dumps({"data": {"user_regression": {"path": path}}}))
        done = laboratory.stage("submission", ARCHIVE, "--configfile", *laboratory.overlays, check=False)
        assert done.returncode == 1
        assert done.stderr == f"descent: submission: {path}: must lie in this folder and be named from here\n"
        assert not laboratory.path(ARCHIVE).exists()


def test_an_archive_depends_on_names_and_contents_alone(tmp_path):
    files = {"b/run": b"#!/bin/sh\n", "a": b"1\n", "b/é": bytes(1000)}
    for name, order in (("one", list(files)), ("two", list(files)[::-1])):
        write_archive(tmp_path / name / "x.zip", {key: files[key] for key in order})
    assert (tmp_path / "one/x.zip").read_bytes() == (tmp_path / "two/x.zip").read_bytes()
    with ZipFile(tmp_path / "one/x.zip") as archive:
        assert {entry.filename: oct(entry.external_attr >> 16) for entry in archive.infolist()} == {
            "a": "0o100644", "b/run": "0o100755", "b/é": "0o100644"}
        assert {name: archive.read(name) for name in archive.namelist()} == files
    assert digest_list({"a": b""}) == b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n"
