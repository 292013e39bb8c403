"""ZIP archives that are the same byte for byte whenever and wherever they are written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from descent.pipeline.environment import EPOCH

_UNIX = 3
_REGULAR, _EXECUTABLE = 0o100644, 0o100755


def write_archive(path: Path, files: Mapping[str, bytes]) -> None:
    """Write `files` (contents by name): sorted names, one date, and two modes; whole or not at all."""
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        with ZipFile(partial, "w") as archive:
            for name in sorted(files):
                archive.writestr(_entry(name, files[name]), files[name], ZIP_DEFLATED, 9)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _entry(name: str, content: bytes) -> ZipInfo:
    entry = ZipInfo(name, datetime.fromtimestamp(EPOCH, UTC).timetuple()[:6])
    entry.create_system = _UNIX
    # Not the file's own mode: that depends on who unpacked it, and how.
    entry.external_attr = (_EXECUTABLE if content.startswith(b"#!") else _REGULAR) << 16
    return entry


def digest_list(files: Mapping[str, bytes]) -> bytes:
    """SHA-256 of every file in the form that `sha256sum --check` reads, sorted by name."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()
