"""The diabetes set that scikit-learn ships inside its package (Efron et al., 2004): a real scalar regression set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from descent.pipeline.settings import Block
from descent.pipeline.stage import Stage
from descent.pipeline.tables import write_table


class Settings(Block):
    """The set is used whole: there is nothing to choose."""


def stage(settings: Settings, master_seed: int) -> Stage:
    """The stage that writes `results/data/diabetes.parquet`; nothing in it is random."""
    return Stage("diabetes", "descent.data.diabetes:diabetes", settings.model_dump(), {},
                 {"table": "results/data/diabetes.parquet"}, seconds=1.5, megabytes=0.1)


def diabetes(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Write columns `x` (10 predictors) and `y`, disease progression after a year: 442 rows, in the package's order.

    Every column is standardized: mean 0 and variance 1 over the rows (divisor n).
    """
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, scaled=False)
    columns = {name: (raw - raw.mean(axis=0)) / raw.std(axis=0) for name, raw in {"x": x, "y": y}.items()}
    write_table(outputs["table"], columns, {"y": "standard deviations"}, settings)
