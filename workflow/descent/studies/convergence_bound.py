"""Does training stay below the convergence bound of Du et al.'s Theorem 3.2? (practical part on MNIST-1D)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from math import exp, log10
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from descent.bounds.convergence_runs import LIMIT, compared, cost, covered, runs_of
from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.device import DeviceSetting, resolve
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Size
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, read_tables, table_settings, write_table

TITLE = "Theorem 3.2 on MNIST-1D: does training stay below the bound?"
PART = "convergence"


class Gram(Block):
    """The Gram matrices at initialization (du.5)."""

    seeds: int = Field(..., ge=2, le=100, description="Initializations for each width (du.5)")
    widths: list[Size] = Field(..., min_length=3, description="Widths m for H(0) against H_infinity, rising (du.5)")
    draws: int = Field(..., ge=1000, le=10**7, description="Gaussian weights that test the closed form of H_infinity")


class Settings(Block):
    """Settings of the study; spec items du.5 and du.6 give the values of config.yaml."""

    width: int = Field(..., ge=4, le=100000, multiple_of=4, description="Hidden units m (du.6)")
    steps: int = Field(..., ge=20, le=10**6, multiple_of=20, description="Steps of gradient descent (du.6)")
    replicates: int = Field(..., ge=1, le=100, description="Initializations of each run (du.6)")
    labels: list[Literal["digit", "parity", "one_hot"]] = Field(..., min_length=1, description="Targets (du.6)")
    batch_size: int = Field(..., ge=1, le=5000, description="Samples in a cycled mini-batch (du.6)")
    learning_rate: float = Field(..., gt=0, le=10, description="Step on the mean-squared error, as first tried (du.6)")
    stable_fraction: float = Field(
        ..., gt=0, le=0.9, description="Large step over the limit of stability, 2 / lambda_max(H_infinity) (du.6)")
    record_every: int = Field(..., ge=1, le=10**6, description="Steps between losses on all samples in mini-batch runs")
    kept_steps: int = Field(..., ge=4, le=200, description="Steps whose weights are kept, even in the logarithm")
    limit_horizon: float = Field(
        ..., gt=0, le=1, description="Part of the flow time run again with half and a quarter of the large step")
    device: DeviceSetting = Field(..., description="What trains; auto: an NVIDIA GPU where PyTorch can use one")
    failure_probability: float = Field(..., gt=0, lt=1, description="The theorem's delta (du.6)")
    gram: Gram = Field(..., description="Gram matrices at initialization (du.5)")

    @model_validator(mode="after")
    def _digit_labels_rising_widths(self):
        if "digit" not in self.labels or len(set(self.labels)) < len(self.labels):
            raise ValueError("labels must be different and contain digit")
        if self.gram.widths != sorted(set(self.gram.widths)) or self.gram.widths[0] < 1:
            raise ValueError("gram.widths must be positive and rising")
        return self


WRONG_RATE = r"$\lambda_{\max}(H^\infty)$ in place of $\lambda_0$"


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare all runs of du.6 with their analyses, the Gram matrices of du.5, and what is read from them."""
    data = study.data("mnist1d")
    runs = {name: _plan_run(study, settings, name, run, data) for name, run in runs_of(settings).items()}
    gram = {"master_seed": study.master_seed, "width": settings.width, **settings.gram.model_dump()}
    tables = {"data": data, "gram": study.table("gram", gram, {"data": data}, seconds=8, memory_mb=700),
              "spectra": study.table("spectra", gram, {"data": data}, seconds=1)}
    study.figure("mnist1d_samples", {}, {"data": data})
    study.figure("gram_spectrum", {"width": settings.width}, tables)
    study.figure("loss_and_bounds", {}, _paths(runs, ("bound",), ("digit_full_lr", "digit_full_stable")))
    study.figure("hypothesis", {"delta": settings.failure_probability},
                 {"data": data, **_paths(runs, ("spectrum",), covered(settings.labels))})
    study.figure("flow_limit", {}, _paths(runs, ("bound",), LIMIT))
    study.figure("labels_and_batches", {"labels": settings.labels}, _paths(runs, ("metrics",), compared(runs)))
    shown = _paths(runs, ("trajectory", "metrics"), covered(settings.labels))
    study.view("spectra", {"width": settings.width}, {"data": data, "spectra": tables["spectra"], **shown},
               seconds=1 + 0.1 * settings.replicates * settings.kept_steps, memory_mb=700)
    evidence = {**tables, **_paths(runs, ("metrics", "spectrum", "bound"), runs)}
    shared = {**gram, "labels": settings.labels, "delta": settings.failure_probability}
    study.claims({**shared, "replicates": settings.replicates}, evidence, seconds=4, memory_mb=800)
    study.values({**shared, "runs": list(runs), "device": resolve(settings.device)}, evidence, seconds=2)


