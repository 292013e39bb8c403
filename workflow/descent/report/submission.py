"""The hand-in: the report, and all that is needed to make it again byte for byte, in one archive.

It is written anew whenever it is asked for, from outputs that were verified a moment before: an archive that was an
output of the workflow would have to be stale with every source file and record in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from descent.pipeline import device, snapshot
from descent.pipeline.configuration import load
from descent.pipeline.plan import Plan
from descent.pipeline.settings import StoreSettings
from descent.pipeline.sidecar import read_sidecar
from descent.pipeline.stage import Stage
from descent.pipeline.staleness import verify
from descent.report.archive import digest_list, write_archive
from descent.report.stages import LEDGER, LEDGER_CSV, REPORT
from descent.report.templates import render
from descent.report.tools import pdf_engine

FOLDER, LABORATORY = "submission", "laboratory"
TEMPLATE = Path("report/workflow/reproduce.md")
# What the laboratory is, apart from its tests and benchmarks.
SOURCES = ("CHANGELOG.md", "CITATION.cff", "LICENSE", "Makefile", "README.md", "Snakefile", "docs", "envs", "profiles",
           "pyproject.toml", "report", "workflow")
CONFIGURATIONS = ("config.yaml", "preview.yaml")


class SubmissionError(ValueError):
    """The report cannot be handed in; the message is one line that says why."""


def write_submission(plan: Plan, configfiles: Sequence[str], path: Path) -> int:
    """Write the archive of the finished report in the current folder; returns the number of its files.

    `configfiles`: those that `plan` has on top of config.yaml. Raises SubmissionError when an output is missing, stale
    or edited, and when a source file is not named from the folder.
    """
    stages = plan.upstream(["report"])
    _refuse_faults(verify(plan))
    files = {**_documents(stages), **_within(LABORATORY, _laboratory(plan, stages, configfiles))}
    files["REPRODUCE.md"] = _instructions(stages)
    files["MANIFEST.sha256"] = digest_list(files)
    write_archive(path, _within(FOLDER, files))
    return len(files)


def _refuse_faults(faults: Mapping[str, str]) -> None:
    if faults:
        first = min(faults)
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise SubmissionError(f"submission: {first}: {faults[first]}{more}; run the workflow first (snakemake report)")


def _within(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": content for name, content in files.items()}


def _contents(paths: Iterable[str]) -> dict[str, bytes]:
    return {path: Path(path).read_bytes() for path in paths}


def _documents(stages: Sequence[Stage]) -> dict[str, bytes]:
    # The figures lie to the TeX source as they do in results/, so that it compiles where it lies.
    figures = [stage.outputs["pdf"] for stage in stages if stage.rule == "figure"]
    tex = {f"tex/{path.removeprefix('results/')}": path for path in [REPORT["tex"], *figures]}
    shown = {Path(path).name: path for path in (REPORT["html"], REPORT["pdf"], LEDGER, LEDGER_CSV)}
    return {name: Path(path).read_bytes() for name, path in {**shown, **tex}.items()}


def _laboratory(plan: Plan, stages: Sequence[Stage], configfiles: Sequence[str]) -> dict[str, bytes]:
    outputs = [path for stage in stages for path in stage.outputs.values()]
    overlays = {f"overlays/{number}-{Path(path).name}": path for number, path in enumerate(configfiles, 1)}
    configurations = {**dict(zip(CONFIGURATIONS, CONFIGURATIONS)), **overlays}
    return {
        **_contents(_sources(plan)),
        **{name: _without_place_of_store(path) for name, path in configurations.items()},
        "settings.json": _text(json.dumps(resolved_settings(plan), indent=1, ensure_ascii=False)),
        "provenance.json": _text(_provenance(outputs)),
        "RESULTS.sha256": digest_list(_contents(outputs)),
    }


def _text(text: str) -> bytes:
    return f"{text}\n".encode()


def _sources(plan: Plan) -> list[str]:
    # Those of all stages: a data set that no study reads must be there, too, for the workflow to be planned.
    read = [path for stage in plan.stages for path in stage.input_paths if plan.producer(path) is None]
    for path in read:
        if os.path.isabs(path) or Path(os.path.normpath(path)).parts[0] == "..":
            raise SubmissionError(f"submission: {path}: must lie in this folder and be named from here")
    found = {os.path.normpath(path) for path in read}
    for name in SOURCES:
        found.update(str(path) for path in [Path(name), *Path(name).rglob("*")] if _is_source(path))
    return sorted(found)


def _is_source(path: Path) -> bool:
    made = any(part.startswith(".") or part == "__pycache__" or part.endswith(".egg-info") for part in path.parts)
    return path.is_file() and not made


def _without_place_of_store(path: str) -> bytes:
    # Where this machine keeps its store is no concern of another one's.
    data = load(path)
    store = data.get("store") or {}
    if store.get("path") in (None, StoreSettings().path):
        return Path(path).read_bytes()
    kept = {**data, "store": {name: value for name, value in store.items() if name != "path"}}
    return _text(json.dumps(kept, indent=1, ensure_ascii=False))


def resolved_settings(plan: Plan) -> dict[str, Any]:
    """Every setting in force, with what `auto` stood for on this machine, and the store where it is by default.

    As a file on top of config.yaml they give stages with the same recipes.
    """
    whole = plan.laboratory.model_dump(mode="json")
    whole["store"]["path"] = StoreSettings().path
    whole["report"]["engine"] = pdf_engine(whole["report"]["engine"])
    whole["studies"] = {name: _on_device(whole["studies"][name]) for name in _in_order(plan, whole["studies"])}
    return whole


def _in_order(plan: Plan, studies: Mapping[str, Any]) -> list[str]:
    # As in the configuration; those that are switched off come last.
    shown = [Path(stage.outputs["claims"]).parent.name for stage in plan.stages if stage.rule == "claims"]
    return [*shown, *(name for name in studies if name not in shown)]


def _on_device(block: dict[str, Any] | None) -> dict[str, Any] | None:
    if block is None or "device" not in block:
        return block
    return {**block, "device": device.resolve(block["device"])}


def _provenance(outputs: Sequence[str]) -> str:
    # What other configurations have left in results/ is none of this report's.
    found, shown = snapshot.take(Path("results")), {path.removeprefix("results/") for path in outputs}
    kept = {path: record for path, record in found.outputs.items() if path in shown}
    codes = {record.code for record in kept.values()}
    return found.model_copy(update={
        "outputs": kept, "faults": {}, "code": {digest: found.code[digest] for digest in sorted(codes)},
        "claims": {study: rows for study, rows in found.claims.items() if f"{study}/claims.parquet" in shown},
        "values": {study: rows for study, rows in found.values.items() if f"{study}/values.json" in shown},
    }).model_dump_json(indent=1)


def _instructions(stages: Sequence[Stage]) -> bytes:
    records = [read_sidecar(Path(path)) for stage in stages for path in stage.outputs.values()]
    versions = dict(pair for record in records for pair in record["versions"].items())
    engine = next(stage for stage in stages if stage.rule == "report_pdf").settings["engine"]
    context = {"engine": versions[engine] if engine == "latex" else f"Typst {versions[engine]}",
               "python": versions["python"], "outputs": len(records),
               "processors": sorted({record["cpu"] for record in records if record.get("cpu")})}
    return render(TEMPLATE, context).encode()
