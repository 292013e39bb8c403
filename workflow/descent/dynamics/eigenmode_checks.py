"""What the ledger checks about eigenmode-resolved training: each function compares data with one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from descent.claims import Outcome
from descent.dynamics.eigenmodes import initial_gram, linearized_errors
from descent.dynamics.kernel_dynamics import KernelDynamics
from descent.networks.two_layer import relu_outputs
from descent.statistics import CLAIM_LEVEL

Table = Mapping[str, np.ndarray]
Start = tuple[np.ndarray, np.ndarray]


def linearized_prediction(starts: Sequence[Start], inputs: np.ndarray, targets: np.ndarray, eta: float, steps: int,
                          power: int) -> Outcome:
    """Descent on the linearized network has ‖r(k)‖² = Σ_i (1 − η λ_i)^{power · k} (v_iᵀ r_0)² with the modes of H(0).

    `starts`: weights W (m, d), A (m, 1); theory: power 2. Observed: the greatest difference over the first squared
    error; bound: rounding, (steps + 1) n ε.
    """
    worst = 0.0
    for hidden, outputs in starts:
        squared = linearized_errors(hidden, outputs, inputs, targets, eta, steps)
        dynamics = KernelDynamics(initial_gram(inputs, hidden), np.zeros(len(targets)))
        start = relu_outputs(hidden, outputs, inputs)[:, 0] / np.sqrt(len(hidden)) - targets
        factors = dynamics.descent_factors(eta, power * np.arange(steps + 1))
        worst = max(worst, float(np.abs(squared - factors @ dynamics.energies(start)).max() / squared[0]))
    bound = (steps + 1) * len(targets) * float(np.finfo(float).eps)
    return Outcome(worst, bound, len(starts) * (steps + 1), worst <= bound)


def defects_add_up(table: Table, column: str) -> Outcome:
    """The distance in `column` from the fixed kernel's prediction stays below Σ_{s<k} ‖d(s)‖ from the second step on.

    After one step the two are the same number for the prediction of H(0). Observed: their greatest ratio.
    """
    later = table["step"] >= 2
    ratios = table[column][later] / table["defect_sum"][later]
    stable = {r"$\eta\lambda_{\max}(H(0)) \le 2$": bool(np.all(table["stability"] <= 2))}
    return Outcome(float(ratios.max()), 1.0, len(ratios), bool(np.all(ratios <= 1)), hypotheses=stable)


def aligned(dynamics: KernelDynamics, targets: np.ndarray, permuted: np.ndarray, flow_time: float) -> Outcome:
    """`targets` leave a smaller Σ_i e^{−2 λ_i t} (v_iᵀ y)² / ‖y‖² than random orders of labels do: permutation test.

    Under the null hypothesis that labels are in random order the p-value (1 + number not above) / (1 + N) is exact.
    """
    own = float(dynamics.energies(targets) @ dynamics.flow_factors([flow_time])[0] ** 2 / (targets @ targets))
    p_value = float((1 + np.count_nonzero(permuted <= own)) / (1 + len(permuted)))
    return Outcome(p_value, CLAIM_LEVEL, len(permuted), p_value <= CLAIM_LEVEL, confidence=1 - CLAIM_LEVEL)
