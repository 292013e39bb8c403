"""Measured growth of the error of descent on least squares, and how long exceptional starts survive rounding."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from descent.dynamics.least_squares import (
    descend,
    eigenbasis_growth,
    factors,
    gradient,
    limit,
    minimizer,
    rounded,
    spectrum,
)
from descent.dynamics.rational_least_squares import RationalProblem, start

# Between these the error, relative to the first, is far from rounding and from overflow.
WINDOW = (1e-6, 1e6)
DOUBLE = 53
Columns = dict[str, np.ndarray]


def generic_growth(X: np.ndarray, Y: np.ndarray, ratios: np.ndarray, steps: int, offsets: np.ndarray) -> Columns:
    """Growth of ‖θ^k − θ*‖ from the starts X⁺Y + `offsets` (s, p), for α = ratio · 2/ρ and every ratio; s · a rows.

    θ* is the minimizer nearest to the start. `growth`: (‖e_k‖/‖e_0‖)^{1/k} at the last k (`steps`) within `WINDOW`;
    `late`: the same from k/2 to k; `factor`: max |1 − α λ_i| over λ_i > 0; `share`: the component of e_0 that attains
    it, over ‖e_0‖; `top`: the largest eigenvalue in e_0 over ρ; `log10_end`: log10 ‖e_k‖/‖e_0‖ at the last step.
    """
    found = spectrum(X)
    positive, row_space = found.values[: found.rank], found.vectors[:, : found.rank]
    ratio, theta = np.tile(ratios, len(offsets)), np.repeat(minimizer(X, Y) + offsets, len(ratios), axis=0)
    alpha, star = ratio * 2 / positive[0], limit(theta, X, Y)
    errors = np.array([np.linalg.norm(now - star, axis=1) for now in descend(theta, X, Y, alpha[:, None], steps)])
    relative = errors / errors[0]
    inside = (relative >= WINDOW[0]) & (relative <= WINDOW[1])
    last, rows = np.maximum(steps - inside[::-1].argmax(axis=0), 1), np.arange(len(ratio))
    half = last // 2
    by_direction = factors(positive, alpha[:, None])
    slowest = by_direction.argmax(axis=1)
    components = np.abs((theta - star) @ row_space)
    return {"ratio": ratio, "top": np.ones(len(ratio)), "steps": last, "growth": relative[last, rows] ** (1 / last),
            "late": (relative[last, rows] / relative[half, rows]) ** (1 / (last - half)),
            "factor": by_direction.max(axis=1), "share": components[rows, slowest] / errors[0],
            "log10_end": np.log10(np.maximum(relative[-1], np.finfo(float).tiny))}


def map_growth(values: np.ndarray, ratios: np.ndarray, steps: int) -> Columns:
    """The same columns for starts with equal components on λ_j, …, λ_p alone, for every j; run in the eigenbasis.

    `values` (p) descending and positive; p · a rows.
    """
    alpha, parts = ratios * 2 / values[0], []
    for j in range(len(values)):
        growth = eigenbasis_growth(values, j, alpha, steps)
        parts.append({"ratio": ratios, "top": np.full(len(ratios), values[j] / values[0]),
                      "steps": np.full(len(ratios), steps), "growth": growth, "late": growth,
                      "factor": factors(values[j:], alpha[:, None]).max(axis=1),
                      "share": np.full(len(ratios), (len(values) - j) ** -0.5), "log10_end": steps * np.log10(growth)})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def exceptional_start(X: np.ndarray, Y: np.ndarray, alpha: float, draws: np.random.Generator) -> np.ndarray:
    """θ^0 = X⁺Y + a random unit vector in the span of the eigenvectors with α λ_i < 1.8, as nearly as doubles allow."""
    found = spectrum(X)
    components = np.where(alpha * found.values < 1.8, draws.standard_normal(X.shape[1]), 0.0)
    return minimizer(X, Y) + found.vectors @ (components / np.linalg.norm(components))


def departures(X: np.ndarray, Y: np.ndarray, ratio: float, bits: Sequence[int], draws: np.random.Generator) -> Columns:
    """When descent in few bits leaves the minimizer although its start has no component that grows.

    A row for each precision. `step`: first k ≥ 1 with ‖e_k‖ ≥ ‖e_0‖, or the last one run where `departed` is false:
    coarse rounding can trap a run in a fixed point or a cycle; `factor`: |1 − α ρ|; `second`: |1 − α λ_2|; `calm`: the
    largest factor among the directions of the start; `length`: ‖e_0‖; `start_rounding`: length of the other components
    of e_0; `rounding`: the largest ‖θ^{k+1} − (θ^k − α ∇f(θ^k))‖ up to `step`, with a bound for what doubles add.
    """
    found, star, bits = spectrum(X), minimizer(X, Y), np.asarray(bits)
    alpha = ratio * 2 / found.values[0]
    by_direction = factors(found.values, alpha)
    chosen, growth = alpha * found.values < 1.8, by_direction[0]
    most = int((np.log(2) * max(bits) + 10) / np.log(growth))
    theta = rounded(np.tile(exceptional_start(X, Y, alpha, draws), (len(bits), 1)), bits[:, None])
    path = np.array(list(descend(theta, X, Y, alpha, most, bits[:, None])))
    errors = np.linalg.norm(path - star, axis=2)
    beyond = errors[1:] >= errors[0]
    departed = beyond.any(axis=0)
    step = np.where(departed, beyond.argmax(axis=0) + 1, most)
    made = np.linalg.norm(path[1:] - path[:-1] + alpha * gradient(path[:-1], X, Y), axis=2)
    before = np.arange(most)[:, None] < step
    rounding = np.where(before, made + double_rounding(path[:-1], X, Y, alpha), 0).max(axis=0)
    outside = np.linalg.norm((path[0] - star) @ found.vectors[:, ~chosen], axis=1)
    same = {"ratio": ratio, "factor": growth, "second": by_direction[1], "calm": by_direction[chosen].max()}
    return {**{name: np.full(len(bits), value) for name, value in same.items()}, "bits": bits, "step": step,
            "departed": departed, "length": errors[0], "start_rounding": outside, "rounding": rounding}


def double_rounding(theta: np.ndarray, X: np.ndarray, Y: np.ndarray, alpha: float) -> np.ndarray:
    """A bound on the length of the rounding error of one step of `descend` in doubles, θ of shape (…, p).

    ε (N + p + 4) (α |X|ᵀ(|X||θ| + |Y|) + |θ|), component by component: the standard bound for two products with X.
    """
    absolute = np.abs(theta)
    parts = alpha * gradient(absolute, np.abs(X), -np.abs(Y)) + absolute
    return np.finfo(float).eps * (sum(X.shape) + 4) * np.linalg.norm(parts, axis=-1)


def exceptional_paths(problem: RationalProblem, ratio: Fraction, steps: int) -> dict[str, np.ndarray]:
    """‖θ^k − θ*‖ for k = 0, …, `steps` from θ* + Σ q_i over the directions with α λ_i < 2, α = `ratio` · 2/ρ.

    `rational`, and the same problem, start and step rounded to `double` and `single` precision.
    """
    alpha = ratio * 2 / problem.values[0]
    theta = start(problem, [int(alpha * value < 2) for value in problem.values])
    found = {}
    for name, kind in (("rational", object), ("double", np.float64), ("single", np.float32)):
        X, Y, first = (part.astype(kind) for part in (problem.X, problem.Y, theta))
        rate = alpha if kind is object else kind(alpha)
        # The minimizer as a double leaves of the single and double runs only digits that they do not have.
        star = problem.minimizer.astype(object if kind is object else float)
        errors = (now - star for now in descend(first, X, Y, rate, steps))
        found[name] = np.array([np.linalg.norm(error.astype(float)) for error in errors])
    return found
