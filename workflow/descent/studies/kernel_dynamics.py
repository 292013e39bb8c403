"""Training in the limiting kernel: how fast the flow converges, and what a kernel that moves changes (tau.4.1, 4.2)."""

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

TITLE = "Training in a kernel: exponential convergence, and kernels that move"
PART = "kernels"
DATA = ("mnist1d", "diabetes", "synthetic_regression")


class Relaxation(Block):
    """The flow in the limiting kernel (tau.4.1)."""

    starts: int = Field(..., ge=1, le=1000, description="Gaussian starts u(0) (tau.4.1)")
    times: int = Field(..., ge=10, le=1000, description="Flow times, even in the logarithm")
    horizon: float = Field(..., ge=1, le=20, description="Last flow time, in units of 1 / lambda_min")
    step_fraction: float = Field(
        ..., gt=0, le=0.5, description="Step of gradient descent that the flow is told apart from, over 1 / lambda_max")
    integrator_tolerance: float = Field(..., ge=1e-12, le=1e-6, description="Relative tolerance of the reference")


class Perturbed(Block):
    """Kernels H(t) near a fixed one (tau.4.2)."""

    sizes: list[Size] = Field(..., min_length=1, description="Samples n of the kernels, taken in turn by replicates")
    ratios: list[Positive] = Field(..., min_length=2, description="epsilon / lambda, from below 1 to above 1, rising")
    replicates: int = Field(..., ge=2, le=1000, description="Perturbations of each kind, kernel and ratio (tau.4.2)")
    pieces: int = Field(..., ge=2, le=1000, description="Pieces of time on which H(t) is constant")
    points: int = Field(..., ge=2, le=100, description="Times in each piece at which the distance is measured")
    closed_form_ratios: list[Positive] = Field(
        ..., min_length=1, description="epsilon / lambda < 1 at which the worst case is compared with its closed form")

    @model_validator(mode="after")
    def _ratios_on_both_sides(self):
        rising = self.ratios == sorted(set(self.ratios)) and 0 < self.ratios[0] < 1 < self.ratios[-1]
        if not rising or 1 not in self.ratios:
            raise ValueError("ratios must rise from above 0, through 1, to above 1")
        if not all(0 < ratio < 1 for ratio in self.closed_form_ratios):
            raise ValueError("closed_form_ratios must lie between 0 and 1")
        return self


class Expectations(Block):
    """The limiting kernels against quadrature and Monte Carlo (tau.4.3, du.3)."""

    draws: int = Field(..., ge=1000, le=10**7, description="Gaussian weights of the Monte Carlo estimates")
    pairs: int = Field(..., ge=2, le=10**5, description="Entries of each Gram matrix that are integrated numerically")
    angles: int = Field(..., ge=4, le=10**4, description="Angles between 1e-12 and pi - 1e-12 that are as well")


