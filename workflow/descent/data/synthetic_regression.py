"""A scalar regression set with known answer: Gaussian inputs, a linear teacher, Gaussian noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block
from descent.pipeline.stage import Stage
from descent.pipeline.tables import write_table


class Settings(Block):
    """Size of the set and its noise."""

    samples: int = Field(..., ge=2, le=10**5, description="n, rows")
    input_dimension: int = Field(..., ge=1, le=1000, description="d, coordinates of an input x ~ N(0, I)")
    noise: float = Field(..., ge=0, le=100, description="Standard deviation of the noise; the teacher's output has 1")


def stage(settings: Settings, master_seed: int) -> Stage:
    """The stage that writes `results/data/synthetic_regression.parquet`."""
    megabytes = 8e-6 * settings.samples * (settings.input_dimension + 1)
    return Stage("synthetic_regression", "descent.data.synthetic_regression:synthetic_regression",
                 {"master_seed": master_seed, **settings.model_dump()}, {},
                 {"table": "results/data/synthetic_regression.parquet"}, seconds=0.1,
                 memory_mb=300 + round(5 * megabytes), megabytes=megabytes)


def synthetic_regression(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Write columns `x` (n, d) ~ N(0, I) and `y` = ⟨w*, x⟩ + noise · ε, w* uniform on the unit sphere, ε ~ N(0, 1).

    The first rows do not depend on how many are drawn. The metadata's `teacher` is w*.
    """
    import numpy as np

    seed, d = settings["master_seed"], settings["input_dimension"]
    teacher = generator(seed, "regression_teacher", 0, d=d).standard_normal(d)
    teacher /= np.linalg.norm(teacher)
    draws = generator(seed, "regression_rows", 0, d=d).standard_normal((settings["samples"], d + 1))
    x = np.ascontiguousarray(draws[:, :d])
    columns = {"x": x, "y": x @ teacher + settings["noise"] * draws[:, d]}
    write_table(outputs["table"], columns, settings={**settings, "teacher": teacher.tolist()})
