"""Which labels are learnt fast? The training error mode by mode, predicted from one eigendecomposition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Size
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table

TITLE = "Mode by mode: which labels are learnt fast?"
PART = "kernels"


class Settings(Block):
    """Settings of the study, an extension of tau.4."""

    widths: list[Size] = Field(..., min_length=3, description="Hidden units m, rising, multiples of 8")
    antisymmetric_width: int = Field(..., ge=8, le=10**5, multiple_of=8, description="m of the starts with f = 0")
    replicates: int = Field(..., ge=3, le=100, description="Initializations, each with its own random labels")
    stable_fraction: float = Field(..., gt=0, le=0.5, description="Step over the limit 2 / lambda_max(H_infinity)")
    steps: int = Field(..., ge=20, le=10**5, description="Steps of gradient descent")
    kept_steps: int = Field(..., ge=8, le=500, description="Steps whose residuals are kept, even in the logarithm")
    error_fraction: float = Field(..., gt=0, lt=1, description="Part of the first squared error to wait for")
    group: int = Field(..., ge=1, le=1000, description="Neighbouring modes whose energies are added up")
    permutations: int = Field(..., ge=99999, le=10**7, description="Random orders of the labels in the alignment test")
    alignment_time: float = Field(..., gt=0, le=1000, description="Flow time at which they are compared")

    @model_validator(mode="after")
    def _rising_widths(self):
        if self.widths != sorted(set(self.widths)) or any(m < 8 or m % 8 for m in self.widths):
            raise ValueError("widths must be positive multiples of 8 and rising")
        return self


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the trainings, the predictions beside them, the permutations, and what is read from these."""
    data = study.data("mnist1d")
    seed, common = {"master_seed": study.master_seed}, {"replicates": settings.replicates}
    runs = _runs(settings)
    tables = {name: paths for name, run in runs.items()
              for name, paths in _train(study, settings, name, run, data).items()}
    starts = settings.replicates * (len(settings.widths) + 1)
    prediction = study.table("prediction", {**seed, "runs": runs}, {"data": data, **tables},
                             seconds=0.2 * starts, memory_mb=600)
    permutations = study.table("permutations", {**seed, "count": settings.permutations,
                                                "flow_time": settings.alignment_time}, {"data": data}, seconds=4)
    kept = {name: path for name, path in tables.items() if name.startswith("trajectory_gaussian")}
    study.figure("mode_error", {"widths": [settings.widths[0], settings.widths[-1]]}, {"prediction": prediction})
    study.figure("mode_decay", {"group": settings.group},
                 {"data": data, "widest": kept[f"trajectory_gaussian_{settings.widths[-1]}"]})
    study.figure("label_alignment", {**seed, **common, "flow_time": settings.alignment_time},
                 {"data": data, "permutations": permutations})
    study.figure("mode_width", {"widths": settings.widths, "fraction": settings.error_fraction},
                 {"prediction": prediction})
    read = {"data": data, "prediction": prediction, "permutations": permutations, **kept}
    shared = {**seed, **settings.model_dump()}
    study.claims(shared, read, seconds=4, memory_mb=500)
    study.values(shared, read, seconds=2)


def _runs(settings: Settings) -> dict[str, dict[str, Any]]:
    kinds = [("gaussian", width, ["true", "random"]) for width in settings.widths]
    kinds.append(("antisymmetric", settings.antisymmetric_width, ["true", "random", "signs"]))
    return {f"{start}_{width}": {"start": start, "width": width, "labels": labels} for start, width, labels in kinds}


def _train(study: StudyPlan, settings: Settings, name: str, run: dict[str, Any], data: str) -> dict[str, str]:
    more = {"master_seed": study.master_seed, "steps": settings.steps, "kept_steps": settings.kept_steps,
            "stable_fraction": settings.stable_fraction}
    # Measured at n = 500, d = 40: microseconds a step and hidden unit.
    seconds = 0.2 + len(run["labels"]) * 0.9e-6 * run["width"] * settings.steps
    paths = study.train({"start": run["start"], "width": run["width"]}, {**run, **more}, {"data": data},
                        range(settings.replicates), seconds=0.5 + settings.replicates * seconds, memory_mb=500,
                        megabytes=0.012 * settings.replicates * settings.kept_steps)
    return {f"{kind}_{name}": path for kind, path in paths.items()}


