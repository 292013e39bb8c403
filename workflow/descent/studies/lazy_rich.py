"""Lazy or rich? One network trained at many output scales (Chizat, Oyallon and Bach 2019)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.settings import Block, Positive
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, table_settings, write_table

TITLE = "Lazy or rich? The same network at many output scales"
PART = "kernels"


class Plane(Block):
    """The illustration with two input coordinates."""

    scales: list[Positive] = Field(..., min_length=2, max_length=4, description="Output scales alpha shown")
    width: int = Field(..., ge=8, le=10**4, multiple_of=8, description="Hidden units")
    samples: int = Field(..., ge=4, le=10**4, description="Training samples on the circle")
    steps: int = Field(..., ge=10, le=10**6, description="Steps of gradient descent")


class Settings(Block):
    """Settings of the study, an extension of tau.4.3."""

    width: int = Field(..., ge=8, le=10**4, multiple_of=8, description="Hidden units m, twins included")
    samples: int = Field(..., ge=8, le=5000, description="Training samples n, of either data set")
    fresh_samples: int = Field(..., ge=10, le=10**6, description="Fresh samples of the planted teacher")
    input_dimension: int = Field(..., ge=2, le=1000, description="d of the planted teacher's inputs")
    teacher_units: int = Field(..., ge=1, le=1000, description="Hidden units of the planted teacher")
    rounding: float = Field(..., gt=0, le=10, description="b of the smooth activation (z + sqrt(z^2 + b^2)) / 2")
    replicates: int = Field(..., ge=3, le=100, description="Each with its own teacher, data and initialization")
    relu_replicates: int = Field(..., ge=3, le=100, description="The same for the ReLU, whose kernel drifts at random")
    least_scale: float = Field(..., gt=0, le=10**6, description="Smallest output scale alpha")
    greatest_scale: float = Field(..., gt=0, le=10**6, description="Largest output scale alpha")
    scales: int = Field(..., ge=8, le=100, description="Output scales, even in the logarithm")
    lazy: list[Positive] = Field(..., min_length=2, max_length=2, description="Scales between which slopes are fitted")
    lazy_relu: list[Positive] = Field(..., min_length=2, max_length=2,
                                   description="The same for what flipped patterns decide: some have to flip")
    flow_time: float = Field(..., gt=0, le=10**4, description="Common horizon of all runs")
    steps: int = Field(..., ge=20, le=10**6, description="Steps of gradient descent up to the horizon")
    kept_steps: int = Field(..., ge=8, le=500, description="Steps at which errors are recorded")
    examined_steps: int = Field(..., ge=3, le=100, description="Steps at which weights and kernels are examined")
    slope_margin: float = Field(..., gt=0, lt=1, description="What fitted slopes may differ from theory by")
    plane: Plane = Field(..., description="The illustration in two dimensions")

    @model_validator(mode="after")
    def _lazy_scales(self):
        if not self.least_scale < self.greatest_scale:
            raise ValueError("need least_scale < greatest_scale")
        for low, high in (self.lazy, self.lazy_relu):
            if sum(low <= scale <= high for scale in _scales(self)) < 3:
                raise ValueError(f"a slope needs at least 3 scales between {low} and {high}")
        return self


def _scales(settings: Settings) -> list[float]:
    ratio = (settings.greatest_scale / settings.least_scale) ** (1 / (settings.scales - 1))
    return [float(f"{settings.least_scale * ratio**i:.6g}") for i in range(settings.scales)]


# Runs by name: the activation's rounding (0: ReLU), the start and the data.
RUNS = {"relu": ("relu", "doubled", "planted"), "smooth": ("smooth", "doubled", "planted"),
        "centred": ("smooth", "centred", "planted"), "digits": ("relu", "doubled", "mnist1d")}


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the four runs, each with all its scales, the illustration, and what is read from them."""
    data = study.data("mnist1d", num_samples=settings.samples)
    paths = {name: _train(study, settings, name, data) for name in RUNS}
    tables = {f"{kind}_{name}": path for name, found in paths.items() for kind, path in found.items()}
    plane = study.table("plane", {"master_seed": study.master_seed, "teacher_units": settings.teacher_units,
                                  "flow_time": settings.flow_time, **settings.plane.model_dump()}, {}, seconds=2)
    study.figure("scale_powers", {"lazy": settings.lazy, "lazy_relu": settings.lazy_relu}, tables)
    study.figure("scale_curves", {}, {"metrics": tables["metrics_relu"], "looks": tables["trajectory_relu"]})
    study.figure("weights_in_the_plane", {}, {"plane": plane})
    shared = {"master_seed": study.master_seed, **settings.model_dump(exclude={"plane"})}
    study.claims(shared, tables, seconds=3)
    study.values(shared, {**tables, "plane": plane})


