"""Bounds on the training error of over-parameterized two-layer networks (Du, Zhai, Póczos and Singh 2018)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from descent.kernels.neural_tangent_kernel import h_infinity
from descent.pipeline.tables import read_table, write_table


def log_flow_bound(start: float, rate: float, flow_time: np.ndarray) -> np.ndarray:
    """ln(e^{−λ t} ‖u(0) − y‖²), start = ‖u(0) − y‖², λ = `rate` (Theorem 3.2 with λ = λ_0)."""
    return np.log(start) - rate * np.asarray(flow_time)


def log_discrete_bound(start: float, rate: float, eta: float, steps: np.ndarray) -> np.ndarray:
    """ln((1 − η λ/2)^k ‖u(0) − y‖²) for the squared error after k steps (Theorem 4.1 with λ = λ_0)."""
    return np.log(start) + np.asarray(steps) * np.log1p(-eta * rate / 2)


def log_remainder_bound(start: float, rate: float, eta: float, remainders: np.ndarray) -> np.ndarray:
    """ln B_k² with B_{k+1} = (1 − η λ/2) B_k + ‖e(k)‖, B_0 = ‖u(0) − y‖, `start` = B_0².

    `remainders[k]` is ‖e(k−1)‖, the remainder of the step that led to k (entry 0 is not read). Follows from
    u(k+1) − y = (I − η H(k))(u(k) − y) + e(k) wherever ‖I − η H(k)‖ ≤ 1 − η λ/2, without further assumption.
    """
    # Relative to B_0, so that the bound at step 0 is the squared error itself to the last bit.
    bound, relative = np.ones(len(remainders)), remainders / np.sqrt(start)
    for k in range(1, len(bound)):
        bound[k] = (1 - eta * rate / 2) * bound[k - 1] + relative[k]
    return np.log(start) + 2 * np.log(bound)


def contracts(lambda_min: np.ndarray, lambda_max: np.ndarray, eta: float, rate: float) -> np.ndarray:
    """Whether ‖I − η H‖₂ ≤ 1 − η λ/2, that is λ_min(H) ≥ λ/2 and η λ_max(H) ≤ 2 − η λ/2."""
    return (lambda_min >= rate / 2) & (eta * lambda_max <= 2 - eta * rate / 2)


def held_until(steps: np.ndarray, kept: np.ndarray, fulfilled: np.ndarray) -> np.ndarray:
    """For each step, whether a condition known at the `kept` steps held at all of them up to the next one after it.

    Conservative between kept steps: the step counts as lost from the last kept one that fulfilled the condition.
    """
    so_far = np.append(np.logical_and.accumulate(fulfilled), False)
    return so_far[np.searchsorted(kept, steps)]


def first_failure(log_error: np.ndarray, log_bound: np.ndarray) -> int:
    """Index of the first entry whose error exceeds its bound, −1 when there is none (NaN errors exceed)."""
    failed = ~(log_error <= log_bound)
    return int(np.argmax(failed)) if failed.any() else -1


def radius(n: int, lambda_0: float, delta: float) -> float:
    """R = √(2π) δ λ_0 / (16 n²): weights within R of their start keep λ_min(H) ≥ λ_0/2 with probability 1 − δ.

    From P(pattern (i, r) can flip) ≤ 2R/√(2π) and Markov's inequality (Lemma 3.2, its constant made explicit).
    """
    return np.sqrt(2 * np.pi) * delta * lambda_0 / (16 * n**2)


def movement_bound(n: int, width: int, start: float, lambda_0: float) -> float:
    """2 √n ‖u(0) − y‖ / (√m λ_0) ≥ ‖w_r(t) − w_r(0)‖ while λ_min(H) ≥ λ_0/2; `start` = ‖u(0) − y‖².

    Lemma 3.3 with the rate e^{−λ_0 s/2} of the norm; the printed e^{−λ_0 s} would give half of it.
    """
    return 2 * np.sqrt(n * start / width) / lambda_0


def required_width(n: int, start: float, lambda_0: float, delta: float) -> float:
    """The width from which `movement_bound` is below `radius`: m = 4 n ‖u(0) − y‖² / (λ_0 R)²."""
    return 4 * n * start / (lambda_0 * radius(n, lambda_0, delta)) ** 2


def bound_columns(metrics: dict[str, np.ndarray], spectrum: dict[str, np.ndarray], lambda_0: float) -> dict[str, Any]:
    """Errors, bounds and hypotheses at the recorded steps of one replicate, the errors and bounds as logarithms."""
    steps, times, squared = metrics["step"], metrics["flow_time"], 2 * metrics["loss"]
    eta = float(times[1] / steps[1])
    held = contracts(spectrum["lambda_min"], spectrum["lambda_max"], eta, lambda_0)
    return {
        "replicate": metrics["replicate"], "step": steps, "flow_time": times, "remainder": metrics["remainder"],
        "log_error": np.log(squared),
        "log_flow_bound": log_flow_bound(squared[0], lambda_0, times),
        "log_discrete_bound": log_discrete_bound(squared[0], lambda_0, eta, steps),
        "log_remainder_bound": log_remainder_bound(squared[0], lambda_0, eta, metrics["remainder"]),
        "spectrum_held": held_until(steps, spectrum["step"], spectrum["lambda_min"] >= lambda_0 / 2),
        "contraction_held": held_until(steps, spectrum["step"], held),
    }


def convergence_bound(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Stage: `bound_columns` for every replicate of a run from its metrics and its `ntk_spectrum`."""
    metrics, spectrum = read_table(inputs["metrics"]), read_table(inputs["spectrum"])
    lambda_0 = float(np.linalg.eigvalsh(h_infinity(read_table(inputs["data"], ["x"])["x"]))[0])
    parts = [bound_columns(_rows(metrics, r), _rows(spectrum, r), lambda_0) for r in np.unique(metrics["replicate"])]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    write_table(outputs["table"], columns, {"flow_time": "flow time"}, settings)


def _rows(table: dict[str, np.ndarray], replicate: int) -> dict[str, np.ndarray]:
    return {name: values[table["replicate"] == replicate] for name, values in table.items()}
