"""All benchmarks in one run: `make benchmark` writes benchmarks/RESULTS.md.

Each benchmark is a module of this folder that prints one JSON object a line. Those against peers print `name`,
`setting`, `ours_s`, `peer`, `peer_s`, `ratio` (CPU seconds of one core, medians of alternating repeats), and
`difference` where results are compared; the pipeline's prints `name`, `setting`, `wall_s`, `cpu_s` and, where there is
one, `limit_s`; that of wide networks `memory_mib` with its limit, and rows of a GPU. An object with nothing but a
`note` is a sentence.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

from descent.pipeline.versions import cpu

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ("planted_sgd", "convergence_bound", "linear_networks", "curvature", "convolution", "wide", "pipeline")
PACKAGES = ("numpy", "numba", "scipy", "torch", "jax", "jaxlib", "snakemake")


def measured(benchmark: str) -> list[dict]:
    """Rows that a benchmark prints, shown as they come; raises SystemExit when it fails."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "workflow")])}
    command = [sys.executable, "-m", f"benchmarks.{benchmark}"]
    rows = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.startswith("{"):
                rows.append(json.loads(line))
    if process.returncode:
        raise SystemExit(f"benchmarks: {benchmark} failed with exit status {process.returncode}")
    return rows


def machine() -> list[str]:
    """Lines of Markdown with the facts of the machine and the versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return [
        f"- CPU: {cpu()}; {os.cpu_count()} cores; {memory:.0f} GiB of memory",
        f"- System: {platform.system()} {platform.release()}, Python {platform.python_version()}",
        "- Packages: " + ", ".join(f"{package} {version(package)}" for package in PACKAGES),
        f"- Date: {datetime.date.today().isoformat()}; commit {commit.stdout.strip() or 'unknown'}",
    ]


def table(rows: list[dict], columns: dict[str, str]) -> list[str]:
    """Markdown table of `rows`; `columns` maps keys to headings."""
    lines = ["| " + " | ".join(columns.values()) + " |", "|" + "---|" * len(columns)]
    return lines + ["| " + " | ".join(_cell(row.get(key)) for key in columns) + " |" for row in rows]


def _cell(value) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


INTRODUCTION = (
    "Written by `make benchmark`; do not edit. Times against peers are CPU seconds of one core, medians of repeats",
    "that alternate between Descent and the peer in one run: of the steps alone (kernel), and of the whole process",
    "with its imports and compilation (process).",
)
PEERS = {"setting": "setting", "ours_s": "Descent, s", "peer": "peer", "peer_s": "peer, s", "ratio": "peer / Descent"}
SPECTRUM = {**PEERS, "difference": "eigenvalues apart, relative"}
PIPELINE = {"name": "measured", "setting": "configuration", "wall_s": "wall, s", "cpu_s": "CPU, s",
            "limit_s": "wall at most, s", "note": "note"}

MEMORY = {"name": "measured", "setting": "setting", "memory_mib": "MiB", "memory_limit_mib": "MiB at most"}
DEVICE = {"device": "device", "width": "m", "networks": "networks", "dtype": "precision", "step_ms": "step, ms",
          "cpu_step_ms": "on one CPU core, ms", "speedup": "CPU / GPU", "device_mib": "GPU memory, MiB",
          "cpu_difference": "residual against the CPU's, relative", "deviation": "deviation from kernel dynamics",
          "kernel_drift": "kernel drift", "movement": "largest movement", "flipped": "flipped patterns"}
# What tells one kind of row from another, and its table.
TABLES = {"difference": SPECTRUM, "ratio": PEERS, "memory_mib": MEMORY, "step_ms": DEVICE, "wall_s": PIPELINE}


def _kind(row: dict) -> str | None:
    return next((key for key in TABLES if key in row), None)


def _block(kind: str | None, rows: list[dict]) -> list[str]:
    return [row["note"] for row in rows] if kind is None else table(rows, TABLES[kind])


def document(results: dict[str, list[dict]]) -> str:
    """The whole of RESULTS.md: machine, then one table for each benchmark."""
    lines = ["# Benchmarks", "", *INTRODUCTION, "", *machine()]
    for benchmark, rows in results.items():
        lines += ["", f"## {benchmark}"]
        for kind, block in groupby(rows, _kind):
            lines += ["", *_block(kind, list(block))]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run every benchmark and write the results."""
    target = ROOT / "benchmarks" / "RESULTS.md"
    target.write_text(document({benchmark: measured(benchmark) for benchmark in BENCHMARKS}), encoding="utf-8")
    print(f"benchmarks: {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
