"""Numbers about runs of the convergence theorem for the report's prose and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.bounds import convergence
from descent.bounds.convergence_checks import replicates

Table = Mapping[str, np.ndarray]
BOUNDS = ("flow", "discrete", "remainder")
LABELS = {"one_hot": "one-hot", "literal": "digit (literal network)"}
BATCHES = {"full": "all samples", "mini": "mini-batches"}
STEPS = {"lr": "first try", "stable": "large", "half": "large / 2", "quarter": "large / 4"}


def run_names(name: str) -> dict[str, str]:
    """What a run's name says, in words for tables: labels, batch and step."""
    labels, batch, step = name.rsplit("_", 2)
    return {"labels": LABELS.get(labels, labels), "batch": BATCHES[batch], "step": STEPS[step]}


def run_row(metrics: Table, spectrum: Table | None) -> dict[str, Any]:
    """Step size, horizon, losses and, with a spectrum, the end of H(t): one row of the table of runs."""
    runs = replicates(metrics)
    final = np.array([run["loss"][-1] for run in runs])
    alive = [bool(loss <= 10 * run["loss"][0]) for loss, run in zip(final, runs, strict=True)]
    row = {"eta": float(metrics["flow_time"][1] / metrics["step"][1]), "flow_time": float(metrics["flow_time"].max()),
           "steps": int(metrics["step"].max()), "first_loss": float(np.mean([run["loss"][0] for run in runs])),
           "final_loss": float(final.mean()) if all(alive) else None, "diverged": len(alive) - sum(alive)}
    if spectrum is not None:
        ends = replicates(spectrum)
        row |= {"lambda_min_end": float(min(run["lambda_min"][-1] for run in ends)),
                "movement": float(spectrum["movement"].max()), "flipped": float(spectrum["flipped"].max()),
                "crossings_end": float(np.mean([run["crossings"][-1] for run in ends]))}
    return row


def failures(table: Table) -> dict[str, Any]:
    """Where a run's bounds first fail and its hypothesis is first lost, over its replicates.

    For each bound: `fails`, how many replicates it does in, `first_step` and `first_time`, the earliest (or None);
    `before_loss`, those in which it fails while λ_min(H) ≥ λ_0/2 still held; `lost_*`, the same for that hypothesis.
    The bound with remainder is left out where not every step was recorded.
    """
    found: dict[str, Any] = {}
    runs = replicates(table)
    lost = [convergence.first_failure(~run["spectrum_held"], np.zeros(len(run["step"]))) for run in runs]
    found |= _earliest("lost", runs, lost)
    for bound in BOUNDS if np.isfinite(runs[0]["remainder"]).all() else BOUNDS[:2]:
        first = [convergence.first_failure(run["log_error"], run[f"log_{bound}_bound"]) for run in runs]
        found |= _earliest(bound, runs, first)
        found[f"{bound}_before_loss"] = sum(f >= 0 and (k < 0 or f < k) for f, k in zip(first, lost, strict=True))
        margins = [run["log_error"][-1] - run[f"log_{bound}_bound"][-1] for run in runs]
        found[f"{bound}_log10_at_end"] = float(np.mean(margins) / np.log(10))
    return found


def _earliest(name: str, runs: Sequence[Table], indices: Sequence[int]) -> dict[str, Any]:
    hits = [(int(run["step"][i]), float(run["flow_time"][i])) for run, i in zip(runs, indices, strict=True) if i >= 0]
    step, time = min(hits) if hits else (None, None)
    return {f"{name}_fails": len(hits), f"{name}_first_step": step, f"{name}_first_time": time}


def gram_rows(gram: Table) -> list[dict[str, float]]:
    """For each width the least and mean λ_min(H(0)) and the mean and greatest ‖H(0) − H∞‖₂ over initializations."""
    rows = []
    for width in np.unique(gram["width"]):
        least, distance = (gram[name][gram["width"] == width] for name in ("lambda_min", "distance"))
        rows.append({
            "width": int(width), "lambda_min_least": float(least.min()), "lambda_min_mean": float(least.mean()),
            "distance_mean": float(distance.mean()), "distance_greatest": float(distance.max()),
        })
    return rows


def width_law(gram: Table) -> tuple[float, float]:
    """Slope and intercept of ln ‖H(0) − H∞‖₂ against ln m by least squares."""
    slope, intercept = np.polyfit(np.log(gram["width"]), np.log(gram["distance"]), 1)
    return float(slope), float(intercept)


