"""Does Theorem 3.3 of Du et al. describe training when the output layer is trained as well? (du.3)"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.device import DeviceSetting, resolve
from descent.pipeline.settings import Block
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, read_tables, write_table

TITLE = "Theorem 3.3: training both layers"
PART = "convergence"


class Settings(Block):
    """Settings of the study; spec item du.3 gives the values of config.yaml."""

    points: int = Field(..., ge=10, le=10**5, description="Random networks at which the derivative is checked (du.3)")
    width: int = Field(..., ge=4, le=100000, multiple_of=4, description="Hidden units m of the trained network (du.3)")
    steps: int = Field(..., ge=20, le=10**6, description="Steps of gradient descent (du.3)")
    replicates: int = Field(..., ge=2, le=100, description="Initializations, shared by the two runs (du.3)")
    labels: Literal["digit", "parity"] = Field(..., description="Scalar targets (du.3, du.6)")
    stable_fraction: float = Field(
        ..., gt=0, le=0.9, description="Step over the limit of stability, 2 / lambda_max(H_infinity + G_infinity)")
    limit_steps: int = Field(..., ge=4, le=10**6, description="First steps, run again with smaller ones, η/2 and η/4")
    kept_steps: int = Field(..., ge=6, le=200, description="Steps whose weights are kept, even in the logarithm")
    device: DeviceSetting = Field(..., description="What trains; auto: an NVIDIA GPU where PyTorch can use one")

    @model_validator(mode="after")
    def _repeated_part_of_the_run(self):
        if self.limit_steps > self.steps:
            raise ValueError(f"limit_steps = {self.limit_steps}: at most steps = {self.steps}")
        return self


# Steps of eta over these; the smaller ones for the first limit_steps only, with as few kept steps as show the end.
PARTS = (1, 2, 4)
LIMIT_KEPT = 5
TRAINED = ("both", "hidden")


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the derivative at random points, training of both layers and of one, and what is read from them."""
    data, runs, device = study.data("mnist1d"), {name: {"trained": name} for name in TRAINED}, resolve(settings.device)
    shared = {"master_seed": study.master_seed, "labels": settings.labels, "width": settings.width,
              "stable": settings.stable_fraction, "steps": settings.steps, "device": device}
    table = study.table("derivatives", {"master_seed": study.master_seed, "points": settings.points}, {},
                        seconds=1 + 1e-3 * settings.points)
    paths: dict[str, str] = {}
    for name, run in runs.items():
        more = {"kept_steps": settings.kept_steps, "limit_steps": settings.limit_steps,
                "parts": list(PARTS) if name == "both" else [1]}
        trained = study.train(run, {**run, **shared, **more}, {"data": data}, range(settings.replicates),
                              "train" if device == "cpu" else "train_on_device", **_cost(settings, name))
        paths |= {f"metrics_{name}": trained["metrics"], f"trajectory_{name}": trained["trajectory"]}
        rows = settings.kept_steps + (2 * LIMIT_KEPT if name == "both" else 0)
        paths[f"spectrum_{name}"] = study.analysis(
            run, "joint_spectrum", "descent.kernels.joint_spectrum:joint_spectrum", {"labels": settings.labels},
            {"trajectory": trained["trajectory"], "data": data}, seconds=1 + 0.09 * settings.replicates * rows)
    evidence = {"data": data, **{name: path for name, path in paths.items() if not name.startswith("trajectory")}}
    study.figure("loss", {}, evidence)
    study.figure("kernels", {}, {name: path for name, path in evidence.items() if not name.startswith("metrics")})
    study.claims({"master_seed": study.master_seed, "points": settings.points, "labels": settings.labels},
                 {**evidence, "derivatives": table, "trajectory_both": paths["trajectory_both"]}, seconds=3,
                 memory_mb=600)
    study.values({"device": device}, {**evidence, "derivatives": table}, seconds=2)


def _cost(settings: Settings, trained: str) -> dict[str, float]:
    # Measured at n = 500, d = 40, m = 1000: milliseconds a step.
    scale, both = settings.replicates * settings.width / 1000, trained == "both"
    steps = settings.steps + (sum(PARTS[1:]) * settings.limit_steps if both else 0)
    kept = settings.kept_steps + (2 * LIMIT_KEPT if both else 0)
    return {"seconds": 0.5 + scale * steps * (0.97e-3 if both else 0.78e-3), "memory_mb": 500,
            "megabytes": scale * (0.33 * kept + 24e-6 * steps)}


