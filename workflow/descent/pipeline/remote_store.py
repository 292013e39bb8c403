"""The store at an address: any file system that fsspec has a client for, such as S3."""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from descent.pipeline.sidecar import file_digest
from descent.pipeline.store import Entry, matches, parsed, remove

_PATIENCE = 60.0  # seconds; clients of their own try again for minutes


class RemoteStore:
    """A store at an fsspec URL; an entry is whole when its record is there, since the record is written last.

    Two that compute the same entry at once may both write it. Where their bytes differ, a reader may see files of one
    with the record of the other: damaged, so not served, and replaced by whoever asks next.
    """

    def __init__(self, url: str, read_only: bool = False):
        import fsspec

        self.read_only = read_only
        self.files, self.root = fsspec.core.url_to_fs(url)

    def _entry(self, key: str) -> str:
        return f"{self.root}/{key[:2]}/{key}"

    def access(self) -> bool:
        """Whether entries can be added, tried with an empty file; raises OSError when nothing can be listed either."""
        answers: list[bool | OSError] = []
        asking = threading.Thread(target=lambda: answers.append(self._access()), daemon=True)
        asking.start()
        asking.join(_PATIENCE)
        answer = answers[0] if answers else OSError(f"no answer within {_PATIENCE:.0f} s")
        if isinstance(answer, OSError):
            raise answer
        return answer

    def _access(self) -> bool | OSError:
        probe = f"{self.root}/probe-{uuid.uuid4().hex}"
        try:
            self._write(probe, b"")
        except OSError as refused:
            with contextlib.suppress(Exception):
                self.files.ls(self.root)
                return False
            return refused
        with contextlib.suppress(Exception):  # who may write may not always remove
            self.files.rm_file(probe)
        return True

    def _write(self, path: str, source: Path | bytes) -> None:
        def write() -> None:
            if isinstance(source, bytes):
                self.files.pipe_file(path, source)
            else:
                self.files.put_file(str(source), path)

        try:
            try:
                write()
            except FileNotFoundError:
                # Object stores have no folders, only buckets; a mistyped bucket is not to be created.
                if not self.root.startswith("/"):
                    raise
                self.files.makedirs(path.rpartition("/")[0], exist_ok=True)
                write()
        except Exception as error:
            raise _one_line(error) from error

    def fetch(self, key: str, destinations: Mapping[str, Path]) -> dict[str, Any] | None:
        """Copy an entry's files to `destinations` and return its record; None when missing, damaged or out of reach."""
        entry = self._entry(key)
        # Without the store all is computed.
        with contextlib.suppress(Exception):
            record = json.loads(self.files.cat_file(f"{entry}/record.json"))
            for name, target in destinations.items():
                self.files.get_file(f"{entry}/{name}", str(target))
            if matches(destinations, record):
                return record
        remove(destinations)
        return None

    def holds(self, key: str) -> bool:
        """Whether there is an entry, whole or damaged; False when out of reach."""
        with contextlib.suppress(Exception):
            return self.files.exists(f"{self._entry(key)}/record.json")
        return False

    def put(self, key: str, files: Mapping[str, Path], record: Mapping[str, Any]) -> None:
        """Add an entry, or replace a damaged one; raises OSError when the store cannot be written."""
        if self.read_only:
            return
        entry = self._entry(key)
        outputs = {name: file_digest(path) for name, path in files.items()}
        for name, path in files.items():
            self._write(f"{entry}/{name}", path)
        self._write(f"{entry}/record.json", json.dumps({**record, "outputs": outputs}, sort_keys=True).encode())

    def entries(self) -> list[Entry]:
        """All entries, the earliest written first; raises OSError when they cannot be listed."""
        found: dict[str, list[dict[str, Any]]] = {}
        try:
            listed = self.files.find(self.root, detail=True)
        except Exception as error:
            raise _one_line(error) from error
        for path, details in listed.items():
            *_, prefix, key, _ = ["", *path.split("/")]
            if key.startswith(prefix) and len(prefix) == 2:
                found.setdefault(key, []).append(details)
        return sorted(Entry(_written(files), key, sum(file["size"] for file in files)) for key, files in found.items())

    def records(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The records of those entries among `keys` that have a readable one."""
        paths = {f"{self._entry(key)}/record.json": key for key in keys}
        with contextlib.suppress(Exception):
            texts = self.files.cat(list(paths), on_error="omit") if paths else {}
            return {paths[path]: parsed(text) for path, text in texts.items()}
        return {}

    def evict(self, limit_bytes: float, keep: set[str]) -> int:
        """Nothing: the limit of a shared remote store is its owner's to enforce."""
        return 0


def _one_line(error: Exception) -> OSError:
    # Every file system of fsspec has exceptions of its own.
    return OSError(f"{type(error).__name__}: {' '.join(str(error).split())}")


def _written(files: list[dict[str, Any]]) -> float:
    times = [file.get("LastModified") or file.get("mtime") or file.get("created") or 0.0 for file in files]
    return max(time if isinstance(time, float | int) else time.timestamp() for time in times)
