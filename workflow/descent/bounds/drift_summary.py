"""Numbers about the drift of the kernel over time and width, for the report's prose and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.bounds.convergence import first_failure
from descent.bounds.convergence_checks import replicates
from descent.bounds.drift_checks import Run, flow_excess, precision_gap
from descent.statistics import power_law

Table = Mapping[str, np.ndarray]
MEASURES = ("drift", "flipped", "movement", "sliding")


def crossing_time(examined: Table, kernel: str, level: float) -> float | None:
    """The flow time at which the column `kernel` of one replicate first falls below `level`, linear in ln t.

    Interpolated between the examined steps at which it is known; None when it does not.
    """
    known = np.isfinite(examined[kernel])
    times, values = examined["flow_time"][known], examined[kernel][known]
    below = values < level
    if not below.any():
        return None
    k = int(np.argmax(below))
    if k < 2:
        return float(times[k])
    share = (values[k - 1] - level) / (values[k - 1] - values[k])
    return float(np.exp(np.log(times[k - 1]) + share * np.log(times[k] / times[k - 1])))


def failure_time(metrics: Table, rate: float) -> float | None:
    """The flow time at which the squared error of one replicate first exceeds the flow bound, None when it does not."""
    k = first_failure(flow_excess(metrics, rate), np.zeros(len(metrics["step"])))
    return float(metrics["flow_time"][k]) if k >= 0 else None


def width_row(run: Run, width: int, precision: str, lambda_0: float, level: float) -> dict[str, Any]:
    """One row of the table of widths: horizon, crossings of λ_0/2 and failures of the flow bound, the end of the run.

    Times are means over the replicates that have one. pattern_surprise, sliding_surprise: replicates in which the bound
    fails although λ_min(H), or λ_min(H̃), has not been seen below λ_0/2 before. level_times: those of `level` λ_0.
    """
    metrics, examined = (replicates(table) for table in run)
    failures = [failure_time(rows, lambda_0) for rows in metrics]
    row = {"width": width, "precision": precision, "replicates": len(metrics), "steps": int(metrics[0]["step"][-1]),
           "flow_time": float(metrics[0]["flow_time"][-1]), "fails": sum(t is not None for t in failures),
           "fails_mean": _mean(failures)}
    for name, kernel in (("pattern", "lambda_min"), ("sliding", "sliding_lambda_min")):
        crossings = [crossing_time(rows, kernel, lambda_0 / 2) for rows in examined]
        row[f"{name}_start"] = float(np.mean([rows[kernel][0] for rows in examined]))
        row |= {f"{name}_crosses": sum(t is not None for t in crossings), f"{name}_mean": _mean(crossings),
                f"{name}_surprise": sum(f is not None and (c is None or f < c)
                                        for f, c in zip(failures, crossings, strict=True)),
                f"{name}_end": float(np.mean([rows[kernel][-1] for rows in examined]))}
    row["rate_end"] = float(np.mean([rows["rate"][-1] for rows in examined]))
    row["last_loss"] = float(np.mean([rows["loss"][-1] for rows in metrics]))
    row["level_mean"] = _mean([crossing_time(rows, "lambda_min", level * lambda_0) for rows in examined])
    return row


def _mean(times: Sequence[float | None]) -> float | None:
    known = [t for t in times if t is not None]
    return float(np.mean(known)) if known else None


def at_step(runs: Mapping[int, Run], step: int, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Width and value of `column` at the examined `step`, for every replicate of every width."""
    found = [(width, value) for width, (_, examined) in runs.items()
             for value in examined[column][examined["step"] == step]]
    widths, values = zip(*found, strict=True)
    return np.array(widths, float), np.array(values, float)


def slopes(runs: Mapping[int, Run], step: int, lambda_0: float, level: float) -> dict[str, Any]:
    """Log-log slopes against the width with Student's 95% intervals: `MEASURES` at `step`, the crossing of `level` λ_0.

    drop is λ_min(H(0)) − λ_min(H(t)). The crossing's slope is left out unless every replicate crosses.
    """
    found = {name: at_step(runs, step, name) for name in MEASURES}
    widths, ends = at_step(runs, step, "lambda_min")
    found["drop"] = widths, at_step(runs, 0, "lambda_min")[1] - ends
    times = [(width, crossing_time(rows, "lambda_min", level * lambda_0))
             for width, (_, examined) in runs.items() for rows in replicates(examined)]
    if all(time is not None for _, time in times):
        found["level"] = tuple(np.array(part, float) for part in zip(*times, strict=True))
    numbers = {}
    for name, (at, values) in found.items():
        if np.all(values > 0):
            slope, half = power_law(at, values, 0.05)
            numbers |= {f"{name}_slope": slope, f"{name}_slope_low": slope - half, f"{name}_slope_high": slope + half}
    return numbers


