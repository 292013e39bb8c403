"""What the ledger checks about implicit convolutions and Huber descent (snu.5): each function one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.claims import Outcome
from descent.dynamics.huber_descent import HuberProblem, certified_distance, descend, minimizer
from descent.networks.convolution import Convolution1d

# Of ratios of norms that are computed in floating point, relative.
ROUNDING = 1e-8
Table = Mapping[str, np.ndarray]


def _operator(kernel: np.ndarray, size: int, flipped: bool) -> Convolution1d:
    return Convolution1d(kernel[::-1] if flipped else kernel, size)


def products_agree(cases: Sequence[Mapping[str, Any]], flipped: bool) -> Outcome:
    """A @ x and A.T @ y equal the products of the dense matrix in every entry, for numbers that are not rounded.

    `cases`: kernel (r,), dense matrix (m, n), x (n, p), y (m, p). Observed: entries that differ. `flipped` turns the
    operator's kernel round (as a control: convolution in the sense of mathematics).
    """
    unequal = total = 0
    for case in cases:
        a, dense = _operator(case["kernel"], case["dense"].shape[1], flipped), case["dense"]
        for found, right in ((a @ case["x"], dense @ case["x"]), (a.T @ case["y"], dense.T @ case["y"])):
            unequal, total = unequal + int(np.sum(found != right)), total + right.size
    return Outcome(unequal, 0, total, unequal == 0)


def adjoint_is_exact(cases: Sequence[Mapping[str, Any]], flipped: bool) -> Outcome:
    """<Ax, y> = <x, Aᵀy> in integers; `cases`: kernel, x (n,), y (m,). `flipped`: Aᵀ has its kernel turned round."""
    differences = []
    for case in cases:
        forward = Convolution1d(case["kernel"], len(case["x"])) @ case["x"]
        backward = _operator(case["kernel"], len(case["x"]), flipped).T @ case["y"]
        differences.append(abs(int(forward @ case["y"]) - int(case["x"] @ backward)))
    return Outcome(max(differences), 0, len(cases), max(differences) == 0)


def same_descent(problem: HuberProblem, step: float, iterations: int, flipped: bool) -> Outcome:
    """The document's line takes the operator where it took the matrix, with the same iterates to rounding.

    Observed: the largest difference of the two over the largest entry of the matrix's, over all iterations.
    """
    found: list[list[np.ndarray]] = [[], []]
    for a, kept in zip((_operator(problem.kernel, problem.size, flipped), problem.dense), found):
        descend(a, problem.targets, problem.ridge, step, np.zeros(problem.size), iterations,
                lambda k, x, kept=kept: kept.append(x))
    difference = float(np.max(np.abs(np.subtract(*found))) / np.max(np.abs(found[1])))
    return Outcome(difference, 1e-13, iterations, difference <= 1e-13)


def rounding_of_sums(kernel: np.ndarray, x: np.ndarray, roundoff: float) -> Outcome:
    """A @ x in single precision has errors of at most γ_r (|A||x|)_i, γ_r = r u/(1 − r u), with `roundoff` u.

    `kernel` and `x` are in single precision; the reference is the same product in double. Observed: largest error
    over bound.
    """
    n, gamma = len(x), len(kernel) * roundoff / (1 - len(kernel) * roundoff)
    found, exact = Convolution1d(kernel, n) @ x, Convolution1d(kernel.astype(float), n) @ x.astype(float)
    bounds = gamma * (Convolution1d(np.abs(kernel).astype(float), n) @ np.abs(x).astype(float))
    worst = float(np.max(np.abs(found - exact) / bounds))
    return Outcome(worst, 1.0, len(found), found.dtype == np.float32 and worst <= 1)


def minimizer_is_certified(problems: Sequence[HuberProblem], flipped: bool) -> Outcome:
    """‖x − x*‖ ≤ 1e-12 ‖x*‖ for the minimizers found by Newton's method, the bound in rational numbers.

    `flipped`: x is the minimizer for the kernel turned round. Observed: largest ‖∇(x)‖ / (λ‖x‖).
    """
    worst = 0.0
    for problem in problems:
        kernel = problem.kernel[::-1] if flipped else problem.kernel
        x = minimizer(HuberProblem(kernel, problem.targets, problem.ridge))
        worst = max(worst, certified_distance(problem, x) / float(np.linalg.norm(x)))
    return Outcome(worst, 1e-12, len(problems), worst <= 1e-12)


def ends(table: Table) -> dict[str, np.ndarray]:
    """The last record of every descent."""
    last = table["iteration"] == table["iteration"].max()
    return {name: np.asarray(values)[last] for name, values in table.items()}


def _rate(rows: Table, least: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(1 - rows["step"] * least), np.abs(1 - rows["step"] * rows["smoothness"]))


def contracts(table: Table, curvature: str) -> Outcome:
    """‖x_{k+1} − x*‖ ≤ max(|1 − αλ|, |1 − αL|) ‖x_k − x*‖ in every descent with α < 2/L.

    `curvature`: the column that stands for λ. Observed: largest ratio of both sides.
    """
    rows = ends(table)
    stable = rows["step"] * rows["smoothness"] < 2
    worst = float(np.max((rows["slowest"] / _rate(rows, rows[curvature]))[stable]))
    return Outcome(worst, 1 + ROUNDING, int(stable.sum()), worst <= 1 + ROUNDING)


def expands(table: Table, curvature: str) -> Outcome:
    """‖x_{k+1} − x*‖ ≥ (αλ − 1) ‖x_k − x*‖ in every descent with α > 2/λ; observed: largest (αλ − 1)/ratio."""
    rows = ends(table)
    beyond = rows["step"] * rows["ridge"] > 2
    worst = float(np.max(((rows["step"] * rows[curvature] - 1) / rows["fastest"])[beyond]))
    return Outcome(worst, 1 + ROUNDING, int(beyond.sum()), worst <= 1 + ROUNDING)


def stays_bounded(table: Table, power: float) -> Outcome:
    """‖x_k‖ ≤ α‖A‖ m^power / (1 − |1 − αλ|), power 1/2, in every descent from 0 with α < 2/λ; observed: worst ratio."""
    rows = ends(table)
    inside = rows["step"] * rows["ridge"] < 2
    rows = {name: values[inside] for name, values in rows.items()}
    scale = rows["step"] * rows["norm"] * rows["rows"] ** power
    worst = float(np.max(rows["peak"] * (1 - np.abs(1 - rows["step"] * rows["ridge"])) / scale))
    return Outcome(worst, 1 + ROUNDING, int(inside.sum()), worst <= 1 + ROUNDING)


def kernel_direction_decays(problems: Sequence[tuple[HuberProblem, float]], step: float, iterations: int,
                            curvatures: Sequence[float]) -> Outcome:
    """From x* + v with Av = 0 the distance to x* shrinks by exactly 1 − αc in every step, c the entry of `curvatures`.

    `problems`: (problem, ‖v‖). Observed: largest relative error of the factor over all iterations.
    """
    worst = 0.0
    for (problem, length), curvature in zip(problems, curvatures):
        optimum, null = minimizer(problem), np.linalg.svd(problem.dense)[2][-1]
        distances: list[float] = []
        descend(problem.operator, problem.targets, problem.ridge, step, optimum + length * null, iterations,
                lambda k, x, optimum=optimum, kept=distances: kept.append(float(np.linalg.norm(x - optimum))))
        factors = np.divide(distances[1:], distances[:-1])
        worst = max(worst, float(np.max(np.abs(factors / (1 - step * curvature) - 1))))
    return Outcome(worst, ROUNDING, len(problems) * iterations, worst <= ROUNDING)


def late_rate(table: Table, curvature: str) -> Outcome:
    """With α = 1/L on the document's problem the distance falls by 1 − αc a step in the end: ln within 2%.

    c is the column `curvature`. Measured between the first record below 1e-3 ‖x*‖ and the last above 1e-10 ‖x*‖.
    """
    chosen = (np.asarray(table["name"]) == "half") & (np.asarray(table["case"]) == "document")
    rows = {name: np.asarray(values)[chosen & (table["replicate"] == 0)] for name, values in table.items()}
    relative = rows["distance"] / rows["optimum"]
    late = np.flatnonzero((relative < 1e-3) & (relative > 1e-10))[[0, -1]]
    measured = np.diff(np.log(relative[late]))[0] / np.diff(rows["iteration"][late])[0]
    error = abs(float(measured / np.log(1 - rows["step"][0] * rows[curvature][0])) - 1)
    return Outcome(error, 0.02, int(np.diff(rows["iteration"][late])[0]), error <= 0.02)


def late_gaps(table: Table, case: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest gap over the last records, over the gap at the start, of each replicate's step `name`.

    Steps of the kind "between" count where some residual ends in the tails and L* is less than L by 0.1%.
    """
    from descent.bounds.implicit_convolution import LATE

    names, cases = np.asarray(table["name"]), np.asarray(table["case"])
    chosen = (names == name) & (cases == case) & (table["iteration"] >= table["iteration"].max() - LATE)
    if name == "between":
        chosen &= table["local"] < 0.999 * table["smoothness"]
    gaps = (table["gap"] / table["start"])[chosen].reshape(-1, LATE + 1)
    return gaps.min(axis=1), gaps.max(axis=1)


