"""Source files of the report that are cut off, emptied, or no text: each is named in one line."""

import pytest

from descent.report.templates import ReportError
from tests.report.small import SmallReport


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def emptied(data: bytes) -> bytes:
    return b""


def no_text(data: bytes) -> bytes:
    return data[:100] + b"\xff\xfe" + data[100:]


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> SmallReport:
    made = SmallReport(tmp_path_factory.mktemp("a report")).write()
    for proof in sorted((made.root / "report" / "proofs").iterdir())[1:]:  # one will do, and is quick
        proof.unlink()
    made.make("ledger", "report_source")
    return made


FONT, FIGURE = "report/theme/fonts/stix-two-math.woff", "results/bowl/figures/loss.svg"


@pytest.mark.parametrize(("file", "damage", "rule", "complaint"), [
    ("report/report.md", cut, "report_source", "report/report.md, line "),
    ("report/report.md", no_text, "report_source", "report/report.md: not text in UTF-8"),
    ("report/sections/bowl.md", cut, "report_source", "report/sections/bowl.md, line 9: "),
    ("report/sections/bowl.md", emptied, "report_source", "no section shows its figure 'bowl/loss'"),
    ("report/sections/bowl.md", no_text, "report_source", "sections/bowl.md: not text in UTF-8 (invalid start byte at"),
    ("report/errata.yaml", no_text, "report_source", "report/errata.yaml: not text in UTF-8"),
    ("report/symbols.md", no_text, "report_source", "report/symbols.md: not text in UTF-8"),
    ("report/proofs/du.1.md", no_text, "report_source", "report/proofs/du.1.md: not text in UTF-8"),
    ("report/refs.bib", cut, "report_tex", "report/refs.bib:; (line 11"),
    ("report/refs.bib", emptied, "report_tex", "citation du2019 not found"),
    ("report/refs.bib", no_text, "report_tex", "report/refs.bib at byte offset 100"),
    ("report/filters/crossref.lua", cut, "report_tex", "report/filters/crossref.lua:"),
    ("report/filters/crossref.lua", emptied, "report_tex", "citation eq-"),
    ("report/theme/report.tex", cut, "report_tex", "report/theme/report.tex"),
    ("report/theme/report.tex", emptied, "report_tex", "report/theme/report.tex: has no $body$"),
    ("report/theme/report.html", emptied, "report_html", "report/theme/report.html: has no $body$"),
    ("report/theme/report.typ", emptied, "report_pdf", "report/theme/report.typ: has no $body$"),
    ("report/theme/report.css", no_text, "report_html", "report/theme/report.css: not text in UTF-8"),
    (FONT, cut, "report_html", f"{FONT}: not a readable font"),
    (FIGURE, cut, "report_html", f"{FIGURE}: not a readable figure"),
    (FONT, emptied, "report_pdf", f"{FONT}: not a readable font (Not a TrueType or OpenType font"),
])
def test_a_damaged_source_is_named(report, file, damage, rule, complaint):
    path = report.root / file
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    try:
        with pytest.raises(ReportError) as fault:
            report.make(rule)
    finally:
        path.write_bytes(whole)
    assert complaint in str(fault.value)
    assert "\n" not in str(fault.value)