def batch_factor(full: Table, mini: Table) -> float:
    """The greatest ratio, either way, of the losses of two runs at the steps that both recorded."""
    ratios = []
    for a, b in zip(replicates(full), replicates(mini), strict=True):
        _, in_a, in_b = np.intersect1d(a["step"], b["step"], return_indices=True)
        ratios.append(np.abs(np.log(a["loss"][in_a] / b["loss"][in_b])).max())
    return float(np.exp(max(ratios)))


def halving_changes(tables: Sequence[Table]) -> list[float]:
    """sup_t |Δ ln ‖u − y‖²| from each table to the next, at their common flow times and over all replicates."""
    errors = [[run["log_error"] for run in replicates(table)] for table in tables]
    changes = []
    for coarse, fine in zip(errors, errors[1:], strict=False):
        counts = [min(len(a), len(b)) for a, b in zip(coarse, fine, strict=True)]
        changes.append(float(max(np.abs(a[:n] - b[:n]).max() for a, b, n in zip(coarse, fine, counts, strict=True))))
    return changes


def gram_values(x: np.ndarray, gram: Table, spectra: Table, width: int) -> dict[str, Any]:
    """λ_0 and λ_max of H∞, H(0) at `width`, the width law, and where it reaches ‖H(0) − H∞‖₂ = λ_0/4."""
    slope, intercept = width_law(gram)
    lambda_0, at_width = float(spectra["h_infinity"][-1]), gram["width"] == width
    least, distance = gram["lambda_min"][at_width], gram["distance"][at_width]
    return {
        "n": len(x), "d": x.shape[1], "lambda_0": lambda_0, "lambda_max": float(spectra["h_infinity"][0]),
        "h_zero_least": float(least.min()), "h_zero_most": float(least.max()), "gram": gram_rows(gram),
        "distance_at_width": float(distance.mean()), "width_slope": slope,
        "quarter_width": float(np.exp((np.log(lambda_0 / 4) - intercept) / slope)),
        "greatest_cosine": float(np.abs(np.triu(x @ x.T, 1)).max()),
    }


def theorem_values(n: int, width: int, delta: float, lambda_0: float, metrics: Table,
                   spectrum: Table) -> dict[str, Any]:
    """The theorem's radius and width against a run's weight movement, with orders of magnitude (log10)."""
    start = 2 * float(metrics["loss"][metrics["step"] == 0].max())
    needed, radius = convergence.required_width(n, start, lambda_0, delta), convergence.radius(n, lambda_0, delta)
    movement = float(spectrum["movement"].max())
    return {
        "first_squared_error": start, "radius": radius, "required_width": needed, "movement": movement,
        "width_orders": float(np.log10(needed / width)), "movement_orders": float(np.log10(movement / radius)),
        "movement_bound": convergence.movement_bound(n, width, start, lambda_0), "theorem_step": lambda_0 / n**2,
    }


def findings(numbers: Mapping[str, Any]) -> list[str]:
    """The study's findings in a sentence each, from its values."""
    positive = numbers["h_zero_least"] > 0 and numbers["lambda_0"] > 0
    rows = numbers["bounds"]
    flow = [row for row in rows if row["flow_fails"]]
    early = sum(row["flow_before_loss"] for row in rows)
    failing = f"is never exceeded in {len(rows)} settings of labels and step"
    if flow:
        failing = (f"fails late in {len(flow)} of {len(rows)} settings of labels and step, "
                   f"{f'in {early} replicates' if early else 'never'} "
                   "before $\\lambda_{\\min}(H)$ fell below $\\lambda_0/2$")
    remainder = sum(row["remainder_fails"] for row in rows)
    return [
        f"{numbers['n']} samples of MNIST-1D: the least eigenvalues of $H^\\infty$ ($\\lambda_0$ = "
        f"{numbers['lambda_0']:.3g}) and of $H(0)$ are {'' if positive else 'not all '}positive.",
        f"Theorem 3.2's bound along gradient descent {failing}; the discrete bound with the measured remainder "
        f"{'always holds' if not remainder else f'fails in {remainder} replicates'}.",
        f"The proof asks for a width {numbers['width_orders']:.0f} orders of magnitude above the one that was trained.",
    ]