def settles(table: Table, case: str, names: Sequence[str], level: float = 1e-10) -> Outcome:
    """The descents `names` of all replicates end with a gap of at most `level` times that at the start."""
    gaps = np.concatenate([late_gaps(table, case, name)[1] for name in names])
    worst = float(gaps.max(initial=0.0))
    return Outcome(worst, level, len(gaps), worst <= level)


def does_not_settle(table: Table, case: str, name: str, level: float = 1e-6) -> Outcome:
    """The descents `name` of all replicates keep a gap above `level` times that at the start until the end."""
    gaps = late_gaps(table, case, name)[0]
    return Outcome(float(gaps.min()), level, len(gaps), bool(gaps.min() > level))


def reached(table: Table, step: float, iteration: int, level: float = 1e-12) -> Outcome:
    """Descent on the document's problem with its step has a gap of at most `level` at `iteration`, over the start's."""
    rows = (np.asarray(table["case"]) == "document") & (table["replicate"] == 0) & (table["step"] == step)
    at = rows & (table["iteration"] == iteration)
    gap = float((table["gap"] / table["start"])[at][0])
    return Outcome(gap, level, 1, gap <= level)


def norm_is_bounded(rows: Sequence[Mapping[str, float]], lower: str, upper: str) -> Outcome:
    """All singular values of every A lie between the columns `lower` and `upper`; observed: the worst excess."""
    excess = max(max(row["greatest"] / row[upper], row[lower] / row["least"]) for row in rows)
    return Outcome(excess, 1 + ROUNDING, len(rows), excess <= 1 + ROUNDING)


