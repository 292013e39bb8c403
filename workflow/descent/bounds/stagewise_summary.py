"""Numbers about stagewise training, and how it compares with full training, for the report's prose and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.bounds.convergence_checks import replicates
from descent.dynamics.stagewise_descent import stage_rows
from descent.statistics import mean_interval

Table = Mapping[str, np.ndarray]


def geometric(samples: np.ndarray, name: str) -> dict[str, float]:
    """Geometric mean of positive `samples` and Student's 95% interval: {name, name_low, name_high}."""
    mean, low, high = np.exp(mean_interval(np.log(samples)))
    return {name: float(mean), f"{name}_low": float(low), f"{name}_high": float(high)}


def final_losses(metrics: Table) -> np.ndarray:
    """The last loss on all samples of each replicate."""
    return np.array([rows["all_loss"][-1] for rows in replicates(metrics)])


def loss_at(metrics: Table, column: str, value: float) -> np.ndarray:
    """Loss on all samples of each replicate where `column` (step or flow_time) has `value`, log-linear in between."""
    runs = [{name: values[np.isfinite(rows["all_loss"])] for name, values in rows.items()}
            for rows in replicates(metrics)]
    return np.array([np.exp(np.interp(value, rows[column], np.log(rows["all_loss"]))) for rows in runs])


def first_below(full: Table, levels: np.ndarray) -> np.ndarray:
    """The first step of each replicate of full training at which its loss, which has all samples, is at most a level.

    `loss` is there for every step, `all_loss` only for some.
    """
    return np.array([rows["step"][np.argmax(rows["loss"] <= level)]
                     for rows, level in zip(replicates(full), levels, strict=True)])


def comparison(stagewise: Table, full: Table) -> dict[str, Any]:
    """Both runs' ends, their ratio at equal steps with its interval, and what full training needs for the same loss.

    sample_share: gradients of single samples that stagewise training takes, over those of full training. last_stage:
    stagewise training's end over full training's loss after as many steps as the last stage has.
    """
    ends, steps = (final_losses(stagewise), final_losses(full)), int(full["step"].max())
    needed = first_below(full, ends[0])
    taken = np.sum(stagewise["samples"][stagewise["stage_step"] > 0]) / len(ends[0])
    share = float(taken / (steps * full["samples"].max()))
    reached = bool(np.all(ends[1] <= ends[0]))
    return {
        "steps": steps, "flow_time": float(stagewise["flow_time"].max()),
        "full_flow_time": float(full["flow_time"].max()), "first_loss": float(np.exp(np.mean(np.log(
            [rows["all_loss"][0] for rows in replicates(full)])))),
        **geometric(ends[0], "stagewise"), **geometric(ends[1], "full"), **geometric(ends[0] / ends[1], "ratio"),
        "sample_share": share, **geometric(ends[0] / loss_at(full, "step", share * steps), "ratio_equal_samples"),
        **geometric(ends[0] / loss_at(full, "step", int(stagewise["stage_step"].max())), "last_stage"),
        "full_reaches": reached, **(geometric(needed / steps, "needed") if reached else {}),
    }


