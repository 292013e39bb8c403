"""The whole laboratory as stages: what the configuration asks for, by output path."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from descent.pipeline import discovery, settings
from descent.pipeline.checkpoint import SECONDS
from descent.pipeline.fingerprint import Fingerprints
from descent.pipeline.recipes import Identity, by_name
from descent.pipeline.sidecar import file_digest
from descent.pipeline.stage import Stage, canonical_json
from descent.pipeline.store import open_store
from descent.pipeline.study import StudyPlan

REPORT = ("results/report/report.html", "results/report/report.tex", "results/report/report.pdf")
VERDICT, LEDGER_PAGE = "results/report/verdict.txt", "results/claims.html"
_SHORT = 20  # estimated seconds; starting a job on a cluster takes about five


class Plan:
    """Stages of a configuration with their recipes; raises ConfigError when the configuration is wrong.

    `fingerprints` may be shared by plans made while no code changes.
    """

    def __init__(self, config: Mapping[str, Any], fingerprints: Fingerprints | None = None):
        self.laboratory = settings.validate(config)
        self._check_outside()
        self._fingerprints = fingerprints or Fingerprints()
        self._recipes: dict[str, str] = {}
        self._identities: dict[tuple, Identity] = {}
        # The report's order is the order of the blocks as written, which the model does not keep.
        self._studies = [name for name in config["studies"] if self._block(name) is not None]
        self.stages: list[Stage] = []
        self._by_path: dict[str, Stage] = {}
        self._add(self._data_stages())
        data = {stage.rule: stage.outputs["table"] for stage in self.stages}
        plans = [self._study(name, data) for name in self._studies]
        for plan in plans:
            self._add(plan.stages)
        try:
            self._add(self._report_stages(plans))
        except ValueError as error:
            raise settings.ConfigError(f"config: {error}") from None
        # Every fault in the configuration, the code or the source files shows here, before any work.
        for path in self._by_path:
            self.recipe(path)

    def _check_outside(self) -> None:
        store, engine = self.laboratory.store.path, self.laboratory.report.engine
        try:
            open_store(store)
        except ValueError as error:
            raise settings.ConfigError(f"config: store.path = {store!r}: {error}") from None
        if engine == "latex" and not all(map(shutil.which, ("latexmk", "pdflatex", "pdftex"))):
            raise settings.ConfigError(
                'config: report.engine = "latex": needs latexmk and pdflatex, which are not installed (or: typst)'
            )

    def _add(self, stages: Iterable[Stage]) -> None:
        for stage in stages:
            for path in stage.outputs.values():
                # Names of runs do not tell `A` from `a`, nor all settings from one another.
                if self._by_path.setdefault(path, stage) != stage:
                    raise settings.ConfigError(f"config: two different settings would both make {path}")
            self.stages.append(stage)

    def _block(self, study: str):
        return getattr(self.laboratory.studies, study)

    def _data_stages(self) -> Iterable[Stage]:
        for name in type(self.laboratory.data).model_fields:
            block = getattr(self.laboratory.data, name)
            if block is not None:
                try:
                    yield discovery.load("data", name).stage(block, self.laboratory.master_seed)
                except ValueError as error:
                    raise settings.ConfigError(f"config: data.{name}: {error}") from None

    def _study(self, name: str, data: Mapping[str, str]) -> StudyPlan:
        laboratory = self.laboratory
        blocks = laboratory.data.model_dump(mode="json", exclude_none=True)
        plan = StudyPlan(name, laboratory.master_seed, laboratory.preview, data, blocks)
        try:
            discovery.load("studies", name).plan(plan, self._block(name))
        except (ValueError, ArithmeticError) as error:
            raise settings.ConfigError(f"config: studies.{name}: {error}") from None
        return plan

    def _report_stages(self, plans: list[StudyPlan]) -> list[Stage]:
        from descent.report.stages import figure_source, stages
        from descent.report.tools import pdf_engine

        by_rule = {
            rule: {plan.name: [dict(stage.outputs) for stage in plan.stages if stage.rule == rule] for plan in plans}
            for rule in ("claims", "values", "figure", "view")
        }
        for rule in ("claims", "values"):
            for name, outputs in by_rule[rule].items():
                if not outputs:
                    raise settings.ConfigError(f"config: studies.{name}: its module plans no {rule}")
        return stages(
            title=self.laboratory.report.title,
            studies={name: getattr(discovery.load("studies", name), "PART", None) for name in self._studies},
            study_settings={name: self._block(name).model_dump(mode="json") for name in self._studies},
            engine=pdf_engine(self.laboratory.report.engine),
            preview=self.laboratory.preview,
            claims={name: outputs[0]["claims"] for name, outputs in by_rule["claims"].items()},
            values={name: outputs[0]["values"] for name, outputs in by_rule["values"].items()},
            figures=by_rule["figure"],
            views=by_rule["view"],
            provenance=self._provenance(),
            master_seed=self.laboratory.master_seed,
            figure_sources=[figure_source(plan.name, stage, self.identity(stage).code)
                            for plan in plans for stage in plan.stages if stage.rule == "figure"],
        )

    def _provenance(self) -> list[dict[str, Any]]:
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for stage in self.stages:
            identity = self.identity(stage)
            row = {"stage": stage.rule, "entry": stage.entry, "code": identity.code, "versions": identity.versions}
            rows.setdefault((stage.rule, stage.entry), {**row, "count": 0})["count"] += 1
        return list(rows.values())

    def stage(self, path: str) -> Stage:
        """The stage that makes `path`; raises KeyError with a line that says what there is instead."""
        if path not in self._by_path:
            raise KeyError(f"{path}: nothing in the configuration makes this file{self._near(path)}")
        return self._by_path[path]

    def _near(self, path: str) -> str:
        import difflib

        near = difflib.get_close_matches(path, self._by_path, n=3, cutoff=0.6)
        return f" (near: {', '.join(near)})" if near else f" (studies: {', '.join(self._studies)})"

    def producer(self, path: str) -> Stage | None:
        """The stage that makes `path`; None for a source file."""
        return self._by_path.get(path)

    def identity(self, stage: Stage) -> Identity:
        """Code, versions and settings of a stage."""
        label = (
            stage.entry, stage.tools, canonical_json(stage.settings), tuple(stage.outputs), bool(stage.replicates)
        )
        if label not in self._identities:
            self._identities[label] = Identity(stage, self._fingerprints, self.laboratory.store.exact)
        return self._identities[label]

    def recipe(self, path: str) -> str:
        """Expected recipe of an output, or the digest of a source file; ConfigError when that is missing."""
        if path not in self._recipes:
            stage = self.producer(path)
            self._recipes[path] = self._source_digest(path) if stage is None else self._recipe(stage)
        return self._recipes[path]

    def _recipe(self, stage: Stage) -> str:
        return self.identity(stage).digest(by_name(stage, self.recipe), stage.replicates)

    def _source_digest(self, path: str) -> str:
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would never end
                raise settings.ConfigError(f"{path}: must be a regular file")
            return file_digest(Path(path))
        except OSError as error:
            raise settings.ConfigError(f"{path}: cannot read this source file ({error.strerror})") from None

    def upstream(self, targets: Iterable[str]) -> list[Stage]:
        """The stages that make `targets` (paths, or names of operations), producers before their readers."""
        ordered: dict[int, Stage] = {}
        for target in targets:
            roots = [self._by_path[target]] if target in self._by_path else self._named(target)
            for stage in roots:
                self._visit(stage, ordered)
        return list(ordered.values())

    def _named(self, target: str) -> list[Stage]:
        named = [stage for stage in self.stages if stage.rule == target]
        return named or [self._by_path[path] for path in (*REPORT, VERDICT, LEDGER_PAGE)]

    def _visit(self, stage: Stage, ordered: dict[int, Stage]) -> None:
        if id(stage) in ordered:
            return
        for path in stage.input_paths:
            producer = self.producer(path)
            if producer is not None:
                self._visit(producer, ordered)
        ordered[id(stage)] = stage

    @cached_property
    def remaining_seconds(self) -> dict[str, float]:
        """For each output, the longest chain of estimated seconds from its stage's start to the report's end."""
        readers: dict[int, float] = {}
        chain: dict[str, float] = {}
        for stage in reversed(self.upstream(["report"])):
            total = stage.seconds + readers.get(id(stage), 0.0)
            chain.update(dict.fromkeys(stage.outputs.values(), total))
            for path in stage.input_paths:
                producer = self.producer(path)
                if producer is not None:
                    readers[id(producer)] = max(readers.get(id(producer), 0.0), total)
        return chain

    @cached_property
    def _depths(self) -> dict[int, int]:
        depths: dict[int, int] = {}
        for stage in self.upstream(self._by_path):
            above = [depths[id(self.producer(path))] for path in stage.input_paths if self.producer(path)]
            depths[id(stage)] = 1 + max(above, default=0)
        return depths

    def batch(self, path: str) -> str | None:
        """Name of the batch in which a cluster runs the short stage that makes `path`; None for a long stage.

        A batch has the short stages of a study at one depth of the graph, so that none waits for another.
        """
        stage = self.stage(path)
        return f"{path.split('/')[1]}_{self._depths[id(stage)]}" if stage.seconds <= _SHORT else None

    def command(self, stage: Stage, log: str = "") -> str:
        """Arguments of `python -m descent` that run this stage, quoted for a shell."""
        words = [stage.rule, "--entry", stage.entry, "--settings", canonical_json(stage.settings)]
        if stage.replicates:
            words += ["--replicates", canonical_json(list(stage.replicates))]
        if stage.tools:
            words += ["--tools", *stage.tools]
        single = [f"{name}={paths}" for name, paths in stage.inputs.items() if isinstance(paths, str)]
        lists = {name: paths for name, paths in stage.inputs.items() if not isinstance(paths, str)}
        several = [f"{name}={path}" for name, paths in lists.items() for path in paths or [""]]
        words += ["--input", *single] if single else []
        words += ["--inputs", *several] if several else []
        words += ["--output", *(f"{name}={path}" for name, path in stage.outputs.items())]
        words += ["--recipe", self.recipe(next(iter(stage.outputs.values())))]
        store = self.laboratory.store
        words += ["--store", store.path] if store.path else []
        words += ["--exact"] if store.exact else []
        seconds = self.laboratory.checkpoint_seconds
        words += ["--checkpoint-seconds", str(seconds)] if seconds != SECONDS else []
        words += ["--log", log] if log else []
        return shlex.join(words)
