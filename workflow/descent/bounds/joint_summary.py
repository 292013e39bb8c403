"""Numbers about the training of both layers for the report's prose and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.bounds import convergence_summary
from descent.bounds.convergence_checks import replicates
from descent.bounds.joint_checks import formula_agrees, joint_bounds, rows_where, whole_step
from descent.kernels.arc_cosine import relu_gram
from descent.kernels.neural_tangent_kernel import h_infinity
from descent.statistics import mean_interval

Table = Mapping[str, np.ndarray]
BOTH_LAYERS, OUTPUT_LAYER = ("measured", "rounding"), ("measured_outputs", "rounding_outputs")
# What is compared with the difference quotient: of both layers or of the output layer alone.
FORMULAS = {
    "right": (BOTH_LAYERS, ("hidden_squared", "outputs_summed")),
    "unweighted": (BOTH_LAYERS, ("hidden_unweighted", "outputs_summed")),
    "output_layer": (OUTPUT_LAYER, ("outputs_summed",)),
    "weighted": (OUTPUT_LAYER, ("outputs_weighted",)),
    "one_unit": (OUTPUT_LAYER, ("outputs_one_unit",)),
    "printed": (OUTPUT_LAYER, ("outputs_printed",)),
}
SPECTRUM = ("lambda_min_h", "lambda_min_unweighted", "lambda_min_g", "lambda_min", "lambda_max", "movement",
            "output_movement", "flipped", "mean_square", "balance_drift")


def limit_values(x: np.ndarray) -> dict[str, float]:
    """λ_0 = λ_min(H∞), λ_min(G∞), and the ends of the spectrum of H∞ + G∞, for inputs of unit length."""
    hidden, outputs = h_infinity(x), relu_gram(x.T)
    together = np.linalg.eigvalsh(hidden + outputs)
    return {"n": len(x), "d": x.shape[1], "lambda_0": float(np.linalg.eigvalsh(hidden)[0]),
            "g_limit": float(np.linalg.eigvalsh(outputs)[0]), "sum_limit": float(together[0]),
            "lambda_max_limit": float(together[-1]),
            "h_lambda_max_limit": float(np.linalg.eigvalsh(hidden)[-1])}


def derivative_values(table: Table) -> dict[str, Any]:
    """For each formula its largest error over rounding and the share of points at which it is off.

    `NAME_error`, `NAME_off` for a ~ N(0, 1), `NAME_off_signs` for a = ±1.
    """
    found: dict[str, Any] = {"points": int(table["point"].max()) + 1}
    for name, (columns, terms) in FORMULAS.items():
        for signs, suffix in ((False, ""), (True, "_signs")):
            rows = rows_where(table, table["signs"] == signs)
            off = [not formula_agrees(rows_where(rows, rows["point"] == point), *columns, terms).holds
                   for point in np.unique(rows["point"])]
            found[f"{name}_off{suffix}"] = float(np.mean(off))
            found[f"{name}_error{suffix}"] = formula_agrees(rows, *columns, terms).observed
    return found


def run_values(metrics: Table, spectrum: Table, lambda_0: float, trained: str) -> dict[str, Any]:
    """First, last and greatest of what a run shows, over its replicates; keys begin with `trained`."""
    runs, kept = (replicates(whole_step(table)) for table in (metrics, spectrum))
    bounds = joint_bounds(metrics, spectrum, lambda_0)
    found = {
        "first_error": 2 * np.mean([run["loss"][0] for run in runs]),
        "final_error": np.exp(np.mean([np.log(2 * run["loss"][-1]) for run in runs])),
        "lost": sum(bool(np.any(rows["lambda_min_h"] < lambda_0 / 2)) for rows in kept),
    }
    for name in SPECTRUM:
        first, last = (np.array([rows[name][i] for rows in kept]) for i in (0, -1))
        found |= {f"{name}_first": first.mean(), f"{name}_last": last.mean(), f"{name}_last_least": last.min(),
                  f"{name}_last_most": last.max()}
    found["lambda_min_h_least"] = min(rows["lambda_min_h"].min() for rows in kept)
    failures = convergence_summary.failures(bounds)
    found |= {key: failures[key] for key in ("flow_fails", "flow_log10_at_end", "flow_before_loss", "lost_first_time")}
    return {f"{trained}_{key}": _plain(value)
            for key, value in found.items()}


def _plain(value) -> float | int | None:
    return value.item() if isinstance(value, np.generic) else value


def decay_values(both: Table, hidden: Table, lambda_0: float) -> dict[str, float]:
    """The part of G in the decay of the loss with both layers trained, and −d/dt ln ‖u − y‖² of the flow.

    `hidden_rate_last`: that rate at the end with the hidden layer alone, where it is due to H only.
    """
    rows, end = whole_step(both), hidden["step"] == hidden["step"].max()
    share = rows["output_form"] / (rows["hidden_form"] + rows["output_form"])
    rate = 2 * (rows["hidden_speed"] + rows["output_speed"]) / rows["squared_error"]
    last = rows["step"] == rows["step"].max()
    return {"share_first": float(share[rows["step"] == 0].mean()), "share_last": float(share[last].mean()),
            "share_least": float(share.min()), "rate_first": float(rate[rows["step"] == 0].mean()),
            "rate_last": float(rate[last].mean()), "rate_least": float(rate.min()),
            "rate_over_lambda_0": float(rate.min() / lambda_0),
            "hidden_rate_last": float(np.mean((2 * hidden["hidden_form"] / hidden["squared_error"])[end]))}


def measured_rate(metrics: Table, part: float = 0.1) -> float:
    """−Δ ln ‖u − y‖²/Δt of descent over the last `part` of the steps, mean over the replicates.

    Where weights slide along hyperplanes this is less than the rate from the gradient at a single step.
    """
    rates = []
    for run in replicates(whole_step(metrics)):
        first = min(round((1 - part) * (len(run["step"]) - 1)), len(run["step"]) - 2)
        rates.append(np.log(run["loss"][first] / run["loss"][-1]) / (run["flow_time"][-1] - run["flow_time"][first]))
    return float(np.mean(rates))


def comparison(both: Table, hidden: Table) -> dict[str, Any]:
    """log10 of the last squared error with the hidden layer alone over that with both, mean and 95% interval.

    `ahead` counts the replicates in which both layers have the lower loss at the end, `always_ahead` those in which
    they have it at every step after the first.
    """
    pairs = [(a["loss"], b["loss"]) for a, b in zip(
        replicates(whole_step(both)), replicates(hidden), strict=True)]
    orders = [np.log10(b[-1] / a[-1]) for a, b in pairs]
    mean, low, high = mean_interval(orders)
    return {"orders": mean, "orders_low": low, "orders_high": high, "ahead": sum(bool(value > 0) for value in orders),
            "always_ahead": sum(bool(np.all(a[1:] < b[1:])) for a, b in pairs)}


def findings(numbers: Mapping[str, Any]) -> list[str]:
    """The study's findings in a sentence each, from its values."""
    first, both, hidden = (numbers[f"{key}_lambda_min_h_{when}"] for key, when in (
        ("both", "first"), ("both", "last"), ("hidden", "last")))
    grown = both > first and numbers["both_lambda_min_unweighted_last"] < first
    return [
        f"With both layers trained the least eigenvalue of $H(t)$, on which the bound of Theorem 3.3 rests, "
        f"{'rises' if both > first else 'falls'} from {first:.3g} to {both:.3g}"
        f"{', because the output weights grow' if grown else ''}; with the hidden layer alone it "
        f"{'rises' if hidden > first else 'falls'} to {hidden:.3g} ($\\lambda_0/2$ = {numbers['lambda_0'] / 2:.3g}).",
        f"At equal flow time both layers end {numbers['orders']:.2g} orders of magnitude below the hidden layer alone "
        f"in squared error (95% interval {numbers['orders_low']:.2g} to {numbers['orders_high']:.2g}); the theorem's "
        f"bound {'fails in some runs' if numbers['both_flow_fails'] else 'is never exceeded'}.",
    ]
