"""MNIST-1D (Greydanus): 1-d digits from the mnist1d package's own generator, each scaled to unit length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from descent.pipeline.settings import Block
from descent.pipeline.stage import Stage
from descent.pipeline.tables import write_table


class Settings(Block):
    """The size of the data set; everything else is the generator's default, its seed included."""

    num_samples: int = Field(..., ge=10, le=5000, multiple_of=10, description="Samples, a tenth of them per digit")


def stage(settings: Settings, master_seed: int) -> Stage:
    """The stage that writes `results/data/mnist1d.parquet`; the generator has a seed of its own."""
    return Stage("mnist1d", "descent.data.mnist1d:mnist1d", settings.model_dump(), {},
                 {"table": "results/data/mnist1d.parquet"}, seconds=2.0, megabytes=0.2)


def mnist1d(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Write columns `x` (40 values, ‖x‖ = 1) and `digit`, in the generator's order (shuffled; train_split = 1)."""
    import numpy as np
    from mnist1d.data import get_dataset_args, make_dataset

    arguments = get_dataset_args()
    arguments.num_samples, arguments.train_split = settings["num_samples"], 1.0
    samples = make_dataset(arguments)
    x = samples["x"] / np.linalg.norm(samples["x"], axis=1, keepdims=True)
    write_table(outputs["table"], {"x": x, "digit": samples["y"].astype(np.int64)}, {}, settings)
