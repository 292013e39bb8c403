"""Numbers about linearization for the report's prose and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.bounds import linearization_checks as checks
from descent.networks.smooth_activation import SMOOTHNESS
from descent.statistics import power_law

Table = Mapping[str, np.ndarray]
DATA = {"synthetic_regression": "synthetic", "diabetes": "diabetes"}
EXPONENTS = ("gap", "model_gap", "movement", "relative_movement")


def rows_of(table: Table, column: str, value: Any) -> dict[str, np.ndarray]:
    """The rows of a table in which `column` is `value`, text columns included."""
    chosen = np.asarray(table[column]) == value
    return {name: np.asarray(values)[chosen] for name, values in table.items()}


def with_relative_movement(table: Table) -> dict[str, np.ndarray]:
    """The metrics with a column `relative_movement`, ‖W_k − W_0‖_F/‖W_0‖_F."""
    return {**table, "relative_movement": table["movement"] / table["start_norm"]}


def draw_values(table: Table) -> dict[str, Any]:
    """Draws, greatest ratios and failures of the printed bound, over all draws and for each activation."""
    smoothness = smoothness_column(table)
    same, other = (checks.printed_failures(table, smoothness, point) for point in (True, False))
    small = table["scale"] == table["scale"].min()
    rows = []
    for name, beta in SMOOTHNESS.items():
        chosen = rows_of(table, "activation", name)
        ratios = checks.bound_ratios(chosen, beta)
        here = np.asarray(table["activation"]) == name
        rows.append({"activation": name, "draws": len(ratios), "smoothness": beta,
                     "greatest": float(ratios.max()), "below_one": float(1 - ratios.max()),
                     "gaussian_median": float(np.median(ratios[chosen["direction"] == "gaussian"])),
                     "attained": int(np.count_nonzero(ratios == 1)), "same_point": float(same[here].mean()),
                     "other_point": float(other[here].mean()), "other_point_small": float(other[here & small].mean())})
    return {"draws": len(same), "draw_rows": rows, "same_point": float(same.mean()), "other_point": float(other.mean()),
            "other_point_small": float(other[small].mean()), "smallest_scale": float(table["scale"].min()),
            "same_point_exceptions": int(np.count_nonzero(~same)), "largest_scale": float(table["scale"].max())}


def smoothness_column(table: Table) -> np.ndarray:
    """β of the activation of each row."""
    return np.array([SMOOTHNESS[name] for name in table["activation"]])


def exponent_row(data: str, signs: str, table: Table) -> dict[str, Any]:
    """Exponents of the width, with 95% intervals, of what is measured in training, and how the bound is used."""
    table, row = with_relative_movement(table), {"data": DATA[data], "signs": signs}
    for column in EXPONENTS:
        slope, half = power_law(*checks.greatest_over_time(table, column), 0.05)
        row |= {f"{column}_slope": slope, f"{column}_half": half}
    ratios = checks.training_ratios(table, SMOOTHNESS["softplus"])
    widths = table["width"][table["step"] > 0]
    narrow, wide = (float(ratios[widths == width].max()) for width in (widths.min(), widths.max()))
    end, first = table["step"] == table["step"].max(), table["step"] == 0
    return {**row, "narrow_use": narrow, "wide_use": wide, "greatest_use": float(ratios.max()),
            "flow_time": float(table["flow_time"].max()), "first_loss": float(table["loss"][first].mean()),
            "final_loss": float(table["loss"][end].mean()), "least_decrease": float(table["least_decrease"].min()),
            "eta": float(table["flow_time"][end][0] / table["step"].max())}


def width_rows(tables: Mapping[str, Table]) -> list[dict[str, Any]]:
    """For every width the geometric means over replicates of gaps and movements, by run and column."""
    rows: dict[int, dict[str, Any]] = {}
    for name, table in tables.items():
        for column in ("gap", "model_gap", "relative_movement"):
            widths, values = checks.greatest_over_time(with_relative_movement(table), column)
            for width in np.unique(widths):
                mean = float(np.exp(np.log(values[widths == width]).mean()))
                rows.setdefault(int(width), {"width": int(width)})[f"{name}_{column}"] = mean
    return list(rows.values())


def printed_in_training(tables: Sequence[Table]) -> dict[str, float]:
    """The printed bound in training: the share of steps at which it fails, and the ratio of its sides at the end.

    The ratio is the geometric mean over the runs, for the narrowest and for the widest network.
    """
    smoothness = SMOOTHNESS["softplus"]
    found = {"printed_share": checks.printed_along_training(tables, smoothness).observed}
    for name, pick in (("narrow", np.min), ("wide", np.max)):
        ratios = [_end_ratio(table, pick(table["width"]), smoothness) for table in tables]
        found[f"printed_{name}_ratio"] = float(np.exp(np.mean(ratios)))
    return found


def _end_ratio(table: Table, width: int, smoothness: float) -> float:
    last = rows_of(rows_of(table, "step", table["step"].max()), "width", width)
    gap, bound = checks.printed_sides(last, smoothness)
    return float(np.log(gap / bound).mean())


def findings(numbers: Mapping[str, Any]) -> list[str]:
    """The study's findings in a sentence each, from its values."""
    greatest = max(row["greatest"] for row in numbers["draw_rows"])
    corrected = f"{'never' if greatest <= 1 else 'sometimes'} exceeded"
    if any(row["attained"] for row in numbers["draw_rows"]):
        corrected += " but attained"
    return [
        "The exercise's bound on the distance of a network from its linearization fails as printed in "
        f"{100 * numbers['same_point']:.1f}% of {numbers['draws']:,} draws with $W = V$; corrected, it is {corrected}.",
        "In training this distance falls with the width as the power "
        f"{_exponents(numbers, 'equal')} when all output signs are equal, which is the bound's rate ($-1/2$), and as "
        f"{_exponents(numbers, 'random')} with the exercise's random signs, which cancel.",
    ]


def _exponents(numbers: Mapping[str, Any], signs: str) -> str:
    slopes = sorted(row["gap_slope"] for row in numbers["exponents"] if row["signs"] == signs)
    return " to ".join(dict.fromkeys(f"${slope:.2f}$" for slope in (slopes[-1], slopes[0])))
