"""The workflow on a real Slurm of four virtual nodes: jobs and nodes die, and the results are those of a local run.

`make test-cluster` runs these; they need root, Debian's packages of Slurm, and the environment of envs/cluster.txt.
"""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.cluster.virtual_cluster import PACKAGES, VirtualCluster, missing_programs
from tests.laboratory import Laboratory, fresh_checkout

ENVIRONMENT = os.environ.get("DESCENT_CLUSTER_ENVIRONMENT")
PROFILE = ("--profile", "profiles/slurm", "--group-components", "short=4",
           "--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "2")

pytestmark = pytest.mark.skipif(ENVIRONMENT is None, reason="`make test-cluster` runs these")


class OnCluster(Laboratory):
    """A laboratory whose stages are jobs of a cluster."""

    def __init__(self, root: Path, overlays, cluster: VirtualCluster):
        super().__init__(root, overlays)
        self.cluster = cluster

    def command(self, *arguments: str, cores: int = 1) -> list[str]:
        words = [f"{ENVIRONMENT}/bin/python", "-m", "snakemake", *PROFILE, *arguments]
        return [*words, "--configfile", *self.overlays]

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([f"{ENVIRONMENT}/bin", self.cluster.environment()["PATH"]])
        return {**super().environment(), **self.cluster.environment(), "PATH": path}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if missing := missing_programs():
        pytest.skip(f"no {', '.join(missing)}: install Debian's packages {' '.join(PACKAGES)}")
    if os.geteuid():
        pytest.skip("Slurm's daemons need root")
    with VirtualCluster(tmp_path_factory.mktemp("slurm") / "cluster") as running:
        yield running


@pytest.fixture(scope="module")
def finished(cluster, tmp_path_factory) -> OnCluster:
    """A checkout in a path with a space in which the report was made on the cluster, a job and a node dying."""
    made = fresh_checkout(tmp_path_factory.mktemp("checkouts") / "on a cluster")
    laboratory = OnCluster(made.root, made.overlays, cluster)
    with open(laboratory.path("run.log"), "wb") as log:
        run = subprocess.Popen(laboratory.command("report"), cwd=laboratory.root, env=laboratory.environment(),
                               stdout=log, stderr=log)
        try:
            _kill_a_job_and_a_node(cluster, run)
            code = run.wait(timeout=500)
        finally:
            run.kill()
    assert code == 0, laboratory.path("run.log").read_text(errors="replace")[-5000:]
    return laboratory


def _kill_a_job_and_a_node(cluster: VirtualCluster, run: subprocess.Popen) -> None:
    cancelled, _ = _running_job(cluster, run, at_least=3)
    cluster.client("scancel", cancelled)
    lost, node = _running_job(cluster, run, at_least=5)
    cluster.kill_node(node)
    _wait(lambda: "down" in cluster.client("sinfo", "--noheader", f"--nodes={node}", "--format=%t"), run)
    cluster.start_node(node)
    cluster.casualties = (cancelled, lost)


def _running_job(cluster: VirtualCluster, run: subprocess.Popen, at_least: int) -> tuple[str, str]:
    # Some jobs in: what dies is in the middle of the run.
    found = []

    def seen() -> bool:
        lines = cluster.client("squeue", "--noheader", "--states=R", "--format=%i %N").splitlines()
        found[:] = [line.split() for line in lines if int(line.split()[0]) >= at_least]
        return bool(found)

    _wait(seen, run)
    return tuple(found[-1])


def _wait(condition, run: subprocess.Popen, seconds: float = 200) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert run.poll() is None, "the run ended before its time"
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)


def test_the_results_are_those_of_a_local_run_though_a_job_and_a_node_died(finished, smoke):
    assert finished.results() == smoke.results()


def test_the_killed_job_was_tried_again_with_twice_the_memory_and_the_lost_one_requeued(finished, cluster):
    cancelled, lost = cluster.casualties
    jobs = {re.search(r"JobId=(\d+)", text)[1]: text
            for text in cluster.client("scontrol", "show", "jobs", "--details").split("\n\n") if "JobId=" in text}
    assert "JobState=CANCELLED" in jobs[cancelled]
    assert int(re.search(r"Restarts=(\d+)", jobs[lost])[1]) >= 1
    first = _megabytes(jobs[cancelled])
    again = [_megabytes(text) for job, text in jobs.items() if _comment(text) == _comment(jobs[cancelled])]
    assert sorted(again)[-2:] == [first, 2 * first]


def _megabytes(job: str) -> int:
    number, unit = re.search(r"MinMemoryNode=([\d.]+)([MG])", job).groups()
    return round(float(number) * (1024 if unit == "G" else 1))


def _comment(job: str) -> str:
    return re.search(r"Comment=(\S*)", job)[1]


def test_nothing_is_submitted_when_nothing_is_stale(finished):
    again = finished.run()
    assert again.outputs == frozenset()
    assert "nothing is stale" in again.text
    assert "submitted" not in again.text


def test_one_setting_reruns_on_the_cluster_what_it_reruns_locally(finished, cluster, smoke, tmp_path):
    shutil.copytree(finished.root, tmp_path / "on the cluster", symlinks=True)
    there = OnCluster(tmp_path / "on the cluster", finished.overlays, cluster)
    local = smoke.copy(tmp_path / "local")
    for laboratory in (there, local):
        laboratory.configure("studies: {convergence_bound: {gram: {draws: 3000}}}")
    assert there.run().computed == local.run().computed
    assert there.results() == local.results()


def test_a_second_checkout_with_the_same_store_computes_nothing_on_the_cluster(finished, cluster, tmp_path):
    made = fresh_checkout(tmp_path / "second")
    second = OnCluster(made.root, made.overlays, cluster)
    second.configure(f"store: {{path: '{finished.path('.descent/store')}'}}")
    ran = second.run("results/convergence_bound/claims.parquet")
    assert ran.computed == frozenset()
    assert ran.served


def test_a_job_that_cannot_succeed_fails_the_run_with_its_message(finished, cluster, tmp_path):
    made = fresh_checkout(tmp_path / "broken")
    shutil.copytree(finished.path("results"), made.path("results"))
    broken = OnCluster(made.root, made.overlays, cluster)
    broken.replace("workflow/descent/studies/convergence_bound.py", "def claims(",
                   "def claims(*_):\n    raise RuntimeError('a broken study')\n\n\ndef unused(")
    done = broken.snakemake("results/convergence_bound/claims.parquet", "--retries", "0", check=False)
    assert done.returncode != 0
    assert "a broken study" in done.stdout + done.stderr
