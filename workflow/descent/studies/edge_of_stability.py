"""How sharp does gradient descent let the loss become? (edge of stability, Cohen et al. 2021)"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.checkpoint import Checkpoint
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Positive
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table

TITLE = "The edge of stability"
PART = "landscapes"


class Settings(Block):
    """Settings of the study, an extension; the phenomenon is that of Cohen et al. (2021)."""

    samples: int = Field(..., ge=20, le=500, description="Samples of MNIST-1D, the first ones")
    width: int = Field(..., ge=5, le=500, description="Hidden units m")
    output_scale: float = Field(..., gt=0, le=1, description="Standard deviation of the output weights at the start")
    rates: list[Positive] = Field(..., min_length=3, max_length=3, description="Large steps eta, falling")
    reference_rate: float = Field(..., gt=0, le=10**6, description="Small step, whose run stands for gradient flow")
    flow_time: float = Field(..., gt=0, le=10**6, description="Common horizon t = eta k")
    points: int = Field(..., ge=12, le=1000, description="Times at which the spectrum is computed")
    replicates: int = Field(..., ge=2, le=50, description="Initializations")
    tolerance: float = Field(..., gt=0, le=0.1, description="Relative tolerance of the eigenvalue iteration")
    model_steps: int = Field(..., ge=20, le=1000, description="Steps on the quadratic model")
    probes: int = Field(..., ge=10, le=1000, description="Random vectors of the spectral density")
    lanczos_steps: int = Field(..., ge=10, le=200, description="Lanczos steps for each of them")

    @model_validator(mode="after")
    def _whole_intervals(self):
        if self.rates != sorted(self.rates, reverse=True) or self.reference_rate >= self.rates[-1]:
            raise ValueError("rates must fall, and reference_rate be the least")
        for eta in (*self.rates, self.reference_rate):
            between = self.flow_time / self.points / eta
            if between < 1 or abs(between - round(between)) > 1e-9 * between:
                raise ValueError(f"flow_time / points must be a whole number of steps of {eta}")
        return self


STATES = ("start", "sharpest", "end")
# How many times farther along the sharpest direction the quadratic model is to go than the network.
FAR = 10.0


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the recorded descents, the quadratic models at their sharpest points, and the densities of one."""
    own, data = {"master_seed": study.master_seed, **settings.model_dump()}, {"data": study.data("mnist1d")}
    size = settings.samples * settings.width
    steps = sum(settings.flow_time / eta for eta in (*settings.rates, settings.reference_rate))
    descent, product = 7e-9 * size * settings.replicates * steps, 1e-8 * size
    records = 4 * settings.points * settings.replicates
    spectrum = study.table("spectrum", own, data, seconds=1 + descent + 45 * product * records)
    inputs = {**data, "spectrum": spectrum}
    tables = {
        "spectrum": spectrum,
        "models": study.table("models", own, inputs, seconds=1 + descent / 3
                              + 6 * settings.replicates * product * (settings.model_steps + 50)),
        "density": study.table("density", own, inputs, seconds=1 + 3 * product
                               * (settings.probes * settings.lanczos_steps + 50 * settings.width)),
    }
    study.figure("sharpness", own, {"spectrum": spectrum})
    study.figure("density", own, {"density": tables["density"]})
    study.claims(own, tables)
    study.values(own, tables)


def _problem(settings: Mapping[str, Any], path: Path):
    import numpy as np

    data = read_table(path)
    x, digits = data["x"][: settings["samples"]], data["digit"][: settings["samples"]]
    return x * x.shape[1] ** 0.5, np.eye(10)[digits]


def _descent(settings: Mapping[str, Any], problem, eta: float, replicate: int):
    from descent.dynamics.tanh_descent import TanhDescent

    (x, y), m = problem, settings["width"]
    d, c = x.shape[1], y.shape[1]
    draws = generator(settings["master_seed"], "edge_of_stability", replicate, width=m, d=d, c=c)
    hidden = draws.standard_normal((m, d)) / d**0.5
    outputs = settings["output_scale"] * draws.standard_normal((m, c))
    return TanhDescent(hidden, outputs, x, y, eta)


