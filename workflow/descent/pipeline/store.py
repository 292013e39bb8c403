"""The store: finished outputs by key, shared between checkouts; verified when fetched, never trusted."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from descent.pipeline.sidecar import file_digest

_FICLONE = 0x40049409


class Store(Protocol):
    """Entries of named files under hexadecimal keys."""

    def fetch(self, key: str, destinations: Mapping[str, Path]) -> dict[str, Any] | None:
        """Copy an entry's files to `destinations` and return its record; None when missing or damaged."""

    def holds(self, key: str) -> bool:
        """Whether there is an entry, whole or damaged."""

    def put(self, key: str, files: Mapping[str, Path], record: Mapping[str, Any]) -> None:
        """Add an entry; one that is there already stays."""

    def evict(self, limit_bytes: float, keep: set[str]) -> int:
        """Remove least recently used entries beyond the limit, sparing `keep`; returns the bytes freed."""


def open_store(path: str | None) -> Store | None:
    """The store at a folder or fsspec URL; None for no store."""
    if not path:
        return None
    if "://" not in path:
        return FolderStore(_folder(path))
    try:
        return RemoteStore(path)
    except Exception as error:  # every file system of fsspec has exceptions of its own
        raise ValueError(f"store {path}: {' '.join(str(error).split()) or type(error).__name__}") from None


def _folder(path: str) -> Path:
    try:
        folder = Path(path).expanduser()
    except RuntimeError as error:  # nobody has the name after ~
        raise ValueError(f"store {path}: {error}") from None
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"store {path}: must be a folder, but something else is there")
    return folder


