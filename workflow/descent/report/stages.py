"""The stages that turn values, figures and claims into the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from descent.pipeline.stage import Stage

SOURCE, LEDGER, REFERENCES = "results/report/report.md", "results/claims.parquet", "report/refs.bib"
FILTER = "report/filters/crossref.lua"
# Inlined into the page in this order: styles in its head, scripts at the end of its body.
STYLES = ("report/theme/report.css", "report/theme/views.css")
SCRIPTS = tuple(f"report/theme/views{part}.js" for part in ("", "_drawing", "_descent", "_map", "_spectra", "_widths"))
FONTS = tuple(
    f"report/theme/fonts/stix-two-{face}.woff"
    for face in ("math", "text-regular", "text-italic", "text-semibold", "text-semibold-italic")
)
REPORT = {kind: f"results/report/report.{kind}" for kind in ("html", "tex", "pdf")}


def stages(title: str, sections: list[str], study_settings: Mapping[str, Mapping[str, Any]], engine: str,
           preview: bool, claims: Mapping[str, str], values: Mapping[str, str],
           figures: Mapping[str, list[dict[str, str]]], provenance: list[dict[str, Any]],
           master_seed: int | None = None,
           views: Mapping[str, list[dict[str, str]]] | None = None) -> list[Stage]:
    """The report's stages, in order: ledger, source, HTML, LaTeX, PDF and verdict.

    `sections`: the studies in the order of the report; `engine`: `latex` or `typst` (see `tools.pdf_engine`);
    `claims`, `values`, `figures` and `views`: outputs by study; `provenance`: rows with stage, entry, code (digest),
    count (of its jobs) and versions (package: version). Proofs are the files of report/proofs/, in the order of their
    names.
    """
    shown = [figure for name in sections for figure in figures[name]]
    explored = tuple(view["view"] for name in sections for view in (views or {}).get(name, []))
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
        "figures": tuple(figure["svg"] for figure in shown), "views": explored,
        "proofs": tuple(sorted(str(path) for path in Path("report/proofs").glob("*.md"))),
    }
    return [
        Stage("ledger", "descent.report.ledger:ledger", {}, {"claims": tuple(claims[name] for name in sections)},
              {"claims": LEDGER}),
        Stage("report_source", "descent.report.assembly:source", settings, inputs, {"source": SOURCE}),
        *_documents([figure["svg"] for figure in shown], [figure["pdf"] for figure in shown], explored, engine),
        Stage("verdict", "descent.report.verdict:verdict", {}, {"claims": LEDGER},
              {"verdict": "results/report/verdict.txt"}),
    ]


def _documents(svg: list[str], pdf: list[str], views: tuple[str, ...], engine: str) -> list[Stage]:
    written = {"source": SOURCE, "filter": FILTER, "references": REFERENCES}
    page = {**written, "template": "report/theme/report.html", "figures": tuple(svg), "styles": STYLES,
            "scripts": SCRIPTS, "views": views, "fonts": FONTS}
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
