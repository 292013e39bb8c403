"""The ledger: verdicts, negative controls, and what makes a run fail."""

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descent.claims import Claim, Outcome, check, defects, read_claims, report_only, verdict, write_claims
from descent.pipeline.sidecar import file_digest


def below(values: list[float], factor: float = 1.0, hypotheses=None, trivial: float | None = None) -> Outcome:
    """Every value is at most `factor`."""
    trivial_bound = trivial is not None and factor >= trivial
    return Outcome(max(values, default=0.0), factor, len(values), max(values, default=0.0) <= factor, trivial_bound,
                   hypotheses, 0.999)


def claim(factor: float = 1.0, control: float = 0.25, **more) -> Claim:
    return check("du.4a", more.pop("kind", "theorem"), "values are at most 1", below,
                 {"values": [0.5, 0.75], "factor": factor}, {"factor": control}, "1 replaced by 1/4", **more)


@pytest.mark.parametrize(("holds", "trivial", "hypotheses", "cases", "expected"), [
    (True, False, None, 3, "holds"),
    (True, False, {"n > m": True}, 3, "holds"),
    (True, True, {}, 3, "vacuous"),
    (False, False, None, 3, "refuted"),
    (False, True, None, 3, "refuted"),
    (True, False, {"n > m": False}, 3, "hypothesis fails"),
    (True, True, {"n > m": False}, 3, "hypothesis fails"),
    (False, False, {"n > m": True, "K > 0": False}, 3, "hypothesis fails"),
    (True, False, None, 0, "hypothesis fails"),
    (False, False, None, 0, "hypothesis fails"),
])
def test_verdicts_have_an_order_of_precedence(holds, trivial, hypotheses, cases, expected):
    assert verdict(Outcome(1.0, 2.0, cases, holds, trivial, hypotheses)) == expected


def test_a_claim_says_what_was_seen():
    row = claim(form="corrected", figure="results/du/figures/bound.svg")
    assert (row.id, row.document, row.form, row.figure) == ("du.4a", "du", "corrected", "results/du/figures/bound.svg")
    assert (row.cases, row.bound, row.observed, row.slack, row.confidence) == (2, 1.0, 0.75, 0.75, 0.999)
    assert (row.verdict, row.control, row.control_verdict) == ("holds", "1 replaced by 1/4", "rejected")


def test_the_control_is_the_same_function_with_one_thing_changed():
    calls = []

    def watched(values, factor):
        calls.append((values, factor))
        return below(values, factor)

    values = [0.5]
    check("a.1", "theorem", "", watched, {"values": values, "factor": 1.0}, {"factor": 0.1}, "")
    assert calls == [(values, 1.0), (values, 0.1)]
    assert calls[0][0] is calls[1][0]


@pytest.mark.parametrize(("control", "expected"), [
    ({"factor": 0.25}, "rejected"),
    ({"factor": 0.9}, "NOT REJECTED"),
    ({"factor": 0.9, "trivial": 0.8}, "NOT REJECTED"),
    ({"factor": 0.25, "hypotheses": {"n > m": False}}, "NOT REJECTED"),
    ({"factor": 0.25, "values": []}, "NOT REJECTED"),
])
def test_only_a_refutation_rejects_a_control(control, expected):
    row = check("a.1", "theorem", "", below, {"values": [0.5, 0.75]}, control, "")
    assert row.control_verdict == expected
    assert defects([row]) == ([] if expected == "rejected" else ["a.1: negative control not rejected"])


def test_hypotheses_are_listed_with_what_came_out():
    hypotheses = {"n > m": True, "K > 0": False}
    row = check("a.1", "theorem", "", below, {"values": [0.5], "hypotheses": hypotheses}, {}, "")
    assert row.hypotheses == "n > m: yes; K > 0: no"
    assert row.verdict == "hypothesis fails"


def test_a_bound_of_zero_has_no_slack():
    assert claim(factor=0.0).slack is None


@pytest.mark.parametrize(("kind", "form"), list(itertools.product(
    ("theorem", "asymptotic", "empirical"), ("as printed", "corrected", "erratum", "our own"))))
def test_a_refuted_theorem_makes_the_run_fail_unless_it_is_an_erratum(kind, form):
    refuted = claim(factor=0.6, kind=kind, form=form)
    assert refuted.verdict == "refuted"
    expected = ["du.4a: theorem refuted"] if kind == "theorem" and form != "erratum" else []
    assert defects([refuted, claim(kind=kind, form=form)]) == expected


def test_a_report_claims_nothing():
    row = report_only("jhu.2c", "The best learning rate", 0.01, 5, figure="f.svg")
    assert (row.verdict, row.control_verdict, row.observed, row.bound) == ("reported", "", 0.01, None)
    assert report_only("jhu.2c", "None diverged", None, 5).observed is None
    assert defects([row]) == []


ROWS = st.builds(
    Claim, id=st.just("a.1"), kind=st.sampled_from(["theorem", "empirical"]), document=st.text(), statement=st.text(),
    form=st.just("as printed"), hypotheses=st.text(), cases=st.integers(0, 2**62), control=st.text(), figure=st.text(),
    verdict=st.text(), control_verdict=st.text(),
    **dict.fromkeys(["bound", "observed", "slack", "confidence"], st.none() | st.floats(allow_nan=False)))


@given(rows=st.lists(ROWS, max_size=3))
def test_rows_are_read_as_they_were_written(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("claims") / "claims"
    rows = [dataclasses.replace(row, id=f"a.{i}") for i, row in enumerate(rows)]
    write_claims(path, rows)
    first = file_digest(path)
    assert read_claims(path) == rows
    write_claims(path, rows)
    assert file_digest(path) == first


def test_an_id_may_not_repeat(tmp_path):
    rows = [claim(), report_only("du.4b", "", 1.0, 1), claim()]
    with pytest.raises(ValueError, match=r"repeat: \['du.4a'\]"):
        write_claims(tmp_path / "claims", rows)
    assert not (tmp_path / "claims").exists()
