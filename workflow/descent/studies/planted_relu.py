"""Does over-parameterization help SGD to learn a planted ReLU network? (Homework 2, problem 2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from descent.claims import Outcome, check, report_only, write_claims
from descent.data.planted_relu import read_teacher, stream, teacher_squares
from descent.figures import LEVEL, STARTS, new_figure, save_figure, sequence
from descent.learning_curves import draw_risk, objective_panels, run_endings, shared_legend
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Positive, Size
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table
from descent.statistics import agreement, ending_summary, falling_trend, mean_ranks

TITLE = "Planted ReLU networks: learning rate and width"
PART = "teachers"


class MiniBatches(Block):
    """The test of the data stream (jhu.2a)."""

    count: int = Field(..., ge=2, le=1000, description="Mini-batches whose mean |y|^2 is shown (jhu.2a)")
    size: int = Field(..., ge=10, le=100000, description="Samples in each of them (jhu.2a)")


class LearningRates(Block):
    """The sweep over learning rates (jhu.2c)."""

    factor: int = Field(..., ge=1, le=64, description="Width over the teacher's, r / r0 (jhu.2c)")
    epochs: int = Field(..., ge=1, le=10000, description="Epochs of each run (jhu.2c)")
    rates: list[Positive] = Field(..., min_length=2, description="Initial learning rates eta, rising (jhu.2c)")


class Widths(Block):
    """The sweep over widths, each initialization at its best learning rate (jhu.2d)."""

    factors: list[Size] = Field(..., min_length=3, description="Widths over the teacher's, r / r0, from 1 (jhu.2d)")
    epochs: int = Field(..., ge=1, le=10000, description="Epochs of each run (jhu.2d)")


class Risk(Block):
    """Where the closed-form population risk is evaluated."""

    dense_epochs: int = Field(..., ge=0, le=10**6, description="Epochs after the start and each halving of eta")
    dense_points: int = Field(..., ge=1, le=1000, description="Evaluations in each of them; two in each other epoch")
    fresh_samples: int = Field(..., ge=10, le=100000, description="Samples that test each epoch's first weights")


class Settings(Block):
    """Settings of the study; problem 2 of Homework 2 gives the values of config.yaml."""

    replicates: int = Field(..., ge=2, le=1000, description="Teachers, each with its own data and initializations")
    initializations: list[Literal["gaussian", "uniform"]] = Field(
        ..., min_length=1, description="gaussian: the teacher's scaling; uniform: PyTorch's for Linear (jhu.2c)")
    batch_size: int = Field(..., ge=1, le=100, description="Samples in a mini-batch, m (jhu.2c)")
    epoch_samples: int = Field(..., ge=1, le=10**7, description="Fresh samples in an epoch (jhu.2b)")
    halve_every: int = Field(..., ge=1, le=10**6, description="Epochs after which the learning rate is halved (jhu.2b)")
    mini_batches: MiniBatches = Field(..., description="Test of the data stream (jhu.2a)")
    learning_rate: LearningRates = Field(..., description="Sweep over learning rates (jhu.2c)")
    width: Widths = Field(..., description="Sweep over widths (jhu.2d)")
    risk: Risk = Field(..., description="Closed-form population risk (jhu.2b)")

    @model_validator(mode="after")
    def _sizes_fit(self):
        for points in (2, self.risk.dense_points):
            if self.epoch_samples % (self.batch_size * points):
                raise ValueError(f"epoch_samples must be a multiple of batch_size * {points} (risk.dense_points)")
        for name, values in (("learning_rate.rates", self.learning_rate.rates), ("width.factors", self.width.factors)):
            if values != sorted(set(values)) or values[0] <= 0:
                raise ValueError(f"{name} must be positive and rising")
        if self.width.factors[0] != 1:
            raise ValueError("width.factors must start at 1, the teacher's own width")
        return self


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the data test, both sweeps, and what is read from them."""
    teachers = study.data("planted_relu", teachers=settings.replicates)
    replicates, inits, rates, factors = (
        range(settings.replicates), settings.initializations, settings.learning_rate.rates, settings.width.factors)
    batches = study.table("mini_batches", {
        "master_seed": study.master_seed, "replicates": settings.replicates, **settings.mini_batches.model_dump(),
    }, {"teachers": teachers}, entry="descent.data.planted_relu:mini_batches", seconds=0.5)
    common = {
        "master_seed": study.master_seed, "batch_size": settings.batch_size, "epoch_samples": settings.epoch_samples,
        "halve_every": settings.halve_every, **settings.risk.model_dump(),
    }
    cost = _cost(settings, settings.learning_rate.factor, settings.learning_rate.epochs)
    sweep: dict[str, list[str]] = {}
    wide: dict[str, list[str]] = {}
    for init in inits:
        train = {**common, "initialization": init, "factor": settings.learning_rate.factor,
                 "epochs": settings.learning_rate.epochs}
        sweep[init] = [
            study.train({"init": init, "factor": train["factor"], "eta": rate}, {**train, "learning_rate": rate},
                        {"teachers": teachers}, replicates, **cost)["metrics"]
            for rate in rates
        ]
        best = study.analysis({"init": init}, "best_learning_rate", "best_learning_rate",
                              {"rates": rates, "epochs": settings.learning_rate.epochs}, {"runs": sweep[init]})
        train = {**common, "initialization": init, "epochs": settings.width.epochs}
        wide[init] = [
            study.train({"init": init, "factor": factor, "eta": "best"}, {**train, "factor": factor},
                        {"teachers": teachers, "best": best}, replicates, entry="train_at_best_rate",
                        **_cost(settings, factor, settings.width.epochs))["metrics"]
            for factor in factors
        ]
    _plan_results(study, settings, batches, sweep, wide)


