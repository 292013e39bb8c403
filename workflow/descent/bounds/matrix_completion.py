"""Checks on deep matrix completion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import stdtr

from descent.claims import Outcome
from descent.statistics import CLAIM_LEVEL


def endings(table: Mapping[str, Any], start: str, column: str) -> np.ndarray:
    """`column` at the last step of the runs from one `start`: (replicates, scales), scales falling."""
    rows = np.array(table["start"]) == start
    replicates, scales = (table[name][rows] for name in ("replicate", "scale"))
    values, steps = table[column][rows], table["step"][rows]

    def last(replicate, scale):
        mine = (replicates == replicate) & (scales == scale)
        return values[mine][steps[mine].argmax()]

    return np.array([[last(replicate, scale) for scale in np.unique(scales)[::-1]]
                     for replicate in np.unique(replicates)])


def unmoved(table: Mapping[str, Any]) -> Outcome:
    """No run has moved any unobserved entry at any time; observed: the largest movement over ‖M‖."""
    worst = float(np.max(table["moved"]))
    return Outcome(worst, 0.0, len(table["moved"]), worst == 0.0)


def less(smaller: np.ndarray, larger: np.ndarray) -> Outcome:
    """Student's one-sided paired test of E ln `smaller` < E ln `larger`; observed: the p-value."""
    differences = np.log(smaller) - np.log(larger)
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    p_value = float(stdtr(len(differences) - 1, differences.mean() / error))
    return Outcome(p_value, CLAIM_LEVEL, len(differences), p_value <= CLAIM_LEVEL, confidence=1 - CLAIM_LEVEL)


def approaches(ranks: Mapping[int, np.ndarray], target: np.ndarray, left: float) -> Outcome:
    """|rank − `target`| falls from each scale to the next in every replicate, to at most `left` of the first.

    `ranks` (replicates, scales) by depth; observed: the largest share left.
    """
    excess = np.concatenate([np.abs(found - target[:, None]) for found in ranks.values()])
    worst = float((excess[:, -1] / excess[:, 0]).max())
    return Outcome(worst, left, len(excess), bool(worst <= left and np.all(np.diff(excess, axis=1) < 0)))