def _train(study: StudyPlan, settings: Settings, run: str, data: str) -> dict[str, str]:
    activation, start, source = RUNS[run]
    replicates = settings.relu_replicates if run == "relu" else settings.replicates
    names = ("width", "samples", "flow_time", "steps", "kept_steps", "examined_steps")
    shared = {name: getattr(settings, name) for name in names}
    planted = ("fresh_samples", "input_dimension", "teacher_units")
    more = {name: getattr(settings, name) for name in planted} if source == "planted" else {}
    rounding = settings.rounding if activation == "smooth" else 0.0
    # Measured at n = 100, m = 256: microseconds a step, 77 with the smooth activation, 25 (d = 10) and 60 (d = 40).
    step = {"smooth": 80e-6, "relu": 27e-6 if source == "planted" else 65e-6}[activation]
    seconds = replicates * settings.scales * (settings.steps * step + 0.004 * settings.examined_steps)
    return study.train(
        {"activation": activation, "start": start, "data": source},
        {"start": start, "rounding": rounding, "source": source, "scales": _scales(settings),
         "master_seed": study.master_seed, **shared, **more},
        {"data": data} if source == "mnist1d" else {}, range(replicates), seconds=0.5 + seconds,
        memory_mb=400, megabytes=1e-4 * replicates * settings.scales * settings.kept_steps)


def train(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path], replicate: int) -> None:
    """One replicate at every scale: errors at the kept steps, weights and kernel at the examined ones; scale ∞ last."""
    import numpy as np

    from descent.dynamics import lazy_training as lazy
    from descent.dynamics.recorded_descent import log_spaced_steps

    samples, fresh = _samples(settings, inputs, replicate)
    start = lazy.initial(settings["start"], settings["rounding"], settings["master_seed"], replicate,
                         settings["width"], samples[0].shape[1])
    tangent = lazy.Tangent(start, *samples, settings["flow_time"] / settings["steps"])
    kept, looked = (log_spaced_steps(settings["steps"], settings[name]) for name in ("kept_steps", "examined_steps"))
    parts = [lazy.record_scale(start, tangent, scale, samples, fresh, kept, looked) for scale in settings["scales"]]
    parts.append(lazy.record_tangent(tangent, samples, fresh, kept))
    for name, tables in zip(("metrics", "trajectory"), zip(*parts, strict=True), strict=True):
        columns = {column: np.concatenate([table[column] for table in tables]) for column in tables[0]}
        write_table(outputs[name], {"replicate": np.full(len(columns["step"]), replicate), **columns},
                    {"flow_time": "flow time"}, settings)


def _samples(settings: Mapping[str, Any], inputs: Mapping[str, Path], replicate: int):
    """Training samples (X, y) and, from the planted teacher, fresh ones."""
    from descent.dynamics.lazy_training import planted_sphere
    from descent.networks.theorem_network import label_targets

    n = settings["samples"]
    if settings["source"] == "mnist1d":
        data = read_table(inputs["data"])
        return (data["x"][:n], label_targets("digit", data["digit"])[:n, 0]), None
    x, y = planted_sphere(settings["master_seed"], replicate, n + settings["fresh_samples"],
                          settings["input_dimension"], settings["teacher_units"])
    return (x[:n], y[:n]), (x[n:], y[n:])


