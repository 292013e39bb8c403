"""In which settings do larger planted networks converge faster, and in which do all converge? (Homework 2, 2e)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from descent.claims import Outcome, check, report_only, write_claims
from descent.data.planted_relu import read_teacher, stream
from descent.figures import save_figure
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table
from descent.statistics import falling_trend

TITLE = "When larger networks do converge faster"
PURPOSES = ("order", "document", "near_zero")


class Length(Block):
    """How long runs are, and how many there are of each."""

    replicates: int = Field(..., ge=2, le=1000, description="Teachers, each with its own data and initializations")
    epochs: int = Field(..., ge=1, le=10000, description="Epochs of each run")


class Start(Block):
    """An initialization: U is scaled by output_scale r^-output_power and V by hidden_scale (jhu.2e)."""

    name: str = Field(..., pattern=r"^[a-z_]+$", description="What it is called")
    kind: Literal["gaussian", "uniform"] = Field(..., description="The distribution that is scaled, as in planted_relu")
    output_scale: float = Field(..., gt=0, description="Factor of U")
    output_power: float = Field(..., ge=0, le=1, description="Power of 1 / r in U's factor")
    hidden_scale: float = Field(..., gt=0, description="Factor of V")


class Optimizer(Block):
    """An optimizer and the learning rates it is tried with (jhu.2e)."""

    name: Literal["sgd", "momentum", "adam"] = Field(..., description="Optimizer")
    batch_size: int = Field(..., ge=1, le=100, description="Samples in a mini-batch, m")
    rates: list[float] = Field(..., min_length=1, description="Initial learning rates eta at r = r0")


class Document(Block):
    """The assignment's own setting (jhu.2c, 2d), chosen among those screened."""

    initialization: str = Field(..., description="One of the initializations")
    batch_size: int = Field(..., ge=1, description="Samples in a mini-batch (jhu.2c)")
    factor: int = Field(..., ge=1, description="Width over the teacher's at which eta is chosen (jhu.2c)")
    rates: list[float] = Field(..., min_length=2, description="Learning rates it is chosen from (jhu.2c)")


class Finalists(Block):
    """Settings that are run at full length before one is chosen."""

    order: int = Field(..., ge=1, le=100, description="Of those with the clearest order of the widths")
    near_zero: int = Field(..., ge=1, le=100, description="Of those that end nearest zero at every width")


class Constants(Block):
    """Constants of momentum and Adam."""

    momentum: float = Field(..., gt=0, lt=1, description="Decay of the mean gradient, both")
    decay: float = Field(..., gt=0, lt=1, description="Adam's decay of the mean squared gradient")
    floor: float = Field(..., gt=0, description="Adam's epsilon")


