"""Claims: numerical checks of statements, their verdicts and negative controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["theorem", "asymptotic", "empirical"]
# "erratum" is a printed statement that the laboratory holds to be wrong: its refutation is expected.
# "our own" is a statement of the laboratory's, found in none of the documents.
Form = Literal["as printed", "corrected", "erratum", "our own"]
FAMILY_WISE_ERROR = 1e-3


@dataclass(frozen=True)
class Outcome:
    """What a check saw: the worst case against its bound.

    `holds`: the comparison itself; `trivial_bound`: the value that every run satisfies, if there is
    one (the check is vacuous when the bound is no better); `hypotheses`: the numeric hypotheses that
    were evaluated, by their text.
    """

    observed: float
    bound: float
    cases: int
    holds: bool
    trivial: bool = False
    hypotheses: Mapping[str, bool] | None = None
    confidence: float | None = None


def verdict(outcome: Outcome) -> str:
    """`hypothesis fails`, `vacuous`, `holds` or `refuted`, in this order of precedence."""
    if outcome.hypotheses and not all(outcome.hypotheses.values()):
        return "hypothesis fails"
    if not outcome.cases:
        return "hypothesis fails"
    if outcome.holds:
        return "vacuous" if outcome.trivial else "holds"
    return "refuted"


@dataclass(frozen=True)
class Claim:
    """One row of the ledger; see `check` and `report_only` for how rows come about."""

    id: str
    kind: Kind
    document: str
    statement: str
    form: Form
    hypotheses: str
    cases: int
    bound: float | None
    observed: float | None
    slack: float | None
    confidence: float | None
    verdict: str
    control: str
    control_verdict: str
    figure: str


def check(id: str, kind: Kind, statement: str, function: Callable[..., Outcome], arguments: Mapping[str, Any],
          control: Mapping[str, Any], control_text: str, form: Form = "as printed", figure: str = "") -> Claim:
    """Evaluate `function(**arguments)` and, as negative control, the same with `control` replacing arguments.

    The control must come out `refuted`; the ledger then says `rejected`, otherwise `NOT REJECTED`.
    """
    outcome = function(**arguments)
    wrong = verdict(function(**{**arguments, **control}))
    slack = outcome.observed / outcome.bound if outcome.bound else None
    return Claim(
        id=id, kind=kind, document=id.split(".")[0], statement=statement, form=form,
        hypotheses="; ".join(f"{text}: {'yes' if true else 'no'}" for text, true in (outcome.hypotheses or {}).items()),
        cases=int(outcome.cases), bound=float(outcome.bound), observed=float(outcome.observed), slack=slack,
        confidence=outcome.confidence, verdict=verdict(outcome), control=control_text,
        control_verdict="rejected" if wrong == "refuted" else "NOT REJECTED", figure=figure,
    )


def report_only(id: str, statement: str, observed: float | None, cases: int, figure: str = "",
                kind: Kind = "empirical", form: Form = "our own") -> Claim:
    """A row that shows a measurement and claims nothing (`reported`); it has no control."""
    return Claim(id=id, kind=kind, document=id.split(".")[0], statement=statement, form=form, hypotheses="",
                 cases=cases, bound=None, observed=None if observed is None else float(observed), slack=None,
                 confidence=None, verdict="reported", control="", control_verdict="", figure=figure)


def write_claims(path: Path, claims: Sequence[Claim]) -> None:
    """Write the rows as a Parquet table with the columns of `Claim`; raises ValueError on a repeated id."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = [claim.id for claim in claims]
    if len(set(ids)) < len(ids):
        raise ValueError(f"claim ids repeat: {sorted(i for i in set(ids) if ids.count(i) > 1)}")
    pq.write_table(pa.Table.from_pylist([asdict(claim) for claim in claims], schema=_schema()), path)


def _schema():
    import pyarrow as pa

    numbers = {"bound", "observed", "slack", "confidence"}
    kinds = {name: pa.float64() if name in numbers else pa.string() for name in Claim.__dataclass_fields__}
    return pa.schema(list({**kinds, "cases": pa.int64()}.items()))


def read_claims(path: Path) -> list[Claim]:
    """The ledger's rows, as written by `write_claims`."""
    import pyarrow.parquet as pq

    return [Claim(**row) for row in pq.read_table(path).to_pylist()]


def defects(claims: Sequence[Claim]) -> list[str]:
    """What makes a run fail: refuted theorems (errata aside) and controls that were not rejected."""
    refuted = [f"{c.id}: theorem refuted" for c in claims if c.kind == "theorem" and c.verdict == "refuted"
               and c.form != "erratum"]
    return refuted + [f"{c.id}: negative control not rejected" for c in claims if c.control_verdict == "NOT REJECTED"]
