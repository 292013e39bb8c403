"""From saddle to saddle: singular modes that a deep linear network learns one after another from a small start.

L = ½‖W_N ⋯ W_1 − T‖_F² with T = U diag(s*) Vᵀ, the loss of whitened inputs up to a constant; gradient flow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.integrate import quad

from descent.dynamics.flow import flow, pack, unpack
from descent.networks.linear_network import Layers, balanced_layers, layer_gradients, product

# Every mode has come this far when a run ends; a run that needs more stretches of time than this is given up.
LEARNT = 0.9
STRETCHES = 60


def random_target(generator: np.random.Generator, values: Sequence[float], rows: int,
                  columns: int) -> tuple[np.ndarray, np.ndarray]:
    """U (`rows`, k) and V (`columns`, k), random orthonormal columns, for k = len(`values`) singular values."""
    return tuple(np.linalg.qr(generator.standard_normal((n, len(values))))[0] for n in (rows, columns))


def aligned_layers(U: np.ndarray, V: np.ndarray, depth: int, width: int, scale: float) -> list[np.ndarray]:
    """Balanced layers with the product `scale`^N U Vᵀ: every layer has the singular value `scale` for each mode."""
    return balanced_layers(scale**depth * U @ V.T, depth, width)


def isotropic_layers(generator: np.random.Generator, rows: int, columns: int, depth: int, width: int,
                     scale: float) -> list[np.ndarray]:
    """Balanced layers with a random product, all of whose singular values are `scale`^N: knows nothing of a target."""
    least = min(rows, columns)
    left, right = (np.linalg.qr(generator.standard_normal((n, least)))[0] for n in (rows, columns))
    return balanced_layers(scale**depth * left @ right.T, depth, width)


def sigmoid(times: np.ndarray, start, value, rate: float = 2.0) -> np.ndarray:
    """s(t) = s* / (1 + (s*/s(0) − 1) e^{−2 s* t}), the modes at N = 2 (Saxe, McClelland and Ganguli 2014).

    `times` (T,), `start` s(0) and `value` s* (k,): shape (T, k). `rate` is the 2 of the exponent.
    """
    start, value = np.asarray(start, float), np.asarray(value, float)
    return value / (1 + (value / start - 1) * np.exp(-rate * value * np.asarray(times)[:, None]))


def mode_flow(times: np.ndarray, start: float, values: Sequence[float], depth: int,
              factor: float | None = None) -> np.ndarray:
    """ṡ = N s^{2 − 2/N} (s* − s) from s(`times`[0]) = `start` for each s* in `values`, integrated: shape (T, k).

    `factor` replaces the N in front.
    """
    front, values = depth if factor is None else factor, np.asarray(values, float)

    def field(s):
        return front * np.maximum(s, 0.0) ** (2 - 2 / depth) * (values - s)

    return flow(field, np.full(len(values), start), times)


def escape_time(depth: int, scale: float, value: float) -> float:
    """Time at which s = u^N is s*/2 from u(0) = `scale`: ∫ du / (u^{N−1} (s* − u^N)), by quadrature in ln u.

    N = 2: ln(s*/s(0) − 1) / (2 s*) with s(0) = `scale`². Raises ValueError on a start beyond s*/2.
    """
    half = (value / 2) ** (1 / depth)
    if not 0 < scale < half:
        raise ValueError(f"scale {scale}: must be positive and below {half}")

    def slowness(log_u):
        return np.exp((2 - depth) * log_u) / (value - np.exp(depth * log_u))

    return float(quad(slowness, np.log(scale), np.log(half), epsabs=0, epsrel=1e-12)[0])


def leading_delay(depth: float, scale: float, smaller: float, value: float) -> float:
    """∫ du / (s* u^{N−1}) from `smaller` to `scale`: how much later a mode escapes from the smaller start, to leading
    order; ln(scale/smaller)/s* at N = 2, (smaller^{2−N} − scale^{2−N}) / ((N − 2) s*) otherwise."""
    if depth == 2:
        return float(np.log(scale / smaller) / value)
    return (smaller ** (2 - depth) - scale ** (2 - depth)) / ((depth - 2) * value)


def effective_starts(layers: Layers, U: np.ndarray, V: np.ndarray, orthogonalize: bool = True) -> np.ndarray:
    """Starts s_i(0) of the sigmoids that modes follow from small layers W_1, W_2 of any kind, shape (k,).

    c_i = ½ (W_1 v_i + W_2ᵀ u_i) is the part in hidden space that grows as e^{s_i t}, and s_i(0) = ‖c_i‖² after
    c_1, …, c_{i−1} have been projected out (Gram and Schmidt): hidden directions already taken by stronger modes are
    lost to weaker ones. Without `orthogonalize`, ‖c_i‖² itself. Modes in the order of falling s*.
    """
    first, second = layers
    growing = (first @ V + second.T @ U) / 2
    if orthogonalize:
        return np.diag(np.linalg.qr(growing)[1]) ** 2
    return np.sum(growing**2, axis=0)


def staircase(layers: Layers, U: np.ndarray, values: Sequence[float], V: np.ndarray, stretch: float,
              points: int) -> dict[str, np.ndarray]:
    """flow_time (T,), modes u_iᵀ W v_i (T, k) and loss (T,) along the flow, until every mode has reached 0.9 s*.

    `points` times in each stretch of length `stretch`. Raises RuntimeError when 60 stretches do not suffice.
    """
    shapes, values = [layer.shape for layer in layers], np.asarray(values, float)
    target = (U * values) @ V.T

    def field(state):
        factors = unpack(state, shapes)
        return -pack(layer_gradients(factors, product(factors) - target))

    state, grid, parts = pack(layers), np.linspace(0.0, stretch, points + 1), []
    for number in range(STRETCHES):
        states = flow(field, state, grid)
        matrices = np.array([product(unpack(row, shapes)) for row in states])
        modes = np.einsum("pi,tpd,di->ti", U, matrices, V)
        losses = 0.5 * np.sum((matrices - target) ** 2, axis=(1, 2))
        # The first time of a stretch is the last of the one before.
        kept = slice(1 if number else 0, None)
        parts.append({"flow_time": (number * stretch + grid)[kept], "modes": modes[kept], "loss": losses[kept]})
        state = states[-1]
        if np.all(modes[-1] >= LEARNT * values):
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    raise RuntimeError(f"modes {modes[-1] / values} of their targets after {STRETCHES} stretches of time {stretch}")


def crossing_times(times: np.ndarray, modes: np.ndarray, values: Sequence[float]) -> np.ndarray:
    """First time at which each mode reaches s*/2, shape (k,).

    Between two times the log-odds of s/s* are taken for linear, which they are along a sigmoid. Raises ValueError when
    a mode starts beyond s*/2 or does not get there.
    """
    found = []
    for shares in (modes / np.asarray(values)).T:
        after = int(np.argmax(shares >= 0.5))
        if after == 0:
            raise ValueError("a mode does not pass s*/2 in the given times")
        odds = np.log(np.clip(shares[after - 1:after + 1], 1e-12, 1 - 1e-12))
        odds -= np.log1p(-np.clip(shares[after - 1:after + 1], 1e-12, 1 - 1e-12))
        found.append(times[after - 1] - odds[0] * (times[after] - times[after - 1]) / (odds[1] - odds[0]))
    return np.array(found)
