"""Are the losses of deep networks convex, and are their gradients Lipschitz? (no, and only in a ball)"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Size
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table

TITLE = "Neither convex nor smooth: what depth does to a loss"
PART = "landscapes"


class Settings(Block):
    """Settings of the study; spec items tau.1.1 and tau.2.3 give the values of config.yaml."""

    depths: list[Size] = Field(..., min_length=2, description="Numbers of layers N, at least 2, rising (tau.1.1)")
    width: int = Field(..., ge=2, le=20, description="Hidden units of every layer (tau.1.1)")
    activations: list[Literal["linear", "tanh", "silu"]] = Field(
        ..., min_length=1, description="Activations with sigma(0) = 0 (tau.1.1)")
    path_points: int = Field(..., ge=20, le=2000, description="Weights along each path through 0 (tau.1.1)")
    matrix_size: int = Field(..., ge=2, le=6, description="d of the square factors (tau.2.3)")
    ray_points: int = Field(..., ge=4, le=40, description="Rescalings c = 1, 2, 4, ... of the factors (tau.2.3)")
    draws: int = Field(..., ge=10, le=10**5, description="Random factors in the unit balls, for each depth (tau.2.3)")

    @model_validator(mode="after")
    def _rising_depths(self):
        if self.depths != sorted(set(self.depths)) or self.depths[0] < 2 or self.depths[-1] > 8:
            raise ValueError("depths must be rising, from 2 to 8")
        return self


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the losses along paths, the curvatures along rays and in balls, and what is read from them."""
    shared = {"master_seed": study.master_seed, **settings.model_dump()}
    data = {"synthetic": study.data("synthetic_regression"), "diabetes": study.data("diabetes")}
    tables = {
        "paths": study.table("paths", shared, data),
        "rays": study.table("rays", shared, {}, seconds=1),
        "balls": study.table("balls", shared, {}, seconds=0.0015 * settings.draws * len(settings.depths)),
    }
    study.figure("path", {"activation": settings.activations[-1]}, tables)
    study.figure("curvature", {"depths": settings.depths}, tables)
    study.claims(shared, {**data, **tables})
    study.values(shared, {**data, **tables})


def _regression_sets(inputs: Mapping[str, Path]) -> dict[str, tuple]:
    found = {}
    for name in ("synthetic", "diabetes"):
        table = read_table(inputs[name])
        found[name] = table["x"], table["y"][:, None]
    return found


def _scales(settings: Mapping[str, Any]):
    import numpy as np

    # Both signs, because odd powers of s fall on one side only; even in the logarithm where it is small.
    half = settings["path_points"] // 4
    positive = np.concatenate([np.geomspace(1e-3, 0.2, half, endpoint=False), np.linspace(0.2, 1.6, half)])
    return np.concatenate([-positive[::-1], positive])


