"""Deep linear networks in exact arithmetic: gradients, conserved quantities, end-to-end flow (eth.1, tau.2.3, tau.3).

Residuals that are 0 where a statement holds. Layers W_1, …, W_N are arrays of fractions; balanced layers are
W_k = Q_k Σ Q_{k−1}ᵀ with rational orthogonal `bases` Q_0, …, Q_N and rational singular `values` Σ.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise
from itertools import product as combinations
from typing import Any

import numpy as np
import sympy

from descent.bounds.exact_arithmetic import derivative, exact, gradient, identity, orthogonal, power, rationals
from descent.networks.linear_network import Layers, imbalance, product

DEPTHS = (2, 3, 4)


def layer_instances(draws: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """Square layers and a target of the same size: three of size 2 or 3 in turn with DEPTHS."""
    sizes = [(DEPTHS[i % 3], 3 if i % 3 == 0 else 2) for i in range(count)]
    return [{"layers": list(rationals(draws, depth, d, d)), "target": rationals(draws, d, d)} for depth, d in sizes]


def balanced_instances(draws: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """Bases and distinct singular values of balanced layers, of sizes 2 and 3 in turn, and a target.

    The first has W_2 = diag(2, 1), W_1 = the same after an exchange of the two inputs, and the target W_2W_1 + I.
    """
    exchange, eye = exact([[0, 1], [1, 0]]), identity(2)
    found = [{"bases": [exchange, eye, eye], "values": exact([2, 1]), "target": exact([[1, 4], [1, 1]])}]
    for i in range(1, count):
        depth, d = DEPTHS[i % 3], 2 + i % 2
        values = np.sort(draws.choice(np.arange(1, 9), d, replace=False))[::-1]
        bases = [orthogonal(draws, d) for _ in range(depth + 1)]
        found.append({"bases": bases, "values": exact(values) / 2, "target": rationals(draws, d, d)})
    return found


def balanced(bases: Sequence[np.ndarray], values: np.ndarray) -> list[np.ndarray]:
    """W_k = Q_k Σ Q_{k−1}ᵀ for k = 1, …, N."""
    return [(upper * values) @ lower.T for lower, upper in pairwise(bases)]


def loss(matrix: np.ndarray, target: np.ndarray) -> Fraction:
    """½‖W − T‖_F²."""
    return np.sum((matrix - target) ** 2) / 2


def layer_loss(layer: np.ndarray, above: np.ndarray, below: np.ndarray, target: np.ndarray) -> Fraction:
    """`loss` of `above` · `layer` · `below`."""
    return loss(above @ layer @ below, target)


def around(layers: Layers, k: int) -> tuple[np.ndarray, np.ndarray]:
    """W_N ⋯ W_{k+2} and W_k ⋯ W_1, the products above and below `layers[k]` of square layers."""
    eye = identity(len(layers[0]))
    return product([eye, *layers[k + 1:]]), product([eye, *layers[:k]])


def velocities(layers: Layers, target: np.ndarray, scale: Fraction = Fraction(1)) -> list[np.ndarray]:
    """Ẇ_k = −`scale` W_{k+1:N}ᵀ (W − T) W_{1:k−1}ᵀ, the gradient flow of `scale` · ½‖W − T‖_F²."""
    pulled = scale * (target - product(layers))
    return [above.T @ pulled @ below.T for above, below in (around(layers, k) for k in range(len(layers)))]


def gradient_formula(layers: Layers, target: np.ndarray, swapped: bool = False) -> list[np.ndarray]:
    """eth.1a: (1/L) W_{k+1:L}ᵀ (W − W*) W_{1:k−1}ᵀ minus the derivative of the loss, which is quadratic in W_k."""
    found = []
    for k, layer in enumerate(layers):
        above, below = around(layers, k)
        left, right = (below, above) if swapped else (above, below)
        formula = left.T @ (product(layers) - target) @ right.T / len(layers)
        moved = partial(layer_loss, above=above, below=below, target=target)
        found.append(formula - gradient(moved, layer) / len(layers))
    return found


def expected_square(matrix: np.ndarray, symmetric: bool = False) -> Fraction:
    """eth.1a: E⟨M, A⟩² − ‖M‖_F² for independent N(0, 1) entries of A, by the two-point rule: the mean over all signs.

    The rule, nodes ±1 with weights ½, integrates polynomials of degree 3 in each entry exactly; `symmetric`: A = Aᵀ.
    """
    d, squares = len(matrix), []
    for signs in combinations((-1, 1), repeat=d * d):
        A = np.array(signs, dtype=object).reshape(d, d)
        A = np.triu(A) + np.triu(A, 1).T if symmetric else A
        squares.append(np.sum(matrix * A) ** 2)
    return sum(squares) / len(squares) - np.sum(matrix**2)


def velocity_identity(layers: Layers, target: np.ndarray, transposed: bool = False) -> list[np.ndarray]:
    """eth.1b (1): W_{k+1}ᵀẆ_{k+1} − Ẇ_kW_kᵀ; `transposed`: Ẇ_kᵀW_k on the right."""
    moves = velocities(layers, target, Fraction(1, len(layers)))
    return [upper.T @ dupper - (dlower.T @ lower if transposed else dlower @ lower.T)
            for (lower, upper), (dlower, dupper) in zip(pairwise(layers), pairwise(moves))]


def conserved(layers: Layers, target: np.ndarray, transposed: bool = False) -> list[np.ndarray]:
    """eth.1b: d/dt of W_{k+1}ᵀW_{k+1} − W_kW_kᵀ along the flow; `transposed`: of W_{k+1}ᵀW_{k+1} − W_kᵀW_k."""
    moves = velocities(layers, target, Fraction(1, len(layers)))

    def quantity(h):
        moved = [layer + h * move for layer, move in zip(layers, moves)]
        return np.array(differences(moved) if transposed else imbalance(moved))

    return derivative(quantity)


def differences(layers: Layers, outer: bool = False) -> list[np.ndarray]:
    """eth.1b (2) as printed: W_{k+1}ᵀW_{k+1} − W_kᵀW_k; `outer`: W_{k+1}W_{k+1}ᵀ − W_kW_kᵀ."""
    turned = [layer.T if outer else layer for layer in layers]
    return [upper.T @ upper - lower.T @ lower for lower, upper in pairwise(turned)]


def printed_equality(bases: Sequence[np.ndarray], values: np.ndarray, target: np.ndarray,
                     outer: bool = False) -> list[np.ndarray]:
    """`differences` of balanced layers."""
    return differences(balanced(bases, values), outer)


def vectors_agree(bases: Sequence[np.ndarray], values: np.ndarray, target: np.ndarray,
                  sign: int = 1) -> list[np.ndarray]:
    """eth.1c as printed, with *the* decompositions: U_k − `sign` V_{k+1} for all signs in a decomposition of W_{k+1}.

    U_k = Q_k, and W_{k+1} = (Q_{k+1}S) Σ (Q_kS)ᵀ is a singular value decomposition for every diagonal S of signs.
    """
    return [here - sign * here * np.array(signs, dtype=object) for here in bases[1:-1]
            for signs in combinations((-1, 1), repeat=len(values))]


def velocity_by_svd(bases: Sequence[np.ndarray], values: np.ndarray, target: np.ndarray, last: int = 1,
                    shift: int = 0) -> list[np.ndarray]:
    """eth.1d: Ẇ_k − (1/L) V_{k+1} Σ^{L−k} U_Lᵀ (W* − U_L Σ^L V_1ᵀ) V_1 Σ^{k−1} V_kᵀ.

    V_{j+1} = Q_j. The last factor is Q_{k−`last`}ᵀ: V_k for 1, the printed V_{k−1} for 2, which needs k ≥ 2; `shift` is
    added to L − k.
    """
    L, top, bottom = len(bases) - 1, bases[-1], bases[0]
    middle = top.T @ (target - (top * values**L) @ bottom.T) @ bottom
    moves = velocities(balanced(bases, values), target, Fraction(1, L))
    return [moves[k - 1] - (bases[k] * values ** (L - k + shift)) @ (middle * values ** (k - 1)) @ bases[k - last].T / L
            for k in range(max(last, 1), L + 1)]


def end_velocity(layers: Layers, target: np.ndarray, scale: Fraction) -> np.ndarray:
    """Ẇ = Σ_k W_{k+1:N} Ẇ_k W_{1:k−1} by the product rule."""
    pairs = [around(layers, k) for k in range(len(layers))]
    return sum(above @ move @ below for move, (above, below) in zip(velocities(layers, target, scale), pairs))


def end_velocity_by_svd(bases: Sequence[np.ndarray], values: np.ndarray, target: np.ndarray,
                        halved: bool = False) -> np.ndarray:
    """eth.1e: Ẇ − (1/L) Σ_k U_L Σ^{2L−2k} U_Lᵀ (W* − U_L Σ^L V_1ᵀ) V_1 Σ^{2k−2} V_1ᵀ; `halved`: half the exponents."""
    L, top, bottom, twice = len(bases) - 1, bases[-1], bases[0], 1 if halved else 2
    middle = top.T @ (target - (top * values**L) @ bottom.T) @ bottom
    formula = sum((top * values ** (twice * (L - k))) @ (middle * values ** (twice * (k - 1))) @ bottom.T
                  for k in range(1, L + 1)) / L
    return end_velocity(balanced(bases, values), target, Fraction(1, L)) - formula


def closed_form(bases: Sequence[np.ndarray], values: np.ndarray, target: np.ndarray, per_layer: bool, shift: int = 0,
                dropped: int = 0) -> list[np.ndarray]:
    """eth.1f, tau.3.4: Ẇ + s Σ_j [WWᵀ]^{(j−1)/N} (W − T) [WᵀW]^{(N−j)/N}, and that the N-th powers of the powers fit.

    s = 1/N if `per_layer`, else 1. `shift` is added to N − j, and so many terms at the end are `dropped`.
    """
    layers, N = balanced(bases, values), len(bases) - 1
    W, scale = product(layers), Fraction(1, N) if per_layer else Fraction(1)
    lefts = [(bases[-1] * values ** (2 * j)) @ bases[-1].T for j in range(N)]
    rights = [(bases[0] * values ** (2 * (j + shift))) @ bases[0].T for j in range(N)]
    velocity = -scale * sum(lefts[j] @ (W - target) @ rights[N - 1 - j] for j in range(N - dropped))
    roots = [power(root, N) - power(gram, j + moved) for chosen, gram, moved in
             ((lefts, W @ W.T, 0), (rights, W.T @ W, shift)) for j, root in enumerate(chosen)]
    return [end_velocity(layers, target, scale) - velocity, *roots]


def power_identity(bases: Sequence[np.ndarray], values: np.ndarray, target: np.ndarray,
                   rescaled: bool = False) -> list[np.ndarray]:
    """tau.3.1: (W_{1:j}ᵀW_{1:j})^N − (W_{1:N}ᵀW_{1:N})^j; both bases are positive semidefinite, so the roots agree.

    `rescaled`: W_1/2 and 2W_2, which have the same product and are not balanced.
    """
    layers = balanced(bases, values)
    if rescaled:
        layers = [layers[0] / 2, 2 * layers[1], *layers[2:]]
    whole, N = product(layers), len(layers)
    parts = [product(layers[:j]) for j in range(1, N)]
    return [power(part.T @ part, N) - power(whole.T @ whole, j) for j, part in enumerate(parts, 1)]


def symmetric_instances(draws: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """Factors U and targets T (not symmetric) of sizes 2 and 3 in turn."""
    return [{"factor": rationals(draws, d, d), "target": rationals(draws, d, d)}
            for d in (2 + i % 2 for i in range(count))]


def symmetric_factor(factor: np.ndarray, target: np.ndarray, untransposed: bool = False) -> np.ndarray:
    """tau.3.2: d/dt UUᵀ + (G + Gᵀ)W + W(G + Gᵀ) with U̇ = −∇ℓ(UUᵀ), ℓ = ½‖W − T‖²; `untransposed`: 2(GW + WG)."""
    dU, W = -gradient(lambda U: loss(U @ U.T, target), factor), factor @ factor.T
    G = W - target
    formula = 2 * (G @ W + W @ G) if untransposed else (G + G.T) @ W + W @ (G + G.T)
    return dU @ factor.T + factor @ dU.T + formula


def vector_instances(draws: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """Unit vectors u_0, …, u_{N−1}, a scale s and a target: layers s u_k u_{k−1}ᵀ with one output."""
    found = []
    for i in range(count):
        depth, d = DEPTHS[i % 3], 2 + i % 2
        units = [orthogonal(draws, d)[:, 0] for _ in range(depth)]
        found.append({"units": units, "scale": Fraction(int(draws.integers(1, 7)), 3), "target": rationals(draws, d)})
    return found


def scalar_velocity(units: Sequence[np.ndarray], scale: Fraction, target: np.ndarray, more: int = 0) -> np.ndarray:
    """tau.3.3: ẇ + ‖w‖^{2−2/N} (g + (N − 1 + `more`) Proj_w g), g = w − t, for the layers of `vector_instances`.

    There w = s^N u_0, so that ‖w‖^{2−2/N} = s^{2N−2}. The last layer is 1 × d, filled up with rows of zeros.
    """
    N, d = len(units), len(target)
    last = np.zeros((d, d), dtype=object)
    last[0] = scale * units[-1]
    layers = [*(scale * np.outer(upper, lower) for lower, upper in pairwise(units)), last]
    goal = np.zeros((d, d), dtype=object)
    goal[0] = target
    g = product(layers)[0] - target
    formula = scale ** (2 * N - 2) * (g + (N - 1 + more) * (units[0] @ g) * units[0])
    return end_velocity(layers, goal, Fraction(1))[0] + formula


def ray_instances(draws: np.random.Generator, count: int, depths: Sequence[int]) -> list[dict[str, Any]]:
    """W, T and directions D_1, …, D_N, integer matrices of size 2, for N in turn from `depths`."""
    found = []
    for i in range(count):
        matrix, target, *directions = draws.integers(1, 5, (2 + depths[i % len(depths)], 2, 2)).astype(object)
        found.append({"matrix": matrix, "target": target, "directions": np.array(directions)})
    return found


def ray_curvature(matrix: np.ndarray, target: np.ndarray, directions: np.ndarray, kind: str) -> sympy.Expr:
    """d²/dh² at 0 of ℓ(∏(W_j + hD_j)) at (W_1, …, W_N) = (W/c, I, …, I, cI), a rational function of the symbol c.

    `kind`: quadratic ½‖W − T‖_F², affine ⟨T, W⟩.
    """
    c, h, N = sympy.Symbol("c", positive=True), sympy.Symbol("h"), len(directions)
    start = [matrix] if N == 1 else [matrix / c, *[identity(2)] * (N - 2), c * identity(2)]
    moved = product([layer + h * D for layer, D in zip(start, directions)])
    value = np.sum((moved - target) ** 2) / 2 if kind == "quadratic" else np.sum(target * moved)
    return 2 * sympy.expand(value).coeff(h, 2)


def factor_curvature(matrix: np.ndarray, target: np.ndarray, directions: np.ndarray, exponent: int) -> sympy.Expr:
    """tau.2.3: the second derivative of ½‖W − T‖² in W_1 alone minus c^`exponent` ‖D_1‖_F²."""
    alone = directions * np.eye(len(directions), dtype=object)[0][:, None, None]
    c = sympy.Symbol("c", positive=True)
    return sympy.expand(ray_curvature(matrix, target, alone, "quadratic") - c**exponent * np.sum(directions[0] ** 2))


def ray_growth(matrix: np.ndarray, target: np.ndarray, directions: np.ndarray, kind: str,
               expected: Sequence[int]) -> int:
    """tau.2.3: the exponent with which the curvature grows as c → ∞ minus that `expected`[N − 1] at N factors."""
    c = sympy.Symbol("c", positive=True)
    numerator, denominator = sympy.fraction(sympy.together(ray_curvature(matrix, target, directions, kind)))
    return int(sympy.degree(numerator, c) - sympy.degree(denominator, c)) - expected[len(directions) - 1]
