"""Parts of the finished report for pages beside it: captions of figures, and rows of the ledger with their formulas."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from functools import cached_property
from html import escape
from pathlib import Path

from descent.claims import Claim, read_claims
from descent.report.sections import figure_anchors
from descent.report.stages import LEDGER, REPORT, SOURCE
from descent.report.templates import read_text

# Links lead to places of the report's page, an id may be there only once, and styles belong to its widths.
_FOREIGN = re.compile(r'</?(?:a|code)\b[^>]*>| (?:id|style)="[^"]*"')


class Captions:
    """HTML without links, in short lines, from the report as a page and in Markdown; read when first asked for."""

    def __init__(self, page: Path = Path(REPORT["html"]), source: Path = Path(SOURCE), ledger: Path = Path(LEDGER)):
        self._files = {"page": page, "source": source, "ledger": ledger}

    @cached_property
    def claims(self) -> list[Claim]:
        """The ledger's rows."""
        return read_claims(self._files["ledger"])

    @cached_property
    def verdicts(self) -> dict[str, int]:
        """How many claims have each verdict, the most frequent first; errata, which are to be refuted, left out."""
        return dict(Counter(claim.verdict for claim in self.claims if claim.form != "erratum").most_common())

    @cached_property
    def _anchors(self) -> dict[str, str]:
        return figure_anchors(read_text(self._files["source"]))

    @cached_property
    def _page(self) -> str:
        return read_text(self._files["page"])

    def figure(self, study: str, name: str) -> str:
        """A figure's caption with its number; empty when the report does not show the figure."""
        anchor = self._anchors.get(f"{study}/{name}")
        return _short_lines(self._element("figcaption", self._page.find(f'id="{anchor}"'))) if anchor else ""

    def shown_in(self, study: str, name: str) -> list[Claim]:
        """The claims that a figure shows."""
        return [claim for claim in self.claims if claim.figure == f"{study}/{name}"]

    def rows(self, claims: list[Claim]) -> str:
        """The rows of these claims as in the report: claim, statement, verdict, what was measured."""
        return _short_lines(" ".join(map(self._row, claims)))

    def _row(self, claim: Claim) -> str:
        place = self._page.find(f'id="claim-{claim.id}"')
        cells = self._element("tr", self._page.rfind("<tr", 0, max(place, 0)))
        return f"<tr>{cells or f'<td>{escape(claim.id)}</td>'}</tr>"

    def _element(self, name: str, start: int) -> str:
        if start < 0:
            return ""
        found = re.compile(rf"<{name}\b[^>]*>(.*?)</{name}>", re.DOTALL).search(self._page, start)
        return _FOREIGN.sub("", found[1]) if found else ""


def _short_lines(html: str) -> str:
    # Docutils refuses lines of more than 10,000 characters.
    return textwrap.fill(html, 2000, break_long_words=False, break_on_hyphens=False)
