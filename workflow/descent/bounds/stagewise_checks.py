"""What the ledger checks about stagewise training: each function compares data with one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from descent.claims import Outcome
from descent.dynamics.stagewise_descent import stage_rows
from descent.kernels.interlacing import interlacing_excess, principal_spectra
from descent.statistics import CLAIM_LEVEL, mean_interval

Table = Mapping[str, np.ndarray]


def _rounding(spectra: Sequence[np.ndarray]) -> float:
    # Eigenvalues of a symmetric matrix of order n are computed to a small multiple of ε times its norm.
    return float(max(4 * len(spectrum) * np.finfo(float).eps * np.abs(spectrum).max() for spectrum in spectra))


def interlacing(grams: Sequence[np.ndarray], inner: Sequence[np.ndarray], outer: Sequence[np.ndarray]) -> Outcome:
    """All interlacing inequalities between gram[S, S] and gram[T, T], S = `inner[s]` ⊂ T = `outer[s]`, to rounding.

    Observed: the greatest violation over all pairs of subsets of all `grams`.
    """
    worst, bound, cases = -np.inf, 0.0, 0
    for gram in grams:
        small, large = principal_spectra(gram, inner), principal_spectra(gram, outer)
        worst = max(worst, *(interlacing_excess(a, b) for a, b in zip(small, large, strict=True)))
        bound, cases = max(bound, _rounding(large)), cases + sum(2 * len(a) for a in small)
    return Outcome(worst, bound, cases, worst <= bound)


def falling_least_eigenvalue(gram: np.ndarray, subsets: Sequence[np.ndarray]) -> Outcome:
    """λ_min(gram[S, S]) does not rise from one subset to the next, to rounding. Observed: the greatest rise."""
    spectra = principal_spectra(gram, subsets)
    rise, bound = float(np.diff([spectrum[0] for spectrum in spectra]).max()), _rounding(spectra)
    return Outcome(rise, bound, len(spectra) - 1, rise <= bound)


def one_step(tables: Sequence[Table], factor: float = 1.0) -> Outcome:
    """‖r(k+1)‖ ≤ (1 − c η λ_0(S)/2) ‖r(k)‖ + ‖e(k)‖ in every stage while ‖I − η H[S]‖ ≤ 1 − η λ_0(S)/2; c = `factor`.

    `tables` from `bounds.stagewise.stage_bounds`. Observed: the greatest ratio of the two sides.
    """
    ratios = []
    for rows in (rows for table in tables for rows in stage_rows(table)):
        norm, q = np.exp(rows["log_error"] / 2), 1 - factor * rows["eta"][0] * rows["rate"][0] / 2
        allowed = q * norm[:-1] + rows["remainder"][1:]
        ratios.append((norm[1:] / allowed)[rows["contraction_held"][:-1]])
    together = np.concatenate(ratios)
    worst = float(together.max(initial=0.0))
    return Outcome(worst, 1.0, len(together), worst <= 1)


def stage_flow(tables: Sequence[Table], factor: float = 1.0) -> Outcome:
    """The squared error on a stage's samples stays below e^{−c λ_0(S) t} times its start, t from the stage's start.

    c = `factor`. Observed: the greatest ratio of error and bound after the start.
    """
    excess = [(rows["log_error"] - rows["log_error"][0] + factor * rows["rate"] * rows["flow_time"])[1:]
              for table in tables for rows in stage_rows(table)]
    worst = np.concatenate(excess)
    return Outcome(float(np.exp(np.minimum(worst.max(), 700.0))), 1.0, len(worst), bool(np.all(worst <= 0)))


def eigenvalue_kept(tables: Sequence[Table], level: float = 1.0) -> Outcome:
    """λ_min(H[S](t)) ≥ `level` λ_0(S)/2 at every kept step of every stage. Observed: the least quotient."""
    least = min(float(table["relative_eigenvalue"].min()) for table in tables)
    return Outcome(least, level, sum(len(table["step"]) for table in tables), least >= level)


def greater_in_pairs(first: np.ndarray, second: np.ndarray) -> Outcome:
    """The geometric mean of `first`/`second` exceeds 1: the lower end of Student's interval for the mean logarithm.

    One pair for each replicate; the interval is one-sided at `CLAIM_LEVEL`.
    """
    low = mean_interval(np.log(np.asarray(first) / np.asarray(second)), 1 - 2 * CLAIM_LEVEL)[1]
    return Outcome(float(np.exp(low)), 1.0, len(first), low > 0, confidence=1 - CLAIM_LEVEL)
