"""A convolution as an object with `@`, and gradient descent on its Huber loss (snu.5)."""

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

TITLE = "Convolutions as implicit operators, and Huber descent"
PART = "descent"


class Tails(Block):
    """A second problem, whose minimizer leaves residuals in the linear tails of the Huber loss."""

    scale: float = Field(..., gt=0, le=1e6, description="Factor of the targets b")
    ridge: float = Field(..., gt=0, le=1e6, description="lambda")


class Large(Block):
    """The same at a size at which no matrix fits."""

    size: int = Field(..., ge=1000, le=10**7, description="n (snu.5)")
    long_kernel: int = Field(..., ge=65, le=5000, description="r of a kernel that goes through Fourier transforms")
    iterations: int = Field(..., ge=20, le=2000, description="Steps of the descent to the minimizer")


class Settings(Block):
    """Settings of the study; spec item snu.5 gives the values of config.yaml."""

    kernel_size: int = Field(..., ge=2, le=10, description="r (snu.5)")
    size: int = Field(..., ge=10, le=100, description="n (snu.5)")
    ridge: float = Field(..., gt=0, le=10, description="lambda (snu.5)")
    step: float = Field(..., gt=0, le=1, description="alpha of the document (snu.5)")
    iterations: int = Field(..., ge=2, le=10000, description="Steps of the document (snu.5)")
    most_iterations: int = Field(..., ge=1000, le=10**5, description="Steps of a descent to the minimizer")
    replicates: int = Field(..., ge=2, le=100, description="Problems: the document's, and fresh draws of k and b")
    grid_points: int = Field(..., ge=20, le=500, description="Steps alpha in each grid")
    recorded: int = Field(..., ge=20, le=500, description="Iterations at which a descent is recorded")
    tails: Tails = Field(..., description="The problem with residuals in the tails")
    norm_sizes: list[Size] = Field(..., min_length=4, description="n of the norms from dense matrices, rising")
    large: Large = Field(..., description="The same at n = 10^6 (snu.5)")

    @model_validator(mode="after")
    def _sizes_fit(self):
        if self.norm_sizes != sorted(set(self.norm_sizes)) or self.norm_sizes[-1] > 2000:
            raise ValueError("norm_sizes must be rising, to 2000 at most")
        if min(self.size, self.norm_sizes[0]) < 2 * self.kernel_size or self.large.long_kernel > self.large.size // 2:
            raise ValueError("sizes must be at least twice those of the kernels")
        if self.most_iterations < 10 * self.iterations:
            raise ValueError("most_iterations must be at least ten times iterations")
        return self


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare descents at small n, products and descent at large n, and what is read from them."""
    shared = {"master_seed": study.master_seed, **settings.model_dump()}
    points = settings.replicates * 20 + 4 * settings.grid_points
    tables = {
        "descents": study.table("descents", shared, {}, seconds=1 + points * settings.most_iterations * 5e-7),
        "products": study.table("products", shared, {}, seconds=1 + settings.large.size * 1e-6, memory_mb=600),
        "large": study.table("large", shared, {}, memory_mb=400, seconds=settings.large.size * 8e-9
                             * (settings.iterations + settings.large.iterations)),
    }
    study.figure("descent", {"iterations": settings.iterations}, {"descents": tables["descents"]}, seconds=2)
    study.figure("limits", shared, {"descents": tables["descents"]})
    study.claims(shared, tables, seconds=1, memory_mb=400)
    study.values(shared, tables, seconds=1)


def _problems(settings: Mapping[str, Any]) -> list:
    from descent.dynamics.huber_descent import HuberProblem, legacy_problem

    size, r, ridge = settings["size"], settings["kernel_size"], settings["ridge"]
    found = [legacy_problem(size, r, ridge)]
    for i in range(1, settings["replicates"]):
        draws = _problem_draws(settings, i)
        found.append(HuberProblem(draws.standard_normal(r), draws.standard_normal(size - r + 1), ridge))
    return found


def _problem_draws(settings: Mapping[str, Any], replicate: int):
    size, r = settings["size"], settings["kernel_size"]
    return generator(settings["master_seed"], "huber_problem", replicate, size=size, kernel_size=r)


def _kernels(settings: Mapping[str, Any], replicates: int) -> list:
    from descent.dynamics.huber_descent import legacy_kernel

    r = settings["kernel_size"]
    return [legacy_kernel(r), *(_problem_draws(settings, i).standard_normal(r) for i in range(1, replicates))]


def _cases(settings: Mapping[str, Any]) -> list[tuple]:
    from descent.dynamics.huber_descent import scaled

    problems, tails = _problems(settings), settings["tails"]
    return [*(("document", i, problem) for i, problem in enumerate(problems)),
            *(("tails", i, scaled(problem, tails["scale"], tails["ridge"])) for i, problem in enumerate(problems))]


def table_descents(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Descents from 0 with many steps on every problem, at the recorded iterations."""
    from descent.bounds import implicit_convolution as study

    recorded = study.recorded_iterations(settings["iterations"], settings["most_iterations"], settings["recorded"])
    rows = study.descents(_cases(settings), settings["step"], settings["grid_points"], recorded)
    write_table(outputs["table"], rows, {"gap": "objective"}, settings)


