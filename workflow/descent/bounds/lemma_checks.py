"""What the ledger checks about Lemmas 3.2 and 3.3: each function compares data with one statement."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import bdtr, ndtr

from descent.bounds import convergence, pattern_flips
from descent.bounds.convergence_checks import replicates
from descent.bounds.weight_speed import speed_bounds, weight_speeds
from descent.claims import Outcome
from descent.statistics import CLAIM_LEVEL, binomial_agreement, binomial_interval

Table = Mapping[str, np.ndarray]


def of_variant(flips: Table, variant: str) -> Table:
    """The rows of one variant of `flip_counts`."""
    chosen = np.array([name == variant for name in flips["variant"]])
    return {name: values[chosen] for name, values in flips.items() if name != "variant"}


def flips_inside(flips: Table, variant: str) -> Outcome:
    """Wherever |z| < R the constructed weight lies within R and flips the pattern. Observed: exceptions."""
    rows = of_variant(flips, variant)
    return _without_exception(rows, rows["inside"] - rows["inside_flips"], rows["inside"])


def no_flip_outside(flips: Table, variant: str) -> Outcome:
    """Wherever |z| ≥ R the extreme weight of the ball keeps the pattern. Observed: exceptions."""
    rows = of_variant(flips, variant)
    return _without_exception(rows, rows["outside_flips"], rows["outside"])


def _without_exception(rows: Table, exceptions: np.ndarray, cases: np.ndarray) -> Outcome:
    return Outcome(float(exceptions.sum()), 0.0, int(cases.sum()), not exceptions.any(),
                   hypotheses={"no draw within rounding of the boundary": not rows["undecided"].any()})


def flip_share(flips: Table, scale: float) -> Outcome:
    """The share of draws whose pattern a weight within R flips agrees with erf(`scale` R), for every R."""
    rows = of_variant(flips, "stated")
    expected = pattern_flips.flip_probability(rows["radius"] * scale * np.sqrt(2))
    return binomial_agreement(_flips(rows), rows["draws"], expected)


def flip_share_below(flips: Table, factor: float) -> Outcome:
    """No exact interval for P(A_ir) lies above `factor` · 2R/√(2π). Observed: the largest lower end over that bound."""
    rows = of_variant(flips, "stated")
    low, _ = binomial_interval(_flips(rows), rows["draws"], CLAIM_LEVEL / len(rows["radius"]))
    ratio = float((low / (factor * pattern_flips.flip_probability_bound(rows["radius"]))).max())
    return Outcome(ratio, 1.0, int(rows["draws"].sum()), ratio <= 1, confidence=1 - CLAIM_LEVEL)


def _flips(rows: Table) -> np.ndarray:
    return rows["inside_flips"] + rows["outside_flips"]


def equivalence(closed: bool, rule: str) -> Outcome:
    """A_ir (closed or open ball) is the event `rule` (see `pattern_flips.within`) in every rational boundary case."""
    wrong = [pattern_flips.ball_flips(x, w, radius, closed) != pattern_flips.within(x, w, radius, rule)
             for x, w, radius in pattern_flips.boundary_cases()]
    return Outcome(float(sum(wrong)), 0.0, len(wrong), not any(wrong))


def inequality(chain: Table, left: str, right: str, factor: float, units: int) -> Outcome:
    """Column `left` is at most `factor` times column `right` in every row; observed is the largest ratio."""
    ratio = float((chain[left] / (factor * chain[right])).max())
    return Outcome(ratio, 1.0, len(chain[left]) * units, ratio <= 1)


def equal_chain(inputs: np.ndarray) -> Outcome:
    """(i) and (ii) are equalities, to rounding, for a unit active on all `inputs` and equal residuals."""
    n, residual = len(inputs), np.ones(len(inputs))
    speed, bounds = weight_speeds(inputs, np.ones((n, 1), bool), residual)[0], speed_bounds(residual, 1)
    deviation = max(abs(speed / bounds[0] - 1), abs(bounds[0] / bounds[1] - 1))
    rounding = 4 * n * float(np.finfo(float).eps)
    return Outcome(deviation, rounding, 2, deviation <= rounding)


def speed_below_decay(chain: Table, lambda_0: float, factor: float, units: int) -> Outcome:
    """Every weight's speed is at most `factor` (√n/√m) e^{−λ_0 t/2} ‖u(0) − y‖ while λ_min(H) ≥ λ_0/2 was seen."""
    ratios = []
    for run in replicates(chain):
        held = np.logical_and.accumulate(run["lambda_min"] >= lambda_0 / 2)
        bound = factor * run["root"][0] * np.exp(-lambda_0 * run["flow_time"] / 2)
        ratios.append((run["speed"] / bound)[held])
    together = np.concatenate(ratios)
    worst = float(together.max(initial=0.0))
    return Outcome(worst, 1.0, len(together) * units, worst <= 1)


def error_below_rate(constructed: Table, factor: float) -> Outcome:
    """‖u − y‖ ≤ e^{−`factor` λ_0 t} ‖u(0) − y‖ in the constructed networks, for descent and for flow in closed form."""
    log_error = np.maximum(constructed["log_error"], constructed["log_flow"])
    worst = float(np.exp((log_error + factor * constructed["lambda_0"] * constructed["flow_time"]).max()))
    return Outcome(worst, 1.0, len(log_error), worst <= 1, hypotheses=lemma_hypotheses(constructed))


