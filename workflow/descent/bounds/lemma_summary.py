"""Numbers about Lemmas 3.2 and 3.3 for the report's prose and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import ndtr

from descent.bounds import convergence, lemma_checks, pattern_flips
from descent.bounds.convergence_checks import replicates
from descent.statistics import CLAIM_LEVEL, binomial_interval

Table = Mapping[str, np.ndarray]


def run_bounds(metrics: Table, chain: Table, lambda_0: float) -> list[Table]:
    """`convergence.bound_columns` of every replicate: errors at all steps, the hypothesis from the kept ones."""
    pairs = zip(replicates(metrics), replicates(chain), strict=True)
    return [convergence.bound_columns(run, kept, lambda_0) for run, kept in pairs]


def flip_rows(flips: Table) -> list[dict[str, float]]:
    """For each radius the share of draws whose pattern a weight within R flips, its interval, erf(R/√2), 2R/√(2π)."""
    rows = lemma_checks.of_variant(flips, "stated")
    hits = rows["inside_flips"] + rows["outside_flips"]
    low, high = binomial_interval(hits, rows["draws"], CLAIM_LEVEL / len(hits))
    exact, bound = pattern_flips.flip_probability(rows["radius"]), pattern_flips.flip_probability_bound(rows["radius"])
    columns = {"radius": rows["radius"], "hits": hits, "share": hits / rows["draws"], "low": low, "high": high,
               "exact": exact, "bound": bound}
    return _rows(columns)


def _rows(columns: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    return [dict(zip(columns, values, strict=True))
            for values in zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True)]


def chain_values(chain: Table, metrics: Table) -> dict[str, float]:
    """Ranges of the ratios in (i) and (ii) over all kept steps; sup |Δ ln ‖u − y‖| from twice the step to the step."""
    first, second = chain["speed"] / chain["summed"], chain["summed"] / chain["root"]
    common = np.isfinite(metrics["doubled_loss"])
    change = np.abs(np.log(metrics["loss"][common] / metrics["doubled_loss"][common])) / 2
    return {
        "first_greatest": float(first.max()), "first_least": float(first.min()),
        "second_greatest": float(second.max()), "second_least": float(second.min()),
        "halving": float(change.max()), "eta": float(metrics["flow_time"][1]), "steps": int(metrics["step"].max()),
        "flow_time": float(metrics["flow_time"].max()), "kept": len(np.unique(chain["step"])),
    }


def run_rows(metrics: Table, chain: Table, lambda_0: float, samples: int, units: int) -> list[dict[str, Any]]:
    """Of every replicate: when λ_min(H) ≥ λ_0/2 was last seen, when the printed rate first fails, and distances.

    `lost_time` is None while the hypothesis is never lost, `fails_time` while the rate never fails; `excess` is the
    greatest ratio of ‖u − y‖ and the printed bound before the loss; `lambda_min` the last kept one before the failure
    over λ_0; `movement`, `integrated`, `printed`, `corrected` the distance at that last held step and bounds on it.
    """
    return [_run_row(columns, kept, lambda_0, samples, units) for columns, kept in
            zip(run_bounds(metrics, chain, lambda_0), replicates(chain), strict=True)]


def _run_row(columns: Table, kept: Table, lambda_0: float, samples: int, units: int) -> dict[str, Any]:
    held, times = columns["spectrum_held"], columns["flow_time"]
    excess = (columns["log_error"] - columns["log_error"][0]) / 2 + lambda_0 * times
    fails = convergence.first_failure(excess[1:], np.zeros(len(excess) - 1)) + 1
    before = np.searchsorted(kept["step"], columns["step"][fails], side="right") - 1
    last = int(np.logical_and.accumulate(kept["lambda_min"] >= lambda_0 / 2).sum()) - 1
    printed = float(lemma_checks.printed_radius(samples, units, kept["norm"][0], lambda_0))
    return {
        "start": float(kept["norm"][0]), "held_time": float(kept["flow_time"][last]), "lost": not bool(held.all()),
        "fails_time": float(times[fails]) if fails else None, "fails_while_held": bool(fails and held[fails]),
        "lambda_min": float(kept["lambda_min"][before] / lambda_0) if fails else None,
        "excess": float(np.exp(excess[held].max())), "movement": float(kept["movement"][last]),
        "integrated": float(kept["integrated"][last]), "printed": printed, "corrected": 2 * printed,
    }


def constructed_rows(constructed: Table) -> list[dict[str, Any]]:
    """The end of each network whose patterns never flip: spectrum over λ_0, error and movement over what is printed."""
    cases = np.array(constructed["case"])
    ends = [np.flatnonzero((cases == case) & (constructed["replicate"] == replicate))[-1]
            for case in ("one_sample", "cone", "mnist1d") for replicate in np.unique(constructed["replicate"])
            if np.any((cases == case) & (constructed["replicate"] == replicate))]
    end = {name: values[ends] for name, values in constructed.items() if name != "case"}
    printed = lemma_checks.printed_radius(end["samples"], end["width"], end["start"], end["lambda_0"])
    columns = {name: end[name] for name in ("samples", "width", "start", "lambda_0", "flow_time")}
    columns |= {"lambda_min": end["lambda_min"] / end["lambda_0"], "rate": end["rate"] / end["lambda_0"],
                "excess": np.exp(end["log_error"] + end["lambda_0"] * end["flow_time"]),
                "movement": end["movement"] / printed, "limit": end["flow_movement"] / printed}
    return [{"case": case, **row} for case, row in zip(cases[ends].tolist(), _rows(columns), strict=True)]


def one_sample_rows(one_sample: Table) -> list[dict[str, float]]:
    """For each width the shares of flows on which the printed rate and radius fail, with what theory expects."""
    hits, trials, probability = lemma_checks.slow_at_once(one_sample)
    rows = []
    for i, width in enumerate(np.unique(one_sample["width"])):
        flows = {name: values[one_sample["width"] == width] for name, values in one_sample.items()}
        ended, _, ended_limit = lemma_checks.slow_in_the_end(flows, 2 / np.sqrt(2 * np.pi))
        ratios = flows["path"] / lemma_checks.printed_radius(1, width, flows["start_error"], 0.5)
        covered = flows["end_rate"] >= 0.25
        rows.append({
            "width": int(width), "at_once": float(hits[i] / trials[i]), "at_once_exact": float(probability[i]),
            "in_the_end": ended / int(trials[i]), "in_the_end_limit": ended_limit,
            "beyond": float(np.mean(covered & (ratios > 1))), "beyond_limit": float(
                ndtr(flows["start_error"] / np.sqrt(2 * np.pi)).mean()),
            "covered": float(covered.mean()), "furthest": float(ratios[covered].max()),
        })
    return rows


def findings(numbers: Mapping[str, Any]) -> list[str]:
    """The study's findings in a sentence each, from its values."""
    runs, widest = numbers["runs"], numbers["one_sample"][-1]
    early = sum(row["fails_while_held"] for row in runs)
    built = numbers["inside"] + numbers["outside"]
    boundary = ("its equivalence fails only on the null set $w^\\top x = -R$" if numbers["half_open_holds"]
                else "its boundary is not understood")
    rate = "is kept in all networks made to break it" if numbers["rate_holds"] else "fails as well"
    return [
        f"Lemma 3.2: of {built:,} weights built from {numbers['draws']:,} draws {numbers['exceptions'] or 'none'} "
        f"contradict it; with a closed ball {boundary}.",
        "Lemma 3.3: the printed rate $e^{-\\lambda_0 s}$ of the norm is exceeded, while $\\lambda_{\\min}(H) \\geq "
        f"\\lambda_0/2$, in {early} of {len(runs)} training runs and in {100 * widest['in_the_end']:.0f}% of the "
        f"exact flows on one sample at width {widest['width']:,}; $e^{{-\\lambda_0 s/2}}$ {rate}, up to "
        f"{numbers['rate_reached']:.1%} of it.",
    ]
