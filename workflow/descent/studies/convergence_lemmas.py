"""Are Lemmas 3.2 and 3.3 of Du et al. true as printed? Constructed flips, speeds along training, counterexamples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Positive, Size
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table

TITLE = "Lemmas 3.2 and 3.3: which patterns can flip, and how fast weights move"
PART = "convergence"


class Flips(Block):
    """Draws of Lemma 3.2 (du.1)."""

    draws: int = Field(..., ge=1000, le=10**8, description="Gaussian weights, each with one sample (du.1)")
    radii: list[Positive] = Field(..., min_length=2, description="Distances R within which a pattern may flip (du.1)")


class Constructed(Block):
    """Networks whose patterns never flip (du.2)."""

    samples: int = Field(..., ge=2, le=16, description="Inputs n in a narrow cone (du.2)")
    cosine: float = Field(..., ge=0.9, lt=1, description="Their common inner product (du.2)")
    width: int = Field(..., ge=1000, le=10**5, multiple_of=4, description="Hidden units of that network (du.2)")
    relaxation_times: float = Field(..., gt=1, le=20, description="Its flow time, in units of 1 / rate (du.2)")


class OneSample(Block):
    """Exact flows on a single sample (du.2)."""

    widths: list[Size] = Field(..., min_length=2, description="Widths m, rising (du.2)")
    draws: int = Field(..., ge=100, le=10**6, description="Initializations of each width (du.2)")


class Settings(Block):
    """Settings of the study; spec items du.1 and du.2 give the values of config.yaml."""

    width: int = Field(..., ge=4, le=100000, multiple_of=4, description="Hidden units m of the training runs (du.2)")
    replicates: int = Field(..., ge=2, le=100, description="Initializations (du.2)")
    stable_fraction: float = Field(
        ..., gt=0, le=0.45, description="Step over the limit of stability, 2 / lambda_max(H_infinity) (du.2)")
    flow_time: float = Field(..., gt=0, le=10**4, description="How far training goes (du.2)")
    kept_steps: int = Field(..., ge=4, le=200, description="Steps at which speeds and H(t) are examined (du.2)")
    flips: Flips = Field(..., description="Lemma 3.2 (du.1)")
    constructed: Constructed = Field(..., description="Networks whose patterns never flip (du.2)")
    one_sample: OneSample = Field(..., description="Exact flows on a single sample (du.2)")

    @model_validator(mode="after")
    def _rising(self):
        for name, numbers in (("flips.radii", self.flips.radii), ("one_sample.widths", self.one_sample.widths)):
            if numbers != sorted(set(numbers)) or numbers[0] <= 0:
                raise ValueError(f"{name} must be positive and rising")
        return self


# What `flip_counts` changes for the negative controls: how far w' goes beyond the hyperplane, the length of the inputs.
VARIANTS = {"stated": (0.5, 1.0), "projected": (0.0, 1.0), "longer": (0.5, 1.01)}
TARGET = 1.0


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the draws of du.1, the runs and networks of du.2, and what is read from them."""
    data, seed = {"data": study.data("mnist1d")}, {"master_seed": study.master_seed}
    start = {**seed, "width": settings.width}
    run = {"network": "theorem", "labels": "digit"}
    tables = study.train(
        run, {**run, **start, "stable": settings.stable_fraction, "flow_time": settings.flow_time,
              "kept_steps": settings.kept_steps}, data, range(settings.replicates),
        seconds=0.08 * settings.flow_time * settings.replicates, memory_mb=400,
        megabytes=0.35 * settings.kept_steps * settings.replicates)
    tables["chain"] = study.table("chain", start, {**data, **tables}, memory_mb=500,
                                  seconds=0.015 * settings.kept_steps * settings.replicates)
    tables["flips"] = study.table("flips", {**seed, **settings.flips.model_dump()}, data,
                                  seconds=1e-6 * settings.flips.draws * len(settings.flips.radii))
    tables["constructed"] = study.table(
        "constructed", {**start, **settings.constructed.model_dump(exclude={"width"}),
                        "cone_width": settings.constructed.width, "replicates": settings.replicates,
                        "flow_time": settings.flow_time}, data,
        seconds=1.5 + 0.02 * settings.flow_time * settings.replicates)
    tables["one_sample"] = study.table("one_sample", {**seed, **settings.one_sample.model_dump()}, {}, seconds=2)
    study.figure("flips", {}, {"flips": tables["flips"]})
    study.figure("chain", {}, {**data, "chain": tables["chain"], "metrics": tables["metrics"]})
    study.figure("counterexamples", {}, {"constructed": tables["constructed"]})
    evidence = {**data, **{name: path for name, path in tables.items() if name != "trajectory"}}
    study.claims({"width": settings.width}, evidence)
    study.values({"width": settings.width}, evidence)


