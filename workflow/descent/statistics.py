"""Intervals, tests and ledger checks over replicates and samples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from descent.claims import FAMILY_WISE_ERROR, Outcome

# The sampling claims of the laboratory, fewer than 100, share one family-wise error; each takes this part of it.
CLAIM_LEVEL = FAMILY_WISE_ERROR / 100


def mean_interval(samples, confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean of `samples` (one-dimensional, at least 2) and the ends of Student's interval for it."""
    import numpy as np
    from scipy.special import stdtrit

    samples = np.asarray(samples, float)
    half = stdtrit(len(samples) - 1, 0.5 + confidence / 2) * samples.std(ddof=1) / np.sqrt(len(samples))
    return float(samples.mean()), float(samples.mean() - half), float(samples.mean() + half)


def power_law(sizes, values, error: float) -> tuple[float, float]:
    """Slope of ln `values` against ln `sizes` by least squares, and half of its t-interval of level 1 - `error`."""
    import numpy as np
    from scipy.special import stdtrit

    (slope, _), covariance = np.polyfit(np.log(sizes), np.log(values), 1, cov=True)
    return float(slope), float(stdtrit(len(sizes) - 2, 1 - error / 2) * np.sqrt(covariance[0, 0]))


def agreement(means, errors, expected, samples: int, scale: float = 1.0) -> Outcome:
    """Whether every mean of `samples` samples, with its standard error, agrees with `scale` times its expectation.

    Observed: the largest |mean - scale expected| / error. Bound: what all of these keep with probability 1 -
    `CLAIM_LEVEL` when the expectations are right (Student's quantile, Bonferroni over means and sides).
    """
    import numpy as np
    from scipy.special import stdtrit

    observed = float(np.max(np.abs(np.asarray(means) - scale * np.asarray(expected)) / errors))
    bound = float(-stdtrit(samples - 1, CLAIM_LEVEL / (2 * len(means))))
    return Outcome(observed, bound, len(means), observed <= bound, confidence=1 - CLAIM_LEVEL)


def binomial_interval(successes, trials, error: float):
    """Ends of Clopper and Pearson's exact interval of level 1 − `error` for probabilities; arrays or numbers."""
    import numpy as np
    from scipy.special import betaincinv

    hits, misses = np.asarray(successes, float), np.asarray(trials, float) - np.asarray(successes, float)
    low = np.where(hits > 0, betaincinv(np.maximum(hits, 1), misses + 1, error / 2), 0.0)
    high = np.where(misses > 0, betaincinv(hits + 1, np.maximum(misses, 1), 1 - error / 2), 1.0)
    return low, high


def binomial_agreement(successes, trials, expected) -> Outcome:
    """Whether every probability of `expected` lies in the exact interval of its binomial share.

    The intervals hold together with probability 1 - `CLAIM_LEVEL` (Bonferroni). Observed: the largest distance of an
    expectation from its share, over the distance from the share to the interval's end on that side; bound 1.
    """
    import numpy as np

    shares, expected = np.asarray(successes) / np.asarray(trials), np.asarray(expected)
    low, high = binomial_interval(successes, trials, CLAIM_LEVEL / len(shares))
    ends = np.where(expected > shares, high, low)
    reach = np.divide(expected - shares, ends - shares, out=np.zeros(len(shares)), where=expected != shares)
    return Outcome(float(reach.max()), 1.0, int(np.sum(trials)), bool(np.all(reach <= 1)), confidence=1 - CLAIM_LEVEL)


def mean_within(samples, expected: float, margin: float, error: float = CLAIM_LEVEL) -> Outcome:
    """Whether Student's interval of level 1 - `error` for the mean of `samples` lies in `expected` +- `margin`.

    Observed: the distance of the interval's farther end from `expected`.
    """
    _, low, high = mean_interval(samples, 1 - error)
    farthest = max(abs(low - expected), abs(high - expected))
    return Outcome(farthest, margin, len(samples), farthest <= margin, confidence=1 - error)


def positive_mean(samples) -> Outcome:
    """Whether the mean of `samples` is positive: Student's one-sided test, p-value against `CLAIM_LEVEL`."""
    import numpy as np
    from scipy.special import stdtr

    samples = np.asarray(samples, float)
    error = samples.std(ddof=1) / np.sqrt(len(samples))
    p_value = float(stdtr(len(samples) - 1, -samples.mean() / error))
    return Outcome(p_value, CLAIM_LEVEL, len(samples), p_value <= CLAIM_LEVEL, confidence=1 - CLAIM_LEVEL)


def falling_trend(samples, rotation: int = 0) -> Outcome:
    """Whether `samples` (replicates, treatments) fall from left to right: Page's (1963) trend test, exact p-value.

    Under the null hypothesis each order of a row is equally likely. Infinite values are allowed and tie. As a
    control, `rotation` turns each row by so many places more than the row before.
    """
    import numpy as np
    from scipy.stats import page_trend_test

    rows = np.array([np.roll(row, rotation * i) for i, row in enumerate(samples)])
    p_value = float(page_trend_test(rows[:, ::-1], method="exact").pvalue)
    return Outcome(p_value, CLAIM_LEVEL, rows.size, p_value <= CLAIM_LEVEL, confidence=1 - CLAIM_LEVEL)


def mean_ranks(columns: Iterable) -> list[float]:
    """Mean rank over the replicates of each of the `columns` (one value for each replicate), 1 for the least."""
    import numpy as np
    from scipy.stats import rankdata

    return rankdata(np.stack(list(columns), axis=1), axis=1).mean(axis=0).tolist()


def ending_summary(last) -> dict[str, Any]:
    """Number of replicates and of those that diverged (not finite); of the others geometric mean and extremes.

    `low` and `high` end Student's 95% interval for the mean logarithm; all are None when fewer than two are left.
    """
    import numpy as np

    ended = last[np.isfinite(last)]
    found = [None] * 5
    if len(ended) > 1:
        logs = np.log(np.maximum(ended, np.finfo(np.float32).tiny))
        found = [*np.exp(mean_interval(logs)).tolist(), ended.min(), ended.max()]
    names = ("mean", "low", "high", "least", "greatest")
    return {"replicates": len(last), "diverged": len(last) - len(ended), **dict(zip(names, found))}