def train(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path], replicate: int) -> None:
    """One replicate of one start with all its labels: loss and defect at every step, the residual at the kept ones."""
    import numpy as np

    from descent.dynamics import eigenmodes
    from descent.dynamics.gradient_descent import GradientDescent
    from descent.dynamics.recorded_descent import log_spaced_steps
    from descent.networks.antisymmetric import initial_weights
    from descent.networks.theorem_network import stable_step

    seed, width, data = settings["master_seed"], settings["width"], read_table(inputs["data"])
    x, kept = data["x"], log_spaced_steps(settings["steps"], settings["kept_steps"])
    hidden, signs = initial_weights(settings["start"] == "antisymmetric", seed, replicate, width, x.shape[1])
    eta = stable_step(settings["stable_fraction"], "theorem", x, width)
    gram, parts = eigenmodes.initial_gram(x, hidden), []
    for labels in settings["labels"]:
        y = eigenmodes.targets(labels, data["digit"], seed, replicate)
        descent = GradientDescent(hidden, signs, x, y[:, None], eta, scale=width**-0.5)
        tables = eigenmodes.record_residuals(descent, gram, eta, settings["steps"], kept)
        parts.append([{"replicate": np.full(len(columns["step"]), replicate),
                       "labels": np.full(len(columns["step"]), labels), **columns} for columns in tables])
    for name, tables in zip(("metrics", "trajectory"), zip(*parts, strict=True), strict=True):
        write_table(outputs[name], eigenmodes.joined(tables), {"flow_time": "flow time", "loss": "squared error"},
                    settings)