def _plan_run(study: StudyPlan, settings: Settings, name: str, run: dict[str, Any], data: str) -> dict[str, str]:
    parts = {"half": 2, "quarter": 4}.get(name.split("_")[-1])
    steps = round(settings.steps * settings.limit_horizon) * parts if parts else settings.steps
    full, theorem = run["batch"] == "full", run["network"] == "theorem"
    device = resolve(settings.device)
    # The halved steps are recorded at the flow times of the large one.
    more = {"steps": steps, "record_every": parts or (1 if full else settings.record_every), "width": settings.width,
            "kept_steps": settings.kept_steps if theorem else 3, "master_seed": study.master_seed, "device": device}
    paths = study.train(run, {**run, **more}, {"data": data}, range(settings.replicates),
                        "train" if device == "cpu" else "train_on_device", **cost(run, more, settings.replicates))
    if theorem:
        paths["spectrum"] = study.analysis(
            run, "ntk_spectrum", "descent.kernels.tangent_spectrum:ntk_spectrum", {},
            {"trajectory": paths["trajectory"], "data": data}, seconds=0.06 * settings.replicates * settings.kept_steps)
    if theorem and full and run["labels"] != "one_hot":
        paths["bound"] = study.analysis(
            run, "convergence_bound", "descent.bounds.convergence:convergence_bound", {},
            {"metrics": paths["metrics"], "spectrum": paths["spectrum"], "data": data})
    return paths


def _paths(runs: Mapping[str, Mapping[str, str]], kinds: tuple[str, ...], names) -> dict[str, str]:
    return {f"{kind}_{name}": runs[name][kind] for kind in kinds for name in names if kind in runs[name]}


def train(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path], replicate: int) -> None:
    """One replicate of one run: metrics at the recorded steps, weights at the kept ones."""
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

    kind, width, seed = settings["network"], settings["width"], settings["master_seed"]
    data = read_table(inputs["data"])
    x, y = data["x"], network.label_targets(settings["labels"], data["digit"])
    eta = (network.mean_error_step(settings["lr"], *y.shape) if "lr" in settings
           else network.stable_step(settings["stable"], kind, x, width))
    descent = descent_class(
        network.hidden_weights(seed, replicate, width, x.shape[1]),
        network.output_weights(kind, seed, replicate, width, y.shape[1]), x, y, eta,
        scale=width**-0.5 if kind == "theorem" else 1.0, train_outputs=kind == "literal",
        batch_size=None if settings["batch"] == "full" else settings["batch"])
    kept = log_spaced_steps(settings["steps"], settings["kept_steps"])
    tables = record(descent, eta, settings["steps"], settings["record_every"], kept)
    for name, columns in zip(("metrics", "trajectory"), tables, strict=True):
        columns = {"replicate": np.full(len(columns["step"]), replicate), **columns}
        write_table(outputs[name], columns, {"flow_time": "flow time", "loss": "squared error"}, settings)


def _initial_weights(settings: dict[str, Any], width: int, seed: int, dimension: int):
    from descent.networks.theorem_network import hidden_weights

    return hidden_weights(settings["master_seed"], seed, width, dimension)


def table_gram(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """λ_min(H(0)) and ‖H(0) − H∞‖₂ for every width and initialization."""
    import numpy as np

    from descent.kernels.neural_tangent_kernel import h_infinity, h_patterns
    from descent.networks.two_layer import activation_patterns

    x = read_table(inputs["data"])["x"]
    limit, rows = h_infinity(x), []
    for width in sorted({*settings["widths"], settings["width"]}):
        for seed in range(settings["seeds"]):
            gram = h_patterns(x, activation_patterns(_initial_weights(settings, width, seed, x.shape[1]), x))
            least, distance = np.linalg.eigvalsh(gram)[0], np.abs(np.linalg.eigvalsh(gram - limit)).max()
            rows.append((width, seed, least, distance))
    names = ("width", "seed", "lambda_min", "distance")
    write_table(outputs["table"], dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True)), {}, settings)


