"""A regression set of your own: named columns of a CSV or Parquet file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from descent.pipeline.settings import Block
from descent.pipeline.stage import Stage
from descent.pipeline.tables import TableError, write_table


class Settings(Block):
    """Where the file is and which of its columns are used."""

    path: str = Field(..., min_length=1, description="The file: .csv with headings in its first line, or .parquet")
    inputs: list[str] = Field(..., min_length=1, max_length=1000, description="Names of the predictors' columns")
    target: str = Field(..., min_length=1, description="Name of the column to predict")
    standardize: bool = Field(True, description="Whether every column is shifted to mean 0 and scaled to variance 1")

    @model_validator(mode="after")
    def _different_columns_known_format(self):
        if len({*self.inputs, self.target}) < len(self.inputs) + 1:
            raise ValueError("inputs and target must be different columns")
        if Path(self.path).suffix.lower() not in (".csv", ".parquet"):
            raise ValueError(f"path = {self.path!r}: must end in .csv or .parquet")
        if {"{", "}"}.intersection(self.path) or "://" in self.path:
            raise ValueError(f"path = {self.path!r}: must be the path of a file, without braces and ://")
        if Path(os.path.normpath(self.path)).absolute().is_relative_to(Path("results").absolute()):
            raise ValueError(f"path = {self.path!r}: the folder results holds what the laboratory makes")
        return self


def stage(settings: Settings, master_seed: int) -> Stage:
    """The stage that writes `results/data/user_regression.parquet`; the file's content is part of its key."""
    return Stage("user_regression", "descent.data.user_regression:user_regression", settings.model_dump(),
                 {"source": settings.path}, {"table": "results/data/user_regression.parquet"}, seconds=1.0)


_MOST_NUMBERS, _MOST_BYTES, _GREATEST = 5 * 10**6, 2**27, 1e100


