"""The numbers that the section on implicit convolutions shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.bounds.convolution_norm import symbol_range, wave_norm
from descent.bounds.implicit_convolution import LATE, STEPS
from descent.bounds.implicit_convolution_checks import ends


def summary(tables: Mapping[str, Mapping[str, Any]], norms: Sequence[Mapping[str, float]], kernel: np.ndarray,
            settings: Mapping[str, Any]) -> dict[str, Any]:
    """Flat values and rows for tables: limits of both problems, descents by step, products and descent at large n.

    `kernel` is that of the large problem.
    """
    table = tables["descents"]
    last = ends(table)
    found = {
        "late": LATE + 1,
        **_limits(last, "document"),
        **{f"tails_{key}": value for key, value in _limits(last, "tails").items()},
        "steps": [_step_row(table, case, name) for case in ("document", "tails") for name in STEPS],
        "products": [dict(zip(tables["products"], map(_plain, row))) for row in zip(*tables["products"].values())],
        "norms": [dict(row) for row in norms],
        "tails_problems": int(np.sum((np.array(last["case"]) == "tails") & (np.array(last["name"]) == "half")
                                     & (last["local"] < 0.999 * last["smoothness"]))),
        **_large(tables["large"], kernel, settings["large"]["size"]), **_at_document_step(table, settings),
    }
    found["findings"] = [_finding(found, settings)]
    return found


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _limits(last: Mapping[str, Any], case: str) -> dict[str, Any]:
    at = np.flatnonzero((np.array(last["case"]) == case) & (last["replicate"] == 0))[0]
    found = {name: _plain(last[name][at]) for name in ("smoothness", "local", "norm", "least", "outside", "ridge",
                                                      "optimum", "least_squares", "start")}
    return {**found, "limit": 2 / found["smoothness"], "local_limit": 2 / found["local"],
            "last_limit": 2 / found["ridge"], "condition": found["smoothness"] / found["ridge"]}


def _step_row(table: Mapping[str, Any], case: str, name: str) -> dict[str, Any]:
    chosen = (np.array(table["case"]) == case) & (np.array(table["name"]) == name) & (table["replicate"] == 0)
    rows = {key: np.array(table[key])[chosen] for key in ("step", "gap", "start", "peak", "smoothness", "iteration")}
    late = (rows["gap"] / rows["start"])[-LATE - 1:]
    return {"case": case, "name": name, "step": float(rows["step"][0]), "peak": float(rows["peak"][-1]),
            "ratio": float(rows["step"][0] * rows["smoothness"][0] / 2), "least": float(late.min()),
            "greatest": float(late.max())}


def _at_document_step(table: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, float]:
    rows = (np.array(table["case"]) == "document") & (np.array(table["name"]) == "document") & (table["replicate"] == 0)
    at = rows & (table["iteration"] == settings["iterations"])
    end = rows & (table["iteration"] == settings["most_iterations"])
    gap, start = float(table["gap"][at][0]), float(table["start"][at][0])
    others = {f"{name}_relative_gap": _gap_at(table, name, settings["iterations"]) for name in ("half", "best")}
    return {**others, "document_gap": gap, "document_relative_gap": gap / start,
            "document_distance": float((table["distance"] / table["optimum"])[at][0]),
            "document_end": float(table["gap"][end][0]) / start}


def _gap_at(table: Mapping[str, Any], name: str, iteration: int) -> float:
    rows = (np.array(table["case"]) == "document") & (np.array(table["name"]) == name) & (table["replicate"] == 0)
    return float((table["gap"] / table["start"])[rows & (table["iteration"] == iteration)][0])


def _large(table: Mapping[str, Any], kernel: np.ndarray, size: int) -> dict[str, Any]:
    runs, (least, greatest) = np.array(table["run"]), symbol_range(kernel, size)
    lower = wave_norm(kernel, size)
    found = {"large_norm_lower": lower, "large_norm_upper": greatest, "large_norm_width": (greatest - lower) / greatest,
             "large_least": least}
    for run in ("document", "best"):
        rows = runs == run
        certified = float(table["certified"][rows][-1])
        found |= {f"large_{run}_step": float(table["step"][rows][0]),
                  f"large_{run}_fall": float(table["gradient"][rows][-1] / table["gradient"][rows][0]),
                  f"large_{run}_certified": certified if np.isfinite(certified) else None}
    return found


def _finding(found: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    dense = next(row["dense_bytes"] for row in found["products"] if row["dtype"] == "float64")
    kernel = next(row["kernel_bytes"] for row in found["products"] if row["dtype"] == "float64")
    return (f"A convolution written as an object with `@` stores {kernel} bytes where its matrix at n = "
            f"{settings['large']['size']:,} would take {dense / 1e12:.3g} TB, and is exact in integers "
            "([snu.5.operator](#claim-snu.5.operator)). On its Huber loss, the step limit "
            f"2/(‖A‖² + λ) = {found['limit']:.3g} decides about convergence, but divergence starts only at 2/λ = "
            f"{found['last_limit']:.3g} ([snu.5.bounded](#claim-snu.5.bounded), "
            "[snu.5.divergence](#claim-snu.5.divergence)).")
