"""Loops that survive their process: what a loop carries is saved now and then, and a stage killed in it goes on there.

A stage's process says where (`kept_in`); everywhere else, as in a notebook, a `Checkpoint` does nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol, TypeVar

FOLDER = Path(".descent", "checkpoints")
SECONDS = 10.0
_ABANDONED = 7 * 86400
_DIGEST_BYTES = 16
Item = TypeVar("Item")


class Resumable(Protocol):
    """What a loop may carry besides lists: an object that can be put into an earlier state."""

    def state(self) -> Mapping[str, Any]:
        """Arrays and numbers by name: all that the object's next step depends on."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be again as when `state` was taken from an object made with the same arguments."""


def _never() -> bool:
    return False


class Checkpoint:
    """A loop whose state is `carried`: `Resumable` objects, and lists that it appends to (all restored in place).

    A list holds numbers, texts or arrays, or tuples of them, or dicts of them with the same keys. Nothing else that
    changes in the loop may outlive a pass, and what comes before the loop must be the same in every process. Loops
    follow each other in a fixed order and are not nested.
    """

    def __init__(self, *carried: Resumable | list):
        self._carried, self._keeper, self.passes = carried, _KEEPER.get(), 0
        if self._keeper is not None:
            self._name = self._keeper.next_loop()
            state = self._keeper.read(self._name)
            if state is not None:
                self._restore(state)

    def over(self, passes: Sequence[Item], until: Callable[[], bool] = _never) -> Iterator[Item]:
        """The items of `passes` that an earlier process has not done, until one pass leaves `until` true."""
        keeper, first = self._keeper, self.passes
        with keeper.running() if keeper else contextlib.nullcontext():
            for item in passes[first:]:
                if until():
                    break
                yield item
                self.passes += 1
                if keeper and keeper.is_due():
                    keeper.write({self._name: self._state()})
        if keeper and self.passes > first:
            keeper.hold(self._name, self._state())

    def _state(self) -> dict[str, Any]:
        parts = [_columns(item) if isinstance(item, list) else item.state() for item in self._carried]
        return {"passes": self.passes, **{f"{i}/{name}": v for i, part in enumerate(parts) for name, v in part.items()}}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.passes = int(state["passes"])
        print(f"descent: loop {self._name} goes on after {self.passes} passes", file=sys.stderr)
        for i, item in enumerate(self._carried):
            part = {name.partition("/")[2]: value for name, value in state.items() if name.startswith(f"{i}/")}
            if isinstance(item, list):
                item[:] = _rows(part)
            else:
                item.restore(part)


def _columns(rows: list) -> dict[str, Any]:
    # Named by the rows' keys as JSON: texts of a dict, numbers of a tuple, null where a row is one value.
    import numpy as np

    columns: dict[str, Any] = {}
    for key in _keys(rows[0]) if rows else ():
        values = [np.asarray(row if key is None else row[key]) for row in rows]
        columns[json.dumps(key)] = (np.concatenate if values[0].ndim else np.array)(values)
        if values[0].ndim:
            columns[f"{json.dumps(key)} lengths"] = np.array([len(value) for value in values])
    return columns


def _keys(row: Any) -> Sequence:
    if isinstance(row, Mapping):
        return list(row)
    return range(len(row)) if isinstance(row, tuple) else [None]


def _rows(columns: Mapping[str, Any]) -> list:
    import numpy as np

    found: dict[Any, list] = {}
    for name, values in columns.items():
        if not name.endswith(" lengths"):
            lengths = columns.get(f"{name} lengths")
            found[json.loads(name)] = list(values if lengths is None else np.split(values, np.cumsum(lengths)[:-1]))
    if list(found) == [None]:
        return found[None]
    rows = zip(*found.values())
    return [dict(zip(found, row)) for row in rows] if isinstance(next(iter(found), 0), str) else list(rows)


