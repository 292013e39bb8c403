"""One run of the workflow: what it says before it starts and does when it has finished."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from descent.pipeline.checkpoint import remove_abandoned
from descent.pipeline.device import has_cuda
from descent.pipeline.plan import REPORT, Plan
from descent.pipeline.recipes import by_name
from descent.pipeline.sidecar import file_digest, read_sidecar
from descent.pipeline.stage import Stage
from descent.pipeline.staleness import estimate, stale_outputs
from descent.pipeline.store import open_store

_LISTED = 20  # stages that merely lack their outputs, in a dry run's reasons


def check_results_folder() -> None:
    """Raise OSError with one line when `results` cannot hold results: Snakemake would show its own calls."""
    folder = Path("results")
    if folder.exists() and not folder.is_dir():
        raise OSError("results: must be a folder, but something else is there")
    if folder.exists() and not os.access(folder, os.W_OK):
        raise OSError("results: this folder cannot be written")


class Session:
    """The stale outputs among `targets`, found without changing anything on disk."""

    def __init__(self, plan: Plan, targets: Iterable[str]):
        self.plan, self.targets = plan, sorted(targets)
        self.stale = stale_outputs(plan, self.targets)

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
        remove_abandoned()
        if stale_outputs(self.plan, REPORT):
            return
        from descent.report.facts import write_facts

        outputs = [Path(path) for stage in self.plan.upstream(REPORT) for path in stage.outputs.values()]
        write_facts(outputs, Path(REPORT[0]).with_name("run.html"))
        for path in REPORT:
            print(f"report: {path}")

    def _evict(self) -> None:
        store = open_store(self.plan.laboratory.store.path)
        if store is not None:
            records = [read_sidecar(Path(path)) for stage in self.plan.stages for path in stage.outputs.values()]
            keep = {record["key"] for record in records if record is not None}
            store.evict(self.plan.laboratory.store.limit_gib * 2**30, keep)
