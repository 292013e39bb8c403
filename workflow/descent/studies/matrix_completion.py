"""Deep matrix completion: effective rank and test error against depth and start (Arora, Cohen, Hu and Luo 2019)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.checkpoint import Checkpoint
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Positive, Size
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table

TITLE = "Deep matrix completion: low rank without being asked"
PART = "linear"


class Settings(Block):
    """Settings of the study, an extension to deep matrix completion; sizes of the paper's figure 3."""

    size: int = Field(..., ge=10, le=300, description="n of the n x n matrices")
    rank: int = Field(..., ge=1, le=50, description="Rank of the target")
    observations: int = Field(..., ge=10, le=10**6, description="Observed entries")
    depths: list[Size] = Field(..., min_length=3, description="Numbers of layers, 1 to 4, rising from 1")
    scales: list[Positive] = Field(..., min_length=2, description="Norm of the product at the start over the target's, "
                                                               "falling")
    replicates: int = Field(..., ge=3, le=50, description="Targets, observed sets and starts")
    step: float = Field(..., gt=0, le=1.5, description="eta as a part of 1 / (N |M|^(2 - 2/N))")
    tolerance: float = Field(..., gt=0, lt=1, description="Relative train error at which a run ends")
    cap: int = Field(..., ge=100, le=10**6, description="Most steps of a run")
    gap: float = Field(..., gt=0, le=0.01, description="Relative duality gap of the least nuclear norm")

    @model_validator(mode="after")
    def _possible(self):
        if self.rank > self.size or self.observations >= self.size**2:
            raise ValueError("rank must be at most size, and observations below size^2")
        if self.depths != list(range(1, len(self.depths) + 1)) or len(self.depths) > 4:
            raise ValueError("depths must be 1, 2, 3 or 1, 2, 3, 4")
        if self.scales != sorted(set(self.scales), reverse=True) or self.scales[-1] <= 0:
            raise ValueError("scales must be positive and fall")
        return self


STARTS = ("gaussian", "balanced")
NAMES = {"gaussian": "Gaussian", "balanced": "balanced"}


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the runs of each depth, the convex reference, and what is read from them."""
    shared = {"master_seed": study.master_seed, **settings.model_dump()}
    problem = {key: shared[key] for key in ("master_seed", "size", "rank", "observations", "replicates")}
    runs = {**problem, **{key: shared[key] for key in ("scales", "step", "tolerance", "cap")}}
    count, products = settings.replicates * len(settings.scales) * len(STARTS), (settings.size / 100) ** 3
    tables = {f"runs_{depth}": study.table(f"runs_{depth}", {**runs, "depth": depth}, {}, "table_runs",
                                           seconds=1 + count * products * (0.0, 0.02, 0.15, 1.0, 2.0)[depth])
              for depth in settings.depths}
    convex = {**problem, "gap": settings.gap}
    tables["references"] = study.table("references", convex, {}, seconds=1 + settings.replicates * products)
    read = {key: shared[key] for key in ("depths", "scales")}
    study.figure("training", read, tables, seconds=1)
    study.figure("final", read, tables, seconds=1)
    study.claims(read, tables)
    study.values({**read, "tolerance": settings.tolerance}, tables)


def _problem(settings: Mapping[str, Any], replicate: int):
    from descent.dynamics.matrix_completion import random_problem

    sizes = {key: settings[key] for key in ("size", "rank", "observations")}
    draws = generator(settings["master_seed"], "completion_problem", replicate, **sizes)
    return random_problem(draws, settings["size"], settings["rank"], settings["observations"])


def table_runs(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Errors and effective rank along gradient descent at one depth, for every start, scale and replicate."""
    import numpy as np

    from descent.dynamics.matrix_completion import complete, stable_step, starting_factors

    n, depth, parts = settings["size"], settings["depth"], []
    cases = list(itertools.product(range(settings["replicates"]), STARTS, settings["scales"]))
    for replicate, start, scale in Checkpoint(parts).over(cases):
        problem = _problem(settings, replicate)
        eta = stable_step(problem, depth, settings["step"])
        # The same random numbers at every scale.
        draws = generator(settings["master_seed"], f"completion_{start}", replicate, size=n, depth=depth)
        layers = starting_factors(draws, start, n, depth, scale * np.linalg.norm(problem.target))
        run = complete(problem, layers, eta, settings["tolerance"], settings["cap"])
        named = {"start": start, "depth": depth, "scale": scale, "replicate": replicate, "eta": eta}
        parts.append({**{name: np.full(len(run["step"]), value) for name, value in named.items()}, **run})
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    units = {"test_error": "norm of the target's unobserved entries",
             "train_error": "norm of the target's observed entries", "moved": "norm of the target's unobserved entries"}
    write_table(outputs["table"], columns, units, settings)