class Keeper:
    """Saved states of the loops of one computation: a file for each loop in `folder`, its digest in front.

    The states of loops are written at most every `seconds` and only while `is_current()`: otherwise what they were
    computed from is not what the folder is named after.
    """

    def __init__(self, folder: Path, seconds: float, is_current: Callable[[], bool]):
        self.folder, self.seconds, self.is_current = folder, seconds, is_current
        self._loops, self._running, self._warned, self._written = 0, False, False, time.monotonic()
        self._held: dict[str, dict[str, Any]] = {}

    def next_loop(self) -> str:
        """The next loop's name; RuntimeError inside a loop, where a resumed process would count otherwise."""
        if self._running:
            raise RuntimeError("a Checkpoint inside another one's loop")
        self._loops += 1
        return str(self._loops)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """While a loop runs."""
        self._running = True
        try:
            yield
        finally:
            self._running = False

    def is_due(self) -> bool:
        """Whether the last states were written long enough ago."""
        return time.monotonic() - self._written >= self.seconds

    def hold(self, name: str, state: dict[str, Any]) -> None:
        """Keep the last state of a loop until the next writing: after that a kill costs none of what went before."""
        import numpy as np

        self._held[name] = {key: np.array(value) for key, value in state.items()}
        if self.is_due():
            self.write({})

    def read(self, name: str) -> dict[str, Any] | None:
        """A loop's last written state; None when there is none or the file is not what this loop wrote."""
        import numpy as np

        try:
            content = (self.folder / name).read_bytes()
        except OSError:
            return None
        if content[:_DIGEST_BYTES] != self._digest(name, content[_DIGEST_BYTES:]):
            return None
        with np.load(io.BytesIO(content[_DIGEST_BYTES:]), allow_pickle=False) as arrays:
            return {key: arrays[key][()] for key in arrays}

    def _digest(self, name: str, payload: bytes | memoryview) -> bytes:
        # Bound to its place: another computation's file is no state of this one.
        person = hashlib.blake2b(f"{self.folder.name}/{name}".encode()).digest()
        return hashlib.blake2b(payload, digest_size=_DIGEST_BYTES, key=person).digest()

    def write(self, states: dict[str, dict[str, Any]]) -> None:
        """Write these states and the held ones; what cannot be written is lost in a kill, which is said once."""
        try:
            if self.is_current():
                self.folder.mkdir(parents=True, exist_ok=True)
                for name, state in {**self._held, **states}.items():
                    self._write(name, state)
                self._held = {}
        except OSError as error:
            if not self._warned:
                print(f"descent: warning: no checkpoint could be written ({error})", file=sys.stderr)
            self._warned = True
        self._written = time.monotonic()

    def _write(self, name: str, state: dict[str, Any]) -> None:
        import numpy as np

        payload = io.BytesIO()
        np.savez(payload, allow_pickle=False, **state)
        # Two processes at once may mix up this file: then its digest is wrong.
        partial = self.folder / f"{name}.partial"
        with open(partial, "wb") as file:
            file.write(self._digest(name, payload.getbuffer()))
            file.write(payload.getbuffer())
        os.replace(partial, self.folder / name)


_KEEPER: ContextVar[Keeper | None] = ContextVar("keeper", default=None)


@contextlib.contextmanager
def kept_in(folder: Path, seconds: float, is_current: Callable[[], bool]) -> Iterator[None]:
    """Let the loops inside go on from what `folder` has, and save their states there at most every `seconds`."""
    token = _KEEPER.set(Keeper(folder, seconds, is_current))
    try:
        yield
    finally:
        _KEEPER.reset(token)


def remove_abandoned() -> None:
    """Remove the states of computations that nobody has gone on with for a week."""
    for folder in FOLDER.glob("*"):
        with contextlib.suppress(OSError):  # another process may have finished it
            if folder.stat().st_mtime < time.time() - _ABANDONED:
                shutil.rmtree(folder, ignore_errors=True)
