"""The stages that turn values, figures and claims into the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from descent.pipeline.stage import Stage

SOURCE, REFERENCES = "results/report/report.md", "report/refs.bib"
LEDGER, LEDGER_CSV, LEDGER_PAGE = "results/claims.parquet", "results/claims.csv", "results/claims.html"
FILTER, STYLE = "report/filters/crossref.lua", "report/theme/report.css"
FONTS = tuple(
    f"report/theme/fonts/stix-two-{face}.woff"
    for face in ("math", "text-regular", "text-italic", "text-semibold", "text-semibold-italic")
)
REPORT = {kind: f"results/report/report.{kind}" for kind in ("html", "tex", "pdf")}


def stages(title: str, sections: list[str], study_settings: Mapping[str, Mapping[str, Any]], engine: str,
           preview: bool, claims: Mapping[str, str], values: Mapping[str, str],
           figures: Mapping[str, list[dict[str, str]]], provenance: list[dict[str, Any]],
           master_seed: int | None = None) -> list[Stage]:
    """The report's stages, in order: ledger, source, HTML, LaTeX, PDF, verdict and the ledger's page.

    `sections`: the studies in the order of the report; `engine`: `latex` or `typst` (see `tools.pdf_engine`);
    `claims`, `values` and `figures`: outputs by study; `provenance`: rows with stage, entry, code (digest), count (of
    its jobs) and versions (package: version). Proofs are the files of report/proofs/, in the order of their names.
    """
    shown = [figure for name in sections for figure in figures[name]]
    present = tuple(f"report/sections/{name}.md" for name in sections)
    written = sorted(str(path) for path in Path("report/sections").glob("*.md"))
    settings = {
        "title": title, "sections": list(sections), "studies": {name: study_settings[name] for name in sections},
        "preview": preview, "provenance": provenance, "master_seed": master_seed,
    }
    inputs = {
        "template": "report/report.md", "sections": present,
        "absent_sections": tuple(path for path in written if path not in present),
        "values": tuple(values[name] for name in sections), "claims": LEDGER,
        "figures": tuple(figure["svg"] for figure in shown),
        "proofs": tuple(sorted(str(path) for path in Path("report/proofs").glob("*.md"))),
    }
    return [
        Stage("ledger", "descent.report.ledger:ledger", {}, {"claims": tuple(claims[name] for name in sections)},
              {"claims": LEDGER, "csv": LEDGER_CSV}),
        Stage("report_source", "descent.report.assembly:source", settings, inputs, {"source": SOURCE}),
        *_documents([figure["svg"] for figure in shown], [figure["pdf"] for figure in shown], engine),
        Stage("verdict", "descent.report.verdict:verdict", {}, {"claims": LEDGER},
              {"verdict": "results/report/verdict.txt"}),
        Stage("ledger_page", "descent.report.ledger_page:ledger_page", {"title": title, "preview": preview},
              {"claims": LEDGER, "page": REPORT["html"], "template": "report/workflow/claims.html"},
              {"page": LEDGER_PAGE}),
    ]


def _documents(svg: list[str], pdf: list[str], engine: str) -> list[Stage]:
    written = {"source": SOURCE, "filter": FILTER, "references": REFERENCES}
    page = {**written, "template": "report/theme/report.html", "figures": tuple(svg), "style": STYLE, "fonts": FONTS}
    typst = {**written, "template": "report/theme/report.typ", "figures": tuple(svg), "fonts": FONTS}
    latex = {"tex": REPORT["tex"], "figures": tuple(pdf)}
    by_latex = engine == "latex"
    return [
        Stage("report_html", "descent.report.html:html", {}, page, {"html": REPORT["html"]}, tools=("pandoc",)),
        Stage("report_tex", "descent.report.tex:tex", {}, {**written, "template": "report/theme/report.tex"},
              {"tex": REPORT["tex"]}, tools=("pandoc",)),
        Stage("report_pdf", "descent.report.pdf:pdf", {"engine": engine}, latex if by_latex else typst,
              {"pdf": REPORT["pdf"]}, tools=("latex",) if by_latex else ("pandoc", "typst"), seconds=5.0),
    ]