def _plan_results(study: StudyPlan, settings: Settings, batches: str, sweep: dict, wide: dict) -> None:
    rates = {"initializations": settings.initializations, "factor": settings.learning_rate.factor,
             "rates": settings.learning_rate.rates, "epochs": settings.learning_rate.epochs}
    widths = {"initializations": settings.initializations, "factors": settings.width.factors,
              "epochs": settings.width.epochs}
    rate_table = study.table("learning_rate", rates, sweep)
    width_table = study.table("width", widths, wide)
    risk_table = study.table("risk", {"initializations": settings.initializations, "rates": rates["rates"],
                                      "factors": widths["factors"]},
                             {f"{init}_{name}": runs[init] for name, runs in (("rates", sweep), ("widths", wide))
                              for init in settings.initializations})
    study.figure("learning_rate", rates, sweep)
    study.figure("width", {**widths, "halve_every": settings.halve_every}, wide)
    study.figure("population_risk", widths, wide)
    study.figure("final_objective", {"initializations": settings.initializations}, {"width": width_table})
    tables = {"mini_batches": batches, "learning_rate": rate_table, "width": width_table, "risk": risk_table}
    study.claims({"initializations": settings.initializations, "size": settings.mini_batches.size,
                  "fresh_samples": settings.risk.fresh_samples}, tables)
    study.values({"initializations": settings.initializations, "size": settings.mini_batches.size}, tables)


def _cost(settings: Settings, factor: int, epochs: int) -> dict[str, float]:
    # Measured at D = 150, r0 = 60, n = 10: microseconds a step, milliseconds an evaluation of the risk.
    steps = epochs * settings.epoch_samples / settings.batch_size
    dense = min(epochs, settings.risk.dense_epochs * -(-epochs // settings.halve_every))
    points = 2 * epochs + dense * settings.risk.dense_points
    seconds = settings.replicates * (steps * (2 + 1.7 * factor) * 1e-6 + points * (0.3 + 0.5 * factor) * 1e-3)
    return {"seconds": 0.5 + seconds, "memory_mb": 300, "megabytes": settings.replicates * 0.04 * factor + 0.1}


def train(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any], replicate: int) -> None:
    """One replicate of a run at the learning rate in the settings."""
    _train(settings, settings["learning_rate"], inputs, outputs, replicate)


def train_at_best_rate(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any],
                       replicate: int) -> None:
    """One replicate of a run at the learning rate that the table `best` names."""
    _train(settings, float(read_table(inputs["best"])["learning_rate"][0]), inputs, outputs, replicate)


