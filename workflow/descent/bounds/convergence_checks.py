"""What the ledger checks about the convergence theorem: each function compares data with one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from descent.bounds import convergence
from descent.claims import Outcome
from descent.kernels.neural_tangent_kernel import h_infinity, h_patterns
from descent.networks.two_layer import activation_patterns
from descent.statistics import power_law

Table = Mapping[str, np.ndarray]


def unit_length(inputs: np.ndarray, expected: int, order: float) -> Outcome:
    """Every sample has norm 1 to rounding (in the `order`-norm) and there are `expected` of them."""
    error = float(np.abs(np.linalg.norm(inputs, ord=order, axis=1) - 1).max())
    bound = 4 * np.finfo(float).eps
    return Outcome(error, bound, len(inputs), error <= bound and len(inputs) == expected)


def positive_definite(inputs: np.ndarray, hidden: Sequence[np.ndarray] = ()) -> Outcome:
    """λ_min exceeds the rounding error, taken as n ε: of H∞, or of H(W) for every W in `hidden`."""
    grams = [h_patterns(inputs, activation_patterns(w, inputs)) for w in hidden] or [h_infinity(inputs)]
    least = min(float(np.linalg.eigvalsh(gram)[0]) for gram in grams)
    rounding = len(inputs) * float(np.finfo(float).eps)
    return Outcome(least, rounding, len(grams), least > rounding)


def joint_counts(inputs: np.ndarray, draws: np.random.Generator, count: int, block: int = 20000) -> np.ndarray:
    """How many of `count` Gaussian weights activate both samples i and j, shape (n, n)."""
    total = np.zeros((len(inputs), len(inputs)))
    for start in range(0, count, block):
        weights = draws.standard_normal((min(block, count - start), inputs.shape[1]))
        active = activation_patterns(weights, inputs).astype(np.float32)
        total += active @ active.T
    return total


def closed_form(inputs: np.ndarray, counts: np.ndarray, draws: int, gram: np.ndarray, error: float) -> Outcome:
    """`gram` is x_iᵀx_j times the probability of joint activation, by Chernoff's bound for every pair at once.

    A binomial share p̂ of N draws has P(N KL(p̂, p) ≥ s) ≤ 2 e^{−s}; s is taken for all pairs at level `error`.
    Pairs with |x_iᵀx_j| < 0.05 are left out: they do not determine the probability well.
    """
    cosines = inputs @ inputs.T
    pairs = np.triu(np.abs(cosines) >= 0.05)
    claimed = np.clip(gram[pairs] / cosines[pairs], 1e-12, 1 - 1e-12)
    share = np.clip(counts[pairs] / draws, 1e-12, 1 - 1e-12)
    divergence = share * np.log(share / claimed) + (1 - share) * np.log((1 - share) / (1 - claimed))
    worst, bound = float(draws * divergence.max()), float(np.log(2 * pairs.sum() / error))
    return Outcome(worst, bound, int(pairs.sum()), worst <= bound, confidence=1 - error)


def width_exponent(widths: np.ndarray, distances: np.ndarray, expected: float, error: float) -> Outcome:
    """The log-log slope of ‖H(0) − H∞‖₂ against the width has `expected` in its t-interval of level 1 − `error`."""
    slope, margin = power_law(widths, distances, error)
    distance = abs(slope - expected)
    return Outcome(distance, margin, len(widths), distance <= margin, confidence=1 - error)


def bound_along_descent(tables: Sequence[Table], kind: str, rate: float, condition: str | None) -> Outcome:
    """The squared error of every replicate stays below a bound of `rate` at the steps at which `condition` held.

    `kind` is flow, discrete or remainder (see `bounds.convergence`), `condition` a column of the tables or None.
    Observed: the greatest ratio of squared error and bound after the first step.
    """
    excess = [_excess(rows, kind, rate)[_selected(rows, condition)] for table in tables for rows in replicates(table)]
    worst = np.concatenate(excess)
    ratio = float(np.exp(np.minimum(worst.max(initial=-700.0), 700.0)))
    return Outcome(ratio, 1.0, len(worst), bool(np.all(worst <= 0)))


def replicates(table: Table) -> list[Table]:
    """The rows of each replicate as a table of its own."""
    return [{name: values[table["replicate"] == r] for name, values in table.items()}
            for r in np.unique(table["replicate"])]


def _selected(rows: Table, condition: str | None) -> np.ndarray:
    return (rows["step"] > 0) & (rows[condition] if condition else True)


def _excess(rows: Table, kind: str, rate: float) -> np.ndarray:
    start, eta = np.exp(rows["log_error"][0]), rows["flow_time"][1] / rows["step"][1]
    if kind == "flow":
        return rows["log_error"] - convergence.log_flow_bound(start, rate, rows["flow_time"])
    if kind == "discrete":
        return rows["log_error"] - convergence.log_discrete_bound(start, rate, eta, rows["step"])
    return rows["log_error"] - convergence.log_remainder_bound(start, rate, eta, rows["remainder"])


def flow_limit(coarse: Table, middle: Table, fine: Table, rate: float) -> Outcome:
    """The flow bound holds at the smallest of three steps with the last change added, while λ_min(H) ≥ λ_0/2.

    The tables hold the same flow times. That sup_t |Δ ln error| over these steps falls with a halving is a hypothesis.
    """
    excess, first, last = [], 0.0, 0.0
    for runs in zip(replicates(coarse), replicates(middle), replicates(fine), strict=True):
        count = min(len(run["step"]) for run in runs)
        errors = [run["log_error"][:count] for run in runs]
        change = np.abs(errors[2] - errors[1])
        held = runs[2]["spectrum_held"][:count]
        first = max(first, np.abs(errors[1] - errors[0])[held].max(initial=0.0))
        last = max(last, change[held].max(initial=0.0))
        finest = {name: values[:count] for name, values in runs[2].items()}
        excess.append((_excess(finest, "flow", rate) + change)[_selected(finest, "spectrum_held")])
    worst = np.concatenate(excess)
    ratio = float(np.exp(np.minimum(worst.max(initial=-700.0), 700.0)))
    return Outcome(ratio, 1.0, len(worst), bool(np.all(worst <= 0)),
                   hypotheses={"the change falls when the step is halved": bool(last < first)})


def least_eigenvalue_kept(tables: Sequence[Table], level: float) -> Outcome:
    """λ_min(H(t)) ≥ `level` at every kept step of every run."""
    least = min(float(table["lambda_min"].min()) for table in tables)
    return Outcome(least, level, sum(len(table["step"]) for table in tables), least >= level)


def movement_while_held(tables: Sequence[Table], level: float) -> tuple[float, int]:
    """Greatest weight movement over the kept steps before λ_min(H) is first below `level`, and their number."""
    held = [rows["movement"][np.logical_and.accumulate(rows["lambda_min"] >= level)]
            for table in tables for rows in replicates(table)]
    together = np.concatenate(held)
    return float(together.max(initial=0.0)), len(together)


def weights_stay_within(movement: float, bound: float, cases: int, protected: float,
                        hypotheses: Mapping[str, bool]) -> Outcome:
    """max_r ‖w_r(t) − w_r(0)‖ is below `bound`, which says nothing when it exceeds `protected`, the longest weight."""
    return Outcome(movement, bound, cases, movement <= bound, trivial=bound >= protected, hypotheses=hypotheses)
