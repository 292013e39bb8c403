"""The measured runs of stochastic gradient descent, with what the bounds need to know about each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from descent.dynamics.stochastic_descent import Objective, excess, objectives, step_parts

Table = Mapping[str, np.ndarray]
LABELS = ("objective", "noise", "schedule")
DEPENDENT = ("frozen", "opposed")


@dataclass(frozen=True)
class Run:
    """Rows of one objective, noise and schedule, one for each step (see `dynamics.stochastic_descent.Moments`).

    `excess`: 2βΔ; `replicates`: number of independent trajectories behind each mean.
    """

    name: str
    noise: str
    schedule: str
    objective: Objective
    excess: float
    start: float
    replicates: int
    rows: Table

    @property
    def steps(self) -> np.ndarray:
        """t = 1, 2, …, as integers."""
        return self.rows["step"]

    @property
    def parts(self) -> np.ndarray:
        """c_t = βη_t."""
        return step_parts(self.schedule, len(self.steps))


def runs_of(tables: Iterable[Table], settings: Mapping) -> list[Run]:
    """All runs in `tables`, with `settings`: dimension, least_curvature, start and numbers of replicates.

    The numbers are `replicates`, and `dependent_replicates` for noise that depends on the past.
    """
    functions, found = objectives(settings["dimension"], settings["least_curvature"]), []
    for table in tables:
        labels = np.array([table["objective"], table["noise"], table["schedule"]])
        for name, noise, schedule in dict.fromkeys(zip(*labels.tolist(), strict=True)):
            rows = np.equal(labels.T, [name, noise, schedule]).all(axis=1)
            count = settings["dependent_replicates" if noise in DEPENDENT else "replicates"]
            found.append(Run(name, noise, schedule, functions[name], excess(functions[name], settings["start"]),
                             settings["start"], count, {key: table[key][rows] for key in table if key not in LABELS}))
    return found


def chosen(runs: Iterable[Run], schedule: str, noises: Iterable[str] = ("rademacher", "gaussian"),
           names: Iterable[str] = ("line", "quadratic", "stretched", "logarithm")) -> list[Run]:
    """The runs with this schedule whose noise and objective are among those given."""
    noises, names = tuple(noises), tuple(names)
    return [run for run in runs if run.schedule == schedule and run.noise in noises and run.name in names]


def reaching_step(run: Run, target: float) -> int | None:
    """The first t at which the upper end of the 95% interval of E‖∇f(w_t)‖ is at most `target`; None if none is."""
    reached = run.rows["norm"] + 1.96 * run.rows["norm_error"] <= target
    return int(run.steps[np.argmax(reached)]) if reached.any() else None