def stage_table(metrics: Table, states: Table, bounds: Table, labels: np.ndarray) -> list[dict[str, Any]]:
    """One row for each stage: sizes, λ_0(S), losses at its start and end, on unseen and on earlier samples.

    Losses are geometric means over replicates; `unseen` is the loss on samples not yet seen at the stage's end over
    their loss at the very start, `earlier` that on the samples of the stage before over its loss at that stage's end.
    """
    rows, before = [], None
    starts = [part["digit_loss"][0] for part in stage_rows(states) if part["stage"][0] == 1]
    for stage in np.unique(states["stage"]):
        kept = [part for part in stage_rows(states) if part["stage"][0] == stage]
        own = [part["loss"][[0, -1]] for part in stage_rows(metrics) if part["stage"][0] == stage]
        first, last = np.exp(np.mean(np.log(own), axis=0))
        at = bounds["stage"] == stage
        digits, ends = int(kept[0]["digits"][0]), [part["digit_loss"][-1] for part in kept]
        row = {"stage": int(stage), "digits": digits, "samples": int(np.sum(labels < digits)),
               "rate": float(bounds["rate"][at][0]), "eta": float(bounds["eta"][at][0]), "first": float(first),
               "last": float(last), "least_quotient": float(bounds["relative_eigenvalue"][at].min()),
               "unseen": None, "earlier": None}
        if digits < 10:
            row |= geometric([e[digits:].sum() / s[digits:].sum() for e, s in zip(ends, starts, strict=True)], "unseen")
        if before:
            old, past = before
            row |= geometric([e[:old].sum() / p[:old].sum() for e, p in zip(ends, past, strict=True)], "earlier")
        rows, before = [*rows, row], (digits, ends)
    return rows


def digit_table(stagewise: Table, full: Table) -> list[dict[str, Any]]:
    """For each digit the last losses of both kinds of training and their ratio over replicates, with interval."""
    ends = [np.array([rows["digit_loss"][-1] for rows in replicates(states)]) for states in (stagewise, full)]
    return [{"digit": digit, **geometric(ends[0][:, digit], "stagewise"), **geometric(ends[1][:, digit], "full"),
             **geometric(ends[0][:, digit] / ends[1][:, digit], "ratio")} for digit in range(10)]


def hypothesis(bounds: Table, full: Table, lambda_0: float) -> dict[str, Any]:
    """The least λ_min(H)/(λ_0/2) over kept steps: stage by stage, each with its own λ_0(S), and in full training.

    full_lost: in how many replicates of full training it is below 1; full_lost_step: the first such kept step.
    """
    runs = replicates(full)
    quotients = [rows["lambda_min"] / (lambda_0 / 2) for rows in runs]
    lost = [int(rows["step"][np.argmax(q < 1)]) for rows, q in zip(runs, quotients, strict=True) if q.min() < 1]
    return {"stagewise_least_quotient": float(bounds["relative_eigenvalue"].min()),
            "full_least_quotient": float(min(q.min() for q in quotients)),
            "full_lost": len(lost), "full_lost_step": min(lost) if lost else None}


def equal_time(metrics: Mapping[str, Table]) -> dict[str, Any]:
    """Stagewise training with `lr` against full training at the flow time that it reaches, read off the large step.

    equal_time_check: the large step's loss at the flow time of full training with `lr`, over that training's loss.
    """
    staged, fine, large = (metrics[name] for name in ("stagewise_lr", "full_lr", "full_stable"))
    return {**geometric(final_losses(staged) / loss_at(large, "flow_time", staged["flow_time"].max()), "equal_time"),
            **geometric(loss_at(large, "flow_time", fine["flow_time"].max()) / final_losses(fine),
                        "equal_time_check")}


def findings(numbers: Mapping[str, Any]) -> list[str]:
    """The study's findings in two sentences, from its values."""
    ratio, low, high = (numbers[f"stable_ratio{end}"] for end in ("", "_low", "_high"))
    said = "ratio {}, 95% interval {} to {}".format(*(f"{float(f'{x:.3g}'):,.10g}" for x in (ratio, low, high)))
    more = "larger" if low > 1 else "smaller" if high < 1 else "not clearly different"
    reach = (f"; full training gets there after {numbers['stable_needed']:.0%} of the steps"
             if numbers["stable_full_reaches"] else "")
    kept, other = ("stays above" if numbers[f"{order}_least_quotient"] >= 1 else "falls below"
                   for order in ("stagewise", "full"))
    return [
        f"Stagewise against full training at equal steps and flow time, {numbers['replicates']} initializations: the "
        f"final loss on all samples is {more} ({said}){reach}.",
        f"In stagewise training $\\lambda_{{\\min}}(H)$ on the stage's samples {kept} half of its limit's; in full "
        f"training it {other} it.",
    ]
