# The plan of all stages, from the validated configuration, and what the rules take from it.
# In:  config.yaml and overlays.  Out: RUN, stage_inputs(), stage_command(), priority_of(), memory_of().

import functools
import os
import sys
from pathlib import Path

CHECKOUT = Path(workflow.basedir)
sys.path.insert(0, str(CHECKOUT / "workflow"))

from descent.pipeline.fingerprint import FingerprintError
from descent.pipeline.plan import Plan
from descent.pipeline.session import Session, check_results_folder
from descent.pipeline.settings import ConfigError
from snakemake.dag import DAG

# Stages run this checkout's code with this interpreter, whatever is installed elsewhere.
os.environ["PYTHONPATH"] = str(CHECKOUT / "workflow")
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


async def _any_time(*_):
    """No stage is made to fail by a clock that went back, or differs between machines: times decide nothing here."""


DAG.check_output_mtime = _any_time

try:
    check_results_folder()
    PLAN = Plan(config)
except (ConfigError, FingerprintError, OSError) as error:
    print(error, file=sys.stderr)
    sys.exit(1)


@functools.cache
def session():
    # First called when Snakemake has created its graph and begins to fill it with jobs, so that
    # the targets are known. Snakemake sees neither code nor contents: what is stale is forced to run.
    found = Session(PLAN, workflow.dag_settings.targets or {"report"})
    refusal = found.refusal() if workflow.local_exec and not workflow.dryrun else None
    if refusal:
        print(refusal, file=sys.stderr)
        sys.exit(1)
    workflow.dag.forcefiles.update(found.stale)
    for line in found.announcement(workflow.resource_settings.cores or 1, workflow.dryrun):
        print(line, file=sys.stderr)
    return found


RUN = "python -m descent {params.command}"


wildcard_constraints:
    study=r"[a-z0-9_]+",
    run=r"[^/]+",
    figure=r"[a-z0-9_]+",
    table=r"[a-z0-9_]+",


def _stage(pattern, wildcards):
    try:
        return PLAN.stage(pattern.format(**wildcards))
    except KeyError as error:
        # An exception would come out as a stack of Snakemake's own calls.
        print(f"descent: {error.args[0]}", file=sys.stderr)
        sys.exit(1)


def stage_inputs(pattern):
    def inputs(wildcards):
        if workflow.is_main_process:
            session()
        return _stage(pattern, wildcards).input_paths

    return inputs


def stage_command(pattern):
    return lambda wildcards, input, output, threads, resources: PLAN.command(
        _stage(pattern, wildcards), log=pattern.format(**wildcards) + ".log"
    )


def priority_of(pattern):
    return lambda wildcards: round(PLAN.remaining_seconds.get(pattern.format(**wildcards), 0))


def memory_of(pattern):
    return lambda wildcards: _stage(pattern, wildcards).memory_mb


def minutes_of(pattern):
    return lambda wildcards: 2 + round(_stage(pattern, wildcards).seconds / 20)


onsuccess:
    if workflow.is_main_process:
        session().finish()


# A refuted theorem fails the run, but the report is there.
onerror:
    if workflow.is_main_process:
        session().finish()

