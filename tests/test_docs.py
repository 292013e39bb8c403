"""The tutorial and the notebook: files written, commands run and cells executed as they stand; links of all pages."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from descent.claims import read_claims
from descent.pipeline import settings
from tests.laboratory import Laboratory

DOCS = Path(__file__).parents[1] / "docs"
ROOT = DOCS.parent
PAGES = [ROOT / "README.md", ROOT / "tests" / "README.md", *sorted(DOCS.glob("*.md"))]
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: `kind` is its language, `mark` what follows it on the same line."""

    kind: str
    mark: str
    text: str


def blocks(page: str) -> list[Block]:
    return [Block(*found) for found in FENCE.findall((DOCS / page).read_text("utf-8"))]


def environment(laboratory: Laboratory) -> dict[str, str]:
    """As after `. .venv/bin/activate`: the programs of this interpreter first, and the laboratory's library."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**laboratory.environment(), "PATH": programs, "PYTHONPATH": str(laboratory.path("workflow"))}


def in_one_file(laboratory: Laboratory) -> None:
    """Make the small settings of the laboratory those of its config.yaml: pages name no other file."""
    whole = settings.read([str(laboratory.path(name)) for name in ("config.yaml", *laboratory.overlays)])
    laboratory.path("config.yaml").write_text(yaml.safe_dump(whole, sort_keys=False), "utf-8")


class Reader:
    """Does what a page says, block by block; `said` is what each block of commands printed."""

    def __init__(self, laboratory: Laboratory):
        self.laboratory, self.said = laboratory, []
        self._begun: set[str] = set()

    def follow(self, page: str) -> None:
        for block in blocks(page):
            if block.mark.startswith(("file=", "append=")):
                self._write(*block.mark.split("="), block.text)
            elif block.kind == "sh":
                self.said.append(self.run(block.text))
            elif block.mark == "output":
                for line in block.text.splitlines():
                    assert re.search(rf"^{re.escape(line)}\b", self.said[-1], re.MULTILINE), (line, self.said[-1])

    def _write(self, how: str, name: str, text: str) -> None:
        # The blocks of one file follow one another in it.
        continued = how == "append" or name in self._begun
        self._begun.add(name)
        with open(self.laboratory.path(name), "a" if continued else "w", encoding="utf-8") as file:
            file.write(text)

    def run(self, commands: str) -> str:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=self.laboratory.root, text=True,
                              env=environment(self.laboratory), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, f"{commands}\n{done.stdout}"
        return done.stdout


def test_the_tutorial_adds_a_study_that_runs_as_it_says(laboratory):
    in_one_file(laboratory)
    reader = Reader(laboratory)
    reader.follow("adding-a-study.md")
    rows = read_claims(laboratory.path("results/momentum/claims.parquet"))
    assert [(row.verdict, row.control_verdict) for row in rows] == [("holds", "rejected")] * 2
    assert {row.id for row in rows} < {row.id for row in read_claims(laboratory.path("results/claims.parquet"))}
    page = laboratory.path("results/report/report.html").read_text("utf-8")
    for shown in ('id="sec-momentum"', 'id="fig-momentum-distance"', 'id="claim-momentum.heavy_ball"',
                  "The factor cannot be left out", "its promise up to a factor."):
        assert shown in page
    document = laboratory.path("results/report/report.tex").read_text("utf-8").partition("\\begin{document}")[2]
    assert "heavy ball" in document
    assert not re.search("[√\u0370-\u03ff]", document)  # formulas as LaTeX sets them best
    again = "\n".join(block.text for block in blocks("adding-a-study.md") if block.mark == "" and block.kind == "sh"
                      and "report" in block.text and "sed" not in block.text and "-n" not in block.text)
    assert "nothing is stale" in reader.run(again)
    written = sorted({block.mark.partition("=")[2] for block in blocks("adding-a-study.md") if block.kind == "python"})
    style = subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", *written], cwd=laboratory.root)
    assert style.returncode == 0


def anchors(page: Path) -> set[str]:
    """The ids that headings get where Markdown is shown: small letters, hyphens for spaces, no signs."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text("utf-8"))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        led = (page.parent / name).resolve() if name else page
        assert led.exists(), target
        assert not anchor or anchor in anchors(led), target


def test_the_notebook_runs_from_top_to_bottom(tmp_path):
    book = json.loads((DOCS / "notebook.ipynb").read_text("utf-8"))
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    script = tmp_path / "cells.py"
    script.write_text("\n".join("".join(cell["source"]) for cell in code), "utf-8")
    words = [sys.executable, script]
    library = DOCS.parent / "workflow"
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": str(library)})
    assert done.returncode == 0, done.stderr
    assert "stays below the bound with the measured remainder" in done.stdout