def table_prediction(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Measured and predicted squared errors of every run and replicate at the kept steps."""
    import numpy as np

    from descent.dynamics import eigenmodes
    from descent.dynamics.kernel_dynamics import KernelDynamics
    from descent.networks.antisymmetric import initial_weights

    data, seed, parts = read_table(inputs["data"]), settings["master_seed"], []
    x, limit = data["x"], _limit(data["x"])
    for name, run in settings["runs"].items():
        metrics, kept = (read_table(inputs[f"{kind}_{name}"]) for kind in ("metrics", "trajectory"))
        for r in np.unique(kept["replicate"]).tolist():
            hidden, _ = initial_weights(run["start"] == "antisymmetric", seed, r, run["width"], x.shape[1])
            start = KernelDynamics(eigenmodes.initial_gram(x, hidden), limit.targets)
            for labels in run["labels"]:
                this = {"replicate": r, "labels": labels}
                columns = eigenmodes.prediction_columns(
                    limit, start, eigenmodes.targets(labels, data["digit"], seed, r),
                    *(eigenmodes.selected(table, **this) for table in (metrics, kept)))
                names = {"start": run["start"], "width": run["width"], **this}
                parts.append({key: np.full(len(columns["step"]), value) for key, value in names.items()} | columns)
    write_table(outputs["table"], eigenmodes.joined(parts),
                {"flow_time": "flow time", "squared_error": "squared error"}, {"master_seed": seed})


def table_permutations(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The squared error that the kernel predicts for labels in random order, over the first one; one row an order."""
    from descent.dynamics.eigenmodes import permuted_errors
    from descent.networks.theorem_network import label_targets

    data = read_table(inputs["data"])
    y = label_targets("digit", data["digit"])[:, 0]
    draws = generator(settings["master_seed"], "label_permutations", 0, n=len(y))
    found = permuted_errors(_limit(data["x"]), y, settings["flow_time"], draws, settings["count"])
    write_table(outputs["table"], {"squared_error": found}, settings=settings)


def _limit(x):
    import numpy as np

    from descent.dynamics.kernel_dynamics import KernelDynamics
    from descent.kernels.neural_tangent_kernel import h_infinity

    return KernelDynamics(h_infinity(x), np.zeros(len(x)))


def _drawn_targets(settings: dict[str, Any], digits, labels: str) -> list:
    from descent.dynamics.eigenmodes import targets

    return [targets(labels, digits, settings["master_seed"], r) for r in range(settings["replicates"])]


def figure_mode_error(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Measured and predicted squared error, true and random labels, at the least and the greatest width."""
    from descent.dynamics.eigenmode_figures import draw_squared_error

    figure = draw_squared_error(read_table(inputs["prediction"]), settings["widths"])
    save_figure(figure, outputs, settings["preview"])


def figure_mode_decay(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The energy of groups of modes against their eigenvalue at several times."""
    from descent.dynamics.eigenmode_figures import draw_mode_decay

    dynamics = _limit(read_table(inputs["data"])["x"])
    figure = draw_mode_decay(dynamics, read_table(inputs["widest"]), settings["group"])
    save_figure(figure, outputs, settings["preview"])


def figure_label_alignment(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Eigenvalues, where true and random labels lie among the modes, and the permutation test."""
    from descent.dynamics.eigenmode_figures import draw_alignment

    data = read_table(inputs["data"])
    labels = {name: _drawn_targets(settings, data["digit"], name) for name in ("true", "random")}
    figure = draw_alignment(_limit(data["x"]), labels, read_table(inputs["permutations"])["squared_error"],
                            settings["flow_time"])
    save_figure(figure, outputs, settings["preview"])


def figure_mode_width(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """How far the prediction is off, against the width; predicted and measured times."""
    from descent.dynamics.eigenmode_figures import draw_width

    figure = draw_width(read_table(inputs["prediction"]), settings["widths"], settings["fraction"])
    save_figure(figure, outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows about modes (an extension of tau.4)."""
    data, prediction = read_table(inputs["data"]), read_table(inputs["prediction"])
    write_claims(outputs["claims"], [
        *_exact_claims(settings, data, prediction), *_wide_claims(settings, inputs, data, prediction),
        *_label_claims(settings, inputs, data, prediction)])


def _exact_claims(settings: dict[str, Any], data: Mapping[str, Any], prediction: Mapping[str, Any]) -> list:
    from descent.claims import check
    from descent.dynamics import eigenmode_checks as checks
    from descent.dynamics.eigenmodes import targets
    from descent.networks.antisymmetric import initial_weights
    from descent.networks.theorem_network import stable_step

    x, seed, width = data["x"], settings["master_seed"], settings["widths"][0]
    starts = [initial_weights(False, seed, r, width, x.shape[1]) for r in range(settings["replicates"])]
    linear = {"starts": starts, "inputs": x, "targets": targets("true", data["digit"], seed, 0), "power": 2,
              "eta": stable_step(settings["stable_fraction"], "theorem", x, width), "steps": settings["steps"]}
    return [
        check("tau.4.modes.linearized", "theorem", "Descent on the network's linearization has "
              r"$\|r(k)\|^2 = \sum_i (1 - \eta\lambda_i)^{2k} (v_i^\top r(0))^2$, modes of $H(0)$",
              checks.linearized_prediction, linear, {"power": 1}, "$k$ in place of $2k$", form="our own"),
        check("tau.4.modes.defects", "theorem", r"For the network itself $\|r(k) - (I - \eta H(0))^k r(0)\|$ stays "
              "below the sum of its steps' defects", checks.defects_add_up,
              {"table": prediction, "column": "deviation_zero"}, {"column": "deviation_infinity"},
              r"$H^\infty$ in place of $H(0)$ in the prediction", form="our own", figure="mode_width"),
    ]


def _wide_claims(settings: dict[str, Any], inputs: Mapping[str, Path], data: Mapping[str, Any],
                 prediction: Mapping[str, Any]) -> list:
    import numpy as np

    from descent.claims import check, report_only
    from descent.dynamics import eigenmodes
    from descent.statistics import falling_trend

    widths, fraction = settings["widths"], settings["error_fraction"]
    exponents = np.array([_exponents(settings, inputs, data["x"], m) for m in widths]).T
    deviations = eigenmodes.greatest_deviations(prediction, "deviation_infinity", widths, ["true"])
    slopes = np.polyfit(np.log(widths), np.log(deviations).T, 1)[0]
    missed, missed_labels = ({"samples": eigenmodes.time_errors(prediction, column, widths, "true", fraction)}
                             for column in ("zero", "labels_only"))
    return [
        check("tau.4.modes.exponent", "asymptotic", r"The energy in mode $i$ falls as $(1 - \eta\lambda_i)^{pk}$ with "
              "$p$ nearer to 2 the wider the network", falling_trend, {"samples": np.abs(exponents - 2)},
              {"samples": np.abs(exponents - 1)}, "nearer to 1", form="our own", figure="mode_decay"),
        check("tau.4.modes.times", "asymptotic", "The flow time in which the squared error falls to "
              f"{100 * fraction:.3g}% of its first value is nearer to the predicted one the wider the network",
              falling_trend, missed, missed_labels, r"$y$ in place of the network's own $y - u(0)$ in the prediction",
              form="our own", figure="mode_width"),
        check("tau.4.modes.width", "asymptotic", r"The distance of the residual from the prediction by $H^\infty$ "
              "falls as the width grows", falling_trend, {"samples": deviations}, {"rotation": 1},
              "each initialization's widths turned by one more place than the one before", form="our own",
              figure="mode_width"),
        report_only("tau.4.modes.rate", "Log-log slope of that distance against the width (first order in "
                    r"$m^{-1/2}$ would be $-\frac12$)", float(slopes.mean()), deviations.size, figure="mode_width"),
    ]


def _exponents(settings: dict[str, Any], inputs: Mapping[str, Path], x, width: int) -> list[float]:
    from descent.dynamics.eigenmodes import decay_exponent, selected

    dynamics, kept = _limit(x), read_table(inputs[f"trajectory_gaussian_{width}"])
    return [decay_exponent(dynamics, selected(kept, labels="true", replicate=r), settings["group"])
            for r in range(settings["replicates"])]


def _label_claims(settings: dict[str, Any], inputs: Mapping[str, Path], data: Mapping[str, Any],
                  prediction: Mapping[str, Any]) -> list:
    from descent.claims import check
    from descent.dynamics import eigenmode_checks as checks
    from descent.statistics import positive_mean

    true, random = (_drawn_targets(settings, data["digit"], labels)[0] for labels in ("true", "random"))
    test = {"dynamics": _limit(data["x"]), "targets": true, "flow_time": settings["alignment_time"],
            "permuted": read_table(inputs["permutations"])["squared_error"]}
    return [
        check("tau.4.modes.aligned", "empirical", "The kernel dynamics predict a smaller squared error at "
              f"$t = {settings['alignment_time']:.3g}$ for the true labels than for labels in random order",
              checks.aligned, test, {"targets": random}, "one random order in place of the true labels",
              form="our own", figure="label_alignment"),
        check("tau.4.modes.faster", "empirical", "The trained network reaches "
              f"{100 * settings['error_fraction']:.3g}% of its first squared error sooner with true labels than with "
              "the same labels in random order", positive_mean,
              {"samples": _delays(settings, prediction, "true")}, {"samples": _delays(settings, prediction, "signs")},
              "random signs in place of the true labels", form="our own", figure="mode_error"),
    ]


def _delays(settings: dict[str, Any], prediction: Mapping[str, Any], labels: str):
    import numpy as np

    from descent.dynamics.eigenmodes import replicate_times, selected

    width, fraction = settings["antisymmetric_width"], settings["error_fraction"]
    random, other = (replicate_times(selected(prediction, start="antisymmetric", width=width, labels=name),
                                     "squared_error", fraction) for name in ("random", labels))
    # Not finite where one was not reached.
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.log(random / other)


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.dynamics import eigenmode_summary as summary

    data, prediction = read_table(inputs["data"]), read_table(inputs["prediction"])
    labels = {name: _drawn_targets(settings, data["digit"], name) for name in ("true", "random")}
    found = summary.mode_values(_limit(data["x"]), labels, read_table(inputs["permutations"])["squared_error"],
                                settings["alignment_time"])
    found |= summary.run_values(prediction, settings["widths"], settings["antisymmetric_width"],
                                settings["error_fraction"])
    found |= summary.exponent_values({m: _exponents(settings, inputs, data["x"], m) for m in settings["widths"]})
    found |= summary.delay_values(_delays(settings, prediction, "true"))
    found["findings"] = summary.findings(found)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
