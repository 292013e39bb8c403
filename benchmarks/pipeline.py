"""What the pipeline itself costs: a stage's overhead, a store hit, a run with nothing to do, a report from the store.

Measured on a copy of the checkout with the smoke configuration and, where the checkout holds a finished
full-size report, on a copy that shares its store.
"""

from __future__ import annotations

import contextlib
import json
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from descent.pipeline import settings
from descent.pipeline.environment import stage_environment
from descent.pipeline.plan import Plan
from descent.pipeline.stage import Stage
from tests.laboratory import CHECKOUT, Laboratory, fresh_checkout

REPEATS = 5
STORE_HIT_LIMIT, NOTHING_TO_DO_LIMIT = 0.15, 3.0
# The function of a stage as a user would call it, without runner, records and store.
BARE = """
import json, sys
from pathlib import Path
from descent.pipeline.discovery import load_entry
job = json.loads(sys.argv[1])
paths = lambda value: [Path(path) for path in value] if isinstance(value, list) else Path(value)
inputs, outputs = ({name: paths(value) for name, value in job[kind].items()} for kind in ("inputs", "outputs"))
load_entry(job["entry"])(job["settings"], inputs, outputs)
"""

Times = tuple[float, float]


def timed(command: Sequence[str], laboratory: Laboratory, **variables: str) -> Times:
    """Wall and CPU seconds of a command and its children; raises CalledProcessError when it fails."""
    environment = {**laboratory.environment(), "PYTHONPATH": str(laboratory.path("workflow")), **variables}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, cwd=laboratory.root, env=environment, check=True, capture_output=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median(times: Iterable[Times]) -> Times:
    """Medians of wall and of CPU seconds."""
    walls, cpus = zip(*times, strict=True)
    return statistics.median(walls), statistics.median(cpus)


def show(name: str, setting: str, times: Times, limit: float | None = None, note: str = "") -> None:
    """Print one row of the results."""
    row = {"name": name, "setting": setting, "wall_s": times[0], "cpu_s": times[1], "limit_s": limit, "note": note}
    print(json.dumps(row), flush=True)


def plan_of(laboratory: Laboratory) -> Plan:
    """The plan of a laboratory's stages, read in its folder."""
    with contextlib.chdir(laboratory.root):
        plan = Plan(settings.read(["config.yaml", *laboratory.overlays]))
        for stage in plan.stages:
            plan.command(stage)
        return plan


def stage_command(plan: Plan, stage: Stage, store: bool) -> list[str]:
    """The command line of a stage, with or without the store."""
    words = shlex.split(plan.command(stage))
    if not store:
        at = words.index("--store")
        del words[at : at + 2]
    return [sys.executable, "-m", "descent", *words]


def overhead(laboratory: Laboratory, plan: Plan, setting: str) -> None:
    """Cost of a stage's runner: the stage as the workflow runs it, less its function in a process of its own."""
    stage = next(stage for stage in plan.stages if stage.rule == "values")
    outputs = {name: f"{path}.bare" for name, path in stage.outputs.items()}
    job = {"entry": stage.entry, "settings": stage.settings, "inputs": stage.inputs, "outputs": outputs}
    bare = [sys.executable, "-c", BARE, json.dumps(job)]
    run = stage_command(plan, stage, store=False)
    with contextlib.chdir(laboratory.root):
        variables = stage_environment(plan.identity(stage).code)
    pairs = [(timed(run, laboratory), timed(bare, laboratory, **variables)) for _ in range(REPEATS)]
    show("Overhead of the stage runner, a job", setting, median((a[0] - b[0], a[1] - b[1]) for a, b in pairs))


def store_hits(laboratory: Laboratory, plan: Plan, setting: str) -> None:
    """Time of a stage that the store has: median and slowest over all stages, each a median of three."""
    times = {}
    for stage in plan.stages:
        command = stage_command(plan, stage, store=True)
        times[next(iter(stage.outputs.values()))] = median(timed(command, laboratory) for _ in range(3))
    slowest = max(times, key=times.__getitem__)
    name = "Store hit, a job"
    show(name, setting, median(times.values()), STORE_HIT_LIMIT, f"median of {len(times)} stages")
    show(name, setting, times[slowest], STORE_HIT_LIMIT, f"slowest stage: {slowest}")


def whole_runs(laboratory: Laboratory, setting: str) -> None:
    """The report from the store into a folder without results, then again with nothing to do."""
    command = laboratory.command("report")
    shutil.rmtree(laboratory.path("results"), ignore_errors=True)
    stages = f"{len(plan_of(laboratory).upstream(['report']))} stages on 2 cores"
    show("Report, everything in the store", setting, timed(command, laboratory), note=stages)
    times = [timed(command, laboratory) for _ in range(REPEATS)]
    show("Report, nothing to do", setting, median(times), NOTHING_TO_DO_LIMIT, stages)


def smoke(folder: Path) -> None:
    """All measurements on the smoke configuration."""
    laboratory = fresh_checkout(folder / "smoke")
    laboratory.configure("report: {engine: typst}")  # the same work with and without a TeX installation
    laboratory.snakemake("report")
    plan = plan_of(laboratory)
    overhead(laboratory, plan, "smoke")
    store_hits(laboratory, plan, "smoke")
    whole_runs(laboratory, "smoke")


def full(folder: Path) -> None:
    """Whole runs of the full configuration, where the checkout has its report and a store in a folder."""
    verified = subprocess.run([sys.executable, "-m", "descent", "verify"], cwd=CHECKOUT, capture_output=True)
    store = Plan(settings.read(["config.yaml"])).laboratory.store.path
    if verified.returncode or not store or not (CHECKOUT / store).is_dir():
        print("pipeline: no finished full-size report here (make report): measured at smoke size only", file=sys.stderr)
        return
    laboratory = fresh_checkout(folder / "full")
    laboratory.overlays.clear()
    laboratory.configure(f"store: {{path: {json.dumps(str(CHECKOUT / store))}}}")
    whole_runs(laboratory, "full")


def main() -> None:
    """Print one JSON object for each measurement."""
    with tempfile.TemporaryDirectory(prefix="descent-") as scratch:
        smoke(Path(scratch))
        full(Path(scratch))


if __name__ == "__main__":
    main()
