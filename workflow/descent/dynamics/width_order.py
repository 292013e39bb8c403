"""Does a larger network converge faster? Statistics of one setting over widths and replicates, and choices by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from descent.dynamics.planted_sweep import Choice

NAMES = tuple(Choice.__dataclass_fields__)


def choices(table: Mapping[str, Any]) -> list[Choice]:
    """The setting of each row of a table with the columns of `Choice`."""
    return [Choice(str(o), int(b), str(i), int(p), float(r)) for o, b, i, p, r in zip(*(table[name] for name in NAMES))]


def by_width(table: Mapping[str, Any], name: str, found=slice(None)) -> np.ndarray:
    """Column `name` of a table of endings, of the rows `found`, one setting's, as (replicates, widths), both rising."""
    replicates, factors = (np.unique(table[axis][found], return_inverse=True) for axis in ("replicate", "factor"))
    samples = np.full((len(replicates[0]), len(factors[0])), np.nan)
    samples[replicates[1], factors[1]] = np.asarray(table[name])[found]
    return samples


def order_score(samples) -> float:
    """Mean over the replicates (rows) of Spearman's correlation between width and speed, -samples; in [-1, 1].

    1: in every replicate each larger width has the smaller sample; infinite samples (divergence) tie, and a row
    of ties counts 0. It is Page's statistic, moved and scaled.
    """
    from scipy.stats import rankdata

    ranks = rankdata(-np.asarray(samples, float), axis=1)
    width = np.arange(ranks.shape[1]) - (ranks.shape[1] - 1) / 2
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    norms = np.sqrt(np.sum(centred**2, axis=1) * np.sum(width**2))
    return float(np.mean(np.divide(centred @ width, norms, out=np.zeros(len(ranks)), where=norms > 0)))


def order_margin(samples) -> float:
    """The least, over replicates and neighbouring widths, of sample(narrower) - sample(wider); -inf on divergence.

    It is positive exactly when each larger width has the smaller sample in every replicate.
    """
    samples = np.asarray(samples, float)
    return float(-np.diff(samples, axis=1).max()) if np.isfinite(samples).all() else -np.inf


def sweep_rows(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each setting of a table of endings: its columns of `Choice` and the statistics it is chosen by.

    `order` and `margin` of the mean log10 objective over the run, `worst_risk`: the greatest relative risk at the end
    over widths and replicates, `diverged`: runs that did.
    """
    rows, found = [], choices(table)
    for choice in sorted(set(found)):
        own = np.array([one == choice for one in found])
        speeds = by_width(table, "log_objective", own)
        rows.append({**asdict(choice), "order": order_score(speeds), "margin": order_margin(speeds),
                     "worst_risk": float(by_width(table, "relative_risk", own).max()),
                     "diverged": int(by_width(table, "diverged", own).sum()), "runs": speeds.size})
    return rows


def best_rows(rows: Sequence[Mapping[str, Any]], purpose: str, count: int = 1) -> list[Mapping[str, Any]]:
    """The `count` rows of `sweep_rows` that serve a purpose best, equal ones in the order of `Choice`.

    `order`: the greatest margin, among settings with one learning rate for all widths: then nothing but the width
    differs. `near_zero`: the least worst risk. Raises ValueError for another purpose.
    """
    if purpose == "order":
        alike = [row for row in rows if row["power"] == 0]
        return sorted(alike, key=lambda row: -row["margin"])[:count]
    if purpose == "near_zero":
        return sorted(rows, key=lambda row: row["worst_risk"])[:count]
    raise ValueError(f"purpose {purpose!r}: order or near_zero")


def finalists(rows: Sequence[Mapping[str, Any]], wanted: Mapping[str, Mapping[str, Any]], stretch: float
              ) -> list[Choice]:
    """Settings to run `stretch` times as long as they were screened: for each purpose the best `count` of the rows.

    Each is run with rate stretch^-e for each e of `exponents`: 0 keeps the learning rate, 1 the flow time, and 1/2
    is the classical scaling of a learning rate whose noise is to be averaged over a longer run.
    """
    return sorted({
        Choice(*(row[name] for name in NAMES[:-1]), rate=row["rate"] / stretch**exponent)
        for purpose, one in sorted(wanted.items()) for row in best_rows(rows, purpose, one["count"])
        for exponent in one["exponents"]})


def document_choice(table: Mapping[str, Any], initialization: str, batch_size: int, factor: int,
                    rates: Sequence[float]) -> Choice:
    """The assignment's own setting (jhu.2c): SGD at one rate for all widths, the one that does best at width `factor`.

    Best: the fewest replicates diverge and, among those, the last objective's sum over the others is least.
    """
    ends, found = {}, choices(table)
    for rate in rates:
        choice = Choice("sgd", batch_size, initialization, 0, rate)
        last = table["objective"][np.array([one == choice for one in found]) & (table["factor"] == factor)]
        ends[choice] = ((~np.isfinite(last)).sum(), last[np.isfinite(last)].sum())
    return min(ends, key=ends.get)
