"""The native tools that make documents: which there are, and their versions."""

from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache

from descent.pipeline.versions import package_versions

LATEX_PACKAGES = (
    "lmodern.sty", "titlesec.sty", "newunicodechar.sty", "needspace.sty", "placeins.sty", "mathtools.sty", "xurl.sty",
    "fancyhdr.sty",
)


@lru_cache
def tool_version(name: str) -> str:
    """The version of `pandoc`, `typst` (that of the package that brings the program along, or `absent`) or `latex`.

    Raises ValueError on another name and FileNotFoundError where there is no LaTeX, whose version is its own banner.
    """
    packages = {"pandoc": "pypandoc", "typst": "typst"}
    if name in packages:
        (found,) = package_versions([packages[name]]).values()
        return found
    if name != "latex":
        raise ValueError(f"unknown tool {name!r} (known: pandoc, latex, typst)")
    return subprocess.run(["pdftex", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


@lru_cache
def pdf_engine(choice: str) -> str:
    """`latex` or `typst`: the choice itself, or for `auto` LaTeX where it and what the report's template loads is."""
    if choice != "auto":
        return choice
    if not all(shutil.which(program) for program in ("latexmk", "pdflatex", "kpsewhich")):
        return "typst"
    found = subprocess.run(["kpsewhich", *LATEX_PACKAGES], capture_output=True).returncode
    return "typst" if found else "latex"
