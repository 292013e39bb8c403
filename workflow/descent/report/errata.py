"""The errors of the source documents as one table, complete against the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from descent.claims import Claim
from descent.report.templates import ReportError, read_text

_TEXTS = ("item", "name", "printed", "wrong", "corrected")
_LISTS = ("refuted", "holds", "proofs")


def read_errata(path: Path) -> list[dict[str, Any]]:
    """The entries of the file: five texts, and lists of claims (`refuted`, `holds`) and of proofs (theorems' ids).

    Raises ReportError naming the entry that has other keys or kinds of values.
    """
    import yaml

    try:
        entries = yaml.safe_load(read_text(path)) or []
    except yaml.YAMLError as error:
        raise ReportError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(entries, list):
        raise ReportError(f"{path}: must be a list of entries")
    for number, entry in enumerate(entries, 1):
        if words := _fault(entry):
            raise ReportError(f"{path}, entry {number}: {words}")
    return [{**entry, **{text: " ".join(entry[text].split()) for text in _TEXTS}} for entry in entries]


def _fault(entry: Any) -> str:
    if not isinstance(entry, dict) or set(entry) != {*_TEXTS, *_LISTS}:
        return f"its keys must be {', '.join((*_TEXTS, *_LISTS))}"
    wrong = [f"{key} must be a text (in quotes where it looks like a number)" for key in _TEXTS
             if not isinstance(entry[key], str)]
    return "; ".join([*wrong, *(f"{key} must be a list" for key in _LISTS if not isinstance(entry[key], list))])


def errata_rows(path: Path, claims: Mapping[str, Claim], complete: bool) -> list[dict[str, Any]]:
    """The entries of which the ledger has a claim, with those claims in place of their ids.

    Raises ReportError where a claim of the form `erratum` is in no entry or in several, where an entry calls refuted
    what has another form, and, if the ledger is `complete` (of all studies), where an entry names what it has not.
    """
    entries = read_errata(path)
    listed = Counter(id for entry in entries for id in entry["refuted"])
    _check(path, entries, listed, claims, complete)
    rows = [{**entry, "refuted": _present(entry["refuted"], claims), "holds": _present(entry["holds"], claims)}
            for entry in entries]
    return [row for row in rows if row["refuted"]]


def _present(ids: Iterable[str], claims: Mapping[str, Claim]) -> list[Claim]:
    return [claims[id] for id in ids if id in claims]


def _check(path: Path, entries: list[dict[str, Any]], listed: Counter, claims: Mapping[str, Claim],
           complete: bool) -> None:
    errata = [claim.id for claim in claims.values() if claim.form == "erratum"]
    faults = [f"{id} is an erratum of the ledger and in no entry" for id in errata if not listed[id]]
    faults += [f"{id} is in {count} entries" for id, count in listed.items() if count > 1]
    faults += [f"{id} is called refuted, and no erratum in the ledger" for id in listed
               if id in claims and id not in errata]
    if complete:
        named = [id for entry in entries for id in (*entry["refuted"], *entry["holds"])]
        faults += [f"{id} is no claim of the ledger" for id in named if id not in claims]
    if faults:
        raise ReportError(f"{path}: {'; '.join(faults)}")