def overview(runs: Mapping[int, Run], step: int) -> dict[str, Any]:
    """What all runs have in common: step size, time of the common `step`, and how the kernels do at the ends.

    weyl_used: the greatest share of ‖H(t) − H(0)‖₂ that λ_min(H) uses; rate_gap, pattern_rate_gap: the greatest
    relative gap between 2 λ_min of H̃, or H, and the rate in the last window of a run; *_error: those of
    `dynamics.drift_run.examine` in the last window, the greatest.
    """
    parts = [rows for _, examined in runs.values() for rows in replicates(examined)]
    ends = {name: np.array([rows[name][-1] for rows in parts]) for name in parts[0]}
    used = [np.abs(rows["lambda_min"] - rows["lambda_min"][0])[1:] / rows["drift"][1:] for rows in parts]
    metrics = next(iter(runs.values()))[0]
    eta = float(metrics["flow_time"][1] / metrics["step"][1])
    return {
        "eta": eta, "common_time": eta * step, "replicates": len(parts) // len(runs),
        "weyl_used": float(max(share.max() for share in used)),
        "rate_gap": float(np.abs(2 * ends["sliding_lambda_min"] / ends["rate"] - 1).max()),
        "pattern_rate_gap": float(np.abs(2 * ends["lambda_min"] / ends["rate"] - 1).max()),
        "sliding_error_end": float(ends["sliding_error"].max()),
        "pattern_error_end": float(ends["pattern_error"].max()),
        "sliding_share_end": float(max(ends["sliding"])), "flipped_most": float(max(ends["flipped"])),
    }


def halving_row(coarse: Run, fine: Run, halvings: int, width: int, lambda_0: float) -> dict[str, Any]:
    """The failure of the flow bound again with a smaller step, from the same initializations.

    change: the greatest |Δ ln ‖r‖²| at common flow times; excess: ln of error over bound where the finer run ends,
    mean over replicates; surprise: as `pattern_surprise` of `width_row`, for the finer run.
    """
    parts, changes = 2**halvings, []
    for a, b in zip(replicates(coarse[0]), replicates(fine[0]), strict=True):
        count = min(len(a["step"]), (len(b["step"]) - 1) // parts + 1)
        changes.append(np.abs(np.log(a["loss"][:count] / b["loss"][: parts * (count - 1) + 1 : parts])).max())
    row = width_row(fine, width, "", lambda_0, 1.0)
    excess = [flow_excess(rows, lambda_0)[-1] for rows in replicates(fine[0])]
    return {"width": width, "parts": parts, "change": float(max(changes)), "excess": float(np.mean(excess)),
            "flow_time": row["flow_time"], "fails": row["fails"], "fails_mean": row["fails_mean"],
            "surprise": row["pattern_surprise"], "rate_end": row["rate_end"], "sliding_end": row["sliding_end"],
            "pattern_end": row["pattern_end"]}


def precision_row(name: str, single: Run, double: Run, lambda_0: float) -> dict[str, Any]:
    """The greatest differences between two precisions over replicates, and up to which step they were compared."""
    loss, pattern, sliding = precision_gap(single, double, lambda_0).max(axis=0)
    steps = min(int(run[0]["step"].max()) for run in (single, double))
    return {"name": name, "steps": steps, "loss": float(loss), "pattern": float(pattern), "sliding": float(sliding)}


def findings(numbers: Mapping[str, Any]) -> list[str]:
    """The study's findings in two sentences, from its values."""
    rows = numbers["widths"]
    failing = [f"{row['width']:,}" for row in rows if row["fails"]]
    safe = [f"{row['width']:,} (up to $t$ = {row['flow_time']:.3g})" for row in rows if not row["fails"]]
    surprises, slid = (sum(row[f"{kind}_surprise"] for row in rows) for kind in ("pattern", "sliding"))
    early = (f"in {surprises} runs before $\\lambda_{{\\min}}(H)$ has fallen below $\\lambda_0/2$" if surprises
             else "never before $\\lambda_{\\min}(H)$ has fallen below $\\lambda_0/2$")
    where = (f"fails at the widths {', '.join(failing)}" + (f" and not at {', '.join(safe)}" if safe else "")
             + f", {early}" if failing else f"holds at all widths, {', '.join(safe)}")
    gap, pattern_gap = numbers["rate_gap"], numbers["pattern_rate_gap"]
    decides = "what decides is" if gap < pattern_gap else "it is not decided by"
    order = (f", and {f'{slid} failure(s) come' if slid else 'no failure comes'} before it has fallen below "
             "$\\lambda_0/2$" if failing else "")
    return [
        f"Theorem 3.2's bound along descent {where}.",
        f"How fast training ends: {decides} the kernel of weights that slide along the hyperplanes where patterns "
        f"change, whose least eigenvalue gives the measured decay rate to {gap:.1%}, that of $H$ to "
        f"{pattern_gap:.0%}{order}.",
    ]
