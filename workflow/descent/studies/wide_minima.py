"""Which minimum does gradient descent reach, a sharp or a wide one, and from how many starts?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Positive
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table

TITLE = "Wide and sharp minima: where gradient descent goes"
PART = "landscapes"


class Grid(Block):
    """A grid of steps and starts for a map of ends."""

    steps: list[Positive] = Field(..., min_length=2, max_length=2, description="Least and greatest step alpha")
    starts: list[Annotated[float, Field(ge=-1000, le=1000)]] = Field(
        ..., min_length=2, max_length=2, description="Least and greatest start")
    columns: int = Field(..., ge=10, le=2000, description="Steps, even in the logarithm")
    rows: int = Field(..., ge=10, le=2000, description="Starts, even")

    @model_validator(mode="after")
    def _rising(self):
        if not 0 < self.steps[0] < self.steps[1] or not self.starts[0] < self.starts[1]:
            raise ValueError("steps must be positive and rising, starts rising")
        return self


class Settings(Block):
    """Settings of the study; spec item snu.4 gives the values of config.yaml."""

    small: float = Field(..., gt=0, le=0.1, description="Step alpha that reaches both minima (snu.4)")
    medium: float = Field(..., gt=0, le=0.99, description="Step alpha that reaches the wide minimum only (snu.4)")
    large: float = Field(..., gt=1.06, le=100, description="Step alpha that reaches none (snu.4)")
    starts: int = Field(..., ge=1000, le=10**7, description="Random starts in [-5, 20] for each step (snu.4)")
    tolerance: float = Field(..., gt=0, le=1e-4, description="|f'| below which a run that settles has ended (snu.4)")
    step_limit: int = Field(..., ge=100, le=10**6, description="Most steps of a run")
    map: Grid = Field(..., description="Ends over steps and starts (snu.4)")
    window: Grid = Field(..., description="The same where the sharp minimum loses its stability")
    proved_wide: list[Positive] = Field(..., min_length=2, max_length=2, description="Steps, all of them, "
                                        "for which the wide minimum is proved to take almost every start")
    proved_divergence: list[Positive] = Field(..., min_length=2, max_length=2, description="The same for divergence")

    @model_validator(mode="after")
    def _proved_ranges(self):
        for low, high in (self.proved_wide, self.proved_divergence):
            if not 0 < low < high:
                raise ValueError("the ranges of proved_wide and proved_divergence must be positive and rising")
        if self.proved_wide[1] > 0.99 or self.proved_divergence[0] < 1.06 or self.proved_divergence[1] > 1000:
            raise ValueError("proved_wide must end at 0.99 or before, proved_divergence lie within 1.06 and 1000")
        return self


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the random starts, the maps of ends, and what is read from them."""
    chosen = {"small": settings.small, "medium": settings.medium, "large": settings.large}
    stop = {"tolerance": settings.tolerance, "step_limit": settings.step_limit}
    grids = {"map": settings.map.model_dump(), "window": settings.window.model_dump()}
    cells = sum(grid["columns"] * grid["rows"] for grid in grids.values())
    tables = {
        "ends": study.table("ends", {"master_seed": study.master_seed, **chosen, "starts": settings.starts, **stop}, {},
                            seconds=0.3 + 1.5e-5 * settings.starts),
        "maps": study.table("maps", {**grids, **stop}, {}, seconds=0.3 + 1.2e-5 * cells, megabytes=5),
    }
    study.figure("landscape", chosen, {})
    study.figure("basins", {"rows": settings.map.rows, **chosen}, tables)
    study.figure("window", {"rows": settings.window.rows}, {"maps": tables["maps"]})
    study.view("basins", {"rows": settings.map.rows, **stop}, {"maps": tables["maps"]})
    study.view("window", {"rows": settings.window.rows, **stop}, {"maps": tables["maps"]})
    study.claims({**chosen, **stop, "proved_wide": settings.proved_wide,
                  "proved_divergence": settings.proved_divergence}, tables, seconds=5)
    study.values({**chosen, "starts": settings.starts}, tables)


