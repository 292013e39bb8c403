"""Quantities and checks of the landscape study (tau.2.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from descent.claims import Outcome
from descent.curvature.linear_hessian import extreme_eigenvalues
from descent.dynamics import aligned
from descent.dynamics.end_to_end import scalar_velocity
from descent.dynamics.flow import flow
from descent.dynamics.linear_descent import LinearDescent, Moments
from descent.dynamics.linear_training import excess, layer_stacks
from descent.networks.linear_network import Layers, product

Label = tuple[str, int, float, int]
LABELS = ("start", "depth", "scale", "replicate")
# Eigenvalues by two ways, relative to the largest: those of the network come from some hundred rounded operations.
ROUNDING = 1e-11


def joined(metrics: Mapping[str, Any], spectrum: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics and spectrum of the same kept steps as one table; raises ValueError where their rows differ."""
    if not all(np.array_equal(metrics[name], spectrum[name]) for name in (*LABELS, "step")):
        raise ValueError("metrics and spectrum are not of the same kept steps")
    return {**metrics, "lambda_min": spectrum["lambda_min"], "lambda_max": spectrum["lambda_max"]}


def separate_runs(table: Mapping[str, Any]) -> list[tuple[Label, dict[str, Any]]]:
    """The runs of a table with their labels (start, depth, scale, replicate), in the order of its rows."""
    columns = {name: np.array(column) for name, column in table.items()}
    begins = np.flatnonzero(columns["step"] == 0)
    runs = []
    for begin, end in zip(begins, [*begins[1:], len(columns["step"])]):
        run = {name: column[begin:end] for name, column in columns.items()}
        start, depth, scale, replicate = (run[name][0].item() for name in LABELS)
        runs.append(((start, depth, scale, replicate), run))
    return runs


def fall_time(run: Mapping[str, Any], level: float) -> float:
    """Flow time at which the loss of a run falls through `level`, by monotone interpolation; NaN when it never does."""
    after = int(np.argmax(run["loss"] <= level))
    if run["loss"][after] > level:
        return float("nan")
    if after == 0:
        return 0.0
    near = slice(max(after - 2, 0), after + 2)
    falling, first = np.unique(-run["loss"][near], return_index=True)
    return float(PchipInterpolator(falling, run["flow_time"][near][first])(-level))


def run_row(run: Mapping[str, Any], moments: Moments, depth: int) -> dict[str, float]:
    """What the study says about one run.

    The escape ends where the loss passes `aligned.escape_loss`; the saddle where it has lost 1% of what it can lose.
    """
    least, predicted = int(run["lambda_min"].argmin()), aligned.least_curvature(moments, depth)[0]
    saddle = moments.constant - moments.loss(moments.least_squares())
    return {
        "eta": run["eta"][0], "steps": int(run["step"][-1]), "end_time": run["flow_time"][-1],
        "escape_time": fall_time(run, aligned.escape_loss(moments)),
        "saddle_time": fall_time(run, moments.constant - 0.01 * saddle),
        "start_lambda_min": run["lambda_min"][0], "least_lambda_min": run["lambda_min"][least],
        "least_time": run["flow_time"][least], "predicted_least": predicted,
        "end_lambda_min": run["lambda_min"][-1], "end_lambda_max": run["lambda_max"][-1],
        "greatest_lambda_max": run["lambda_max"].max(), "end_gradient": run["gradient_norm"][-1],
        "end_loss": run["loss"][-1], "saddle_loss": moments.constant, "end_excess": run["excess"][-1] / saddle,
    }


def prediction(run: Mapping[str, Any], layers: Layers, moments: Moments, depth: int, scale: float) -> float:
    """Escape time: `aligned.linear_escape` for N = 2, `aligned.saddle_time` from balanced layers of more.

    For Gaussian layers, N ≥ 3, that of aligned layers of norm `scale`, of which only the exponent is expected.
    """
    slope = float(np.linalg.norm(moments.q))
    if depth == 2:
        unstable = aligned.unstable_product(layers[0], layers[1], moments)
        return aligned.linear_escape(unstable, run["lambda_min"][0], moments)
    w = product(layers)[0]
    angle = float(np.arccos(np.clip(w @ moments.q / np.linalg.norm(w) / slope, -1, 1)))
    return aligned.saddle_time(scale, 0.0 if run["start"][0] == "gaussian" else angle, slope, depth)


