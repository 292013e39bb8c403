"""Parts, the shape of sections, the first page, and the table of errors: what the report is made of."""

import ast
import re
from types import SimpleNamespace

import pytest
import yaml

from descent.pipeline.discovery import load, module_names
from descent.report.errata import errata_rows, read_errata
from descent.report.parts import PARTS, arranged, in_order
from descent.report.sections import first_page, with_findings
from descent.report.templates import ReportError
from tests.report.small import CHECKOUT, SECTION, SmallReport
from tests.report.test_assembly import row

SECTIONS = sorted((CHECKOUT / "report" / "sections").glob("*.md"))
PIECES = ["Setting", "Prediction", "What is seen", "What it means", "Limits"]
ERRATA = CHECKOUT / "report" / "errata.yaml"
SETTINGS = yaml.safe_load((CHECKOUT / "config.yaml").read_text("utf-8"))


@pytest.mark.parametrize("path", SECTIONS, ids=lambda path: path.stem)
def test_a_section_has_all_its_pieces_in_their_order(path):
    text = path.read_text("utf-8").partition("<% set importance")[0]
    opening, *pieces = re.split(r"^## ", text, flags=re.MULTILINE)
    heads, bodies = zip(*(piece.split("\n", 1) for piece in pieces))
    assert opening.startswith("# ")
    assert "?" in opening  # the question
    assert list(heads) == PIECES
    assert all(len(re.sub(r"<.*?>", "", body).split()) > 20 for body in bodies)
    assert "![" in bodies[PIECES.index("What is seen")]
    assert "<<" in bodies[PIECES.index("What is seen")]  # computed
    assert "\n\n**To vary.** " in bodies[PIECES.index("What it means")]


def keys(block, prefix=""):
    for key, value in block.items():
        yield prefix + key
        yield from keys(value, f"{prefix}{key}.") if isinstance(value, dict) else ()