def copy_file(source: Path, target: Path) -> None:
    """Copy by reference where the file system can (FICLONE), else by bytes; never by hard link."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        try:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
        except OSError:
            shutil.copyfileobj(reader, writer, 1 << 20)


def _checked(files: Mapping[str, Path], record: Mapping[str, Any]) -> bool:
    return all(file_digest(file) == record["outputs"][name] for name, file in files.items())


def _removed(files: Mapping[str, Path]) -> None:
    # What was copied of a damaged entry must not be taken for an output.
    for file in files.values():
        file.unlink(missing_ok=True)


class FolderStore:
    """A store in a folder: one directory for each entry, complete since it is renamed into place."""

    def __init__(self, root: Path):
        self.root = root

    def _entry(self, key: str) -> Path:
        return self.root / key[:2] / key

    def fetch(self, key: str, destinations: Mapping[str, Path]) -> dict[str, Any] | None:
        """Copy an entry's files to `destinations` and return its record; a damaged entry is removed, not served."""
        entry = self._entry(key)
        record = self._whole(entry, destinations)
        if record is None:
            _removed(destinations)
            return None
        with contextlib.suppress(OSError):
            os.utime(entry / "record.json")
        return record

    def holds(self, key: str) -> bool:
        """Whether there is an entry, whole or damaged."""
        return self._entry(key).exists()

    def _whole(self, entry: Path, destinations: Mapping[str, Path]) -> dict[str, Any] | None:
        try:
            record = json.loads((entry / "record.json").read_bytes())
            for name, target in destinations.items():
                copy_file(entry / name, target)
            if _checked(destinations, record):
                return record
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, KeyError, TypeError):
            pass
        except OSError:
            # Unreadable now (permissions, network) is not damaged.
            return None
        if entry.exists():
            self._discard(entry)
        return None

    def _discard(self, entry: Path) -> None:
        trash = self._new_folder("damaged")
        with contextlib.suppress(OSError):
            os.rename(entry, trash)
        if trash.is_dir():
            shutil.rmtree(trash, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                trash.unlink(missing_ok=True)

    def _new_folder(self, purpose: str) -> Path:
        # Not tempfile.mkdtemp, whose folders only their owner can read: stores are shared.
        return self.root / f"{purpose}-{uuid.uuid4().hex}"

    def put(self, key: str, files: Mapping[str, Path], record: Mapping[str, Any]) -> None:
        """Add an entry; raises OSError when the folder cannot be written, leaving nothing behind."""
        entry = self._entry(key)
        if entry.exists():
            return
        entry.parent.mkdir(parents=True, exist_ok=True)
        partial = self._new_folder("partial")
        try:
            partial.mkdir()
            for name, path in files.items():
                copy_file(path, partial / name)
            outputs = {name: file_digest(path) for name, path in files.items()}
            (partial / "record.json").write_text(json.dumps({**record, "outputs": outputs}, sort_keys=True))
            _rename_unless_there(partial, entry)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def evict(self, limit_bytes: float, keep: set[str]) -> int:
        """Remove least recently used entries beyond the limit, and what a killed writer left over a day ago."""
        leftovers = [*self.root.glob("partial-*"), *self.root.glob("damaged-*")]
        for last_used, leftover in _by_last_use(leftovers):
            if last_used < time.time() - 86400:
                shutil.rmtree(leftover, ignore_errors=True)
        entries = [record.parent for _, record in _by_last_use(self.root.glob("??/*/record.json"))]
        sizes = {entry: _size(entry) for entry in entries}
        total, freed = sum(sizes.values()), 0
        for entry in entries:
            if total - freed <= limit_bytes:
                break
            if entry.name not in keep:
                self._discard(entry)
                freed += 0 if entry.exists() else sizes[entry]
        return freed


def _rename_unless_there(partial: Path, entry: Path) -> None:
    try:
        os.rename(partial, entry)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # another writer was first
            raise


def _by_last_use(paths: Iterable[Path]) -> list[tuple[float, Path]]:
    found = []
    for path in paths:
        with contextlib.suppress(OSError):  # another process may be evicting too
            found.append((path.stat().st_mtime, path))
    return sorted(found)


def _size(entry: Path) -> int:
    with contextlib.suppress(OSError):
        return sum(file.stat().st_size for file in entry.iterdir())
    return 0


class RemoteStore:
    """A store at an fsspec URL; an entry is whole when its record is there, since the record is written last."""

    def __init__(self, url: str):
        import fsspec

        self.files, self.root = fsspec.core.url_to_fs(url)

    def _entry(self, key: str) -> str:
        return f"{self.root}/{key[:2]}/{key}"

    def fetch(self, key: str, destinations: Mapping[str, Path]) -> dict[str, Any] | None:
        """Copy an entry's files to `destinations` and return its record; None when missing, damaged or out of reach."""
        entry = self._entry(key)
        # Every file system of fsspec has exceptions of its own; without the store all is computed.
        with contextlib.suppress(Exception):
            record = json.loads(self.files.cat_file(f"{entry}/record.json"))
            for name, target in destinations.items():
                self.files.get_file(f"{entry}/{name}", str(target))
            if _checked(destinations, record):
                return record
        _removed(destinations)
        return None

    def holds(self, key: str) -> bool:
        """Whether there is an entry, whole or damaged; False when out of reach."""
        with contextlib.suppress(Exception):
            return self.files.exists(f"{self._entry(key)}/record.json")
        return False

    def put(self, key: str, files: Mapping[str, Path], record: Mapping[str, Any]) -> None:
        """Add an entry, or replace a damaged one; raises OSError when the store cannot be written."""
        entry = self._entry(key)
        outputs = {name: file_digest(path) for name, path in files.items()}
        try:
            self.files.makedirs(entry, exist_ok=True)
            for name, path in files.items():
                self.files.put_file(str(path), f"{entry}/{name}")
            self.files.pipe_file(f"{entry}/record.json", json.dumps({**record, "outputs": outputs}).encode())
        except Exception as error:
            raise OSError(f"{type(error).__name__}: {error}") from error

    def evict(self, limit_bytes: float, keep: set[str]) -> int:
        """Nothing: the limit of a shared remote store is its owner's to enforce."""
        return 0