def train(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path], replicate: int) -> None:
    """One replicate of one run: metrics at every step of η, weights at the kept ones, for each part of η."""
    from descent.dynamics.gradient_descent import GradientDescent

    _train(GradientDescent, settings, inputs, outputs, replicate)


def train_on_device(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path],
                    replicate: int) -> None:
    """The same on a GPU. An entry of its own: the code that the CPU's runs depend on does not contain PyTorch."""
    from descent.dynamics.device_descent import DeviceDescent

    _train(partial(DeviceDescent, device=settings["device"]), settings, inputs, outputs, replicate)


def _train(descent_class, settings: dict[str, Any], inputs: Mapping[str, Path], outputs: Mapping[str, Path],
           replicate: int) -> None:
    import numpy as np

    from descent.dynamics.recorded_descent import log_spaced_steps, record
    from descent.networks import theorem_network as network

    width, seed, data = settings["width"], settings["master_seed"], read_table(inputs["data"])
    x, y = data["x"], network.label_targets(settings["labels"], data["digit"])
    weights = (network.hidden_weights(seed, replicate, width, x.shape[1]),
               network.output_weights("theorem", seed, replicate, width, 1))
    eta, found = network.stable_step(settings["stable"], "joint", x, width), []
    for parts in settings["parts"]:
        descent = descent_class(*weights, x, y, eta / parts, scale=width**-0.5,
                                train_outputs=settings["trained"] == "both")
        steps, kept = ((settings["steps"], settings["kept_steps"]) if parts == 1
                       else (parts * settings["limit_steps"], LIMIT_KEPT))
        tables = record(descent, eta / parts, steps, parts, log_spaced_steps(steps, kept))
        found.append([{"replicate": np.full(len(columns["step"]), replicate),
                       "parts": np.full(len(columns["step"]), parts), **columns} for columns in tables])
    for name, tables in zip(("metrics", "trajectory"), zip(*found, strict=True), strict=True):
        columns = {column: np.concatenate([table[column] for table in tables]) for column in tables[0]}
        write_table(outputs[name], columns, {"flow_time": "flow time", "loss": "squared error"}, settings)


