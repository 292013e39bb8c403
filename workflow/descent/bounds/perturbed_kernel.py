"""Bounds on ‖δ(t)‖/‖r_0‖, the distance δ of the flow in a kernel H(t) from the flow in H*, ‖H(t) − H*‖ ≤ ε (tau.4.2).

λ = λ_min(H*) > 0 and r_0 = u(0) − y throughout. The first three bounds need H(t) ⪰ 0; `growth_bound` does not.
"""

from __future__ import annotations

import numpy as np


def linear_bound(times: np.ndarray, epsilon: np.ndarray) -> np.ndarray:
    """ε t."""
    return epsilon * times


def square_root_bound(times: np.ndarray, epsilon: np.ndarray) -> np.ndarray:
    """√(ε t); √2 times this, the geometric mean of ε t and 2, is not below the smaller of the two."""
    return np.sqrt(epsilon * times)


def saturating_bound(times: np.ndarray, epsilon: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """(ε/λ) (1 − e^{−λ t}), below ε t and ε/λ; an equality for ε = λ, H(t) = H* − ε v vᵀ, H* v = λ v, r_0 ∥ v."""
    return epsilon / rate * -np.expm1(-rate * times)


def growth_bound(times: np.ndarray, epsilon: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """e^{−λ t} (e^{ε t} − 1), for every H(t); an equality for H(t) = H* − ε v vᵀ, H* v = λ v, r_0 ∥ v.

    Cut off at e^700, near the largest number there is.
    """
    return np.exp(np.minimum((epsilon - rate) * times, 700.0)) * -np.expm1(-epsilon * times)


def worst_case(ratio: np.ndarray) -> np.ndarray:
    """sup_t of `growth_bound` for x = ε/λ in (0, 1): x (1 − x)^{(1 − x)/x}, which tends to x/e at 0 and to 1 at 1."""
    ratio = np.asarray(ratio, float)
    return ratio * np.exp((1 - ratio) / ratio * np.log1p(-ratio))
