"""Running one stage: from the store when its key is there, otherwise in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from descent.pipeline.checkpoint import FOLDER, SECONDS
from descent.pipeline.environment import stage_environment
from descent.pipeline.fingerprint import FingerprintError, Fingerprints, digest_text
from descent.pipeline.origin import Origin
from descent.pipeline.recipes import Identity, by_name
from descent.pipeline.sidecar import file_digest, file_state, read_sidecar, recorded_digest, same_file, write_sidecar
from descent.pipeline.stage import Stage
from descent.pipeline.store import Store
from descent.pipeline.versions import cpu

_FULL = 1 << 16  # bytes: what is left of a disk when a write of any size has failed


class StageError(RuntimeError):
    """A stage that could not be run; the message is one line for the user."""


def no_space(stage: Stage) -> str:
    """The line for the user when a disk is full."""
    output = next(iter(stage.outputs.values()))
    return f"{stage.rule}: no space left on the disk to make {output}; make room and run it again"


@dataclass
class Inputs:
    """Digests and recipes of a stage's inputs, and the files' states when they were read."""

    digests: dict[str, str] = field(default_factory=dict)
    recipes: dict[str, str] = field(default_factory=dict)
    states: dict[str, list[int]] = field(default_factory=dict)


def read_inputs(stage: Stage) -> Inputs:
    """Digest every input and check it against its producer's record; raises StageError naming a bad file."""
    inputs = Inputs()
    for path in dict.fromkeys(stage.input_paths):
        file = Path(path)
        try:
            inputs.states[path] = file_state(file)
            record = read_sidecar(file)
            inputs.digests[path] = file_digest(file) if record is None else recorded_digest(file, record)
        except OSError as error:
            raise StageError(f"{path}: cannot read this input ({error.strerror})") from None
        if record is None and path.startswith("results/"):
            raise StageError(f"{path}: has no record of what made it; run the workflow again to remake it")
        if record is not None and record["digest"] != inputs.digests[path]:
            raise StageError(f"{path}: was changed since it was made; run the workflow again to remake it")
        inputs.recipes[path] = inputs.digests[path] if record is None else record["recipe"]
    return inputs