def table_derivatives(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """du/dt at random points with a ~ N(0, 1), and at the same points with its signs, by quotient and by formulas."""
    import numpy as np

    from descent.dynamics.joint_flow import JointPoint, random_point
    from descent.kernels.joint_spectrum import derivative_terms

    parts = []
    for index in range(settings["points"]):
        point = random_point(settings["master_seed"], index)
        signed = JointPoint(point.hidden, np.sign(point.outputs), point.inputs, point.targets)
        for at, signs in ((point, False), (signed, True)):
            terms, n = derivative_terms(at), len(at.targets)
            parts.append({"point": np.full(n, index), "sample": np.arange(n), "signs": np.full(n, signs), **terms})
    write_table(outputs["table"], {name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
                {"measured": "1 / flow time"}, settings)


def _least_eigenvalue(data: Path) -> float:
    from descent.kernels.neural_tangent_kernel import least_limit_eigenvalue

    return least_limit_eigenvalue(read_table(data, ["x"])["x"])


def figure_loss(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Squared error against its bounds and its rate of decay."""
    from descent.bounds.joint_checks import joint_bounds, whole_step
    from descent.bounds.joint_figures import draw_loss

    lambda_0 = _least_eigenvalue(inputs["data"])
    metrics, spectra = read_tables(inputs, "metrics"), read_tables(inputs, "spectrum")
    bounds = {name: joint_bounds(metrics[name], spectra[name], lambda_0) for name in TRAINED}
    figure = draw_loss(bounds, {name: whole_step(spectra[name]) for name in TRAINED}, lambda_0)
    save_figure(figure, outputs, settings["preview"])


def figure_kernels(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """λ_min of H, G and H + G, weight movement and flipped patterns."""
    from descent.bounds.joint_checks import whole_step
    from descent.bounds.joint_figures import draw_kernels

    spectra = {name: whole_step(table) for name, table in read_tables(inputs, "spectrum").items()}
    save_figure(draw_kernels(spectra, _least_eigenvalue(inputs["data"])), outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for du.3."""
    write_claims(outputs["claims"], [*_derivative_claims(inputs), *_structure_claims(settings, inputs),
                                     *_training_claims(inputs)])


def _derivative_claims(inputs: Mapping[str, Path]) -> list:
    from descent.bounds.joint_checks import formula_agrees
    from descent.bounds.joint_summary import FORMULAS
    from descent.claims import check

    table = read_table(inputs["derivatives"])
    table = {name: values[~table["signs"]] for name, values in table.items()}
    pairs = {name: {"measured": columns[0], "rounding": columns[1], "terms": terms}
             for name, (columns, terms) in FORMULAS.items()}
    one_unit = "the sum over $j$ in place, but $G$ of one unit alone"
    return [
        check("du.3.derivative", "theorem", r"With both layers trained, $du_i/dt = \sum_j (y_j - u_j)"
              r"(H_{ij} + G_{ij})$ with $a_r^2$ in $H$", formula_agrees, {"table": table, **pairs["right"]},
              pairs["unweighted"], r"$H$ without $a_r^2$", form="corrected"),
        check("du.3.output_layer", "theorem", r"$\sum_r (\partial u_i/\partial a_r)\, da_r/dt = \sum_j (y_j - u_j) "
              r"G_{ij}$ with $G_{ij} = \frac{1}{m} \sum_r \sigma(w_r^\top x_i)\, \sigma(w_r^\top x_j)$", formula_agrees,
              {"table": table, **pairs["output_layer"]}, pairs["weighted"], "$a_r^2$ in $G$ as in $H$",
              form="corrected"),
        check("du.3.output_layer_printed", "theorem", r"$\sum_r (\partial u_i/\partial a_r)\, da_r/dt = "
              r"\sum_{r=1}^m (y_j - u_j) G_{ij}$, the sum over $r$ outside and none over $j$ (for the best $j$)",
              formula_agrees, {"table": table, **pairs["printed"]}, pairs["one_unit"], one_unit, form="erratum"),
    ]


def _structure_claims(settings: dict[str, Any], inputs: Mapping[str, Path]) -> list:
    from descent.bounds import joint_checks as checks
    from descent.claims import check
    from descent.dynamics.joint_flow import random_point
    from descent.kernels.joint_spectrum import trajectory_points

    random = [random_point(settings["master_seed"], index) for index in range(settings["points"])]
    trajectory = checks.whole_step(read_table(inputs["trajectory_both"]))
    ends = [point for step, point in trajectory_points(trajectory, read_table(inputs["data"]), settings["labels"])
            if step in (0, trajectory["step"].max())]
    points = {"points": [*random, *ends]}
    rows = checks.whole_step(read_tables(inputs, "spectrum")["both"])
    along = {"table": rows, "lengths": sum(ends[0].hidden.shape) + len(ends[0].targets)}
    flipped, shown = ({"sign": -1}, "the sign of $G$ flipped"), {"figure": "loss"}
    return [
        check("du.3.gram", "theorem", r"$G$ is positive semidefinite", checks.positive_semidefinite, points,
              {"power": 1}, "$a_r$ as a factor in $G$", form="our own", figure="kernels"),
        check("du.3.decay", "theorem", r"$\frac{d}{dt}\|y - u\|^2 = -2 (y - u)^\top (H + G)(y - u)$ at every kept step",
              checks.decay_is_quadratic_form, along, *flipped, **shown),
        check("du.3.lemma_a2", "theorem", r"$\frac{d}{dt}\|y - u\|^2 \le -2 (y - u)^\top H (y - u)$ at every kept step "
              "(Lemma A.2, inequality ii)", checks.decay_at_least_hidden_part, along, *flipped, **shown),
        check("du.3.balance", "theorem", r"The flow of both layers keeps $a_r^2 - \|w_r\|^2$ for every unit",
              checks.balance_is_kept, points, {"factor": 2.0}, r"$a_r^2 - 2\|w_r\|^2$", form="our own",
              figure="kernels"),
    ]


def _training_claims(inputs: Mapping[str, Path]) -> list:
    import numpy as np

    from descent.bounds import convergence_checks, joint_checks
    from descent.claims import check
    from descent.kernels.neural_tangent_kernel import h_infinity

    eigenvalues = np.linalg.eigvalsh(h_infinity(read_table(inputs["data"], ["x"])["x"]))
    rate, wrong = eigenvalues[0], ({"rate": eigenvalues.mean()}, r"$\frac12$, the mean eigenvalue of $H^\infty$, in "
                                   r"place of $\lambda_0$")
    greatest = {"rate": eigenvalues[-1]}, r"$\lambda_{\max}(H^\infty)$ in place of $\lambda_0$"
    metrics, spectrum = (read_tables(inputs, kind)["both"] for kind in ("metrics", "spectrum"))
    tables = [joint_checks.joint_bounds(metrics, spectrum, rate, parts) for parts in PARTS]
    held, rows = r"while $\lambda_{\min}(H) \ge \lambda_0/2$", joint_checks.whole_step(spectrum)
    along, run = convergence_checks.bound_along_descent, {"tables": tables[:1], "rate": rate}
    shown, time = {"figure": "loss"}, tables[-1]["flow_time"].max()
    kept = {"lambda_min": rows["lambda_min_h"], "step": rows["step"]}
    return [
        check("du.3.rate", "theorem", rf"$-\frac{{d}}{{dt}} \ln \|y - u\|^2 \ge \lambda_0$ {held}",
              joint_checks.decay_rate, {"table": rows, "lambda_0": rate, "rate": rate}, *wrong, form="our own",
              **shown),
        check("du.3.flow", "empirical", r"As $\eta \to 0$, $\|y - u(t)\|^2 \le e^{-\lambda_0 t} \|y - u(0)\|^2$ with "
              f"both layers trained, up to $t = {time:.2g}$ and {held}", convergence_checks.flow_limit,
              {**dict(zip(("coarse", "middle", "fine"), tables, strict=True)), "rate": rate}, *greatest, **shown),
        check("du.3.flow_descent", "empirical", f"Descent on both layers stays below the flow bound {held}", along,
              {**run, "kind": "flow", "condition": "spectrum_held"}, *wrong, **shown),
        check("du.3.discrete", "theorem", r"While $\|I - \eta (H + G)\| \le 1 - \eta\lambda_0/2$, descent on both "
              "layers stays below the discrete bound with the measured remainder added", along,
              {**run, "kind": "remainder", "condition": "contraction_held"}, *wrong,
              form="our own", **shown),
        check("du.3.hypothesis", "empirical", r"With both layers trained $\lambda_{\min}(H(t)) \ge \lambda_0/2$ at "
              "every kept step", convergence_checks.least_eigenvalue_kept, {"tables": [kept], "level": rate / 2},
              {"level": rate}, r"$\lambda_0$ in place of $\lambda_0/2$", form="our own", figure="kernels"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds import convergence_summary, joint_checks
    from descent.bounds import joint_summary as summary

    metrics, spectra = read_tables(inputs, "metrics"), read_tables(inputs, "spectrum")
    found = summary.limit_values(read_table(inputs["data"])["x"]) | summary.derivative_values(
        read_table(inputs["derivatives"]))
    lambda_0 = found["lambda_0"]
    for name in TRAINED:
        found |= summary.run_values(metrics[name], spectra[name], lambda_0, name)
    found |= summary.decay_values(spectra["both"], spectra["hidden"], lambda_0)
    found |= summary.comparison(metrics["both"], metrics["hidden"])
    found |= {f"{name}_measured_rate": summary.measured_rate(metrics[name]) for name in TRAINED}
    found["eta"] = float(metrics["hidden"]["flow_time"][1] / metrics["hidden"]["step"][1])
    found["flow_time"] = float(metrics["hidden"]["flow_time"].max())
    tables = [joint_checks.joint_bounds(metrics["both"], spectra["both"], lambda_0, parts) for parts in PARTS]
    found["halving_first"], found["halving_second"] = convergence_summary.halving_changes(tables)
    found["limit_time"] = float(tables[-1]["flow_time"].max())
    found["device"] = settings["device"]
    found["findings"] = summary.findings(found)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
