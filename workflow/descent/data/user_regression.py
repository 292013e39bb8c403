"""A regression set of your own: named columns of a CSV or Parquet file."""

from __future__ import annotations

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
        if self.path.startswith("results/"):
            raise ValueError(f"path = {self.path!r}: the folder results holds what the laboratory makes")
        return self


def stage(settings: Settings, master_seed: int) -> Stage:
    """The stage that writes `results/data/user_regression.parquet`; the file's content is part of its key."""
    return Stage("user_regression", "descent.data.user_regression:user_regression", settings.model_dump(),
                 {"source": settings.path}, {"table": "results/data/user_regression.parquet"}, seconds=1.0)


def user_regression(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Write columns `x` (n, d) and `y` (n); the metadata's `means` and `scales` undo the standardization.

    A standardized column is (raw − mean) / scale with the standard deviation (divisor n) as scale. Raises TableError
    with the file's name, and the line (CSV) or row (Parquet) where there is one, on a column that is missing or twice
    there, a line of another length, a cell that is not a finite number, a constant column, and too few rows.
    """
    import numpy as np

    source, names = inputs["source"], [*settings["inputs"], settings["target"]]
    read = _parquet_columns if Path(settings["path"]).suffix.lower() == ".parquet" else _csv_columns
    raw = np.stack(read(source, names), axis=1)
    if len(raw) < len(names) + 1:
        raise TableError(f"{source}: {len(raw)} rows are too few for {len(names) - 1} inputs; at least "
                         f"{len(names) + 1} are needed")
    for name, extent in zip(names, np.ptp(raw, axis=0)):
        # A column of ones is an intercept, unless it is to be scaled.
        if extent == 0 and (settings["standardize"] or name == settings["target"]):
            raise TableError(f"{source}: column {name!r} is constant")
    means, scales = np.zeros(len(names)), np.ones(len(names))
    if settings["standardize"]:
        means, scales = raw.mean(axis=0), raw.std(axis=0)
    standard = (raw - means) / scales
    record = {**settings, "means": dict(zip(names, means.tolist())), "scales": dict(zip(names, scales.tolist()))}
    unit = "standard deviations" if settings["standardize"] else "1"
    columns = {"x": np.ascontiguousarray(standard[:, :-1]), "y": standard[:, -1]}
    write_table(outputs["table"], columns, dict.fromkeys(columns, unit), record)


def _refuse_missing(source: Path, names: Sequence[str], present: Sequence[str]) -> None:
    for name in names:
        if name not in present:
            raise TableError(f"{source}: no column {name!r} (there are: {', '.join(present)})")
        if present.count(name) > 1:
            raise TableError(f"{source}: {present.count(name)} columns are called {name!r}")


def _csv_columns(source: Path, names: Sequence[str]) -> list:
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv

    faults: list[str] = []

    def odd_line(row) -> str:
        faults.append(f"line {row.number}: {row.actual_columns} cells, not {row.expected_columns}")
        return "skip"

    # Read as text, so that a bad cell can be named; one thread, so that lines are counted.
    options = {"read_options": csv.ReadOptions(use_threads=False),
               "parse_options": csv.ParseOptions(ignore_empty_lines=False, invalid_row_handler=odd_line)}
    try:
        present = csv.open_csv(source, **options).schema.names
        _refuse_missing(source, names, present)
        faults.clear()
        types = csv.ConvertOptions(column_types=dict.fromkeys(present, pa.string()), include_columns=list(names))
        table = csv.read_csv(source, convert_options=types, **options)
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{source}: not a readable CSV file ({' '.join(str(error).split())})") from None
    if faults:
        raise TableError(f"{source}: {faults[0]}")
    rows = list(zip(*(table.column(name).to_pylist() for name in names)))
    while rows and not any(rows[-1]):
        rows.pop()
    for line, cells in enumerate(rows, start=2):
        _refuse_text(source, line, dict(zip(names, cells)))
    return list(np.array(rows, dtype=float).reshape(len(rows), len(names)).T)


def _refuse_text(source: Path, line: int, cells: Mapping[str, str]) -> None:
    for name, text in cells.items():
        if not _is_finite_number(text):
            found = f"{text!r} is not a finite number" if text.strip() else "the cell is empty"
            raise TableError(f"{source}: line {line}, column {name!r}: {found}")


def _is_finite_number(text: str) -> bool:
    from math import isfinite

    try:
        return "_" not in text and isfinite(float(text))
    except ValueError:
        return False


def _parquet_columns(source: Path, names: Sequence[str]) -> list:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(source) as file:
            _refuse_missing(source, names, file.schema_arrow.names)
            table = file.read(columns=list(names))
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{source}: not a readable Parquet file ({' '.join(str(error).split())})") from None
    columns = []
    for name in names:
        kind = table.schema.field(name).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
            raise TableError(f"{source}: column {name!r} holds {kind}, not numbers")
        values = table.column(name).cast(pa.float64(), safe=False).to_numpy()
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise TableError(f"{source}: row {bad[0] + 1}, column {name!r}: not a finite number")
        columns.append(values)
    return columns
