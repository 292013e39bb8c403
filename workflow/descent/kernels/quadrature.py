"""Gram matrices of wide ReLU networks by numerical integration of the Gaussian expectations that define them."""

from __future__ import annotations

import numpy as np

# Beyond this many standard deviations lies less than 1e-21 of any integral below.
CUT = 10.0
NODES = 40


def planar_coordinates(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(c, s) with x' = c x + s e, e ⊥ x of unit length, for unit vectors x and x' in the rows of `first` and `second`.

    By one step of Gram–Schmidt, so that s keeps its digits where x and x' are nearly parallel; no angle is formed.
    """
    along = np.sum(first * second, axis=1)
    return along, np.linalg.norm(second - along[:, None] * first, axis=1)


def gaussian_products(along: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """P(a > 0, b > 0) and E[relu(a) relu(b)] for a = g_1, b = c g_1 + s g_2 and g ~ N(0, I_2), by quadrature.

    `along` c and `across` s > 0 have c² + s² = 1; both results are shaped like them. The integral over the (g_1, g_2)
    plane is iterated: panels of Gauss–Legendre nodes over g_1 > 0 and, within, over g_2 > −g_1 c/s. Nothing is
    integrated by hand. A panel ends where the lower limit leaves the square |g| ≤ `CUT`, which is where the inner
    integral changes its shape; parallel vectors (s = 0) have no such limit, and for them ValueError is raised.
    """
    along, across = np.atleast_1d(along), np.atleast_1d(across)
    if not np.all(across > 0):
        raise ValueError("parallel vectors do not span a plane")
    limit = np.minimum(CUT, CUT * across / np.maximum(np.abs(along), across / 2))
    edges = [np.zeros_like(limit), limit / 8, limit / 2, limit, np.minimum(CUT, limit + 4), np.full_like(limit, CUT)]
    parts = [_panel(along, across, low, high) for low, high in zip(edges, edges[1:])]
    return sum(part[0] for part in parts), sum(part[1] for part in parts)


def _panel(along: np.ndarray, across: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    outer, weights = _nodes(low, high)
    start = np.clip(-outer * (along / across)[:, None], -CUT, CUT)
    probability, product = np.zeros_like(outer), np.zeros_like(outer)
    middle = np.clip(start + 5, -CUT, CUT)
    for lower, upper in ((start, middle), (middle, np.full_like(start, CUT))):
        inner, inner_weights = _nodes(lower, upper)
        inner_weights = inner_weights * _density(inner)
        second = along[:, None, None] * outer[:, :, None] + across[:, None, None] * inner
        probability += inner_weights.sum(axis=-1)
        product += (inner_weights * second).sum(axis=-1)
    weights = weights * _density(outer)
    return np.sum(weights * probability, axis=1), np.sum(weights * outer * product, axis=1)


def _nodes(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    half = (high - low)[..., None] / 2
    return low[..., None] + half * (nodes + 1), half * weights


def _density(values: np.ndarray) -> np.ndarray:
    return np.exp(-values**2 / 2) / np.sqrt(2 * np.pi)
