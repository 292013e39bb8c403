"""Singular modes learnt one after another by deep linear networks (Saxe, McClelland and Ganguli 2014)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.checkpoint import Checkpoint
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block, Positive
from descent.pipeline.study import StudyPlan
from descent.pipeline.tables import read_table, write_table

TITLE = "Saddle to saddle: modes learnt one after another"
PART = "linear"


class Ladder(Block):
    """Scales of the start for one depth."""

    depth: int = Field(..., ge=2, le=4, description="Number of layers N")
    scales: list[Positive] = Field(..., min_length=3, description="Singular values a of each layer at the start, "
                                   "falling by a common ratio")

    @field_validator("scales")
    @classmethod
    def _falling_geometrically(cls, scales):
        ratios = [above / below for above, below in zip(scales, scales[1:])]
        if scales[-1] <= 0 or min(ratios) <= 1 or max(ratios) > min(ratios) * (1 + 1e-9):
            raise ValueError("scales must be positive and fall by a common ratio")
        return scales


class Settings(Block):
    """Settings of the study, an extension of the studies of linear networks."""

    values: list[Positive] = Field(..., min_length=2, description="Singular values s* of the target, falling")
    rows: int = Field(..., ge=2, le=50, description="Outputs")
    columns: int = Field(..., ge=2, le=50, description="Inputs")
    width: int = Field(..., ge=2, le=50, description="Hidden units, at least min(rows, columns)")
    ladders: list[Ladder] = Field(..., min_length=1, description="Scales for each depth; depth 2 first")
    replicates: int = Field(..., ge=1, le=100, description="Random balanced starts")
    points: int = Field(..., ge=100, le=10**4, description="Times kept until the last aligned mode has escaped")
    step: float = Field(..., gt=0, le=0.05, description="Largest eta of gradient descent at N = 2")
    halvings: int = Field(..., ge=2, le=8, description="Times that eta is halved")

    @model_validator(mode="after")
    def _consistent(self):
        depths = [ladder.depth for ladder in self.ladders]
        if depths[0] != 2 or depths != sorted(set(depths)):
            raise ValueError("ladders must start with depth 2, depths rising")
        if len(self.values) > min(self.rows, self.columns) or self.width < min(self.rows, self.columns):
            raise ValueError("needs values <= min(rows, columns) <= width")
        if self.values != sorted(set(self.values), reverse=True) or self.values[-1] <= 0:
            raise ValueError("values must be positive and fall")
        if any(ladder.scales[0] ** ladder.depth >= self.values[-1] / 2 for ladder in self.ladders):
            raise ValueError("scales must start modes below half their targets")
        return self


STARTS = ("aligned", "balanced")


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the flows and what is read from them."""
    shared = {"master_seed": study.master_seed, **settings.model_dump()}
    flows = {key: value for key, value in shared.items() if key not in ("step", "halvings")}
    runs = sum(len(ladder.scales) for ladder in settings.ladders) * (settings.replicates + 1)
    paths = study.table("paths", flows, {}, seconds=1 + 0.0011 * settings.points * runs, megabytes=0.1 * runs)
    read = {"paths": paths}
    target = {key: shared[key] for key in ("values", "ladders")}
    study.figure("staircase", target, read, seconds=2)
    study.figure("modes", flows, read, seconds=2)
    study.figure("escapes", target, read, seconds=2)
    study.claims(shared, read, seconds=4)
    study.values(flows, read, seconds=2)


def _target(settings: Mapping[str, Any]):
    from descent.dynamics.staircase import random_target

    draws = generator(settings["master_seed"], "staircase_target", 0, rows=settings["rows"],
                      columns=settings["columns"])
    return random_target(draws, settings["values"], settings["rows"], settings["columns"])


