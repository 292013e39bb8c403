"""Why does Theorem 3.2's bound fail late? The drift of the tangent kernel over time and width, and sliding weights."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.settings import Block
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table

TITLE = "Why the bound fails late: the drift of the kernel"
PART = "convergence"


class Run(Block):
    """One width, trained for so many steps in one precision."""

    width: int = Field(..., ge=4, le=100000, multiple_of=4, description="Hidden units m")
    steps: int = Field(..., ge=100, le=10**6, description="Steps of gradient descent")
    precision: Literal["float64", "float32"] = Field(..., description="Floating-point numbers of the training")
    halvings: int = Field(..., ge=0, le=4, description="How often the large step is halved")


class Settings(Block):
    """Settings of the study, an extension of spec item du.6."""

    runs: list[Run] = Field(..., min_length=3, description="Widths, steps and precisions")
    replicates: int = Field(..., ge=2, le=100, description="Initializations of each run")
    stable_fraction: float = Field(
        ..., gt=0, le=0.9, description="Step over the limit of stability, 2 / lambda_max(H_infinity) (du.6)")
    window: int = Field(..., ge=10, le=1000, description="Steps over which returning patterns are sought")
    examined_steps: int = Field(..., ge=4, le=100, description="Steps at which H(t) is examined, even in the logarithm")
    level: float = Field(..., gt=0.5, lt=1, description="Part of lambda_0 whose crossing is compared over all widths")
    residual_tolerance: float = Field(..., gt=0, lt=1, description="Error allowed in the change of the residual")
    rate_tolerance: float = Field(..., gt=0, lt=0.5, description="Error allowed in the rate of decay")
    precision_tolerance: float = Field(..., gt=0, lt=0.5, description="Difference allowed between the precisions")

    @model_validator(mode="after")
    def _widths_and_precisions(self):
        names, widths = [_name(run) for run in self.runs], {run.width for run in self.runs if not run.halvings}
        if len(set(names)) < len(names) or len(widths) < 2 or not _pairs(self.runs):
            raise ValueError("runs must differ, have at least two widths and one of them in both precisions")
        if not {run.width for run in self.runs} <= widths or min(run.steps for run in self.runs) < 2 * self.window:
            raise ValueError("a halved step needs the same width with the whole one, and a run two windows of steps")
        return self


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the runs, and what is read from them: the longest run of each width, and pairs of precisions."""
    data = study.data("mnist1d")
    longest = _longest(settings.runs)
    common = min(run.steps for run in longest)
    paths = {_name(run): _plan_run(study, settings, run, common, data) for run in settings.runs}
    main, pairs = [_name(run) for run in longest], _pairs(settings.runs)
    halved = {_name(run): _name(one) for run in settings.runs for one in longest
              if run.halvings and one.width == run.width}
    inputs = {"data": data, **_inputs(paths, main)}
    study.figure("time_axis", {"runs": main}, inputs, seconds=2)
    study.figure("two_kernels", {"runs": main}, inputs, seconds=2)
    study.figure("widths", {"runs": main, "pairs": pairs, "step": common}, {"data": data, **_inputs(paths, paths)},
                 seconds=2)
    shared = {"runs": main, "pairs": pairs, "step": common}
    tolerances = settings.model_dump(include={"residual_tolerance", "rate_tolerance", "precision_tolerance"})
    study.claims({**shared, **tolerances}, {"data": data, **_inputs(paths, paths)}, seconds=2)
    study.values({**shared, "halved": halved, "level": settings.level}, {"data": data, **_inputs(paths, paths)},
                 seconds=2)


def _name(run: Run) -> str:
    return f"{run.width}_{run.precision}" + (f"_{run.halvings}" if run.halvings else "")


def _longest(runs: Iterable[Run]) -> list[Run]:
    # Of two equally long runs of a width the one in double precision.
    ordered = sorted((run for run in runs if not run.halvings), key=lambda run: (run.width, run.steps, run.precision))
    return [run for run, after in zip(ordered, [*ordered[1:], None], strict=True)
            if after is None or after.width != run.width]


def _pairs(runs: Iterable[Run]) -> dict[str, list[str]]:
    kinds = {(run.width, run.precision): _name(run) for run in runs if not run.halvings}
    return {f"m = {width}": [kinds[width, "float32"], kinds[width, "float64"]]
            for width in sorted({width for width, _ in kinds})
            if {(width, "float32"), (width, "float64")} <= set(kinds)}


def _inputs(paths: Mapping[str, Mapping[str, str]], names: Iterable[str]) -> dict[str, str]:
    return {f"{kind}_{name}": paths[name][kind] for name in names for kind in ("metrics", "trajectory")}


