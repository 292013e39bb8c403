"""A laboratory of its own for a test: a copy of the checkout in which the smoke configuration has run."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from descent.pipeline.discovery import module_names

CHECKOUT = Path(__file__).parents[1]
# What the pipeline does is tested on these; all studies together run once, in `whole_laboratory`.
STUDIES = ("planted_relu", "convergence_bound")
# Proofs that refer to no others than these; a report with all of them takes twice the time.
PROOFS = ("du.", "jhu.2")
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv*", "results", ".descent", ".snakemake", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info"
)


@dataclass(frozen=True)
class Ran:
    """What a run of the workflow did: outputs computed, and outputs served from the store."""

    computed: frozenset[str]
    served: frozenset[str]
    replicates: dict[str, list[int]]
    text: str

    @property
    def outputs(self) -> frozenset[str]:
        return self.computed | self.served


class Laboratory:
    """A folder with the whole project; `overlays` are configuration files on top of the smoke settings."""

    def __init__(self, root: Path, overlays: Iterable[str] = ("tests/config.yaml",)):
        self.root = root
        self.overlays = list(overlays)

    def copy(self, root: Path) -> Laboratory:
        shutil.copytree(self.root, root, symlinks=True)
        copied = Laboratory(root, self.overlays)
        copied._find_kernels()
        return copied

    def take_kernels(self, made: Laboratory) -> None:
        """Take what another laboratory with the same code has compiled; to compile it again takes seconds a stage."""
        shutil.copytree(made.path(".descent/numba"), self.path(".descent/numba"))
        self._find_kernels()

    def _find_kernels(self) -> None:
        # numba keeps the compiled functions of a package under its name and a digest of the place of its source.
        for folder in self.path(".descent/numba").glob("*/*_*"):
            package = folder.name.rpartition("_")[0]
            place = str(self.path(f"workflow/descent/{package}"))
            digest = hashlib.sha1(place.encode(), usedforsecurity=False).hexdigest()
            folder.rename(folder.with_name(f"{package}_{digest}"))

    def snakemake(self, *arguments: str, cores: int = 2, check: bool = True,
                  prefix: Iterable[str] = ()) -> subprocess.CompletedProcess:
        command = [*prefix, *self.command(*arguments, cores=cores)]
        done = subprocess.run(
            command, cwd=self.root, capture_output=True, text=True, env=self.environment(), timeout=900
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def command(self, *arguments: str, cores: int = 2) -> list[str]:
        words = [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments]
        return [*words, "--configfile", *self.overlays]

    def environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def stage(self, *words: str, check: bool = True) -> subprocess.CompletedProcess:
        environment = {**self.environment(), "PYTHONPATH": str(self.root / "workflow")}
        done = subprocess.run(
            [sys.executable, "-m", "descent", *words], cwd=self.root, capture_output=True, text=True, env=environment
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def run(self, *arguments: str, **options) -> Ran:
        before = self._sidecars()
        done = self.snakemake(*(arguments or ("report",)), **options)
        fresh = {path: record for path, record in self._sidecars().items() if before.get(path) != record}
        return Ran(
            frozenset(path for path, record in fresh.items() if not record["from_store"]),
            frozenset(path for path, record in fresh.items() if record["from_store"]),
            {path: record["computed_replicates"] for path, record in fresh.items()},
            done.stdout + done.stderr,
        )

    def _sidecars(self) -> dict[str, dict]:
        found = {}
        for file in sorted((self.root / "results").rglob(".provenance/*.json")):
            output = file.parent.parent / file.name.removesuffix(".json")
            written = file.stat().st_mtime_ns
            found[str(output.relative_to(self.root))] = {**json.loads(file.read_text()), "written": written}
        return found

    def record(self, path: str) -> dict:
        return self._sidecars()[path]

    def path(self, name: str) -> Path:
        return self.root / name

    def replace(self, name: str, old: str, new: str) -> None:
        text = self.path(name).read_text()
        assert text.count(old) >= 1, f"{old!r} is not in {name}"
        self.path(name).write_text(text.replace(old, new))

    def configure(self, text: str) -> None:
        name = f"overlay-{len(self.overlays)}.yaml"
        self.path(name).write_text(text)
        self.overlays.append(name)

    def results(self) -> dict[str, bytes]:
        """Bytes of every result that must not depend on where and how it was made."""
        files = sorted(path for path in self.path("results").rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in files
            if ".provenance" not in path.parts and path.suffix != ".log" and path.name != "run.html"
        }


def fresh_checkout(root: Path, studies: Collection[str] = STUDIES) -> Laboratory:
    """The project's files as they are now, without results, in `root`; its configuration has only `studies`."""
    shutil.copytree(CHECKOUT, root, ignore=NOT_COPIED, symlinks=True)
    made = Laboratory(root)
    without = [name for name in module_names("studies") if name not in studies]
    if without:
        for proof in made.path("report/proofs").glob("*.md"):
            if not proof.name.startswith(PROOFS):
                proof.unlink()
        # Typst, wherever LaTeX is installed too: it takes a second where that takes ten.
        made.configure(json.dumps({"studies": dict.fromkeys(without), "report": {"engine": "typst"}}))
    return made


def finished_laboratory(shared: Path) -> Laboratory:
    """The laboratory of two studies that all tests of a session copy; made by whichever process comes first."""
    return _finished(shared / "smoke laboratory", STUDIES)


def whole_laboratory(shared: Path) -> Laboratory:
    """The laboratory of all studies; what the one of two studies has computed is not computed again."""
    return _finished(shared / "whole laboratory", module_names("studies"), finished_laboratory(shared))


def call_record(finished: Laboratory) -> list[dict]:
    """What each stage of a finished laboratory calls; traced by whichever process comes first."""
    record = finished.root.with_suffix(".calls")
    environment = {**finished.environment(), "PYTHONPATH": str(finished.root / "workflow"), "OMP_NUM_THREADS": "1"}
    with open(finished.root.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            words = ["-P", CHECKOUT / "tests" / "call_record.py", record, "config.yaml", *finished.overlays]
            done = subprocess.run([sys.executable, *words], cwd=finished.root, capture_output=True, text=True,
                                  env=environment)
            assert done.returncode == 0, done.stderr
    return json.loads(record.read_text())


def without_network() -> list[str]:
    """Words before a command that cut it off from every network; none where this machine cannot do that."""
    words = ["unshare", "--net"]
    possible = shutil.which("unshare") and subprocess.run([*words, "true"], capture_output=True).returncode == 0
    return words if possible else []


def _finished(root: Path, studies: Collection[str], begun: Laboratory | None = None) -> Laboratory:
    record = root.with_suffix(".overlays")
    with open(root.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            # In its final place: compiled kernels belong to the folder of their source.
            shutil.rmtree(root, ignore_errors=True)
            made = fresh_checkout(root, studies)
            if begun:
                made.take_kernels(begun)
                shutil.copytree(begun.path(".descent/store"), made.path(".descent/store"))
            made.snakemake("report", prefix=without_network())
            record.write_text(json.dumps(made.overlays))
    return Laboratory(root, json.loads(record.read_text()))
