"""What one results folder says of itself: the record of every output, the ledger's rows and the values of the prose.

The store alone cannot tell this: it keeps what many reports share, under keys that do not say which belong together.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from descent.pipeline.sidecar import read_sidecar, recorded_digest


class Record(BaseModel):
    """The part of an output's sidecar that two results can be compared by; `code` is the digest of its parts."""

    model_config = ConfigDict(frozen=True)

    rule: str
    entry: str
    settings: dict[str, Any]
    replicates: list[int]
    code: str
    versions: dict[str, str]
    inputs: dict[str, str]
    recipe: str
    digest: str
    cpu: str | None = None


class _Sidecar(Record):
    parts: dict[str, str]


class LedgerRow(BaseModel):
    """The part of a claim that two results can be compared by."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    id: str
    kind: str
    form: str
    statement: str
    cases: int
    bound: float | None
    observed: float | None
    slack: float | None
    confidence: float | None
    verdict: str
    control_verdict: str


class Snapshot(BaseModel):
    """`outputs` by path in the results folder; `code`: parts by digest; `claims` and `values` by study.

    `faults`: files whose numbers do not come with a valid record, and why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    format: Literal["descent snapshot 1"]
    outputs: dict[str, Record]
    code: dict[str, dict[str, str]]
    claims: dict[str, list[LedgerRow]]
    values: dict[str, dict[str, Any]]
    faults: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _all_code_is_there(self) -> Snapshot:
        if not {record.code for record in self.outputs.values()} <= self.code.keys():
            raise ValueError("parts of some code are missing")
        return self

    @property
    def paths(self) -> set[str]:
        """Outputs, with and without a record."""
        return {*self.outputs, *(f"{study}/claims.parquet" for study in self.claims),
                *(f"{study}/values.json" for study in self.values)}


def read(path: Path) -> Snapshot:
    """The snapshot in a file, or of a results folder or the checkout that has it; ValueError where there is none."""
    if path.is_dir():
        return take(path)
    try:
        return Snapshot.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError:
        raise ValueError(f"{path}: not a snapshot (or: a results folder, or a checkout that has one)") from None


def take(folder: Path) -> Snapshot:
    """The snapshot of a results folder, or of `results` in a checkout; ValueError where there are no results."""
    results = folder / "results" if (folder / "results").is_dir() else folder
    outputs, code = _records(results)
    ledgers, values = sorted(results.glob("*/claims.parquet")), sorted(results.glob("*/values.json"))
    if not (outputs or ledgers or values):
        raise ValueError(f"{folder}: no results here (give a results folder, a checkout that has one, or a snapshot)")
    faults = {file.relative_to(results).as_posix(): _fault(file) for file in [*ledgers, *values]}
    return Snapshot(
        format="descent snapshot 1", outputs=outputs, code=code,
        claims={file.parent.name: _ledger(file) for file in ledgers},
        values={file.parent.name: _values(file) for file in values},
        faults={name: fault for name, fault in faults.items() if fault},
    )


def write(snapshot: Snapshot, path: Path) -> None:
    """Write the snapshot as JSON, the same bytes for the same results."""
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        partial.write_text(snapshot.model_dump_json(indent=1) + "\n", encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _records(results: Path) -> tuple[dict[str, Record], dict[str, dict[str, str]]]:
    records: dict[str, Record] = {}
    code: dict[str, dict[str, str]] = {}
    for file in sorted(results.rglob(".provenance/*.json")):
        output = file.parent.parent / file.name.removesuffix(".json")
        found = read_sidecar(output)
        if found is None or not output.is_file():
            continue
        try:
            record = _Sidecar.model_validate(found)
        except ValidationError as error:
            raise ValueError(f"{file}: damaged ({error.errors()[0]['loc'][0]})") from None
        records[output.relative_to(results).as_posix()] = Record(**record.model_dump(exclude={"parts"}))
        code[record.code] = record.parts
    return records, code


def _fault(file: Path) -> str | None:
    record = read_sidecar(file)
    if record is None:
        return "no record of what made it"
    return None if recorded_digest(file, record) == record["digest"] else "edited since it was made"


def _ledger(file: Path) -> list[LedgerRow]:
    from descent.pipeline.tables import read_table

    columns = read_table(file, list(LedgerRow.model_fields))
    rows = zip(*(list(map(_plain, column)) for column in columns.values()), strict=True)
    try:
        return [LedgerRow.model_validate(dict(zip(columns, row))) for row in rows]
    except ValidationError as error:
        raise ValueError(f"{file}: not a ledger of claims ({error.errors()[0]['loc'][0]})") from None


def _plain(value: Any) -> Any:
    # A number that is missing arrives as NaN.
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value


def _values(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{file}: not readable JSON ({error})") from None
    if not isinstance(values, dict):
        raise ValueError(f"{file}: not an object of values")
    return values