class Settings(Block):
    """Settings of the study; spec items tau.4.1 and tau.4.2 give the values of config.yaml."""

    relaxation: Relaxation = Field(..., description="Flow in the limiting kernel (tau.4.1)")
    perturbed: Perturbed = Field(..., description="Flow in kernels that move (tau.4.2)")
    expectations: Expectations = Field(..., description="The kernels' own entries (tau.4.3)")


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the two tables of flows, the figures, and what is read from them."""
    largest = max(settings.perturbed.sizes)
    least = {"mnist1d": {"num_samples": largest}, "synthetic_regression": {"samples": largest}}
    data = {name: study.data(name, **least.get(name, {})) for name in DATA}
    seed = {"master_seed": study.master_seed}
    perturbed = {**seed, **settings.perturbed.model_dump(exclude={"closed_form_ratios"})}
    cases = settings.perturbed.replicates * len(settings.perturbed.ratios)
    tables = {
        "relaxation": study.table("relaxation", {**seed, **settings.relaxation.model_dump()}, data, seconds=2),
        "perturbed": study.table("perturbed", perturbed, data, seconds=1 + 0.06 * cases, megabytes=0.03 * cases),
    }
    study.figure("residual_decay", {}, {"relaxation": tables["relaxation"], **data})
    study.figure("perturbed_kernel", {}, {"perturbed": tables["perturbed"]})
    shared = {**seed, "tolerance": settings.relaxation.integrator_tolerance, **settings.expectations.model_dump(),
              "sizes": settings.perturbed.sizes, "replicates": settings.perturbed.replicates,
              "closed_form_ratios": settings.perturbed.closed_form_ratios}
    study.claims(shared, {**tables, **data}, seconds=1.5 + 1.5e-5 * settings.expectations.draws, memory_mb=500)
    study.values({}, {**tables, **data}, seconds=1)


def _problem(path: Path):
    """Inputs of unit length (n, d) and scalar targets (n,)."""
    from descent.dynamics.kernel_comparison import unit_rows
    from descent.networks.theorem_network import label_targets

    data = read_table(path)
    targets = data["y"] if "y" in data else label_targets("digit", data["digit"])[:, 0]
    return unit_rows(data["x"]), targets


def _inputs(inputs: Mapping[str, Path]) -> dict[str, Any]:
    return {name: _problem(inputs[name])[0] for name in DATA}


def table_relaxation(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Decay of the residual on every data set from u(0) = 0, from Gaussian starts and from the slowest mode."""
    import numpy as np

    from descent.dynamics.relaxation import relaxation
    from descent.kernels.neural_tangent_kernel import h_infinity

    parts, names = [], []
    for name in DATA:
        x, y = _problem(inputs[name])
        gram, count = h_infinity(x), settings["starts"]
        draws = [generator(settings["master_seed"], "flow_start", replicate, n=len(y)).standard_normal(len(y))
                 for replicate in range(count)]
        eigenvalues = np.linalg.eigvalsh(gram)
        last = settings["horizon"] * eigenvalues[-1] / eigenvalues[0] / settings["step_fraction"]
        steps = np.unique(np.geomspace(1, last, settings["times"]).astype(int))
        rows = relaxation(gram, y, np.column_stack([np.zeros(len(y)), *draws]), steps, settings["step_fraction"],
                          settings["integrator_tolerance"])
        kinds = np.array(["zero", *["gaussian"] * count, "slowest"])
        names += [name] * len(rows["start"])
        parts.append({"kind": kinds[rows["start"]], **rows})
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    columns["kind"] = columns["kind"].tolist()
    write_table(outputs["table"], {"data": names, **columns}, {"flow_time": "flow time"}, settings)