def table_products(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Products at large n in several precisions, by sums and by transforms."""
    from descent.bounds.implicit_convolution import product_rows

    short, long = settings["kernel_size"], settings["large"]["long_kernel"]
    kinds = {**dict.fromkeys(("int64", "float32", "float64", "complex64", "complex128"), short),
             "long float32": long, "long float64": long}
    draws = generator(settings["master_seed"], "large_products", 0, size=settings["large"]["size"])
    rows = product_rows(draws, settings["large"]["size"], kinds)
    units = {"kernel_bytes": "byte", "dense_bytes": "byte", "vector_bytes": "byte"}
    write_table(outputs["table"], {name: [row[name] for row in rows] for name in rows[0]}, units, settings)


def _large_problem(settings: Mapping[str, Any]):
    from descent.dynamics.huber_descent import legacy_problem

    return legacy_problem(settings["large"]["size"], settings["kernel_size"], settings["ridge"])


def table_large(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Descent at large n: the document's step, and the best one for the curvatures in the range of Aᵀ."""
    from descent.bounds.convolution_norm import symbol_range
    from descent.bounds.implicit_convolution import large_descents

    problem = _large_problem(settings)
    least, greatest = symbol_range(problem.kernel, problem.size)
    best = 2 / (least**2 + greatest**2 + 2 * problem.ridge)
    runs = {"document": (settings["step"], settings["iterations"]), "best": (best, settings["large"]["iterations"])}
    write_table(outputs["table"], large_descents(problem, runs), {}, settings)


def figure_descent(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Objective gap along descents, and after some steps against the step size."""
    from descent.bounds.implicit_convolution_figures import draw_descent

    save_figure(draw_descent(read_table(inputs["descents"]), settings["iterations"]), outputs, settings["preview"])


def figure_limits(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """What happens around the step limit, and how the norm approaches its bound."""
    from descent.bounds.implicit_convolution_figures import draw_limits

    figure = draw_limits(read_table(inputs["descents"]), _norms(settings, 1))
    save_figure(figure, outputs, settings["preview"])


def _norms(settings: Mapping[str, Any], replicates: int) -> list[dict[str, Any]]:
    from descent.bounds.implicit_convolution import norm_rows

    return norm_rows(_kernels(settings, replicates), settings["norm_sizes"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for snu.5."""
    table, large = read_table(inputs["descents"]), read_table(inputs["large"])
    write_claims(outputs["claims"], [*_operator_claims(settings), *_rate_claims(settings, table),
                                     *_limit_claims(table), *_norm_claims(settings, large)])


def _exact_cases(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    from fractions import Fraction

    import numpy as np

    from descent.dynamics.huber_descent import dense_convolution

    cases = []
    for i, (r, n) in enumerate([(2, 2), (3, 20), (settings["kernel_size"], settings["size"]), (20, 20), (90, 200)]):
        draws = generator(settings["master_seed"], "exact_convolution", i, size=n, kernel_size=r)
        kernel, x, y = (draws.integers(-99, 100, shape) for shape in (r, (n, 3), (n - r + 1, 3)))
        cases.append({"kernel": kernel, "dense": dense_convolution(kernel, n), "x": x, "y": y})
    fractions = {name: np.vectorize(Fraction, otypes=[object])(values, 7) for name, values in cases[1].items()}
    return [*cases, fractions]


def _integer_case(settings: Mapping[str, Any], size: int) -> dict[str, Any]:
    r = settings["kernel_size"]
    draws = generator(settings["master_seed"], "integer_adjoint", 0, size=size, kernel_size=r)
    return {"kernel": draws.integers(-9, 10, r), "x": draws.integers(-1000, 1001, size),
            "y": draws.integers(-1000, 1001, size - r + 1)}


def _operator_claims(settings: Mapping[str, Any]) -> list:
    import numpy as np

    from descent.bounds import implicit_convolution_checks as checks
    from descent.claims import check

    problem, large = _problems(settings)[0], settings["large"]["size"]
    integers = [_integer_case(settings, size) for size in (settings["size"], large)]
    flip, turned = {"flipped": True}, "the kernel turned round, as in the convolution of mathematics"
    draws = generator(settings["master_seed"], "single_precision", 0, size=large)
    single = {"kernel": problem.kernel.astype(np.float32), "x": draws.standard_normal(large, np.float32)}
    return [
        check("snu.5.operator", "theorem", r"$Ax$ and $A^\top y$ of the operator are those of the matrix, in integers "
              "and fractions exactly", checks.products_agree, {"cases": _exact_cases(settings), "flipped": False},
              flip, turned),
        check("snu.5.adjoint", "theorem", rf"$\langle Ax, y\rangle = \langle x, A^\top y\rangle$ exactly, in integers, "
              f"at $n$ = {settings['size']} and {large}", checks.adjoint_is_exact,
              {"cases": integers, "flipped": False}, flip, r"$A^\top$ with the kernel turned round", form="our own"),
        check("snu.5.line", "empirical", f"The document's line runs unchanged: {settings['iterations']} iterations "
              "with the operator are those with the matrix to rounding", checks.same_descent,
              {"problem": problem, "step": settings["step"], "iterations": settings["iterations"], "flipped": False},
              flip, turned),
        check("snu.5.precision", "theorem", r"In single precision $|fl(Ax) - Ax|_i \le \gamma_r (|A||x|)_i$, $\gamma_r "
              rf"= ru/(1 - ru)$, at $n$ = {large}, and the result is in single precision", checks.rounding_of_sums,
              {**single, "roundoff": 2.0**-24}, {"roundoff": 2.0**-53}, "the roundoff $u$ of double precision",
              form="our own"),
        check("snu.5.optimum", "theorem", r"Newton's minimizers have $\|x - x^*\| \le 10^{-12}\|x^*\|$, by the "
              "gradient in rational numbers", checks.minimizer_is_certified,
              {"problems": [case[2] for case in _cases(settings)], "flipped": False}, flip,
              "minimizers for the kernel turned round", form="our own"),
    ]


def _rate_claims(settings: Mapping[str, Any], table: Mapping[str, Any]) -> list:
    from descent.bounds import implicit_convolution_checks as checks
    from descent.claims import check

    problems = _cases(settings)
    starts = [(problem, 1.0) for _, _, problem in problems]
    first = checks.ends(table)
    one = {(case, i): j for j, (case, i) in reversed(list(enumerate(zip(first["case"], first["replicate"]))))}
    squares = [float(first["least_squares"][one[case, i]]) for case, i, _ in problems]
    ridges = [problem.ridge for _, _, problem in problems]
    shown = {"form": "our own", "figure": "descent"}
    squared = r"$\lambda + \sigma_{\min}(A)^2$, the rate of least squares, in place of $\lambda$"
    return [
        check("snu.5.contraction", "theorem", r"For $\alpha < 2/L$, $L = \|A\|^2 + \lambda$, every step has "
              r"$\|x_{k+1} - x^*\| \le q\, \|x_k - x^*\|$, $q = \max(|1 - \alpha\lambda|, |1 - \alpha L|)$",
              checks.contracts,
              {"table": table, "curvature": "ridge"}, {"curvature": "least_squares"}, squared, **shown),
        check("snu.5.attained", "theorem", r"From $x^* + v$ with $Av = 0$ the distance shrinks exactly by "
              r"the factor $1 - \alpha\lambda$ in every step", checks.kernel_direction_decays,
              {"problems": starts, "step": settings["step"], "iterations": settings["iterations"],
               "curvatures": ridges}, {"curvatures": squares}, squared, form="our own"),
        check("snu.5.rate", "asymptotic", r"On the document's problem, from $x = 0$ and with $\alpha = 1/L$, the "
              r"distance shrinks by the factor $1 - \alpha c$ in the end, $c$ the least curvature at $x^*$ in the "
              r"range of $A^\top$ (logarithm within 2%)",
              checks.late_rate, {"table": table, "curvature": "least"}, {"curvature": "ridge"},
              r"$\lambda$ in place of $c$", **shown),
        check("snu.5.reached", "empirical", rf"With $\alpha$ = {settings['step']:g} the gap is at most $10^{{-12}}$ of "
              f"that at $x = 0$ after {settings['most_iterations']} iterations", checks.reached,
              {"table": table, "step": settings["step"], "iteration": settings["most_iterations"]},
              {"iteration": settings["iterations"]}, f"after the document's {settings['iterations']} iterations",
              **shown),
    ]


def _limit_claims(table: Mapping[str, Any]) -> list:
    from descent.bounds import implicit_convolution_checks as checks
    from descent.claims import check

    shown, stable = {"form": "our own", "figure": "limits"}, {"table": table, "case": "document"}
    return [
        check("snu.5.limit", "empirical", r"Steps of 1/2 and 0.98 of $2/L$ and of $2/(L + \lambda)$ converge: the gap "
              "ends below $10^{-10}$ of the start's", checks.settles, {**stable, "names": ("half", "near", "best")},
              {"names": ("beyond_local",)}, r"1.02 of $2/L^*$", **shown),
        check("snu.5.unstable", "empirical", r"With $\alpha$ 1.02 times $2/L^*$, $L^*$ the largest curvature at $x^*$, "
              "descent does not converge", checks.does_not_settle, {**stable, "name": "beyond_local"},
              {"name": "near"}, "0.98 of $2/L$", **shown),
        check("snu.5.tails", "empirical", r"With residuals in the tails at $x^*$ descent from 0 converges at "
              r"$\alpha = 1/L + 1/L^*$ too, beyond $2/L$", checks.settles,
              {"table": table, "case": "tails", "names": ("between",)}, {"names": ("beyond_local",)},
              r"1.02 of $2/L^*$", **shown),
        check("snu.5.bounded", "theorem", r"For $\alpha < 2/\lambda$ descent from 0 stays bounded: $\|x_k\| \le \alpha "
              r"\|A\| \sqrt m / (1 - |1 - \alpha\lambda|)$", checks.stays_bounded, {"table": table, "power": 0.5},
              {"power": 0.0}, r"without $\sqrt m$", form="our own", figure="descent"),
        check("snu.5.divergence", "theorem", r"For $\alpha > 2/\lambda$ it diverges: $\|x_{k+1} - x^*\| \ge "
              r"(\alpha\lambda - 1)\, \|x_k - x^*\|$", checks.expands, {"table": table, "curvature": "ridge"},
              {"curvature": "smoothness"}, r"$L$ in place of $\lambda$", form="our own", figure="descent"),
    ]


def _norm_claims(settings: Mapping[str, Any], large: Mapping[str, Any]) -> list:
    from descent.bounds import implicit_convolution_checks as checks
    from descent.bounds.convolution_norm import symbol_range
    from descent.claims import check

    rows, problem = _norms(settings, settings["replicates"]), _large_problem(settings)
    document, size = [row for row in rows if row["replicate"] == 0], settings["large"]["size"]
    smoothness = symbol_range(problem.kernel, problem.size)[1] ** 2 + problem.ridge
    slope = {"sizes": settings["norm_sizes"], "gaps": [row["upper"] - row["greatest"] for row in document],
             "exponent": -2.0}
    return [
        check("snu.5.norm", "theorem", r"All singular values of $A$ lie between the least and the greatest "
              r"$|\hat k(2\pi l/n)|$, $l = 1, \dots, n$", checks.norm_is_bounded,
              {"rows": rows, "lower": "lower", "upper": "upper"}, {"lower": "coarse_lower", "upper": "coarse_upper"},
              "$r$ frequencies in place of $n$", form="our own", figure="limits"),
        check("snu.5.norm_rate", "asymptotic", r"$\max|\hat k| - \|A\|$ falls like $n^{-2}$ (document's kernel)",
              checks.gap_of_norm, slope, {"exponent": -1.0}, "$n^{-1}$", form="our own", figure="limits"),
        check("snu.5.large", "theorem", rf"At $n$ = {size} every step has $\|\nabla f(x_{{k+1}})\| \le q\, \|\nabla "
              r"f(x_k)\|$, $q = \max(|1 - \alpha\lambda|, |1 - \alpha L|)$, $L$ from $\max|\hat k|$",
              checks.gradients_contract,
              {"table": large, "ridge": problem.ridge, "smoothness": smoothness}, {"ridge": smoothness},
              r"$|1 - \alpha L|$ alone", form="our own"),
        check("snu.5.large_optimum", "empirical", rf"At $n$ = {size} descent ends within $10^{{-8}}\|x^*\|$ of the "
              r"minimizer, by the norm of its gradient", checks.certified_end,
              {"table": large, "run": "best", "level": 1e-8}, {"run": "document"},
              f"the document's {settings['iterations']} iterations", form="our own"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds.implicit_convolution_summary import summary
    from descent.dynamics.huber_descent import legacy_kernel

    tables = {name: read_table(path) for name, path in inputs.items()}
    found = summary(tables, _norms(settings, 1), legacy_kernel(settings["kernel_size"]), settings)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
