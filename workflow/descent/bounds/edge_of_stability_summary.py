"""The numbers that the edge-of-stability section shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from descent.bounds.edge_of_stability import last_third, moments, reached, runs


def summary(spectrum: Mapping[str, Any], models: Mapping[str, Any], density: Mapping[str, Any],
            settings: Mapping[str, Any]) -> dict[str, Any]:
    """Flat values, and rows for the tables of steps and densities."""
    rows = [_row(spectrum, eta) for eta in (*settings["rates"], settings["reference_rate"])]
    large = rows[:-1]
    grown = models["model"] / models["network"]
    found = {
        "rows": rows, "densities": [_density(density, state) for state in ("start", "sharpest", "end")],
        "ratio_least": min(row["ratio"] for row in large), "ratio_greatest": max(row["ratio"] for row in large),
        "reference_end": rows[-1]["end"], "weights": int(density["size"][0]),
        "residual_greatest": float(np.max(spectrum["greatest_residual"] / spectrum["greatest"])),
        "least_residual_greatest": float(np.max(spectrum["least_residual"] / spectrum["greatest"])),
        "products": float(spectrum["products"].mean()), "density_step": settings["rates"][1],
        "model_factor": float(grown.min()), "model_sharpest": float(np.max(models["sharpness"] * models["eta"])),
        "model_mildest": float(np.min(models["sharpness"] * models["eta"])),
    }
    return {**found, "findings": [_finding(found)]}


def _row(table: Mapping[str, Any], eta: float) -> dict[str, Any]:
    sharpness, first = runs(table, "greatest", eta), reached(table, eta)
    times = np.unique(table["flow_time"])
    ever = first[first < len(times)]
    return {"eta": eta, "limit": 2 / eta, "start": float(sharpness[:, 0].mean()),
            "reached": float(times[ever].mean()) if len(ever) == len(first) else None,
            "greatest": float(sharpness.max(axis=1).mean()), "end": float(sharpness[:, -1].mean()),
            "ratio": float(last_third(table, "greatest", eta).mean() * eta / 2),
            "rises": float(last_third(table, "rises", eta).mean()),
            "loss": float(last_third(table, "loss", eta).mean()), "least": float(runs(table, "least", eta).min())}


def _density(density: Mapping[str, Any], state: str) -> dict[str, Any]:
    rows, size = np.array(density["state"]) == state, int(density["size"][0])
    nodes, weights = density["node"][rows], density["weight"][rows] / (density["probe"][rows].max() + 1)
    trace, frobenius = moments(density, state).mean(axis=1)
    top = float(nodes.max())
    return {"state": state, "flow_time": float(density["flow_time"][rows][0]), "greatest": top,
            "least": float(nodes.min()), "trace": float(trace), "exact_trace": float(density["trace"][rows][0]),
            "frobenius": float(frobenius**0.5), "exact_frobenius": float(density["frobenius"][rows][0] ** 0.5),
            "bulk": float(weights[np.abs(nodes) < 0.01 * top].sum()),
            "outliers": float(size * weights[nodes > 0.5 * top].sum())}


def _finding(found: Mapping[str, Any]) -> str:
    at_edge = found["ratio_least"] >= 0.9 and found["ratio_greatest"] <= 1.2
    return ("Gradient descent with a large step "
            + ("ends at the edge of stability" if at_edge else "does not end at the edge of stability")
            + rf": the mean sharpness of its last third is {found['ratio_least']:.2f} to {found['ratio_greatest']:.2f} "
            + r"times $2/\eta$ for three steps ([edge](#claim-edge.plateau)).")