def _plan_run(study: StudyPlan, settings: Settings, run: Run, common: int, data: str) -> dict[str, str]:
    more = settings.model_dump(include={"stable_fraction", "window", "examined_steps"})
    more |= {"common_step": common, "longest": max(one.steps for one in _longest(settings.runs)),
             "master_seed": study.master_seed}
    # Measured at n = 500, d = 40: a step, and an examination with the steps of its window.
    units = settings.replicates * run.width / 1000
    step = 7.9e-4 if run.precision == "float64" else 4.3e-4
    seconds = 2 + units * (run.steps * step + settings.examined_steps * 0.01) + settings.replicates * 0.8
    named = run.model_dump(exclude={"steps"} if run.halvings else {"steps", "halvings"})
    return study.train(named, {**run.model_dump(), **more}, {"data": data}, range(settings.replicates),
                       seconds=seconds, memory_mb=400 + run.width // 20,
                       megabytes=settings.replicates * run.steps * 2e-5)


def train(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path], replicate: int) -> None:
    """One replicate of one run: the loss of every step, and the kernel at the examined steps."""
    import numpy as np

    from descent.dynamics.drift_run import drift_run, examined_steps
    from descent.dynamics.gradient_descent import GradientDescent
    from descent.networks import theorem_network as network

    data, width, seed = read_table(inputs["data"]), settings["width"], settings["master_seed"]
    x, y, parts = data["x"], network.label_targets("digit", data["digit"]), 2 ** settings["halvings"]
    eta = network.stable_step(settings["stable_fraction"], "theorem", x, width) / parts
    precision = {"float64": np.float64, "float32": np.float32}[settings["precision"]]
    descent = GradientDescent(network.hidden_weights(seed, replicate, width, x.shape[1]),
                              network.output_weights("theorem", seed, replicate, width, 1), x, y, eta,
                              scale=width**-0.5, dtype=precision)
    # A smaller step is examined at the same flow times, over windows of the same length.
    examined = examined_steps(settings["steps"] // parts, settings["longest"], settings["examined_steps"],
                              [settings["common_step"]])
    tables = drift_run(descent, x, eta, settings["steps"], [parts * k for k in examined], parts * settings["window"])
    for name, columns in zip(("metrics", "trajectory"), tables, strict=True):
        columns = {"replicate": np.full(len(columns["step"]), replicate), **columns}
        write_table(outputs[name], columns, {"flow_time": "flow time", "loss": "squared error"}, settings)


