"""In which settings do larger planted networks converge faster, and in which do all converge? (Homework 2, 2e)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from descent.claims import Outcome, check, report_only, write_claims
from descent.data.planted_relu import read_teacher, stream
from descent.figures import save_figure
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Positive, Size
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table
from descent.statistics import falling_trend

TITLE = "When larger networks do converge faster"
PART = "teachers"
PURPOSES = ("order", "document", "near_zero")


class Length(Block):
    """How long runs are, and how many there are of each."""

    replicates: int = Field(..., ge=2, le=1000, description="Teachers, each with its own data and initializations")
    epochs: int = Field(..., ge=1, le=10000, description="Epochs of each run")


class Start(Block):
    """An initialization: U is scaled by output_scale r^-output_power and V by hidden_scale (jhu.2e)."""

    name: str = Field(..., pattern=r"^[a-z_]+$", description="What it is called")
    kind: Literal["gaussian", "uniform"] = Field(..., description="The distribution that is scaled, as in planted_relu")
    output_scale: float = Field(..., gt=0, le=10**6, description="Factor of U")
    output_power: float = Field(..., ge=0, le=1, description="Power of 1 / r in U's factor")
    hidden_scale: float = Field(..., gt=0, le=10**6, description="Factor of V")


class Optimizer(Block):
    """An optimizer and the learning rates it is tried with (jhu.2e)."""

    name: Literal["sgd", "momentum", "adam"] = Field(..., description="Optimizer")
    batch_size: int = Field(..., ge=1, le=100, description="Samples in a mini-batch, m")
    rates: list[Positive] = Field(..., min_length=1, description="Initial learning rates eta at r = r0")


class Document(Block):
    """The assignment's own setting (jhu.2c, 2d), chosen among those screened."""

    initialization: str = Field(..., description="One of the initializations")
    batch_size: int = Field(..., ge=1, le=10**6, description="Samples in a mini-batch (jhu.2c)")
    factor: int = Field(..., ge=1, le=10**6, description="Width over the teacher's at which eta is chosen (jhu.2c)")
    rates: list[Positive] = Field(..., min_length=2, description="Learning rates it is chosen from (jhu.2c)")


class Finalists(Block):
    """Settings that are run at full length, on the screening's replicates, before one is chosen (jhu.2e)."""

    count: int = Field(..., ge=1, le=100, description="The best of the screened settings")
    exponents: list[Annotated[float, Field(ge=0, le=10)]] = Field(
        ..., min_length=1, description="e: eta is divided by (full / screened epochs)^e")


class Purposes(Block):
    """What a setting is sought for."""

    order: Finalists = Field(..., description="Larger networks converge faster at one learning rate for all widths")
    near_zero: Finalists = Field(..., description="Networks of all widths end near zero")


class Constants(Block):
    """Constants of momentum and Adam."""

    momentum: float = Field(..., gt=0, lt=1, description="Decay of the mean gradient, both")
    decay: float = Field(..., gt=0, lt=1, description="Adam's decay of the mean squared gradient")
    floor: float = Field(..., gt=0, le=1, description="Adam's epsilon")


