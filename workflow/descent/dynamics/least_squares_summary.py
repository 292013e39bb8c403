"""The numbers that the section on gradient descent on least squares shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from descent.dynamics.least_squares import spectrum
from descent.dynamics.least_squares_checks import delay_per_bit, departure_times

Table = Mapping[str, Any]


def rows_of(table: Table, **chosen: str) -> dict[str, Any]:
    """The rows whose text columns have the `chosen` values; the text columns themselves are left out."""
    count = len(next(iter(table.values())))
    kept = np.logical_and.reduce([np.ones(count, bool), *(np.array(table[k]) == v for k, v in chosen.items())])
    return {name: values[kept] for name, values in table.items() if isinstance(values, np.ndarray)}


def summary(problems: Iterable[tuple], growth: Table, departures: Table, paths: Table, most_bits: int,
            exceptional_ratio: float) -> dict[str, Any]:
    """Flat values and rows for tables: spectra, growth, departures, single runs and the findings."""
    rows = [_problem_row(name, list(group), growth) for name, group in _grouped(problems).items()]
    generic = rows_of(growth, arithmetic="double")
    above, slopes = generic["ratio"] > 1, delay_per_bit(departures, most_bits)
    double = departure_times(departures)[:, -1]
    found = {
        "problems": rows, "runs": len(generic["ratio"]), "runs_above": int(above.sum()),
        "diverged_above": int(np.sum(generic["log10_end"][above] >= 6)),
        "diverged_below": int(np.sum(generic["log10_end"][~above] >= 0)),
        "cells": len(rows_of(growth, arithmetic="eigenbasis")["ratio"]),
        "departures": _departure_rows(departures), "precise_runs": len(departures["departed"]),
        "trapped": int(np.sum(~departures["departed"])), "delay_mean": float(slopes.mean()),
        "delay_least": float(slopes.min()), "delay_greatest": float(slopes.max()),
        "double_mean": float(double.mean() / (52 * np.log(2))), "most_bits": most_bits,
        **_single_runs(paths), "exceptional_factor": 2 * exceptional_ratio - 1,
    }
    return {**found, "findings": _findings(found)}


def _grouped(problems: Iterable[tuple]) -> dict[str, list]:
    groups: dict[str, list] = {}
    for name, _, X, _ in problems:
        groups.setdefault(name, []).append(spectrum(X))
    return groups


def _problem_row(name: str, spectra: Sequence, growth: Table) -> dict[str, Any]:
    generic = rows_of(growth, arithmetic="double", problem=name)
    conditions = [found.values[0] / found.values[found.rank - 1] for found in spectra]
    best = generic["ratio"][generic["growth"].argmin()]
    return {"problem": name, "replicates": len(spectra), "rank": spectra[0].rank, "features": len(spectra[0].values),
            "step_limit": float(np.mean([2 / found.values[0] for found in spectra])),
            "condition_least": float(min(conditions)), "condition_greatest": float(max(conditions)),
            "best_ratio": float(best), "best_growth": float(generic["growth"].min())}


def _departure_rows(table: Table) -> list[dict[str, Any]]:
    rows, last = [], table["bits"].max()
    for ratio in np.unique(table["ratio"]):
        at = (table["ratio"] == ratio) & (table["bits"] == last) & table["departed"]
        steps, factor = table["step"][at], float(table["factor"][at][0])
        rows.append({"ratio": float(ratio), "factor": factor, "mean": float(steps.mean()), "least": int(steps.min()),
                     "greatest": int(steps.max()), "predicted": float(52 * np.log(2) / np.log(factor))})
    return rows


def _single_runs(paths: Table) -> dict[str, Any]:
    found = {}
    for run in ("rational", "double", "single"):
        errors = rows_of(paths, problem="exceptional", run=run)["error"]
        found |= {f"{run}_end": float(errors[-1] / errors[0]), f"{run}_least": float(errors.min() / errors[0]),
                  f"{run}_returned": int((errors[1:] >= errors[0]).argmax()) + 1 if errors[-1] >= errors[0] else None}
    return {**found, "exceptional_steps": len(errors) - 1}


def _findings(found: Mapping[str, Any]) -> list[str]:
    all_diverge = found["diverged_above"] == found["runs_above"] and not found["diverged_below"]
    first = ("Gradient descent on least squares diverged from all" if all_diverge else
             f"Gradient descent on least squares diverged from {found['diverged_above']:,} of")
    return [
        f"{first} {found['runs_above']:,} random starts with a step above $2/\\rho$ and from {found['diverged_below']} "
        f"of {found['runs'] - found['runs_above']:,} below it ([snu.3](#claim-snu.3)).",
        "Starts without a growing component converge beyond $2/\\rho$ in exact arithmetic"
        + (", and rounding drives them away: " if found["double_returned"] else "; in rounded arithmetic ")
        + f"each bit of precision buys {found['delay_mean']:.2f} times $\\ln 2/\\ln|1 - \\alpha\\rho|$ steps "
        "([snu.3.bits](#claim-snu.3.bits))."]