def _run(inputs: Mapping[str, Path], name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return read_table(inputs[f"metrics_{name}"]), read_table(inputs[f"trajectory_{name}"])


def _main(settings: Mapping[str, Any], inputs: Mapping[str, Path]) -> dict[int, tuple]:
    return {int(name.split("_")[0]): _run(inputs, name) for name in settings["runs"]}


def _precisions(settings: Mapping[str, Any], inputs: Mapping[str, Path]) -> dict[str, tuple]:
    return {name: (_run(inputs, single), _run(inputs, double)) for name, (single, double) in settings["pairs"].items()}


def _least_eigenvalue(inputs: Mapping[str, Path]) -> float:
    from descent.kernels.neural_tangent_kernel import least_limit_eigenvalue

    return least_limit_eigenvalue(read_table(inputs["data"], ["x"])["x"])


def figure_time_axis(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Loss, bound, eigenvalues, drift and flips on one time axis."""
    from descent.bounds.drift_figures import draw_time_axis

    save_figure(draw_time_axis(_main(settings, inputs), _least_eigenvalue(inputs)), outputs, settings["preview"])


def figure_two_kernels(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """What each kernel predicts against what happens."""
    from descent.bounds.drift_figures import draw_two_kernels

    save_figure(draw_two_kernels(_main(settings, inputs), _least_eigenvalue(inputs)), outputs, settings["preview"])


def figure_widths(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Everything against the width, and the two precisions."""
    from descent.bounds.drift_figures import draw_widths

    figure = draw_widths(_main(settings, inputs), _least_eigenvalue(inputs), settings["step"],
                         _precisions(settings, inputs))
    save_figure(figure, outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows of the extension of du.6."""
    runs, rate = _main(settings, inputs), _least_eigenvalue(inputs)
    samples = len(read_table(inputs["data"], ["digit"])["digit"])
    write_claims(outputs["claims"], [*_kernel_claims(settings, runs, samples), *_flow_claims(runs, rate),
                                     *_other_claims(settings, inputs, runs, rate)])


def _kernel_claims(settings: Mapping[str, Any], runs: Mapping[int, tuple], samples: int) -> list:
    from descent.bounds import drift_checks as checks
    from descent.claims import check

    tables = {"tables": [examined for _, examined in runs.values()]}
    time_axis, kernels = ({"form": "our own", "figure": f"kernel_drift/{name}"}
                          for name in ("time_axis", "two_kernels"))
    pattern = r"$H$ in place of $\widetilde H$"
    allowed, slower = settings["residual_tolerance"], settings["rate_tolerance"]
    return [
        check("du.6.weyl", "theorem", r"$|\lambda_k(H(t)) - \lambda_k(H(0))| \le \|H(t) - H(0)\|_2$ for every $k$",
              checks.weyl, tables, {"norm": "drift_rms"}, "the root mean square of the drift's eigenvalues in place of "
              "the greatest", **time_axis),
        check("du.6.sliding_order", "theorem", r"The sliding kernel satisfies $0 \preceq \widetilde H \preceq H$: its "
              "eigenvalues are not negative and none is above its counterpart", checks.sliding_order,
              {**tables, "samples": samples}, {"sign": -1.0}, r"$H \preceq \widetilde H$", **time_axis),
        check("du.6.sliding_residual", "empirical", r"Over each window of steps $\Delta r = "
              rf"-\eta\, \widetilde H \sum r$ to within {100 * allowed:.0f}% of $\|\Delta r\|$", checks.residual_change,
              {**tables, "allowed": allowed}, {"kernel": "pattern_error"}, pattern, **kernels),
        check("du.6.sliding_rate", "empirical", r"In each window $\|r\|^2$ falls at least at the rate "
              rf"$2\lambda_{{\min}}(\widetilde H)$, to within {100 * slower:.0f}%", checks.least_rate,
              {**tables, "allowed": slower}, {"kernel": "lambda_min"}, pattern, **kernels),
    ]


def _flow_claims(runs: Mapping[int, tuple], rate: float) -> list:
    from descent.bounds import drift_checks as checks
    from descent.claims import check

    along = {"runs": list(runs.values()), "rate": rate, "level": rate / 2}
    wrong, text = {"rate": 2 * rate}, r"$e^{-2\lambda_0 t}$: the rate of the square taken for the norm"
    return [
        check("du.6.flow_widths", "empirical", r"Descent stays below the flow bound $e^{-\lambda_0 t}$ while "
              r"$\lambda_{\min}(H) \ge \lambda_0/2$, at every width", checks.flow_while,
              {**along, "kernel": "lambda_min"}, wrong, text, form="as printed", figure="kernel_drift/widths"),
        check("du.6.flow_sliding", "empirical", r"Descent stays below the flow bound $e^{-\lambda_0 t}$ while "
              r"$\lambda_{\min}(\widetilde H) \ge \lambda_0/2$, at every width", checks.flow_while,
              {**along, "kernel": "sliding_lambda_min"}, wrong, text, form="corrected", figure="kernel_drift/widths"),
    ]


def _other_claims(settings: Mapping[str, Any], inputs: Mapping[str, Path], runs: Mapping[int, tuple],
                  rate: float) -> list:
    from descent.bounds import drift_checks as checks
    from descent.bounds.drift_summary import at_step
    from descent.claims import check

    widths, drifts = at_step(runs, settings["step"], "drift")
    pairs, allowed = list(_precisions(settings, inputs).values()), settings["precision_tolerance"]
    return [
        check("du.6.drift_width", "asymptotic", r"At a common time $\|H(t) - H(0)\|_2$ falls as the width grows: the "
              "log-log slope is negative", checks.falls_with_width, {"widths": widths, "values": drifts},
              {"widths": widths.reshape(-1, len(widths) // len(runs)).T.ravel()},
              "the widths assigned to the runs in another order", form="our own", figure="kernel_drift/widths"),
        check("du.6.float32", "empirical", r"Training in single precision gives the same $\ln$ loss and "
              rf"$\lambda_{{\min}}/\lambda_0$, of $H$ and $\widetilde H$, to within {allowed:g}",
              checks.precision_agrees, {"pairs": pairs, "lambda_0": rate, "allowed": allowed},
              {"pairs": [(single, checks.next_replicate(double)) for single, double in pairs]},
              "another initialization in double precision", form="our own", figure="kernel_drift/widths"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds import drift_summary as summary

    runs, lambda_0 = _main(settings, inputs), _least_eigenvalue(inputs)
    found: dict[str, Any] = {"lambda_0": lambda_0, "common_step": settings["step"], "widths": [
        summary.width_row(run, width, name.split("_")[1], lambda_0, settings["level"])
        for (width, run), name in zip(runs.items(), settings["runs"], strict=True)]}
    found |= summary.slopes(runs, settings["step"], lambda_0, settings["level"])
    found |= summary.overview(runs, settings["step"])
    found["halved"] = [summary.halving_row(_run(inputs, whole), _run(inputs, name), int(name.split("_")[2]),
                                           int(name.split("_")[0]), lambda_0)
                       for name, whole in settings["halved"].items()]
    found["precision"] = [summary.precision_row(name, *pair, lambda_0)
                          for name, pair in _precisions(settings, inputs).items()]
    found["findings"] = summary.findings(found)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
