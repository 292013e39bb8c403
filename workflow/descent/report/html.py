"""The report as one self-contained HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from descent.report.fonts import font_faces
from descent.report.pandoc import convert, desk

STYLE_HERE = "/* style */"


def html(settings: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Path]) -> None:
    """Write the page: formulas in MathML, figures as SVG within it, styles and fonts embedded.

    `inputs`: source, figures (SVG), filter, template, style, fonts and references. Raises ReportError as `convert`.
    """
    options = ["--mathml", "--toc", "--toc-depth=2", "--embed-resources", "--section-divs",
               "--default-image-extension=svg"]
    with desk(inputs["figures"]) as directory:
        page = convert(directory, inputs["source"], "html5", inputs, options)
    style = f"{font_faces(page, inputs['fonts'])}\n{inputs['style'].read_text(encoding='utf-8')}"
    outputs["html"].write_text(page.replace(STYLE_HERE, style, 1), encoding="utf-8")
