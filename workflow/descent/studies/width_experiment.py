"""Does the network follow the kernel dynamics more closely when it is wider? (assignment tau, ultra wide networks)."""

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
from descent.pipeline.settings import Block, Positive, Size
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table

TITLE = "Width: does a wider network follow the kernel more closely?"
PART = "kernels"


class Halving(Block):
    """The same networks again with half and a quarter of the step (tau.4.3)."""

    widths: list[Size] = Field(..., min_length=3, description="Widths m, rising, among those of the study")
    replicates: int = Field(..., ge=1, le=100, description="Initializations of each, among those of the study")


class Shown(Block):
    """The training points whose outputs are drawn (tau.4.3)."""

    widths: list[Size] = Field(..., min_length=1, max_length=4, description="Widths m, rising, among the study's")
    points: int = Field(..., ge=1, le=6, description="Training points, evenly chosen in the order of their targets")


class Settings(Block):
    """Settings of the study; spec item tau.4.3 gives the values of config.yaml."""

    data: list[Literal["synthetic_regression", "diabetes"]] = Field(..., min_length=1, description="Sets (tau.4.3)")
    initializations: list[Literal["theorem", "antisymmetric"]] = Field(
        ..., min_length=1, description="Starts: independent units; pairs of units that cancel, u(0) = 0 (tau.4.3)")
    widths: list[Size] = Field(..., min_length=3, description="Widths m, rising multiples of 4 (tau.4.3)")
    shared_up_to: int = Field(..., ge=4, le=10**6, description="Widths up to this share a run, others have their own")
    replicates: int = Field(..., ge=2, le=1000, description="Initializations of every width, at least 6 (tau.4.3)")
    step: float = Field(..., gt=0, le=10, description="Step eta of network and kernel (tau.4.3)")
    horizons: list[Positive] = Field(
        ..., min_length=2, description="Flow times of the measurements, rising; the last is the horizon (tau.4.3)")
    short_horizon: float = Field(..., gt=0, le=10**6, description="One of the earlier horizons, also claimed (tau.4.3)")
    halving: Halving = Field(..., description="Runs at half and a quarter of the step (tau.4.3)")
    shown: Shown = Field(..., description="Outputs that are drawn (tau.4.3)")
    device: DeviceSetting = Field(..., description="What trains; auto: an NVIDIA GPU where PyTorch can use one")

    @model_validator(mode="after")
    def _widths_and_horizons_fit(self):
        if len(set(self.data)) < len(self.data) or len(set(self.initializations)) < len(self.initializations):
            raise ValueError("data and initializations must each be different")
        if "theorem" not in self.initializations:
            raise ValueError("initializations must contain theorem")
        if self.widths != sorted(set(self.widths)) or self.widths[0] < 4 or any(m % 4 for m in self.widths):
            raise ValueError("widths must be rising multiples of 4")
        for name, block in (("halving", self.halving), ("shown", self.shown)):
            if block.widths != sorted(set(block.widths)) or not set(block.widths) <= set(self.widths):
                raise ValueError(f"{name}.widths must rise and be among widths")
        if self.halving.replicates > self.replicates:
            raise ValueError("halving.replicates must not exceed replicates")
        if self.horizons != sorted(set(self.horizons)) or self.short_horizon not in self.horizons[:-1]:
            raise ValueError("horizons must rise, and short_horizon be one of them but the last")
        if any(abs(time / self.step - round(time / self.step)) > 1e-6 or time < self.step for time in self.horizons):
            raise ValueError("horizons must be whole numbers of steps")
        return self