@pytest.mark.parametrize("path", SECTIONS, ids=lambda path: path.stem)
def test_what_a_section_says_to_vary_are_settings(path):
    there = {*keys(SETTINGS["studies"][path.stem]), *keys({"data": SETTINGS["data"]})}
    said = path.read_text("utf-8").partition("\n**To vary.** ")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([\w.]+)`", said))
    assert named
    assert named <= there


@pytest.mark.parametrize("path", SECTIONS, ids=lambda path: path.stem)
def test_a_headline_is_computed(path):
    _, there, said = path.read_text("utf-8").partition("<% set headline %>")
    assert not there or "<<" in said or "<% if" in said


def test_every_study_belongs_to_a_part():
    parts = arranged({name: getattr(load("studies", name), "PART", None) for name in module_names("studies")})
    assert [part["key"] for part in parts] == list(PARTS)
    assert sorted(in_order(parts)) == module_names("studies")


@pytest.mark.parametrize(("part", "complaint"), [
    (None, "studies.toy: its module declares no PART (there are: descent, "),
    ("toys", "studies.toy: its module declares PART = 'toys' (there are: descent, "),
])
def test_a_study_of_no_part_is_named(part, complaint):
    with pytest.raises(ValueError, match=f"^{re.escape(complaint)}"):
        arranged({"toy": part})


def test_parts_keep_their_order_and_studies_theirs():
    parts = arranged({"c": "exact", "b": "descent", "a": "descent"})
    assert [(part["key"], part["sections"]) for part in parts] == [("descent", ["b", "a"]), ("exact", ["c"])]
    assert in_order(parts) == ["b", "a", "c"]


def test_findings_stand_after_the_question():
    assert with_findings("# A\n\nWhy?\n\n## Setting\n\nx", ["f."]) == (
        "# A\n\nWhy?\n\n::: {.findings}\n**Found.**\n\n- f.\n:::\n\n## Setting\n\nx")
    assert with_findings("# A", []) == "# A"


def section(name, importance, headline="h", rests_on=()):
    return {"name": name, "importance": importance, "headline": headline, "rests_on": rests_on}


def test_the_first_page_begins_with_what_matters_most():
    said = [section("a", 1000), section("b", 2, "B", ["b.1"]), section("c", 1000), section("d", 1, "D"),
            section("e", 0, "")]
    assert first_page(said, 3) == ["D (@sec-d)", "B ([b.1](#claim-b.1), @sec-b)", "h (@sec-a)"]


HEADLINE = """
<% set importance = 1 %>
<% set rests_on = ["bowl.1"] %>
<% set headline %>
The loss <% if claims["bowl.1"].verdict == "holds" %>stays<% else %>does not stay<% endif %> below its bound.
<% endset %>
"""


@pytest.mark.parametrize(("bound", "words"), [(1.0, "stays"), (0.2, "does not stay")])
def test_a_headline_says_what_came_out(tmp_path, bound, words):
    report = SmallReport(tmp_path).write(SECTION + HEADLINE, bound=bound)
    text = report.make("ledger", "report_source")["source"].read_text("utf-8")
    assert f"- The loss {words} below its bound. ([bowl.1](#claim-bowl.1), @sec-bowl)" in text


def test_a_headline_rests_on_claims_that_there_are(tmp_path):
    report = SmallReport(tmp_path).write(SECTION + HEADLINE.replace('= ["bowl.1"]', '= ["bowl.9"]'))
    with pytest.raises(ReportError, match=r"bowl\.md: its headline rests on 'bowl\.9', which is no claim"):
        report.make("ledger", "report_source")


def errata_in_the_code() -> set[str]:
    found = set()
    for path in (CHECKOUT / "workflow" / "descent" / "studies").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and any(
                    k.arg == "form" and getattr(k.value, "value", "") == "erratum" for k in node.keywords):
                found.add(node.args[0].value)
    return found


def test_every_erratum_of_the_studies_is_in_the_table_once():
    listed = [id for entry in read_errata(ERRATA) for id in entry["refuted"]]
    assert sorted(listed) == sorted(errata_in_the_code())


def test_the_table_s_proofs_are_there():
    proofs = "".join(path.read_text("utf-8") for path in (CHECKOUT / "report" / "proofs").glob("*.md"))
    for entry in read_errata(ERRATA):
        assert entry["proofs"]
        assert all(f"#{theorem} " in proofs or f"#{theorem}}}" in proofs for theorem in entry["proofs"])


ENTRY = {"item": "tau.1.1", "name": "n", "printed": "p", "wrong": "w", "corrected": "c", "refuted": ["tau.1.1"],
         "holds": ["tau.1"], "proofs": ["thm-x"]}
WRONG = {"tau.1.1": row(form="erratum", verdict="refuted")}


@pytest.mark.parametrize(("entries", "claims", "complete", "complaint"), [
    ([], WRONG, False, "tau.1.1 is an erratum of the ledger and in no entry"),
    ([ENTRY, ENTRY], WRONG, False, "tau.1.1 is in 2 entries"),
    ([ENTRY], {"tau.1.1": row()}, False, "tau.1.1 is called refuted, and no erratum in the ledger"),
    ([ENTRY], WRONG, True, "tau.1 is no claim of the ledger"),
    ([{"item": "x"}], WRONG, False, "entry 1: its keys must be item, name, printed"),
    ([{**ENTRY, "item": 3.2}], WRONG, False, "entry 1: item must be a text (in quotes"),
    ([{**ENTRY, "holds": "tau.1"}], WRONG, False, "entry 1: holds must be a list"),
    ({"item": "x"}, WRONG, False, "must be a list of entries"),
])
def test_the_table_of_errors_is_complete_or_there_is_no_report(tmp_path, entries, claims, complete, complaint):
    path = tmp_path / "errata.yaml"
    path.write_text(yaml.safe_dump(entries))
    with pytest.raises(ReportError) as fault:
        errata_rows(path, claims, complete)
    assert complaint in str(fault.value)
    assert "\n" not in str(fault.value)


def test_errors_of_studies_that_are_switched_off_vanish(tmp_path):
    path = tmp_path / "errata.yaml"
    path.write_text(yaml.safe_dump([ENTRY, {**ENTRY, "refuted": ["tau.9"]}]))
    rows = errata_rows(path, WRONG, complete=False)
    assert [SimpleNamespace(**entry).refuted for entry in rows] == [[WRONG["tau.1.1"]]]
    assert rows[0]["holds"] == []
