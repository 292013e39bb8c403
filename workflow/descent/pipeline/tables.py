"""Tidy Parquet tables with units in the fields and settings in the file."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from descent.pipeline.stage import canonical_json


class TableError(ValueError):
    """A table that cannot be read or lacks a column; the message names the file."""


def write_table(path: Path, columns: Mapping[str, Any], units: Mapping[str, str] | None = None,
                settings: Mapping[str, Any] | None = None) -> None:
    """Write equally long columns as one Parquet table, the same bytes for the same content.

    A column is a sequence, a 1-d array, or a 2-d array of shape (rows, k), kept as fixed-size lists.
    `units` become field metadata `unit`; `settings` the file's metadata `settings` (JSON).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {name: _arrow_array(values) for name, values in columns.items()}
    fields = [
        pa.field(name, array.type, metadata={"unit": (units or {}).get(name, "1")}) for name, array in arrays.items()
    ]
    schema = pa.schema(fields, metadata={"settings": canonical_json(dict(settings or {}))})
    table = pa.Table.from_arrays(list(arrays.values()), schema=schema)
    pq.write_table(table, path, compression="zstd")


def _arrow_array(values: Any):
    import numpy as np
    import pyarrow as pa

    if isinstance(values, np.ndarray) and values.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
    return pa.array(values)


def read_table(path: Path, columns: list[str] | None = None) -> dict[str, Any]:
    """Columns by name: numpy arrays (fixed-size lists as 2-d arrays), text as lists; TableError names a bad file."""
    with _opened(path) as file:
        missing = set(columns or ()) - set(file.schema_arrow.names)
        if missing:
            raise TableError(f"{path}: no column {', '.join(sorted(missing))}")
        table = file.read(columns=columns)
    return {name: _numpy_column(table.column(name)) for name in table.column_names}


def read_tables(paths: Mapping[str, Path], kind: str) -> dict[str, dict[str, Any]]:
    """`read_table` of every path whose name is KIND_NAME, by NAME, in the given order."""
    return {name.removeprefix(f"{kind}_"): read_table(path)
            for name, path in paths.items() if name.startswith(f"{kind}_")}


@contextlib.contextmanager
def _opened(path: Path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not read_table: it takes a folder `eta=0.1` for a column, and the folder of a table for its other parts.
        with pq.ParquetFile(path) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        raise TableError(f"{path}: not a readable Parquet table ({' '.join(str(error).split())})") from error


def _numpy_column(column):
    import pyarrow as pa

    column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_fixed_size_list(column.type):
        return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), column.type.list_size)
    if pa.types.is_string(column.type):
        return column.to_pylist()
    return column.to_numpy(zero_copy_only=False)


def table_settings(path: Path) -> dict[str, Any]:
    """The settings that a table's writer recorded in the file; TableError names a bad file."""
    with _opened(path) as file:
        metadata = file.schema_arrow.metadata or {}
    return json.loads(metadata.get(b"settings", b"{}"))


def join_tables(parts: list[Path], path: Path) -> None:
    """Write the rows of `parts`, one after the other, as one table with the first part's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for part in parts:
        with _opened(part) as file:
            tables.append(file.read())
    pq.write_table(pa.concat_tables(tables), path, compression="zstd")