def end_to_end_paths(run: Mapping[str, Any], moments: Moments, depth: int) -> dict[str, np.ndarray]:
    """Distances of a run to the flow of tau.3.3, over ‖w*‖, until the excess loss is 1e-3 of that of w = 0.

    Columns `distance`, `wrong` (to the flow with N for N − 1), and both excess losses over that of w = 0.
    """
    answer = moments.least_squares()
    saddle = float(excess(np.zeros_like(answer), answer, moments))
    kept = run["excess"] >= 1e-3 * saddle
    times, weights = run["flow_time"][kept], run["weights"][kept]
    paths = [flow(lambda w, radial=radial: scalar_velocity(w, moments.gradient(w), depth, radial), weights[0], times)
             for radial in (depth - 1, depth)]
    distances = [np.linalg.norm(weights - path, axis=1) / np.linalg.norm(answer) for path in paths]
    return {"flow_time": times, "distance": distances[0], "wrong": distances[1],
            "network_excess": run["excess"][kept] / saddle, "flow_excess": excess(paths[0], answer, moments) / saddle}


def chosen(runs: Mapping[str, Any], **values) -> np.ndarray:
    """Which rows of a table of runs have all these values; a tuple allows each of its members."""
    rows = np.ones(len(runs["scale"]), bool)
    for name, value in values.items():
        rows &= np.isin(np.array(runs[name]), list(value) if isinstance(value, tuple) else [value])
    return rows


def aligned_spectrum(runs: Sequence[tuple[Label, Mapping[str, Any]]], target: float, more: float = 0.0) -> Outcome:
    """Whether both extremes of every kept step are `aligned.aligned_extremes`; `more` is added to its N − 1.

    Observed: the largest difference over the largest eigenvalue of the run.
    """
    worst, cases = 0.0, 0
    for (_, depth, _, _), run in runs:
        products = np.linalg.norm(run["weights"], axis=1)
        expected = aligned.aligned_extremes(products, target, depth, depth - 1 + more)
        for name, values in zip(("lambda_min", "lambda_max"), expected):
            worst = max(worst, float(np.abs(run[name] - values).max() / run["lambda_max"].max()))
            cases += len(values)
    return Outcome(worst, ROUNDING, cases, worst <= ROUNDING)


def half_times(runs: Mapping[str, Any], target: float, within: float, power: float = 0.0) -> Outcome:
    """Whether aligned runs escape after `aligned.aligned_time` with exponent 2 − (2 − power)/N, up to a part `within`.

    Observed: the largest relative difference.
    """
    rows = np.flatnonzero(chosen(runs, start="aligned"))
    worst = 0.0
    for row in rows:
        depth = int(runs["depth"][row])
        time = aligned.aligned_time(runs["scale"][row] ** depth, target / 2, target, depth, 2 - (2 - power) / depth)
        worst = max(worst, abs(runs["escape_time"][row] / time - 1))
    return Outcome(float(worst), within, len(rows), bool(worst <= within))


def follows_end_to_end(reference: Mapping[str, Any], within: float, column: str = "distance") -> Outcome:
    """Whether no network is further than `within` ‖w*‖ from tau.3.3's flow, or from that of another `column`."""
    worst = float(reference[column].max())
    return Outcome(worst, within, len(reference[column]), worst <= within)


def escape_within(runs: Mapping[str, Any], depths: Sequence[int], starts: Sequence[str], within: float,
                  factors: Mapping[int, float] | None = None) -> Outcome:
    """Whether runs from the smallest scale escape at the predicted time, up to a part `within`.

    `factors` multiply the predictions of the depths that they name. Observed: the largest relative difference.
    """
    rows = chosen(runs, depth=tuple(depths), start=tuple(starts), scale=runs["scale"].min())
    factor = np.array([(factors or {}).get(int(depth), 1.0) for depth in runs["depth"][rows]])
    apart = np.abs(runs["escape_time"][rows] / (factor * runs["predicted"][rows]) - 1)
    return Outcome(float(apart.max()), within, len(apart), bool(apart.max() <= within))


def exponents(runs: Mapping[str, Any], **values) -> np.ndarray:
    """log₂ (T_{a/4} − T_{a/2}) / (T_{a/2} − T_a) at the three smallest scales, one for each matching series of runs.

    T = C a^{−p} + c has the exponent p, and T = C ln(1/a) + c has 0, whatever the time c that follows the saddle.
    """
    rows = np.flatnonzero(chosen(runs, **values))
    order = rows[np.lexsort((-runs["scale"][rows], runs["replicate"][rows], runs["depth"][rows],
                             np.array(runs["start"])[rows], np.array(runs["data"])[rows]))]
    times = runs["escape_time"][order].reshape(-1, len(np.unique(runs["scale"])))[:, -3:]
    differences = np.diff(times, axis=1)
    return np.log2(differences[:, 1] / differences[:, 0])


