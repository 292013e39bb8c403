"""The ledger of claims as a page of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from descent.report.captions import Captions
from descent.report.templates import render_page


def ledger_page(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Write the ledger's rows, with the formulas as the report sets them, as one HTML page.

    `settings`: title, preview; `inputs`: claims, page (the report in HTML) and template (Jinja2).
    """
    captions = Captions(page=inputs["page"], ledger=inputs["claims"])
    context = {**settings, "claims": captions.claims, "rows": captions.rows(captions.claims)}
    outputs["page"].write_text(render_page(inputs["template"], context), encoding="utf-8")
