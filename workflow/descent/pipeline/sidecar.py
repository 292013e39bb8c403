"""Provenance beside every output: what made it, from what, and its digest."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

# Without these a record says too little to trust the output.
_NEEDED = {"digest": str, "recipe": str, "state": list, "inputs": dict, "key": str}
# These may be missing, but not be something else.
_SAID = {
    "settings": dict, "parts": dict, "versions": dict, "replicates": list, "cpu": str | None,
    **dict.fromkeys(("cpu_seconds", "wall_seconds", "peak_memory_mb"), int | float | None),
}


def file_digest(path: Path) -> str:
    """BLAKE2b-128 of a file's bytes, 32 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def sidecar_path(path: Path) -> Path:
    """Where the record of the output `path` is kept: `.provenance/NAME.json` in its folder."""
    return path.parent / ".provenance" / f"{path.name}.json"


def file_state(path: Path) -> list[int]:
    """Size, modification and change times and inode: equal only for a file that nobody touched."""
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def same_file(state: list[int], other: list[int]) -> bool:
    """Whether two states are of one file with the same contents, though it may have been renamed in between."""
    return [state[i] for i in (0, 1, 3)] == [other[i] for i in (0, 1, 3)]


def read_sidecar(path: Path) -> dict[str, Any] | None:
    """The record of the output `path`; None when it is missing or damaged."""
    try:
        record = json.loads(sidecar_path(path).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and _is_whole(record) else None


def _is_whole(record: dict[str, Any]) -> bool:
    kinds = {**_NEEDED, **_SAID}
    return record.keys() >= _NEEDED.keys() and all(
        isinstance(record[name], kinds[name]) for name in kinds.keys() & record.keys()
    )


def write_sidecar(path: Path, record: dict[str, Any], partial: Path) -> None:
    """Record `record`, with its file's state, for the finished output `path`: written as `partial`, then renamed."""
    target = sidecar_path(path)
    target.parent.mkdir(exist_ok=True)
    partial.write_text(json.dumps(record, sort_keys=True, indent=1) + "\n")
    os.replace(partial, target)


def recorded_digest(path: Path, record: dict[str, Any]) -> str:
    """Digest of the file as it is now, from its record when its state shows that it was not touched since."""
    return record["digest"] if record["state"] == file_state(path) else file_digest(path)
