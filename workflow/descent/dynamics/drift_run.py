"""Gradient descent with the tangent Gram matrix examined on the way, without keeping any weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from descent.dynamics.gradient_descent import GradientDescent
from descent.kernels.neural_tangent_kernel import h_patterns
from descent.kernels.sliding_kernel import sliding_correction
from descent.pipeline.checkpoint import Checkpoint


@dataclass
class Window:
    """Some consecutive steps from `step` on: patterns that change and return, and the sum of residuals over the steps.

    `residual` (n,) and `loss` at its beginning; `total` (n,); `changed` and `returned` (m, n).
    """

    residual: np.ndarray
    loss: float
    step: int
    total: np.ndarray
    changed: np.ndarray
    returned: np.ndarray

    def update(self, residual: np.ndarray, changes: np.ndarray) -> None:
        """Take in one step: the residual (n,) before it and the patterns (m, n) that it changed.

        A pattern that changes twice has come back: its weight is held at the hyperplane by being pushed from both
        sides. One that changes once has crossed it.
        """
        self.total += residual
        self.returned |= self.changed & changes
        self.changed |= changes


def opened_window(descent: GradientDescent) -> Window:
    """A window that begins at the next step."""
    unchanged = np.zeros((2, *descent.patterns.shape), bool)
    return Window(descent.residual[:, 0], descent.loss(), descent.steps, np.zeros(descent.n), *unchanged)


class Windows(dict[int, Window]):
    """Open windows by the step that closes them."""

    def state(self) -> dict[str, Any]:
        """All fields of all windows, for a `Checkpoint`."""
        return {f"{end} {name}": value for end, window in self.items() for name, value in vars(window).items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Open the windows of an earlier state."""
        fields: dict[int, dict[str, Any]] = {}
        for key, value in state.items():
            end, name = key.split()
            fields.setdefault(int(end), {})[name] = value
        self.clear()
        self.update({end: Window(**values) for end, values in fields.items()})


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
    losses, rows, windows = [descent.loss()], [examine(descent, inputs, start, reference, eta, None)], Windows()
    for k in Checkpoint(descent, losses, rows, windows).over(range(1, steps + 1)):
        windows |= {end: opened_window(descent) for end in examined if end - window == k - 1 and end >= 2 * window}
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