def table_plane(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Weights at the start and at the end for two input coordinates, one row for each scale and unit."""
    from descent.dynamics.lazy_training import plane_columns, teacher_directions

    names = ("scales", "width", "samples", "teacher_units", "flow_time", "steps")
    columns = plane_columns(settings["master_seed"], *(settings[name] for name in names))
    directions, signs = teacher_directions(settings["master_seed"], 0, 2, settings["teacher_units"])
    write_table(outputs["table"], columns, settings={"directions": directions.tolist(), "signs": signs.tolist()})


def figure_scale_powers(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Weight movement, kernel drift and distance from the tangent model against the scale, with fitted slopes."""
    from descent.dynamics.lazy_figures import draw_scaling

    tables = (_tables(inputs, kind) for kind in ("metrics", "trajectory"))
    figure = draw_scaling(*tables, settings["lazy"], settings["lazy_relu"])
    save_figure(figure, outputs, settings["preview"])


def figure_scale_curves(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Training curves at several scales and the test error against the scale, beside the tangent model."""
    from descent.dynamics.lazy_figures import draw_curves

    save_figure(draw_curves(read_table(inputs["metrics"]), read_table(inputs["looks"])), outputs, settings["preview"])


def figure_weights_in_the_plane(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Hidden weights in the plane before and after training."""
    from descent.dynamics.lazy_figures import draw_plane

    figure = draw_plane(read_table(inputs["plane"]), table_settings(inputs["plane"]))
    save_figure(figure, outputs, settings["preview"])


def _tables(inputs: Mapping[str, Path], kind: str) -> dict[str, Any]:
    return {name: read_table(inputs[f"{kind}_{name}"]) for name in RUNS}


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows about output scales (an extension of tau.4.3)."""
    write_claims(outputs["claims"], [_mirror_claim(settings), *_slope_claims(settings, inputs),
                                     *_error_claims(settings, inputs)])


def _mirror_claim(settings: dict[str, Any]):
    from descent.claims import check
    from descent.dynamics import lazy_checks as checks
    from descent.dynamics.lazy_training import initial

    replicates, roundings = range(settings["replicates"]), (0.0, settings["rounding"])
    starts = {kind: [initial(kind, rounding, settings["master_seed"], r, settings["width"], settings["input_dimension"])
                     for rounding in roundings for r in replicates] for kind in ("doubled", "centred")}
    samples = [_samples({**settings, "source": "planted"}, {}, r)[0] for _ in roundings for r in replicates]
    arguments = {"starts": starts["doubled"], "samples": samples, "scale": 1.0, "steps": settings["steps"] // 10,
                 "eta": settings["flow_time"] / settings["steps"]}
    return check("tau.4.lazy.mirror", "theorem", r"From a start in which every unit has a twin, training at $\alpha$ "
                 r"and at $-\alpha$ gives the same outputs and the same kernel", checks.mirrored, arguments,
                 {"starts": starts["centred"]}, "units without twins, the first outputs subtracted", form="our own")


def _slope_claims(settings: dict[str, Any], inputs: Mapping[str, Path]) -> list:
    found = _measured(inputs)
    return [*_smooth_claims(settings, found), *_flip_claims(settings, found)]


def _fitted(found: Mapping[str, Any], between: list[float], runs: list[str]) -> dict[str, Any]:
    """Arguments that all checks of a slope share; the hypothesis is about the networks that the slope is fitted to."""
    scales = found["scales"]
    fitted = (scales >= between[0]) & (scales <= between[1])
    stable = max(found["stability"][run][:, fitted].max() for run in runs)
    return {"scales": scales, "between": between,
            "hypotheses": {r"$\eta\lambda_{\max}(K) < 2$ at every examined step": bool(stable < 2)}}


ONE, TWO, HALF = r"\alpha^{-1}", r"\alpha^{-2}", r"\alpha^{-1/2}"


def _smooth_claims(settings: dict[str, Any], found: Mapping[str, Any]) -> list:
    from descent.claims import check
    from descent.dynamics.lazy_checks import slopes_within

    movement, drift, distance = (r"$\|\theta(t) - \theta(0)\|$", r"$\|K(t) - K(0)\|$",
                                 r"$\sup_t \|u - \bar u\|$, the distance from the tangent model,")
    alone, twins = "Smooth activation, no twins: ", "Smooth activation, twins: "
    rows = [
        ("movement", f"{movement} falls like ${ONE}$ in all four runs", "movement", list(RUNS), -1, (-0.5, HALF)),
        ("drift", f"{alone}{drift} falls like ${ONE}$", "drift", ["centred"], -1, (-2, TWO)),
        ("drift_twins", f"{twins}{drift} falls like ${TWO}$", "drift", ["smooth"], -2, (-1, ONE)),
        ("tangent", f"{alone}{distance} falls like ${ONE}$", "deviation", ["centred"], -1, (-2, TWO)),
        ("tangent_twins", f"{twins}{distance} falls like ${TWO}$", "deviation", ["smooth"], -2, (-1, ONE)),
    ]
    return [check(f"tau.4.lazy.{name}", "asymptotic", statement, slopes_within,
                  {**_fitted(found, settings["lazy"], runs), "runs": [found[column][run] for run in runs],
                   "expected": power, "margin": settings["slope_margin"]},
                  {"expected": wrong}, f"${text}$ in its place", form="our own", figure="scale_powers")
            for name, statement, column, runs, power, (wrong, text) in rows]


def _flip_claims(settings: dict[str, Any], found: Mapping[str, Any]) -> list:
    from descent.claims import check
    from descent.dynamics.lazy_checks import moment_slope_agrees

    rows = [
        ("flips", f"ReLU: the mean number of patterns that differ from the start falls like ${ONE}$",
         found["flipped"]["relu"], 1, -1.0, (-0.5, HALF)),
        ("drift_relu", rf"ReLU, twins: the root mean square of $\|K(t) - K(0)\|$ falls like ${HALF}$",
         found["drift"]["relu"], 2, -0.5, (-1.0, ONE)),
        ("tangent_relu", rf"ReLU, twins: the root mean square of $\sup_t \|u - \bar u\|$ falls like ${HALF}$",
         found["deviation"]["relu"], 2, -0.5, (-1.0, ONE)),
    ]
    return [check(f"tau.4.lazy.{name}", "asymptotic", statement, moment_slope_agrees,
                  {**_fitted(found, settings["lazy_relu"], ["relu"]), "values": values, "order": order,
                   "expected": power},
                  {"expected": wrong}, f"${text}$ in its place", form="our own", figure="scale_powers")
            for name, statement, values, order, power, (wrong, text) in rows]


def _measured(inputs: Mapping[str, Path]) -> dict[str, Any]:
    """Scales, and for each run what a slope is fitted to, (replicates, scales)."""
    import numpy as np

    from descent.dynamics.lazy_training import final_rows, finite, greatest_rows

    metrics, looks = ({name: finite(table) for name, table in _tables(inputs, kind).items()}
                      for kind in ("metrics", "trajectory"))
    return {"scales": np.unique(looks["relu"]["scale"]),
            "stability": {name: greatest_rows(table, "stability") for name, table in looks.items()},
            **{column: {name: final_rows(table, column) for name, table in looks.items()}
               for column in ("movement", "drift", "flipped", "test_error")},
            "deviation": {name: greatest_rows(table, "deviation") for name, table in metrics.items()},
            "training_error": {name: final_rows(table, "squared_error") for name, table in metrics.items()}}


def _error_claims(settings: dict[str, Any], inputs: Mapping[str, Path]) -> list:
    from descent.claims import check, report_only
    from descent.dynamics.lazy_training import final_rows, tangent_rows
    from descent.statistics import falling_trend

    found = _measured(inputs)
    error = found["test_error"]["relu"]
    # A few scales from lazy to rich: the exact test counts all orders of their columns.
    chosen = error[:, ::-1][:, :: max(len(found["scales"]) // 5, 1)][:, :6]
    limit = final_rows(tangent_rows(read_table(inputs["trajectory_relu"])), "test_error")[:, 0]
    return [
        check("tau.4.lazy.test_error", "empirical", r"ReLU, planted teacher: the test error at the common flow time "
              r"falls as $\alpha$ does", falling_trend, {"samples": chosen}, {"rotation": 1},
              "each replicate's scales turned by one more place than the one before", form="our own",
              figure="scale_curves"),
        report_only("tau.4.lazy.gain", "Test error of the tangent model over that of the network at the smallest "
                    "scale, geometric mean", float((limit / error[:, 0]).prod() ** (1 / len(limit))), len(limit),
                    figure="scale_curves"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.dynamics import lazy_summary as summary

    found = summary.scale_values(_measured(inputs), _tables(inputs, "trajectory"), settings["lazy"],
                                 settings["lazy_relu"])
    found |= {"eta": settings["flow_time"] / settings["steps"], "width_root": settings["width"] ** -0.5}
    found |= summary.plane_values(read_table(inputs["plane"]), table_settings(inputs["plane"])["directions"])
    found["findings"] = summary.findings(found)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
