"""The data of interactive views, put into the page."""

from __future__ import annotations

import re
from pathlib import Path

from descent.report.templates import ReportError, read_text

# What pandoc makes of `::: {.view data="../STUDY/views/NAME.json" kind="…"}`.
_VIEW = re.compile(r'<div( [^>]*)?\sclass="view"([^>]*)>')
_ATTRIBUTE = re.compile(r'(?:data-)?([a-z]+)="([^"]*)"')


def with_data(page: str, views: list[Path]) -> str:
    """The page with the data of every view inside its element; raises ReportError where there are none."""
    paths = {f"../{path.parent.parent.name}/views/{path.name}": path for path in views}

    def filled(match: re.Match) -> str:
        attributes = dict(_ATTRIBUTE.findall(match[2]))
        name, kind = attributes.get("data", ""), attributes.get("kind", "")
        if name not in paths or not kind:
            raise ReportError(f"report: a view needs data that there is and a kind, not {name!r} and {kind!r}")
        text = read_text(paths[name]).replace("</", "<\\/")
        return (f'<div{match[1] or ""} class="view" data-kind="{kind}">\n'
                f'<script type="application/json">{text}</script>')

    return _VIEW.sub(filled, page)
