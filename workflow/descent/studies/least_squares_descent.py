"""When does gradient descent on least squares diverge? (measured, in rationals, and against rounding)"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Positive, Size
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table

TITLE = "Gradient descent on least squares: when it diverges"
PART = "descent"


class Design(Block):
    """A random least-squares problem."""

    samples: int = Field(..., ge=2, le=500, description="N (snu.3)")
    features: int = Field(..., ge=2, le=100, description="p; more than N makes the minimizer not unique (snu.3)")


class Map(Block):
    """Growth over step size and start, in the eigenbasis."""

    design: Design = Field(..., description="The random problem beside the diabetes set (snu.3)")
    points: int = Field(..., ge=10, le=300, description="Step sizes (snu.3)")
    steps: int = Field(..., ge=50, le=2000, description="Steps over which growth is measured (snu.3)")


class Departures(Block):
    """Exceptional starts in numbers of few bits."""

    design: Design = Field(..., description="The random problems (snu.3)")
    replicates: int = Field(..., ge=5, le=200, description="Problems and starts (snu.3)")
    ratios: list[Positive] = Field(..., min_length=1, description="Step sizes over 2/rho, above 1 (snu.3)")
    bits: list[Size] = Field(..., min_length=3, description="Significant bits of the iterates, rising; a double has 53")


class Settings(Block):
    """Settings of the study; spec items snu.1 to snu.3 give the values of config.yaml."""

    designs: list[Design] = Field(..., min_length=1, description="Random problems with generic starts (snu.3)")
    replicates: int = Field(..., ge=1, le=50, description="Problems of each kind (snu.3)")
    starts: int = Field(..., ge=1, le=100, description="Generic starts for each problem (snu.3)")
    ratios: list[Positive] = Field(..., min_length=2, description="Step sizes over 2/rho, on both sides of 1 (snu.3)")
    steps: int = Field(..., ge=100, le=400, description="Steps of each run (snu.3)")
    map: Map = Field(..., description="Growth over step size and start (snu.3)")
    departures: Departures = Field(..., description="How long exceptional starts survive rounding (snu.3)")
    rational_problems: int = Field(..., ge=1, le=20, description="Problems in exact arithmetic (snu.1, snu.3)")

    @model_validator(mode="after")
    def _ratios_in_range(self):
        if self.ratios != sorted(set(self.ratios)) or not 0 < self.ratios[0] < 1 < self.ratios[-1] <= 1.5:
            raise ValueError("ratios must rise from above 0 through values on both sides of 1 to at most 1.5")
        if any(abs(ratio - 1) < 0.04 for ratio in self.ratios):
            raise ValueError("ratios closer than 0.04 to 1 cannot be told from it within the steps")
        parts = self.departures
        if parts.ratios != sorted(set(parts.ratios)) or parts.ratios[0] < 1.05 or parts.ratios[-1] > 2.5:
            raise ValueError("departures.ratios must rise, from 1.05 to 2.5 at most")
        if parts.bits != sorted(set(parts.bits)) or parts.bits[0] < 8 or parts.bits[-1] > 48:
            raise ValueError("departures.bits must rise, from 8 to 48 at most")
        return self


# Singular values of the problems in rationals: with and without a null space, and a wider one for the figure.
ROOTS, SINGULAR, SHOWN = (3, 2, 1), (2, 1, 0), (4, 3, 2, 1)
RATIOS = tuple(Fraction(n, 4) for n in (1, 2, 3, 4, 5, 6))
EXCEPTIONAL = Fraction(5, 4)


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the runs with generic and with exceptional starts, and what is read from them."""
    data = {"synthetic": study.data("synthetic_regression"), "diabetes": study.data("diabetes")}
    shared = {"master_seed": study.master_seed}
    growth = {**shared, **settings.model_dump(include={"designs", "replicates", "starts", "ratios", "steps", "map"})}
    tables = {
        "growth": study.table("growth", growth, data, seconds=0.5),
        "departures": study.table("departures", {**shared, **settings.departures.model_dump()}, {}, seconds=0.2),
        "paths": study.table("paths", shared, {}),
    }
    study.figure("growth", {}, tables, seconds=2)
    study.figure("exceptional", {"ratio": float(EXCEPTIONAL)}, tables)
    checked = {**shared, "rational_problems": settings.rational_problems,
               "designs": [design.model_dump() for design in settings.designs], "replicates": settings.replicates,
               "most_bits": settings.departures.bits[-1]}
    study.claims(checked, {**data, **tables}, seconds=2)
    study.values(checked, {**data, **tables})


