"""Is it better to show a network the digits one after the other? Stagewise against full training on MNIST-1D."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.settings import Block, Size
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, read_tables, write_table

TITLE = "Stagewise training: one more digit in each stage"
PART = "convergence"


class Settings(Block):
    """Settings of the study; spec item du.7 gives the values of config.yaml."""

    width: int = Field(..., ge=4, le=100000, multiple_of=4, description="Hidden units m (du.7)")
    digits: list[Size] = Field(..., min_length=2, description="How many digits each stage shows, rising to 10 (du.7)")
    stage_steps: int = Field(..., ge=20, le=10**6, description="Steps of gradient descent in each stage (du.7)")
    replicates: int = Field(..., ge=2, le=100, description="Initializations of each run (du.7)")
    stable_fraction: float = Field(
        ..., gt=0, le=0.9, description="Step over the limit of stability, 2 / lambda_max(H_infinity), in all stages")
    learning_rate: float = Field(..., gt=0, le=10, description="Step on the mean-squared error of a stage (du.7)")
    record_every: int = Field(..., ge=1, le=10**6, description="Steps between losses on all samples, stagewise")
    kept_steps: int = Field(..., ge=3, le=50, description="Steps of each stage at which H(t) is examined")

    @model_validator(mode="after")
    def _rising_to_all_digits(self):
        if self.digits != sorted(set(self.digits)) or self.digits[0] < 1 or self.digits[-1] != 10:
            raise ValueError("digits must be positive and rise to 10")
        return self


ORDERS, RULES = ("stagewise", "full"), ("stable", "lr")


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare stagewise and full training with two rules for the step, and what is read from them."""
    data = study.data("mnist1d")
    runs = {f"{order}_{rule}": _plan_run(study, settings, order, rule, data) for order in ORDERS for rule in RULES}
    shared = {"width": settings.width, "digits": settings.digits, "replicates": settings.replicates}
    steps = [settings.stage_steps * i for i in range(len(settings.digits) + 1)]
    kept = _paths(runs, "trajectory", ("stagewise_stable", "full_stable"))
    staged = {kind: _paths(runs, kind, ("stagewise_stable", "stagewise_lr")) for kind in ("metrics", "trajectory")}
    study.figure("losses", {}, _paths(runs, "metrics", runs), seconds=2)
    study.figure("eigenvalues", {"digits": settings.digits}, {"data": data, **kept}, seconds=2)
    study.figure("digits", {"steps": steps}, kept)
    study.figure("stage_bounds", {}, {"data": data, **staged["metrics"], **staged["trajectory"]}, seconds=2)
    evidence = {"data": data, **_paths(runs, "metrics", runs), **_paths(runs, "trajectory", runs)}
    study.claims({**shared, "master_seed": study.master_seed}, evidence, seconds=5)
    study.values({"replicates": settings.replicates}, evidence, seconds=3)


def _paths(runs: Mapping[str, Mapping[str, str]], kind: str, names: Iterable[str]) -> dict[str, str]:
    return {f"{kind}_{name}": runs[name][kind] for name in names}


def _plan_run(study: StudyPlan, settings: Settings, order: str, rule: str, data: str) -> dict[str, str]:
    step = settings.stable_fraction if rule == "stable" else settings.learning_rate
    run = {"order": order, rule: step}
    # Measured at n = 500, d = 40, m = 1000; a step costs in proportion to the samples, and each number of them one
    # compilation.
    compiled = len(settings.digits) if order == "stagewise" else 1
    share = sum(settings.digits) / (10 * len(settings.digits)) if order == "stagewise" else 1
    steps = settings.replicates * settings.width / 1000 * len(settings.digits) * settings.stage_steps
    more = settings.model_dump(include={"width", "digits", "stage_steps", "record_every", "kept_steps"})
    return study.train(run, {**run, **more, "master_seed": study.master_seed}, {"data": data},
                       range(settings.replicates), seconds=2 + compiled + steps * share * 7.8e-4, memory_mb=400,
                       megabytes=steps * 5e-5)


