"""The page of times: what the report's bytes must not depend on."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from descent.pipeline.sidecar import read_sidecar
from descent.report.templates import render_page

TEMPLATE = Path("report/theme/run.html")
GIBIBYTE_IN_MB = 1024


def write_facts(outputs: Iterable[Path], path: Path, template: Path = TEMPLATE) -> None:
    """Write `path`, an HTML page with commit, date, machine, and each stage's times and peak memory.

    Reads the records of the report's `outputs`; those of one job share a row. Stages whose memory peaked above 1 GiB
    are named.
    """
    jobs = read_jobs(outputs)
    context = {
        "commit": commit(), "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "machine": machine(jobs),
        "jobs": jobs, "totals": totals(jobs),
        "longest": max((job["wall_seconds"] for job in jobs), default=0.0) or 1.0,
        "heavy": [job for job in jobs if job["peak_memory_mb"] > GIBIBYTE_IN_MB],
    }
    path.write_text(render_page(template, context), encoding="utf-8")


def read_jobs(outputs: Iterable[Path]) -> list[dict[str, Any]]:
    """The jobs that made `outputs`, the longest first, each with its files; times in s, memory in MB."""
    jobs: dict[str, dict[str, Any]] = {}
    for output in outputs:
        record = read_sidecar(output)
        if record is not None:
            jobs.setdefault(record["key"], {**record, "files": []})["files"].append(str(output))
    for job in jobs.values():
        for quantity in ("wall_seconds", "cpu_seconds", "peak_memory_mb"):
            job[quantity] = job.get(quantity) or 0.0
    return sorted(jobs.values(), key=lambda job: (-job["wall_seconds"], job["files"]))


def totals(jobs: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Number of jobs, those served from the store, and sums of wall and CPU time in s."""
    jobs = list(jobs)
    return {
        "jobs": len(jobs), "served": sum(bool(job.get("from_store")) for job in jobs),
        "wall_seconds": sum(job["wall_seconds"] for job in jobs),
        "cpu_seconds": sum(job["cpu_seconds"] for job in jobs),
    }


def commit() -> str:
    """The commit of the working directory, marked when files differ from it; empty outside a checkout."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty=, with changes", "--exclude=*"]
    try:
        described = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return described.stdout.strip()


def machine(jobs: Iterable[dict[str, Any]]) -> dict[str, str]:
    """This machine's system, cores and memory, and the CPU types that the jobs ran on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": ", ".join(sorted({job["cpu"] for job in jobs if job.get("cpu")})) or "unknown",
        "cores": f"{os.cpu_count()}, of which this process may use {len(os.sched_getaffinity(0))}",
        "memory": f"{memory:.1f} GiB", "system": platform.platform(), "python": platform.python_version(),
    }