def table_ends(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """How many of the random starts end where, for each of the three steps; all share the starts."""
    import numpy as np

    from descent.dynamics.scalar_descent import ENDS, descend
    from descent.dynamics.two_minima import STARTS, stationary_points

    steps, boundary = [settings[name] for name in ("small", "medium", "large")], stationary_points()[1]
    starts = generator(settings["master_seed"], "wide_minima_starts", 0).uniform(*STARTS, settings["starts"])
    found = [descend(starts, step, settings["step_limit"], settings["tolerance"], boundary) for step in steps]
    counts = np.array([np.bincount(ends["end"], minlength=len(ENDS)) for ends in found])
    columns = {"alpha": steps, **dict(zip(ENDS, counts.T)), "longest": [int(ends["steps"].max()) for ends in found]}
    write_table(outputs["table"], columns, {"longest": "steps"}, settings)


def table_maps(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The end of every start for every step, on both grids; undecided runs with their Lyapunov exponent."""
    import numpy as np

    from descent.dynamics.scalar_descent import UNDECIDED, descend, lyapunov_exponents
    from descent.dynamics.two_minima import stationary_points

    parts, boundary = [], stationary_points()[1]
    for name in ("map", "window"):
        grid = settings[name]
        steps = np.geomspace(*grid["steps"], grid["columns"])
        alpha, start = (axis.ravel() for axis in np.meshgrid(
            steps, np.linspace(*grid["starts"], grid["rows"]), indexing="ij"))
        found = descend(start, alpha, settings["step_limit"], settings["tolerance"], boundary)
        open_ended, exponent = found["end"] == UNDECIDED, np.zeros(len(start))
        exponent[open_ended] = lyapunov_exponents(found["position"][open_ended], alpha[open_ended], 1000)
        parts.append({"window": np.full(len(start), name == "window"), "alpha": alpha, "start": start, **found,
                      "exponent": exponent})
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    write_table(outputs["table"], joined, {"exponent": "1/step"}, settings)


def _grid(path: Path, window: bool) -> dict[str, Any]:
    table = read_table(path)
    rows = table["window"] == window
    return {name: column[rows] for name, column in table.items()}


def figure_landscape(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """f and f″ with the minima and the limits of stability (snu.4)."""
    from descent.bounds.wide_minima_figures import draw_landscape

    figure = draw_landscape([settings["small"], settings["medium"], settings["large"]])
    save_figure(figure, outputs, settings["preview"])


def figure_basins(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Ends over steps and starts, and their shares (snu.4)."""
    from descent.bounds.wide_minima_figures import draw_basins

    figure = draw_basins(_grid(inputs["maps"], False), settings["rows"], read_table(inputs["ends"]))
    save_figure(figure, outputs, settings["preview"])


def figure_window(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Ends and last positions where the sharp minimum loses its stability."""
    from descent.bounds.wide_minima_figures import draw_window

    save_figure(draw_window(_grid(inputs["maps"], True), settings["rows"]), outputs, settings["preview"])


def view_basins(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Ends over steps and starts, to be followed one by one (snu.4)."""
    from descent.bounds.wide_minima_view import basin_lines

    _write_map(settings, inputs, outputs, False, basin_lines())


def view_window(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The same where the sharp minimum loses its stability."""
    from descent.bounds.wide_minima_view import window_lines

    _write_map(settings, inputs, outputs, True, window_lines())


def _write_map(settings: Mapping[str, Any], inputs: Mapping[str, Path], outputs: Mapping[str, Path], window: bool,
               lines: Mapping[str, float]) -> None:
    from descent.bounds.wide_minima_view import map_view
    from descent.views import write_view

    stop = {name: settings[name] for name in ("tolerance", "step_limit")}
    write_view(outputs["view"], map_view(_grid(inputs["maps"], window), settings["rows"], lines, stop))


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows for snu.4."""
    ends, maps = read_table(inputs["ends"]), read_table(inputs["maps"])
    write_claims(outputs["claims"], [*_function_claims(), *_step_claims(settings, ends), *_range_claims(settings),
                                     *_map_claims(maps)])


def _function_claims() -> list:
    import numpy as np

    from descent.bounds import wide_minima as checks
    from descent.claims import check
    from descent.dynamics.two_minima import curvature, slope, stationary_points, value

    sharp, _, wide = stationary_points()
    points = [*np.linspace(-30, 30, 121).tolist(), 300.0, -300.0, 1e5, -1e5, 1e100, -1e100]
    functions = [checks.in_double_precision(form) for form in (value, slope, curvature)]
    own = {"form": "our own", "figure": "landscape"}
    return [
        check("snu.4.derivatives", "theorem", "The formulas that are evaluated are $f$, $f'$ and $f''$ identically",
              checks.derivative_identities, {"rate": 3}, {"rate": 2}, r"$e^{2(\theta - 3)}$ in place of "
              r"$e^{3(\theta - 3)}$", **own),
        check("snu.4.evaluation", "empirical", r"In double precision they are exact to 64 roundings up to $|\theta| = "
              "10^{100}$", checks.evaluation_error, {"thetas": points, "functions": functions},
              {"functions": [checks.printed_quotient]}, "the quotient as it is printed", **own),
        check("snu.4.landscape", "theorem", r"On $[-5, 20]$ $f$ has two minima with a maximum between them; the one "
              r"near $0$ is global and sharper", checks.landscape, {"sharp": sharp, "wide": wide},
              {"sharp": wide, "wide": sharp}, "the two minima exchanged", figure="landscape"),
    ]


def _step_claims(settings: Mapping[str, Any], ends: Mapping[str, Any]) -> list:
    from descent.bounds import wide_minima as checks
    from descent.bounds.interval_descent import cover_for_divergence, cover_for_wide, greatest_curvature
    from descent.bounds.wide_minima_summary import exact_share
    from descent.claims import check
    from descent.dynamics.scalar_descent import ENDS
    from descent.dynamics.two_minima import CROSSING, stationary_points

    boundary, greatest = stationary_points()[1], greatest_curvature()[1]
    share, crossing = exact_share(boundary), exact_share(CROSSING)
    small, medium, large = ([int(ends[name][row]) for name in ENDS] for row in range(3))
    steps = [settings["small"] / 2, settings["small"], 0.98 / greatest]
    stop = {"limit": settings["step_limit"], "tolerance": settings["tolerance"]}
    split, shown = {"sharp": share, "wide": 1 - share}, {"figure": "basins"}
    held = {r"$\alpha \max f'' < 1$": settings["small"] * greatest < 1}

    def proved(name, cover):
        only = [(settings[name], settings[name])]
        return {"every cell of the covering is settled": checks.covered(cover, only).holds}

    return [
        check("snu.4.boundary", "theorem", "Starts on the two sides of the root of $f'$ between the minima go to the "
              "minimum of their side", checks.split_at_boundary,
              {"steps": steps, "boundary": boundary, "greatest": greatest, **stop}, {"boundary": 3.0},
              r"$\theta = 3$ in place of the root", form="our own", **shown),
        check("snu.4.small", "theorem", f"With $\\alpha = {settings['small']:g}$ descent converges to either minimum; "
              "the shares of the starts are those of the two sides of the root", checks.shares_agree,
              {"counts": small, "expected": split, "hypotheses": held},
              {"expected": {"sharp": crossing, "wide": 1 - crossing}},
              "the point where the two parabolas cross in place of the root", **shown),
        check("snu.4.medium", "theorem", f"With $\\alpha = {settings['medium']:g}$ the random starts converge to the "
              "wide minimum, with probability one", checks.shares_agree,
              {"counts": medium, "expected": {"wide": 1.0}, "hypotheses": proved("medium", cover_for_wide)},
              {"expected": split},
              "the shares of the small step", **shown),
        check("snu.4.large", "theorem", f"With $\\alpha = {settings['large']:g}$ the random starts do not converge: "
              "they diverge, with probability one", checks.shares_agree,
              {"counts": large, "expected": {"diverged": 1.0}, "hypotheses": proved("large", cover_for_divergence)},
              {"expected": {"cycle": 1.0}},
              "cycles in place of divergence", **shown),
    ]


def _range_claims(settings: Mapping[str, Any]) -> list:
    from descent.bounds import interval_descent as proofs
    from descent.bounds.wide_minima import covered
    from descent.claims import check

    wide, divergence = settings["proved_wide"], settings["proved_divergence"]
    own = {"form": "our own", "figure": "basins"}
    return [
        check("snu.4.almost_all_wide", "theorem", f"For every $\\alpha$ in $[{wide[0]:g}, {wide[1]:g}]$ almost every "
              "start in $[-5, 20]$ converges to the wide minimum", covered,
              {"cover": proofs.cover_for_wide, "slices": proofs.slices(*wide)}, {"slices": [(0.06, 0.06)]},
              r"$\alpha = 0.06$, below $2/f''$ of the sharp minimum", **own),
        check("snu.4.almost_all_diverge", "theorem", f"For every $\\alpha$ in $[{divergence[0]:g}, {divergence[1]:g}]$ "
              "almost every start in $[-5, 20]$ diverges", covered,
              {"cover": proofs.cover_for_divergence, "slices": proofs.slices(*divergence, ratio=1.08)},
              {"slices": [(1.9, 1.9)]},
              r"$\alpha = 1.9$, below $2/f''$ of the wide minimum", **own),
    ]


def _map_claims(maps: Mapping[str, Any]) -> list:
    from descent.bounds import wide_minima as checks
    from descent.claims import check, report_only
    from descent.dynamics.scalar_descent import UNDECIDED
    from descent.dynamics.two_minima import curvature, evaluate, kept_from, stationary_points

    sharp, _, wide = stationary_points()
    bends = tuple(evaluate(curvature, [sharp, wide]).tolist())
    own = {"form": "our own", "figure": "basins"}
    undecided = maps["end"] == UNDECIDED
    return [
        check("snu.4.unstable", "theorem", r"No start that descent is run from converges to a minimum with $f'' > "
              r"2/\alpha$", checks.no_end_beyond, {"table": maps, "bends": bends, "factor": 2.0}, {"factor": 1.0},
              r"$1/\alpha$ in place of $2/\alpha$", **own),
        check("snu.4.kept", "theorem", r"Until the crisis the starts that do not go to the wide minimum are those of "
              r"$J = \{\theta \le b: T(\theta) \le b\}$", checks.kept_inside, {"table": maps, "left_end": kept_from},
              {"left_end": checks.every_start_left}, "all starts left of the maximum of $f$ in place of $J$", **own),
        check("snu.4.divergence", "theorem", r"Only steps above $21/20$ let a start diverge",
              checks.diverges_only_above, {"table": maps, "threshold": checks.DIVERGENCE_STEP},
              {"threshold": 2 / bends[1]}, "$2/f''$ of the wide minimum in its place", **own),
        check("snu.4.cycles", "empirical", "Where the sharp minimum loses its stability, starts end in attracting "
              "cycles", checks.cycles_close, {"table": maps, "part": 1.0}, {"part": 0.5}, "half the period",
              form="our own", figure="window"),
        report_only("snu.4.undecided", "Part of the starts of both maps that stay bounded without an end that was "
                    "found", float(undecided.mean()), len(undecided), figure="window"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds.wide_minima_summary import summary

    found = summary(read_table(inputs["ends"]), _grid(inputs["maps"], False), _grid(inputs["maps"], True))
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
