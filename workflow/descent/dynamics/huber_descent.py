"""Gradient descent on the Huber loss of a linear operator with a ridge, ℓ(Ax − b) + (λ/2)‖x‖² (snu.5).

ℓ(u) = Σ_i h(u_i), h(u) = u²/2 for |u| ≤ 1 and |u| − 1/2 beyond. The gradient is Aᵀ clip(Ax − b) + λx with clip to
[−1, 1]; it is piecewise affine, with the Hessian AᵀDA + λI where D_ii = 1 if |u_i| < 1 and 0 if |u_i| > 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import sqrt

import numpy as np
from scipy.linalg import circulant

from descent.networks.convolution import Convolution1d

# Ratios of distances are taken while ‖x_k − x*‖ exceeds this part of ‖x*‖: below it, rounding would show in them.
FLOOR = 1e-6
SEEN = ("slowest", "fastest", "peak")


def huber_loss(u: np.ndarray) -> np.ndarray:
    """ℓ(u) = Σ_i h(u_i) over the first axis; h(u) = c u − c²/2 with c = clip(u)."""
    c = huber_grad(u)
    return np.sum(c * u - c * c / 2, axis=0)


def huber_grad(u: np.ndarray) -> np.ndarray:
    """∇ℓ(u) = clip(u, −1, 1), elementwise; integers and fractions stay what they are."""
    return np.clip(u, -1, 1)


def dense_convolution(kernel: np.ndarray, size: int) -> np.ndarray:
    """The document's naive matrix A (n − r + 1, n) of a `Convolution1d`, from a circulant one."""
    zeros = np.zeros(size - len(kernel), np.asarray(kernel).dtype)
    return circulant(np.concatenate((np.flip(kernel), zeros)))[len(kernel) - 1:, :]


@dataclass(frozen=True)
class HuberProblem:
    """minimize ℓ(Ax − b) + (λ/2)‖x‖² for the convolution A with `kernel` k (r,); `targets` b (m,), `ridge` λ > 0."""

    kernel: np.ndarray
    targets: np.ndarray
    ridge: float

    @property
    def size(self) -> int:
        """n = m + r − 1, the length of x."""
        return len(self.targets) + len(self.kernel) - 1

    @property
    def operator(self) -> Convolution1d:
        """A, which stores no matrix."""
        return Convolution1d(self.kernel, self.size)

    @property
    def dense(self) -> np.ndarray:
        """A as a matrix (m, n), for small n."""
        return dense_convolution(self.kernel, self.size)

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """Aᵀ clip(Ax − b) + λx at x (n,)."""
        return self.operator.T @ huber_grad(self.operator @ x - self.targets) + self.ridge * x

    def objective(self, x: np.ndarray) -> float:
        """ℓ(Ax − b) + (λ/2)‖x‖² at x (n,)."""
        return huber_loss(self.operator @ x - self.targets) + self.ridge / 2 * (x @ x)

    def gap(self, x: np.ndarray, optimum: np.ndarray) -> np.ndarray:
        """Objective at the columns of x (n, p) less that at the minimizer `optimum` (n,), accurate when it is tiny.

        With u = Ax − b, c = clip(u), stars at the optimum: Σ_i (c − c*)(u − (c + c*)/2) + (λ/2)‖x − x*‖², which is the
        difference less the optimum's vanishing gradient, and has no difference of nearly equal losses.
        """
        u = self.operator @ np.column_stack([optimum, x]) - self.targets[:, None]
        c = huber_grad(u)
        excess = np.sum((c[:, 1:] - c[:, :1]) * (u[:, 1:] - (c[:, 1:] + c[:, :1]) / 2), axis=0)
        return excess + self.ridge / 2 * np.sum((x - optimum[:, None]) ** 2, axis=0)

    def curvature(self, x: np.ndarray) -> np.ndarray:
        """∇²: AᵀDA + λI (n, n) at x (n,), for small n."""
        dense = self.dense
        inside = np.abs(dense @ x - self.targets) < 1
        return dense[inside].T @ dense[inside] + self.ridge * np.eye(self.size)


def legacy_problem(size: int, kernel_size: int, ridge: float) -> HuberProblem:
    """The document's draw: np.random.seed(0), k = randn(r), b = randn(n − r + 1), without touching the global state."""
    draws = _legacy_draws()
    kernel = draws.randn(kernel_size)
    return HuberProblem(kernel, draws.randn(size - kernel_size + 1), ridge)


def legacy_kernel(kernel_size: int) -> np.ndarray:
    """The kernel of `legacy_problem`, which is the same at every n."""
    return _legacy_draws().randn(kernel_size)


def _legacy_draws() -> np.random.RandomState:
    return np.random.RandomState(0)  # noqa: NPY002 — the document's generator


def scaled(problem: HuberProblem, scale: float, ridge: float) -> HuberProblem:
    """The problem with b times `scale` and another ridge: large targets leave residuals in the linear tails."""
    return replace(problem, targets=scale * problem.targets, ridge=ridge)


