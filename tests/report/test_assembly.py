"""The one source: filled templates, the ledger, and clear words about what is missing."""

import csv
import json

import pytest

from descent.claims import Claim, report_only, write_claims
from descent.report.ledger import ledger
from descent.report.ledger_tables import by_document, verdict_badge
from descent.report.templates import ReportError, render
from descent.report.verdict import LedgerDefects, summary
from tests.report.small import SECTION, SmallReport


@pytest.mark.parametrize(("extra", "complaint"), [
    ("<< v.nothing >>", "there is no value 'nothing'"),
    ("<< v.nothing | num(2) >>", "there is no value 'nothing'"),
    ("<% if settings.nothing %>x<% endif %>", "there is no value 'nothing'"),
    ('<< claims["bowl.9"].verdict >>', "there is no value 'bowl.9'"),
    ('<< figure("width") >>', "no figure 'width' (there are: loss)"),
    ("<< v.findings | num >>", "is not a number"),
    ("<% if %>", "Expected an expression"),
    ("<< v.eta | integer >>", "0.1 is not a whole number"),
])
def test_a_fault_names_section_line_and_value(tmp_path, extra, complaint):
    report = SmallReport(tmp_path).write(SECTION + extra)
    with pytest.raises(ReportError) as caught:
        report.make("ledger", "report_source")
    line = SECTION.count("\n") + 1
    assert f"bowl.md, line {line}: " in str(caught.value)
    assert complaint in str(caught.value)


def test_values_without_findings_will_do(tmp_path):
    report = SmallReport(tmp_path).write()
    values = report.root / "results" / "bowl" / "values.json"
    values.write_text(json.dumps({"eta": 0.1, "steps": 10, "loss": None}))
    text = report.make("ledger", "report_source")["source"].read_text("utf-8")
    assert "# What was found" in text
    assert "| 10 | – |" in text


def test_the_first_page_says_what_was_found_and_the_section_all_of_it(finished):
    text = finished[1]["source"].read_text("utf-8")
    places = ("- The loss falls", "The ledger of claims", "# Descent on a bowl")
    first, ledger_of_claims, section = map(text.index, places)
    assert first < ledger_of_claims < section
    assert "- The loss falls to $10^{-7}$. (@sec-bowl)" in text
    assert "**Found.**\n\n- The loss falls to $10^{-7}$.\n:::" in text[section:]


def test_a_claim_s_figure_must_be_shown(tmp_path):
    report = SmallReport(tmp_path).write(SECTION.replace("{#fig-bowl-loss ", "{#fig-bowl-other "))
    assert "(@fig-bowl-other)" in report.make("ledger", "report_source")["source"].read_text("utf-8")
    report.section.write_text("# Nothing {#sec-bowl}\n")
    with pytest.raises(ReportError, match=r"claim bowl\.1: no section shows its figure 'bowl/loss' \(shown: none\)"):
        report.make("report_source")


def test_a_reference_to_a_study_that_is_switched_off_is_put_into_words(tmp_path):
    report = SmallReport(tmp_path).write(SECTION + "\nSee @sec-valley, @eq-valley-loss and @sec-bowl.\n")
    report.section.with_name("valley.md").write_text("# A valley {#sec-valley}\n\n$$x$$ {#eq-valley-loss}\n")
    text = report.make("ledger", "report_source")["source"].read_text("utf-8")
    assert ("See the section *A valley* (not in this report), an equation in the section *A valley* (not in this "
            "report) and @sec-bowl.") in text


def test_comments_and_foreign_braces_pass_through(tmp_path):
    template = tmp_path / "t.md"
    template.write_text("{#fig-x} {{ x }} <# gone #>$\\{%\\}$ << 2 >>\n")
    assert render(template, {}) == "{#fig-x} {{ x }} $\\{%\\}$ 2"


def row(**fields) -> Claim:
    values = {"id": "tau.1.1", "kind": "theorem", "document": "tau", "statement": "", "form": "as printed",
              "hypotheses": "", "cases": 1, "bound": 1.0, "observed": 1.0, "slack": 1.0, "confidence": None,
              "verdict": "holds", "control": "", "control_verdict": "", "figure": ""}
    return Claim(**{**values, **fields})


@pytest.mark.parametrize(("form", "verdict", "badge"), [
    ("as printed", "holds", ("", "good")), ("corrected", "refuted", ("", "bad")),
    ("erratum", "refuted", ("as expected", "erratum")), ("erratum", "holds", ("unexpected", "weak")),
    ("as printed", "vacuous", ("", "weak")), ("as printed", "hypothesis fails", ("", "weak")),
    ("as printed", "reported", ("", "neutral")),
])
def test_badges(form, verdict, badge):
    assert verdict_badge(row(form=form, verdict=verdict)) == badge


def test_verdicts_are_counted_by_document():
    rows = [row(), row(id="du.1", document="du", form="erratum", verdict="refuted", control_verdict="rejected"),
            row(id="du.2", document="du", verdict="vacuous")]
    found = by_document(rows)
    assert list(found) == ["tau", "du"]
    assert dict(found["tau"]["verdicts"]) == {"holds": 1}
    assert (found["du"]["claims"], found["du"]["errata"], found["du"]["errata_refuted"]) == (2, 1, 1)
    assert dict(found["du"]["verdicts"]) == {"vacuous": 1}  # the erratum has a column of its own


def test_the_ledger_follows_the_documents(tmp_path):
    from descent.claims import read_claims

    for name, ids in (("a", ["jhu.2b", "jhu.2a", "du.10"]), ("b", ["du.9.printed", "tau.1.1", "du.9"])):
        write_claims(tmp_path / name, [report_only(id, "", None, 1) for id in ids])
    ledger({}, {"claims": [tmp_path / "a", tmp_path / "b"]}, {"claims": tmp_path / "all", "csv": tmp_path / "csv"})
    ids = [claim.id for claim in read_claims(tmp_path / "all")]
    assert ids == ["tau.1.1", "du.9", "du.9.printed", "du.10", "jhu.2a", "jhu.2b"]
    with open(tmp_path / "csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ids
    assert {row["verdict"] for row in rows} == {"reported"}
    assert {row["observed"] for row in rows} == {""}
    with pytest.raises(ValueError, match=r"jhu\.2a"):
        ledger({}, {"claims": [tmp_path / "a"] * 2}, {"claims": tmp_path / "twice", "csv": tmp_path / "csv"})


def test_the_verdict_counts(finished):
    assert finished[1]["verdict"].read_text() == "1 holds\n1 reported\n1 negative controls rejected\n"
    rows = [row(verdict="refuted"), row(), *[row(form="erratum", verdict="refuted", control_verdict="rejected")] * 2]
    assert summary(rows) == "1 holds\n1 refuted\n2 errata refuted\n2 negative controls rejected\n"


@pytest.mark.parametrize(("bounds", "defects"), [
    ({"bound": 0.2, "control": 0.1}, "bowl.1: theorem refuted"),
    ({"bound": 1.0, "control": 0.9}, "bowl.1: negative control not rejected"),
    ({"bound": 0.2, "control": 0.9}, "bowl.1: theorem refuted\nbowl.1: negative control not rejected"),
])
def test_a_defect_fails_the_run_but_not_the_report(tmp_path, bounds, defects):
    report = SmallReport(tmp_path).write(**bounds)
    assert report.make("ledger", "report_source")["source"].exists()
    with pytest.raises(LedgerDefects) as caught:
        report.make("verdict")
    assert str(caught.value) == defects
