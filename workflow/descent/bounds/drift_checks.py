"""What the ledger checks about the drift of the kernel: each function compares data with one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from descent.bounds.convergence import held_until, log_flow_bound
from descent.bounds.convergence_checks import replicates
from descent.claims import Outcome
from descent.statistics import CLAIM_LEVEL, power_law

Table = Mapping[str, np.ndarray]
Run = tuple[Table, Table]


def examined(tables: Sequence[Table], column: str) -> np.ndarray:
    """The finite values of `column` after the start, of all `tables`: those of the steps that close a window."""
    return np.concatenate([table[column][np.isfinite(table[column]) & (table["step"] > 0)] for table in tables])


def weyl(tables: Sequence[Table], norm: str = "drift") -> Outcome:
    """|λ_k(H(t)) − λ_k(H(0))| ≤ ‖H(t) − H(0)‖₂ for every k at every examined step; `norm` names the column.

    Observed: the greatest ratio of the two sides (Weyl's inequality).
    """
    ratios = examined(tables, "eigenvalue_change") / examined(tables, norm)
    return Outcome(float(ratios.max()), 1.0, len(ratios), bool(ratios.max() <= 1))


def sliding_order(tables: Sequence[Table], samples: int, sign: float = 1.0) -> Outcome:
    """0 ⪯ H̃ ⪯ H as far as eigenvalues show it: λ_min(H̃) ≥ 0, λ_k(H̃) ≤ λ_k(H) for every k; `sign` −1 turns it round.

    Observed: the greatest violation; the bound is rounding, 4 n ε λ_max with n = `samples`.
    """
    above = sign * np.concatenate([examined(tables, name) for name in ("sliding_highest", "sliding_lowest")])
    least = examined(tables, "sliding_lambda_min")
    bound = 4 * samples * np.finfo(float).eps * examined(tables, "lambda_max").max()
    worst = max(float(above.max()), float(-least.min()))
    return Outcome(worst, float(bound), len(least), worst <= bound)


def residual_change(tables: Sequence[Table], allowed: float, kernel: str = "sliding_error") -> Outcome:
    """Over every window Δr = −η K Σ r up to `allowed` ‖Δr‖, with the kernel K whose column is `kernel`."""
    errors = examined(tables, kernel)
    return Outcome(float(errors.max()), allowed, len(errors), bool(errors.max() <= allowed))


def least_rate(tables: Sequence[Table], allowed: float, kernel: str = "sliding_lambda_min") -> Outcome:
    """In every window ‖r‖² falls at a rate of at least 2 λ_min(K), less the fraction `allowed`.

    Observed: the least quotient of the rate and 2 λ_min(K), K as in `kernel`.
    """
    closed = [{name: table[name][np.isfinite(table["rate"])] for name in ("step", "rate", kernel)} for table in tables]
    quotients = examined(closed, "rate") / (2 * examined(closed, kernel))
    return Outcome(float(quotients.min()), 1 - allowed, len(quotients), bool(quotients.min() >= 1 - allowed))


def flow_excess(metrics: Table, rate: float) -> np.ndarray:
    """ln of the squared error over e^{−λ t} times its first value, λ = `rate`, for the rows of one replicate."""
    return np.log(metrics["loss"]) - log_flow_bound(metrics["loss"][0], rate, metrics["flow_time"])


def flow_while(runs: Sequence[Run], rate: float, level: float, kernel: str) -> Outcome:
    """Descent stays below e^{−λ t} ‖u(0) − y‖², λ = `rate`, while the eigenvalue `kernel` is at least `level`.

    `runs`: metrics and examined steps. Observed: the greatest ratio of error and bound after the first step.
    """
    worst = []
    for metrics, states in runs:
        for rows, seen in zip(replicates(metrics), replicates(states), strict=True):
            known = np.isfinite(seen[kernel])
            held = held_until(rows["step"], seen["step"][known], seen[kernel][known] >= level)
            worst.append(flow_excess(rows, rate)[held & (rows["step"] > 0)])
    together = np.concatenate(worst)
    ratio = float(np.exp(np.clip(together.max(initial=-700.0), -700.0, 700.0)))
    return Outcome(ratio, 1.0, len(together), bool(np.all(together <= 0)))


def falls_with_width(widths: np.ndarray, values: np.ndarray) -> Outcome:
    """The log-log slope of `values` against the width is below 0: the upper end of its one-sided interval."""
    high = sum(power_law(widths, values, 2 * CLAIM_LEVEL))
    return Outcome(high, 0.0, len(widths), high < 0, confidence=1 - CLAIM_LEVEL)


def precision_gap(single: Run, double: Run, lambda_0: float) -> np.ndarray:
    """Per replicate the greatest |Δ ln loss| and |Δ λ_min|/λ_0, of H and H̃, between two runs at their common steps."""
    gaps = []
    for a, b, c, d in zip(*map(replicates, (*single, *double)), strict=True):
        count = min(len(a["step"]), len(c["step"]))
        losses = np.abs(np.log(a["loss"][:count] / c["loss"][:count])).max()
        _, in_b, in_d = np.intersect1d(b["step"], d["step"], return_indices=True)
        gaps.append((losses, *(np.nanmax(np.abs(b[name][in_b] - d[name][in_d])) / lambda_0
                               for name in ("lambda_min", "sliding_lambda_min"))))
    return np.array(gaps)


def precision_agrees(pairs: Sequence[tuple[Run, Run]], lambda_0: float, allowed: float) -> Outcome:
    """`precision_gap` of every pair of runs is at most `allowed`. Observed: the greatest of them."""
    gaps = np.concatenate([precision_gap(single, double, lambda_0) for single, double in pairs])
    return Outcome(float(gaps.max()), allowed, gaps.size, bool(gaps.max() <= allowed))


def next_replicate(run: Run) -> Run:
    """The same run with its replicates renamed in a circle, each taken for the one before it."""
    def turned(table: Table) -> Table:
        parts = replicates(table)
        names = [part["replicate"] for part in parts]
        moved = [{**part, "replicate": np.full(len(part["step"]), name[0])}
                 for part, name in zip([*parts[1:], parts[0]], names, strict=True)]
        return {key: np.concatenate([part[key] for part in moved]) for key in table}

    return turned(run[0]), turned(run[1])