def user_regression(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Write columns `x` (n, d) and `y` (n); the metadata's `means` and `scales` undo the standardization.

    A standardized column is (raw − mean) / scale with the standard deviation (divisor n) as scale. Raises TableError
    with the file's name, and the line (CSV) or row (Parquet) where there is one, on a column that is missing or twice
    there, a line of another length, a cell that is not a finite number up to 1e100, a constant column, too few rows,
    a text that is not UTF-8, a damaged file, and one of more than 5 million numbers (CSV: 128 MiB).
    """
    import numpy as np

    source, names = inputs["source"], [*settings["inputs"], settings["target"]]
    read = _parquet_columns if Path(settings["path"]).suffix.lower() == ".parquet" else _csv_columns
    raw = np.stack(read(source, names), axis=1)
    _refuse_rows(source, names, raw, settings["standardize"])
    means, scales = np.zeros(len(names)), np.ones(len(names))
    if settings["standardize"]:
        means, scales = raw.mean(axis=0), raw.std(axis=0)
    with np.errstate(all="ignore"):
        standard = (raw - means) / scales
    for name, column in zip(names, standard.T):
        if not np.isfinite(column).all():
            raise _fault(source, f"column {name!r}: its numbers are too close to one another to be standardized")
    record = {**settings, "means": dict(zip(names, means.tolist())), "scales": dict(zip(names, scales.tolist()))}
    unit = "standard deviations" if settings["standardize"] else "1"
    columns = {"x": np.ascontiguousarray(standard[:, :-1]), "y": standard[:, -1]}
    write_table(outputs["table"], columns, dict.fromkeys(columns, unit), record)


def _fault(source: Path, words: str) -> TableError:
    # Names and cells may hold anything, and any amount of it.
    line = "".join(char if char.isprintable() else repr(char)[1:-1] for char in " ".join(words.split()))
    return TableError(f"{source}: {line if len(line) <= 300 else line[:297] + '...'}")


def _refuse_rows(source: Path, names: Sequence[str], raw, standardize: bool) -> None:
    import numpy as np

    if len(raw) < len(names) + 1:
        raise _fault(source, f"{len(raw)} rows are too few for {len(names) - 1} inputs; at least {len(names) + 1} are "
                             "needed")
    for name, column in zip(names, raw.T):
        if np.abs(column).max() > _GREATEST:
            raise _fault(source, f"column {name!r}: numbers beyond {_GREATEST:g} are too large to compute with")
        # A column of ones is an intercept, unless it is to be scaled.
        if np.ptp(column) == 0 and (standardize or name == names[-1]):
            raise _fault(source, f"column {name!r} is constant")


def _refuse_missing(source: Path, names: Sequence[str], present: Sequence[str]) -> None:
    for name in names:
        if name not in present:
            raise _fault(source, f"no column {name!r} (there are: {', '.join(present)})")
        if present.count(name) > 1:
            raise _fault(source, f"{present.count(name)} columns are called {name!r}")


def _refuse_size(source: Path, rows: int, columns: int) -> None:
    if rows * columns > _MOST_NUMBERS:
        raise _fault(source, f"{rows} rows of {columns} columns are more than {_MOST_NUMBERS} numbers")


def _csv_text(source: Path) -> bytes:
    with open(source, "rb") as file:
        raw = file.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise _fault(source, f"larger than {_MOST_BYTES // 2**20} MiB")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _fault(source, f"line {raw.count(10, 0, error.start) + 1}: not UTF-8 text") from None
    return raw


def _csv_columns(source: Path, names: Sequence[str]) -> list:
    import numpy as np
    import pyarrow as pa

    raw, faults = pa.py_buffer(_csv_text(source)), []
    try:
        present = _opened_csv(raw, faults).schema.names
        _refuse_missing(source, names, present)
        faults.clear()
        table = _opened_csv(raw, faults, dict.fromkeys(present, pa.string()), list(names)).read_all()
    except pa.ArrowException as error:
        raise _fault(source, f"not a readable CSV file ({error})") from None
    if faults:
        raise _fault(source, faults[0])
    _refuse_size(source, len(table), len(names))
    rows = list(zip(*(table.column(name).to_pylist() for name in names)))
    while rows and not any(rows[-1]):
        rows.pop()
    for line, cells in enumerate(rows, start=2):
        _refuse_text(source, line, dict(zip(names, cells)))
    return list(np.array(rows, dtype=float).reshape(len(rows), len(names)).T)


def _opened_csv(raw, faults: list[str], types: Mapping[str, Any] | None = None, names: Sequence[str] = ()):
    import pyarrow as pa
    from pyarrow import csv

    def odd_line(row) -> str:
        faults.append(f"line {row.number}: {row.actual_columns} cells, not {row.expected_columns}")
        return "skip"

    # Read as text, so that a bad cell can be named; one thread, so that lines are counted.
    return csv.open_csv(
        pa.BufferReader(raw), read_options=csv.ReadOptions(use_threads=False),
        parse_options=csv.ParseOptions(ignore_empty_lines=False, invalid_row_handler=odd_line),
        convert_options=csv.ConvertOptions(column_types=types, include_columns=names),
    )


def _refuse_text(source: Path, line: int, cells: Mapping[str, str]) -> None:
    for name, text in cells.items():
        if not _is_finite_number(text):
            short = text if len(text) <= 60 else text[:57] + "..."
            found = f"{short!r} is not a finite number" if text.strip() else "the cell is empty"
            raise _fault(source, f"line {line}, column {name!r}: {found}")


def _is_finite_number(text: str) -> bool:
    from math import isfinite

    try:
        return "_" not in text and isfinite(float(text))
    except ValueError:
        return False


def _parquet_columns(source: Path, names: Sequence[str]) -> list:
    import numpy as np
    import pyarrow as pa

    table = _parquet_table(source, names)
    columns = []
    for name in names:
        kind = table.schema.field(name).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
            raise _fault(source, f"column {name!r} holds {kind}, not numbers")
        values = table.column(name).cast(pa.float64(), safe=False).to_numpy()
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise _fault(source, f"row {bad[0] + 1}, column {name!r}: not a finite number")
        columns.append(values)
    return columns


def _parquet_table(source: Path, names: Sequence[str]):
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(source) as file:
            present, rows = file.schema_arrow.names, file.metadata.num_rows
            _refuse_missing(source, names, present)
            _refuse_size(source, rows, len(names))
            return file.read(columns=list(names))
    except TableError:
        raise
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise _fault(source, f"not a readable Parquet file ({error})") from None
