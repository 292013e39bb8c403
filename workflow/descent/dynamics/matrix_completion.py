"""Deep matrix factorization for completion: gradient descent on the observed entries (Arora, Cohen, Hu and Luo 2019).

L = ½ Σ_{(i,j) observed} (W − M)_ij², W = W_N ⋯ W_1, all matrices (n, n).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from descent.networks.linear_network import balanced_layers, gaussian_layers, product


@dataclass(frozen=True)
class CompletionProblem:
    """A matrix M (n, n) and which of its entries are observed (n, n), 1 or 0."""

    target: np.ndarray
    observed: np.ndarray

    def residual(self, matrix: np.ndarray) -> np.ndarray:
        """W − M on the observed entries, zero elsewhere: the gradient of L in W."""
        return (matrix - self.target) * self.observed

    def train_error(self, matrix: np.ndarray) -> float:
        """‖W − M‖ over ‖M‖ on the observed entries (Frobenius)."""
        return float(np.linalg.norm(self.residual(matrix)) / np.linalg.norm(self.target * self.observed))

    def test_error(self, matrix: np.ndarray) -> float:
        """‖W − M‖ over ‖M‖ on all unobserved entries (Frobenius); 1 is what W = 0 has."""
        hidden = 1 - self.observed
        return float(np.linalg.norm((matrix - self.target) * hidden) / np.linalg.norm(self.target * hidden))


def random_problem(generator: np.random.Generator, n: int, rank: int, observations: int) -> CompletionProblem:
    """M = A Bᵀ with Gaussian A, B (n, `rank`), ‖M‖_F = n; `observations` entries chosen without replacement."""
    left, right = generator.standard_normal((2, n, rank))
    target = left @ right.T
    observed = np.zeros(n * n)
    observed[generator.permutation(n * n)[:observations]] = 1
    return CompletionProblem(target * n / np.linalg.norm(target), observed.reshape(n, n))


def starting_factors(generator: np.random.Generator, kind: str, n: int, depth: int, norm: float) -> list[np.ndarray]:
    """`depth` square layers with ‖W_N ⋯ W_1‖_F = `norm`: independent `gaussian` ones, or `balanced` ones of a Gaussian.

    At depth 1 both are a Gaussian matrix.
    """
    if kind == "balanced" and depth > 1:
        matrix = generator.standard_normal((n, n))
        return balanced_layers(norm * matrix / np.linalg.norm(matrix), depth, n)
    layers = gaussian_layers(generator, [n] * (depth + 1), 1.0)
    factor = (norm / np.linalg.norm(product(layers))) ** (1 / depth)
    return [factor * layer for layer in layers]


def stable_step(problem: CompletionProblem, depth: int, fraction: float) -> float:
    """η = `fraction` / (N ‖M‖₂^{2 − 2/N}).

    With balanced layers the Hessian's largest eigenvalue at W = M is at most N ‖M‖₂^{2 − 2/N}, and gradient descent is
    stable below twice the inverse of it.
    """
    return fraction / (depth * np.linalg.norm(problem.target, 2) ** (2 - 2 / depth))


def partial_products(layers: Sequence[np.ndarray]) -> list[np.ndarray]:
    """W_1, W_2 W_1, …, W_N ⋯ W_1."""
    found = [layers[0]]
    for layer in layers[1:]:
        found.append(layer @ found[-1])
    return found


def descend(layers: Sequence[np.ndarray], partial: Sequence[np.ndarray], residual: np.ndarray,
            eta: float) -> list[np.ndarray]:
    """One step of all layers from the gradient `residual` in W; `partial` products of the same layers."""
    moved, back = list(layers), residual
    for j in range(len(layers) - 1, 0, -1):
        moved[j] = layers[j] - eta * (back @ partial[j - 1].T)
        back = layers[j].T @ back
    moved[0] = layers[0] - eta * back
    return moved


def complete(problem: CompletionProblem, layers: Sequence[np.ndarray], eta: float, tolerance: float, cap: int,
             record: float = 1.25) -> dict[str, np.ndarray]:
    """Gradient descent until the train error is at most `tolerance`, looked at every 10 steps, or `cap` steps.

    Rows: step, train_error, test_error, effective_rank, moved, at the start, whenever the number of steps has grown by
    the factor `record`, and at the end. moved: ‖W − W(0)‖ over ‖M‖ on the unobserved entries.
    """
    current, rows, due, start = list(layers), [], 0, product(layers)
    hidden = 1 - problem.observed
    size = np.linalg.norm(problem.target * hidden)
    for step in range(cap + 1):
        partial = partial_products(current)
        matrix = partial[-1]
        ended = step == cap or step % 10 == 0 and problem.train_error(matrix) <= tolerance
        if ended or step >= due:
            moved = np.linalg.norm((matrix - start) * hidden) / size
            rows.append((step, problem.train_error(matrix), problem.test_error(matrix), effective_rank(matrix), moved))
            due = max(10, int(record * step))
        if ended:
            break
        current = descend(current, partial, problem.residual(matrix), eta)
    names = ("step", "train_error", "test_error", "effective_rank", "moved")
    return dict(zip(names, map(np.array, zip(*rows)), strict=True))


def effective_rank(matrix: np.ndarray) -> float:
    """exp(−Σ p_i ln p_i) with p = s / Σ s, s the singular values (Roy and Vetterli 2007): from 1 to min(shape)."""
    s = np.linalg.svd(matrix, compute_uv=False)
    p = s[s > 0] / s.sum()
    return float(np.exp(-np.sum(p * np.log(p))))


def least_nuclear_norm(problem: CompletionProblem, tolerance: float, cap: int = 20000) -> tuple[np.ndarray, float]:
    """The matrix of least nuclear norm among those that agree with M on the observed entries, and its duality gap.

    Alternating directions: X by shrinking singular values, Z by restoring the observed entries. Any Y that is zero off
    the observed entries with ‖Y‖₂ ≤ 1 gives the lower bound ⟨Y, M⟩ on the least norm; the gap is 1 − ⟨Y, M⟩/‖Z‖_*.
    Stops at a gap of `tolerance`, looked at every 25 iterations; raises RuntimeError after `cap`.
    """
    known = problem.target * problem.observed
    Z, dual = known.copy(), np.zeros_like(known)
    # Of the order of the singular values sought, so that shrinking by it takes neither all nor nothing.
    shrink = 0.1 * np.linalg.norm(known, 2)
    for iteration in range(1, cap + 1):
        U, s, Vt = np.linalg.svd(Z - dual, full_matrices=False)
        X = (U * np.maximum(s - shrink, 0)) @ Vt
        Z = (X + dual) * (1 - problem.observed) + known
        dual += X - Z
        if iteration % 25 == 0:
            Y = -dual * problem.observed / max(shrink, np.linalg.norm(dual * problem.observed, 2))
            gap = 1 - float(np.sum(Y * known)) / np.linalg.norm(Z, "nuc")
            if gap <= tolerance:
                return Z, gap
    raise RuntimeError(f"least nuclear norm: duality gap {gap:.2g} after {cap} iterations")
