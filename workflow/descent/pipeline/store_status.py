"""What the store holds, what it gave, and what eviction would remove, as lines of text."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from descent.pipeline import history
from descent.pipeline.plan import Plan
from descent.pipeline.session import keys_in_use
from descent.pipeline.sidecar import read_sidecar
from descent.pipeline.store import Entry, Store, beyond, open_store


def store_status(plan: Plan, evict: bool = False) -> list[str]:
    """The lines of `python -m descent store`; with `evict`, after removing what is beyond the limit.

    Raises ValueError without a store, OSError when it cannot be reached.
    """
    path, limit = plan.laboratory.store.path, plan.laboratory.store.limit_gib * 2**30
    store = open_store(path)
    if store is None:
        raise ValueError("store.path is null: there is no store")
    writable = store.access()
    keep = keys_in_use(plan)
    freed = store.evict(limit, keep) if evict and writable else 0
    entries = store.entries()
    return [
        f"store: {path}" + ("" if writable else " (can only be read)"),
        *([f"evicted: {_bytes(freed)}"] if evict else []),
        *_contents(entries, limit, "://" in path),
        *_kinds(store, entries),
        *_given(plan),
        *_beyond(beyond(limit, entries, keep), "://" in path),
    ]


def _contents(entries: list[Entry], limit: float, remote: bool) -> list[str]:
    size = sum(entry.size for entry in entries)
    lines = [f"entries: {len(entries)}", f"size: {_bytes(size)} of {_bytes(limit)} ({size / limit:.1%})"]
    if entries:
        first, last = _ago(entries[0].used), _ago(entries[-1].used)
        lines.append(f"{'written' if remote else 'last used'}: between {first} and {last} ago")
    return lines


def _kinds(store: Store, entries: list[Entry]) -> list[str]:
    records = store.records(entry.key for entry in entries)
    sizes: dict[str, list[int]] = {}
    for entry in entries:
        sizes.setdefault(records.get(entry.key, {}).get("rule") or "(unknown)", []).append(entry.size)
    largest = sorted(sizes.items(), key=lambda kind: (-sum(kind[1]), kind[0]))
    return [f"  {rule:<28} {len(each):>7} {_bytes(sum(each)):>11}" for rule, each in largest]


def _given(plan: Plan) -> list[str]:
    first_outputs = [Path(next(iter(stage.outputs.values()))) for stage in plan.stages]
    records = [record for record in map(read_sidecar, first_outputs) if record is not None]
    runs = history.runs()
    lines = [f"current results: {_hits(history.tally(records))}"]
    if runs:
        lines.append(f"last run: {_hits(runs[-1])}")
        lines.append(f"all runs here ({len(runs)}): {_hits(history.total(runs))}")
    return lines


def _hits(counts: Mapping[str, float]) -> str:
    text = f"{counts['served']} of {counts['served'] + counts['computed']} stages"
    replicates = counts["replicates_served"] + counts["replicates_computed"]
    if replicates:
        text += f" and {counts['replicates_served']} of {replicates} replicates of the others"
    return f"{text} from the store; {_span(counts['saved_seconds'])} of CPU time saved"


def _beyond(removed: list[Entry], remote: bool) -> list[str]:
    if remote:
        return ["eviction: none; the limit of a store at an address is its owner's to enforce"]
    if not removed:
        return ["eviction: nothing to remove"]
    size, last = _bytes(sum(entry.size for entry in removed)), _ago(removed[-1].used)
    return [f"eviction: would remove {len(removed)} entries, {size}, last used at least {last} ago"]


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.4g} GiB"


def _ago(moment: float) -> str:
    return _span(max(time.time() - moment, 0.0))


def _span(seconds: float) -> str:
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
