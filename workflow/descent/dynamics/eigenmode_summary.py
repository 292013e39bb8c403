"""Numbers about eigenmode-resolved training for the report's prose and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.dynamics.eigenmodes import greatest_deviations, replicate_times, selected
from descent.dynamics.kernel_dynamics import KernelDynamics
from descent.statistics import mean_interval

Table = Mapping[str, np.ndarray]


def mode_values(dynamics: KernelDynamics, targets: Mapping[str, Sequence[np.ndarray]], permuted: np.ndarray,
                flow_time: float) -> dict[str, Any]:
    """Spectrum of H∞, the labels' energy in its top modes, and what the permutation test compared."""
    n, factors = len(dynamics.eigenvalues), dynamics.flow_factors([flow_time])[0] ** 2
    found: dict[str, Any] = {
        "n": n, "lambda_max": float(dynamics.eigenvalues[-1]), "lambda_min": float(dynamics.eigenvalues[0]),
        "top_modes": n // 10, "permuted_mean": float(permuted.mean()), "permuted_least": float(permuted.min()),
        "permutations": len(permuted)}
    for labels, drawn in targets.items():
        energies = np.array([dynamics.energies(y) / (y @ y) for y in drawn])
        found[f"top_share_{labels}"] = float(energies[:, -(n // 10):].sum(axis=1).mean())
        found[f"aligned_error_{labels}"] = float((energies @ factors).mean())
    found["deviations_below"] = float((permuted.mean() - found["aligned_error_true"]) / permuted.std())
    found["p_value"] = float((1 + np.count_nonzero(permuted <= found["aligned_error_true"])) / (1 + len(permuted)))
    return found


def run_values(table: Table, widths: list[int], antisymmetric_width: int, fraction: float) -> dict[str, Any]:
    """Horizon and step, one row for each run, and how the distance from the prediction falls with the width."""
    first = selected(table, replicate=0, start="gaussian", width=widths[0], labels="true")
    eta = float(first["flow_time"][1] / first["step"][1])
    runs = [("gaussian", m, labels) for m in widths for labels in ("true", "random")]
    runs += [("antisymmetric", antisymmetric_width, labels) for labels in ("true", "random", "signs")]
    rows = [{"start": start, "width": m, "labels": labels,
             **_run_row(selected(table, start=start, width=m, labels=labels), fraction)} for start, m, labels in runs]
    found = {"eta": eta, "flow_time": float(first["flow_time"][-1]), "runs": rows, "widths": widths}
    for labels in ("true", "random"):
        found |= {f"{key}_{labels}": value for key, value in _width_law(table, widths, labels).items()}
        wide = next(row for row in rows if row["width"] == widths[-1] and row["labels"] == labels)
        found |= {f"wide_{key}_{labels}": wide[key] for key in ("ratio_end", "time", "time_infinity", "deviation")}
        found |= _early(selected(table, start="gaussian", width=widths[-1], labels=labels), labels)
    found["ratio_end_least"] = min(row["ratio_end"] for row in rows)
    # At the last step: after one step the two are the same number, and after a few they nearly are.
    last = table["step"] == table["step"].max()
    shares = table["deviation_zero"][last] / table["defect_sum"][last]
    return {**found, "defect_share_least": float(shares.min()), "defect_share_greatest": float(shares.max())}


def _early(run: Table, labels: str) -> dict[str, float]:
    """Measured over predicted squared error at the kept step at which the predicted one has first halved."""
    parts = [selected(run, replicate=r) for r in np.unique(run["replicate"])]
    index = int(np.argmax(np.mean([part["infinity"] / part["infinity"][0] for part in parts], axis=0) <= 0.5))
    ratio = np.mean([part["squared_error"][index] / part["infinity"][index] for part in parts])
    return {f"early_ratio_{labels}": float(ratio), f"early_time_{labels}": float(parts[0]["flow_time"][index])}


def _run_row(run: Table, fraction: float) -> dict[str, Any]:
    """Means over replicates; times that some replicate did not reach are None."""
    last = run["step"] == run["step"].max()
    replicates = np.unique(run["replicate"])
    times = {name: replicate_times(run, column, fraction).mean() for name, column in
             (("time", "squared_error"), ("time_infinity", "infinity"), ("time_zero", "zero"),
              ("time_labels_only", "labels_only"))}
    return {
        "deviation": float(np.mean([selected(run, replicate=r)["deviation_infinity"].max() for r in replicates])),
        "deviation_zero": float(np.mean([selected(run, replicate=r)["deviation_zero"].max() for r in replicates])),
        "ratio_end": float(np.mean(run["squared_error"][last] / run["infinity"][last])),
        "left_end": float(np.mean(run["squared_error"][last] / run["squared_error"][run["step"] == 0])),
        **{name: float(value) if np.isfinite(value) else None for name, value in times.items()},
    }


def _width_law(table: Table, widths: list[int], labels: str) -> dict[str, float]:
    """Log-log slope of the greatest distance against the width (95% interval), and the slopes of both ends."""
    logs = np.log(greatest_deviations(table, "deviation_infinity", widths, [labels]))
    slopes = np.polyfit(np.log(widths), logs.T, 1)[0]
    mean, low, high = mean_interval(slopes)
    local = np.diff(logs.mean(axis=0)) / np.diff(np.log(widths))
    return {"slope": mean, "slope_low": low, "slope_high": high, "slope_narrow": float(local[0]),
            "slope_wide": float(local[-1])}


def exponent_values(exponents: Mapping[int, Sequence[float]]) -> dict[str, Any]:
    """The decay exponents' mean with a 95% interval for each width, and the last one's by themselves."""
    rows = [{"width": m, **dict(zip(("mean", "low", "high"), mean_interval(found), strict=True))}
            for m, found in exponents.items()]
    return {"exponents": rows, **{f"exponent_{key}": rows[-1][key] for key in ("mean", "low", "high")}}


def delay_values(delays: np.ndarray) -> dict[str, float | None]:
    """How many times longer random labels take than true ones: geometric mean and 95% interval, or None.

    `delays`: logarithms of the ratios; not finite where the error did not fall far enough.
    """
    found = np.exp(mean_interval(delays)) if np.isfinite(delays).all() else [None] * 3
    return {name: None if value is None else float(value)
            for name, value in zip(("delay", "delay_low", "delay_high"), found, strict=True)}


def findings(numbers: Mapping[str, Any]) -> list[str]:
    """The study's findings in a sentence each, from its values."""
    better = "gets better" if numbers["slope_high_true"] < 0 else "does not reliably get better"
    width, slower = numbers["widths"][-1], ""
    if numbers["delay"] is not None:
        slower = (f"; a trained network takes {numbers['delay']:.3g} times as long to fit them (95% interval "
                  f"{numbers['delay_low']:.3g} to {numbers['delay_high']:.3g})")
    below = "all leave" if numbers["aligned_error_true"] < numbers["permuted_least"] else "mostly leave"
    return [
        f"MNIST-1D: {numbers['permutations']:,} random orders of the labels {below} more error to the kernel dynamics "
        f"of $H^\\infty$ than the true labels{slower}.",
        f"The frozen kernel's prediction {better} with the width: its distance from training goes as the power "
        f"${numbers['slope_true']:.2g}$ of the width (true labels, 95% interval ${numbers['slope_low_true']:.2g}$ to "
        f"${numbers['slope_high_true']:.2g}$) up to $m$ = {width:,}.",
    ]
