"""The page of times."""

import json

import pytest

from descent.pipeline.sidecar import _NEEDED, sidecar_path
from descent.report.facts import read_jobs, totals, write_facts
from descent.report.templates import ReportError
from tests.report.small import CHECKOUT

TEMPLATE = CHECKOUT / "report" / "theme" / "run.html"


def record(results, path, key, **fields):
    file = results / path
    sidecar = sidecar_path(file)
    sidecar.parent.mkdir(parents=True, exist_ok=True)
    values = {"rule": "train", "key": key, "wall_seconds": 2.0, "cpu_seconds": 1.5, "peak_memory_mb": 300.0,
              "cpu": "A processor", "from_store": False, "replicates": [0, 1],
              **{name: kind() for name, kind in _NEEDED.items() if name != "key"}}
    sidecar.write_text(json.dumps({**values, **fields}))
    return file


@pytest.fixture
def results(tmp_path):
    return [
        record(tmp_path, "bowl/runs/eta=0.1/metrics.parquet", "a"),
        record(tmp_path, "bowl/runs/eta=0.1/trajectory.parquet", "a"),
        record(tmp_path, "bowl/spectrum.parquet", "b", rule="ntk_spectrum", peak_memory_mb=1500.0, wall_seconds=9.0),
        record(tmp_path, "bowl/values.json", "c", rule="values", wall_seconds=None, cpu_seconds=None,
               peak_memory_mb=None, from_store=True, replicates=[]),
        tmp_path / "bowl" / "unrecorded.svg",
    ]


def test_outputs_of_one_job_are_one_row(results):
    jobs = read_jobs(results)
    assert [job["key"] for job in jobs] == ["b", "a", "c"]
    assert jobs[1]["files"] == [str(output) for output in results[:2]]
    assert totals(jobs) == {"jobs": 3, "served": 1, "wall_seconds": 11.0, "cpu_seconds": 3.0}


def test_the_page_says_whose_memory_peaked(results, tmp_path):
    write_facts(results, tmp_path / "run.html", TEMPLATE)
    page = (tmp_path / "run.html").read_text("utf-8")
    assert f"ntk spectrum ({results[2]}): 1.46 GiB, 2 replicates in one process" in page
    assert "A processor" in page


def test_a_template_that_asks_for_what_is_not_there_is_named(tmp_path):
    template = tmp_path / "run.html"
    template.write_text("{{ weather }}")
    with pytest.raises(ReportError, match=r"run\.html: there is no value 'weather'"):
        write_facts([], tmp_path / "made.html", template)


def test_a_page_without_jobs(tmp_path):
    write_facts([], tmp_path / "run.html", TEMPLATE)
    assert "peaked above 1 GiB." in (tmp_path / "run.html").read_text("utf-8")
