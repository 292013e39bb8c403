"""The ledger of all studies' claims."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from descent.claims import Claim, read_claims, write_claims

DOCUMENTS = ("tau", "du", "jhu", "eth", "snu")


def ledger(settings: dict[str, Any], inputs: dict[str, list[Path]], outputs: dict[str, Path]) -> None:
    """Join the studies' rows into one table, in the order of the documents and their items, as Parquet and as CSV.

    `inputs["claims"]`: the studies' tables, `results/STUDY/claims.parquet`; a row's figure is of its own study unless
    it says `STUDY/FIGURE`. Raises ValueError when an id appears in two of them.
    """
    rows = [_of_study(claim, path.parent.name) for path in inputs["claims"] for claim in read_claims(path)]
    ordered = sorted(rows, key=_position)
    write_claims(outputs["claims"], ordered)
    write_csv(outputs["csv"], ordered)


def write_csv(path: Path, claims: Sequence[Claim]) -> None:
    """Write the rows for a spreadsheet: the columns of `Claim` with their names, numbers in full, nothing for none."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Claim)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, claims))


def _of_study(claim: Claim, study: str) -> Claim:
    named = not claim.figure or "/" in claim.figure
    return claim if named else replace(claim, figure=f"{study}/{claim.figure}")


def _position(claim: Claim) -> tuple:
    known = DOCUMENTS.index(claim.document) if claim.document in DOCUMENTS else len(DOCUMENTS)
    parts = re.findall(r"\d+|\D+", claim.id)
    return known, [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]