def train(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path], replicate: int) -> None:
    """One replicate: losses at every step, also those of a run with twice the step (NaN between its steps), weights."""
    import numpy as np

    from descent.dynamics.gradient_descent import GradientDescent
    from descent.dynamics.recorded_descent import log_spaced_steps, record
    from descent.networks import theorem_network as network

    seed, width, kind = settings["master_seed"], settings["width"], settings["network"]
    data = read_table(inputs["data"])
    x, y = data["x"], network.label_targets(settings["labels"], data["digit"])
    eta = network.stable_step(settings["stable"], kind, x, width)
    steps = 2 * round(settings["flow_time"] / (2 * eta))
    weights = (network.hidden_weights(seed, replicate, width, x.shape[1]),
               network.output_weights(kind, seed, replicate, width, 1))
    kept = sorted({*np.linspace(0, steps, settings["kept_steps"] - 4).round().astype(int).tolist(),
                   *log_spaced_steps(steps // settings["kept_steps"], 4)})
    metrics, trajectory = record(GradientDescent(*weights, x, y, eta, width**-0.5), eta, steps, 1, kept)
    doubled, _ = record(GradientDescent(*weights, x, y, 2 * eta, width**-0.5), 2 * eta, steps // 2, 1, [])
    metrics["doubled_loss"] = np.full(steps + 1, np.nan)
    metrics["doubled_loss"][::2] = doubled["loss"]
    for name, columns in (("metrics", metrics), ("trajectory", trajectory)):
        columns = {"replicate": np.full(len(columns["step"]), replicate), **columns}
        write_table(outputs[name], columns, {"flow_time": "flow time", "loss": "squared error"}, settings)


def table_chain(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Both sides of the inequalities of Lemma 3.3 and what it assumes, at the kept steps of the runs."""
    import numpy as np

    from descent.bounds.weight_speed import chain_columns
    from descent.networks import theorem_network as network

    data, metrics = read_table(inputs["data"]), read_table(inputs["metrics"])
    signs = [network.output_weights("theorem", settings["master_seed"], replicate, settings["width"], 1)
             for replicate in np.unique(metrics["replicate"]).tolist()]
    columns = chain_columns(data["x"], network.label_targets("digit", data["digit"]),
                            read_table(inputs["trajectory"]), metrics, signs)
    write_table(outputs["table"], columns, {"flow_time": "flow time"}, settings)


def table_flips(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """How many Gaussian weights can be flipped within R, by constructing the weight that flips (du.1)."""
    from descent.bounds.pattern_flips import flip_counts

    x = read_table(inputs["data"])["x"]
    draws = generator(settings["master_seed"], "flips", 0, d=x.shape[1])
    rows = flip_counts(x, draws, settings["draws"], settings["radii"], VARIANTS)
    write_table(outputs["table"], {name: [row[name] for row in rows] for name in rows[0]}, {}, settings)


def table_constructed(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Descent and flow of networks whose patterns never flip: one sample, a narrow cone, labels made for MNIST-1D."""
    from descent.dynamics import frozen_patterns as frozen
    from descent.networks import theorem_network as network

    x, seed, width = read_table(inputs["data"])["x"], settings["master_seed"], settings["width"]
    small = frozen.one_sample(4, 1, settings["samples"] + 1)
    cone = frozen.narrow_cone(settings["samples"], settings["cosine"], settings["cone_width"])
    modes = {"one_sample": frozen.frozen_mode(*small), "cone": frozen.frozen_mode(*cone, index=-1)}
    parts = [frozen.constructed_columns(name, 0, mode, 0.01 / mode.rate, settings["relaxation_times"] / mode.rate)
             for name, mode in modes.items()]
    eta = network.stable_step(0.5, "theorem", x, width)
    for replicate in range(settings["replicates"]):
        mode = frozen.frozen_mode(x, network.hidden_weights(seed, replicate, width, x.shape[1]),
                                  network.output_weights("theorem", seed, replicate, width, 1))
        parts.append(frozen.constructed_columns("mnist1d", replicate, mode, eta, settings["flow_time"]))
    write_table(outputs["table"], _joined(parts), {"flow_time": "flow time"}, settings)


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    import numpy as np

    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def table_one_sample(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Exact flows on one sample from Gaussian initializations of several widths."""
    from descent.dynamics.one_sample_flow import one_sample_columns

    parts = [one_sample_columns(generator(settings["master_seed"], "one_sample", 0, width=width), width,
                                settings["draws"], TARGET) for width in settings["widths"]]
    write_table(outputs["table"], _joined(parts), {}, settings)


def figure_flips(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The flipping weight and the probability that there is one (du.1)."""
    from descent.bounds.lemma_figures import draw_flips

    save_figure(draw_flips(read_table(inputs["flips"])), outputs, settings["preview"])


def figure_chain(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The inequalities of Lemma 3.3 along training (du.2)."""
    from descent.bounds.lemma_figures import draw_chain
    from descent.kernels.neural_tangent_kernel import least_limit_eigenvalue

    lambda_0 = least_limit_eigenvalue(read_table(inputs["data"])["x"])
    save_figure(draw_chain(read_table(inputs["chain"]), read_table(inputs["metrics"]), lambda_0), outputs,
                settings["preview"])


def figure_counterexamples(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The printed rate and radius against networks whose patterns never flip (du.2)."""
    from descent.bounds.lemma_figures import draw_counterexamples

    save_figure(draw_counterexamples(read_table(inputs["constructed"])), outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for du.1 and du.2."""
    tables = {name: read_table(path) for name, path in inputs.items()}
    write_claims(outputs["claims"], [*_flip_claims(tables["flips"]), *_chain_claims(tables, settings["width"]),
                                     *_rate_claims(tables, settings["width"])])


def _flip_claims(flips: Mapping[str, Any]) -> list:
    from descent.bounds import lemma_checks as checks
    from descent.claims import check

    shown, event = {"figure": "flips"}, r"$|w_r^\top x_i| < R$"
    stated, closed = {"flips": flips, "variant": "stated"}, r"With the closed ball, $A_{ir}$ occurs iff"
    return [
        check("du.1.if", "theorem", f"Wherever {event}, the weight constructed beyond the hyperplane lies within $R$ "
              "and flips the pattern", checks.flips_inside, stated, {"variant": "projected"},
              "the projection onto the hyperplane, without a step beyond", **shown),
        check("du.1.only_if", "theorem", r"Wherever $|w_r^\top x_i| > R$, no weight within $R$ flips the pattern",
              checks.no_flip_outside, stated, {"variant": "longer"}, "inputs of length 1.01", form="corrected",
              **shown),
        check("du.1.boundary", "theorem", f"{closed} $-R \\le w_r^\\top x_i < R$ (rational arithmetic)",
              checks.equivalence, {"closed": True, "rule": "half_open"}, {"rule": "open"}, f"the printed {event}",
              form="corrected", **shown),
        check("du.1.printed", "theorem", f"{closed} {event} (rational arithmetic)", checks.equivalence,
              {"closed": True, "rule": "open"}, {"rule": "closed"}, r"$|w_r^\top x_i| \le R$", form="erratum", **shown),
        check("du.1.open_ball", "theorem", f"With the open ball, $A_{{ir}}$ occurs iff {event} (rational arithmetic)",
              checks.equivalence, {"closed": False, "rule": "open"}, {"closed": True}, "the closed ball",
              form="corrected", **shown),
        check("du.1.probability", "theorem", r"$P(A_{ir}) = \mathrm{erf}(R/\sqrt{2})$ for $w_r \sim N(0, I)$",
              checks.flip_share, {"flips": flips, "scale": 0.5**0.5}, {"scale": 1.0}, r"$\mathrm{erf}(R)$",
              form="our own", **shown),
        check("du.1.bound", "theorem", r"$P(A_{ir}) \le 2R/\sqrt{2\pi}$", checks.flip_share_below,
              {"flips": flips, "factor": 1.0}, {"factor": 0.5}, r"$R/\sqrt{2\pi}$", **shown),
    ]


def _chain_claims(tables: Mapping[str, Any], width: int) -> list:
    import numpy as np

    from descent.bounds import lemma_checks as checks
    from descent.claims import check
    from descent.dynamics.frozen_patterns import narrow_cone
    from descent.kernels.neural_tangent_kernel import least_limit_eigenvalue

    x, chain = tables["data"]["x"], {"chain": tables["chain"], "factor": 1.0}
    n, speed = len(x), r"$\|dw_r/ds\|"
    cone, _, _ = narrow_cone(8, 0.99, 1000)
    return [
        check("du.2.i", "theorem", f"{speed} \\le m^{{-1/2}} \\sum_i |y_i - u_i|$ for every unit, along training",
              checks.inequality, {**chain, "left": "speed", "right": "summed", "units": width}, {"right": "cancelled"},
              r"$|\sum_i (y_i - u_i)|$ in place of $\sum_i |y_i - u_i|$", form="corrected", figure="chain"),
        check("du.2.ii", "theorem", r"$m^{-1/2} \sum_i |y_i - u_i| \le \sqrt{n/m}\, \|y - u\|$, along training",
              checks.inequality, {**chain, "left": "summed", "right": "root", "units": 1}, {"factor": 0.5**0.5},
              r"$\sqrt{n/2}$ in place of $\sqrt{n}$, half of the samples being active", form="corrected",
              figure="chain"),
        check("du.2.equality", "theorem", "(i) and (ii) are equalities for a unit that is active on equal inputs with "
              "equal residuals", checks.equal_chain, {"inputs": np.repeat(x[:1], n, axis=0)}, {"inputs": cone},
              "inputs at a cosine of 0.99", form="our own"),
        check("du.2.chain", "empirical", f"While $\\lambda_{{\\min}}(H) \\ge \\lambda_0/2$, along training, {speed} "
              r"\le \sqrt{n/m}\, e^{-\lambda_0 s/2} \|y - u(0)\|$ for every unit", checks.speed_below_decay,
              {**chain, "lambda_0": least_limit_eigenvalue(x), "units": width}, {"factor": n**-0.5},
              r"$\sqrt{1/m}$ in place of $\sqrt{n/m}$", form="corrected", figure="chain"),
    ]


def _rate_claims(tables: Mapping[str, Any], width: int) -> list:
    from math import pi, sqrt

    from descent.bounds import convergence_checks
    from descent.bounds import lemma_checks as checks
    from descent.bounds.lemma_summary import run_bounds
    from descent.claims import check
    from descent.kernels.neural_tangent_kernel import least_limit_eigenvalue

    x, cases = tables["data"]["x"], {"constructed": tables["constructed"]}
    lambda_0, shown = least_limit_eigenvalue(x), {"figure": "counterexamples"}
    single = {"one_sample": tables["one_sample"]}
    frozen = {**cases, "chain": tables["chain"], **single, "samples": len(x), "units": width, "lambda_0": lambda_0}
    runs = {"tables": run_bounds(tables["metrics"], tables["chain"], lambda_0), "kind": "flow", "rate": 2 * lambda_0,
            "condition": "spectrum_held"}
    held, sharp = r"While $\lambda_{\min}(H) \ge \lambda_0/2$,", "a rate higher by 2%"
    error, start, radius = r"$\|y - u(s)\| \le", r"\|y - u(0)\|", r"\sqrt{n}\, \|y - u(0)\| / (\sqrt{m}\, \lambda_0)$"
    return [
        check("du.2.frozen", "theorem", r"Where no pattern flips and $u(0) - y$ is an eigenvector of $H(0)$, the error "
              "falls at the rate of its eigenvalue", checks.frozen_descent, {**cases, "rate": "rate"},
              {"rate": "lambda_0"}, r"$\lambda_0$ in its place", form="our own", **shown),
        check("du.2.rate", "theorem", f"{held} {error} e^{{-\\lambda_0 s/2}} {start}$", checks.error_below_rate,
              {**cases, "factor": 0.5}, {"factor": 0.51}, sharp, form="corrected", **shown),
        check("du.2.rate_printed", "theorem", f"{held} {error} e^{{-\\lambda_0 s}} {start}$", checks.error_below_rate,
              {**cases, "factor": 1.0}, {"factor": 0.51}, r"$0.51\,\lambda_0$, just above $\lambda_0/2$",
              form="erratum", **shown),
        check("du.2.rate_runs", "empirical", f"{held} {error} e^{{-\\lambda_0 s}} {start}$ along training on MNIST-1D "
              "(observed: the ratio of the squares)", convergence_checks.bound_along_descent, runs,
              {"rate": 4 * lambda_0}, r"the rate $2\lambda_0$", form="erratum", figure="chain"),
        check("du.2.radius", "theorem", f"{held} no weight moves further than $2 {radius}", checks.movement_within,
              {**frozen, "factor": 2.0}, {"factor": 1.9}, "a radius smaller by 5%", form="corrected", **shown),
        check("du.2.radius_printed", "theorem", f"{held} no weight moves further than ${radius}",
              checks.movement_within, {**frozen, "factor": 1.0}, {"factor": 1.9}, "1.9 times this radius",
              form="erratum", **shown),
        check("du.2.one_sample", "theorem", "For one sample, the printed rate fails from the start in the share of "
              r"Gaussian initializations in which $m/4$ to $m/2$ units are active: $P(m/4 \le B < m/2)$, $B$ binomial",
              checks.one_sample_share, {**single, "ties": True}, {"ties": False}, "one half at every width",
              form="our own"),
        check("du.2.one_sample_limit", "asymptotic", "For one sample, the share in which it fails in the end tends to "
              r"$E\,\Phi(2|u(0) - y|/\sqrt{2\pi})$ as $m \to \infty$", checks.one_sample_limit,
              {**single, "shift": 2 / sqrt(2 * pi)}, {"shift": 0.0}, "one half: no unit falls silent", form="our own"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds import lemma_summary as summary
    from descent.bounds.lemma_checks import equivalence, error_below_rate, flips_inside, no_flip_outside
    from descent.kernels.neural_tangent_kernel import least_limit_eigenvalue

    tables = {name: read_table(path) for name, path in inputs.items()}
    x, flips, runs = tables["data"]["x"], tables["flips"], (tables["chain"], tables["metrics"])
    lambda_0 = least_limit_eigenvalue(x)
    inside, outside = flips_inside(flips, "stated"), no_flip_outside(flips, "stated")
    corrected = error_below_rate(tables["constructed"], 0.5)
    found = {
        "n": len(x), "lambda_0": lambda_0, "draws": int(flips["draws"][0]), "flips": summary.flip_rows(flips),
        "inside": inside.cases, "outside": outside.cases, "exceptions": int(inside.observed + outside.observed),
        **summary.chain_values(*runs), "runs": summary.run_rows(*runs[::-1], lambda_0, len(x), settings["width"]),
        "constructed": summary.constructed_rows(tables["constructed"]),
        "one_sample": summary.one_sample_rows(tables["one_sample"]),
        "half_open_holds": equivalence(closed=True, rule="half_open").holds, "rate_holds": corrected.holds,
        "rate_reached": corrected.observed,
    }
    found["findings"] = summary.findings(found)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