RECORDED = 80


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the runs: every data set and initialization, the narrow widths together, and the halved steps."""
    data = {name: study.data(name) for name in settings.data}
    runs, halved = {}, {}
    for name in settings.data:
        for initialization in settings.initializations:
            runs[f"{name}_{initialization}"] = [
                _plan_run(study, settings, data[name], {"data": name, "init": initialization, "m": label}, widths)
                for label, widths in _groups(settings).items()]
        halved[name] = _plan_run(study, settings, data[name], {"data": name, "step": "halved"}, settings.halving.widths)
    metrics = {f"metrics_{name}": [run["metrics"] for run in parts] for name, parts in runs.items()}
    steps = {f"halved_{name}": run["metrics"] for name, run in halved.items()}
    inputs = {f"data_{name}": path for name, path in data.items()}
    shared = {"horizon": settings.horizons[-1], "short": settings.short_horizon}
    study.figure("predictions", {"widths": settings.shown.widths},
                 {name: [run["trajectory"] for run in runs[f"{name}_theorem"]] for name in settings.data})
    study.figure("deviation_law", shared, metrics)
    study.figure("training_laws", shared, metrics)
    study.figure("horizon_and_step", shared, {**metrics, **steps})
    study.view("sweep", {}, metrics)
    evidence = {**metrics, **steps, **inputs}
    study.claims({**shared, "first": settings.widths[0], "last": settings.widths[-1]}, evidence, seconds=3)
    study.values({**shared, "step": settings.step, "device": resolve(settings.device)}, evidence, seconds=2)


def _groups(settings: Settings) -> dict[str, list[int]]:
    narrow = [width for width in settings.widths if width <= settings.shared_up_to]
    wide = {str(width): [width] for width in settings.widths if width > settings.shared_up_to}
    return ({f"{narrow[0]}-{narrow[-1]}": narrow} if narrow else {}) | wide


def _plan_run(study: StudyPlan, settings: Settings, data: str, run: dict[str, Any],
              widths: list[int]) -> dict[str, str]:
    halved = "step" in run
    sizes = [settings.step / 2, settings.step / 4] if halved else [settings.step]
    replicates = settings.halving.replicates if halved else settings.replicates
    steps = sum(settings.horizons[-1] / eta for eta in sizes)
    device = resolve(settings.device)
    more = {"master_seed": study.master_seed, "initialization": run.get("init", "theorem"), "widths": widths,
            "step_sizes": sizes, "horizons": settings.horizons, "points": settings.shown.points, "device": device}
    # Measured on one core: seconds a step and unit for 442 and for 128 samples of 10 coordinates; memory for 500 of 40.
    unit = 350e-9 if run["data"] == "diabetes" else 110e-9
    return study.train(run, more, {"data": data}, range(replicates), "train" if device == "cpu" else "train_on_device",
                       seconds=0.5 + replicates * steps * sum(widths) * unit,
                       memory_mb=280 + round(0.005 * max(widths)), megabytes=0.02 * replicates * len(widths))


def train(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path], replicate: int) -> None:
    """One replicate at all widths and step sizes of a run: what is measured at the horizons, and some outputs."""
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

    from descent.dynamics import kernel_comparison as comparison
    from descent.dynamics.kernel_dynamics import KernelDynamics
    from descent.kernels.neural_tangent_kernel import h_infinity
    from descent.networks.antisymmetric import initial_weights

    data = read_table(inputs["data"], ["x", "y"])
    x, y = comparison.unit_rows(data["x"]), data["y"]
    limit = h_infinity(x)
    kernel = KernelDynamics(limit, y)
    points = np.argsort(y, kind="stable")[np.linspace(0, len(y) - 1, settings["points"] + 2)[1:-1].astype(int)]
    tables: dict[str, list[dict[str, Any]]] = {"metrics": [], "trajectory": []}
    for eta in settings["step_sizes"]:
        if eta * kernel.eigenvalues[-1] >= 1:
            raise ValueError(f"step {eta}: must be below {1 / kernel.eigenvalues[-1]:.3g}, 1 / lambda_max(H_infinity), "
                             "or the dynamics of the doubled kernel, a control, diverge")
        kept = [round(time / eta) for time in settings["horizons"]]
        for width in settings["widths"]:
            hidden, outs = initial_weights(settings["initialization"] == "antisymmetric", settings["master_seed"],
                                           replicate, width, x.shape[1])
            descent = descent_class(hidden, outs, x, y[:, None], eta, scale=width**-0.5)
            found = comparison.compare(descent, x, kernel, limit, eta, kept, points, RECORDED)
            for name, columns in zip(tables, found, strict=True):
                same = {"replicate": replicate, "width": width, "step_size": eta}
                repeated = {key: np.full(len(columns["step"]), value) for key, value in same.items()}
                tables[name].append({**repeated, **columns})
    for name, parts in tables.items():
        write_table(outputs[name], _joined(parts), {"flow_time": "flow time"}, settings)


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    import numpy as np

    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _tables(inputs: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {name.removeprefix(f"{kind}_"): _joined([read_table(path) for path in paths])
            if isinstance(paths, list) else read_table(paths)
            for name, paths in inputs.items() if name.startswith(f"{kind}_")}


def figure_predictions(settings: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Path]) -> None:
    """Outputs at a few training points, network against kernel, at a few widths (tau.4.3)."""
    from descent.dynamics.width_figures import draw_predictions

    tables = {name: _joined([read_table(path) for path in paths]) for name, paths in inputs.items()}
    save_figure(draw_predictions(tables, settings["widths"]), outputs, settings["preview"])


def figure_deviation_law(settings: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Path]) -> None:
    """The largest distance between network and kernel against the width (tau.4.3)."""
    from descent.dynamics.width_figures import draw_deviation

    figure = draw_deviation(_tables(inputs, "metrics"), settings["short"], settings["horizon"])
    save_figure(figure, outputs, settings["preview"])


def figure_training_laws(settings: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Path]) -> None:
    """Gram matrix at the start, its drift, weight movement and flipped patterns against the width (tau.4.3)."""
    from descent.dynamics.width_figures import draw_laws

    save_figure(draw_laws(_tables(inputs, "metrics"), settings["short"]), outputs, settings["preview"])


def figure_horizon_and_step(settings: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Path]) -> None:
    """The fitted exponent against the horizon, and the deviation at three steps (tau.4.3)."""
    from descent.dynamics.width_figures import draw_horizon_and_step

    metrics = _tables(inputs, "metrics")
    figure = draw_horizon_and_step(metrics, _all_steps(metrics, _tables(inputs, "halved"), settings["short"]))
    save_figure(figure, outputs, settings["preview"])


def _all_steps(metrics: Mapping[str, Any], halved: Mapping[str, Any], horizon: float) -> dict[str, Any]:
    from descent.dynamics.width_summary import all_steps

    return {name: all_steps(metrics[f"{name}_theorem"], table, horizon) for name, table in halved.items()}


def view_sweep(settings: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Path]) -> None:
    """What the widths change, at every horizon, to be chosen (tau.4.3)."""
    from descent.dynamics.width_view import sweep_view
    from descent.views import write_view

    write_view(outputs["view"], sweep_view(_tables(inputs, "metrics")))


NAMES = {"synthetic_regression": "the synthetic set", "diabetes": "the diabetes set"}


def claims(settings: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Path]) -> None:
    """The ledger's rows for tau.4.3."""
    metrics = _tables(inputs, "metrics")
    write_claims(outputs["claims"], [*_start_claims(inputs, metrics), *_deviation_claims(settings, metrics),
                                     *_training_claims(settings, inputs, metrics)])


