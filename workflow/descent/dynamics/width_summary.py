"""Numbers about networks of many widths beside the kernel, for the report's prose, tables and figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.dynamics.kernel_dynamics import KernelDynamics
from descent.dynamics.width_checks import power_law, step_changes, step_exponents
from descent.kernels.neural_tangent_kernel import h_infinity

Table = Mapping[str, np.ndarray]
QUANTITIES = ("deviation", "distance", "drift", "movement", "movement_rms", "flipped", "doubled_deviation")
STARTS = {"theorem": "independent", "antisymmetric": "antisymmetric"}
SETS = {"synthetic_regression": "synthetic", "diabetes": "diabetes"}


def at_horizon(table: Table, time: float | None = None) -> dict[str, np.ndarray]:
    """The rows at one flow time, the last when `time` is None; raises ValueError when there are none."""
    chosen = np.isclose(table["flow_time"], table["flow_time"].max() if time is None else time, rtol=1e-6)
    if not chosen.any():
        raise ValueError(f"nothing was measured at flow time {time}")
    return {name: values[chosen] for name, values in table.items()}


def series(table: Table, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Widths and one column, an entry for each width and replicate."""
    return table["width"], table[column]


def all_steps(whole: Table, halved: Table, time: float) -> dict[str, np.ndarray]:
    """The rows at one flow time for the full step and its parts, of the widths and replicates that have all of them.

    Ordered by step size, width and replicate.
    """
    main, parts = at_horizon(whole, time), at_horizon(halved, time)
    shared = np.isin(main["width"], parts["width"]) & np.isin(main["replicate"], parts["replicate"])
    rows = {name: np.concatenate([main[name][shared], parts[name]]) for name in parts}
    order = np.lexsort((rows["replicate"], rows["width"], rows["step_size"]))
    return {name: values[order] for name, values in rows.items()}


def run_names(name: str) -> dict[str, str]:
    """What a series' name `DATA_START` says, in words for tables."""
    data, start = name.rsplit("_", 1)
    return {"data": SETS[data], "start": STARTS[start]}


def geometric_mean(values: np.ndarray) -> float:
    """exp of the mean logarithm."""
    return float(np.exp(np.mean(np.log(values))))


def law_row(table: Table) -> dict[str, Any]:
    """For every quantity the fitted exponent with its interval, that of the wider half, and means at both ends.

    Keys `QUANTITY`, `_low`, `_high`, `_upper`, `_upper_low`, `_upper_high`, `_first`, `_last`: geometric means over
    the replicates at the least and the greatest width; `error_ratio_*`: of ‖u − y‖ over that of the kernel dynamics.
    """
    widths = np.unique(table["width"])
    wide = table["width"] >= widths[len(widths) // 2]
    ratios = table["error"] / table["kernel_error"]
    row: dict[str, Any] = {"narrowest": int(widths[0]), "widest": int(widths[-1]),
                           "error_ratio_first": geometric_mean(ratios[table["width"] == widths[0]]),
                           "error_ratio_last": geometric_mean(ratios[table["width"] == widths[-1]])}
    for name in QUANTITIES:
        law, upper = (power_law(table["width"][rows], table[name][rows]) for rows in (table["width"] > 0, wide))
        ends = (geometric_mean(table[name][table["width"] == width]) for width in widths[[0, -1]])
        keys = ("", "_low", "_high", "_upper", "_upper_low", "_upper_high", "_first", "_last")
        found = (law.exponent, law.low, law.high, upper.exponent, upper.low, upper.high, *ends)
        row |= {name + key: value for key, value in zip(keys, found, strict=True)}
    return row


def step_row(table: Table) -> dict[str, Any]:
    """Exponents at η, η/2, η/4 against the kernel's steps and against its flow, and changes of the deviation."""
    names, row = ("full", "half", "quarter"), {}
    for key, column in (("steps", "deviation"), ("flow", "flow_deviation")):
        row |= {f"{key}_{name}": value for name, value in zip(names, step_exponents(table, column), strict=True)}
        changes = step_changes(table, column)
        row |= {f"{key}_change_{name}": value for name, value in zip(names, changes, strict=False)}
    return row


def set_row(inputs: np.ndarray, targets: np.ndarray, eta: float, horizon: float, short: float) -> dict[str, Any]:
    """A data set for the reader: its kernel's spectrum, the step over 2/λ_max, and how far the horizons reach.

    `left_*`: squared error over its first value that the kernel dynamics leave at a horizon, from u(0) = 0;
    `linear`: what least squares in the coordinates leave; `modes_*`: share of the modes with λ t > 1.
    """
    kernel = KernelDynamics(h_infinity(inputs), targets)
    times = np.array([short, horizon])
    factors = kernel.descent_factors(eta, np.round(times / eta).astype(int))
    left = kernel.squared_errors(np.zeros(len(targets)), factors) / np.sum(targets**2)
    fitted = inputs @ np.linalg.lstsq(inputs, targets, rcond=None)[0]
    row = {"n": len(inputs), "d": inputs.shape[1], "lambda_min": kernel.eigenvalues[0],
           "lambda_median": np.median(kernel.eigenvalues), "lambda_max": kernel.eigenvalues[-1],
           "step_fraction": eta * kernel.eigenvalues[-1] / 2, "left_short": left[0], "left": left[1],
           "linear": np.sum((targets - fitted) ** 2) / np.sum(targets**2),
           "modes_short": np.mean(kernel.eigenvalues * short > 1), "modes": np.mean(kernel.eigenvalues * horizon > 1)}
    return {name: value if isinstance(value, int) else float(value) for name, value in row.items()}


def findings(numbers: Mapping[str, Any], short: float, horizon: float) -> list[str]:
    """The answer to the assignment's question in two sentences, for independent units."""
    laws = [row for row in numbers["laws"] if row["start"] == STARTS["theorem"]]
    early, late = ([row for row in laws if row["time"] == time] for time in (short, horizon))
    return [answer(late, horizon), exponents(early, late, short, horizon)]


def answer(laws: list[Mapping[str, Any]], horizon: float) -> str:
    """The sentence that says whether the match is closer at larger width, from rows of `law_row`."""
    closer = all(row["deviation_high"] < 0 for row in laws)
    falls = " and ".join(f"from {100 * row['deviation_first']:.3g}% to {100 * row['deviation_last']:.2g}% on the "
                         f"{row['data']} set" for row in laws)
    return (f"Is there a closer match with larger width? {'Yes' if closer else 'Not on every data set'}: from "
            f"{laws[0]['narrowest']:,} to {laws[0]['widest']:,} hidden units the largest distance between network and "
            f"kernel dynamics up to $t = {horizon:g}$, relative to $\\|u(0) - y\\|$, {'falls' if closer else 'goes'} "
            f"{falls}.")


def exponents(early: list[Mapping[str, Any]], late: list[Mapping[str, Any]], short: float, horizon: float) -> str:
    """The sentence with the fitted exponents and their 95% intervals, from rows of `law_row`."""
    def fitted(laws: list[Mapping[str, Any]]) -> str:
        return " and ".join(f"${row['deviation']:.2f}$ (${row['deviation_low']:.2f}$ to "
                            f"${row['deviation_high']:.2f}$) on the {row['data']} set" for row in laws)

    return (f"The fitted exponent of the width, for which theory says $-\\frac12$, is {fitted(early)} up to "
            f"$t = {short:g}$, {fitted(late)} up to $t = {horizon:g}$ (95% intervals in brackets).")