def table_paths(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """L along a path through 0 for every data set, activation and depth, one layer included."""
    import numpy as np

    from descent.bounds.convexity import path_losses

    scales, columns = _scales(settings), {name: [] for name in ("data", "activation", "depth", "scale", "loss")}
    for name, (x, y) in _regression_sets(inputs).items():
        for kind in settings["activations"]:
            for depth in (1, *settings["depths"]):
                losses = path_losses(depth, settings["width"], kind, x, y, scales)
                rows = {"data": name, "activation": kind, "depth": depth, "scale": scales,
                        "loss": losses / (0.5 * np.mean(y**2))}
                for key, values in rows.items():
                    columns[key].append(np.broadcast_to(values, len(scales)))
    joined = {key: np.concatenate(parts) for key, parts in columns.items()}
    write_table(outputs["table"], joined, {"loss": "loss at zero weights"}, settings)


def _matrices(settings: Mapping[str, Any]):
    d = settings["matrix_size"]
    return generator(settings["master_seed"], "convexity_matrices", 0, d=d).standard_normal((2, d, d))


def _rays(settings: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    deepest = max(3, settings["depths"][-1])
    return {"quadratic": ("quadratic", 2), "log_cosh": ("log_cosh", 2), "affine": ("affine", 2),
            "affine_deep": ("affine", 3), "constant": ("constant", deepest), "one_layer": ("quadratic", 1)}


def table_rays(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """‖∇²φ‖₂ along the rescaling ray of every loss."""
    import numpy as np

    from descent.bounds.convexity import ray_curvature

    (matrix, target), factors = _matrices(settings), 2.0 ** np.arange(settings["ray_points"])
    columns = {name: ray_curvature(kind, depth, matrix, target, factors)
               for name, (kind, depth) in _rays(settings).items()}
    write_table(outputs["table"], {"factor": factors, **columns}, {}, settings)


def table_balls(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """‖∇²φ‖₂ at random factors of norm at most 1, the quadratic loss's worst case first for every depth."""
    import numpy as np

    from descent.bounds.convexity import aligned, factor_hessian, in_unit_ball

    d, rows = settings["matrix_size"], []
    for depth in settings["depths"]:
        draws = generator(settings["master_seed"], "unit_balls", depth, d=d)
        factors, target = aligned(depth, d)
        rows.append((depth, "quadratic", np.linalg.norm(factor_hessian(factors, "quadratic", target), 2), 2.0))
        for i in range(settings["draws"]):
            factors, target = in_unit_ball(draws, depth, d), draws.standard_normal((d, d))
            kind = ("quadratic", "log_cosh")[i % 2]
            curvature = np.linalg.norm(factor_hessian(factors, kind, target), 2)
            rows.append((depth, kind, curvature, 1.0 + np.linalg.norm(target)))
    names = ("depth", "loss", "curvature", "slope")
    columns = {name: np.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
    write_table(outputs["table"], columns, {}, settings)


def figure_path(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The loss along a path through zero weights (tau.1.1)."""
    from descent.bounds.convexity_figures import draw_path

    figure = draw_path(read_table(inputs["paths"]), settings["activation"])
    save_figure(figure, outputs, settings["preview"])


def figure_curvature(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Curvature along rescaling rays and in unit balls (tau.2.3)."""
    from descent.bounds.convexity_figures import draw_curvature

    figure = draw_curvature(read_table(inputs["rays"]), _ball_ratios(read_table(inputs["balls"])), settings["depths"])
    save_figure(figure, outputs, settings["preview"])


def _ball_ratios(table: Mapping[str, Any], kept: int = 0) -> dict[str, Any]:
    from descent.bounds.convexity import ball_bound

    bounds = ball_bound(table["depth"], 1.0, table["slope"], kept)
    return {"depth": table["depth"], "curvature": table["curvature"], "bound": bounds}


def _cases(settings: Mapping[str, Any], sets: Mapping[str, tuple]) -> list[dict[str, Any]]:
    return [{"width": settings["width"], "kind": kind, "inputs": x, "targets": y}
            for x, y in sets.values() for kind in settings["activations"]]


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for tau.1.1 and tau.2.3."""
    cases = _cases(settings, _regression_sets(inputs))
    write_claims(outputs["claims"], [*_convexity_claims(settings, cases), *_ray_claims(settings, inputs),
                                     _ball_claim(read_table(inputs["balls"]))])


def _convexity_claims(settings: Mapping[str, Any], cases: list[dict[str, Any]]) -> list:
    from descent.bounds import convexity
    from descent.claims import check

    depths, one = {"cases": cases, "depths": settings["depths"]}, {"depths": [1]}
    layer = "a single layer, whose loss is convex"
    return [
        check("tau.1.1.stationary", "theorem", r"With $\sigma(0) = 0$ and $N \ge 2$ the gradient "
              r"at $W_1 = \dots = W_N = 0$ vanishes exactly", convexity.zero_is_stationary, depths,
              one, layer, figure="path"),
        check("tau.1.1", "theorem", r"Some $w$ has $L(w) < L(0) + \langle \nabla L(0), w \rangle$: for $N \ge 2$ "
              "the loss is not convex (observed: the difference of the sides over $L(0)$, against rounding)",
              convexity.convexity_is_violated,
              {**depths, "scales": _scales(settings)}, one, layer, figure="path"),
        check("tau.1.1.hessian", "theorem", r"At $N = 2$ with a scalar output $\lambda_{\min}(\nabla^2 L(0)) = "
              r"-|\sigma'(0)|\, \|X^\top y\|/n$", convexity.least_curvature_at_zero, {"cases": cases, "depth": 2},
              {"depth": 3}, "$N = 3$, where the Hessian at 0 vanishes", form="our own", figure="path"),
    ]


def _ray_claims(settings: Mapping[str, Any], inputs: Mapping[str, Path]) -> list:
    from descent.bounds import convexity
    from descent.claims import check

    rays, (matrix, target) = read_table(inputs["rays"]), _matrices(settings)
    factors, shown = rays["factor"], {"figure": "curvature"}
    along = {"curvatures": [rays["quadratic"], rays["log_cosh"]], "factors": factors, "exponent": 2.0, "within": 0.05}
    return [
        check("tau.2.3.rescaling", "theorem", r"For $\ell = \frac12\|W - T\|^2$ and $N = 2$ the second derivative in "
              r"$W_1$ at $(cI, W/c)$ is exactly $c^2$", convexity.factor_curvature,
              {"matrix": matrix, "target": target, "factors": factors, "power": 2.0}, {"power": 1.0},
              "$c$ in place of $c^2$", **shown),
        check("tau.2.3", "theorem", r"Without restriction, for $N \ge 2$, a loss that is not affine has unbounded "
              r"curvature: where $\nabla^2\ell(W) \ne 0$ it grows like $c^2$ along $(cI, W/c)$ (observed: the "
              "exponent)",
              convexity.grows_like, along, {"curvatures": [rays["affine"]]},
              r"an affine loss with $N = 2$, whose curvature is bounded",
              form="corrected", **shown),
        check("tau.2.3.affine", "theorem", "An affine loss with $N = 2$ has the same curvature everywhere, a constant "
              "loss none (observed: exponent of growth)",
              convexity.grows_like, {**along, "curvatures": [rays["affine"], rays["constant"]], "exponent": 0.0},
              {"curvatures": [rays["affine_deep"]]}, "$N = 3$", **shown),
        check("tau.2.3.affine_deep", "theorem", "An affine, not constant loss with $N = 3$ has curvature that grows "
              "like $c$ along $(cI, I, W/c)$ (observed: the exponent)",
              convexity.grows_like, {**along, "curvatures": [rays["affine_deep"]], "exponent": 1.0},
              {"curvatures": [rays["affine"]]}, "$N = 2$", **shown),
        check("tau.2.3.printed", "theorem", "At every depth, $N = 1$ included, a loss that is not affine has unbounded "
              "curvature, growing like $c^2$ under rescaling (observed: the exponent)",
              convexity.grows_like, {**along, "curvatures": [rays["quadratic"], rays["one_layer"]]},
              {"curvatures": [rays["one_layer"]]}, "$N = 1$ alone", form="erratum", **shown),
    ]


def _ball_claim(table: Mapping[str, Any]):
    from descent.bounds import convexity
    from descent.claims import check

    ratios = _ball_ratios(table)
    return check("tau.2.3.ball", "theorem", r"On products of unit balls $\|\nabla^2\varphi\| \le N M + (N - 1) G$, "
                 r"where $M$ and $G$ bound $\|\nabla^2\ell\|$ and $\|\nabla\ell\|$ there", convexity.curvature_in_ball,
                 {"ratios": ratios["curvature"], "bounds": ratios["bound"]},
                 {"bounds": _ball_ratios(table, kept=1)["bound"]}, "$(N - 1) M$ in place of $N M$", figure="curvature")


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds.convexity_summary import summary

    paths, rays, balls = (read_table(inputs[name]) for name in ("paths", "rays", "balls"))
    found = summary(_cases(settings, _regression_sets(inputs)), paths, rays, _ball_ratios(balls), settings)
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
