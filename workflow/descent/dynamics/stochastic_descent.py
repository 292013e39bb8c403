"""Stochastic gradient descent on functions with known constants, many replicates at once, as running sums."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SMOOTHNESS = 2.0
BATCHES = 20


@dataclass(frozen=True)
class Quadratic:
    """f(w) = ½ Σ λ_i w_i², λ = `curvatures` of shape (d,), the largest of them β = `SMOOTHNESS`; least value 0."""

    curvatures: np.ndarray

    @property
    def dimension(self) -> int:
        """d."""
        return len(self.curvatures)

    def value(self, w: np.ndarray) -> np.ndarray:
        """f at every column of `w` (..., d, n), shape (..., n)."""
        return (self.curvatures[:, None] * w**2).sum(axis=-2) / 2

    def gradient(self, w: np.ndarray) -> np.ndarray:
        """∇f at every column of `w` (..., d, n), of the same shape."""
        return self.curvatures[:, None] * w


@dataclass(frozen=True)
class LogarithmSum:
    """f(w) = Σ log(1 + w_i²) over `dimension` coordinates: β = `SMOOTHNESS`, least value 0, f'' < 0 where |w_i| > 1."""

    dimension: int

    def value(self, w: np.ndarray) -> np.ndarray:
        """f at every column of `w` (..., d, n), shape (..., n)."""
        return np.log1p(w**2).sum(axis=-2)

    def gradient(self, w: np.ndarray) -> np.ndarray:
        """∇f at every column of `w` (..., d, n), of the same shape."""
        below = w * w
        below += 1
        return np.divide(2 * w, below, out=below)


Objective = Quadratic | LogarithmSum


def objectives(dimension: int, least_curvature: float) -> dict[str, Objective]:
    """The functions of tau.2.1, all with β = `SMOOTHNESS`, by name.

    line and quadratic: β‖w‖²/2 in one and in `dimension` dimensions; stretched: curvatures evenly spaced in the
    logarithm from `least_curvature` β to β; logarithm: Σ log(1 + w_i²).
    """
    spread = np.geomspace(least_curvature, 1.0, dimension)
    return {"line": Quadratic(np.array([SMOOTHNESS])), "quadratic": Quadratic(np.full(dimension, SMOOTHNESS)),
            "stretched": Quadratic(SMOOTHNESS * spread), "logarithm": LogarithmSum(dimension)}


def excess(objective: Objective, start: float) -> float:
    """2β(f(w_1) − f*), with every coordinate of w_1 equal to `start`."""
    return float(2 * SMOOTHNESS * objective.value(np.full((objective.dimension, 1), start))[0])


def step_parts(schedule: str, steps: int) -> np.ndarray:
    """c_t = β η_t for t = 1 … `steps`: 1 for "constant" (tau.2.1), 1/√t for "decaying" (tau.2.2)."""
    return np.ones(steps) if schedule == "constant" else np.arange(1, steps + 1) ** -0.5


def noise(kind: str, sigma: float, dimension: int, count: int, draws: np.random.Generator) -> Callable:
    """The noise of one step after the other: a function of the gradient (..., d, n) at each call.

    E‖ξ‖² = σ² in total. Independent of the past: "rademacher", (σ/√d) times random signs; "gaussian",
    N(0, σ²I/d). Not so: "frozen", one draw of random signs for all steps; "opposed", −σ∇f/‖∇f‖, which is not even
    zero in the mean.
    """
    scale, shape = sigma / dimension**0.5, (dimension, count)

    def signs(gradient=None):
        packed = np.frombuffer(draws.bytes(-(-dimension * count // 8)), np.uint8)
        return np.unpackbits(packed, count=dimension * count).reshape(shape) * (2 * scale) - scale

    def gaussian(gradient):
        return draws.standard_normal(shape) * scale

    def opposed(gradient):
        return gradient * (-sigma / np.linalg.norm(gradient, axis=-2, keepdims=True))

    if kind == "frozen":
        fixed = signs()
        return lambda gradient: fixed
    return {"rademacher": signs, "gaussian": gaussian, "opposed": opposed}[kind]


def descend(objective: Objective, parts: np.ndarray, draw: Callable, start: float,
            count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """w_{t+1} = w_t − (c_t/β)(∇f(w_t) + ξ_t) for t = 1, 2, …: yields ‖∇f(w_t)‖² and ‖ξ_t‖².

    `parts`: c of shape (steps, schedules); the schedules share the noise `draw`. Shapes (schedules, n) and
    (schedules, n) or (n,).
    """
    w = np.full((parts.shape[1], objective.dimension, count), float(start))
    for part in parts / SMOOTHNESS:
        gradient = objective.gradient(w)
        xi = draw(gradient)
        yield np.einsum("sdn,sdn->sn", gradient, gradient), np.einsum("...dn,...dn->...n", xi, xi)
        gradient += xi
        gradient *= part[:, None, None]
        w -= gradient


class Moments:
    """Running sums over replicates of one objective, for every step and schedule.

    A_T = [Σ_{t<T} c_t(2 − c_t)‖∇f(w_t)‖² + ‖∇f(w_T)‖²] / [Σ_{t<T} c_t(2 − c_t) + 1] is a replicate's weighted
    average; its pathwise ratio is the numerator over 2βΔ + Σ_{t<T} c_t²‖ξ_t‖².
    """

    def __init__(self, parts: np.ndarray, excess: float):
        self.parts, self.excess, self.count = parts, excess, 0
        self.weights = parts * (2 - parts)
        self.sums = np.zeros((5, *parts.shape))
        self.pathwise = np.zeros(parts.shape)
        self.batches: list[np.ndarray] = []

    def add(self, path: Iterator[tuple[np.ndarray, np.ndarray]], batches: int) -> None:
        """Add the replicates of a `descend`, whose number is a multiple of `batches`."""
        weighted, allowed, total, means = 0.0, self.excess, 1.0, []
        for t, (squares, noise_squares) in enumerate(path):
            norms, reached = np.sqrt(squares), weighted + squares
            average = reached / total[:, None] if t else squares
            self.sums[0, t] += norms.sum(axis=1)
            for i, values in enumerate((squares, average)):
                self.sums[1 + 2 * i, t] += values.sum(axis=1)
                self.sums[2 + 2 * i, t] += np.einsum("sn,sn->s", values, values)
            self.pathwise[t] = np.maximum(self.pathwise[t], (reached / allowed).max(axis=1))
            means.append(norms.reshape(len(norms), batches, -1).mean(axis=2))
            weighted = weighted + self.weights[t][:, None] * squares
            allowed = allowed + (self.parts[t] ** 2)[:, None] * noise_squares
            total = total + self.weights[t]
        self.count += squares.shape[1]
        self.batches.append(np.array(means))

    def columns(self, schedule: int) -> dict[str, np.ndarray]:
        """One row for each step: means over replicates, their standard errors, greatest pathwise ratio.

        norm, square, average: of ‖∇f(w_t)‖, its square and A_t; batch_norm (steps, batches): means of parts of the
        replicates.
        """
        norm, square, fourth, average, average_square = self.sums[:, :, schedule] / self.count
        columns = {"step": np.arange(1, len(norm) + 1)}
        for name, mean, second in (("norm", norm, square), ("square", square, fourth),
                                   ("average", average, average_square)):
            spread = np.maximum(second - mean**2, 0) / (self.count - 1)
            columns |= {name: mean, f"{name}_error": np.sqrt(spread)}
        together = np.concatenate(self.batches, axis=2)[:, schedule]
        return {**columns, "pathwise": self.pathwise[:, schedule], "batch_norm": together}


def ensemble(objective: Objective, schedules: Sequence[str], steps: int, start: float,
             draws: Sequence[Callable], count: int) -> Mapping[str, dict[str, np.ndarray]]:
    """`Moments.columns` for each of the `schedules`, of `count` replicates with each noise of `draws`.

    The number of noises divides `BATCHES`.
    """
    parts = np.stack([step_parts(schedule, steps) for schedule in schedules], axis=1)
    moments = Moments(parts, excess(objective, start))
    for draw in draws:
        moments.add(descend(objective, parts, draw, start, count), BATCHES // len(draws))
    return {schedule: moments.columns(i) for i, schedule in enumerate(schedules)}