def _train(settings, rate, inputs, outputs, replicate):
    from descent.dynamics.planted_run import measured_epochs
    from descent.dynamics.planted_sgd import PlantedSGD
    from descent.networks.initialization import two_layer_weights

    seed, kind = settings["master_seed"], settings["initialization"]
    teacher = read_teacher(inputs["teachers"], replicate)
    sizes = {"outputs": teacher[0].shape[0], "width": settings["factor"] * teacher[0].shape[1],
             "dimension": teacher[1].shape[0]}
    weights = two_layer_weights(generator(seed, "initialization", replicate, kind=kind, **sizes), kind, **sizes)
    run = PlantedSGD(teacher, weights, settings["batch_size"], stream(seed, "training", replicate, sizes["dimension"]))
    names = ("epochs", "halve_every", "dense_epochs", "dense_points", "fresh_samples")
    rows = list(measured_epochs(run, teacher, learning_rate=rate, **{name: settings[name] for name in names},
                                steps=settings["epoch_samples"] // settings["batch_size"]))
    columns = {"replicate": [replicate] * len(rows), **{name: [row[name] for row in rows] for name in rows[0]}}
    write_table(outputs["metrics"], columns, {"time": "flow time"}, settings)
    output, hidden = run.weights
    write_table(outputs["trajectory"], {
        "replicate": [replicate], "epoch": [rows[-1]["epoch"]], "output_weights": output.reshape(1, -1),
        "hidden_weights": hidden.reshape(1, -1)}, settings=settings)


def best_learning_rate(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """The rate with which the fewest replicates diverge and, among those, the last epoch's mean objective is least."""
    import numpy as np

    lasts = {
        rate: np.array([row["objective"] for row in run_endings(path, settings["epochs"])])
        for rate, path in zip(settings["rates"], inputs["runs"])
    }
    write_table(outputs["table"], {"learning_rate": [_winner(lasts)]})


def _winner(lasts: Mapping[float, Any]) -> float:
    import numpy as np

    return min(lasts, key=lambda rate: ((~np.isfinite(lasts[rate])).sum(), lasts[rate][np.isfinite(lasts[rate])].sum()))


def table_learning_rate(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """How each replicate ended at each learning rate, see `run_endings`."""
    _write_endings("learning_rate", settings["rates"], settings, inputs, outputs)


def table_width(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """How each replicate ended at each width, at the initialization's best learning rate, see `run_endings`."""
    _write_endings("factor", settings["factors"], settings, inputs, outputs)


def _write_endings(column, values, settings, inputs, outputs):
    rows = [
        {"initialization": init, column: value, **row}
        for init in settings["initializations"] for value, path in zip(values, inputs[init])
        for row in run_endings(path, settings["epochs"])
    ]
    write_table(outputs["table"], {name: [row[name] for row in rows] for name in rows[0]}, settings=settings)


def table_risk(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """For each run, what the samples say of the closed form; see `risk_deviation`."""
    from descent.dynamics.planted_run import risk_deviation

    rows = [
        {"initialization": init, "sweep": sweep, "value": float(value), **risk_deviation(read_table(path))}
        for sweep, values in (("rates", settings["rates"]), ("widths", settings["factors"]))
        for init in settings["initializations"] for value, path in zip(values, inputs[f"{init}_{sweep}"])
    ]
    write_table(outputs["table"], {name: [row[name] for row in rows] for name in rows[0]}, settings=settings)


def _by_initialization(settings, inputs):
    return [(f"{init.capitalize()} initialization", inputs[init]) for init in settings["initializations"]]


def figure_learning_rate(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """Objective by epoch for each learning rate, one panel for each initialization."""
    labels = [f"$\\eta$ = {rate:g}" for rate in settings["rates"]]
    figure, _ = objective_panels(_by_initialization(settings, inputs), labels, settings["epochs"], "step")
    save_figure(figure, outputs, settings["preview"])


def figure_width(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """Objective by epoch for each width, one panel for each initialization; vertical lines where the rate is halved."""
    labels = [f"r / r$_0$ = {factor}" for factor in settings["factors"]]
    figure, axes = objective_panels(_by_initialization(settings, inputs), labels, settings["epochs"], "width")
    for panel in axes:
        for epoch in range(settings["halve_every"], settings["epochs"], settings["halve_every"]):
            panel.axvline(epoch + 0.5, **LEVEL)
    save_figure(figure, outputs, settings["preview"])


def figure_population_risk(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """Objective (dots) and closed-form risk (lines) by epoch for each width; below, their relative difference."""
    figure, axes = new_figure(2, len(settings["initializations"]), 4.8, sharex=True, sharey="row", height_ratios=(3, 2))
    colors = sequence("width", len(settings["factors"]))
    for (top, bottom), init in zip(axes.T, settings["initializations"]):
        for color, path in zip(colors, inputs[init]):
            draw_risk(top, bottom, path, settings["epochs"], color)
        top.set(title=f"{init.capitalize()} initialization", xscale="log", yscale="log")
        bottom.set(xlabel="epoch")
    axes[0, 0].set_ylabel("objective (dots) and\nclosed-form risk (lines)")
    axes[1, 0].set_ylabel("objective / risk $-$ 1, in %")
    shared_legend(figure, axes[0, 0], [f"r / r$_0$ = {factor}" for factor in settings["factors"]], colors)
    save_figure(figure, outputs, settings["preview"])


def figure_final_objective(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """Last objective of each replicate against the width, the medians joined; crosses for divergence."""
    import numpy as np

    table = {name: np.array(column) for name, column in read_table(inputs["width"]).items()}
    figure, ((axes,),) = new_figure(1, 1, height=3.0)
    axes.set(xscale="log", yscale="log", xlabel="r / r$_0$", ylabel="objective of the last epoch")
    for shift, init in zip((0.97, 1.03), settings["initializations"]):
        rows, color = table["initialization"] == init, STARTS[init]
        factor, last = table["factor"][rows], table["objective"][rows]
        ended = np.isfinite(last)
        axes.plot(shift * factor[ended], last[ended], "o", color=color, alpha=0.5, markersize=4, markeredgewidth=0)
        whole = [f for f in np.unique(factor) if np.isfinite(last[factor == f]).all()]
        axes.plot([shift * f for f in whole], [np.median(last[factor == f]) for f in whole], color=color,
                  label=f"{init.capitalize()} initialization, $\\eta$ = {table['rate'][rows][0]:g}")
        if not ended.all():
            axes.plot(shift * factor[~ended], np.full((~ended).sum(), 0.97), "x", color=color,
                      transform=axes.get_xaxis_transform())
    axes.set_xticks(np.unique(table["factor"]), [str(f) for f in np.unique(table["factor"])])
    axes.minorticks_off()
    axes.legend()
    save_figure(figure, outputs, settings["preview"])


def _by_setting(table: dict[str, Any], init: str, column: str, value: str) -> dict[float, Any]:
    """`value` by replicate for each setting in `column` of one initialization."""
    import numpy as np

    rows = np.array(table["initialization"]) == init
    return {setting: table[value][rows & (table[column] == setting)] for setting in np.unique(table[column]).tolist()}


def _lost_pairs(lasts: Mapping[float, Any], winner: float) -> Outcome:
    """Pairs (other rate, replicate) in which `winner` does not end lower; a rate that diverges anywhere is beaten."""
    import numpy as np

    ends = {rate: last if np.isfinite(last).all() else np.full(len(last), np.inf) for rate, last in lasts.items()}
    lost = sum(int((ends[winner] >= end).sum()) for rate, end in ends.items() if rate != winner)
    return Outcome(lost, 0, (len(ends) - 1) * len(ends[winner]), lost == 0)


def claims(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """The study's rows of the ledger."""
    import numpy as np

    names = ("mini_batches", "learning_rate", "width", "risk")
    batches, rates, widths, risk = (read_table(inputs[name]) for name in names)
    squares = teacher_squares(batches, settings["size"])
    ratios = {"means": risk["ratio"], "errors": risk["error"], "expected": np.ones(len(risk["ratio"])),
              "samples": int(risk["epochs"].min()) * settings["fresh_samples"]}
    risk_figure = "planted_relu/population_risk"
    rows = [
        check("jhu.2a", "theorem", r"The mean of $\|y\|^2$ over the mini-batches is $\mathrm{tr}(U_0 K U_0^\top)$ for "
              "each teacher, within sampling error (observed in standard errors)", agreement, {**squares, "scale": 1.0},
              {"scale": 2.0}, "Cho and Saul's kernel, without the half", form="our own"),
        check("jhu.2b", "theorem", "Fresh samples have the closed-form population risk as their mean objective in each "
              "run, within sampling error (observed in standard errors)", agreement, {**ratios, "scale": 1.0},
              {"scale": 2.0}, "the risk without its factor ½", form="our own", figure=risk_figure),
        report_only("jhu.2b.epochs", "Largest relative difference, over epochs and runs, between the mean mini-batch "
                    "objective and the risk averaged over the epoch",
                    float(np.nanmax(risk["worst_difference"], initial=0)), int(risk["epochs"].sum()), risk_figure),
    ]
    for init in settings["initializations"]:
        rows += _sweep_claims(init, _by_setting(rates, init, "learning_rate", "objective"),
                              _by_setting(widths, init, "factor", "log_objective"))
    write_claims(outputs["claims"], rows)


def _sweep_claims(init: str, lasts: Mapping[float, Any], speeds: Mapping[float, Any]) -> list:
    import numpy as np

    best, top = _winner(lasts), max(lasts)
    second = _winner({rate: last for rate, last in lasts.items() if rate != best})
    start = f"With the {init} initialization"
    return [
        check(f"jhu.2c.{init}", "empirical", f"{start} $\\eta$ = {best:g} ends lowest in every replicate, among the "
              "learning rates with which none diverges (observed: pairs in which it does not)", _lost_pairs,
              {"lasts": lasts, "winner": best}, {"winner": second}, f"$\\eta$ = {second:g} in its place",
              form="our own", figure="planted_relu/learning_rate"),
        report_only(f"jhu.2c.{init}.divergence", f"{start} so many runs diverge at $\\eta$ = {top:g}",
                    int(np.isinf(lasts[top]).sum()), len(lasts[top]), "planted_relu/learning_rate"),
        check(f"jhu.2d.{init}", "empirical", f"{start} the order of Livni et al.'s Figure 1, a larger $r/r_0$ "
              "converges faster, is established (observed: exact p-value of Page's trend test)", falling_trend,
              {"samples": np.stack(list(speeds.values()), axis=1), "rotation": 0}, {"rotation": 1},
              "the widths' labels turned by one place from replicate to replicate", figure="planted_relu/width"),
    ]


def values(settings: dict[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """The numbers that the section uses."""
    import numpy as np

    names = ("mini_batches", "learning_rate", "width", "risk")
    batches, rates, widths, risk = (read_table(inputs[name]) for name in names)
    squares = teacher_squares(batches, settings["size"])
    first = batches["replicate"] == 0
    numbers: dict[str, Any] = {
        "batches": [{"batch": i + 1, "mean": m} for i, m in enumerate(batches["mean_square"][first].tolist())],
        "teachers": [{"teacher": i + 1, "mean": m, "error": e, "exact": x} for i, (m, e, x) in enumerate(zip(
            *(squares[name].tolist() for name in ("means", "errors", "expected"))))],
        "rates": [], "widths": [], "best": [],
        "risk_resolution": float(risk["error"].min()), "risk_evaluations": int(risk["epochs"].sum()),
        "risk_median_difference": float(np.nanmax(risk["median_difference"], initial=0)),
        "risk_worst_difference": float(np.nanmax(risk["worst_difference"], initial=0)),
    }
    for init in settings["initializations"]:
        lasts, steps = (_by_setting(rates, init, "learning_rate", name) for name in ("objective", "diverged_step"))
        ends, speeds = (_by_setting(widths, init, "factor", name) for name in ("objective", "log_objective"))
        best = _winner(lasts)
        numbers["rates"] += [
            {"init": init, "rate": r, "wins": r == best, "last_step": int(steps[r].max()), **ending_summary(last),
             "best_mean": ending_summary(lasts[best])["mean"]} for r, last in lasts.items()]
        numbers["widths"] += [
            {"init": init, "factor": int(factor), "rank": rank, **ending_summary(end)}
            for (factor, end), rank in zip(ends.items(), mean_ranks(speeds.values()))]
        numbers["best"].append({"init": init, "rate": best, **_order(speeds)})
    numbers["findings"] = [said.replace("gaussian", "Gaussian") for said in _findings(numbers)]
    outputs["values"].write_text(json.dumps(numbers, allow_nan=False, sort_keys=True, indent=1))


def _order(speeds: Mapping[float, Any]) -> dict[str, Any]:
    """Whether a larger width is faster, and whether it is slower, by Page's test; and the widths, fastest first."""
    import numpy as np

    samples, ranks = np.stack(list(speeds.values()), axis=1), mean_ranks(speeds.values())
    larger, smaller = falling_trend(samples), falling_trend(samples[:, ::-1])
    order = [int(factor) for _, factor in sorted(zip(ranks, speeds))]
    return {"p_larger": larger.observed, "p_smaller": smaller.observed, "larger_faster": larger.holds,
            "smaller_faster": smaller.holds, "level": larger.bound, "order": ", ".join(map(str, order))}


def _findings(numbers: Mapping[str, Any]) -> list[str]:
    rates = "; ".join(f"{row['rate']:g} from the {row['init']} initialization" for row in numbers["best"])
    orders = "; ".join(f"from the {row['init']} initialization {'' if row['larger_faster'] else 'not '}reproduced "
                       f"($r/r_0$ from fastest to slowest: {row['order']})" for row in numbers["best"])
    return [f"Planted ReLU networks, the learning rate that wins (fewest divergences, then lowest end): {rates}.",
            f"Livni et al.'s order, larger networks converge faster: {orders}."]
