"""Gradient flow in a kernel H(t) that changes with time, against the flow in a fixed kernel H* near it (tau.4.2)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from descent.dynamics.kernel_dynamics import KernelDynamics

# From the number of a piece of time, r = u − y of the perturbed flow and r* of the unperturbed one: the piece's kernel.
Choice = Callable[[int, np.ndarray, np.ndarray], np.ndarray]
FAMILIES = ("random", "rank_one", "modes", "steered")


def perturbed_flow(fixed: np.ndarray, start: np.ndarray, ends: np.ndarray, choose: Choice,
                   points: int) -> dict[str, np.ndarray]:
    """‖u(t) − u*(t)‖/‖r_0‖ for u' = −H(t) (u − y) and u*' = −H* (u* − y) from one start, exactly but for rounding.

    H(t) is constant on the pieces of time that end at `ends` (K,), rising: `choose` gives it, an eigendecomposition
    carries it on. `fixed` H* (n, n); `start` r_0 = u(0) − y (n,). Columns, with `points` rows for each piece:
    flow_time, distance, and, the same in every row, rate λ_min(H*), epsilon sup_t ‖H(t) − H*‖₂, least
    inf_t λ_min(H(t)).
    """
    zero = np.zeros(len(fixed))
    reference, residual, now, pieces, grams = KernelDynamics(fixed, zero), start, 0.0, [], []
    for piece, end in enumerate(ends):
        unperturbed = reference.residuals(start, reference.flow_factors([now]))[0]
        grams.append(choose(piece, residual, unperturbed))
        moving, times = KernelDynamics(grams[-1], zero), np.linspace(now, end, points + 1)[1:]
        residuals = moving.residuals(residual, moving.flow_factors(times - now))
        apart = residuals - reference.residuals(start, reference.flow_factors(times))
        pieces.append((times, np.linalg.norm(apart, axis=1) / np.linalg.norm(start)))
        residual, now = residuals[-1], end
    times, distances = (np.concatenate(columns) for columns in zip(*pieces))
    grams = np.array(grams)
    constants = {"rate": reference.eigenvalues[0], "epsilon": np.abs(np.linalg.eigvalsh(grams - fixed)).max(),
                 "least": np.linalg.eigvalsh(grams).min()}
    return {"flow_time": times, "distance": distances,
            **{name: np.full(len(times), value) for name, value in constants.items()}}


def perturbation(family: str, fixed: np.ndarray, size: float, draws: np.random.Generator,
                 semidefinite: bool) -> Choice:
    """H(t) = H* + E(t) with ‖E(t)‖₂ = `size`, drawn anew (or, `steered`, chosen anew) for every piece of time.

    random: a symmetric Gaussian matrix; rank_one: ±w wᵀ, w a random direction; modes: ±v vᵀ, v one of the (up to)
    five eigenvectors of H* that decay slowest; steered: −R, R the reflection that takes the direction of r* to that of
    u − u*, which drives these two apart as fast as a kernel can. Where `semidefinite`, negative eigenvalues of H(t) are
    set to 0; ‖H(t) − H*‖₂ may then differ from `size`. Raises ValueError on another family.
    """
    if family not in FAMILIES:
        raise ValueError(f"family {family!r}: not one of {', '.join(FAMILIES)}")
    slow = np.linalg.eigh(fixed)[1][:, :5]

    def choose(piece: int, residual: np.ndarray, unperturbed: np.ndarray) -> np.ndarray:
        if family == "steered":
            change = _steering(residual - unperturbed, unperturbed)
        elif family == "random":
            change = _unit_symmetric(draws, len(fixed))
        else:
            change = _signed_direction(draws, slow if family == "modes" else None, len(fixed))
        return _semidefinite(fixed + size * change) if semidefinite else fixed + size * change

    return choose


def _steering(apart: np.ndarray, unperturbed: np.ndarray) -> np.ndarray:
    goal = _unit(apart) if np.any(apart) else _unit(unperturbed)
    normal = _unit(unperturbed) - goal
    square = normal @ normal
    return -np.eye(len(apart)) + (2 * np.outer(normal, normal) / square if square > 1e-20 else 0.0)


def _unit_symmetric(draws: np.random.Generator, n: int) -> np.ndarray:
    matrix = draws.standard_normal((n, n))
    matrix = matrix + matrix.T
    return matrix / np.abs(np.linalg.eigvalsh(matrix)).max()


def _signed_direction(draws: np.random.Generator, among: np.ndarray | None, n: int) -> np.ndarray:
    sign = draws.choice([-1.0, 1.0])
    direction = _unit(draws.standard_normal(n)) if among is None else among[:, draws.integers(among.shape[1])]
    return sign * np.outer(direction, direction)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _semidefinite(gram: np.ndarray) -> np.ndarray:
    eigenvalues, vectors = np.linalg.eigh(gram)
    return (vectors * np.maximum(eigenvalues, 0.0)) @ vectors.T


def slowest_mode_slowed(fixed: np.ndarray, size: float) -> Choice:
    """H = H* − size v vᵀ at all times, v the unit eigenvector of λ_min(H*): the worst there is (see the proofs)."""
    slow = np.linalg.eigh(fixed)[1][:, 0]
    return lambda piece, residual, unperturbed: fixed - size * np.outer(slow, slow)


def rotating(fixed: np.ndarray, size: float, lead: float) -> Choice:
    """A positive semidefinite H(t) that turns r within the plane of the two slowest modes of H* and hardly shortens it.

    In that plane H(t) = size w wᵀ with w at the angle `lead` < π/2 behind r; on its orthogonal complement H(t) = H*.
    """
    eigenvalues, vectors = np.linalg.eigh(fixed)
    plane, rest = vectors[:, :2], (vectors[:, 2:] * eigenvalues[2:]) @ vectors[:, 2:].T
    turn = np.array([[np.cos(lead), np.sin(lead)], [-np.sin(lead), np.cos(lead)]])

    def choose(piece: int, residual: np.ndarray, unperturbed: np.ndarray) -> np.ndarray:
        direction = plane @ (turn @ _unit(plane.T @ residual))
        return rest + size * np.outer(direction, direction)

    return choose
