"""The report as PDF, by LaTeX or by Typst."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from descent.pipeline.environment import EPOCH
from descent.report.fonts import plain
from descent.report.pandoc import clean_environment, convert, desk
from descent.report.templates import ReportError


def pdf(settings: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Path]) -> None:
    """Write the PDF with `settings["engine"]`: `latex` (inputs tex and figures in PDF) or `typst`.

    Typst's inputs: source, figures (SVG), filters, template, fonts and references. Raises
    ReportError with the engine's first complaint; LaTeX's missing glyphs and broken references are complaints too.
    """
    with desk(inputs["figures"]) as directory:
        made = _latex(directory, inputs) if settings["engine"] == "latex" else _typst(directory, inputs)
        shutil.copyfile(made, outputs["pdf"])


# Otherwise TeX breaks what it says after 79 characters.
_LONG_LINES = {"max_print_line": "10000"}


def _latex(directory: Path, inputs: dict[str, Any]) -> Path:
    shutil.copyfile(inputs["tex"], directory / "report.tex")
    options = ["-norc", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "-file-line-error"]
    environment = {**clean_environment(directory), **_LONG_LINES}
    done = subprocess.run(["latexmk", *options, "report.tex"], cwd=directory, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
    if done.returncode:
        complaints = re.findall(r"^(?:\./)?report\.tex:\d+: .*|^! .*", done.stdout, re.MULTILINE)
        why = complaints[0] if complaints else done.stdout.strip().splitlines()[-1]
        raise ReportError(f"LaTeX stopped: {why} (report.engine: typst needs no LaTeX)")
    found = faults((directory / "report.log").read_text(encoding="utf-8", errors="replace"))
    if found:
        raise ReportError(f"LaTeX: faults in the document: {len(found)}, the first of them: {found[0]}")
    return directory / "report.pdf"


# What LaTeX only warns of and a reader would stumble over.
_FAULTS = re.compile(
    r"^(?:Missing character: There is no .*"
    r"|(?:LaTeX Warning: |Package \w+ Warning: )(?:Reference|Citation|Label) .*(?:undefined|multiply defined).*"
    r"|pdfTeX warning.*: (?:name\{.*has been referenced but does not exist|destination with the same identifier).*)",
    re.MULTILINE)


def faults(log: str) -> list[str]:
    """The lines of LaTeX's log that name a missing glyph, a broken reference or a label given twice."""
    return [match[0] for match in _FAULTS.finditer(log)]


def _typst(directory: Path, inputs: dict[str, Any]) -> Path:
    from importlib.metadata import version

    import typst

    for font in inputs["fonts"]:
        plain(font, directory / f"{font.stem}.ttf")
    options = ["--default-image-extension=svg", f"--variable=engine-version:{version('typst')}"]
    document = directory / "report.typ"
    document.write_text(convert(directory, inputs["source"], "typst", inputs, options), encoding="utf-8")
    try:
        typst.compile(str(document), output=str(directory / "report.pdf"), root=str(directory.parent),
                      font_paths=[str(directory)], ignore_system_fonts=True,
                      timestamp=datetime.fromtimestamp(EPOCH, UTC))
    except RuntimeError as error:
        raise ReportError(f"Typst stopped: {error}") from error
    return directory / "report.pdf"
