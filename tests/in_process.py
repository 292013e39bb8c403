"""A study's stages in this process, without Snakemake, runner or store: for claims at many seeds."""

from __future__ import annotations

from pathlib import Path

from descent.pipeline import discovery, settings
from descent.pipeline.stage import Stage
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import join_tables

CHECKOUT = Path(__file__).parents[1]


def smoke_settings():
    """The laboratory's settings at smoke size."""
    return settings.validate(settings.read([str(CHECKOUT / "config.yaml"), str(CHECKOUT / "tests" / "config.yaml")]))


def planned(name: str) -> StudyPlan:
    """A study of the smoke laboratory with the paths of its stages; nothing runs."""
    laboratory = smoke_settings()
    data = {}
    for source in discovery.module_names("data"):
        stage = discovery.load("data", source).stage(getattr(laboratory.data, source), laboratory.master_seed)
        data[stage.rule] = stage.outputs["table"]
    blocks = laboratory.data.model_dump(mode="json", exclude_none=True)
    plan = StudyPlan(name, laboratory.master_seed, laboratory.preview, data, blocks)
    discovery.load("studies", name).plan(plan, getattr(laboratory.studies, name))
    return plan


def run_study(name: str, block, data: dict, master_seed: int, folder: Path, skip: frozenset[str] = frozenset()) -> Path:
    """Run every stage of a study and its data sets (settings blocks by name) in `folder`, rules in `skip` left out.

    Returns the study's folder of results.
    """
    stages = [discovery.load("data", source).stage(source_block, master_seed) for source, source_block in data.items()]
    plan = StudyPlan(name, master_seed, False, {stage.rule: stage.outputs["table"] for stage in stages})
    discovery.load("studies", name).plan(plan, block)
    for stage in [*stages, *plan.stages]:
        if stage.rule not in skip:
            run_stage(stage, folder)
    return folder / "results" / name


def run_stage(stage: Stage, folder: Path) -> None:
    """Run one stage with its paths taken from `folder`."""
    inputs = {
        name: folder / paths if isinstance(paths, str) else [folder / path for path in paths]
        for name, paths in stage.inputs.items()
    }
    outputs = {name: folder / path for name, path in stage.outputs.items()}
    for path in outputs.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    function = discovery.load_entry(stage.entry)
    if not stage.replicates:
        function(dict(stage.settings), inputs, outputs)
        return
    parts = [{name: path.with_suffix(f".{i}") for name, path in outputs.items()} for i in stage.replicates]
    for replicate, part in zip(stage.replicates, parts):
        function(dict(stage.settings), inputs, part, replicate)
    for name, path in outputs.items():
        join_tables([part[name] for part in parts], path)
