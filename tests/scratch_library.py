"""A copy of the library's core with small stages of its own, run by its command line in a scratch folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from descent.pipeline.sidecar import read_sidecar
from tests.laboratory import CHECKOUT

_CORE = ("__init__.py", "__main__.py", "compilation.py", "pipeline", "studies/__init__.py", "data/__init__.py")
_TAIL = "\nimport runpy\nrunpy.run_module('descent', run_name='__main__', alter_sys=True)\n"


class ScratchLibrary:
    """`root` is the working folder; its package `descent` has a module `toy` with the given source."""

    def __init__(self, root: Path, toy: str):
        self.root = root
        self.package = root / "workflow" / "descent"
        for name in _CORE:
            source, target = CHECKOUT / "workflow" / "descent" / name, self.package / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, target)
        self.toy = self.package / "toy.py"
        self.toy.write_text(toy)

    def words(self, function: str, settings: Mapping[str, Any], output: str = "results/a/text.txt", *more: str,
              replicates: list[int] | None = None, inputs: Mapping[str, str] | None = None) -> list[str]:
        """The command line of a stage `toy:function` with one output, called `made`."""
        words = ["toy", "--entry", f"descent.toy:{function}", "--settings", json.dumps(settings)]
        words += ["--replicates", json.dumps(replicates)] if replicates else []
        words += ["--input", *(f"{name}={path}" for name, path in inputs.items())] if inputs else []
        return [*words, "--output", f"made={output}", "--store", "store", "--log", f"{output}.log", *more]

    def command(self, words: list[str], prelude: str = "") -> list[str]:
        """With `prelude`, Python code that runs first in the runner's process."""
        return [sys.executable, "-c", prelude + _TAIL, *words] if prelude else [sys.executable, "-m", "descent", *words]

    def environment(self, **variables: str) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return {**clean, "PYTHONPATH": str(self.root / "workflow"), "PYTHONDONTWRITEBYTECODE": "1", **variables}

    def run(self, *words: Any, prelude: str = "", environment: Mapping[str, str] | None = None, preexec=None,
            **more: Any) -> subprocess.CompletedProcess:
        command = self.command(self.words(*words, **more), prelude)
        return subprocess.run(command, cwd=self.root, env=self.environment(**(environment or {})), preexec_fn=preexec,
                              capture_output=True, text=True, check=False)

    def made(self, *words: Any, **more: Any) -> dict[str, Any]:
        """Run a stage that must succeed; the record of its output."""
        done = self.run(*words, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return self.record(words[2] if len(words) > 2 else "results/a/text.txt")

    def refused(self, *words: Any, **more: Any) -> str:
        """Run a stage that must fail with one line; that line."""
        done = self.run(*words, **more)
        assert done.returncode == 1, done.stdout + done.stderr
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("descent: ")
        return lines[0]

    def record(self, output: str = "results/a/text.txt") -> dict[str, Any]:
        record = read_sidecar(self.root / output)
        assert record is not None
        return record

    def leftovers(self) -> list[Path]:
        """Files and folders beside results and records that are neither."""
        scratch = [path for path in (self.root / "results").rglob("*") if ".partial" in path.name]
        records = [path for path in (self.root / "results").rglob(".provenance/*") if path.suffix != ".json"]
        return scratch + records
