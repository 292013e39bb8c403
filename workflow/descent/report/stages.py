"""The stages that turn values, figures and claims into the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from descent.pipeline.stage import Stage
from descent.report.parts import arranged, in_order

SOURCE, REFERENCES = "results/report/report.md", "report/refs.bib"
LEDGER, LEDGER_CSV, LEDGER_PAGE = "results/claims.parquet", "results/claims.csv", "results/claims.html"
FILTERS = tuple(f"report/filters/{name}.lua" for name in ("tables", "pages", "crossref", "formulas"))
# Inlined into the page in this order: styles and one script in its head, the other scripts at the end of its body.
STYLES = ("report/theme/report.css", "report/theme/views.css")
EARLY = "report/theme/theme.js"
_VIEWS = ("views", *(f"views_{part}" for part in ("drawing", "descent", "map", "spectra", "widths")))
SCRIPTS = tuple(f"report/theme/{name}.js" for name in ("contents", "ledger", "search", "frames", *_VIEWS))
FONTS = tuple(
    f"report/theme/fonts/stix-two-{face}.woff"
    for face in ("math", "text-regular", "text-italic", "text-semibold", "text-semibold-italic")
)
REPORT = {kind: f"results/report/report.{kind}" for kind in ("html", "tex", "pdf")}


def stages(title: str, studies: Mapping[str, str | None], study_settings: Mapping[str, Mapping[str, Any]], engine: str,
           preview: bool, claims: Mapping[str, str], values: Mapping[str, str],
           figures: Mapping[str, list[dict[str, str]]], provenance: list[dict[str, Any]],
           master_seed: int | None = None, figure_sources: Sequence[Mapping[str, Any]] = (),
           views: Mapping[str, list[dict[str, str]]] | None = None) -> list[Stage]:
    """The report's stages, in order: ledger, source, HTML, LaTeX, PDF, verdict and the ledger's page.

    `studies`: the part of each (see `parts`); `engine`: `latex` or `typst` (see `tools.pdf_engine`);
    `claims`, `values`, `figures` and `views`: outputs by study; `provenance`: rows with stage, entry, code (digest),
    count (of its jobs) and versions (package: version); `figure_sources`: see `figure_source`. Proofs are the files of
    report/proofs/, in the order of their names. Raises ValueError as `parts.arranged`.
    """
    parts = arranged(studies)
    sections = in_order(parts)
    svg, pdf = ([figure[kind] for name in sections for figure in figures[name]] for kind in ("svg", "pdf"))
    explored = tuple(view["view"] for name in sections for view in (views or {}).get(name, []))
    settings = {
        "title": title, "parts": parts, "sections": sections, "preview": preview, "master_seed": master_seed,
        "studies": {name: study_settings[name] for name in sections},
        "figure_sources": sorted(figure_sources, key=lambda row: sections.index(row["study"])),
        # A stage's settings travel on a command line: versions stand once for all rows, digests are cut.
        "provenance": [{**{key: row[key] for key in row if key != "versions"}, "code": row["code"][:12]}
                       for row in provenance],
        "versions": sorted({pair for row in provenance for pair in row.get("versions", {}).items()}),
    }
    inputs = {
        **_prose(sections), "values": tuple(values[name] for name in sections), "claims": LEDGER, "figures": tuple(svg),
        "study_claims": tuple(claims[name] for name in sections), "views": explored,
    }
    return [
        Stage("ledger", "descent.report.ledger:ledger", {}, {"claims": tuple(claims[name] for name in sections)},
              {"claims": LEDGER, "csv": LEDGER_CSV}),
        Stage("report_source", "descent.report.assembly:source", settings, inputs, {"source": SOURCE}),
        *_documents(svg, pdf, explored, engine),
        Stage("verdict", "descent.report.verdict:verdict", {}, {"claims": LEDGER},
              {"verdict": "results/report/verdict.txt"}),
        Stage("ledger_page", "descent.report.ledger_page:ledger_page", {"title": title, "preview": preview},
              {"claims": LEDGER, "page": REPORT["html"], "template": "report/workflow/claims.html"},
              {"page": LEDGER_PAGE}),
    ]


def _prose(sections: Sequence[str]) -> dict[str, Any]:
    present = tuple(f"report/sections/{name}.md" for name in sections)
    written, proofs = (sorted(str(path) for path in Path(f"report/{kind}").glob("*.md"))
                       for kind in ("sections", "proofs"))
    return {
        "template": "report/report.md", "symbols": "report/symbols.md", "errata": "report/errata.yaml",
        "sections": present, "absent_sections": tuple(path for path in written if path not in present),
        "proofs": tuple(proofs),
    }


def figure_source(study: str, stage: Stage, code: str) -> dict[str, Any]:
    """What made a figure: study, figure, entry, code (12 digits of its digest) and the paths of its data."""
    return {"study": study, "figure": Path(stage.outputs["svg"]).stem, "entry": stage.entry, "code": code[:12],
            "data": list(stage.input_paths)}


def _documents(svg: list[str], pdf: list[str], views: tuple[str, ...], engine: str) -> list[Stage]:
    written = {"source": SOURCE, "filters": FILTERS, "references": REFERENCES}
    page = {**written, "template": "report/theme/report.html", "figures": tuple(svg), "styles": STYLES,
            "early": EARLY, "scripts": SCRIPTS, "views": views, "fonts": FONTS}
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