class Settings(Block):
    """Settings of the study; problem 2e of Homework 2 leaves them open."""

    factors: list[int] = Field(..., min_length=3, description="Widths over the teacher's, r / r0, rising (jhu.2d)")
    epoch_samples: int = Field(..., ge=1, le=10**7, description="Fresh samples in an epoch (jhu.2b)")
    intervals: int = Field(..., ge=1, le=100, description="Parts of a run between which eta is halved (jhu.2b)")
    screening: Length = Field(..., description="Short runs of all settings, from which the finalists are chosen")
    full: Length = Field(..., description="Full runs (jhu.2d) of the chosen settings, on replicates of their own")
    initializations: list[Start] = Field(..., min_length=1, description="Initializations (jhu.2e)")
    powers: list[int] = Field(..., min_length=1, description="p in eta_r = eta (r0 / r)^p (jhu.2e: eta per width)")
    optimizers: list[Optimizer] = Field(..., min_length=1, description="Optimizers, batch sizes and learning rates")
    constants: Constants = Field(..., description="Constants of momentum and Adam")
    document: Document = Field(..., description="The assignment's own setting")
    finalists: Finalists = Field(..., description="How many settings of each kind are run at full length")
    near_zero: float = Field(..., gt=0, lt=1, description="Risk over that of the zero network that counts as near zero")

    @model_validator(mode="after")
    def _fits(self):
        for part in (self.screening, self.full):
            if part.epochs % self.intervals:
                raise ValueError("epochs must be a multiple of intervals")
        if any(self.epoch_samples % optimizer.batch_size for optimizer in self.optimizers):
            raise ValueError("epoch_samples must be a multiple of every batch_size")
        if self.factors != sorted(set(self.factors)):
            raise ValueError("factors must be rising")
        document = self.document
        rates = [rate for one in self.optimizers for rate in one.rates
                 if (one.name, one.batch_size) == ("sgd", document.batch_size)]
        names = [start.name for start in self.initializations]
        if not (set(document.rates) <= set(rates) and document.initialization in names and 0 in self.powers
                and document.factor in self.factors):
            raise ValueError("document: its setting must be among those screened")
        return self


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the screening, the full runs of its finalists, the choice, and full runs of the chosen settings."""
    screening, full = settings.screening, settings.full
    total = screening.replicates + full.replicates
    teachers = study.data("planted_relu", teachers=total)
    plain = settings.model_dump()
    common = {"master_seed": study.master_seed, **{name: plain[name] for name in (
        "factors", "epoch_samples", "intervals", "constants")}}
    screened = {
        (one.name, one.batch_size, start.name): study.train({"optimizer": one.name, "batch": one.batch_size, "init": start.name},
                    {**common, "epochs": screening.epochs, "optimizer": one.model_dump(), "powers": settings.powers,
                     "initializations": [start.model_dump()]}, {"teachers": teachers}, range(screening.replicates),
                    **_cost(settings, screening, one, len(one.rates) * len(settings.powers)))["trajectory"]
        for one in settings.optimizers for start in settings.initializations
    }
    long = {**common, "epochs": full.epochs, "initializations": plain["initializations"]}
    choice = {"counts": plain["finalists"], "stretch": full.epochs / screening.epochs}
    dearest = max(settings.optimizers, key=lambda one: _cost(settings, full, one)["seconds"])
    count = 2 * sum(choice["counts"].values())
    final = study.train({"runs": "finalists"}, {**long, **choice}, {"teachers": teachers, "screened": screened.values()},
                        range(screening.replicates),
                        **_cost(settings, screening.model_copy(update={"epochs": full.epochs}), dearest, count))
    own = screened["sgd", settings.document.batch_size, settings.document.initialization]
    sweep = study.table("sweep", {"document": plain["document"]}, {
        "screened": screened.values(), "document": own, "final": final["trajectory"]})
    chosen = {
        purpose: study.train({"runs": purpose}, {**long, "purpose": purpose}, {"teachers": teachers, "sweep": sweep},
                             range(screening.replicates, total), **_cost(settings, full, dearest))
        for purpose in PURPOSES
    }
    curves = {purpose: paths["metrics"] for purpose, paths in chosen.items()}
    endings = {purpose: paths["trajectory"] for purpose, paths in chosen.items()}
    study.figure("mse_by_iteration", {"near_zero": settings.near_zero}, {**curves, "endings": endings["near_zero"]})
    study.figure("sweep", {"starts": [start.name for start in settings.initializations], "powers": settings.powers,
                           "optimizers": plain["optimizers"], "near_zero": settings.near_zero}, {"sweep": sweep})
    evidence = {"sweep": sweep, **{f"metrics_{name}": path for name, path in curves.items()},
                **{f"trajectory_{name}": path for name, path in endings.items()}}
    study.claims({"near_zero": settings.near_zero}, evidence)
    study.values({"near_zero": settings.near_zero, "screening_epochs": screening.epochs}, evidence)


def _cost(settings: Settings, length: Length, one: Optimizer, count: int = 1) -> dict[str, float]:
    # Measured at D = 150, r0 = 60, n = 10, in microseconds a step: vectors of more than 16 samples leave the registers.
    samples = one.batch_size * (1 if one.batch_size <= 16 else 2.5)
    step = {"sgd": 1.0, "momentum": 1.4, "adam": 1.8}[one.name] * sum(
        0.4 + 0.5 * factor + samples * (0.12 + 0.125 * factor) for factor in settings.factors)
    runs = count * length.replicates * length.epochs
    return {"seconds": 1 + runs * step * 1e-6 * settings.epoch_samples / one.batch_size, "memory_mb": 300,
            "megabytes": 1e-4 * runs * len(settings.factors)}


def train(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any], replicate: int) -> None:
    """One replicate of every width of the settings that are asked for: all, the finalists, or one that was chosen.

    `metrics` has a row for each setting, width and epoch, `trajectory` one for each setting and width.
    """
    from dataclasses import asdict

    tables: tuple[list, list] = ([], [])
    for choice in _asked(settings, inputs):
        for factor in settings["factors"]:
            labels = {"replicate": replicate, **asdict(choice), "factor": factor}
            rows, end = _run(settings, choice, factor, read_teacher(inputs["teachers"], replicate), replicate)
            tables[0].extend({**labels, **row} for row in rows)
            tables[1].append({**labels, **end})
    for name, rows in zip(("metrics", "trajectory"), tables, strict=True):
        write_table(outputs[name], {key: [row[key] for row in rows] for key in rows[0]},
                    {"time": "sum of learning rates"}, settings)


def _asked(settings, inputs) -> list:
    from descent.dynamics.planted_sweep import Choice
    from descent.dynamics.width_order import choices, finalists, sweep_rows

    if "optimizer" in settings:
        one = settings["optimizer"]
        return [Choice(one["name"], one["batch_size"], start["name"], power, rate) for rate in one["rates"]
                for power in settings["powers"] for start in settings["initializations"]]
    if "counts" in settings:
        rows = [row for path in inputs["screened"] for row in sweep_rows(read_table(path))]
        return finalists(rows, settings["counts"], settings["stretch"])
    table = read_table(inputs["sweep"])
    return [choice for choice, chosen in zip(choices(table), table[settings["purpose"]]) if chosen]


def _run(settings, choice, factor, teacher, replicate):
    from descent.dynamics.planted_sweep import ending, initial_weights, optimizer_run, scheduled_epochs
    from descent.kernels.arc_cosine import PlantedRisk

    start = next(one for one in settings["initializations"] if one["name"] == choice.initialization)
    sizes = {"outputs": teacher[0].shape[0], "width": factor * teacher[0].shape[1], "dimension": teacher[1].shape[0]}
    draws = generator(settings["master_seed"], "initialization", replicate, kind=start["kind"], **sizes)
    key = stream(settings["master_seed"], "training", replicate, sizes["dimension"])
    run = optimizer_run(choice, settings["constants"], teacher, initial_weights(draws, start, **sizes), key)
    risk = PlantedRisk(*teacher)
    first, null = risk(*run.weights), risk.teacher_square / 2
    rows = list(scheduled_epochs(
        run, risk, rate=choice.rate_at(factor), epochs=settings["epochs"], intervals=settings["intervals"],
        steps=settings["epoch_samples"] // choice.batch_size, every_risk="purpose" in settings))
    return rows, ending(rows, settings["epochs"], first, null)


def table_sweep(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """Every setting with its statistics, screened and at full length, and which one is chosen for each purpose."""
    import numpy as np

    from descent.dynamics.width_order import best_rows, document_choice, sweep_rows

    own = document_choice(read_table(inputs["document"]), **settings["document"])
    short = [row for path in inputs["screened"] for row in sweep_rows(read_table(path))]
    long = sweep_rows(read_table(inputs["final"]))
    chosen = {purpose: best_rows(long, purpose)[0] for purpose in ("order", "near_zero")}
    document = next(row for row in short if all(row[name] == value for name, value in vars(own).items()))
    rows = [{**row, "full": row_list is long, "document": row is document,
             **{purpose: row is best for purpose, best in chosen.items()}} for row_list in (short, long) for row in row_list]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    write_table(outputs["table"], {**columns, "rate": np.array(columns["rate"], float)}, settings=settings)


def figure_mse_by_iteration(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    pass


def figure_sweep(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    pass


def claims(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    pass


def values(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    pass
