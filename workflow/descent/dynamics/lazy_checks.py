"""What the ledger checks about lazy and rich training: each function compares data with one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from descent.claims import Outcome
from descent.dynamics.lazy_training import Start, jackknife_slopes, power_slopes
from descent.networks.squareplus import tangent_kernel
from descent.statistics import CLAIM_LEVEL, agreement, mean_within

Samples = tuple[np.ndarray, np.ndarray]


def mirrored(starts: Sequence[Start], samples: Sequence[Samples], eta: float, scale: float, steps: int) -> Outcome:
    """Training at α and at −α from the same start gives the same residuals and the same tangent kernel.

    Observed: the greatest difference over ‖y‖ and ‖K‖_F at the last step; bound: rounding, steps · n ε.
    """
    worst, size = 0.0, 0
    for start, (inputs, targets) in zip(starts, samples, strict=True):
        ends = []
        for alpha in (scale, -scale):
            descent = start.descent(inputs, targets, eta, alpha)
            for _ in range(steps):
                descent.step()
            gram = tangent_kernel(start.rounding, descent.hidden, descent.outputs, inputs, inputs)
            ends.append((descent.residual[:, 0], gram))
        (plus, gram), (minus, other) = ends
        worst = max(worst, float(np.linalg.norm(plus - minus) / np.linalg.norm(targets)),
                    float(np.linalg.norm(gram - other) / np.linalg.norm(gram)))
        size = max(size, len(inputs))
    bound = steps * size * float(np.finfo(float).eps)
    return Outcome(worst, bound, len(starts), worst <= bound)


def slopes_within(scales: np.ndarray, runs: Sequence[np.ndarray], between: Sequence[float], expected: float,
                  margin: float, hypotheses: Mapping[str, bool]) -> Outcome:
    """The interval for the mean log-log slope against α, over the scales `between` two, lies in `expected` ± `margin`.

    `runs`: values (replicates, scales); the intervals hold together with probability 1 − `CLAIM_LEVEL`. The worst run
    is reported, all have to hold.
    """
    slopes = [power_slopes(scales, values, between) for values in runs]
    found = [mean_within(slope, expected, margin, CLAIM_LEVEL / len(slopes)) for slope in slopes]
    worst = max(found, key=lambda outcome: outcome.observed)
    return Outcome(worst.observed, margin, sum(outcome.cases for outcome in found), worst.holds,
                   hypotheses=hypotheses, confidence=1 - CLAIM_LEVEL)


def moment_slope_agrees(scales: np.ndarray, values: np.ndarray, between: Sequence[float], order: int,
                        expected: float, hypotheses: Mapping[str, bool]) -> Outcome:
    """The log-log slope of (mean over replicates of values^order)^{1/order} against α agrees with `expected`.

    Student's interval of the jackknife's pseudo-values: a moment is what follows a law where few replicates have any
    events at all. Observed: the distance from `expected` in standard errors.
    """
    slopes = jackknife_slopes(scales, values, between, order)
    error = slopes.std(ddof=1) / np.sqrt(len(slopes))
    outcome = agreement([slopes.mean()], error, [expected], len(slopes))
    return Outcome(outcome.observed, outcome.bound, values.size, outcome.holds, hypotheses=hypotheses,
                   confidence=outcome.confidence)
