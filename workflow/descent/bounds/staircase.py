"""Checks on the staircase of deep linear networks (saddle to saddle)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.bounds.end_to_end import first_order
from descent.claims import Outcome
from descent.dynamics.staircase import crossing_times, leading_delay, mode_flow, sigmoid
from descent.networks.linear_network import Layers, layer_gradients, product

# Of states integrated in two ways: DOP853 at a relative tolerance of 1e-11 a step, values between its steps included.
INTEGRATED = 1e-7

Run = Mapping[str, np.ndarray]


def runs_of(paths: Mapping[str, Any], start: str, depth: int) -> list[list[Run]]:
    """Runs of one `start` and `depth`: for each replicate one for each scale, scales falling."""
    chosen = (np.array(paths["start"]) == start) & (paths["depth"] == depth)
    found = []
    for replicate in np.unique(paths["replicate"][chosen]):
        mine = chosen & (paths["replicate"] == replicate)
        rows = [mine & (paths["scale"] == scale) for scale in np.unique(paths["scale"][mine])[::-1]]
        found.append([{name: np.array(column)[some] for name, column in paths.items()} for some in rows])
    return found


def escapes(paths: Mapping[str, Any], start: str, depth: int, values: Sequence[float]) -> np.ndarray:
    """Times at which modes pass s*/2: shape (replicates, scales, modes), scales falling."""
    return np.array([[crossing_times(run["flow_time"], run["modes"], values) for run in runs]
                     for runs in runs_of(paths, start, depth)])


def sigmoids(runs: Sequence[Run], values: Sequence[float], rate: float = 2.0) -> Outcome:
    """N = 2: modes of aligned runs are `sigmoid`s with the exponent `rate` s* t; observed: largest error over s*."""
    worst = max(float(np.abs((run["modes"] - sigmoid(run["flow_time"], run["scale"][0] ** 2, values, rate))
                             / values).max()) for run in runs)
    return Outcome(worst, INTEGRATED, len(runs) * len(values), worst <= INTEGRATED)


def scalar_modes(runs: Sequence[Run], values: Sequence[float], less: float = 0.0) -> Outcome:
    """Modes of aligned runs obey ṡ = (N − `less`) s^{2 − 2/N} (s* − s); observed: largest error over s*."""
    worst = 0.0
    for run in runs:
        depth = int(run["depth"][0])
        expected = mode_flow(run["flow_time"], run["scale"][0] ** depth, values, depth, depth - less)
        worst = max(worst, float(np.abs((run["modes"] - expected) / values).max()))
    return Outcome(worst, INTEGRATED, len(runs) * len(values), worst <= INTEGRATED)


def delays(tables: Mapping[int, np.ndarray], scales: Mapping[int, Sequence[float]], values: Sequence[float],
           within: float, off: int = 0) -> Outcome:
    """Delay between the two smallest scales over `leading_delay` (of depth N + `off`) is 1 ± `within`; observed: worst.

    `tables`: escape times (replicates, scales, modes) by depth.
    """
    ratios = []
    for depth, times in tables.items():
        expected = [leading_delay(depth + off, *scales[depth][-2:], value) for value in values]
        ratios.append(((times[:, -1] - times[:, -2]) / expected).ravel())
    worst = max((float(ratio) for ratio in np.concatenate(ratios)), key=lambda ratio: abs(ratio - 1))
    return Outcome(worst, 1.0, sum(map(len, ratios)), abs(worst - 1) <= within)


def escape_exponents(times: np.ndarray, scales: Sequence[float]) -> np.ndarray:
    """p of T = A a^{−p} + B from every three successive scales of one ratio: (replicates, scales − 2, modes).

    p = ln(ΔT_{k+1}/ΔT_k) / ln(ratio): the constant B cancels, and ln(1/a) counts as p = 0.
    """
    later = np.diff(times, axis=1)
    return np.log(later[:, 1:] / later[:, :-1]) / np.log(scales[0] / scales[1])


def exponents(tables: Mapping[int, np.ndarray], scales: Mapping[int, Sequence[float]], within: float,
              less: float = 2.0) -> Outcome:
    """The last `escape_exponents` are N − `less` ± `within` in every run; observed: the largest difference."""
    off = [np.abs(escape_exponents(times, scales[depth])[:, -1] - (depth - less)).ravel()
           for depth, times in tables.items()]
    worst = float(np.concatenate(off).max())
    return Outcome(worst, within, sum(map(len, off)), worst <= within)


def plateaus(run: Run, values: Sequence[float], apart: float = 1.5) -> list[tuple[float, int]]:
    """Losses where ln L falls most slowly between two successive escapes, with the number of modes learnt.

    Only where the later escape is at least `apart` times as late: with less there is no plateau.
    """
    times = np.sort(crossing_times(run["flow_time"], run["modes"], values))
    speeds, found = np.abs(np.gradient(np.log(run["loss"]), run["flow_time"])), []
    for learnt, (before, after) in enumerate(zip(times, times[1:]), start=1):
        between = (run["flow_time"] > before) & (run["flow_time"] < after)
        if after >= apart * before and between.any():
            found.append((float(run["loss"][between][speeds[between].argmin()]), learnt))
    return found


def unlearnt_losses(run: Run, values: Sequence[float], late: int = 0) -> list[float]:
    """½ Σ s*² over the modes still to come on each of the `plateaus`; `late` of those learnt count as to come."""
    order = np.argsort(crossing_times(run["flow_time"], run["modes"], values))
    squares = np.asarray(values, float)[order] ** 2
    return [0.5 * float(squares[max(learnt - late, 0):].sum()) for _, learnt in plateaus(run, values)]


def plateau_levels(runs: Sequence[Run], values: Sequence[float], within: float, late: int = 0) -> Outcome:
    """The loss on every plateau is `unlearnt_losses` to a share of `within`; observed: the largest share."""
    shares = [abs(loss / expected - 1) for run in runs
              for (loss, _), expected in zip(plateaus(run, values), unlearnt_losses(run, values, late))]
    return Outcome(max(shares), within, len(shares), max(shares) <= within)


def descent_distances(layers: Layers, target: np.ndarray, expected: np.ndarray, U: np.ndarray, V: np.ndarray,
                      times: np.ndarray, steps: Sequence[int]) -> np.ndarray:
    """sup_t |u_iᵀ W v_i − `expected`| of gradient descent with `steps` steps between two `times`, one for each."""
    found = []
    for between in steps:
        current, worst = [layer.copy() for layer in layers], 0.0
        eta = (times[1] - times[0]) / between
        for row in expected[1:]:
            for _ in range(between):
                gradients = layer_gradients(current, product(current) - target)
                current = [layer - eta * gradient for layer, gradient in zip(current, gradients)]
            modes = np.sum(U * (product(current) @ V), axis=0)
            worst = max(worst, float(np.abs(modes - row).max()))
        found.append(worst)
    return np.array(found)


def descent_order(layers: Layers, values: Sequence[float], U: np.ndarray, V: np.ndarray, times: np.ndarray,
                  steps: Sequence[int], within: float, rate: float = 2.0) -> Outcome:
    """N = 2: gradient descent comes within O(η) of the sigmoids with exponent `rate` s* t: slope 1 ± `within`."""
    start = np.sum(U * (product(layers) @ V), axis=0)
    expected = sigmoid(times, start, values, rate)
    return first_order([descent_distances(layers, (U * values) @ V.T, expected, U, V, times, steps)], within)


def effective_deviations(runs: Sequence[Sequence[Run]], starts: np.ndarray, values: Sequence[float]) -> np.ndarray:
    """sup_t |u_iᵀ W v_i − sigmoid| / s*, largest over modes: (replicates, scales).

    `starts` (replicates, scales, modes) of the sigmoids.
    """
    return np.array([[np.abs((run["modes"] - sigmoid(run["flow_time"], start, values)) / values).max()
                      for run, start in zip(some, mine)] for some, mine in zip(runs, starts)])


def effective_sigmoids(runs: Sequence[Sequence[Run]], starts: np.ndarray, values: Sequence[float],
                       within: float) -> Outcome:
    """At the smallest scale `effective_deviations` are at most `within` in every run, and less than at the largest."""
    found = effective_deviations(runs, starts, values)
    worst = float(found[:, -1].max())
    return Outcome(worst, within, len(found), bool(worst <= within and np.all(found[:, -1] < found[:, 0])))