def lemma_hypotheses(constructed: Table) -> dict[str, bool]:
    """What the constructed networks must have for the lemma to speak about them, and their closed form to be true."""
    return {
        "no pattern flips": bool(np.all(constructed["frozen"])),
        r"$\lambda_{\min}(H) \ge \lambda_0/2$": bool(np.all(constructed["lambda_min"] >= constructed["lambda_0"] / 2)),
    }


def frozen_descent(constructed: Table, rate: str) -> Outcome:
    """Descent's ln ‖u − y‖ falls by `rate` t (a column) up to what a finite step changes, at most t η rate².

    That is what −ln(1 − x) exceeds x by, over x²: less than 1 for 0 < x ≤ 1/2, x = η rate.
    """
    later = constructed["step"] > 0
    times, eta = constructed["flow_time"][later], (constructed["flow_time"] / constructed["step"].clip(1))[later]
    allowed = eta * constructed["rate"][later] ** 2 * times
    worst = float((np.abs(constructed["log_error"][later] + constructed[rate][later] * times) / allowed).max())
    return Outcome(worst, 1.0, len(times), worst <= 1,
                   hypotheses={"no pattern flips": bool(np.all(constructed["frozen"]))})


def movement_within(constructed: Table, chain: Table, one_sample: Table, samples: int, units: int, lambda_0: float,
                    factor: float) -> Outcome:
    """max_r ‖w_r(t) − w_r(0)‖ ≤ `factor` √n ‖u(0) − y‖/(√m λ_0) while λ_min(H) ≥ λ_0/2; observed: the largest ratio.

    In the constructed networks, in the runs (`samples`, `units` and `lambda_0` are theirs), and in the flows of one
    sample that end with H ≥ λ_0/2 = 1/4. Some of these reach the corrected radius: m ε is allowed for rounding.
    """
    radius = printed_radius(*(constructed[name] for name in ("samples", "width", "start", "lambda_0")))
    ratios = [np.maximum(constructed["movement"], constructed["flow_movement"]) / radius]
    for run in replicates(chain):
        held = np.logical_and.accumulate(run["lambda_min"] >= lambda_0 / 2)
        ratios.append(run["movement"][held] / printed_radius(samples, units, run["norm"][0], lambda_0))
    covered = one_sample["end_rate"] >= 0.25
    radius = printed_radius(1, one_sample["width"], one_sample["start_error"], 0.5)
    ratios.append((one_sample["path"] / radius)[covered])
    together = np.concatenate(ratios) / factor
    worst, rounding = float(together.max()), int(one_sample["width"].max()) * float(np.finfo(float).eps)
    return Outcome(worst, 1.0, len(together), worst <= 1 + rounding, hypotheses=lemma_hypotheses(constructed))


def printed_radius(samples, width, start_error, lambda_0):
    """√n ‖u(0) − y‖/(√m λ_0), the radius of Lemma 3.3 as printed: half of `convergence.movement_bound`."""
    return convergence.movement_bound(samples, width, start_error**2, lambda_0) / 2


def slow_at_once(one_sample: Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each width, how many flows of one sample start with 1/4 ≤ H(0) < 1/2, of how many, and the exact probability.

    There ‖u − y‖ exceeds e^{−λ_0 t} ‖u(0) − y‖ from the start, as λ_0 = 1/2. The number of active units is binomial.
    """
    widths, slow = np.unique(one_sample["width"]), one_sample["start_rate"] < 0.5
    counted = [slow & (one_sample["start_rate"] >= 0.25) & (one_sample["width"] == width) for width in widths]
    probability = bdtr(np.ceil(widths / 2) - 1, widths, 0.5) - bdtr(np.ceil(widths / 4) - 1, widths, 0.5)
    trials = [int(np.sum(one_sample["width"] == width)) for width in widths]
    return np.array([int(rows.sum()) for rows in counted]), np.array(trials), probability


def one_sample_share(one_sample: Table, ties: bool) -> Outcome:
    """The shares of `slow_at_once` agree with their exact probabilities or, without `ties`, with one half."""
    hits, trials, probability = slow_at_once(one_sample)
    return binomial_agreement(hits, trials, probability if ties else np.full(len(hits), 0.5))


def slow_in_the_end(one_sample: Table, shift: float) -> tuple[int, int, float]:
    """How many flows of the widest networks end with 1/4 ≤ H(∞) < 1/2, of how many; the mean of Φ(`shift` |r(0)|)."""
    widest = one_sample["width"] == one_sample["width"].max()
    share = float(ndtr(shift * one_sample["start_error"][widest]).mean())
    ends = one_sample["end_rate"][widest]
    return int(np.sum((ends >= 0.25) & (ends < 0.5))), int(widest.sum()), share


def one_sample_limit(one_sample: Table, shift: float) -> Outcome:
    """The share of `slow_in_the_end` agrees with its limit for infinite width."""
    hits, trials, share = slow_in_the_end(one_sample, shift)
    return binomial_agreement([hits], [trials], [share])
