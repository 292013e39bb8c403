"""The ledger of claims as a page of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from descent.report.captions import Captions


def ledger_page(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Write the ledger's rows, with the formulas as the report sets them, as one HTML page.

    `settings`: title, preview; `inputs`: claims, page (the report in HTML) and template (Jinja2).
    """
    import jinja2

    captions = Captions(page=inputs["page"], ledger=inputs["claims"])
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
                                     lstrip_blocks=True)
    template = environment.from_string(inputs["template"].read_text(encoding="utf-8"))
    page = template.render(**settings, claims=captions.claims, rows=captions.rows(captions.claims))
    outputs["page"].write_text(page, encoding="utf-8")
