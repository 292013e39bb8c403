"""The store: finished outputs by key, shared between checkouts; verified when fetched, never trusted."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from descent.pipeline.sidecar import file_digest

_FICLONE = 0x40049409


@dataclass(frozen=True, order=True)
class Entry:
    """One entry of a store: when it was last used (at an address: written), in s since 1970, its key and its bytes."""

    used: float
    key: str
    size: int


class Store(Protocol):
    """Entries of named files under hexadecimal keys."""

    def access(self) -> bool:
        """Whether entries can be added; raises OSError when none can be read either."""

    def fetch(self, key: str, destinations: Mapping[str, Path]) -> dict[str, Any] | None:
        """Copy an entry's files to `destinations` and return its record; None when missing or damaged."""

    def holds(self, key: str) -> bool:
        """Whether there is an entry, whole or damaged."""

    def put(self, key: str, files: Mapping[str, Path], record: Mapping[str, Any]) -> None:
        """Add an entry; one that is there already stays."""

    def entries(self) -> list[Entry]:
        """All entries, the least recently used first."""

    def records(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The records of those entries among `keys` that have a readable one."""

    def evict(self, limit_bytes: float, keep: set[str]) -> int:
        """Remove least recently used entries beyond the limit, sparing `keep`; returns the bytes freed."""


def open_store(path: str | None, read_only: bool = False) -> Store | None:
    """The store at a folder or fsspec URL, None for no store; raises ValueError for what cannot be an address.

    To one that is `read_only` nothing is added.
    """
    if not path:
        return None
    if "://" not in path:
        return FolderStore(_folder(path), read_only)
    from descent.pipeline.remote_store import RemoteStore

    try:
        return RemoteStore(path, read_only)
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


def beyond(limit_bytes: float, entries: list[Entry], keep: set[str]) -> list[Entry]:
    """The entries to remove so that the rest fits: the least recently used, but none of `keep`."""
    excess = sum(entry.size for entry in entries) - limit_bytes
    removed = []
    for entry in entries:
        if excess <= 0:
            break
        if entry.key not in keep:
            removed.append(entry)
            excess -= entry.size
    return removed


def copy_file(source: Path, target: Path) -> None:
    """Copy by reference where the file system can (FICLONE), else by bytes; never by hard link."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        try:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
        except OSError:
            shutil.copyfileobj(reader, writer, 1 << 20)


def matches(files: Mapping[str, Path], record: Mapping[str, Any]) -> bool:
    """Whether the files have the digests of their entry's record."""
    return all(file_digest(file) == record["outputs"][name] for name, file in files.items())


def remove(files: Mapping[str, Path]) -> None:
    """Remove what was copied of a damaged entry: it must not be taken for an output."""
    for file in files.values():
        file.unlink(missing_ok=True)


class FolderStore:
    """A store in a folder: one directory for each entry, complete since it is renamed into place.

    What is made in the folder gets the folder's own permissions, so that one which a group may write stays so.
    """

    def __init__(self, root: Path, read_only: bool = False):
        self.root, self.read_only = root, read_only

    def _entry(self, key: str) -> Path:
        return self.root / key[:2] / key

    def access(self) -> bool:
        """Whether entries can be added; raises OSError when the folder neither can be read nor made."""
        nearest = next(folder for folder in (self.root, *self.root.parents) if folder.exists())
        made = nearest == self.root
        if made and not (nearest.is_dir() and os.access(nearest, os.R_OK | os.X_OK)):
            raise OSError("is no folder that can be read")
        writable = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
        if not made and not writable:
            raise OSError(f"does not exist, and cannot be made in {nearest}")
        return writable

    def fetch(self, key: str, destinations: Mapping[str, Path]) -> dict[str, Any] | None:
        """Copy an entry's files to `destinations` and return its record; a damaged entry is removed, not served."""
        entry = self._entry(key)
        record = self._whole(entry, destinations)
        if record is None:
            remove(destinations)
            return None
        with contextlib.suppress(OSError):
            os.utime(entry / "record.json")
        return record

    def holds(self, key: str) -> bool:
        """Whether there is an entry, whole or damaged."""
        return self._entry(key).exists()

    def _whole(self, entry: Path, destinations: Mapping[str, Path]) -> dict[str, Any] | None:
        found = _identity(entry)
        if found is None:
            return None
        try:
            record = json.loads((entry / "record.json").read_bytes())
            for name, target in destinations.items():
                copy_file(entry / name, target)
            if matches(destinations, record):
                return record
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, KeyError, TypeError):
            pass
        except OSError:
            # Unreadable now (permissions, network) is not damaged.
            return None
        # Not damaged but evicted, and perhaps put anew, while it was read: that one stays.
        if _identity(entry) == found:
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
        if self.read_only or entry.exists():
            return
        self.root.mkdir(parents=True, exist_ok=True)
        self._make(entry.parent)
        partial = self._new_folder("partial")
        try:
            self._make(partial)
            for name, path in files.items():
                copy_file(path, partial / name)
            outputs = {name: file_digest(path) for name, path in files.items()}
            (partial / "record.json").write_text(json.dumps({**record, "outputs": outputs}, sort_keys=True))
            for file in partial.iterdir():
                self._share(file)
            _rename_unless_there(partial, entry)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _make(self, folder: Path) -> None:
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            self._share(folder)

    def _share(self, path: Path) -> None:
        mode = stat.S_IMODE(self.root.stat().st_mode)
        with contextlib.suppress(OSError):  # not every file system has permissions
            path.chmod(mode if path.is_dir() else mode & 0o666)

    def entries(self) -> list[Entry]:
        """All entries, the least recently used first."""
        found = _by_last_use(self.root.glob("??/*/record.json"))
        return [Entry(used, record.parent.name, _size(record.parent)) for used, record in found]

    def records(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The records of those entries among `keys` that have a readable one."""
        found = {}
        for key in keys:
            with contextlib.suppress(OSError):
                found[key] = parsed((self._entry(key) / "record.json").read_bytes())
        return found

    def evict(self, limit_bytes: float, keep: set[str]) -> int:
        """Remove least recently used entries beyond the limit, and what a killed writer left over a day ago."""
        leftovers = [*self.root.glob("partial-*"), *self.root.glob("damaged-*")]
        for last_used, leftover in _by_last_use(leftovers):
            if last_used < time.time() - 86400:
                shutil.rmtree(leftover, ignore_errors=True)
        freed = 0
        for entry in beyond(limit_bytes, self.entries(), keep):
            self._discard(self._entry(entry.key))
            freed += 0 if self.holds(entry.key) else entry.size
        return freed


def _identity(entry: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(entry)
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns


def parsed(text: bytes) -> dict[str, Any]:
    """A record from its JSON; empty when it is damaged."""
    with contextlib.suppress(ValueError):
        record = json.loads(text)
        return record if isinstance(record, dict) else {}
    return {}


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