def _random_problems(settings: Mapping[str, Any]) -> Iterator[tuple]:
    from descent.dynamics.least_squares import gaussian_problem

    for design in settings["designs"]:
        for replicate in range(settings["replicates"]):
            name = f"{design['samples']} × {design['features']}"
            yield name, replicate, *gaussian_problem(settings["master_seed"], "least_squares", replicate, **design)


def _data_problems(inputs: Mapping[str, Path]) -> Iterator[tuple]:
    for name in ("synthetic", "diabetes"):
        table = read_table(inputs[name])
        yield name, 0, table["x"], table["y"]


def table_growth(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Growth per step of the error: generic starts in doubles, and starts without the largest eigenvalues."""
    import numpy as np

    from descent.dynamics.least_squares import gaussian_problem, spectrum
    from descent.dynamics.least_squares_runs import generic_growth, map_growth

    parts = []
    for name, replicate, X, Y in [*_random_problems(settings), *_data_problems(inputs)]:
        draws = generator(settings["master_seed"], "least_squares_start", replicate, p=X.shape[1])
        offsets = draws.standard_normal((settings["starts"], X.shape[1])) / np.sqrt(X.shape[1])
        found = generic_growth(X, Y, np.array(settings["ratios"]), settings["steps"], offsets)
        parts.append((name, replicate, "double", found))
    chosen = settings["map"]
    wide = gaussian_problem(settings["master_seed"], "least_squares", 0, **chosen["design"])[0]
    ratios = 3 * (np.arange(chosen["points"]) + 0.5) / chosen["points"]
    for name, X in {"random": wide, "diabetes": read_table(inputs["diabetes"])["x"]}.items():
        found = spectrum(X)
        parts.append((name, 0, "eigenbasis", map_growth(found.values[: found.rank], ratios, chosen["steps"])))
    units = dict.fromkeys(("growth", "late", "factor"), "per step")
    write_table(outputs["table"], _joined(parts), units, settings)


def _joined(parts: list[tuple]) -> dict[str, Any]:
    import numpy as np

    columns = {"problem": [], "replicate": [], "arithmetic": []}
    for *labels, found in parts:
        for key, label in zip(columns, labels):
            columns[key] += [label] * len(found["ratio"])
    return {**columns, **{key: np.concatenate([part[-1][key] for part in parts]) for key in parts[0][-1]}}


def table_departures(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """When runs in few bits leave the minimizer although their start has no component that grows."""
    import numpy as np

    from descent.dynamics.least_squares import gaussian_problem
    from descent.dynamics.least_squares_runs import DOUBLE, departures

    parts, bits = [], [*settings["bits"], DOUBLE]
    for replicate in range(settings["replicates"]):
        X, Y = gaussian_problem(settings["master_seed"], "least_squares_departure", replicate, **settings["design"])
        draws = generator(settings["master_seed"], "exceptional_start", replicate, p=X.shape[1])
        for ratio in settings["ratios"]:
            found = departures(X, Y, ratio, bits, draws)
            parts.append({"replicate": np.full(len(bits), replicate), **found})
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    write_table(outputs["table"], joined, {}, settings)


def table_paths(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Single runs: in one dimension, and from an exceptional start in three number types."""
    import numpy as np

    from descent.dynamics.least_squares_checks import univariate
    from descent.dynamics.least_squares_runs import exceptional_paths

    problem = _rational(settings["master_seed"], SHOWN, 6, 1)[0]
    runs = {("univariate", str(alpha)): np.abs(np.array(univariate(alpha, 30), float))
            for alpha in (0.1, 0.5, 1.7, 2.0, 2.1, 2.5)}
    runs |= {("exceptional", name): path for name, path in exceptional_paths(problem, EXCEPTIONAL, 130).items()}
    write_table(outputs["table"], {
        "problem": [name for (name, _), path in runs.items() for _ in path],
        "run": [run for (_, run), path in runs.items() for _ in path],
        "step": np.concatenate([np.arange(len(path)) for path in runs.values()]),
        "error": np.concatenate(list(runs.values()))}, {}, settings)


def _rational(master_seed: int, roots: tuple[int, ...], samples: int, count: int) -> list:
    from descent.dynamics.rational_least_squares import rational_problem

    return [rational_problem(generator(master_seed, "rational_least_squares", i, roots=list(roots)), roots, samples)
            for i in range(count)]


def figure_growth(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The phase diagram: growth over the step size, and over step size and start (snu.2, snu.3)."""
    from descent.dynamics.least_squares_figures import draw_growth

    save_figure(draw_growth(read_table(inputs["growth"]), read_table(inputs["paths"])), outputs, settings["preview"])


def figure_exceptional(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Exceptional starts in rationals and in floating point (snu.3)."""
    from descent.dynamics.least_squares_figures import draw_exceptional

    figure = draw_exceptional(read_table(inputs["paths"]), read_table(inputs["departures"]), settings["ratio"])
    save_figure(figure, outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for snu.1, snu.2 and snu.3."""
    growth, departures = read_table(inputs["growth"]), read_table(inputs["departures"])
    problems = [(X, Y, generator(settings["master_seed"], "least_squares_point", i, p=X.shape[1]).standard_normal(
        X.shape[1])) for i, (_, _, X, Y) in enumerate([*_random_problems(settings), *_data_problems(inputs)])]
    count, seed = settings["rational_problems"], settings["master_seed"]
    full, singular = _rational(seed, ROOTS, 4, count), _rational(seed, SINGULAR, 4, count)
    write_claims(outputs["claims"], [
        *_derivative_claims(problems, [*full, *singular]), *_univariate_claims(), *_exact_claims(full, singular),
        *_fate_claims(full), *_growth_claims(growth, problems), *_rounding_claims(departures, settings["most_bits"])])


def _derivative_claims(problems: list, rational: list) -> list:
    from descent.claims import check
    from descent.dynamics import least_squares_checks as checks

    half, doubled = "the factor ½ of the loss forgotten", {"scale": 2}
    steps = {"problems": problems, "scale": 1}
    return [
        check("snu.1a", "theorem", r"$\nabla \ell_i(\theta) = (X_i^\top \theta - Y_i)\, X_i$ (complex steps)",
              checks.complex_step, {**steps, "each": True}, doubled, half),
        check("snu.1b", "theorem", r"$\nabla f(\theta) = X^\top (X\theta - Y)$ (complex steps)", checks.complex_step,
              {**steps, "each": False}, doubled, half),
        check("snu.1.rational", "theorem", "Both formulas hold without rounding: central differences of quadratic "
              "losses, in rationals", checks.central_differences, {"problems": rational, "scale": 1}, doubled, half),
    ]


def _univariate_claims() -> list:
    from descent.claims import check
    from descent.dynamics import least_squares_checks as checks

    rates = [Fraction(n, 20) for n in (1, 5, 10, 20, 30, 39, 40, 41, 50, 60)]
    figure, nudge, limit = {"figure": "growth"}, Fraction(1, 2**20), [Fraction(2)]
    level = {"level": 10**6}
    return [
        check("snu.2", "theorem", r"With $\alpha > 2$ and $\theta^0 \ne 0$ descent on $\theta^2/2$ diverges: "
              r"$|\theta^k|$ passes $10^6 |\theta^0|$ at the step that $\alpha$ determines", checks.univariate_crossing,
              {"rates": [Fraction(201, 100), Fraction(41, 20), Fraction(9, 4), Fraction(3), Fraction(10)], **level,
               "grows": True}, {"rates": limit}, r"$\alpha = 2$", **figure),
        check("snu.2.converges", "theorem", r"With $0 < \alpha < 2$ it converges: $|\theta^k|$ falls below $10^{-6} "
              r"|\theta^0|$ at the step that $\alpha$ determines", checks.univariate_crossing,
              {"rates": [Fraction(1, 50), Fraction(1, 2), Fraction(3, 2), Fraction(199, 100)], **level, "grows": False},
              {"rates": limit}, r"$\alpha = 2$", form="our own", **figure),
        check("snu.2.power", "theorem", r"$\theta^k = (1 - \alpha)^k\, \theta^0$, in rationals",
              checks.univariate_power, {"rates": rates, "steps": 60, "curvature": 1}, {"curvature": 2},
              r"$f = \theta^2$, the factor ½ forgotten", **figure),
        check("snu.2.cycle", "theorem", r"With $\alpha = 2$ it oscillates, $\theta^{k+2} = \theta^k$, in rationals and "
              "in doubles", checks.univariate_returns, {"alpha": Fraction(2), "steps": 1000, "period": 2},
              {"alpha": 2 + nudge, "steps": 60}, r"$\alpha = 2 + 2^{-20}$", form="our own", **figure),
        check("snu.2.one_step", "theorem", r"With $\alpha = 1$ it reaches the minimizer in one step and stays",
              checks.univariate_returns, {"alpha": Fraction(1), "steps": 60, "period": 1}, {"alpha": 1 + nudge},
              r"$\alpha = 1 + 2^{-20}$", form="our own", **figure),
    ]


def _exact_claims(full: list, singular: list) -> list:
    from descent.claims import check
    from descent.dynamics import least_squares_checks as checks

    step = {"problems": [*full, *singular], "ratios": RATIOS}
    along = {**step, "steps": 12}
    return [
        check("snu.3.step", "theorem", r"$\theta^{k+1} = (I - \alpha X^\top X)\, \theta^k + \alpha X^\top Y$, in "
              "rationals", checks.affine_step, {**step, "sign": 1}, {"sign": 0}, r"the term $\alpha X^\top Y$ left out",
              form="corrected"),
        check("snu.3.printed", "theorem", r"$\theta^{k+1} = (I - \alpha X^\top X)\, \theta^k - \alpha X^\top Y$, in "
              "rationals", checks.affine_step, {**step, "sign": -1}, {"sign": 0},
              r"the term $\alpha X^\top Y$ left out", form="erratum"),
        check("snu.3.power", "theorem", r"$\theta^k - \theta^\star = (I - \alpha X^\top X)^k (\theta^0 - "
              r"\theta^\star)$ for every minimizer $\theta^\star$, in rationals", checks.matrix_power,
              {**along, "off": 0}, {"off": 1}, r"a point $\theta^\star$ that is no minimizer"),
        check("snu.3.null", "theorem", r"The component of $\theta^k$ in the null space of $X$ never changes, whatever "
              r"$\alpha$, in rationals", checks.conserved, {**along, "problems": singular, "direction": -1},
              {"direction": 0}, "a component in the row space", form="our own"),
    ]


def _fate_claims(full: list) -> list:
    from descent.claims import check
    from descent.dynamics import least_squares_checks as checks

    figure = {"form": "our own", "figure": "growth"}
    return [
        check("snu.3.exceptional", "theorem", r"The error has components with $\alpha\lambda_i > 2$: divergence; "
              r"the greatest is 2: bounded oscillation; all are below 2: convergence; in rationals, from every set of "
              "eigenvectors", checks.fates_as_predicted, {"problems": full, "steps": 40, "whatever_start": False},
              {"whatever_start": True}, r"$\alpha\rho$ against 2, whatever the start", **figure),
        check("snu.3.limit_case", "theorem", r"With $\alpha = 2/\rho$ the iterates approach $\theta^\star \pm c_1 q_1$ "
              "in turn, at the rate of the other components, in rationals", checks.two_points,
              {"problems": full, "ratio": Fraction(1), "steps": 40}, {"ratio": Fraction(51, 50)},
              r"$\alpha = 1.02 \cdot 2/\rho$", **figure),
    ]


def _growth_claims(table: Mapping[str, Any], problems: list) -> list:
    from descent.claims import check
    from descent.dynamics import least_squares_checks as checks
    from descent.dynamics.least_squares_summary import rows_of

    figure, own = {"figure": "growth"}, {"form": "our own", "figure": "growth"}
    generic, mapped = (rows_of(table, arithmetic=kind) for kind in ("double", "eigenbasis"))
    naive, text = {"naive": True}, r"$m = |1 - \alpha\rho|$, whatever the step and the start"
    bounds = r"$m^k |c| \le \|\theta^k - \theta^\star\| \le m^k \|\theta^0 - \theta^\star\|$ "
    return [
        check("snu.3", "theorem", r"With $\alpha > 2/\rho$ descent diverges from most starting points: every random "
              r"start ends at least 6 orders of magnitude farther from $\theta^\star$", checks.diverge_beyond,
              {"table": generic, "ratio": 1.0, "orders": 6.0}, {"ratio": 0.5}, r"steps above $1/\rho$",
              **figure),
        check("snu.3.growth", "theorem", bounds + r"with $m$ the largest $|1 - \alpha\lambda_i|$, $\lambda_i > 0$, and "
              "$c$ its component: random starts, in doubles", checks.grows_as_predicted,
              {"table": generic, "naive": False}, naive, text, **own),
        check("snu.3.map", "theorem", bounds + "with $m$ over the components of the start alone, in the eigenbasis",
              checks.grows_as_predicted, {"table": mapped, "naive": False}, naive, text, **own),
        check("snu.3.minimizer", "theorem", r"With $\alpha < 2/\rho$ descent ends at $X^+Y$ plus the start's "
              "component in the null space", checks.ends_at,
              {"problems": [problem for problem in problems if problem[0].shape[0] < problem[0].shape[1]],
               "steps": 3000, "keep_null": True}, {"keep_null": False}, "$X^+Y$ from every start", form="our own"),
    ]


def _rounding_claims(table: Mapping[str, Any], most_bits: int) -> list:
    from descent.claims import check
    from descent.dynamics import least_squares_checks as checks
    from descent.dynamics.least_squares_summary import rows_of

    shown = {"form": "our own", "figure": "exceptional"}
    fewer = {name: values[table["bits"] <= most_bits] for name, values in table.items()}
    return [
        check("snu.3.departure", "theorem", r"An exceptional start cannot leave while $(1 - q) \|e_0\| > m^k (d + "
              r"r/(m - 1))$, where $d$ and $r$ bound the rounding of the start and of a step", checks.departs_late,
              {"table": fewer, "amplified": True}, {"amplified": False},
              r"rounding errors that add up without growing, $d + kr$", **shown),
        check("snu.3.bits", "asymptotic", r"Each bit of precision delays the departure by $\ln 2/\ln|1 - \alpha\rho|$ "
              "steps (slope 1 within 0.1)", checks.each_bit_delays,
              {"table": table, "most_bits": most_bits, "base": "factor"}, {"base": "second"},
              r"$\lambda_2$ in place of $\rho$", **shown),
        check("snu.3.double", "empirical", r"In doubles the departure comes after about $\ln(1/\varepsilon)/\ln|1 - "
              r"\alpha\rho|$ steps (mean quotient 1 within 0.15)", checks.double_departure,
              {"table": rows_of(table), "epsilon": 2.0**-52}, {"epsilon": 2.0**-42},
              r"$2^{-42}$ in place of $\varepsilon = 2^{-52}$", **shown),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.dynamics.least_squares_summary import summary

    problems = [*_random_problems(settings), *_data_problems(inputs)]
    tables = (read_table(inputs[name]) for name in ("growth", "departures", "paths"))
    found = summary(problems, *tables, settings["most_bits"], float(EXCEPTIONAL))
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