class Settings(Block):
    """Settings of the study; problem 2e of Homework 2 leaves them open."""

    factors: list[Size] = Field(..., min_length=3, description="Widths over the teacher's, r / r0, rising (jhu.2d)")
    epoch_samples: int = Field(..., ge=1, le=10**7, description="Fresh samples in an epoch (jhu.2b)")
    intervals: int = Field(..., ge=1, le=100, description="Parts of a run between which eta is halved (jhu.2b)")
    screening: Length = Field(..., description="Short runs of all settings, from which the finalists are chosen")
    full: Length = Field(..., description="Full runs (jhu.2d) of the chosen settings, on replicates of their own")
    initializations: list[Start] = Field(..., min_length=1, description="Initializations (jhu.2e)")
    powers: list[Annotated[int, Field(ge=0, le=10)]] = Field(
        ..., min_length=1, description="p in eta_r = eta (r0 / r)^p (jhu.2e: eta per width)")
    optimizers: list[Optimizer] = Field(..., min_length=1, description="Optimizers, batch sizes and learning rates")
    constants: Constants = Field(..., description="Constants of momentum and Adam")
    document: Document = Field(..., description="The assignment's own setting")
    finalists: Purposes = Field(..., description="Settings that are run at full length before the choice")
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
    screening, full, plain = settings.screening, settings.full, settings.model_dump()
    last = screening.replicates + full.replicates
    teachers = study.data("planted_relu", teachers=last)
    common = {"master_seed": study.master_seed, **{name: plain[name] for name in (
        "factors", "epoch_samples", "intervals", "constants")}}
    screened = _screen(study, settings, common, teachers)
    long = {**common, "epochs": full.epochs, "initializations": plain["initializations"]}
    dearest = max(settings.optimizers, key=lambda one: _cost(settings, full, one)["seconds"])
    wanted = plain["finalists"]
    few = Length(replicates=screening.replicates, epochs=full.epochs)
    final = study.train(
        {"runs": "finalists"}, {**long, "wanted": wanted, "stretch": full.epochs / screening.epochs},
        {"teachers": teachers, "screened": screened.values()}, range(screening.replicates), "train_chosen",
        **_cost(settings, few, dearest, sum(one["count"] * len(one["exponents"]) for one in wanted.values())))
    own = screened["sgd", settings.document.batch_size, settings.document.initialization]
    sweep = study.table("sweep", {"document": plain["document"]}, {
        "screened": screened.values(), "document": own, "final": final["trajectory"]})
    runs = {}
    for purpose in PURPOSES:
        paths = study.train({"runs": purpose}, {**long, "purpose": purpose}, {"teachers": teachers, "sweep": sweep},
                            range(screening.replicates, last), "train_chosen", **_cost(settings, full, dearest))
        runs |= {f"{kind}_{purpose}": path for kind, path in paths.items()}
    study.figure("mse_by_iteration", {"near_zero": settings.near_zero}, runs)
    study.figure("sweep", {
        "starts": [start.name for start in settings.initializations], "powers": settings.powers,
        "optimizers": plain["optimizers"], "counts": {name: one["count"] for name, one in wanted.items()},
    }, {"sweep": sweep})
    study.claims({"near_zero": settings.near_zero}, {"sweep": sweep, **runs})
    study.values({"near_zero": settings.near_zero}, {"sweep": sweep, **runs})


def _screen(study: StudyPlan, settings: Settings, common: Mapping[str, Any], teachers: str) -> dict[tuple, str]:
    screening, found = settings.screening, {}
    for one in settings.optimizers:
        for start in settings.initializations:
            paths = study.train(
                {"optimizer": one.name, "batch": one.batch_size, "init": start.name},
                {**common, "epochs": screening.epochs, "optimizer": one.model_dump(), "powers": settings.powers,
                 "initializations": [start.model_dump()]}, {"teachers": teachers}, range(screening.replicates),
                **_cost(settings, screening, one, len(one.rates) * len(settings.powers)))
            found[one.name, one.batch_size, start.name] = paths["trajectory"]
    return found


def _cost(settings: Settings, length: Length, one: Optimizer, count: int = 1) -> dict[str, float]:
    # Measured at D = 150, r0 = 60, n = 10, in microseconds a step: vectors of more than 16 samples leave the registers.
    samples = one.batch_size * (1 if one.batch_size <= 16 else 2.5)
    step = {"sgd": 1.0, "momentum": 1.4, "adam": 1.8}[one.name] * sum(
        0.4 + 0.5 * factor + samples * (0.12 + 0.125 * factor) for factor in settings.factors)
    runs = count * length.replicates * length.epochs
    return {"seconds": 1 + runs * step * 1e-6 * settings.epoch_samples / one.batch_size, "memory_mb": 300,
            "megabytes": 1e-4 * runs * len(settings.factors)}


def train(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any], replicate: int) -> None:
    """One replicate of the screening: every width, learning rate and initialization in the settings."""
    from descent.dynamics.planted_sweep import Choice

    one = settings["optimizer"]
    _train([Choice(one["name"], one["batch_size"], start["name"], power, rate) for rate in one["rates"]
            for power in settings["powers"] for start in settings["initializations"]],
           settings, inputs, outputs, replicate)


