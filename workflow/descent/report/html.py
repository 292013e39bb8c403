"""The report as one self-contained HTML file."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

from descent.report.drawings import Drawings
from descent.report.fonts import font_faces
from descent.report.markup import legible_formulas, outlined, plain_tables
from descent.report.pandoc import convert, desk
from descent.report.templates import ReportError, read_text
from descent.report.view_data import with_data

_IMAGE = re.compile(r'<img\s[^>]*?src="([^"]*)"[^>]*>')


def html(settings: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Path]) -> None:
    """Write the page: formulas in MathML, figures as SVG within it, styles, scripts and fonts embedded.

    `inputs`: source, figures (SVG), filters, template, styles, early (the script of the head, before anything is
    painted), scripts (at the end), views, fonts and references. Raises ReportError as `convert`, and naming a figure
    that is not there or a script that would end its own element.
    """
    options = ["--mathml", "--toc", "--toc-depth=3", "--section-divs", "--default-image-extension=svg"]
    with desk([]) as directory:
        page = convert(directory, inputs["source"], "html5", inputs, options)
    page = plain_tables(outlined(legible_formulas(page)))
    faces = font_faces(page, inputs["fonts"])
    page = with_data(page, inputs["views"])
    page, shared = _with_figures(page, inputs["figures"])
    styles = "".join([faces, "\n", *map(read_text, inputs["styles"]), shared])
    page = page.replace("</head>", f"<style>\n{styles}</style>\n{_script(inputs['early'])}</head>", 1)
    before, end, after = page.rpartition("</body>")
    scripts = "".join(map(_script, inputs["scripts"]))
    outputs["html"].write_text(f"{before}{scripts}{end}{after}", encoding="utf-8")


def _with_figures(page: str, paths: list[Path]) -> tuple[str, str]:
    figures = {"/".join(("..", *path.parts[-3:])): path for path in paths}
    drawings = Drawings()

    def drawing(match: re.Match) -> str:
        if match[1] not in figures:
            raise ReportError(f"report: there is no figure {match[1]}")
        label = re.search(r'\salt="([^"]*)"', match[0])
        drawn = drawings.inline(figures[match[1]], unescape(label[1]) if label else "")
        return f'<div class="figure-frame">{drawn}</div>'

    page = _IMAGE.sub(drawing, page)
    return page.replace("<main ", f"{drawings.sheet()}\n<main ", 1), drawings.styles() + "\n"


def _script(path: Path) -> str:
    text = read_text(path)
    if "</script" in text.lower() or "<!--" in text:
        raise ReportError(f"{path}: </script and <!-- would end or hide the script inside the page")
    return f"<script>\n{text}</script>\n"
