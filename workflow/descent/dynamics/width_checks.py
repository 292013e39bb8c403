"""Power laws in the width: fits, and what the ledger checks about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from descent.claims import Outcome
from descent.kernels.neural_tangent_kernel import h_infinity
from descent.statistics import CLAIM_LEVEL, agreement, falling_trend
from descent.statistics import power_law as fitted_slope

Series = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class PowerLaw:
    """ln value = intercept + exponent · ln width, fitted by least squares to all replicates; ends of its interval."""

    exponent: float
    low: float
    high: float
    intercept: float


def power_law(widths: np.ndarray, values: np.ndarray, confidence: float = 0.95) -> PowerLaw:
    """The fitted exponent with Student's interval from the residuals, which contain any curvature of the law.

    `widths` and `values` (N,), one entry for each width and replicate. Raises ValueError when a value is not positive.
    """
    if not np.all(values > 0):
        raise ValueError("a power law is fitted to positive values")
    exponent, margin = fitted_slope(widths, values, 1 - confidence)
    intercept = float(np.mean(np.log(values)) - exponent * np.mean(np.log(widths)))
    return PowerLaw(exponent, exponent - margin, exponent + margin, intercept)


def law_band(widths: np.ndarray, values: np.ndarray, at: np.ndarray, confidence: float = 0.95) -> np.ndarray:
    """The fitted line and the ends of Student's interval for it at the widths `at`, shape (3, len(at))."""
    coefficients, covariance = np.polyfit(np.log(widths), np.log(values), 1, cov=True)
    design = np.stack([np.log(at), np.ones(len(at))])
    line = coefficients @ design
    margin = np.sqrt(np.sum(design * (covariance @ design), axis=0))
    margin *= stdtrit(len(widths) - 2, 0.5 + confidence / 2)
    return np.exp([line, line - margin, line + margin])


def exponent_within(series: Sequence[Series], lowest: float, highest: float, margin: float) -> Outcome:
    """The interval for the exponent of every series (widths, values) lies in [lowest − margin, highest + margin].

    Observed: how far the farthest end of an interval is outside [lowest, highest]; the intervals hold together with
    probability 1 − `CLAIM_LEVEL` (Bonferroni).
    """
    laws = [power_law(widths, values, 1 - CLAIM_LEVEL / len(series)) for widths, values in series]
    farthest = max(max(lowest - law.low, law.high - highest) for law in laws)
    return Outcome(farthest, margin, sum(len(widths) for widths, _ in series), farthest <= margin,
                   confidence=1 - CLAIM_LEVEL)


def closer_with_width(series: Sequence[Series], rotation: int = 0, most: int = 6) -> Outcome:
    """Page's exact test that values fall as the width grows, each replicate of each series being one row.

    At most `most` of the widths, evenly chosen, since the exact test counts permutations. Rows must list all widths.
    """
    rows = [row for widths, values in series for row in by_width(widths, values).T]
    step = -(-len(rows[0]) // most)
    return falling_trend(np.array(rows)[:, ::-step][:, ::-1], rotation)


def by_width(widths: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values as an array (widths, replicates), widths rising, replicates in the order in which they are listed."""
    return np.array([values[widths == width] for width in np.unique(widths)])


def squared_fluctuation(inputs: np.ndarray, failing: bool = True) -> float:
    """m E‖H(0) − H∞‖_F² = Σ_ij (x_iᵀx_j)² p_ij (1 − p_ij), p_ij = P(wᵀx_i ≥ 0, wᵀx_j ≥ 0), the same at every width m.

    `inputs` (n, d) of unit length. Without `failing` the factor 1 − p_ij is left out: the second moment in place of
    the variance.
    """
    gram, cosines = h_infinity(inputs), inputs @ inputs.T
    second = float(np.sum(cosines * gram))
    return second - float(np.sum(gram**2)) if failing else second


def fluctuation_agrees(inputs: Sequence[np.ndarray], frobenius: Sequence[np.ndarray], failing: bool) -> Outcome:
    """Whether the mean of m ‖H(0) − H∞‖_F² over widths and replicates is `squared_fluctuation`, for every data set."""
    samples = min(len(values) for values in frobenius)
    means = [float(values.mean()) for values in frobenius]
    errors = [float(values.std(ddof=1) / np.sqrt(len(values))) for values in frobenius]
    return agreement(means, errors, [squared_fluctuation(x, failing) for x in inputs], samples)


def step_does_not_matter(tables: Sequence[Mapping[str, np.ndarray]], column: str, margin: float) -> Outcome:
    """The exponent of `column` changes by at most `margin` from each step η to half of it, on the same starts.

    Every table has the columns width, step_size and `column` for the same widths and replicates at every step size.
    """
    changes = [change for table in tables for change in np.diff(step_exponents(table, column))]
    cases = sum(len(table["width"]) for table in tables)
    return Outcome(float(np.abs(changes).max()), margin, cases, bool(np.abs(changes).max() <= margin))


def step_exponents(table: Mapping[str, np.ndarray], column: str) -> list[float]:
    """The fitted exponent of `column` at each step size, the largest first."""
    chosen = [table["step_size"] == eta for eta in np.unique(table["step_size"])[::-1]]
    return [power_law(table["width"][rows], table[column][rows]).exponent for rows in chosen]


def step_changes(table: Mapping[str, np.ndarray], column: str) -> list[float]:
    """The greatest |ln| ratio of `column`, over widths and replicates, from each step size to the next smaller one."""
    values = [table[column][table["step_size"] == eta] for eta in np.unique(table["step_size"])[::-1]]
    return [float(np.abs(np.log(fine / coarse)).max()) for coarse, fine in zip(values, values[1:], strict=False)]
