"""Checks on the end-to-end dynamics of deep linear networks (tau.3.1 to tau.3.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from descent.claims import Outcome
from descent.dynamics.end_to_end import end_to_end_update, scalar_velocity
from descent.dynamics.flow import flow, flow_with_error, pack, unpack
from descent.networks.linear_network import Layers, end_to_end_velocity, layer_gradients, product, right_power

# Of identities between numbers computed in two ways, relative to their size.
ROUNDING = 1e-11
# Of states integrated in two ways: DOP853 at a relative tolerance of 1e-11 a step.
INTEGRATED = 1e-8


def factor_flow(layers: Layers, target: np.ndarray, times: Sequence[float]) -> tuple[list[list[np.ndarray]], float]:
    """Layers along the gradient flow of ½‖W_N ⋯ W_1 − T‖_F² at `times`, and the error of `flow_with_error`."""
    shapes = [layer.shape for layer in layers]

    def field(state):
        factors = unpack(state, shapes)
        return -pack(layer_gradients(factors, product(factors) - target))

    states, error = flow_with_error(field, pack(layers), times)
    return [unpack(state, shapes) for state in states], error


def power_identity_residual(layers: Layers) -> float:
    """max_j ‖W_{1:j}ᵀW_{1:j} − [W_{1:N}ᵀW_{1:N}]^{j/N}‖_F over the norm of the right side, W_{1:j} = W_j ⋯ W_1."""
    depth, worst = len(layers), 0.0
    whole = product(layers)
    for j in range(1, depth + 1):
        part = product(layers[:j])
        expected = right_power(whole, j / depth)
        worst = max(worst, float(np.linalg.norm(part.T @ part - expected) / np.linalg.norm(expected)))
    return worst


def power_identity(trajectories: Sequence[Sequence[Layers]]) -> Outcome:
    """tau.3.1: whether `power_identity_residual` stays at the integrator's error along every trajectory."""
    worst = max(power_identity_residual(layers) for kept in trajectories for layers in kept)
    return Outcome(worst, INTEGRATED, sum(len(kept) for kept in trajectories), worst <= INTEGRATED)


def symmetric_velocity(matrix: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Ẇ = −(G + Gᵀ)W − W(G + Gᵀ) for W = UUᵀ under gradient flow of ℓ(UUᵀ), G = ∇ℓ(W)."""
    symmetric = gradient + gradient.T
    return -symmetric @ matrix - matrix @ symmetric


def untransposed_velocity(matrix: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """−2(GW + WG): what `symmetric_velocity` becomes if G is taken for symmetric."""
    return -2 * (gradient @ matrix + matrix @ gradient)


def symmetric_factor(draws: np.ndarray, targets: np.ndarray,
                     velocity: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Outcome:
    """tau.3.2: whether U̇Uᵀ + UU̇ᵀ is `velocity` for ℓ = ½‖W − T‖², T not symmetric; observed: relative error."""
    worst = 0.0
    for U, target in zip(draws, targets):
        gradient = U @ U.T - target
        dU = -(gradient + gradient.T) @ U
        exact, found = dU @ U.T + U @ dU.T, velocity(U @ U.T, gradient)
        worst = max(worst, float(np.linalg.norm(found - exact) / np.linalg.norm(exact)))
    return Outcome(worst, ROUNDING, len(draws), worst <= ROUNDING)


def symmetric_flow(U: np.ndarray, target: np.ndarray, times: Sequence[float],
                   velocity: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Outcome:
    """tau.3.2: whether the flow of W by `velocity` is that of UUᵀ; observed: largest distance over ‖T‖_F."""
    factors = flow(lambda V: -(V @ V.T - target + (V @ V.T - target).T) @ V, U, times)
    matrices = flow(lambda W: velocity(W, W - target), U @ U.T, times)
    distance = np.abs(factors @ factors.transpose(0, 2, 1) - matrices).max() / np.linalg.norm(target)
    return Outcome(float(distance), INTEGRATED, len(times), bool(distance <= INTEGRATED))


def scalar_form(draws: Sequence[tuple[np.ndarray, np.ndarray]], depths: Sequence[int], more: float = 0.0) -> Outcome:
    """tau.3.3: whether `scalar_velocity` is the general matrix form; `more` added to N − 1 makes it wrong."""
    worst = 0.0
    for depth in depths:
        for w, g in draws:
            exact = end_to_end_velocity(w[None], g[None], depth)[0]
            found = scalar_velocity(w, g, depth, depth - 1 + more)
            worst = max(worst, float(np.linalg.norm(found - exact) / np.linalg.norm(exact)))
    return Outcome(worst, ROUNDING, len(draws) * len(depths), worst <= ROUNDING)


def radial_shares(path: np.ndarray, gradients: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Share of the squared speed along w, of the end-to-end flow and of plain gradient flow, at each point of a path.

    `path` and `gradients` (times, d): w and g = ∇ℓ(w).
    """
    units = path / np.linalg.norm(path, axis=1, keepdims=True)
    velocities = np.array([scalar_velocity(w, g, depth) for w, g in zip(path, gradients)])
    return tuple(np.sum(v * units, axis=1) ** 2 / np.sum(v**2, axis=1) for v in (velocities, gradients))


def one_update(draws: Sequence[tuple[np.ndarray, np.ndarray]], depths: Sequence[int], eta: float,
               in_place: bool = False) -> Outcome:
    """tau.3.4: whether one discrete update moves w by η times `scalar_velocity`; ℓ = ½‖w − t‖², draws of w and t."""
    worst = 0.0
    for depth in depths:
        for w, t in draws:
            step = end_to_end_update(w[None], lambda M, t=t: M - t, depth, eta, in_place=in_place)[0] - w
            exact = eta * scalar_velocity(w, w - t, depth)
            worst = max(worst, float(np.linalg.norm(step - exact) / np.linalg.norm(exact)))
    return Outcome(worst, ROUNDING, len(draws) * len(depths), worst <= ROUNDING)


def halving_slopes(distances: np.ndarray) -> np.ndarray:
    """log₂ of the ratio of successive distances, for steps η, η/2, η/4, …: shape (…, steps − 1)."""
    return np.log2(distances[..., :-1] / distances[..., 1:])


def first_order(distances: Sequence[np.ndarray], within: float, slope: float = 1.0) -> Outcome:
    """Whether the last halving of η halves the distance: slope 1 ± `within`. Observed: the slope furthest from it.

    `distances`: tables (runs, steps), η halved from left to right; another `slope` is a wrong order.
    """
    last = np.concatenate([halving_slopes(np.atleast_2d(table))[:, -1] for table in distances])
    worst = float(last[np.abs(last - slope).argmax()])
    return Outcome(worst, slope, len(last), abs(worst - slope) <= within)


def does_not_vanish(distances: Sequence[np.ndarray], slope: float) -> Outcome:
    """tau.3.4: whether the distance stops shrinking with η: all last slopes below `slope`; observed: the largest."""
    last = np.concatenate([halving_slopes(np.atleast_2d(table))[:, -1] for table in distances])
    return Outcome(float(last.max()), slope, len(last), bool(last.max() < slope))


def groups(table: Mapping[str, np.ndarray], **chosen) -> np.ndarray:
    """Rows of a distance table with the `chosen` values, as (replicates, steps) with η falling from left to right."""
    rows = np.ones(len(table["eta"]), bool)
    for name, value in chosen.items():
        rows &= np.array(table[name]) == value
    order = np.lexsort((-table["eta"][rows], table["replicate"][rows]))
    return table["distance"][rows][order].reshape(len(np.unique(table["replicate"][rows])), -1)
