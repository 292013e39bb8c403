"""The whole workflow: equal bytes however it is run, and no harm from faults and kills."""

import os
import random
import re
import signal
import subprocess
import time

import pytest

from descent.claims import defects, read_claims
from descent.pipeline.discovery import module_names
from tests.laboratory import Laboratory, fresh_checkout, without_network


@pytest.fixture
def checkout(tmp_path, smoke) -> Laboratory:
    """A checkout without results, with the store of the finished laboratory: runs, but computes nothing."""
    fresh = fresh_checkout(tmp_path / "a clone")
    fresh.configure(f"store: {{path: '{smoke.path('.descent/store')}'}}")
    return fresh


def test_the_same_bytes_on_one_core_elsewhere_and_again(smoke, tmp_path):
    again = fresh_checkout(tmp_path / "somewhere" / "else")
    again.configure("store: {path: null}")
    again.take_kernels(smoke)
    again.snakemake("report", cores=1)
    assert again.results() == smoke.results()


def test_all_studies_run_without_a_defect_and_nothing_shown_is_stale(whole):
    assert "verified" in whole.stage("verify", "--configfile", *whole.overlays).stdout
    assert defects(read_claims(whole.path("results/claims.parquet"))) == []
    page = whole.path("results/report/report.html").read_text("utf-8")
    for name in module_names("studies"):
        assert f'id="sec-{name}"' in page


def test_all_studies_run_without_a_network(whole):
    cut_off = without_network()
    if not cut_off:
        pytest.skip("this machine cannot cut a process off from the network (unshare --net)")
    reached = subprocess.run([*cut_off, "cat", "/proc/net/dev"], capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^ *(\w+):", reached, re.MULTILINE) == ["lo"]
    assert whole.path("results/report/report.pdf").exists()  # made in there, as what the smoke laboratory brought


def _start(laboratory: Laboratory) -> subprocess.Popen:
    return subprocess.Popen(
        laboratory.command("report"), cwd=laboratory.root, env=laboratory.environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )


def _end(process: subprocess.Popen, number: int) -> None:
    (os.killpg if number == signal.SIGKILL else os.kill)(process.pid, number)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        # Snakemake's handler of SIGTERM takes a lock that its own thread may hold; service managers then kill.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_resumes_to_the_same_bytes(checkout, smoke, number):
    moments = random.Random(number)
    for _ in range(3):
        process = _start(checkout)
        time.sleep(1.2 + 2.0 * moments.random())
        _end(process, number)
        checkout.snakemake("--unlock")
    checkout.snakemake("report")
    assert checkout.results() == smoke.results()
    assert not list(checkout.path("results").rglob(".partial-*"))


def test_a_damaged_table_is_named_and_remade(laboratory):
    table = laboratory.path("results/data/mnist1d.parquet")
    original = table.read_bytes()
    table.write_bytes(original[: len(original) // 2])
    text = laboratory.run("report", "--dry-run").text
    assert "results/data/mnist1d.parquet: edited since it was made" in text
    laboratory.run()
    assert table.read_bytes() == original


def test_results_that_cannot_be_written_are_named(checkout):
    checkout.path("results").write_text("in the way")
    done = checkout.snakemake("report", check=False)
    assert done.returncode != 0
    assert "results" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_dry_run_says_why_in_a_line_for_each_stage_and_not_for_all_that_are_missing(checkout, laboratory):
    lines = [line for line in checkout.run("report", "--dry-run").text.splitlines() if line.endswith(": missing")]
    assert len(lines) == 21
    assert re.fullmatch(r"descent: and the outputs of \d\d+ more stages: missing", lines[-1])
    for kind in ("svg", "pdf"):
        laboratory.path(f"results/planted_relu/figures/width.{kind}").unlink()
    text = laboratory.run("report", "--dry-run").text
    assert "descent: results/planted_relu/figures/width.svg, width.pdf: missing" in text


def test_a_missing_source_is_named_before_any_work(checkout):
    checkout.path("report/sections/planted_relu.md").unlink()
    done = checkout.snakemake("report", check=False)
    assert done.returncode != 0
    assert "report/sections/planted_relu.md: cannot read this source file (No such file or directory)" in done.stderr
    assert not checkout.path("results").exists()


@pytest.mark.parametrize(
    ("overlay", "line"),
    [
        ("studies: {unheard_of: {a: 1}}", 'config: studies.unheard_of = {"a": 1}: no such key (allowed: '),
        ("master_seed: -1", "config: master_seed = -1: should be greater than or equal to 0"),
        ("report: {engine: word}", "config: report.engine = \"word\": should be 'auto', 'latex' or 'typst'"),
        ("store: {limit_gib: .nan}", "config: store.limit_gib = NaN: should be a finite number"),
        (
            "studies: {planted_relu: {replicates: 8}}",
            "config: studies.planted_relu: data.planted_relu.teachers = 7: must be at least 8 for these settings",
        ),
        ("preview: 3", "config: preview = 3: should be a valid boolean"),
    ],
)
def test_a_wrong_setting_is_one_line_before_any_work(checkout, overlay, line):
    checkout.configure(overlay)
    done = checkout.snakemake("report", check=False)
    assert done.returncode != 0
    said = [text for text in done.stderr.splitlines() if text.startswith("config: ")]
    assert len(said) == 1
    assert said[0].startswith(line)
    assert "Traceback" not in done.stderr
    assert not checkout.path("results").exists()


@pytest.mark.parametrize(("words", "line"), [
    (["results/planted_relu/figures/learning_rat.svg"], "results/planted_relu/figures/learning_rat.svg: nothing in the "
     "configuration makes this file (near: results/planted_relu/figures/learning_rate.svg, "),
    (["verify", "--config", "master_seed=3"], "verify: takes settings from files: put those after --config into one"),
])
def test_what_cannot_be_asked_for_is_one_line(laboratory, words, line):
    done = laboratory.snakemake(*words, check=False)
    assert done.returncode != 0
    said, = [text for text in done.stderr.splitlines() if text.startswith("descent: ")]
    assert said.startswith(f"descent: {line}")


def test_a_defect_in_the_ledger_fails_the_run_and_the_report_is_there(checkout):
    checkout.replace("workflow/descent/claims.py", '"rejected" if wrong == "refuted"', '"rejected" if wrong == "never"')
    done = checkout.snakemake("report", check=False)
    assert done.returncode != 0
    assert "negative control not rejected" in done.stdout + done.stderr
    assert checkout.path("results/report/report.html").exists()
    assert checkout.path("results/report/run.html").exists()


def test_a_store_that_cannot_be_is_named_before_any_work(checkout):
    checkout.configure("store: {path: 'nowhere://at/all'}")
    done = checkout.snakemake("report", check=False)
    assert "config: store.path = 'nowhere://at/all': " in done.stderr
    assert not checkout.path("results").exists()


def test_two_runs_in_one_directory_do_not_mix(checkout, smoke):
    first = _start(checkout)
    while not list(checkout.path(".snakemake").glob("locks/*")):
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # so that it cannot have finished when the second one looks
    second = checkout.snakemake("report", check=False)
    first.send_signal(signal.SIGCONT)
    assert second.returncode != 0
    assert "Directory cannot be locked" in second.stdout + second.stderr
    assert first.wait(timeout=120) == 0
    assert checkout.results() == smoke.results()