def descend(A, b: np.ndarray, lam: float, alpha, x: np.ndarray, iterations: int,
            seen: Callable[[int, np.ndarray], None] = lambda k, x: None) -> np.ndarray:
    """The document's gradient descent, its line unchanged: x_{k+1} = x_k − α ∇(ℓ(Ax − b) + (λ/2)‖x‖²).

    A: anything with @ and T. x: (n,), or (n, p) for p descents at once with b (m, 1) and steps `alpha` (p,).
    `seen(k, x_k)` is called for k = 0, …, `iterations`. Returns the last iterate.
    """
    seen(0, x)
    for k in range(iterations):
        x = x - alpha*(A.T@(huber_grad(A@x-b))+lam*x)
        seen(k + 1, x)
    return x


def minimizer(problem: HuberProblem, most: int = 200) -> np.ndarray:
    """x* (n,) by Newton's method on the piecewise affine gradient [@qi1993], with dense matrices.

    Steps are halved until the objective falls enough; the method ends, at a point with vanishing gradient, when a full
    step stays in the affine piece that it was computed for. Raises ArithmeticError if none does.
    """
    x = np.zeros(problem.size)
    for _ in range(most):
        gradient = problem.gradient(x)
        step = np.linalg.solve(problem.curvature(x), -gradient)
        if np.array_equal(_zones(problem, x), _zones(problem, x + step)):
            return x + step
        x = x + _damping(problem, x, step, gradient @ step) * step
    raise ArithmeticError(f"Newton's method found no minimizer in {most} steps")


def _zones(problem: HuberProblem, x: np.ndarray) -> np.ndarray:
    u = problem.operator @ x - problem.targets
    return np.sign(u) * (np.abs(u) >= 1)


def _damping(problem: HuberProblem, x: np.ndarray, step: np.ndarray, slope: float) -> float:
    start, t = problem.objective(x), 1.0
    while problem.objective(x + t * step) > start + 1e-4 * t * slope and t > 1e-9:
        t /= 2
    return t


def certified_distance(problem: HuberProblem, x: np.ndarray) -> float:
    """An upper bound of ‖x − x*‖, by strong convexity ‖∇(x)‖/λ with the gradient taken in rational numbers.

    The operator works on `Fraction`s as it does on floats: nothing is rounded before the final square root.
    """
    exact = HuberProblem(_rational(problem.kernel), _rational(problem.targets), Fraction(problem.ridge))
    gradient = exact.gradient(_rational(x))
    return sqrt(sum(value * value for value in gradient)) / problem.ridge


def _rational(values: np.ndarray) -> np.ndarray:
    return np.array([Fraction(value) for value in values.tolist()], dtype=object)


@dataclass(frozen=True)
class Limits:
    """Curvatures that decide about steps, from dense matrices.

    `smoothness` L = ‖A‖² + λ, `local` L* = λ_max of the Hessian at x*, `norm` ‖A‖, `least` the least curvature at x* in
    the range of Aᵀ, which descent from 0 never leaves, `outside` the number of residuals in the linear tails at x*.
    """

    smoothness: float
    local: float
    norm: float
    least: float
    outside: int


def limits(problem: HuberProblem, optimum: np.ndarray) -> Limits:
    """`Limits` at the minimizer `optimum` (n,)."""
    _, values, basis = np.linalg.svd(problem.dense, full_matrices=False)
    local = np.linalg.eigvalsh(basis @ problem.curvature(optimum) @ basis.T)
    outside = int(np.count_nonzero(_zones(problem, optimum)))
    return Limits(values[0] ** 2 + problem.ridge, local[-1], values[0], local[0], outside)


def record(problem: HuberProblem, optimum: np.ndarray, steps: np.ndarray,
           recorded: np.ndarray) -> dict[str, np.ndarray]:
    """Descents from 0 with `steps` α (p,), all at once, at the iterations `recorded` (rising, from 0).

    Rows, step by step: step, iteration, gap, distance ‖x − x*‖, and over all iterations so far: the largest and the
    least ratio ‖x_{k+1} − x*‖/‖x_k − x*‖ while the distance exceeds `FLOOR` ‖x*‖ (`slowest`, `fastest`; 0 and infinity
    at the start), and the largest ‖x‖, `peak`.
    """
    rows, wanted = [], np.isin(np.arange(recorded[-1] + 1), recorded)
    p = len(steps)
    state = {"last": np.full(p, np.nan), "slowest": np.zeros(p), "fastest": np.full(p, np.inf), "peak": np.zeros(p)}

    def seen(k: int, x: np.ndarray) -> None:
        distance = np.linalg.norm(x - optimum[:, None], axis=0)
        counted = (state["last"] > FLOOR * np.linalg.norm(optimum)) & np.isfinite(distance)
        ratio = np.divide(distance, state["last"], out=np.ones(p), where=counted)
        state["slowest"] = np.where(counted, np.maximum(state["slowest"], ratio), state["slowest"])
        state["fastest"] = np.where(counted, np.minimum(state["fastest"], ratio), state["fastest"])
        state["peak"], state["last"] = np.fmax(state["peak"], np.linalg.norm(x, axis=0)), distance
        if wanted[k]:
            rows.append((problem.gap(x, optimum), distance, *(state[name] for name in SEEN)))

    descend(problem.operator, problem.targets[:, None], problem.ridge, steps, np.zeros((problem.size, p)),
            int(recorded[-1]), seen)
    columns = np.array(rows).transpose(1, 2, 0).reshape(2 + len(SEEN), -1)
    return {"step": np.repeat(steps, len(recorded)), "iteration": np.tile(recorded, p),
            **dict(zip(("gap", "distance", *SEEN), columns))}