def table_spectrum(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Loss and both ends of the Hessian's spectrum along every descent."""
    import numpy as np

    from descent.bounds.edge_of_stability import spectrum_rows

    problem, rows = _problem(settings, inputs["data"]), []
    cases = list(itertools.product((*settings["rates"], settings["reference_rate"]), range(settings["replicates"])))
    for eta, replicate in Checkpoint(rows).over(cases):
        every = round(settings["flow_time"] / settings["points"] / eta)
        descent = _descent(settings, problem, eta, replicate)
        draws = generator(settings["master_seed"], "edge_lanczos", replicate, size=descent.hidden.size)
        found = spectrum_rows(descent, *problem, every, settings["points"], settings["tolerance"], draws)
        rows += [{"eta": eta, "replicate": replicate, **row} for row in found]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    write_table(outputs["table"], columns, {"flow_time": "flow time"}, settings)


def _sharpest(spectrum: Mapping[str, Any], eta: float, replicate: int) -> int:
    rows = (spectrum["eta"] == eta) & (spectrum["replicate"] == replicate)
    return int(spectrum["step"][rows][spectrum["greatest"][rows].argmax()])


def table_models(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The quadratic model against the network, from the sharpest recorded point of every large-step run."""
    import numpy as np

    from descent.bounds.edge_of_stability import model_row

    problem, spectrum, rows = _problem(settings, inputs["data"]), read_table(inputs["spectrum"]), []
    cases = list(itertools.product(settings["rates"], range(settings["replicates"])))
    for eta, replicate in Checkpoint(rows).over(cases):
        descent, step = _descent(settings, problem, eta, replicate), _sharpest(spectrum, eta, replicate)
        for _ in range(step):
            descent.step()
        draws = generator(settings["master_seed"], "edge_models", replicate, size=descent.hidden.size)
        found = model_row(descent, *problem, settings["model_steps"], draws)
        rows.append({"eta": eta, "replicate": replicate, "step": step, **found})
    write_table(outputs["table"], {name: np.array([row[name] for row in rows]) for name in rows[0]}, {}, settings)


def table_density(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Quadrature nodes of the Hessian's spectrum at three points of one run, and its exact trace and norm."""
    import numpy as np

    from descent.bounds.edge_of_stability import MeanHessian, trace_and_square
    from descent.curvature.spectral_density import lanczos_quadrature

    problem, eta, parts = _problem(settings, inputs["data"]), settings["rates"][1], []
    descent, done = _descent(settings, problem, eta, 0), 0
    steps = (0, _sharpest(read_table(inputs["spectrum"]), eta, 0), round(settings["flow_time"] / eta))
    draws = generator(settings["master_seed"], "edge_density", 0, size=descent.hidden.size)
    for state, step in zip(STATES, steps):
        for _ in range(step - done):
            descent.step()
        done, hessian = step, MeanHessian(descent.hidden, descent.outputs, *problem)
        trace, frobenius = trace_and_square(hessian)
        for probe in range(settings["probes"]):
            nodes, weights = lanczos_quadrature(hessian, draws.choice([-1.0, 1.0], hessian.size),
                                                settings["lanczos_steps"])
            parts.append({"state": np.full(len(nodes), state), "probe": np.full(len(nodes), probe), "node": nodes,
                          "weight": weights, "flow_time": np.full(len(nodes), eta * step),
                          "trace": np.full(len(nodes), trace), "frobenius": np.full(len(nodes), frobenius),
                          "size": np.full(len(nodes), hessian.size)})
    write_table(outputs["table"], {name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
                {"flow_time": "flow time"}, settings)


def figure_sharpness(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Sharpness and loss against flow time, all steps."""
    from descent.bounds.edge_of_stability_figures import draw_sharpness

    save_figure(draw_sharpness(read_table(inputs["spectrum"]), settings), outputs, settings["preview"])


def figure_density(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Spectral density at three points of one run."""
    from descent.bounds.edge_of_stability_figures import draw_density

    save_figure(draw_density(read_table(inputs["density"]), STATES), outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for the extension."""
    spectrum, models, density = (read_table(inputs[name]) for name in ("spectrum", "models", "density"))
    write_claims(outputs["claims"], [*_descent_claims(settings, spectrum), *_model_claims(models, density)])


def _descent_claims(settings: Mapping[str, Any], table: Mapping[str, Any]) -> list:
    from descent.bounds import edge_of_stability as checks
    from descent.claims import check

    rates, small = settings["rates"], settings["reference_rate"]
    shared = {"table": table, "rates": rates}
    return [
        check("edge.plateau", "empirical", r"Mean sharpness over the last third lies between $0.9$ and $1.2$ times "
              r"$2/\eta$, for all three $\eta$", checks.plateau, {**shared, "least": 0.9, "greatest": 1.2},
              {"limit": 1.0}, r"$1/\eta$ in place of $2/\eta$", form="our own", figure="sharpness"),
        check("edge.sharpening", "empirical", r"Before it reaches $2/\eta$ the sharpness rises in at least 80% of the "
              "intervals between records", checks.sharpens, {**shared, "share": 0.8}, {"after": True},
              r"the intervals after it reached $2/\eta$", form="our own", figure="sharpness"),
        check("edge.flow", "empirical", "The run with a small step ends at least 1.2 times sharper than the last third "
              "with each large step", checks.reference_is_sharper, {**shared, "reference": small, "factor": 1.2},
              {"reference": None}, "the large step's own end", form="our own", figure="sharpness"),
        check("edge.loss", "empirical", "In the last two thirds the loss rises in at least 10% of the steps, and yet "
              "its mean over the last third is less than over the second", checks.rises_and_falls,
              {**shared, "share": 0.1, "part": 1.0}, {"rates": [small]}, "the run with the small step",
              form="our own", figure="sharpness"),
    ]


def _model_claims(models: Mapping[str, Any], density: Mapping[str, Any]) -> list:
    from descent.bounds import edge_of_stability as checks
    from descent.claims import check

    return [
        check("edge.component", "theorem", r"On the quadratic model the component along the sharpest direction is "
              r"$-(1 - (1 - \eta\lambda)^k)\, v^\top g / \lambda$", checks.component_grows,
              {"errors": models["component"], "tolerance": 1e-6}, {"errors": models["half_component"]},
              r"$1 - \eta\lambda/2$ in place of $1 - \eta\lambda$", form="our own"),
        check("edge.model", "empirical", "From the sharpest recorded point of each run the quadratic model goes at "
              f"least {FAR:.0f} times as far along the sharpest direction as the network", checks.model_leaves,
              {"model": models["model"], "network": models["network"], "factor": FAR}, {"model": models["half"]},
              r"$\eta/2$ on the model", form="our own"),
        check("edge.density", "empirical", "Trace and Frobenius norm of the Hessian by Lanczos quadrature agree with "
              "those of all its columns", checks.quadrature_moments,
              {"density": density, "states": STATES, "exact": STATES}, {"exact": STATES[1:] + STATES[:1]},
              "the columns at another of the three points", form="our own", figure="density"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds.edge_of_stability_summary import summary

    found = summary(*(read_table(inputs[name]) for name in ("spectrum", "models", "density")), settings)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
