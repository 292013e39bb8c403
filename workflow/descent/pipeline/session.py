"""One run of the workflow: what it says before it starts and does when it has finished."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from descent.pipeline import history
from descent.pipeline.checkpoint import remove_abandoned
from descent.pipeline.device import has_cuda
from descent.pipeline.plan import REPORT, Plan
from descent.pipeline.recipes import by_name
from descent.pipeline.settings import ConfigError
from descent.pipeline.sidecar import file_digest, read_sidecar, sidecar_path
from descent.pipeline.stage import Stage
from descent.pipeline.staleness import estimate, stale_outputs
from descent.pipeline.store import open_store

_LEAST_ROOM = 1 << 20  # bytes; Snakemake itself cannot run in less
_MOST_PAGE = 6_000_000  # bytes that mail and hand-in forms still take
_LISTED = 20  # stages that merely lack their outputs, in a dry run's reasons


def check_results_folder() -> None:
    """Raise OSError with one line when `results` cannot hold results: Snakemake would show its own calls."""
    folder = Path("results")
    if folder.exists() and not folder.is_dir():
        raise OSError("results: must be a folder, but something else is there")
    if folder.exists() and not os.access(folder, os.W_OK):
        raise OSError("results: this folder cannot be written")
    if shutil.disk_usage(".").free < _LEAST_ROOM:
        raise OSError(f"{Path.cwd()}: no space left on this disk; make room and run it again")


class Session:
    """The stale outputs among `targets`, found without changing anything on disk."""

    def __init__(self, plan: Plan, targets: Iterable[str]):
        self.plan, self.targets = plan, sorted(targets)
        self.stale = stale_outputs(plan, self.targets)
        self._written = self._records_written()

    def _records_written(self) -> dict[str, int]:
        firsts = [next(iter(stage.outputs.values())) for stage in self.plan.upstream(self.targets)]
        found = {path: sidecar_path(Path(path)) for path in firsts}
        return {path: record.stat().st_mtime_ns for path, record in found.items() if record.exists()}

    def announcement(self, cores: int, reasons: bool) -> list[str]:
        """How many stages will run and an estimate of time and disk; with `reasons`, also why."""
        if not self.stale:
            return ["descent: nothing is stale; the report: " + ", ".join(REPORT)]
        count, seconds, megabytes = estimate(self.plan, self.stale, self.targets)
        minutes = seconds / cores / 60
        return (self._reasons() if reasons else []) + [
            f"descent: {count} of {len(self.plan.upstream(self.targets))} stages are to run, "
            f"at most about {max(minutes, 0.1):.1f} min on {cores} core(s) and {megabytes:.0f} MB of disk; "
            "what the store has takes a moment each"
        ]

    def _reasons(self) -> list[str]:
        # A line for each stage; of those that merely lack their outputs, the first few.
        stages: dict[tuple[int, str], list[str]] = {}
        for path, reason in self.stale.items():
            stages.setdefault((id(self.plan.producer(path)), reason), []).append(path)
        lines = {reason: [] for _, reason in stages}
        for (_, reason), (first, *others) in stages.items():
            lines[reason].append(f"descent: {', '.join([first, *(Path(path).name for path in others)])}: {reason}")
        missing = lines.get("missing", [])
        if len(missing) > _LISTED:
            missing[_LISTED:] = [f"descent: and the outputs of {len(missing) - _LISTED} more stages: missing"]
        return [line for found in lines.values() for line in found]

    def refusal(self) -> str | None:
        """One line when a stale stage needs a GPU that this machine lacks and nothing in the store can replace it.

        Where inputs are still to be made the store cannot be asked: then that stage itself says so, later.
        """
        for stage in self.plan.upstream(self.targets):
            stale = not self.stale.keys().isdisjoint(stage.outputs.values())
            needed = stale and stage.settings.get("device") == "cuda" and not has_cuda()
            if needed and not self._may_be_in_store(stage):
                study = next(iter(stage.outputs.values())).split("/")[1]
                return (f'config: studies.{study}.device: "cuda" needs an NVIDIA GPU and a build of PyTorch for it, '
                        "which this machine lacks (or: cpu, auto)")
        return None

    def may_add_to_store(self) -> bool:
        """Whether what is computed can be kept; raises ConfigError when the store cannot be used at all."""
        settings = self.plan.laboratory.store
        store = open_store(settings.path) if self.stale else None
        try:
            return store is None or store.access()
        except OSError as error:
            raise ConfigError(f"config: store.path = {settings.path!r}: {error} (or: null, to do without)") from None

    def _may_be_in_store(self, stage: Stage) -> bool:
        store = open_store(self.plan.laboratory.store.path)
        if store is None:
            return False
        if not self.stale.keys().isdisjoint(stage.input_paths):
            return True
        inputs = by_name(stage, lambda path: file_digest(Path(path)))
        keys = [self.plan.identity(stage).digest(inputs, part) for part in (stage.replicates, *stage.replicates)]
        return store.holds(keys[0]) or all(map(store.holds, keys[1:]))

    def finish(self) -> None:
        """Write the page of times, keep store and checkpoints within limits, and say where the report is."""
        self._evict()
        self._remember()
        remove_abandoned()
        if stale_outputs(self.plan, REPORT):
            return
        self._write_facts()
        for path in REPORT:
            print(f"report: {path}")
        print(size_warning(Path(REPORT[0])), end="", file=sys.stderr)

    def _write_facts(self) -> None:
        from descent.report.facts import write_facts

        outputs = [Path(path) for stage in self.plan.upstream(REPORT) for path in stage.outputs.values()]
        page = Path(REPORT[0]).with_name("run.html")
        try:
            write_facts(outputs, page)
        except (OSError, ValueError) as error:
            # The report itself is whole.
            print(f"descent: warning: {page}: cannot be written ({error})", file=sys.stderr)

    def _evict(self) -> None:
        store = open_store(self.plan.laboratory.store.path)
        if store is not None:
            store.evict(self.plan.laboratory.store.limit_gib * 2**30, keys_in_use(self.plan))

    def _remember(self) -> None:
        made = [path for path, time in self._records_written().items() if self._written.get(path) != time]
        if made and self.plan.laboratory.store.path:
            records = [read_sidecar(Path(path)) for path in made]
            history.remember(history.tally(record for record in records if record is not None))


def size_warning(page: Path) -> str:
    """A line about a page that is too large to be sent; empty where it is not."""
    size = page.stat().st_size
    if size <= _MOST_PAGE:
        return ""
    return f"descent: warning: {page}: has {size / 1e6:.1f} MB; mail and hand-in forms may refuse it\n"


def keys_in_use(plan: Plan) -> set[str]:
    """Keys of the current results, which eviction spares."""
    records = [read_sidecar(Path(path)) for stage in plan.stages for path in stage.outputs.values()]
    return {record["key"] for record in records if record is not None}