def train_chosen(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any],
                 replicate: int) -> None:
    """One replicate of every width of the finalists, or of the setting that the table `sweep` names for a purpose."""
    from descent.dynamics.width_order import choices, finalists, sweep_rows

    if "wanted" in settings:
        rows = [row for path in inputs["screened"] for row in sweep_rows(read_table(path))]
        found = finalists(rows, settings["wanted"], settings["stretch"])
    else:
        table = read_table(inputs["sweep"])
        found = [choice for choice, chosen in zip(choices(table), table[f"for_{settings['purpose']}"]) if chosen]
    _train(found, settings, inputs, outputs, replicate)


def _train(found, settings, inputs, outputs, replicate):
    from dataclasses import asdict

    tables: tuple[list, list] = ([], [])
    for choice in found:
        for factor in settings["factors"]:
            labels = {"replicate": replicate, **asdict(choice), "factor": factor}
            rows, end = _run(settings, choice, factor, read_teacher(inputs["teachers"], replicate), replicate)
            tables[0].extend({**labels, **row} for row in rows)
            tables[1].append({**labels, **end})
    # A row of `metrics` for each setting, width and epoch, and of `trajectory` for each setting and width.
    for name, rows in zip(("metrics", "trajectory"), tables, strict=True):
        write_table(outputs[name], {key: [row[key] for row in rows] for key in rows[0]},
                    {"time": "sum of learning rates"}, settings)


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
    document = next(row for row in short if all(row[name] == value for name, value in vars(own).items()))
    chosen = {"document": document, **{purpose: best_rows(long, purpose)[0] for purpose in ("order", "near_zero")}}
    rows = [{**row, "full": full, **{f"for_{purpose}": row is chosen[purpose] for purpose in PURPOSES}}
            for full, part in ((False, short), (True, long)) for row in part]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    write_table(outputs["table"], {**columns, "rate": np.array(columns["rate"], float)}, settings=settings)



def _rows(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(table, row)) for row in zip(*(list(column) for column in table.values()))]