def train(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path], replicate: int) -> None:
    """One replicate: losses and remainders of every step, and the state of the network at the kept ones."""
    import numpy as np

    from descent.dynamics.recorded_descent import log_spaced_steps
    from descent.dynamics.stagewise_descent import Training, run_stages
    from descent.networks import theorem_network as network

    data, width, seed = read_table(inputs["data"]), settings["width"], settings["master_seed"]
    x, steps = data["x"], settings["stage_steps"]
    signs = network.output_weights("theorem", seed, replicate, width, 1)
    training = Training(signs, x, network.label_targets("digit", data["digit"]), data["digit"], width**-0.5)
    kept = log_spaced_steps(steps, settings["kept_steps"])
    if settings["order"] == "full":
        kept = sorted({*kept, *range(0, steps * len(settings["digits"]) + 1, steps)})
    tables = run_stages(network.hidden_weights(seed, replicate, width, x.shape[1]), training,
                        _stages(settings, x, data["digit"]), settings["record_every"], kept)
    for name, columns in zip(("metrics", "trajectory"), tables, strict=True):
        columns = {"replicate": np.full(len(columns["step"]), replicate), **columns}
        write_table(outputs[name], columns, {"flow_time": "flow time", "loss": "squared error"}, settings)


def _stages(settings: Mapping[str, Any], x, labels) -> list:
    from descent.dynamics.stagewise_descent import TrainingStage
    from descent.networks import theorem_network as network

    def eta(digits: int) -> float:
        if "lr" in settings:
            return network.mean_error_step(settings["lr"], int((labels < digits).sum()), 1)
        return network.stable_step(settings["stable"], "theorem", x, settings["width"])

    if settings["order"] == "full":
        return [TrainingStage(10, settings["stage_steps"] * len(settings["digits"]), eta(10))]
    return [TrainingStage(digits, settings["stage_steps"], eta(digits)) for digits in settings["digits"]]


def _staged_bounds(inputs: Mapping[str, Path]) -> dict[str, Any]:
    import numpy as np

    from descent.bounds.stagewise import stage_bounds, stage_rates

    metrics, states = read_tables(inputs, "metrics"), read_tables(inputs, "trajectory")
    data = read_table(inputs["data"])
    rates = stage_rates(data["x"], data["digit"], np.unique(metrics["stagewise_stable"]["digits"]))
    return {rule: stage_bounds(metrics[f"stagewise_{rule}"], states[f"stagewise_{rule}"], rates) for rule in RULES}