def table_perturbed(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """How far flows in changing kernels get from the flow in the fixed one, for all cases of tau.4.2."""
    from descent.dynamics.perturbed_cases import perturbed_cases

    write_table(outputs["table"], perturbed_cases(settings, _inputs(inputs)), {"flow_time": "flow time"}, settings)


def figure_residual_decay(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The residual against the bound on three data sets, and the spectra of their kernels (tau.4.1)."""
    import numpy as np

    from descent.bounds.kernel_dynamics_figures import draw_residual_decay
    from descent.kernels.neural_tangent_kernel import h_infinity

    spectra = {name: np.linalg.eigvalsh(h_infinity(x))[::-1] for name, x in _inputs(inputs).items()}
    save_figure(draw_residual_decay(read_table(inputs["relaxation"]), spectra), outputs, settings["preview"])


def figure_perturbed_kernel(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The distance that a changing kernel makes, against the bounds, with and without H(t) ⪰ 0 (tau.4.2)."""
    from descent.bounds.kernel_dynamics_figures import draw_perturbed_kernel

    save_figure(draw_perturbed_kernel(read_table(inputs["perturbed"])), outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for tau.4.1 and tau.4.2, and those for the kernels that tau.4.3 and du.3 use."""
    x = _inputs(inputs)
    write_claims(outputs["claims"], [
        *_convergence_claims(read_table(inputs["relaxation"]), 100 * settings["tolerance"]),
        *_perturbation_claims(settings, read_table(inputs["perturbed"]), x), *_expectation_claims(settings, x)])


def _convergence_claims(table: Mapping[str, Any], error: float) -> list:
    import numpy as np

    from descent.bounds import kernel_dynamics_checks as checks
    from descent.claims import check

    numbers = {name: values for name, values in table.items() if name not in ("data", "kind")}
    slowest = np.array(table["kind"]) == "slowest"
    figure = "residual_decay"
    return [
        check("tau.4.1.convergence", "theorem", r"$\|u(t) - y\| \le e^{-\lambda t}\, \|u(0) - y\|$ with "
              r"$\lambda = \lambda_{\min}(H^\infty)$, on three data sets and for all starts", checks.decays,
              {"table": numbers, "factor": 1.0, "error": error}, {"factor": 2.0},
              r"$2\lambda$, the rate of the squared norm",
              figure=figure),
        check("tau.4.1.equality", "theorem", "From the slowest mode the bound is an equality", checks.decays_exactly,
              {"table": {name: values[slowest] for name, values in numbers.items()}, "factor": 1.0, "error": error},
              {"factor": 1.01}, r"$1.01\,\lambda$", form="our own", figure=figure),
        check("tau.4.1.solution", "theorem", r"$u(t) = y + e^{-H^\infty t}(u(0) - y)$ from one eigendecomposition "
              "agrees with an integration of the differential equation", checks.solutions_agree,
              {"table": numbers, "column": "deviation", "error": error}, {"column": "descent_deviation"},
              r"gradient descent, $(I - \eta H^\infty)^k$ with $\eta k = t$"),
    ]


def _perturbation_claims(settings: Mapping[str, Any], table: Mapping[str, Any], x: Mapping[str, Any]) -> list:
    import numpy as np

    from descent.bounds import kernel_dynamics_checks as checks
    from descent.claims import check
    from descent.dynamics.perturbed_cases import kernels

    numbers = {name: values for name, values in table.items() if name not in ("family", "kernel")}
    slowed = (np.array(table["family"]) == "slowed") & (table["epsilon"] > table["rate"] * 1.01)
    lost = {"table": {name: values[slowed] for name, values in numbers.items()}, "offset": 1.0}
    grams = [gram for _, replicate, gram in kernels(settings, x) if replicate == settings["replicates"] - 1]
    psd, any_kernel = {"table": numbers, "semidefinite": True}, {"table": numbers, "semidefinite": False}
    near, delta, within = r"$\|H(t) - H^*\| \le \epsilon$", r"\|\delta(t)\|", checks.stays_within
    also, figure = f"{near} and $H(t) \\succeq 0$", "perturbed_kernel"
    shown, own = {"form": "corrected", "figure": figure}, {"form": "our own", "figure": figure}
    return [
        check("tau.4.2.printed", "theorem", f"{near} alone gives ${delta} \\le C \\sqrt{{\\epsilon t}}\\, \\|r_0\\|$ "
              "for all $t$, with $C = 2$", within, {**any_kernel, "bound": "square_root", "constant": 2.0},
              {"constant": 1e6}, "$C = 10^6$", form="erratum", figure=figure),
        check("tau.4.2.growth", "theorem", r"For $H(t) = H^* - \epsilon v v^\top$, $\epsilon > \lambda$ and "
              f"$r_0 \\parallel v$, ${delta}$ grows like $e^{{(\\epsilon - \\lambda) t}}$",
              checks.grows_exponentially, lost, {"offset": 0.0}, r"the rate $\epsilon$", **own),
        check("tau.4.2.square_root", "theorem", f"{also} give ${delta} \\le \\sqrt{{2 \\epsilon t}}\\, \\|r_0\\|$, and "
              r"so the printed bound with $C = 2$", within,
              {**psd, "bound": "square_root", "constant": 2**0.5}, {"constant": 0.5},
              r"$\frac12$ in place of $\sqrt2$", **shown),
        check("tau.4.2.refined", "theorem", f"{also} give ${delta} \\le (\\epsilon/\\lambda)(1 - e^{{-\\lambda t}})\\, "
              r"\|r_0\|$, of which the next two follow", within,
              {**psd, "bound": "saturating", "constant": 1.0}, {"constant": 0.9}, "$0.9$ times that", **own),
        check("tau.4.2.linear", "theorem", f"{also} give ${delta} \\le \\epsilon t\\, \\|r_0\\|$", within,
              {**psd, "bound": "linear", "constant": 1.0}, {"constant": 0.5}, r"$\epsilon t/2$", **shown),
        check("tau.4.2.saturation", "theorem", f"{also} give ${delta} \\le (\\epsilon/\\lambda)\\, \\|r_0\\|$", within,
              {**psd, "bound": "saturation", "constant": 1.0}, {"constant": 0.5}, r"$\epsilon/2\lambda$", **shown),
        check("tau.4.2.contraction", "theorem", f"{also} give ${delta} \\le 2\\, \\|r_0\\|$", within,
              {**psd, "bound": "contraction", "constant": 2.0}, {"constant": 1.0}, "$1$ in place of $2$", **shown),
        check("tau.4.2.worst_case", "theorem", f"{near} alone gives ${delta} \\le e^{{-\\lambda t}} "
              r"(e^{\epsilon t} - 1)\, \|r_0\|$", within, {**any_kernel, "bound": "growth", "constant": 1.0},
              {"constant": 0.99}, "$0.99$ times that", **own),
        check("tau.4.2.closed_form", "theorem", r"For $H(t) = H^* - \epsilon v v^\top$, $\epsilon < \lambda$ and $r_0 "
              r"\parallel v$: $\sup_t \|\delta(t)\| = (\epsilon/\lambda)(1 - \epsilon/\lambda)^{(\lambda - \epsilon)/"
              r"\epsilon}\, \|r_0\|$",
              checks.closed_form, {"grams": grams, "ratios": settings["closed_form_ratios"], "shift": 1.0},
              {"shift": 0.0}, r"the exponent $\lambda/\epsilon$", **own),
    ]


def _expectation_claims(settings: Mapping[str, Any], x: Mapping[str, Any]) -> list:
    import numpy as np

    from descent.bounds import kernel_expectation_checks as checks
    from descent.bounds.convergence_checks import joint_counts
    from descent.claims import check
    from descent.kernels.arc_cosine import relu_gram
    from descent.kernels.neural_tangent_kernel import h_infinity
    from descent.statistics import CLAIM_LEVEL

    half, draws, seed = settings["angles"] // 2, settings["draws"], settings["master_seed"]
    acute = np.geomspace(1e-12, np.pi / 2, half)
    planar = checks.pairs_at_angles(np.append(acute, np.pi - acute))
    inputs = [*x.values(), planar]
    pairs = [*(checks.pairs_by_angle(rows, settings["pairs"]) for rows in x.values()),
             (np.zeros(2 * half, int), np.arange(1, 2 * half + 1))]
    tangent, products = [h_infinity(rows) for rows in inputs], [relu_gram(rows.T) for rows in inputs]
    cosines = [np.clip(rows @ rows.T, -1, 1) for rows in inputs]
    plain = [cosine * (np.pi - np.arccos(cosine)) / (2 * np.pi) for cosine in cosines]
    turned = [cosine / 2 - gram for cosine, gram in zip(cosines, tangent)]
    weights = {name: generator(seed, "kernel_expectation", 0, data=name, d=rows.shape[1]) for name, rows in x.items()}
    patterns = [{"inputs": rows, "counts": joint_counts(rows, weights[name], draws), "draws": draws}
                for name, rows in x.items()]
    moments = [checks.product_moments(rows, weights[name], draws) for name, rows in x.items()]
    quadrature, sampled = {"inputs": inputs, "pairs": pairs}, {"error": CLAIM_LEVEL}
    of_h = r"$H^\infty_{ij} = x_i^\top x_j\, P(w^\top x_i > 0,\ w^\top x_j > 0)$"
    of_g = r"$G^\infty_{ij} = E[\max(w^\top x_i, 0) \max(w^\top x_j, 0)]$"
    return [
        check("tau.4.3.kernel_quadrature", "theorem", f"The closed form of {of_h} is the integral over the plane",
              checks.agrees_with_quadrature, {**quadrature, "grams": tangent, "products": False}, {"grams": plain},
              "the arccosine of the rounded cosine, which loses digits near parallel inputs"),
        check("tau.4.3.kernel_monte_carlo", "theorem", f"The closed form of {of_h} is the expectation over Gaussian "
              "weights", checks.patterns_agree, {"samples": patterns, "grams": tangent[:-1], **sampled},
              {"grams": turned[:-1]}, r"the angle in place of $\pi$ minus the angle"),
        check("du.3.limit_quadrature", "theorem", f"The closed form of {of_g} is the integral over the plane",
              checks.agrees_with_quadrature, {**quadrature, "grams": products, "products": True}, {"grams": tangent},
              r"without $\sin\theta$, which gives $H^\infty$", form="our own"),
        check("du.3.limit_monte_carlo", "theorem", f"The closed form of {of_g} is the expectation over Gaussian "
              "weights", checks.products_agree,
              {"inputs": inputs[:-1], "moments": moments, "grams": products[:-1], **sampled},
              {"grams": tangent[:-1]}, r"without $\sin\theta$, which gives $H^\infty$", form="our own"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds import kernel_dynamics_summary as summary

    problems = {name: _problem(inputs[name]) for name in DATA}
    found = summary.relaxation_values(read_table(inputs["relaxation"]), problems)
    found |= summary.perturbation_values(read_table(inputs["perturbed"]))
    found["findings"] = summary.findings(found)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
