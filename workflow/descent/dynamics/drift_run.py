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


def examined_steps(steps: int, longest: int, count: int, more: Sequence[int] = ()) -> list[int]:
    """0, at most `count` steps from 4 to `longest`, even in the logarithm, and those of `more`; none after `steps`."""
    spaced = np.round(np.geomspace(4, longest, count)).astype(int).tolist()
    return sorted({k for k in (0, steps, *spaced, *more) if k <= steps})


def drift_run(descent: GradientDescent, inputs: np.ndarray, eta: float, steps: int, examined: Sequence[int],
              window: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run `steps` steps of step `eta`; columns of the loss at every step and of `examine` at the `examined` ones.

    Each of these from 2 `window` on closes a window of `window` steps; before that the fast transient, in which weights
    swing to and fro, would pass for sliding. Scalar outputs.
    """
    start = (descent.hidden, descent.patterns)
    reference = h_patterns(inputs, start[1].T)
    losses, rows, windows = [descent.loss()], [examine(descent, inputs, start, reference, eta, None)], {}
    for k in range(1, steps + 1):
        windows |= {end: Window(descent) for end in examined if end - window == k - 1 and end >= 2 * window}
        before, residual = (descent.patterns, descent.residual[:, 0]) if windows else (None, None)
        descent.step()
        losses.append(descent.loss())
        if windows:
            changes = before != descent.patterns
            for opened in windows.values():
                opened.update(residual, changes)
        if k in examined:
            rows.append(examine(descent, inputs, start, reference, eta, windows.pop(k, None)))
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {"step": np.arange(steps + 1), "flow_time": eta * np.arange(steps + 1), "loss": np.array(losses)}, {
        "step": columns.pop("step"), "flow_time": columns.pop("flow_time"), **columns}


def examine(descent: GradientDescent, inputs: np.ndarray, start: tuple[np.ndarray, np.ndarray], reference: np.ndarray,
            eta: float, window: Window | None) -> dict[str, float]:
    """H(t), its drift from `reference` H(0), and with a `window` the sliding kernel H̃(t) (otherwise NaN, at 0 H(0)).

    `start`: weights and patterns at step 0. drift, drift_rms: ‖H(t) − H(0)‖₂ and ‖·‖_F/√n; eigenvalue_change:
    max_k |λ_k(H(t)) − λ_k(H(0))|; flipped, sliding: fractions of all patterns that differ from the start, and that
    return within the window; sliding_lambda_min, sliding_highest, sliding_lowest: λ_min(H̃), max_k and min_k of
    λ_k(H̃) − λ_k(H); rate: −Δ ln ‖r‖² / Δt over the window; pattern_error, sliding_error: ‖Δr + η K Σ r‖/‖Δr‖ over the
    window with K = H and H̃.
    """
    patterns = descent.patterns
    gram = h_patterns(inputs, patterns.T)
    eigenvalues = np.linalg.eigvalsh(gram)
    row = {"step": descent.steps, "flow_time": eta * descent.steps, "lambda_min": eigenvalues[0],
           "lambda_max": eigenvalues[-1], **_drift(gram, reference, eigenvalues),
           "movement": float(np.linalg.norm(descent.hidden - start[0], axis=1).max()),
           "flipped": np.mean(patterns != start[1])}
    if window is None:
        unknown = dict.fromkeys(_SLIDING, np.nan)
        return {**row, **unknown, "sliding_lambda_min": np.nan if descent.steps else eigenvalues[0]}
    sliding = gram - sliding_correction(inputs, patterns, window.returned)
    gaps = np.linalg.eigvalsh(sliding) - eigenvalues
    change = descent.residual[:, 0] - window.residual
    found = (window.returned.mean(), eigenvalues[0] + gaps[0], gaps.max(), gaps.min(),
             np.log(window.loss / descent.loss()) / (eta * (descent.steps - window.step)),
             *(np.linalg.norm(change + eta * kernel @ window.total) / np.linalg.norm(change)
               for kernel in (gram, sliding)))
    return {**row, **dict(zip(_SLIDING, found, strict=True))}


_SLIDING = ("sliding", "sliding_lambda_min", "sliding_highest", "sliding_lowest", "rate", "pattern_error",
            "sliding_error")


def _drift(gram: np.ndarray, reference: np.ndarray, eigenvalues: np.ndarray) -> dict[str, float]:
    drift = np.linalg.eigvalsh(gram - reference)
    return {"drift": np.abs(drift).max(), "drift_rms": np.sqrt(np.mean(drift**2)),
            "eigenvalue_change": np.abs(eigenvalues - np.linalg.eigvalsh(reference)).max()}

