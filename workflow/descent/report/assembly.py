"""The report's one Markdown source, from sections, values, figures and the ledger."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from descent.claims import Claim, read_claims
from descent.report.templates import ReportError, render


def source(settings: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Path]) -> None:
    """Write the report as pandoc Markdown, every number and verdict filled in.

    `settings`: title, sections (names in order), studies (name: settings block), preview, provenance (rows with stage,
    entry, code, count, versions) and master_seed. `inputs`: template; sections and values (one file each, in the
    sections' order); absent_sections (of studies that are switched off); claims; figures; proofs. Raises ReportError
    naming the template, the line and the value when a template uses what is not there, and the claim when no section
    shows its figure.
    """
    claims = {claim.id: claim for claim in read_claims(inputs["claims"])}
    figures = _figures(inputs["figures"])
    sections = [
        _section(name, path, values, settings["studies"][name], claims, figures.get(name, {}))
        for name, path, values in zip(settings["sections"], inputs["sections"], inputs["values"], strict=True)
    ]
    absent = _absent_anchors(inputs["absent_sections"])
    for section in sections:
        section["text"] = _without(absent, section["text"])
    proofs = [_without(absent, render(path, {"claims": claims})) for path in inputs["proofs"]]
    anchors = figure_anchors("\n".join([*(section["text"] for section in sections), *proofs]))
    context = {
        **settings, "sections": sections, "proofs": proofs, "claims": claims, "documents": DOCUMENT_TITLES,
        "rows": [_ledger_row(claim, anchors, settings["sections"]) for claim in claims.values()],
        "counts": _counts(claims),
        "setting_rows": {name: _flat(settings["studies"][name]) for name in settings["sections"]},
        "versions": _versions(settings["provenance"]), "quote": json.dumps,
    }
    outputs["source"].write_text(render(inputs["template"], context), encoding="utf-8")


DOCUMENT_TITLES = {
    "tau": "Assignment 3: Optimization, of a course on the foundations of deep learning (2023)",
    "du": "theoretical and practical exercises on @du2019",
    "jhu": "Homework 2, Mathematics of Deep Learning, Johns Hopkins University (2019)",
    "eth": "Exercise 5, Optimization Landscape of Neural Networks",
    "snu": "Homework 1, Mathematical Foundations of Deep Neural Networks, Seoul National University (2024)",
    "saxe": "@saxe2014, and extensions of it",
    "arora": "@arora2019deep, and extensions of it",
    "edge": "@cohen2021, and extensions of it",
}


def _figures(paths: list[Path]) -> dict[str, dict[str, str]]:
    """Study -> figure -> path from results/report/, without a suffix: each output format brings its own."""
    figures: dict[str, dict[str, str]] = {}
    for path in paths:
        study = path.parent.parent.name
        figures.setdefault(study, {})[path.stem] = f"../{study}/figures/{path.stem}"
    return figures


def _section(name: str, path: Path, values: Path, block: Mapping[str, Any], claims: Mapping[str, Claim],
             figures: Mapping[str, str]) -> dict[str, Any]:
    numbers = json.loads(values.read_text())

    def figure(figure_name: str) -> str:
        if figure_name not in figures:
            raise ReportError(f"no figure {figure_name!r} (there are: {', '.join(sorted(figures)) or 'none'})")
        return figures[figure_name]

    text = render(path, {"v": numbers, "settings": block, "claims": claims, "figure": figure})
    return {"name": name, "text": text.strip(), "findings": numbers.get("findings", [])}


def figure_anchors(text: str) -> dict[str, str]:
    """`study/figure` -> the id that a section of the report's Markdown `text` gives to it."""
    found = re.findall(r"\]\(\.\./([^/()\s]+)/figures/([^/()\s]+)\)\{#(fig-[\w.-]+)", text)
    return {f"{study}/{name}": anchor for study, name, anchor in found}


_KINDS = {"sec": "the section", "fig": "a figure in the section", "tbl": "a table in the section",
          "eq": "an equation in the section"}


def _absent_anchors(paths: list[Path]) -> dict[str, str]:
    """What a reference to a section that is not in the report, or to something in it, is put into words with."""
    anchors = {}
    for path in paths:
        text = path.read_text("utf-8")
        title = text.partition("\n")[0].lstrip("# ").partition(" {#")[0]
        for anchor in re.findall(r"\{#((?:sec|fig|tbl|eq)-[\w-]+)", text):
            anchors[anchor] = f"{_KINDS[anchor.partition('-')[0]]} *{title}* (not in this report)"
    return anchors


def _without(absent: Mapping[str, str], text: str) -> str:
    return re.sub(r"@((?:sec|fig|tbl|eq)-[\w-]+)", lambda found: absent.get(found[1], found[0]), text)


def _ledger_row(claim: Claim, anchors: Mapping[str, str], studies: list[str]) -> dict[str, Any]:
    if claim.figure.partition("/")[0] in studies and claim.figure not in anchors:
        shown = ", ".join(anchors) or "none"
        raise ReportError(f"claim {claim.id}: no section shows its figure {claim.figure!r} (shown: {shown})")
    note, tone = verdict_badge(claim)
    return {**asdict(claim), "statement": " ".join(claim.statement.split()), "note": note, "tone": tone,
            "anchor": anchors.get(claim.figure, "")}


def verdict_badge(claim: Claim) -> tuple[str, str]:
    """A note on the verdict and its tone (good, bad, erratum, weak, neutral); an erratum is expected to be refuted."""
    if claim.form == "erratum":
        return ("as expected", "erratum") if claim.verdict == "refuted" else ("unexpected", "weak")
    tones = {"holds": "good", "refuted": "bad", "reported": "neutral"}
    return "", tones.get(claim.verdict, "weak")


def _counts(claims: Mapping[str, Claim]) -> dict[str, Any]:
    rows = list(claims.values())
    return {
        "claims": len(rows),
        "errata": sum(c.form == "erratum" for c in rows),
        "errata_refuted": sum(c.form == "erratum" and c.verdict == "refuted" for c in rows),
        "verdicts": Counter(c.verdict for c in rows if c.form != "erratum"),
        "controls": sum(bool(c.control_verdict) for c in rows),
        "rejected": sum(c.control_verdict == "rejected" for c in rows),
    }


def _flat(block: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in block.items():
        nested = isinstance(value, Mapping)
        rows += _flat(value, f"{prefix}{key}.") if nested else [(prefix + key, json.dumps(value, ensure_ascii=False))]
    return rows


def _versions(provenance: list[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return sorted({pair for row in provenance for pair in row.get("versions", {}).items()})
