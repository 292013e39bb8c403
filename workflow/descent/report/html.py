"""The report as one self-contained HTML file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from descent.report.fonts import font_faces
from descent.report.pandoc import convert, desk
from descent.report.templates import ReportError, read_text
from descent.report.view_data import with_data


def html(settings: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Path]) -> None:
    """Write the page: formulas in MathML, figures as SVG within it, styles and fonts embedded.

    `inputs`: source, figures (SVG), filter, template, styles, scripts, views, fonts and references. Raises ReportError
    as `convert`, and naming a script that would end its own element.
    """
    options = ["--mathml", "--toc", "--toc-depth=2", "--embed-resources", "--section-divs",
               "--default-image-extension=svg"]
    with desk(inputs["figures"]) as directory:
        page = _legible_formulas(convert(directory, inputs["source"], "html5", inputs, options))
    page = with_data(page, inputs["views"])
    styles = "".join([font_faces(page, inputs["fonts"]), "\n", *map(read_text, inputs["styles"])])
    page = page.replace("</head>", f"<style>\n{styles}</style>\n</head>", 1)
    before, end, after = page.rpartition("</body>")
    scripts = "".join(map(_script, inputs["scripts"]))
    outputs["html"].write_text(f"{before}{scripts}{end}{after}", encoding="utf-8")


def _script(path: Path) -> str:
    text = read_text(path)
    if "</script" in text.lower() or "<!--" in text:
        raise ReportError(f"{path}: </script and <!-- would end or hide the script inside the page")
    return f"<script>\n{text}</script>\n"


# What pandoc's MathML says of bars and accents, and what browsers need to hear.
_ACCENTS = {"\u0302": "\u02c6", "\u0303": "\u02dc", "\u203e": "\u00af"}
_ACCENTED = re.compile(r'(<mover><mi>[^<]</mi><mo accent="true")>([\u0302\u0303\u203e])</mo>')
_BARS = re.compile(r'<mo stretchy="true" form="(prefix|postfix)">([‖∥])</mo>')


def _legible_formulas(page: str) -> str:
    page = page.replace('<mo accent="true">\u00af</mo>', '<mo accent="true" stretchy="true">\u203e</mo>')
    return _BARS.sub(_bar, _ACCENTED.sub(lambda m: f'{m[1]} stretchy="false">{_ACCENTS[m[2]]}</mo>', page))


def _bar(match: re.Match) -> str:
    # The filter writes norms as \lVert, which need not grow; what was \left\| has the other double bar, and must.
    form, bar = match.groups()
    stretchy, bar = ("true", "‖") if bar == "∥" else ("false", bar)
    return f'<mo stretchy="{stretchy}" form="{form}">{bar}</mo>'
