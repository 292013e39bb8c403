"""The workflow on a real Slurm of four virtual nodes: jobs and nodes die, and the results are those of a local run."""

import re
import shutil
import subprocess

from tests.cluster.on_cluster import ENVIRONMENT, PROFILE, OnCluster
from tests.laboratory import fresh_checkout


def test_the_results_are_those_of_a_local_run_though_a_job_and_a_node_died(finished, smoke):
    assert finished.results() == smoke.results()


def test_the_killed_job_was_tried_again_with_twice_the_memory_and_the_lost_one_requeued(finished, cluster):
    cancelled, lost = cluster.casualties
    jobs = {re.search(r"JobId=(\d+)", text)[1]: text
            for text in cluster.client("scontrol", "show", "jobs", "--details").split("\n\n") if "JobId=" in text}
    assert "JobState=CANCELLED" in jobs[cancelled]
    assert cluster.restarts(lost) >= 1
    first = _megabytes(jobs[cancelled])
    # Other batches of its rule may ask for more than the cancelled one did, but only a second try for twice as much.
    alike = [_megabytes(text) for job, text in jobs.items() if _comment(text) == _comment(jobs[cancelled])]
    assert 2 * first in alike


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


def test_an_environment_that_jobs_could_not_start_is_one_line_before_any_work(finished, tmp_path):
    link = tmp_path / "an environment"
    link.symlink_to(ENVIRONMENT)
    words = [link / "bin" / "python", "-m", "snakemake", *PROFILE, "report", "--configfile", *finished.overlays]
    done = subprocess.run(words, cwd=finished.root, env=finished.environment(), capture_output=True, text=True)
    assert done.returncode != 0
    assert f"{link}/bin/python: a cluster's jobs cannot start a Python in a folder with a space" in done.stderr
    assert "submitted" not in done.stderr
