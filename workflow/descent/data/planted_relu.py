"""Teachers of the planted ReLU stream: y = U0 relu(V0' x) with fresh x ~ N(0, I)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from descent.pipeline.randomness import generator, philox_key
from descent.pipeline.settings import Block
from descent.pipeline.stage import Stage
from descent.pipeline.tables import TableError, read_table, table_settings, write_table


class Settings(Block):
    """Sizes of the teacher network, and how many teachers are drawn."""

    input_dimension: int = Field(..., ge=1, le=2000, description="D, coordinates of an input x ~ N(0, I) (jhu.2a)")
    teacher_width: int = Field(..., ge=1, le=2000, description="r0, hidden units of the teacher (jhu.2a)")
    output_dimension: int = Field(..., ge=1, le=200, description="n, coordinates of an output y (jhu.2a)")
    teachers: int = Field(..., ge=1, le=1000, description="Teachers drawn; as many replicates may be asked for")

    @property
    def numbers(self) -> int:
        """Weights of all teachers together."""
        return self.teachers * self.teacher_width * (self.input_dimension + self.output_dimension)

    @model_validator(mode="after")
    def _weights_fit(self):
        if self.numbers > 10**8:
            raise ValueError(f"teachers * teacher_width * (input_dimension + output_dimension) = {self.numbers}: "
                             "must be at most 100000000")
        return self


def stage(settings: Settings, master_seed: int) -> Stage:
    """The stage that draws the teachers; a teacher does not depend on how many are drawn."""
    return Stage(
        rule="planted_relu", entry="descent.data.planted_relu:teachers",
        settings={"master_seed": master_seed, **settings.model_dump()}, inputs={},
        outputs={"table": "results/data/planted_relu.parquet"}, seconds=0.1,
        memory_mb=200 + round(4e-5 * settings.numbers), megabytes=8e-6 * settings.numbers,
    )


def teachers(settings: dict[str, Any], inputs: Mapping[str, Path], outputs: Mapping[str, Path]) -> None:
    """One row for each teacher: U0 (n, r0) with entries N(0, 1/r0), V0 (D, r0) with entries N(0, 1/D), row by row."""
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


def mini_batches(settings: dict[str, Any], inputs: Mapping[str, Path], outputs: Mapping[str, Path]) -> None:
    """Mean and variance of |y|^2 in each mini-batch, beside the exact mean tr(U0 K U0')."""
    import numpy as np

    from descent.dynamics.planted_sgd import sample_inputs
    from descent.kernels.arc_cosine import expected_square, relu_gram

    rows: list[tuple] = []
    for replicate in range(settings["replicates"]):
        output, hidden = read_teacher(inputs["teachers"], replicate)
        key = stream(settings["master_seed"], "mini_batches", replicate, len(hidden))
        samples = sample_inputs(len(hidden), 0, settings["count"] * settings["size"], key)
        squares = np.sum((output @ np.maximum(hidden.T @ samples, 0.0)) ** 2, axis=0).reshape(settings["count"], -1)
        exact = expected_square(output, relu_gram(hidden))
        rows += [(replicate, batch + 1, part.mean(), part.var(ddof=1), exact) for batch, part in enumerate(squares)]
    names = ("replicate", "batch", "mean_square", "variance", "exact")
    write_table(outputs["table"], dict(zip(names, map(list, zip(*rows)))), settings=settings)


def teacher_squares(batches: dict[str, Any], size: int) -> dict[str, Any]:
    """For each teacher the mean of |y|^2 over all mini-batches, its standard error and its expectation."""
    import numpy as np

    count = int(batches["batch"].max())
    means, variances, exact = (batches[name].reshape(-1, count) for name in ("mean_square", "variance", "exact"))
    errors = np.sqrt(variances.mean(axis=1) / (count * size))
    return {"means": means.mean(axis=1), "errors": errors, "expected": exact[:, 0], "samples": count * size}
