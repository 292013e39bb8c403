"""The data of interactive views, put into the page."""

from __future__ import annotations

import re
from pathlib import Path

from descent.report.templates import ReportError, read_text

# What pandoc makes of `::: {.view data="../STUDY/views/NAME.json" kind="…"}`.
_VIEW = re.compile(r'<div[^>]*\sclass="view"[^>]*\sdata-data="([^"]*)"[^>]*>')


def with_data(page: str, views: list[Path]) -> str:
    """The page with the data of every view inside its element; raises ReportError where there are none."""
    texts = {f"../{path.parent.parent.name}/views/{path.name}": path for path in views}

    def filled(match: re.Match) -> str:
        if match[1] not in texts:
            raise ReportError(f"report: there is no data {match[1]} for a view")
        text = read_text(texts[match[1]]).replace("</", "<\\/")
        return f'{match[0]}\n<script type="application/json">{text}</script>'

    return _VIEW.sub(filled, page)