def escape_exponents(runs: Mapping[str, Any], within: float, shift: float = 0.0) -> Outcome:
    """Whether every series of runs has `exponents` N − 2 + `shift`, up to `within`; observed: the largest error."""
    apart = np.concatenate([np.abs(exponents(runs, depth=int(depth)) - (depth - 2 + shift))
                            for depth in np.unique(runs["depth"])])
    return Outcome(float(apart.max()), within, len(apart), bool(apart.max() <= within))


def least_squares_loss(x: np.ndarray, y: np.ndarray) -> float:
    """The least ½ mean (⟨w, x⟩ − y)², from the rows themselves."""
    return float(0.5 * np.mean((x @ np.linalg.lstsq(x, y, rcond=None)[0] - y) ** 2))


def reaches(runs: Mapping[str, Any], losses: Mapping[str, float], within: float) -> Outcome:
    """Whether every run ends at the loss of its data set in `losses`, up to a part `within` of the loss at w = 0."""
    expected = np.array([losses[name] for name in runs["data"]])
    apart = np.abs(runs["end_loss"] - expected) / runs["saddle_loss"]
    return Outcome(float(apart.max()), within, len(apart), bool(apart.max() <= within))


def least_curvatures(runs: Mapping[str, Any], within: float, column: str = "least_lambda_min") -> Outcome:
    """Whether `column` is the least curvature of aligned layers up to a part `within`, at the two smallest scales."""
    rows = runs["scale"] <= np.unique(runs["scale"])[1]
    apart = np.abs(runs[column][rows] / runs["predicted_least"][rows] - 1)
    return Outcome(float(apart.max()), within, int(rows.sum()), bool(apart.max() <= within))


def end_sharpness(runs: Mapping[str, Any], moments: Mapping[str, Moments], within: float, more: float = 0.0) -> Outcome:
    """Whether runs from balanced layers end at `aligned.balanced_sharpness`; `more` is added to its N − 1."""
    rows, worst = np.flatnonzero(chosen(runs, start=("balanced", "aligned"))), 0.0
    for row in rows:
        depth = int(runs["depth"][row])
        expected = aligned.balanced_sharpness(moments[runs["data"][row]], depth, depth - 1 + more)
        worst = max(worst, abs(runs["end_lambda_max"][row] / expected - 1))
    return Outcome(float(worst), within, len(rows), bool(worst <= within))


def minima(trajectory: Mapping[str, Any], scale: float) -> list[list[np.ndarray]]:
    """Layers at the end of every run of replicate 0 from this scale."""
    begins = np.flatnonzero(trajectory["step"] == 0)
    ends = np.array([*begins[1:], len(trajectory["step"])]) - 1
    wanted = (trajectory["scale"][ends] == scale) & (trajectory["replicate"][ends] == 0)
    return [[stack[0] for stack in layer_stacks(trajectory, np.array([end]))] for end in ends[wanted]]


def is_stable(layers: Layers, moments: Moments, eta: float, steps: int = 400) -> bool:
    """Whether gradient descent from a point near a minimum never comes to a hundred times its excess loss there.

    The point: all layers times 1 + 1e-4.
    """
    answer, largest = moments.least_squares(), 0.0
    run = LinearDescent([(1 + 1e-4) * layer for layer in layers], moments, eta)
    start = float(excess(product(run.layers)[0], answer, moments))
    for _ in range(steps):
        run.step()
        now = float(excess(product(run.layers)[0], answer, moments))
        if not now <= 100 * start:
            return False
        largest = now
    return largest < start


def stability_limit(found: Sequence[tuple[Layers, Moments]], limit: float) -> Outcome:
    """Whether minima are stable at 0.95 and unstable at 1.05 times η = `limit` / λ_max; observed: the share that is."""
    right = []
    for layers, moments in found:
        eta = limit / float(extreme_eigenvalues(layers, moments)[1])
        right += [is_stable(layers, moments, 0.95 * eta), not is_stable(layers, moments, 1.05 * eta)]
    share = float(np.mean(right))
    return Outcome(share, 1.0, len(right), share == 1.0)
