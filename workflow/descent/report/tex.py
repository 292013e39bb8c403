"""The report as a LaTeX document that compiles where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from descent.report.pandoc import convert, desk


def tex(settings: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Path]) -> None:
    """Write the document; its figures are `../{study}/figures/*.pdf`. Raises ReportError as `convert`.

    `inputs`: source, filter, template and references.
    """
    with desk([]) as directory:
        document = convert(directory, inputs["source"], "latex", inputs, ["--default-image-extension=pdf"])
    outputs["tex"].write_text(document, encoding="utf-8")