def _chosen(inputs: Mapping[str, Any], purpose: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return tuple(read_table(inputs[f"{kind}_{purpose}"]) for kind in ("metrics", "trajectory"))


def figure_mse_by_iteration(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """Mean squared error against iteration by width: chosen for the order, the assignment's own, chosen for the end."""
    from descent.dynamics.order_figures import draw_mse
    from descent.dynamics.order_summary import words
    from descent.report.formatting import num_math

    titles = ("chosen for the order", "the assignment's own", "chosen to end near zero")
    runs = []
    for purpose, title in zip(PURPOSES, titles, strict=True):
        metrics, endings = _chosen(inputs, purpose)
        one = words(_rows(endings)[0])
        rate = num_math(one["rate"], 2) + (r"\,r_0/r" if one["power"] else "")
        runs.append((f"{title}\n{one['optimizer']}, {one['initialization']},\n$\\eta = {rate}$", metrics, endings))
    save_figure(draw_mse(runs, settings["near_zero"]), outputs, settings["preview"])


def figure_sweep(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """All screened settings: how well the order of speeds follows the widths, and the worst risk at the end."""
    from descent.dynamics.order_figures import draw_sweep

    rows = _rows(read_table(inputs["sweep"]))
    figure = draw_sweep(rows, settings["optimizers"], settings["starts"], settings["powers"], settings["counts"])
    save_figure(figure, outputs, settings["preview"])


def all_near_zero(risks, level: float) -> Outcome:
    """Whether every relative risk in `risks` (replicates, widths) is at most `level`; observed: the greatest."""
    import numpy as np

    worst = float(np.max(risks))
    return Outcome(worst, level, np.size(risks), worst <= level)


def claims(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """The study's rows of the ledger."""
    from descent.dynamics.order_summary import sweep_counts, trend
    from descent.dynamics.width_order import by_width

    endings = {purpose: _chosen(inputs, purpose)[1] for purpose in PURPOSES}
    speeds = {purpose: by_width(endings[purpose], "log_objective") for purpose in PURPOSES}
    risks = {purpose: by_width(endings[purpose], "relative_risk") for purpose in PURPOSES}
    counts = sweep_counts([row for row in _rows(read_table(inputs["sweep"])) if not row["full"]])
    figure, cases = "width_order/mse_by_iteration", speeds["document"].size
    write_claims(outputs["claims"], [
        check("jhu.2e.order", "empirical", "In the setting that the screening chooses, with one learning rate for all "
              "widths, a larger $r/r_0$ converges faster on fresh replicates (observed: exact p-value of Page's trend "
              "test of the mean log objective)", falling_trend, {"samples": speeds["order"], "rotation": 0},
              {"rotation": 1}, "the widths' labels turned by one place from replicate to replicate", "our own", figure),
        check("jhu.2e.near_zero", "empirical", "In the setting that the screening chooses, networks of every width end "
              "near zero in every fresh replicate (observed: the greatest population risk over that of the network "
              "that is zero)", all_near_zero, {"risks": risks["near_zero"], "level": settings["near_zero"]},
              {"risks": risks["document"]}, "the assignment's own setting, same data", "our own", figure),
        report_only("jhu.2e.document", "In the assignment's own setting, on the same fresh replicates, Page's test "
                    "of the same order has this p-value", trend(endings["document"])["p_larger"], cases, figure),
        report_only("jhu.2e.both", "In the setting chosen to end near zero Page's test of the order has this p-value",
                    trend(endings["near_zero"])["p_larger"], cases, figure),
        report_only("jhu.2e.screening", "So many of the screened settings show the order in both screening replicates",
                    counts["settings_ordered"], counts["settings"], "width_order/sweep"),
    ])


def values(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """The numbers that the section uses."""
    import numpy as np

    from descent.dynamics.order_summary import sweep_counts, trend, width_rows, words

    rows = _rows(read_table(inputs["sweep"]))
    numbers: dict[str, Any] = {**sweep_counts([row for row in rows if not row["full"]]), "chosen": [], "widths": []}
    numbers["finalists"] = [
        {**words(row), "order": float(row["order"]), "margin": _finite(row["margin"]),
         "worst": _finite(row["worst_risk"]), **{name: bool(row[name]) for name in ("for_order", "for_near_zero")}}
        for row in rows if row["full"]]
    for purpose in PURPOSES:
        metrics, endings = _chosen(inputs, purpose)
        table = width_rows(metrics, endings, settings["near_zero"])
        epochs = [row["epochs"] for row in table]
        numbers["widths"] += [{"purpose": purpose, **row} for row in table]
        numbers["chosen"].append({
            "purpose": purpose, **words(_rows(endings)[0]), **trend(endings),
            **{f"last_{name}": value for name, value in trend(endings, "objective").items()},
            "worst": _finite(np.max(endings["relative_risk"])), "epochs": None if None in epochs else max(epochs)})
    numbers["findings"] = _findings(numbers, settings)
    outputs["values"].write_text(json.dumps(numbers, allow_nan=False, sort_keys=True, indent=1))


def _finite(value) -> float | None:
    import math

    return float(value) if math.isfinite(value) else None


def _findings(numbers: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    order, document, near_zero = numbers["chosen"]
    return [
        f"Among {numbers['settings']} settings for planted networks one is chosen, {_named(order)}; on fresh "
        f"replicates larger networks do {'' if order['larger_faster'] else 'not '}converge faster with it, and do "
        f"{'' if document['larger_faster'] else 'not '}with the assignment's own.",
        f"With another, {_named(near_zero)}, {'' if _all_there(near_zero, settings) else 'not '}all widths end with "
        f"less than {settings['near_zero']:g} of the zero network's risk in every replicate.",
    ]


def _named(one: Mapping[str, Any]) -> str:
    from descent.report.formatting import num_math

    rule = r"\, r_0/r$" if one["power"] else "$ for all widths"
    return f"{one['optimizer']}, {one['initialization']} initialization, $\\eta = {num_math(one['rate'], 2)}{rule}"


def _all_there(one: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    return one["worst"] is not None and one["worst"] <= settings["near_zero"]