def _layers(settings: Mapping[str, Any], start: str, depth: int, scale: float, replicate: int):
    from descent.dynamics.staircase import aligned_layers, isotropic_layers

    if start == "aligned":
        return aligned_layers(*_target(settings), depth, settings["width"], scale)
    # The same matrices at every depth and scale.
    draws = generator(settings["master_seed"], "staircase_start", replicate, rows=settings["rows"],
                      columns=settings["columns"])
    return isotropic_layers(draws, settings["rows"], settings["columns"], depth, settings["width"], scale)


def table_paths(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Modes and loss along the flow, for every depth and scale: one aligned start and the random balanced ones."""
    import numpy as np

    from descent.dynamics.staircase import escape_time, staircase

    (U, V), parts = _target(settings), []
    cases = [{"start": start, "depth": ladder["depth"], "replicate": replicate, "scale": scale}
             for start in STARTS for ladder in settings["ladders"]
             for replicate in range(settings["replicates"] if start == "balanced" else 1) for scale in ladder["scales"]]
    for case in Checkpoint(parts).over(cases):
        stretch = 1.25 * escape_time(case["depth"], case["scale"], settings["values"][-1])
        run = staircase(_layers(settings, **case), U, settings["values"], V, stretch, settings["points"])
        parts.append({**{name: np.full(len(run["loss"]), value) for name, value in case.items()}, **run})
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    write_table(outputs["table"], columns, {"flow_time": "flow time"}, settings)


def figure_staircase(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The loss falls from plateau to plateau."""
    from descent.bounds.staircase_figures import draw_staircase

    depths = [ladder["depth"] for ladder in settings["ladders"]]
    save_figure(draw_staircase(read_table(inputs["paths"]), depths, settings["values"]), outputs, settings["preview"])


def figure_modes(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Modes from a random start against sigmoids, N = 2."""
    from descent.bounds.staircase_figures import draw_modes

    figure = draw_modes(read_table(inputs["paths"]), _starts(settings, True), _starts(settings, False),
                        settings["values"])
    save_figure(figure, outputs, settings["preview"])


def figure_escapes(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Escape times against the scale of the start."""
    from descent.bounds.staircase_figures import draw_escapes

    scales = {ladder["depth"]: ladder["scales"] for ladder in settings["ladders"]}
    save_figure(draw_escapes(read_table(inputs["paths"]), scales, settings["values"]), outputs, settings["preview"])


def _starts(settings: Mapping[str, Any], orthogonalize: bool):
    import numpy as np

    from descent.dynamics.staircase import effective_starts

    U, V = _target(settings)
    return np.array([[effective_starts(_layers(settings, "balanced", 2, scale, replicate), U, V, orthogonalize)
                      for scale in settings["ladders"][0]["scales"]] for replicate in range(settings["replicates"])])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows on sigmoids, escape times and plateaus."""
    paths = read_table(inputs["paths"])
    write_claims(outputs["claims"], [*_aligned_claims(settings, paths), *_escape_claims(settings, paths),
                                     *_random_claims(settings, paths)])


def _aligned_claims(settings: Mapping[str, Any], paths: Mapping[str, Any]) -> list:
    import numpy as np

    from descent.bounds import staircase as checks
    from descent.claims import check
    from descent.dynamics.staircase import escape_time

    values, ladder = settings["values"], settings["ladders"][0]
    U, V = _target(settings)
    runs = {one["depth"]: checks.runs_of(paths, "aligned", one["depth"])[0] for one in settings["ladders"]}
    horizon, scale = 1.25 * escape_time(2, ladder["scales"][0], values[-1]), ladder["scales"][0]
    intervals = round(horizon / settings["step"])
    descent = {"layers": _layers(settings, "aligned", 2, scale, 0), "values": values, "U": U, "V": V,
               "times": np.linspace(0.0, horizon, intervals + 1),
               "steps": [2**k for k in range(settings["halvings"] + 1)], "within": 0.05}
    slow = {"rate": 1.0}, "exponent $s^\\ast t$ in place of $2 s^\\ast t$"
    return [
        check("saxe.sigmoid", "theorem", r"From an aligned start two layers learn each mode along "
              r"$s(t) = s^\ast / \left(1 + (s^\ast/s(0) - 1)\, e^{-2 s^\ast t}\right)$", checks.sigmoids,
              {"runs": runs[2], "values": values}, *slow, figure="modes"),
        check("saxe.scalar", "theorem", r"From an aligned start each mode obeys $\dot s = N s^{2 - 2/N} (s^\ast - s)$",
              checks.scalar_modes, {"runs": sum(runs.values(), []), "values": values}, {"less": 1.0},
              "$N - 1$ in front in place of $N$", figure="staircase"),
        check("saxe.descent", "asymptotic", r"Gradient descent is at a distance of first order in $\eta$ from these "
              r"sigmoids: slope $1 \pm 0.05$", checks.descent_order, descent, *slow, form="our own"),
    ]


def _escape_claims(settings: Mapping[str, Any], paths: Mapping[str, Any]) -> list:
    from descent.bounds import staircase as checks
    from descent.claims import check

    values, scales = settings["values"], {ladder["depth"]: ladder["scales"] for ladder in settings["ladders"]}
    tables = {start: {depth: checks.escapes(paths, start, depth, values) for depth in scales} for start in STARTS}
    steps = {"scales": scales, "within": 0.05}
    wrong = {"less": 1.0}, "$N - 1$ in place of $N - 2$"
    return [
        check("saxe.delay", "asymptotic", r"From a start smaller by $r$ in each layer an aligned mode escapes later by "
              r"$(\ln r)/s^\ast$ ($N = 2$) or $(r^{N-2} - 1)\, a^{2-N}/((N - 2)\, s^\ast)$, to 5%", checks.delays,
              {"tables": tables["aligned"], "values": values, **steps}, {"off": 1},
              "the same with $N + 1$ in place of $N$", form="our own", figure="escapes"),
        check("saxe.exponent", "asymptotic", r"Escape times of aligned modes grow as $a^{-(N-2)}$, logarithmically at "
              r"$N = 2$: exponent $\pm 0.05$", checks.exponents, {"tables": tables["aligned"], **steps}, *wrong,
              form="our own", figure="escapes"),
        check("saxe.exponent_random", "asymptotic", "So do those of all modes from random balanced starts",
              checks.exponents, {"tables": tables["balanced"], **steps}, *wrong, form="our own", figure="escapes"),
    ]


def _random_claims(settings: Mapping[str, Any], paths: Mapping[str, Any]) -> list:
    from descent.bounds import staircase as checks
    from descent.claims import check

    values = settings["values"]
    smallest = [runs[-1] for ladder in settings["ladders"] for start in STARTS
                for runs in checks.runs_of(paths, start, ladder["depth"])]
    random = {"runs": checks.runs_of(paths, "balanced", 2), "starts": _starts(settings, True), "values": values,
              "within": 0.01}
    return [
        check("saxe.plateau", "asymptotic", r"Between two escapes the loss stays at $\frac12 \sum s_i^{\ast 2}$ over "
              "the modes not yet learnt: to 5%, at the smallest scale", checks.plateau_levels,
              {"runs": smallest, "values": values, "within": 0.05}, {"late": 1},
              "the mode learnt last still counted as unlearnt", form="our own", figure="staircase"),
        check("saxe.random", "asymptotic", "From small random starts two layers learn modes along the same sigmoids "
              r"from $s_i(0) = \|c_i\|^2$, $c_i = \frac12 (W_1 v_i + W_2^\top u_i)$ orthogonalized in the order of "
              r"falling $s_i^\ast$: to 1%, at the smallest scale", checks.effective_sigmoids, random,
              {"starts": _starts(settings, False)}, "$c_i$ not orthogonalized", form="our own", figure="modes"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers of the section's prose and tables."""
    from descent.bounds.staircase_summary import summary

    found = summary(read_table(inputs["paths"]), settings, _starts(settings, True), _starts(settings, False))
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
