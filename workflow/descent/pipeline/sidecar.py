"""Provenance beside every output: what made it, from what, and its digest."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any


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


def read_sidecar(path: Path) -> dict[str, Any] | None:
    """The record of the output `path`; None when it is missing or damaged."""
    try:
        record = json.loads(sidecar_path(path).read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and {"digest", "recipe", "state"} <= record.keys() else None


def write_sidecar(path: Path, record: dict[str, Any]) -> None:
    """Record `record` for the finished output `path`, with its state; whole or not at all."""
    target = sidecar_path(path)
    target.parent.mkdir(exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        partial.write_text(json.dumps({**record, "state": file_state(path)}, sort_keys=True, indent=1) + "\n")
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def recorded_digest(path: Path, record: dict[str, Any]) -> str:
    """Digest of the file as it is now, from its record when its state shows that it was not touched since."""
    return record["digest"] if record["state"] == file_state(path) else file_digest(path)
