"""What the store gave to each finished run of this checkout, a line for each run."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

RUNS = Path(".descent/runs.jsonl")
# Stages from the store and computed; replicates of computed stages, likewise; CPU time that the store saved, in s.
COUNTS = ("served", "computed", "replicates_served", "replicates_computed", "saved_seconds")


def tally(records: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Hits and misses among the stages with these records, one record for each stage; times in s."""
    counts = dict.fromkeys(COUNTS, 0)
    for record in records:
        if record.get("from_store"):
            counts["served"] += 1
            counts["saved_seconds"] += record.get("cpu_seconds") or 0.0
            continue
        computed = len(record.get("computed_replicates") or [])
        counts["computed"] += 1
        counts["replicates_computed"] += computed
        counts["replicates_served"] += len(record.get("replicates") or []) - computed
    return {**counts, "saved_seconds": round(counts["saved_seconds"], 1)}


def remember(counts: Mapping[str, float], path: Path = RUNS) -> None:
    """Add a run; a whole line at once, so that runs that end together do not mix."""
    with contextlib.suppress(OSError):  # a full disk has already been told
        path.parent.mkdir(exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(descriptor, (json.dumps(counts, sort_keys=True) + "\n").encode())
        finally:
            os.close(descriptor)


def runs(path: Path = RUNS) -> list[dict[str, float]]:
    """The runs so far, the latest last; lines that are damaged are left out."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [run for run in map(_parsed, lines) if run is not None]


def _parsed(line: str) -> dict[str, float] | None:
    with contextlib.suppress(ValueError, TypeError, KeyError):
        run = json.loads(line)
        return {name: 0 + run[name] for name in COUNTS}
    return None


def total(counted: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The sum of several runs."""
    counted = list(counted)
    return {name: sum(run[name] for run in counted) for name in COUNTS}