def table_references(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Of every target its effective rank, and of the solution of least nuclear norm rank and errors."""
    import numpy as np

    from descent.dynamics.matrix_completion import effective_rank, least_nuclear_norm

    rows = []
    for replicate in range(settings["replicates"]):
        problem = _problem(settings, replicate)
        found, gap = least_nuclear_norm(problem, settings["gap"])
        rows.append((replicate, effective_rank(problem.target), effective_rank(found), problem.test_error(found), gap))
    names = ("replicate", "target_rank", "nuclear_rank", "nuclear_error", "gap")
    write_table(outputs["table"], dict(zip(names, map(np.array, zip(*rows)), strict=True)), {}, settings)


def _tables(settings: Mapping[str, Any], inputs: Mapping[str, Path]):
    return {depth: read_table(inputs[f"runs_{depth}"]) for depth in settings["depths"]}


def figure_training(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Effective rank and test error over training, smallest Gaussian start."""
    from descent.bounds.matrix_completion_figures import draw_training

    figure = draw_training(_tables(settings, inputs), read_table(inputs["references"]), settings["scales"][-1])
    save_figure(figure, outputs, settings["preview"])


def figure_final(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Effective rank and test error at the end against the scale of the start."""
    from descent.bounds.matrix_completion_figures import draw_final

    figure = draw_final(_tables(settings, inputs), read_table(inputs["references"]))
    save_figure(figure, outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows on depth, start, rank and test error."""
    tables, references = _tables(settings, inputs), read_table(inputs["references"])
    write_claims(outputs["claims"], [*_depth_claims(tables), *_rank_claims(tables, references)])


def _depth_claims(tables: Mapping[int, Mapping[str, Any]]) -> list:
    from descent.bounds import matrix_completion as checks
    from descent.claims import check

    errors = {(start, depth): checks.endings(table, start, "test_error") for depth, table in tables.items()
              for start in STARTS}
    found = [check("arora.single", "theorem", "With one layer the unobserved entries keep the values that they start "
                   "with", checks.unmoved, {"table": tables[1]}, {"table": tables[2]}, "two layers")]
    for start in STARTS:
        for shallow, deep in zip(list(tables)[:-1], list(tables)[1:]):
            found.append(check(
                f"arora.depth_{deep}_{start}", "empirical", f"From the smallest {NAMES[start]} start {deep} "
                f"layers have a smaller test error than {shallow}",
                checks.less, {"smaller": errors[start, deep][:, -1], "larger": errors[start, shallow][:, -1]},
                {"smaller": errors[start, deep][:, 0]}, "the deeper network from the largest start", figure="final"))
    return found


def _rank_claims(tables: Mapping[int, Mapping[str, Any]], references: Mapping[str, Any]) -> list:
    from descent.bounds import matrix_completion as checks
    from descent.claims import check

    ranks = {depth: checks.endings(table, "gaussian", "effective_rank") for depth, table in tables.items()}
    target, deepest = references["target_rank"], max(tables)
    deep = checks.endings(tables[deepest], "gaussian", "test_error")[:, -1]
    two = checks.endings(tables[2], "gaussian", "test_error")[:, -1]
    single = {"ranks": {1: ranks[1]}}, "one layer"
    return [
        check("arora.rank", "empirical", "With two layers or more, the effective rank at the end comes closer to the "
              "target's with every smaller Gaussian start; from the smallest, a fifth of the excess at the largest "
              "is left at most", checks.approaches,
              {"ranks": {depth: ranks[depth] for depth in ranks if depth > 1}, "target": target, "left": 0.2},
              *single, figure="final"),
        check("arora.nuclear", "empirical", f"From the smallest Gaussian start {deepest} layers have a smaller test "
              "error than the solution of least nuclear norm", checks.less,
              {"smaller": deep, "larger": references["nuclear_error"]}, {"smaller": two}, "two layers",
              figure="final"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds.matrix_completion_summary import summary

    found = summary(_tables(settings, inputs), read_table(inputs["references"]), settings["scales"],
                    settings["tolerance"])
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