def _start_claims(inputs: Mapping[str, Any], metrics: Mapping[str, Any]) -> list:
    from descent.claims import check
    from descent.dynamics import width_checks as checks
    from descent.dynamics.kernel_comparison import unit_rows
    from descent.dynamics.width_summary import at_horizon, series

    data = _tables(inputs, "data")
    first = {name: at_horizon(metrics[f"{name}_theorem"]) for name in data}
    return [
        check("tau.4.3.fluctuation", "theorem", r"$m\, E\|H(0) - H^\infty\|_F^2$ is, at every width, "
              r"$\sum_{ij} (x_i^\top x_j)^2\, p_{ij}(1 - p_{ij})$; $p_{ij}$: the chance that a unit is active on both",
              checks.fluctuation_agrees,
              {"inputs": [unit_rows(data[name]["x"]) for name in first],
               "frobenius": [table["frobenius"] for table in first.values()], "failing": True}, {"failing": False},
              "$p_{ij}$ in place of $p_{ij}(1 - p_{ij})$", form="our own", figure="training_laws"),
        _exponent_claim("gram", r"\|H(0) - H^\infty\|_2", [series(table, "distance") for table in first.values()],
                        "on every data set, independent units", (-0.5, -0.5), "training_laws"),
    ]


def _exponent_claim(name: str, quantity: str, rows: list, where: str, exponents: tuple[float, float], figure: str,
                    control: tuple[dict[str, Any], str] | None = None):
    from descent.claims import check
    from descent.dynamics.width_checks import exponent_within

    lowest, highest = exponents
    text = {-0.5: r"-\frac12", -0.75: r"-\frac34"}
    interval = f"${text[highest]} \\pm 0.1$" if lowest == highest else (
        f"$[{text[lowest]} - 0.1,\\ {text[highest]} + 0.1]$")
    wrong, words = control or ({"lowest": -1.0, "highest": -1.0}, "exponent $-1$")
    return check(f"tau.4.3.{name}", "asymptotic", f"The exponent of ${quantity}$ in the width lies, with its interval, "
                 f"within {interval} {where}", exponent_within,
                 {"series": rows, "lowest": lowest, "highest": highest, "margin": 0.1}, wrong, words, form="our own",
                 figure=figure)