class Run:
    """One run of a stage; `recipe` is the one that the workflow expects (None: any)."""

    def __init__(self, stage: Stage, store: Store | None, recipe: str | None, log: Path | None, exact: bool,
                 checkpoint_seconds: float = SECONDS):
        self.stage, self.store, self.log, self.exact = stage, store, log, exact
        self.checkpoint_seconds = checkpoint_seconds
        self.inputs, fingerprints = read_inputs(stage), Fingerprints()
        self.identity = self._identity(fingerprints)
        self.origin = Origin(stage.rule, stage.entry, bool(stage.replicates), self.identity.code, fingerprints.sources,
                             self.inputs.digests, self.inputs.states)
        self.recipe = self._digest(self.inputs.recipes, stage.replicates)
        self.key = self._digest(self.inputs.digests, stage.replicates)
        if recipe not in (None, self.recipe):
            here = ", ".join(f"{name} {version}" for name, version in self.identity.versions.items())
            raise StageError(f"{stage.rule}: code, inputs or versions are not those that the workflow planned with "
                             f"(versions here: {here}); run it again, in the same environment on every machine")
        self.scratch = self._scratch()
        self.began = time.perf_counter()

    def _identity(self, fingerprints: Fingerprints) -> Identity:
        try:
            return Identity(self.stage, fingerprints, self.exact)
        except FingerprintError as error:
            raise StageError(str(error)) from None

    def _digest(self, by_path: dict[str, str], replicates) -> str:
        return self.identity.digest(by_name(self.stage, by_path.__getitem__), replicates)

    def _scratch(self) -> Path:
        folder = Path(next(iter(self.stage.outputs.values()))).parent
        folder.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder)
        return folder / f".partial-{socket.gethostname()}-{os.getpid()}"

    def execute(self) -> bool:
        """Make the outputs; True when they came from the store. Leaves no partial file behind."""
        try:  # from the first file on: a signal may come between any two lines
            self.scratch.mkdir()
            files = {name: self.scratch / name for name in self.stage.outputs}
            record = self._fetch(self.key, files)
            from_store = record is not None
            if record is None:
                record = self._compute(files)
                self._store(self.key, files, record)
            self._publish(files, record, from_store)
            self._remove_checkpoints()
            return from_store
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _fetch(self, key: str, files: dict[str, Path]) -> dict[str, Any] | None:
        return self.store.fetch(key, files) if self.store else None

    def _store(self, key: str, files: dict[str, Path], record: dict[str, Any]) -> None:
        if self.store is None:
            return
        try:
            self.store.put(key, files, {**record, "rule": self.stage.rule})
        except OSError as error:
            # The outputs themselves are whole; only their reuse is lost.
            print(f"descent: warning: the store cannot be written ({error})", file=sys.stderr)

    def _compute(self, files: dict[str, Path]) -> dict[str, Any]:
        parts = [self._part(replicate) for replicate in self.stage.replicates]
        job = {
            "entry": self.stage.entry,
            "settings": self.stage.settings,
            "inputs": self.stage.inputs,
            "outputs": {name: str(path) for name, path in files.items()},
            "parts": parts,
            "checkpoints": str(self._checkpoints(self.key)),
            "checkpoint_seconds": self.checkpoint_seconds,
            "origin": self.origin.record(),
        }
        usage = self._work(job, {part["replicate"]: part for part in parts})
        self._check_unchanged()
        missing = [name for name, path in files.items() if not path.exists()]
        if missing:
            raise StageError(f"{self.stage.rule}: {self.stage.entry} did not write {', '.join(missing)}")
        return usage

    def _part(self, replicate: int) -> dict[str, Any]:
        outputs = {name: self.scratch / f"{name}.{replicate}" for name in self.stage.outputs}
        found = self._fetch(self._part_key(replicate), outputs)
        return {
            "replicate": replicate,
            "missing": found is None,
            "outputs": {name: str(path) for name, path in outputs.items()},
            "checkpoints": str(self._checkpoints(self._part_key(replicate))),
        }

    def _part_key(self, replicate: int) -> str:
        # Not the key of a stage with this one replicate: joining rewrites even a single table.
        return self._digest(self.inputs.digests, replicate)

    def _work(self, job: dict[str, Any], parts: dict[int, dict]) -> dict[str, Any]:
        status, status_write = os.pipe()
        environment = stage_environment(self.identity.code)
        with _log_file(self.log) as log, _child(log, status_write, environment) as process, open(status) as finished:
            os.close(status_write)
            with contextlib.suppress(BrokenPipeError):  # a process that dies at once says why below
                process.stdin.write(json.dumps({**job, "status": status_write, "runner": os.getpid()}).encode())
                process.stdin.close()
            for line in finished:
                self._keep_replicate(parts[int(line)])
            _, code, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(code)
        if process.returncode:
            raise StageError(self._failure(process.returncode, usage.ru_maxrss / 1024))
        return {
            "computed_replicates": [replicate for replicate, part in parts.items() if part["missing"]],
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
            "peak_memory_mb": round(usage.ru_maxrss / 1024, 1),
            "wall_seconds": round(time.perf_counter() - self.began, 3),
            "cpu": cpu(),
        }

    def _keep_replicate(self, part: dict[str, Any]) -> None:
        with contextlib.suppress(StageError):
            self._check_unchanged()
            files = {name: Path(path) for name, path in part["outputs"].items()}
            self._store(self._part_key(part["replicate"]), files, {"cpu": cpu()})

    def _failure(self, code: int, peak_mb: float) -> str:
        if code < 0:
            # A kernel whose memory runs out tells nobody but its own log why it kills.
            perhaps = f" (out of memory? it had {peak_mb:.0f} MB)" if -code == signal.SIGKILL else ""
            return f"{self.stage.rule}: the computation was killed by {signal.Signals(-code).name}{perhaps}"
        if shutil.disk_usage(self.scratch).free < _FULL:  # the log, too, may then end anywhere
            return no_space(self.stage)
        last = f"{self.stage.entry} ended with exit status {code}"
        if self.log is not None and self.log.exists():
            lines = self.log.read_text(errors="replace").strip().splitlines()
            last = lines[-1] if lines else last
        return f"{self.stage.rule}: {last}" + (f" (log: {self.log})" if self.log else "")

    def _check_unchanged(self) -> None:
        fault = self.origin.fault()
        if fault is not None:
            raise StageError(fault)

    def _checkpoints(self, key: str) -> Path:
        # Whatever the store takes for equal, a loop that goes on with another CPU's bits would be neither's.
        return FOLDER / f"{key}-{digest_text(cpu())[:8]}"

    def _remove_checkpoints(self) -> None:
        for key in [self.key, *map(self._part_key, self.stage.replicates)]:
            shutil.rmtree(self._checkpoints(key), ignore_errors=True)

    def _publish(self, files: dict[str, Path], usage: dict[str, Any], from_store: bool) -> None:
        made = {name: file_state(path) for name, path in files.items()}
        digests = {name: file_digest(path) for name, path in files.items()}
        record = {
            **{name: usage.get(name) for name in ("cpu_seconds", "peak_memory_mb", "wall_seconds", "cpu")},
            "computed_replicates": [] if from_store else usage["computed_replicates"],
            "rule": self.stage.rule,
            "entry": self.stage.entry,
            "key": self.key,
            "recipe": self.recipe,
            "settings": dict(self.stage.settings),
            "replicates": list(self.stage.replicates),
            "code": self.identity.code,
            "parts": self.identity.parts,
            "versions": self.identity.versions,
            "inputs": self.inputs.digests,
            "outputs": {path: digests[name] for name, path in self.stage.outputs.items()},
            "threads": 1,
            "from_store": from_store,
        }
        for name, path in self.stage.outputs.items():
            os.replace(files[name], path)
        for name, path in self.stage.outputs.items():
            state = file_state(Path(path))
            if not same_file(state, made[name]):
                raise StageError(f"{path}: was replaced while it was being finished; run it again")
            write_sidecar(Path(path), {**record, "digest": digests[name], "state": state}, self.scratch / "record")


def _remove_leftovers(folder: Path) -> None:
    host = socket.gethostname()
    for leftover in folder.glob(f".partial-{host}-*"):
        process = leftover.name.rpartition("-")[2]
        # Process numbers come again: a folder with this process's own is another's from before.
        if process == str(os.getpid()) or not Path(f"/proc/{process}").exists():
            shutil.rmtree(leftover, ignore_errors=True)


@contextlib.contextmanager
def _log_file(path: Path | None):
    if path is None:
        yield sys.stderr
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as log:
        yield log


@contextlib.contextmanager
def _child(log, status_write: int, environment: dict[str, str]):
    process = subprocess.Popen(
        # -P: no file in the current folder may stand in for a module.
        [sys.executable, "-P", "-m", "descent.pipeline.worker"],
        stdin=subprocess.PIPE, stdout=log, stderr=log, pass_fds=[status_write], env=environment,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()
