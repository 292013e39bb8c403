"""Fixtures for the tests on a cluster: one Slurm, and one report made on it while a job and a node died.

`make test-cluster` runs these tests; they need root, Debian's packages of Slurm, and the environment of
envs/cluster.txt.
"""

import os
import subprocess
import time

import pytest

from tests.cluster.on_cluster import ENVIRONMENT, OnCluster
from tests.cluster.virtual_cluster import PACKAGES, VirtualCluster, missing_programs
from tests.laboratory import fresh_checkout


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    if ENVIRONMENT is None:
        pytest.skip("`make test-cluster` runs these")
    if missing := missing_programs():
        pytest.skip(f"no {', '.join(missing)}: install Debian's packages {' '.join(PACKAGES)}")
    if os.geteuid():
        pytest.skip("Slurm's daemons need root")
    with VirtualCluster(tmp_path_factory.mktemp("slurm") / "cluster") as running:
        yield running


@pytest.fixture(scope="session")
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
    # A job may end by itself in the moment before it is hit: then another one is.
    cancelled = lost = None
    while cancelled is None or cluster.state(cancelled) != "CANCELLED":
        cancelled, _ = _running_job(cluster, run, at_least=3)
        cluster.client("scancel", cancelled)
        _wait(lambda job=cancelled: cluster.state(job) not in ("RUNNING", "COMPLETING"), run)
    while lost is None or cluster.restarts(lost) == 0:
        lost, node = _running_job(cluster, run, at_least=5)
        cluster.kill_node(node)
        _wait(lambda down=node: "down" in cluster.client("sinfo", "--noheader", f"--nodes={down}", "--format=%t"), run)
        cluster.start_node(node)
    cluster.casualties = (cancelled, lost)


def _running_job(cluster: VirtualCluster, run: subprocess.Popen, at_least: int) -> tuple[str, str]:
    # Some jobs in: what dies is in the middle of the run. The newest has most still to do.
    found = []

    def seen() -> bool:
        lines = cluster.client("squeue", "--noheader", "--states=R", "--format=%i %N").splitlines()
        found[:] = [line.split() for line in lines if int(line.split()[0]) >= at_least]
        return bool(found)

    _wait(seen, run)
    return tuple(max(found, key=lambda job: int(job[0])))


def _wait(condition, run: subprocess.Popen, seconds: float = 200) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert run.poll() is None, "the run ended before its time"
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)