def table_spectra(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """All eigenvalues of H∞ and of H(0) at the study's width (initialization 0), descending."""
    import numpy as np

    from descent.kernels.neural_tangent_kernel import h_infinity, h_patterns
    from descent.networks.two_layer import activation_patterns

    x = read_table(inputs["data"])["x"]
    start = h_patterns(x, activation_patterns(_initial_weights(settings, settings["width"], 0, x.shape[1]), x))
    columns = {"h_infinity": np.linalg.eigvalsh(h_infinity(x))[::-1], "h_zero": np.linalg.eigvalsh(start)[::-1]}
    write_table(outputs["table"], {"index": np.arange(1, len(x) + 1), **columns}, {}, settings)


def figure_mnist1d_samples(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Some samples of each digit (du.4)."""
    from descent.bounds.convergence_figures import draw_samples

    data = read_table(inputs["data"])
    save_figure(draw_samples(data["x"], data["digit"]), outputs, settings["preview"])


def figure_gram_spectrum(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """H∞ and H(0) (du.5)."""
    from descent.bounds.convergence_figures import draw_gram

    figure = draw_gram(read_table(inputs["gram"]), read_table(inputs["spectra"]), settings["width"])
    save_figure(figure, outputs, settings["preview"])


def figure_loss_and_bounds(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Training error against the bounds for a small and a large step (du.6)."""
    from descent.bounds.convergence_figures import draw_loss_and_bounds

    save_figure(draw_loss_and_bounds(read_tables(inputs, "bound")), outputs, settings["preview"])


def figure_hypothesis(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """What the theorem assumes and its proof controls (du.6)."""
    from descent.bounds.convergence import radius
    from descent.bounds.convergence_figures import draw_hypothesis
    from descent.kernels.neural_tangent_kernel import least_limit_eigenvalue

    x = read_table(inputs["data"])["x"]
    lambda_0 = least_limit_eigenvalue(x)
    figure = draw_hypothesis(read_tables(inputs, "spectrum"), lambda_0, radius(len(x), lambda_0, settings["delta"]))
    save_figure(figure, outputs, settings["preview"])


def figure_flow_limit(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The flow bound as the step goes to 0 (du.6)."""
    from descent.bounds.convergence_figures import draw_flow_limit

    save_figure(draw_flow_limit(read_tables(inputs, "bound")), outputs, settings["preview"])


def figure_labels_and_batches(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Training loss of every run (du.6)."""
    from descent.bounds.convergence_figures import draw_labels_and_batches

    figure = draw_labels_and_batches(read_tables(inputs, "metrics"), settings["labels"])
    save_figure(figure, outputs, settings["preview"])


def view_spectra(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Eigenvalues of H(t) and the loss along training (du.6)."""
    from descent.bounds.convergence_view import spectra_view
    from descent.views import write_view

    kept, metrics = read_tables(inputs, "trajectory"), read_tables(inputs, "metrics")
    limit = read_table(inputs["spectra"])["h_infinity"]
    runs = {name: (table, metrics[name]) for name, table in kept.items()}
    write_view(outputs["view"], spectra_view(read_table(inputs["data"])["x"], limit, runs, settings["width"]))


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for du.4, du.5 and du.6."""
    x = read_table(inputs["data"])["x"]
    write_claims(outputs["claims"], [*_gram_claims(settings, inputs, x), *_descent_claims(settings, inputs, x),
                                     *_reported(settings, inputs)])


def _gram_claims(settings: dict[str, Any], inputs: Mapping[str, Path], x) -> list:
    import numpy as np

    from descent.bounds import convergence_checks as checks
    from descent.claims import check
    from descent.kernels.neural_tangent_kernel import h_infinity
    from descent.statistics import CLAIM_LEVEL

    doubled, gram, cosines = x.copy(), read_table(inputs["gram"]), np.clip(x @ x.T, -1, 1)
    doubled[1] = doubled[0]
    expected = table_settings(inputs["data"])["num_samples"]
    error = CLAIM_LEVEL
    copied, figure = "one sample replaced by a copy of another", "gram_spectrum"
    weights = [_initial_weights(settings, settings["width"], seed, x.shape[1]) for seed in range(settings["seeds"])]
    draws = generator(settings["master_seed"], "joint_activation", 0, d=x.shape[1])
    sampled = {"inputs": x, "counts": checks.joint_counts(x, draws, settings["draws"]), "draws": settings["draws"]}
    return [
        check("du.4", "empirical", f"The data set has exactly {expected} samples of unit length",
              checks.unit_length, {"inputs": x, "expected": expected, "order": 2}, {"order": 1},
              "length in the 1-norm", figure="mnist1d_samples"),
        check("du.5.h_infinity", "theorem", r"The least eigenvalue of $H^\infty$ is positive",
              checks.positive_definite, {"inputs": x}, {"inputs": doubled}, copied, figure=figure),
        check("du.5.h_zero", "empirical", f"The least eigenvalue of $H(0)$ is positive at $m = {settings['width']}$",
              checks.positive_definite, {"inputs": x, "hidden": weights}, {"inputs": doubled}, copied, figure=figure),
        check("du.5.closed_form", "theorem", r"$H^\infty_{ij} = x_i^\top x_j\, (\pi - \arccos x_i^\top x_j)/2\pi$ "
              "is the expected Gram matrix", checks.closed_form, {**sampled, "gram": h_infinity(x), "error": error},
              {"gram": cosines * np.arccos(cosines) / (2 * np.pi)}, r"the angle in place of $\pi$ minus the angle"),
        check("du.5.concentration", "asymptotic", r"$\|H(0) - H^\infty\|_2$ falls like $m^{-1/2}$",
              checks.width_exponent,
              {"widths": gram["width"], "distances": gram["distance"], "expected": -0.5, "error": error},
              {"expected": -1.0}, "$m^{-1}$ in its place", form="our own", figure=figure),
    ]


def _descent_claims(settings: dict[str, Any], inputs: Mapping[str, Path], x) -> list:
    import numpy as np

    from descent.bounds import convergence
    from descent.bounds import convergence_checks as checks
    from descent.claims import check
    from descent.kernels.neural_tangent_kernel import h_infinity

    eigenvalues, n, width = np.linalg.eigvalsh(h_infinity(x)), len(x), settings["width"]
    rate, wrong, wrong_text = eigenvalues[0], {"rate": eigenvalues[-1]}, WRONG_RATE
    bounds, spectra = read_tables(inputs, "bound"), read_tables(inputs, "spectrum")
    covered = [name for name in bounds if name not in LIMIT[1:]]
    start = max(float(np.exp(bounds[name]["log_error"][bounds[name]["step"] == 0].max())) for name in covered)
    allowed, needed = (convergence.movement_bound(n, width, start, rate),
                       convergence.required_width(n, start, rate, settings["delta"]))
    kept = [spectra[name] for name in covered]
    longest = max(np.linalg.norm(_initial_weights(settings, width, replicate, x.shape[1]), axis=1).max()
                  for replicate in range(settings["replicates"]))
    moved = {"movement": max(float(table["movement"].max()) for table in kept), "hypotheses": {},
             "cases": sum(len(table["step"]) for table in kept), "protected": float(longest)}
    covered_movement, covered_cases = checks.movement_while_held(kept, rate / 2)
    along, everywhere = checks.bound_along_descent, "in all runs, at all steps"
    run = {"tables": [bounds[name] for name in covered], "rate": rate, "condition": None}
    limit = dict(zip(("coarse", "middle", "fine"), (bounds[name] for name in LIMIT)))
    shown = {"figure": "loss_and_bounds"}
    return [
        check("du.6.discrete", "theorem", r"While $\|I - \eta H\| \le 1 - \eta\lambda_0/2$, descent stays below "
              "the discrete bound with the measured remainder added", along,
              {**run, "kind": "remainder", "condition": "contraction_held"}, wrong, wrong_text,
              form="corrected", **shown),
        check("du.6.discrete_printed", "empirical", r"$\|u(k) - y\|^2 \le (1 - \eta\lambda_0/2)^k\, \|u(0) - y\|^2$ "
              f"{everywhere}", along, {**run, "kind": "discrete"}, wrong, wrong_text, **shown),
        check("du.6.flow", "empirical", r"As $\eta \to 0$, the flow bound $e^{-\lambda_0 t}$ holds while "
              r"$\lambda_{\min}(H) \ge \lambda_0/2$", checks.flow_limit, {**limit, "rate": rate},
              wrong, wrong_text, figure="flow_limit"),
        check("du.6.flow_printed", "empirical", r"Descent stays below the flow bound $e^{-\lambda_0 t}$ "
              f"{everywhere}", along,
              {**run, "kind": "flow"}, wrong, wrong_text, **shown),
        check("du.6.flow_descent", "empirical", "Descent stays below the flow bound while "
              r"$\lambda_{\min}(H) \ge \lambda_0/2$", along,
              {**run, "kind": "flow", "condition": "spectrum_held"}, wrong, wrong_text, **shown),
        check("du.6.hypothesis", "empirical", r"$\lambda_{\min}(H(t)) \ge \lambda_0/2$ at every kept step of "
              "every run", checks.least_eigenvalue_kept, {"tables": kept, "level": rate / 2}, {"level": rate},
              r"$\lambda_0$ in place of $\lambda_0/2$", figure="hypothesis"),
        check("du.6.movement", "empirical", r"While $\lambda_{\min}(H) \ge \lambda_0/2$, descent moves no weight "
              r"further than $2\sqrt{n}\, \|u(0) - y\| / (\sqrt{m}\, \lambda_0)$", checks.weights_stay_within,
              {**moved, "movement": covered_movement, "cases": covered_cases, "bound": allowed},
              {"bound": allowed / n**1.5}, r"$1/n$ in place of $\sqrt{n}$", form="corrected", figure="hypothesis"),
        check("du.6.width", "theorem", "At the width that the proof requires, gradient flow moves no weight further "
              r"than $R$, with probability $1 - \delta$ and if $\lambda_{\min}(H(0)) \ge 3\lambda_0/4$",
              checks.weights_stay_within, {**moved, "bound": convergence.radius(n, rate, settings["delta"]),
                                           "hypotheses": {f"$m \\ge 10^{{{np.log10(needed):.1f}}}$": width >= needed}},
              {"hypotheses": {}}, "without the condition on the width", form="corrected", figure="hypothesis"),
    ]


def _reported(settings: dict[str, Any], inputs: Mapping[str, Path]) -> list:
    from descent.bounds.convergence_summary import run_row
    from descent.claims import report_only

    rows = {name: run_row(table, None) for name, table in read_tables(inputs, "metrics").items()}
    outside = {"_mini_": "cycled mini-batches", "one_hot_": "ten one-hot outputs", "literal_": "the literal network"}
    groups = {key: [row for name, row in rows.items() if key in name and not row["diverged"]] for key in outside}
    return [report_only(f"du.6.{key.strip('_')}", f"Largest final over first loss of the runs with {outside[key]} that "
                        "did not diverge (not covered by the theorem)",
                        max(row["final_loss"] / row["first_loss"] for row in group),
                        settings["replicates"] * len(group), figure="labels_and_batches")
            for key, group in groups.items() if group]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds import convergence_summary as summary

    x = read_table(inputs["data"])["x"]
    metrics, spectra, bounds = (read_tables(inputs, kind) for kind in ("metrics", "spectrum", "bound"))
    found = summary.gram_values(x, read_table(inputs["gram"]), read_table(inputs["spectra"]), settings["width"])
    found |= summary.theorem_values(len(x), settings["width"], settings["delta"], found["lambda_0"],
                                    metrics["digit_full_stable"], spectra["digit_full_stable"])
    rows = {name: summary.run_row(metrics[name], spectra.get(name)) for name in settings["runs"]}
    failures = {name: summary.failures(table) for name, table in bounds.items()}
    found["runs"] = [{**summary.run_names(name), **row} for name, row in rows.items()]
    found["bounds"] = [{**summary.run_names(name), **failures[name]} for name in bounds if name not in LIMIT[1:]]
    for name in ("digit_full_lr", *LIMIT):
        found |= {f"{name.split('_')[-1]}_{key}": value for key, value in (rows[name] | failures[name]).items()}
    found["lr_bound_end"] = exp(-found["lambda_0"] * rows["digit_full_lr"]["flow_time"])
    found["batch_factor"] = summary.batch_factor(metrics["digit_full_stable"], metrics["digit_mini_stable"])
    found["stable_fall_orders"] = log10(found["stable_first_loss"] / found["stable_final_loss"])
    found["halving_first"], found["halving_second"] = summary.halving_changes([bounds[name] for name in LIMIT])
    found["device"] = settings["device"]
    found["findings"] = summary.findings(found)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
