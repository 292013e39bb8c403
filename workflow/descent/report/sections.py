"""The sections of the report: their text, what they found, and what they have to say on the first page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from descent.claims import Claim
from descent.report.templates import ReportError, evaluate, read_text

# What a section sets for the first page; without it, its first finding stands there, after all that are set.
HEADLINE, IMPORTANCE, RESTS_ON = "headline", "importance", "rests_on"
_LAST = 1000


def read_section(name: str, path: Path, values: Path, block: Mapping[str, Any], claims: Mapping[str, Claim],
                 figures: Mapping[str, str], views: Mapping[str, str]) -> dict[str, Any]:
    """A section's name, text with its findings, headline, its importance (1: first), and the claims it rests on.

    `path`: a template, with the study's `values`, settings `block`, `claims`, `figures` and `views` (name -> path).
    Raises ReportError naming the template, the line and what is not there.
    """
    numbers = json.loads(read_text(values))
    text, said = evaluate(path, {"v": numbers, "settings": block, "claims": claims, "view": _chosen("view", views),
                                 "figure": _chosen("figure", figures)})
    findings = numbers.get("findings", [])
    for claim in said.get(RESTS_ON, ()):
        if claim not in claims:
            raise ReportError(f"{path}: its headline rests on {claim!r}, which is no claim of the ledger")
    return {
        "name": name, "text": with_findings(text.strip(), findings), "findings": findings,
        HEADLINE: " ".join(str(said.get(HEADLINE) or "".join(findings[:1])).split()),
        IMPORTANCE: said.get(IMPORTANCE, _LAST), RESTS_ON: list(said.get(RESTS_ON, ())),
    }


def _chosen(kind: str, paths: Mapping[str, str]) -> Callable[[str], str]:
    def path(name: str) -> str:
        if name not in paths:
            raise ReportError(f"no {kind} {name!r} (there are: {', '.join(sorted(paths)) or 'none'})")
        return paths[name]

    return path


def with_findings(text: str, findings: Iterable[str]) -> str:
    """The section `text` with its findings before its first subsection, after the question that it opens with."""
    items = "".join(f"- {finding}\n" for finding in findings)
    if not items:
        return text
    opening, heading, rest = text.partition("\n## ")
    return f"{opening.rstrip()}\n\n::: {{.findings}}\n**Found.**\n\n{items}:::\n{heading}{rest}"


def first_page(sections: Iterable[Mapping[str, Any]], most: int) -> list[str]:
    """The `most` important headlines, each with its claims and its section; equals keep the order of the report."""
    said = sorted((section for section in sections if section[HEADLINE]), key=lambda section: section[IMPORTANCE])
    links = [", ".join([*map(claim_link, section[RESTS_ON]), f"@sec-{section['name']}"]) for section in said]
    return [f"{section[HEADLINE]} ({link})" for section, link in zip(said[:most], links)]


def claim_link(id: str) -> str:
    """A link to the row of the ledger that has this id."""
    return f"[{id}](#claim-{id})"


def figure_anchors(text: str) -> dict[str, str]:
    """`study/figure` -> the id that a section gives to it."""
    found = re.findall(r"\]\(\.\./([^/()\s]+)/figures/([^/()\s]+)\)\{#(fig-[\w.-]+)", text)
    return {f"{study}/{name}": anchor for study, name, anchor in found}


_KINDS = {"sec": "the section", "fig": "a figure in the section", "tbl": "a table in the section",
          "eq": "an equation in the section"}


def absent_anchors(paths: list[Path]) -> dict[str, str]:
    """What a reference to a section that is not in the report, or to something in it, is put into words with."""
    anchors = {}
    for path in paths:
        text = read_text(path)
        title = text.partition("\n")[0].lstrip("# ").partition(" {#")[0]
        for anchor in re.findall(r"\{#((?:sec|fig|tbl|eq)-[\w-]+)", text):
            anchors[anchor] = f"{_KINDS[anchor.partition('-')[0]]} *{title}* (not in this report)"
    return anchors


def without(absent: Mapping[str, str], text: str) -> str:
    """`text` with every reference to what is `absent` put into words."""
    return re.sub(r"@((?:sec|fig|tbl|eq)-[\w-]+)", lambda found: absent.get(found[1], found[0]), text)