def _deviation_claims(settings: dict[str, Any], metrics: Mapping[str, Any]) -> list:
    from descent.claims import check
    from descent.dynamics import width_checks as checks
    from descent.dynamics.width_summary import at_horizon, series

    horizon, short = settings["horizon"], settings["short"]
    last = {name: at_horizon(table, horizon) for name, table in metrics.items()}
    rows = [check("tau.4.3.closer", "empirical", "The wider the network, the closer it stays to the kernel dynamics, "
                  f"$m$ from {settings['first']} to {settings['last']}, up to $t = {horizon:g}$",
                  checks.closer_with_width, {"series": [series(table, "deviation") for table in last.values()]},
                  {"rotation": 1}, "widths rotated differently in each replicate", figure="deviation_law")]
    doubled = "kernel dynamics with $2H^\\infty$, the loss without its ½"
    for name, words in NAMES.items():
        mine = {key: table for key, table in metrics.items() if key.rsplit("_", 1)[0] == name}
        for time, suffix in ((short, "_short"), (horizon, "")) if mine else ():
            tables = [at_horizon(table, time) for table in mine.values()]
            control = None if suffix else ({"series": [series(t, "doubled_deviation") for t in tables]}, doubled)
            rows.append(_exponent_claim(
                f"deviation_{name}{suffix}", r"\sup_t \|u - u_{\mathrm{ntk}}\| / \|u(0) - y\|",
                [series(table, "deviation") for table in tables], f"on {words}, $t \\le {time:g}$", (-0.5, -0.5),
                "deviation_law", control))
    return rows


def _training_claims(settings: dict[str, Any], inputs: Mapping[str, Any], metrics: Mapping[str, Any]) -> list:
    from descent.claims import check
    from descent.dynamics import width_checks as checks
    from descent.dynamics.width_summary import at_horizon, series

    tables = [at_horizon(table, settings["short"]) for table in metrics.values()]
    where = f"on every data set, both starts, at $t = {settings['short']:g}$"
    half, drift = (-0.5, -0.5), (-0.75, -0.5)
    rows = [_exponent_claim(name, quantity, [series(table, column) for table in tables], where, law, "training_laws")
            for name, quantity, column, law in (
                ("movement", r"\max_r \|w_r(t) - w_r(0)\|", "movement", half),
                ("flips", r"\text{fraction of flipped patterns}", "flipped", half),
                ("drift", r"\|H(t) - H(0)\|_2", "drift", drift))]
    steps = [table for time in (settings["short"], settings["horizon"])
             for table in _all_steps(metrics, _tables(inputs, "halved"), time).values()]
    return [*rows, check(
        "tau.4.3.step", "empirical", "Halving the step, and halving it again, changes the exponent of the deviation by "
        "at most 0.02", checks.step_does_not_matter, {"tables": steps, "column": "deviation", "margin": 0.02},
        {"column": "flow_deviation"}, "descent against the kernel's flow instead of its steps", form="our own",
        figure="horizon_and_step")]


def values(settings: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.dynamics import width_summary as summary
    from descent.dynamics.kernel_comparison import unit_rows

    metrics, data = _tables(inputs, "metrics"), _tables(inputs, "data")
    horizon, short, eta = settings["horizon"], settings["short"], settings["step"]
    found: dict[str, Any] = {"steps": round(horizon / eta), "device": settings["device"]}
    found["sets"] = [{"name": name, "words": NAMES[name], "label": summary.SETS[name],
                      **summary.set_row(unit_rows(table["x"]), table["y"], eta, horizon, short)}
                     for name, table in data.items()]
    found["laws"] = [{**summary.run_names(name), "time": time, **summary.law_row(summary.at_horizon(table, time))}
                     for time in (short, horizon) for name, table in metrics.items()]
    found["halving"] = [{"label": summary.SETS[name], "time": time, **summary.step_row(table)}
                        for time in (short, horizon)
                        for name, table in _all_steps(metrics, _tables(inputs, "halved"), time).items()]
    found["findings"] = summary.findings(found, short, horizon)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
