"""Exact staleness: which outputs do not come from the current code, settings and inputs, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from descent.pipeline.plan import Plan
from descent.pipeline.sidecar import file_digest, read_sidecar, recorded_digest
from descent.pipeline.stage import Stage


def stale_outputs(plan: Plan, targets: Iterable[str]) -> dict[str, str]:
    """Outputs on the way to `targets` that must be made again, with the reason; changes nothing on disk."""
    stale: dict[str, str] = {}
    for stage in plan.upstream(targets):
        for path in stage.outputs.values():
            reason = _reason(plan, stage, path)
            if reason:
                stale[path] = reason
    return stale


def _reason(plan: Plan, stage: Stage, path: str) -> str | None:
    file = Path(path)
    if not file.is_file():
        return "missing"
    record = read_sidecar(file)
    if record is None:
        return "no record of what made it"
    if record["recipe"] != plan.recipe(path):
        return _difference(plan, stage, record)
    if recorded_digest(file, record) != record["digest"]:
        return "edited since it was made"
    return _changed_input(stage, record)


def _changed_input(stage: Stage, record: Mapping[str, Any]) -> str | None:
    for path in stage.input_paths:
        producer_record = read_sidecar(Path(path))
        if producer_record is not None and producer_record["digest"] != record["inputs"].get(path):
            return f"made from other contents of {path}"
    return None


def _difference(plan: Plan, stage: Stage, record: Mapping[str, Any]) -> str:
    identity = plan.identity(stage)
    for what, old, new in (
        ("settings", record.get("settings", {}), dict(stage.settings)),
        ("code", record.get("parts", {}), identity.parts),
        ("versions", record.get("versions", {}), identity.versions),
    ):
        changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        if changed:
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            return f"{what} changed: {', '.join(changed[:3])}{more}"
    if list(stage.replicates) != record.get("replicates"):
        return "other replicates are asked for"
    return "made from inputs that are stale"


def verify(plan: Plan) -> dict[str, str]:
    """Recompute every recipe and read every byte of the report's outputs; what is wrong, by path."""
    faults = stale_outputs(plan, ["report"])
    for stage in plan.upstream(["report"]):
        for path in stage.outputs.values():
            if path not in faults and file_digest(Path(path)) != read_sidecar(Path(path))["digest"]:
                faults[path] = "edited since it was made; delete it and run the workflow again"
    return faults


def estimate(plan: Plan, stale: Mapping[str, str], targets: Iterable[str]) -> tuple[int, float, float]:
    """Number of stages that are stale or read stale ones, their seconds on one core, and their megabytes on disk.

    Seconds are those of an earlier run with the same settings where there is a record, otherwise the
    stage's own estimate; results that the store has will take less.
    """
    running: set[str] = set(stale)
    count, seconds, megabytes = 0, 0.0, 0.0
    for stage in plan.upstream(targets):
        outputs = list(stage.outputs.values())
        if running.isdisjoint([*outputs, *stage.input_paths]):
            continue
        running.update(outputs)
        count += 1
        seconds += _earlier_seconds(stage, outputs[0]) or stage.seconds
        megabytes += stage.megabytes
    return count, seconds, megabytes


def _earlier_seconds(stage: Stage, output: str) -> float | None:
    record = read_sidecar(Path(output)) or {}
    same = record.get("settings") == stage.settings and record.get("replicates") == list(stage.replicates)
    return record.get("cpu_seconds") if same else None