def gap_of_norm(sizes: Sequence[int], gaps: Sequence[float], exponent: float) -> Outcome:
    """The log-log slope of max |k̂| − ‖A‖ against n is within 0.1 of `exponent`."""
    distance = abs(float(np.polyfit(np.log(sizes), np.log(gaps), 1)[0]) - exponent)
    return Outcome(distance, 0.1, len(sizes), distance <= 0.1)


def gradients_contract(table: Table, ridge: float, smoothness: float) -> Outcome:
    """‖∇(x_{k+1})‖ ≤ max(|1 − αλ|, |1 − αL|) ‖∇(x_k)‖ at large n, while the gradient exceeds 1e-6 of the first."""
    counted = (table["iteration"] > 0) & (table["gradient"] > 1e-6 * table["gradient"].max())
    rate = np.maximum(np.abs(1 - table["step"] * ridge), np.abs(1 - table["step"] * smoothness))
    worst = float(np.max((table["contraction"] / rate)[counted]))
    return Outcome(worst, 1 + ROUNDING, int(counted.sum()), worst <= 1 + ROUNDING)


def certified_end(table: Table, run: str, level: float) -> Outcome:
    """The last iterate of `run` is within `level` ‖x*‖ of the minimizer, by the norm of its gradient."""
    found = float(table["certified"][np.asarray(table["run"]) == run][-1])
    return Outcome(found, level, 1, found <= level)