def figure_losses(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Stagewise and full training on one axis (du.7)."""
    from descent.bounds.stagewise_figures import draw_losses

    tables = read_tables(inputs, "metrics")
    figure = draw_losses({rule: {order: tables[f"{order}_{rule}"] for order in ORDERS} for rule in RULES})
    save_figure(figure, outputs, settings["preview"])


def figure_eigenvalues(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Nested spectra, and the least eigenvalue in training (du.7)."""
    from descent.bounds.stagewise_figures import draw_eigenvalues

    data, states = read_table(inputs["data"]), read_tables(inputs, "trajectory")
    figure = draw_eigenvalues(_nested_spectra(data["x"], data["digit"], settings["digits"]),
                              {order: states[f"{order}_stable"] for order in ORDERS})
    save_figure(figure, outputs, settings["preview"])


def _nested_spectra(x, labels, digits: list[int]) -> dict[int, Any]:
    from descent.bounds.stagewise import nested_subsets
    from descent.kernels.interlacing import principal_spectra
    from descent.kernels.neural_tangent_kernel import h_infinity

    return dict(zip(digits, principal_spectra(h_infinity(x), nested_subsets(labels, digits)), strict=True))


def figure_digits(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Loss of each digit at the stages' ends (du.7)."""
    from descent.bounds.stagewise_figures import draw_digits

    states = read_tables(inputs, "trajectory")
    figure = draw_digits({order: states[f"{order}_stable"] for order in ORDERS}, settings["steps"])
    save_figure(figure, outputs, settings["preview"])


def figure_stage_bounds(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The theorem's bounds stage by stage (du.7)."""
    from descent.bounds.stagewise_figures import draw_stage_bounds

    save_figure(draw_stage_bounds(_staged_bounds(inputs)), outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for du.7."""
    data = read_table(inputs["data"])
    write_claims(outputs["claims"], [*_eigenvalue_claims(settings, data["x"], data["digit"]),
                                     *_descent_claims(inputs), *_comparison_claims(inputs)])


def _eigenvalue_claims(settings: dict[str, Any], x, labels) -> list:
    from descent.bounds import stagewise_checks as checks
    from descent.bounds.stagewise import chain, exchanged, nested_subsets
    from descent.claims import check
    from descent.kernels.neural_tangent_kernel import h_infinity, h_patterns
    from descent.networks.theorem_network import hidden_weights
    from descent.networks.two_layer import activation_patterns

    sets, shown = nested_subsets(labels, settings["digits"]), {"figure": "stagewise/eigenvalues", "form": "our own"}
    starts = [hidden_weights(settings["master_seed"], replicate, settings["width"], x.shape[1])
              for replicate in range(settings["replicates"])]
    grams = [h_infinity(x), *(h_patterns(x, activation_patterns(weights, x)) for weights in starts)]
    inner, outer = chain(sets)
    single = [labels == digit for digit in range(10)]
    return [
        check("du.7.interlacing", "theorem", r"The eigenvalues of $H^\infty$, and of every $H(0)$, on the samples of "
              "each stage, of each stage with one more sample, of the next stage and so on interlace: all of Cauchy's "
              "inequalities", checks.interlacing, {"grams": grams, "inner": inner, "outer": outer},
              {"inner": exchanged(inner, outer)}, "one sample of the smaller set exchanged for one outside the larger",
              **shown),
        check("du.7.lambda_min", "theorem", r"$\lambda_{\min}(H^\infty[S])$ does not rise from stage to stage",
              checks.falling_least_eigenvalue, {"gram": grams[0], "subsets": sets},
              {"subsets": single}, "the ten digits one at a time, not nested", **shown),
    ]


def _descent_claims(inputs: Mapping[str, Path]) -> list:
    from descent.bounds import stagewise_checks as checks
    from descent.claims import check

    staged = list(_staged_bounds(inputs).values())
    twice, doubled = {"factor": 2.0}, r"$\lambda_0(S)$ in place of $\lambda_0(S)/2$"
    return [
        check("du.7.discrete", "theorem", r"In every stage, while $\|I - \eta H[S]\| \le 1 - \eta\lambda_0(S)/2$: "
              r"$\|r(k+1)\| \le (1 - \eta\lambda_0(S)/2)\, \|r(k)\| + \|e(k)\|$", checks.one_step,
              {"tables": staged}, twice, doubled, form="corrected", figure="stagewise/stage_bounds"),
        check("du.7.flow", "empirical", r"In every stage the squared error on its samples stays below "
              r"$e^{-\lambda_0(S)\, t}$ times its first value, $t$ from the stage's start", checks.stage_flow,
              {"tables": staged}, twice, r"$e^{-2\lambda_0(S)\,t}$: the rate of the square taken for the norm",
              form="our own", figure="stagewise/stage_bounds"),
        check("du.7.hypothesis", "empirical", r"$\lambda_{\min}(H[S](t)) \ge \lambda_0(S)/2$ at every kept step of "
              "every stage", checks.eigenvalue_kept, {"tables": staged}, {"level": 2.0},
              doubled, form="our own", figure="stagewise/eigenvalues"),
    ]


def _comparison_claims(inputs: Mapping[str, Path]) -> list:
    import numpy as np

    from descent.bounds import stagewise_checks as checks
    from descent.bounds.stagewise_summary import final_losses, loss_at
    from descent.claims import check, report_only

    tables = read_tables(inputs, "metrics")
    ends = {name: final_losses(table) for name, table in tables.items()}
    short = loss_at(tables["full_stable"], "step", tables["stagewise_stable"]["stage_step"].max())
    stable, rate = ((ends[f"stagewise_{rule}"], ends[f"full_{rule}"]) for rule in RULES)
    return [
        check("du.7.comparison", "empirical", "At equal steps and flow time stagewise training ends with a larger "
              "loss on all samples than full training from the same initialization", checks.greater_in_pairs,
              {"first": stable[0], "second": stable[1]}, {"second": short},
              "full training stopped after as many steps as one stage has", form="our own",
              figure="stagewise/losses"),
        report_only("du.7.learning_rate", "The same ratio of final losses with the assignment's rate on the stage's "
                    "mean error (geometric mean)", float(np.exp(np.mean(np.log(rate[0] / rate[1])))), len(rate[0]),
                    figure="stagewise/losses"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds import stagewise_summary as summary

    metrics, states, bounds = read_tables(inputs, "metrics"), read_tables(inputs, "trajectory"), _staged_bounds(inputs)
    labels, found = read_table(inputs["data"])["digit"], {"replicates": settings["replicates"]}
    for rule in RULES:
        staged, full = metrics[f"stagewise_{rule}"], metrics[f"full_{rule}"]
        found |= {f"{rule}_{key}": value for key, value in summary.comparison(staged, full).items()}
        found[f"{rule}_stages"] = summary.stage_table(staged, states[f"stagewise_{rule}"], bounds[rule], labels)
    found["lambda_0"], found["lambda_0_first"] = (found["stable_stages"][i]["rate"] for i in (-1, 0))
    found |= summary.hypothesis(bounds["stable"], states["full_stable"], found["lambda_0"])
    found |= summary.equal_time(metrics)
    found["digits"] = summary.digit_table(*(states[f"{order}_stable"] for order in ORDERS))
    found["findings"] = summary.findings(found)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
