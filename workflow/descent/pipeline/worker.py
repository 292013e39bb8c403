"""The process in which a stage computes: one entry, its settings and paths, and nothing else."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_CONFIGURATION = {"config.yaml", "preview.yaml"}
_LIBRARY = Path(__file__).parents[1]


def main() -> None:
    """Run the job given as JSON on standard input; a line on descriptor `status` for each finished replicate."""
    # A killed runner must not leave its stage computing on.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    sys.addaudithook(_refuse_configuration)
    sys.path_hooks.insert(0, _source_finder)
    sys.path_importer_cache.clear()
    from descent.pipeline.checkpoint import kept_in
    from descent.pipeline.discovery import load_entry
    from descent.pipeline.origin import Origin

    job = json.loads(sys.stdin.read())
    if os.getppid() != job["runner"]:
        raise SystemExit("the runner died before its stage began")
    function = load_entry(job["entry"])
    inputs = {name: _paths(value) for name, value in job["inputs"].items()}
    origin = Origin(**job["origin"])

    def compute(part: dict, *replicate: int) -> None:
        outputs = {name: Path(path) for name, path in part["outputs"].items()}
        with (_in_words(),
              kept_in(Path(part["checkpoints"]), job["checkpoint_seconds"], lambda: origin.fault() is None)):
            function(job["settings"], inputs, outputs, *replicate)

    if not job["parts"]:
        compute(job)
        return
    for part in job["parts"]:
        if part["missing"]:
            compute(part, part["replicate"])
            os.write(job["status"], f"{part['replicate']}\n".encode())
    _join(job)


@contextlib.contextmanager
def _in_words():
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith("descent."):
            raise
        # The library's own errors say what is wrong with which file; the calls that led there are no help.
        raise SystemExit(str(error)) from None


def _refuse_configuration(event: str, arguments: tuple) -> None:
    # What a stage reads beyond its settings and inputs would be missing from its key.
    if event == "open" and isinstance(arguments[0], str) and os.path.basename(arguments[0]) in _CONFIGURATION:
        raise PermissionError(f"{arguments[0]}: a stage may not read the configuration, only its own settings")


class _SourceLoader(SourceFileLoader):
    def path_stats(self, path: str) -> dict:
        # Python matches its compiled files by time in seconds and size: after an edit of the same length within
        # a second, or a copy that keeps times, the old code would run under the new code's digest.
        raise OSError


def _source_finder(path: str) -> FileFinder:
    if not Path(path).is_relative_to(_LIBRARY):
        raise ImportError
    return FileFinder(path, (_SourceLoader, SOURCE_SUFFIXES))


def _paths(value: Any) -> Any:
    return [Path(path) for path in value] if isinstance(value, list) else Path(value)


def _join(job: dict) -> None:
    from descent.pipeline.tables import join_tables

    for name, path in job["outputs"].items():
        join_tables([Path(part["outputs"][name]) for part in job["parts"]], Path(path))


if __name__ == "__main__":
    main()
