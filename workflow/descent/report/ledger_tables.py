"""The claims ledger as the report shows it: a row for each claim, and how many of each document got which verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from descent.claims import Claim
from descent.report.templates import ReportError

VERDICTS = {"holds": "good", "refuted": "bad", "vacuous": "weak", "hypothesis fails": "weak", "reported": "neutral"}


def ledger_row(claim: Claim, anchors: Mapping[str, str], studies: Collection[str]) -> dict[str, Any]:
    """The claim's fields with the anchor of its figure, the tone of its verdict and a note on it.

    Raises ReportError where the figure belongs to one of the `studies` and no section shows it.
    """
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
    return "", VERDICTS.get(claim.verdict, "weak")


def counts(claims: Iterable[Claim]) -> dict[str, Any]:
    """How many claims, errata (and those refuted), corrected statements (and those that hold), verdicts, controls."""
    rows = list(claims)
    corrected, errata = ([c for c in rows if c.form == form] for form in ("corrected", "erratum"))
    return {
        "claims": len(rows), "errata": len(errata), "errata_refuted": sum(c.verdict == "refuted" for c in errata),
        "corrected": len(corrected), "corrected_hold": sum(c.verdict == "holds" for c in corrected),
        "verdicts": Counter(c.verdict for c in rows if c.form != "erratum"),
        "controls": sum(bool(c.control_verdict) for c in rows),
        "rejected": sum(c.control_verdict == "rejected" for c in rows),
    }


def by_document(claims: Iterable[Claim]) -> dict[str, dict[str, Any]]:
    """The counts of each document, in the order of the ledger."""
    rows = list(claims)
    return {document: counts(claim for claim in rows if claim.document == document)
            for document in dict.fromkeys(claim.document for claim in rows)}
