"""Decay of the residual in a fixed kernel from several starts, with an integrator as reference (tau.4.1)."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp

from descent.dynamics.kernel_dynamics import KernelDynamics


def integrated_flow(gram: np.ndarray, residuals: np.ndarray, times: np.ndarray, tolerance: float) -> np.ndarray:
    """r(t) of r' = −H r from r(0) = `residuals` (n, s) at rising `times` (T,), shape (T, n, s).

    Dormand and Prince's method of order 8 with relative `tolerance`, which knows nothing of eigenvectors.
    """
    found, now, shape = [residuals], 0.0, residuals.shape
    # One integration for each time: the method's interpolation between its steps is much less accurate than they are.
    for end in times:
        solved = solve_ivp(lambda _, r: -(gram @ r.reshape(shape)).ravel(), (now, end), found[-1].ravel(), "DOP853",
                           [end], rtol=tolerance, atol=tolerance / 100)
        found.append(solved.y[:, -1].reshape(shape))
        now = end
    return np.array(found[1:])


def relaxation(gram: np.ndarray, targets: np.ndarray, starts: np.ndarray, steps: np.ndarray, step_fraction: float,
               tolerance: float) -> dict[str, np.ndarray]:
    """‖u(t) − y‖/‖u(0) − y‖ at flow times t = η k with η = `step_fraction`/λ_max, for each start (columns of `starts`).

    `gram` (n, n), `targets` y (n,), `starts` (n, s) and, as one more, y plus the eigenvector v of λ_min. Rows, start by
    start: start (number), rate λ_min, flow_time, norm; up to t = 1/λ_min also integrated, the same ratio by
    `integrated_flow`, and the distances of that solution from the kernel dynamics, deviation, and from gradient
    descent with step η, descent_deviation, over ‖u(0) − y‖ (NaN afterwards).
    """
    dynamics = KernelDynamics(gram, np.zeros((len(targets), starts.shape[1] + 1)))
    residuals = np.column_stack([starts - targets[:, None], dynamics.eigenvectors[:, 0]])
    residuals /= np.linalg.norm(residuals, axis=0)
    rate, eta = dynamics.eigenvalues[0], step_fraction / dynamics.eigenvalues[-1]
    times = eta * steps
    early = times <= 1 / rate
    flow, reference = dynamics.flow(residuals, times), integrated_flow(gram, residuals, times[early], tolerance)
    descent = dynamics.descent(residuals, eta, steps[early])
    columns = {"norm": np.linalg.norm(flow, axis=1), "integrated": np.linalg.norm(reference, axis=1),
               "deviation": np.linalg.norm(flow[early] - reference, axis=1),
               "descent_deviation": np.linalg.norm(descent - reference, axis=1)}
    late = ((0, int(np.sum(~early))), (0, 0))
    whole = {name: values if name == "norm" else np.pad(values, late, constant_values=np.nan)
             for name, values in columns.items()}
    shape = len(times), residuals.shape[1]
    return {"start": np.repeat(np.arange(shape[1]), shape[0]), "rate": np.full(shape[0] * shape[1], rate),
            "flow_time": np.tile(times, shape[1]), **{name: values.T.ravel() for name, values in whole.items()}}
