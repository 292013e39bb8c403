# The plan of all stages, from the validated configuration, and what the rules take from it.
# In:  config.yaml and overlays.  Out: RUN, stage_inputs(), stage_command(), priority_of(), memory_of().

import functools
import os
import sys
from pathlib import Path

CHECKOUT = Path(workflow.basedir)
sys.path.insert(0, str(CHECKOUT / "workflow"))

from descent.pipeline.configuration import check_files, load
from descent.pipeline.fingerprint import FingerprintError
from descent.pipeline.plan import Plan
from descent.pipeline.session import Session, check_results_folder
from descent.pipeline.settings import ConfigError, in_order_of
from snakemake.dag import DAG
from snakemake.io import _IOFile

# Stages run this checkout's code with this interpreter, whatever is installed elsewhere.
os.environ["PYTHONPATH"] = str(CHECKOUT / "workflow")
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


async def _any_time(*_):
    """No stage is made to fail by a clock that went back, or differs between machines: times decide nothing here."""


async def _never(*_):
    """No stage is run because an input was touched, whose contents Snakemake compares up to a megabyte only."""
    return False


DAG.check_output_mtime = _any_time
_IOFile.is_newer = _never

try:
    check_results_folder()
    # Snakemake would read a file of any kind or size, and run Python that it contains.
    check_files(["config.yaml", *workflow.overwrite_configfiles])
except (ConfigError, OSError) as error:
    print(error, file=sys.stderr)
    sys.exit(1)


configfile: "config.yaml"


try:
    # Snakemake puts the keys of files on top of config.yaml first, and the report follows the order of the studies.
    PLAN = Plan(in_order_of(load("config.yaml"), config))
except (ConfigError, FingerprintError, OSError) as error:
    print(error, file=sys.stderr)
    sys.exit(1)


@functools.cache
def session():
    # First called when Snakemake has created its graph and begins to fill it with jobs, so that
    # the targets are known. Snakemake sees neither code nor contents: what is stale is forced to run.
    targets = workflow.dag_settings.targets or {"report"}
    for target in targets:
        if target.startswith("results/"):
            _producer(target)
    found = Session(PLAN, targets)
    if found.stale and _only_reports():
        more = f" (and {len(found.stale) - 1} more)" if len(found.stale) > 1 else ""
        print(f"descent: {min(found.stale)}: missing or stale{more}; run the workflow before you ask for its report "
              "(snakemake -n says why)", file=sys.stderr)
        sys.exit(1)
    refusal = _not_in_files(targets) or _unquoted()
    if workflow.local_exec and not workflow.dryrun:
        refusal = refusal or found.refusal()
    if refusal:
        print(refusal, file=sys.stderr)
        sys.exit(1)
    if not workflow.dryrun:
        _ask_store(found)
    workflow.dag.forcefiles.update(found.stale)
    for line in found.announcement(workflow.resource_settings.cores or 1, workflow.dryrun):
        print(line, file=sys.stderr)
    return found


def _only_reports():
    # With --report alone Snakemake starts nothing, and would show whatever lies there.
    asked = any(word.partition("=")[0] == "--report" for word in sys.argv)
    return asked and workflow.executor_plugin is None


def _not_in_files(targets):
    # The commands of these two rules read the configuration themselves.
    asked = sorted({"verify", "submission"}.intersection(targets))
    if asked and workflow.config_settings.config:
        return f"descent: {asked[0]}: takes settings from files: put those after --config into one, after --configfile"


def _unquoted():
    # Snakemake writes this path into its jobs' scripts as it is.
    if not workflow.local_exec and " " in sys.executable:
        return (f"{sys.executable}: a cluster's jobs cannot start a Python in a folder with a space; make its "
                "environment elsewhere (envs/create python3 FOLDER envs/cluster.txt)")


def _ask_store(found):
    try:
        if found.may_add_to_store():
            return
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    # Said once here instead of by every stage, also by those on other machines.
    os.environ["DESCENT_READ_ONLY_STORE"] = "1"
    print(f"descent: warning: the store {PLAN.laboratory.store.path} can only be read: what it has is taken, "
          "what is computed is not added", file=sys.stderr)


RUN = "python -m descent {params.command}"
_SNAKEMAKE_MB = 500  # of the processes of Snakemake's that a cluster starts beside the stage


wildcard_constraints:
    study=r"[a-z0-9_]+",
    run=r"[^/]+",
    figure=r"[a-z0-9_]+",
    table=r"[a-z0-9_]+",
    view=r"[a-z0-9_]+",


def _stage(pattern, wildcards):
    return _producer(pattern.format(**wildcards))


def _producer(path):
    try:
        return PLAN.stage(path)
    except KeyError as error:
        # An exception would come out as a stack of Snakemake's own calls.
        print(f"descent: {error.args[0]}", file=sys.stderr)
        sys.exit(1)


def _without_rate_limit():
    # With a limit of jobs per second, which nothing here needs, Snakemake's scheduler starts one more clock whenever a
    # job ends, and each goes on for ever: after a hundred jobs it looks at all inputs a hundred times a second.
    if workflow.scheduling_settings is not None:
        workflow.scheduling_settings.max_jobs_per_timespan = None


def stage_inputs(pattern):
    def inputs(wildcards):
        _without_rate_limit()
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


# A retry (the profile of a cluster asks for them) gets twice the memory and time of the attempt before.
def memory_of(pattern):
    return lambda wildcards, attempt: (_SNAKEMAKE_MB + _stage(pattern, wildcards).memory_mb) * 2 ** (attempt - 1)


def minutes_of(pattern):
    return lambda wildcards, attempt: (2 + round(_stage(pattern, wildcards).seconds / 20)) * 2 ** (attempt - 1)


def gpus_of(pattern):
    return lambda wildcards: int(_stage(pattern, wildcards).settings.get("device") == "cuda")


def batch_of(pattern):
    def batch(wildcards):
        name = PLAN.batch(pattern.format(**wildcards))
        workflow.parent_groupids[name] = "short"  # the profile says how many of these make one job
        return name

    return batch


onsuccess:
    if workflow.is_main_process:
        session().finish()


# A refuted theorem fails the run, but the report is there.
onerror:
    if workflow.is_main_process:
        session().finish()

