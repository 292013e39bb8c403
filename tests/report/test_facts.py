"""The page of times."""

import json

import pytest

from descent.report.facts import read_jobs, totals, write_facts
from tests.report.small import CHECKOUT

TEMPLATE = CHECKOUT / "report" / "theme" / "run.html"


def record(results, path, key, **fields):
    file = results / path
    sidecar = file.parent / ".provenance" / f"{file.name}.json"
    sidecar.parent.mkdir(parents=True, exist_ok=True)
    values = {"rule": "train", "key": key, "wall_seconds": 2.0, "cpu_seconds": 1.5, "peak_memory_mb": 300.0,
              "cpu": "A processor", "from_store": False, "replicates": [0, 1]}
    sidecar.write_text(json.dumps({**values, **fields}))


@pytest.fixture
def results(tmp_path):
    record(tmp_path, "bowl/runs/eta=0.1/metrics.parquet", "a")
    record(tmp_path, "bowl/runs/eta=0.1/trajectory.parquet", "a")
    record(tmp_path, "bowl/spectrum.parquet", "b", rule="ntk_spectrum", peak_memory_mb=1500.0, wall_seconds=9.0)
    record(tmp_path, "bowl/values.json", "c", rule="values", wall_seconds=None, cpu_seconds=None, peak_memory_mb=None,
           from_store=True, replicates=[])
    return tmp_path


def test_outputs_of_one_job_are_one_row(results):
    jobs = read_jobs(results)
    assert [job["key"] for job in jobs] == ["b", "a", "c"]
    assert jobs[1]["files"] == ["bowl/runs/eta=0.1/metrics.parquet", "bowl/runs/eta=0.1/trajectory.parquet"]
    assert totals(jobs) == {"jobs": 3, "served": 1, "wall_seconds": 11.0, "cpu_seconds": 3.0}


def test_the_page_says_whose_memory_peaked(results):
    write_facts(results, results / "run.html", TEMPLATE)
    page = (results / "run.html").read_text("utf-8")
    assert "ntk spectrum (bowl/spectrum.parquet): 1.46 GiB, 2 replicates in one process" in page
    assert "A processor" in page


def test_a_page_without_jobs(tmp_path):
    write_facts(tmp_path, tmp_path / "run.html", TEMPLATE)
    assert "peaked above 1 GiB." in (tmp_path / "run.html").read_text("utf-8")
