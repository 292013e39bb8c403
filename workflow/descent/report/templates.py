"""Markdown templates: Jinja2 with `<< value >>`, `<% if %>` and `<# comment #>`, where nothing may be undefined."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from descent.report.formatting import integer, num, num_math, pct


class ReportError(ValueError):
    """The report cannot be made from what there is; the message is one line that says where and why."""


def read_text(path: Path) -> str:
    """The file's text; raises ReportError naming a file that is not in UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ReportError(f"{path}: not text in UTF-8 ({error.reason} at byte {error.start})") from error


def render(path: Path, context: Mapping[str, Any]) -> str:
    """The text of the template `path`; raises ReportError naming the template, its line and what is wrong with it."""
    return evaluate(path, context)[0]


def render_page(path: Path, context: Mapping[str, Any]) -> str:
    """The HTML page of the template `path`, with Jinja2's own brackets; raises ReportError naming the template."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=_undefined(), trim_blocks=True, lstrip_blocks=True)
    try:
        return environment.from_string(read_text(path)).render(context)
    except jinja2.TemplateError as error:
        raise ReportError(f"{path}: {error}") from error


def evaluate(path: Path, context: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The text of the template `path` and what it sets at its top level; raises ReportError as `render`."""
    import jinja2

    text = read_text(path)
    loader = jinja2.FunctionLoader(lambda name: (text, str(path), None))
    environment = jinja2.Environment(
        block_start_string="<%", block_end_string="%>", variable_start_string="<<", variable_end_string=">>",
        comment_start_string="<#", comment_end_string="#>", trim_blocks=True, lstrip_blocks=True,
        undefined=_undefined(), loader=loader,
    )
    environment.filters.update(num=num, num_math=num_math, pct=pct, integer=integer)
    try:
        module = _module(environment, environment.get_template(path.name), context)
        return str(module), dict(vars(module))
    except jinja2.TemplateSyntaxError as error:
        raise ReportError(f"{path}, line {error.lineno}: {error.message}") from error
    except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ReportError(f"{path}, line {_line(error, path)}: {error}") from error


def _module(environment, template, context: Mapping[str, Any]):
    try:
        return template.make_module(context)
    except Exception:
        environment.handle_exception()  # raises it again with the lines of the template, as rendering does


def _undefined():
    import jinja2

    class Missing(jinja2.StrictUndefined):
        @property
        def _undefined_message(self) -> str:
            return f"there is no value {self._undefined_name!r}"

    return Missing


def _line(error: Exception, path: Path) -> int:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines else 0
