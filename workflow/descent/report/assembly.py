"""The report's one Markdown source, from sections, values, figures and the ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from descent.claims import Claim, read_claims
from descent.report.errata import errata_rows
from descent.report.figure_sources import code_anchor, command, input_lines, with_sources
from descent.report.ledger_tables import VERDICTS, by_document, counts, ledger_row
from descent.report.sections import absent_anchors, claim_link, figure_anchors, first_page, read_section, without
from descent.report.templates import render

HEADLINES = 12


def source(settings: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Path]) -> None:
    """Write the report as pandoc Markdown, every number and verdict filled in.

    `settings`: title, parts (see `parts.arranged`), sections (names in order), studies (name: settings block), preview,
    provenance (rows with stage, entry, code, count), versions, master_seed and figure_sources (see
    `stages.figure_source`). `inputs`: template; symbols; errata; sections and values (one file each, in the sections'
    order); absent_sections (of studies that are switched off); claims (the ledger) and study_claims (its parts);
    figures; views; proofs. Raises ReportError naming the template, the line and the value when a template uses what is
    not there, the claim when no section shows its figure, and the erratum that is not in its table.
    """
    claims = {claim.id: claim for claim in read_claims(inputs["claims"])}
    figures, views, absent = (_figures(inputs["figures"]), _views(inputs["views"]),
                              absent_anchors(inputs["absent_sections"]))
    sections = [
        read_section(name, path, values, settings["studies"][name], claims, figures.get(name, {}),
                     views.get(name, {}))
        for name, path, values in zip(settings["sections"], inputs["sections"], inputs["values"], strict=True)
    ]
    proofs = [_raised(render(path, {"claims": claims})) for path in inputs["proofs"]]
    anchors = figure_anchors("\n".join([*(section["text"] for section in sections), *proofs]))
    context = {
        **settings, **_first_tables(claims, anchors, inputs["study_claims"]), "claims": claims, "anchors": anchors,
        "texts": {section["name"]: with_sources(section["text"], settings["figure_sources"]) for section in sections},
        "proofs": proofs,
        "headlines": first_page(sections, HEADLINES), "documents": DOCUMENT_TITLES,
        "symbols": render(inputs["symbols"], {}),
        "errata": errata_rows(inputs["errata"], claims, complete=not inputs["absent_sections"]),
        "setting_rows": {name: _flat(settings["studies"][name]) for name in settings["sections"]},
        "provenance": _anchored(settings["provenance"]), "code_anchor": code_anchor, "command": command,
        "input_lines": input_lines, "quote": json.dumps, "link": claim_link,
    }
    outputs["source"].write_text(without(absent, render(inputs["template"], context)), encoding="utf-8")


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


def _first_tables(claims: Mapping[str, Claim], anchors: Mapping[str, str], of_studies: list[Path]) -> dict[str, Any]:
    studies = {claim.id: path.parent.name for path in of_studies for claim in read_claims(path)}
    rows = [{**ledger_row(claim, anchors, set(studies.values())), "study": studies[claim.id]}
            for claim in claims.values()]
    return {"rows": rows, "counts": counts(claims.values()), "summary": by_document(claims.values()),
            "verdicts": VERDICTS}


def _figures(paths: list[Path]) -> dict[str, dict[str, str]]:
    """Study -> figure -> path from results/report/, without a suffix: each output format brings its own."""
    figures: dict[str, dict[str, str]] = {}
    for path in paths:
        study = path.parent.parent.name
        figures.setdefault(study, {})[path.stem] = f"../{study}/figures/{path.stem}"
    return figures


def _views(paths: list[Path]) -> dict[str, dict[str, str]]:
    """Study -> view -> path from results/report/, which the page replaces by the data."""
    views: dict[str, dict[str, str]] = {}
    for path in paths:
        views.setdefault(path.parent.parent.name, {})[path.stem] = f"../{path.parent.parent.name}/views/{path.name}"
    return views


def _raised(proof: str) -> str:
    """Proofs are written one level down; in the report they are sections of a part of their own."""
    return re.sub(r"^#(#+ )", r"\1", proof, flags=re.MULTILINE)


def _anchored(provenance: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    # The same function may be run by two rules; an id stands once.
    first = {row["entry"]: row for row in reversed(provenance)}
    return [{**row, "anchor": code_anchor(row["entry"]) if first[row["entry"]] is row else ""} for row in provenance]


def _flat(block: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in block.items():
        nested = isinstance(value, Mapping)
        rows += _flat(value, f"{prefix}{key}.") if nested else [(prefix + key, json.dumps(value, ensure_ascii=False))]
    return rows
