"""Gradient descent with the tangent Gram matrix examined on the way, without keeping any weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from descent.dynamics.gradient_descent import GradientDescent
from descent.kernels.neural_tangent_kernel import h_patterns
from descent.kernels.sliding_kernel import sliding_correction


class Window:
    """Some consecutive steps: patterns that change and return, and the sum of residuals over the steps."""

    def __init__(self, descent: GradientDescent):
        self.residual, self.loss, self.step = descent.residual[:, 0], descent.loss(), descent.steps
        self.total = np.zeros(descent.n)
        self._changed, self.returned = np.zeros((2, *descent.patterns.shape), bool)

    def update(self, residual: np.ndarray, changes: np.ndarray) -> None:
        """Take in one step: the residual (n,) before it and the patterns (m, n) that it changed.

        A pattern that changes twice has come back: its weight is held at the hyperplane by being pushed from both
        sides. One that changes once has crossed it.
        """
        self.total += residual
        self.returned |= self._changed & changes
        self._changed |= changes


def examined_steps(steps: int, longest: int, count: int, first: int, more: Sequence[int] = ()) -> list[int]:
    """0, at most `count` steps from `first` to `longest`, even in the logarithm, those of `more`, up to `steps`."""
    spaced = np.round(np.geomspace(first, longest, count)).astype(int).tolist()
    return sorted({k for k in (0, steps, *spaced, *more) if k <= steps})


def drift_run(descent: GradientDescent, inputs: np.ndarray, eta: float, steps: int, examined: Sequence[int],
              window: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run `steps` steps of step `eta`; columns of the loss at every step and of `examine` at the `examined` ones.

    Every examined step but 0 closes a window of `window` steps (fewer near the start). Scalar outputs.
    """
    start = (descent.hidden, descent.patterns)
    losses, rows, windows = [descent.loss()], [_start_row(descent, inputs)], {}
    reference = h_patterns(inputs, start[1].T)
    for k in range(1, steps + 1):
        windows |= {end: Window(descent) for end in examined if end and max(end - window, 0) == k - 1}
        before, residual = (descent.patterns, descent.residual[:, 0]) if windows else (None, None)
        descent.step()
        losses.append(descent.loss())
        if windows:
            changes = before != descent.patterns
            for opened in windows.values():
                opened.update(residual, changes)
        if k in windows:
            rows.append({"step": k, **examine(descent, inputs, start, reference, eta, windows.pop(k))})
    examined_columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {"step": np.arange(steps + 1), "flow_time": eta * np.arange(steps + 1), "loss": np.array(losses)}, {
        "step": examined_columns["step"], "flow_time": eta * examined_columns["step"], **examined_columns}


def examine(descent: GradientDescent, inputs: np.ndarray, start: tuple[np.ndarray, np.ndarray], reference: np.ndarray,
            eta: float, window: Window) -> dict[str, float]:
    """H(t), its drift from `reference` H(0), and the sliding kernel H̃(t) of the samples on which weights slide.

    drift, drift_rms: ‖H(t) − H(0)‖₂ and ‖·‖_F/√n; eigenvalue_change: max_k |λ_k(H(t)) − λ_k(H(0))|; flipped, sliding:
    fractions of all patterns that differ from the start, and that return within the window; sliding_lambda_min,
    sliding_highest and sliding_lowest: λ_min(H̃), max_k and min_k of λ_k(H̃) − λ_k(H); rate: −Δ ln ‖r‖² / Δt over the
    window; pattern_error, sliding_error: ‖Δr + η K Σ r‖/‖Δr‖ over the window with K = H and H̃.
    """
    patterns = descent.patterns
    gram = h_patterns(inputs, patterns.T)
    sliding = gram - sliding_correction(inputs, patterns, window.returned)
    eigenvalues, slid = np.linalg.eigvalsh(gram), np.linalg.eigvalsh(sliding)
    change = descent.residual[:, 0] - window.residual
    time = eta * (descent.steps - window.step)
    return {
        "lambda_min": eigenvalues[0], "lambda_max": eigenvalues[-1], **_drift(gram, reference, eigenvalues),
        "movement": float(np.linalg.norm(descent.hidden - start[0], axis=1).max()),
        "flipped": np.mean(patterns != start[1]), "sliding": window.returned.mean(),
        "sliding_lambda_min": slid[0], "sliding_highest": np.max(slid - eigenvalues),
        "sliding_lowest": np.min(slid - eigenvalues), "rate": np.log(window.loss / descent.loss()) / time,
        "pattern_error": np.linalg.norm(change + eta * gram @ window.total) / np.linalg.norm(change),
        "sliding_error": np.linalg.norm(change + eta * sliding @ window.total) / np.linalg.norm(change),
    }


def _drift(gram: np.ndarray, reference: np.ndarray, eigenvalues: np.ndarray) -> dict[str, float]:
    drift = np.linalg.eigvalsh(gram - reference)
    return {"drift": np.abs(drift).max(), "drift_rms": np.sqrt(np.mean(drift**2)),
            "eigenvalue_change": np.abs(eigenvalues - np.linalg.eigvalsh(reference)).max()}


def _start_row(descent: GradientDescent, inputs: np.ndarray) -> dict[str, float]:
    eigenvalues = np.linalg.eigvalsh(h_patterns(inputs, descent.patterns.T))
    zero = dict.fromkeys(("drift", "drift_rms", "eigenvalue_change", "movement", "flipped", "sliding",
                          "sliding_highest", "sliding_lowest"), 0.0)
    unknown = dict.fromkeys(("rate", "pattern_error", "sliding_error"), np.nan)
    return {"step": 0, "lambda_min": eigenvalues[0], "lambda_max": eigenvalues[-1], **zero,
            "sliding_lambda_min": eigenvalues[0], **unknown}
