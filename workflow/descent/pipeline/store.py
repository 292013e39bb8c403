"""The store: finished outputs by key, shared between checkouts; verified when fetched, never trusted."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from descent.pipeline.sidecar import file_digest

_FICLONE = 0x40049409


class Store(Protocol):
    """Entries of named files under hexadecimal keys."""

    def fetch(self, key: str, destinations: Mapping[str, Path]) -> dict[str, Any] | None:
        """Copy an entry's files to `destinations` and return its record; None when missing or damaged."""

    def put(self, key: str, files: Mapping[str, Path], record: Mapping[str, Any]) -> None:
        """Add an entry; one that is there already stays."""

    def evict(self, limit_bytes: float, keep: set[str]) -> int:
        """Remove least recently used entries beyond the limit, sparing `keep`; returns the bytes freed."""


def open_store(path: str | None) -> Store | None:
    """The store at a folder or fsspec URL; None for no store."""
    if not path:
        return None
    if "://" in path:
        return RemoteStore(path)
    return FolderStore(Path(path))


def copy_file(source: Path, target: Path) -> None:
    """Copy by reference where the file system can (FICLONE), else by bytes; never by hard link."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        try:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
        except OSError:
            shutil.copyfileobj(reader, writer, 1 << 20)


def _checked(folder: Path, names, record: Mapping[str, Any]) -> bool:
    return all(file_digest(folder[name]) == record["outputs"][name] for name in names)


class FolderStore:
    """A store in a folder: one directory for each entry, complete since it is renamed into place."""

    def __init__(self, root: Path):
        self.root = root

    def _entry(self, key: str) -> Path:
        return self.root / key[:2] / key

    def fetch(self, key: str, destinations: Mapping[str, Path]) -> dict[str, Any] | None:
        """Copy an entry's files to `destinations` and return its record; a damaged entry is removed, not served."""
        entry = self._entry(key)
        try:
            record = json.loads((entry / "record.json").read_bytes())
            for name, target in destinations.items():
                copy_file(entry / name, target)
            whole = _checked(destinations, destinations, record)
        except FileNotFoundError:
            return None if not entry.exists() else self._discard(entry)
        except (ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            return self._discard(entry)
        with contextlib.suppress(OSError):
            os.utime(entry / "record.json")
        return record

    def _discard(self, entry: Path) -> None:
        with contextlib.suppress(OSError):
            trash = Path(tempfile.mkdtemp(prefix="damaged-", dir=self.root))
            os.rename(entry, trash / entry.name)
            shutil.rmtree(trash, ignore_errors=True)

    def put(self, key: str, files: Mapping[str, Path], record: Mapping[str, Any]) -> None:
        """Add an entry; raises OSError when the folder cannot be written, leaving nothing behind."""
        entry = self._entry(key)
        if entry.exists():
            return
        entry.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix="partial-", dir=self.root))
        try:
            for name, path in files.items():
                copy_file(path, partial / name)
            outputs = {name: file_digest(partial / name) for name in files}
            (partial / "record.json").write_text(json.dumps({**record, "outputs": outputs}, sort_keys=True))
            with contextlib.suppress(FileExistsError):
                os.rename(partial, entry)
        except OSError as error:
            if not entry.exists():
                raise error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def evict(self, limit_bytes: float, keep: set[str]) -> int:
        """Remove least recently used entries beyond the limit, and what a killed writer left over a day ago."""
        for leftover in [*self.root.glob("partial-*"), *self.root.glob("damaged-*")]:
            if leftover.stat().st_mtime < time.time() - 86400:
                shutil.rmtree(leftover, ignore_errors=True)
        entries = sorted((record.stat().st_mtime, record.parent) for record in self.root.glob("??/*/record.json"))
        sizes = {entry: sum(file.stat().st_size for file in entry.iterdir()) for _, entry in entries}
        total, freed = sum(sizes.values()), 0
        for _, entry in entries:
            if total - freed <= limit_bytes:
                break
            if entry.name not in keep:
                self._discard(entry)
                freed += sizes[entry]
        return freed


class RemoteStore:
    """A store at an fsspec URL; an entry is whole when its record is there, since the record is written last."""

    def __init__(self, url: str):
        import fsspec

        self.files, self.root = fsspec.core.url_to_fs(url)

    def _entry(self, key: str) -> str:
        return f"{self.root}/{key[:2]}/{key}"

    def fetch(self, key: str, destinations: Mapping[str, Path]) -> dict[str, Any] | None:
        """Copy an entry's files to `destinations` and return its record; None when missing or damaged."""
        entry = self._entry(key)
        try:
            record = json.loads(self.files.cat_file(f"{entry}/record.json"))
            for name, target in destinations.items():
                self.files.get_file(f"{entry}/{name}", str(target))
            return record if _checked(destinations, destinations, record) else None
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: str, files: Mapping[str, Path], record: Mapping[str, Any]) -> None:
        """Add an entry, or replace a damaged one."""
        entry = self._entry(key)
        self.files.makedirs(entry, exist_ok=True)
        for name, path in files.items():
            self.files.put_file(str(path), f"{entry}/{name}")
        outputs = {name: file_digest(path) for name, path in files.items()}
        self.files.pipe_file(f"{entry}/record.json", json.dumps({**record, "outputs": outputs}).encode())

    def evict(self, limit_bytes: float, keep: set[str]) -> int:
        """Nothing: the limit of a shared remote store is its owner's to enforce."""
        return 0
