"""Running pandoc: the same bytes in every directory, home, locale and user configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from descent.pipeline.environment import EPOCH
from descent.report.templates import ReportError


@contextmanager
def desk(figures: Iterable[Path]) -> Iterator[Path]:
    """A temporary `report/` with the figures beside it as in results/: `../{study}/figures/{figure}`."""
    with tempfile.TemporaryDirectory(prefix="descent-report-") as root:
        for figure in figures:
            target = Path(root).joinpath(*figure.parts[-3:])
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(figure, target)
        report = Path(root, "report")
        report.mkdir(exist_ok=True)
        yield report


def convert(directory: Path, source: Path, writer: str, inputs: dict[str, Any], options: Sequence[str] = ()) -> str:
    """The document that pandoc writes for `source` in the format `writer`, with cross references and citations.

    `inputs`: filters, template and references. Raises ReportError with pandoc's complaints, of which
    an unknown reference, citation or formula is one.
    """
    import pypandoc

    if b"$body$" not in inputs["template"].read_bytes():  # of which pandoc would make an empty document
        raise ReportError(f"{inputs['template']}: has no $body$, and so no place for the text")
    command = [
        str(Path(pypandoc.__file__).parent / "files" / "pandoc"), str(source.resolve()),
        "--from=markdown-auto_identifiers",  # which would number headings of one name; the filter names them
        f"--to={writer}", "--standalone", f"--template={inputs['template'].resolve()}", "--wrap=preserve",
        *(f"--lua-filter={path.resolve()}" for path in inputs["filters"]), "--citeproc",
        f"--bibliography={inputs['references'].resolve()}",
        "--metadata=link-citations:true", "--number-sections", "--syntax-highlighting=none", "--fail-if-warnings",
        f"--data-dir={directory}", "--output=-", *options,
    ]
    done = subprocess.run(command, cwd=directory, env=clean_environment(directory), capture_output=True, text=True,
                          encoding="utf-8")
    if done.returncode:
        raise ReportError(_complaints(done.stderr))
    return done.stdout


def clean_environment(directory: Path) -> dict[str, str]:
    """The environment of a native tool: the search path, one locale, one date, and `directory` as its home."""
    home = str(directory)
    return {
        "PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": home, "TEXMFHOME": home,
        "TEXMFVAR": home, "TEXMFCONFIG": home, "SOURCE_DATE_EPOCH": str(EPOCH), "FORCE_SOURCE_DATE": "1",
    }


def _complaints(text: str) -> str:
    lines = [line.removeprefix("[WARNING] ").removeprefix("report: ") for line in text.splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith("Failing because there were warnings")]
    return "report: " + "; ".join(kept)
