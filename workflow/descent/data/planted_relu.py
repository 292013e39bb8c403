"""Teachers of the planted ReLU stream: y = U0 relu(V0' x) with fresh x ~ N(0, I)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from descent.pipeline.randomness import generator, philox_key
from descent.pipeline.settings import Block
from descent.pipeline.stage import Stage
from descent.pipeline.tables import TableError, read_table, table_settings, write_table


class Settings(Block):
    """Sizes of the teacher network, and how many teachers are drawn."""

    input_dimension: int = Field(..., ge=1, le=2000, description="D, coordinates of an input x ~ N(0, I) (jhu.2a)")
    teacher_width: int = Field(..., ge=1, le=2000, description="r0, hidden units of the teacher (jhu.2a)")
    output_dimension: int = Field(..., ge=1, le=200, description="n, coordinates of an output y (jhu.2a)")
    teachers: int = Field(..., ge=1, le=1000, description="Teachers drawn, one for each replicate that may be asked for")


def stage(settings: Settings, master_seed: int) -> Stage:
    """The stage that draws the teachers; a teacher does not depend on how many are drawn."""
    return Stage(
        rule="planted_relu", entry="descent.data.planted_relu:teachers",
        settings={"master_seed": master_seed, **settings.model_dump()}, inputs={},
        outputs={"table": "results/data/planted_relu.parquet"}, seconds=0.1, memory_mb=200,
        megabytes=settings.teachers * 8e-6 * settings.teacher_width * (settings.input_dimension + settings.output_dimension),
    )


def teachers(settings: dict[str, Any], inputs: Mapping[str, Path], outputs: Mapping[str, Path]) -> None:
    """One row for each teacher: U0 (n, r0) with entries N(0, 1/r0) and V0 (D, r0) with entries N(0, 1/D), row by row."""
    import numpy as np

    n, r0, dimension = settings["output_dimension"], settings["teacher_width"], settings["input_dimension"]
    rows = range(settings["teachers"])
    draws = [
        generator(settings["master_seed"], "teacher", i, n=n, r0=r0, D=dimension).standard_normal((n + dimension, r0))
        for i in rows
    ]
    columns = {
        "replicate": np.array(rows),
        "output_weights": np.stack([draw[:n].ravel() / np.sqrt(r0) for draw in draws]),
        "hidden_weights": np.stack([draw[n:].ravel() / np.sqrt(dimension) for draw in draws]),
    }
    write_table(outputs["table"], columns, settings={k: v for k, v in settings.items() if k != "teachers"})


def read_teacher(path: Path, replicate: int):
    """Weights (U0 (n, r0), V0 (D, r0)), float64, of one teacher; TableError when there are not that many."""
    table, sizes = read_table(path), table_settings(path)
    if replicate >= len(table["replicate"]):
        raise TableError(f"{path}: replicate {replicate} has no teacher (data.planted_relu.teachers is too small)")
    shape = (-1, sizes["teacher_width"])
    return table["output_weights"][replicate].reshape(shape), table["hidden_weights"][replicate].reshape(shape)


def stream(master_seed: int, role: str, replicate: int, dimension: int):
    """Key of the input stream of one role (`training`, `mini_batches`), for `planted_sgd` and `philox`."""
    from descent.dynamics.philox import stream_key

    return stream_key(philox_key(master_seed, role, replicate, D=dimension))
