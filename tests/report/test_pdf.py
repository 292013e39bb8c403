"""The report on paper: nothing beyond the margins, no glyph that is missing, no reference that leads nowhere."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from descent.report.pdf import faults
from descent.report.templates import ReportError
from descent.report.tools import pdf_engine
from tests.report.small import SECTION, SmallReport

needs_latex = pytest.mark.skipif(pdf_engine("auto") != "latex", reason="needs LaTeX")
MARGIN = 26 / 25.4 * 72  # points, as in both themes


def latex_log(results: Path, desk: Path) -> str:
    """What LaTeX says of results/report/report.tex, typeset on a desk of its own."""
    for figure in sorted(results.glob("*/figures/*.pdf")):
        target = desk / figure.relative_to(results)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(figure, target)
    (desk / "report").mkdir()
    shutil.copyfile(results / "report" / "report.tex", desk / "report" / "report.tex")
    command = ["latexmk", "-norc", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    subprocess.run(command, cwd=desk / "report", capture_output=True, check=True,
                   env={**os.environ, "max_print_line": "10000"})
    return (desk / "report" / "report.log").read_text("utf-8", errors="replace")


def too_wide(log: str) -> list[str]:
    """Boxes more than 5 points wider, or pages more than 5 points higher, than there is room for."""
    return [found[0] for found in re.finditer(r"Overfull \\[hv]box \(([\d.]+)pt too .*", log) if float(found[1]) > 5]


def beyond_the_margins(pdf: Path) -> list[str]:
    """Words that reach more than 5 points into the margin of their page."""
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext to read the PDF with")
    words = subprocess.run(["pdftotext", "-bbox", str(pdf), "-"], capture_output=True, text=True, check=True).stdout
    width = float(re.search(r'<page width="([\d.]+)"', words)[1])
    found = re.findall(r'<word xMin="([\d.]+)" yMin="[\d.]+" xMax="([\d.]+)" yMax="[\d.]+">(.*?)</word>', words)
    assert found
    return [word for left, right, word in found if float(left) < MARGIN - 5 or float(right) > width - MARGIN + 5]


@pytest.mark.parametrize("line", [
    "Missing character: There is no ☃ (U+2603) in font ec-lmr10!",
    "LaTeX Warning: Reference `fig-x' on page 3 undefined on input line 12.",
    "LaTeX Warning: Label `thm-x' multiply defined.",
    "pdfTeX warning (dest): name{theorem.46} has been referenced but does not exist, replaced by a fixed one",
])
def test_what_latex_only_warns_of_is_a_fault(line):
    assert faults(f"Overfull \\hbox\n{line}\nOutput written") == [line]


def test_a_log_without_faults():
    assert faults("Package: infwarerr 2019/12/03 v1.5 Providing info/warning/error messages (HO)\n"
                  "LaTeX Warning: Label(s) may have changed. Rerun to get cross-references right.") == []


@needs_latex
def test_a_reference_that_only_latex_can_miss_stops_the_pdf(tmp_path):
    report = SmallReport(tmp_path, engine="latex").write(f"{SECTION}\nSee `\\ref{{nowhere}}`{{=latex}}.\n")
    with pytest.raises(ReportError, match="the first of them: LaTeX Warning: Reference `nowhere'") as caught:
        report.make("ledger", "report_source", "report_tex", "report_pdf")
    assert "\n" not in str(caught.value)


@needs_latex
def test_a_table_after_a_figure_does_not_push_the_next_one_off_the_page(tmp_path):
    rows = "\n".join(f"| {row} | 1 |" for row in range(6))
    figure = '![Loss.](<< figure("loss") >>){{#fig-{} alt="A curve"}}'
    pages = "\n\n".join(f"{figure.format(2 * k)}\n\n| a | b |\n|--|--|\n{rows}\n\n: Rows. {{#tbl-{k}}}\n\n"
                        f"{figure.format(2 * k + 1)}\n\nWords.\n" for k in range(4))
    report = SmallReport(tmp_path / "made", engine="latex")
    report.root.mkdir()
    report.write(f"{SECTION}\n{pages}").make("ledger", "report_source", "report_tex")
    log = latex_log(report.root / "results", tmp_path / "desk")
    assert "longtable" in log
    assert too_wide(log) == []


@needs_latex
def test_the_whole_report_by_latex(whole, tmp_path):
    log = latex_log(whole.path("results"), tmp_path)
    assert (too_wide(log), faults(log)) == ([], [])


def test_the_whole_report_stays_within_its_margins(whole):
    assert beyond_the_margins(whole.path("results/report/report.pdf")) == []


def test_names_and_numbers_that_are_too_long_for_a_line_are_broken(tmp_path):
    long = "descent.studies." + "a_very_long_name.and_another+one=more," * 6
    section = f"{SECTION}\nThe function `{long}` was called, again and again, by `{long}`.\n"
    made = SmallReport(tmp_path).write(section).make("ledger", "report_source", "report_pdf")
    assert beyond_the_margins(made["pdf"]) == []
