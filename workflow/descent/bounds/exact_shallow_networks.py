"""Two-layer networks in exact arithmetic (tau.1.1, du.2, du.3, du.5, jhu.1a, jhu.1b, jhu.2a, eth.2).

Residuals that are 0 where a statement holds. Derivatives of ReLU networks are taken within one activation pattern,
where they are polynomials.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy

from descent.bounds.exact_arithmetic import (
    SMALL_STEP,
    derivative,
    exact,
    excess,
    gradient,
    orthogonal,
    rationals,
)

RATE = Fraction(1, 2)  # λ_0 of one unit input: the diagonal of H∞


def relu(values: np.ndarray) -> np.ndarray:
    """max(z, 0), exactly."""
    return np.where(values > 0, values, Fraction(0))


def instances_with(draws: np.random.Generator, count: int, draw, nonzero) -> list[dict[str, Any]]:
    """`count` instances of `draw`(draws, index), drawn again while an entry of `nonzero`(**instance) is exactly 0."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        instance = draw(draws, len(found))
        if not np.any(nonzero(**instance) == 0):
            found.append(instance)
    return found


def homogeneous_instances(draws: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """U (2, 3), V (2, 3), inputs X (n, 2), targets Y (n, 2) and a factor c > 0; no pre-activation is 0."""
    def draw(source, index):
        n = 1 + index % 3
        return {"U": rationals(source, 2, 3), "V": rationals(source, 2, 3), "X": rationals(source, n, 2),
                "Y": rationals(source, n, 2), "c": Fraction(int(source.integers(1, 10)), 4)}

    return instances_with(draws, count, draw, lambda V, X, **rest: X @ V)


def rescaling(U: np.ndarray, V: np.ndarray, X: np.ndarray, Y: np.ndarray, c: Fraction, sign: int = 1) -> np.ndarray:
    """jhu.1a: U ψ(Vᵀx) − (`sign` c U) ψ((V/`sign` c)ᵀx) on all inputs."""
    c = sign * c
    return relu(X @ V) @ U.T - relu(X @ (V / c)) @ (c * U).T


def euler(U: np.ndarray, V: np.ndarray, X: np.ndarray, Y: np.ndarray, c: Fraction, weight: int = 1) -> Fraction:
    """jhu.1b: ⟨U, ∇_U F⟩ − `weight` ⟨V, ∇_V F⟩ for F = Σ ½‖y − Uψ(Vᵀx)‖²; each entry enters quadratically."""
    def objective(U, V):
        return np.sum((relu(X @ V) @ U.T - Y) ** 2) / 2

    along_U = np.sum(U * gradient(lambda moved: objective(moved, V), U))
    return along_U - weight * np.sum(V * gradient(lambda moved: objective(U, moved), V, SMALL_STEP))


def deep_instances(draws: np.random.Generator, count: int, depths: Sequence[int]) -> list[dict[str, Any]]:
    """Inputs X (n, 2), targets y (n,) with Xᵀy ≠ 0, a slope σ′(0) and N, in turn from `depths`."""
    def draw(source, index):
        slope = Fraction(int(source.integers(1, 7)), 2)
        return {"X": rationals(source, 3, 2), "y": rationals(source, 3), "slope": slope,
                "depth": depths[index % len(depths)]}

    return instances_with(draws, count, draw, lambda X, y, **rest: np.array(np.sum((X.T @ y) ** 2)))


def deep_loss(layers: Sequence[np.ndarray], X: np.ndarray, y: np.ndarray, slope: Fraction) -> Any:
    """(1/2n) Σ (f(x_i) − y_i)², f(x) = W_N σ(W_{N−1} ⋯ σ(W_1 x)), σ(z) = `slope` z + z²; for fractions or symbols."""
    values = X @ layers[0].T
    for layer in layers[1:]:
        values = (slope * values + values**2) @ layer.T
    return np.sum((values[:, 0] - y) ** 2) / (2 * len(y))


def zero_weights(depth: int) -> list[np.ndarray]:
    """Layers of zeros from 2 inputs through 2 units to 1 output."""
    shapes = [(1, 2)] if depth == 1 else [(2, 2)] * (depth - 1) + [(1, 2)]
    return [exact(np.zeros(shape, int)) for shape in shapes]


def stationary(X: np.ndarray, y: np.ndarray, slope: Fraction, depth: int) -> list[np.ndarray]:
    """tau.1.1: ∇L at zero weights; along each entry L is constant there for N ≥ 2 and quadratic for N = 1."""
    layers = zero_weights(depth)

    def moved(W, k):
        return deep_loss([*layers[:k], W, *layers[k + 1:]], X, y, slope)

    return [gradient(partial(moved, k=k), layer) for k, layer in enumerate(layers)]


def convexity_gap(X: np.ndarray, y: np.ndarray, slope: Fraction, depth: int) -> int:
    """tau.1.1: 0 if L(w) < L(0) + ⟨∇L(0), w⟩ for some w on a path through one unit of each layer, else 1.

    w = s (e_1e_1ᵀ, …) with first row Xᵀy, s = 1, ½, …, 2^{−20}: L(w) − L(0) ~ −s^N σ′(0)^{N−1} ‖Xᵀy‖²/n.
    """
    at_zero, slopes = deep_loss(zero_weights(depth), X, y, slope), stationary(X, y, slope, depth)
    for k in range(21):
        layers = zero_weights(depth)
        for layer in layers:
            layer[0, 0] = Fraction(1, 2**k)
        layers[0][0] = (X.T @ y) / 2**k
        tangent = at_zero + sum(np.sum(g * layer) for g, layer in zip(slopes, layers))
        if deep_loss(layers, X, y, slope) < tangent:
            return 0
    return 1


def hessian_at_zero(X: np.ndarray, y: np.ndarray, slope: Fraction, depth: int, always: bool = False) -> sympy.Expr:
    """tau.1.1: det(z − ∇²L(0)) minus (z² − s²)² z^{rest}, s = σ′(0) ‖Xᵀy‖/n, for N = 2, minus a power of z for N ≥ 3.

    Two hidden units in each layer. ∇²L(0) comes from the coefficients of t² in L(t(e_a + e_b)); `always`: the first
    formula at every N.
    """
    sizes = [layer.size for layer in zero_weights(depth)]
    n, z, t = sum(sizes), sympy.Symbol("z"), sympy.Symbol("t")

    def coefficient(*entries):
        flat = np.zeros(n, dtype=object)
        flat[[int(entry) for entry in entries]] = t
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        layers = [part.reshape(layer.shape) for part, layer in zip(parts, zero_weights(depth))]
        return sympy.expand(deep_loss(layers, X, y, slope)).coeff(t, 2)

    own = [coefficient(a) for a in range(n)]
    matrix = sympy.Matrix(n, n, lambda a, b: 2 * own[a] if a == b else coefficient(a, b) - own[a] - own[b])
    square = sympy.Rational(slope**2 * np.sum((X.T @ y) ** 2) / len(y) ** 2)
    expected = (z**2 - square) ** 2 * z ** (n - 4) if depth == 2 or always else z**n
    return sympy.expand(matrix.charpoly(z).as_expr() - expected)


def joint_instances(draws: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """W (4, 2), a (4,), X (n, 2) and y (n,), n = 2 or 3; m = 4, so that m^(−1/2) = ½. No pre-activation is 0.

    The first is one unit (1, 1) with a = 1, the inputs (1, 0) and (0, 1), and labels 0.
    """
    def draw(source, index):
        n = 2 + index % 2
        return {"W": rationals(source, 4, 2), "a": rationals(source, 4), "X": rationals(source, n, 2),
                "y": rationals(source, n)}

    first = {"W": exact([[1, 1]]), "a": exact([1]), "X": exact([[1, 0], [0, 1]]), "y": exact([0, 0])}
    return [first, *instances_with(draws, count - 1, draw, lambda W, X, **rest: X @ W.T)]


def joint_network(W: np.ndarray, a: np.ndarray, X: np.ndarray) -> np.ndarray:
    """u_i = m^(−1/2) Σ_r a_r relu(w_rᵀx_i) for m = 1 or 4 units."""
    return relu(X @ W.T) @ a / (1 if len(a) == 1 else 2)


def joint_velocities(W: np.ndarray, a: np.ndarray, X: np.ndarray,
                     residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dW/dt and da/dt of gradient flow of ½‖u − y‖², `residual` = y − u."""
    root, active = (1 if len(a) == 1 else 2), X @ W.T > 0
    return (active * residual[:, None] * a).T @ X / root, relu(X @ W.T).T @ residual / root


def joint_grams(W: np.ndarray, a: np.ndarray, X: np.ndarray, weighted: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """H with a_r² (without, if not `weighted`) and G, both (n, n)."""
    active, m = np.where(X @ W.T > 0, Fraction(1), Fraction(0)), len(a)
    H = (X @ X.T) * ((active * (a**2 if weighted else 1)) @ active.T) / m
    return H, relu(X @ W.T) @ relu(X @ W.T).T / m


def joint_derivative(W: np.ndarray, a: np.ndarray, X: np.ndarray, y: np.ndarray, weighted: bool = True) -> np.ndarray:
    """du.3: du/dt − (H + G)(y − u) with both layers trained; u is quadratic along a line within a pattern."""
    residual = y - joint_network(W, a, X)
    dW, da = joint_velocities(W, a, X, residual)
    H, G = joint_grams(W, a, X, weighted)
    rate = derivative(lambda h: joint_network(W + h * dW, a + h * da, X), SMALL_STEP)
    return rate - (H + G) @ residual


def output_derivative(W: np.ndarray, a: np.ndarray, X: np.ndarray, y: np.ndarray,
                      weighted: bool = False) -> np.ndarray:
    """du.3: Σ_r ∂u_i/∂a_r da_r/dt − Σ_j (y_j − u_j) G_ij; `weighted`: a_r² in G as in H."""
    residual, G = y - joint_network(W, a, X), joint_grams(W, a, X)[1]
    if weighted:
        G = (relu(X @ W.T) * a**2) @ relu(X @ W.T).T / len(a)
    return output_rate(W, a, X, residual) - G @ residual


def output_rate(W: np.ndarray, a: np.ndarray, X: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Σ_r ∂u_i/∂a_r da_r/dt (n,)."""
    da = joint_velocities(W, a, X, residual)[1]
    return derivative(lambda h: joint_network(W, a + h * da, X))


def printed_sum(W: np.ndarray, a: np.ndarray, X: np.ndarray, y: np.ndarray, one_unit: bool = False) -> list[Fraction]:
    """du.3 as printed, for every i: Σ_r ∂u_i/∂a_r da_r/dt minus Σ_r (y_j − u_j) G_ij, for the j that fits best.

    G_ij is there the product of unit r alone, 1/m σ(w_rᵀx_i) σ(w_rᵀx_j), and no sum is over j. `one_unit`: the sum over
    j in place, but G of one unit (that fits best).
    """
    residual, active = y - joint_network(W, a, X), relu(X @ W.T)
    if one_unit:
        candidates = [np.outer(unit, unit) @ residual / len(a) for unit in active.T]
    else:
        candidates = list((active @ active.T / len(a) * residual).T)
    rate = output_rate(W, a, X, residual)
    return [min((rate[i] - found[i] for found in candidates), key=abs) for i in range(len(y))]


def gram_square(W: np.ndarray, a: np.ndarray, X: np.ndarray, y: np.ndarray, weighted: bool = False) -> Fraction:
    """du.3 (ii): rᵀGr − (1/m) Σ_r (Σ_i r_i σ(w_rᵀx_i))², r = y − u; `weighted`: a_r under the last sum."""
    residual, active = y - joint_network(W, a, X), relu(X @ W.T)
    squares = (residual @ active) ** 2 * (a if weighted else 1)
    return residual @ joint_grams(W, a, X)[1] @ residual - np.sum(squares) / len(a)


def chain_instances(draws: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """Unit inputs X (n, 2), residuals r (n,) and the pattern of one unit; every other pattern is active everywhere."""
    found = [{"X": exact([[1, 0], [1, 0]]), "residual": exact([1, 1]), "active": np.array([1, 1], dtype=object)}]
    for i in range(1, count):
        n = 2 + i % 3
        X = np.array([orthogonal(draws, 2)[:, 0] for _ in range(n)])
        active = draws.integers(0, 2, n) if i % 2 else np.ones(n, int)
        found.append({"X": X, "residual": rationals(draws, n), "active": active.astype(object)})
    return found


def inequality_i(X: np.ndarray, residual: np.ndarray, active: np.ndarray, cancelled: bool = False) -> Fraction:
    """du.2 (i), squared and without a_r²/m: excess of ‖Σ r_i θ_i x_i‖² over (Σ|r_i|)², or (Σ r_i)² if `cancelled`."""
    right = np.sum(residual) if cancelled else np.sum(abs(residual))
    return excess(np.sum(((residual * active) @ X) ** 2), right**2)


def inequality_ii(X: np.ndarray, residual: np.ndarray, active: np.ndarray, samples: Fraction = Fraction(1),
                  constant: int = 0) -> Fraction:
    """du.2 (ii), squared: excess of (Σ|r_i|)² over (`samples` n + `constant`) ‖r‖²; right for 1 and 0."""
    return excess(np.sum(abs(residual)) ** 2, (samples * len(residual) + constant) * np.sum(residual**2))


def share_instances(largest: int) -> list[dict[str, Any]]:
    """All numbers of active units of m = 1, …, `largest` with H = active/m ≥ λ_0/2 = ¼; (1, 4) first."""
    pairs = [(active, m) for m in range(1, largest + 1) for active in range(1, m + 1) if 4 * active >= m]
    return [{"active": active, "width": m} for active, m in sorted(pairs, key=lambda pair: pair != (1, 4))]


def one_sample_rate(active: int, width: int) -> Fraction:
    """The rate −r′/r of gradient flow on one unit input: a_r = 1, w_rᵀx = ±1, `active` of them positive, r < 0."""
    start = exact([1] * active + [-1] * (width - active))
    residual = Fraction(-1)

    def scaled_output(h):
        # √m u along w_r′ = −r θ_r/√m, the factor 1/√m of the velocity taken out: u′ is this derivative over m.
        return np.sum(relu(start - h * residual * (start > 0)))

    return -derivative(scaled_output, SMALL_STEP) / width / residual


def printed_rate(active: int, width: int, factor: Fraction) -> Fraction:
    """du.2: excess of the claimed rate `factor` λ_0 of ‖u − y‖ over the rate at which it falls."""
    return excess(factor * RATE, one_sample_rate(active, width))


def printed_radius(active: int, width: int, factor: Fraction) -> Fraction:
    """du.2: excess of how far an active weight goes, in units of √n ‖u(0) − y‖/(√m λ_0), over `factor`.

    Its speed is |r|/√m with |r| = |r(0)| e^{−Hs}, its whole path |r(0)|/(√m H): λ_0/H of these units.
    """
    return excess(RATE / one_sample_rate(active, width), factor)


def angle_instances(largest: int) -> list[dict[str, Any]]:
    """All angles πp/q from 0 to π with q ≤ `largest`, each once."""
    angles = sorted({Fraction(p, q) for q in range(1, largest + 1) for p in range(q + 1)})
    return [{"angle": angle} for angle in angles]


def active_share(angle: Fraction, supplement: bool = True) -> Fraction:
    """du.5: the share of directions w active on both of two vectors at π `angle`, counted, minus (π − θ)/2π.

    Both half planes are unions of the 4q sectors of width π/2q; a sector is active where its middle, an odd multiple of
    π/4q, is less than π/2 from the vector. `supplement` false: minus θ/2π.
    """
    p, q = angle.numerator, angle.denominator

    def near(middle, centre):
        return min((middle - centre) % (8 * q), (centre - middle) % (8 * q)) < 2 * q

    both = sum(near(middle, 0) and near(middle, 4 * p) for middle in range(1, 8 * q, 2))
    return Fraction(both, 4 * q) - (1 - angle if supplement else angle) / 2


def arc_cosine(angle: Fraction | None, factor: int = 1) -> sympy.Expr:
    """jhu.2a: E[ψ(v·x) ψ(w·x)] of unit vectors at an angle θ, by integration, minus `factor` times the closed form.

    (1/2π) ∫ r³ e^{−r²/2} dr ∫ cos φ cos(φ − θ) dφ over θ − π/2 < φ < π/2; θ = π `angle`, or the symbol θ for None.
    """
    theta = sympy.Symbol("theta", positive=True) if angle is None else sympy.pi * sympy.Rational(angle)
    phi, radius = sympy.symbols("phi r", positive=True)
    radial = sympy.integrate(radius**3 * sympy.exp(-(radius**2) / 2), (radius, 0, sympy.oo))
    product = sympy.cos(phi) * (sympy.cos(phi) * sympy.cos(theta) + sympy.sin(phi) * sympy.sin(theta))
    angular = sympy.integrate(sympy.expand(product), (phi, theta - sympy.pi / 2, sympy.pi / 2))
    closed = (sympy.sin(theta) + (sympy.pi - theta) * sympy.cos(theta)) / (2 * sympy.pi)
    return sympy.simplify(radial * angular / (2 * sympy.pi) - factor * closed)


def any_activation(rows: int = 2, columns: int = 2) -> tuple:
    """Symbols W, W_0, a, x of a network Σ_j a_j σ(w_jᵀx) and σ, an undefined function."""
    names = (("w", (rows, columns)), ("v", (rows, columns)), ("a", (rows,)), ("x", (columns,)))
    drawn = [np.array(sympy.symbols(f"{name}:{int(np.prod(shape))}"), dtype=object).reshape(shape)
             for name, shape in names]
    return *drawn, sympy.Function("sigma")


def slope_at(sigma: sympy.Function, point: sympy.Expr) -> sympy.Expr:
    """σ′ at `point`."""
    z = sympy.Symbol("z")
    return sympy.Subs(sympy.Derivative(sigma(z), z), z, point)


def unit_sum(a: np.ndarray, terms: Sequence[sympy.Expr]) -> sympy.Expr:
    """Σ_j a_j · `terms`[j]."""
    return sum(weight * term for weight, term in zip(a, terms))


def network_gradient(own: bool = True) -> list[sympy.Expr]:
    """eth.2a: ∂f/∂w_jk − a_j σ′(w_jᵀx) x_k for any differentiable σ; `own` false: σ′ of the other unit."""
    W, _, a, x, sigma = any_activation()
    f, z = unit_sum(a, [sigma(w @ x) for w in W]), (W if own else W[::-1]) @ x
    return [sympy.simplify((sympy.diff(f, W[j, k]) - a[j] * slope_at(sigma, z[j]) * x[k]).doit())
            for j, k in np.ndindex(W.shape)]


def linearization(slopes_at_start: bool = True) -> sympy.Expr:
    """eth.2b: f(W_0) + ⟨∇f(W_0), W − W_0⟩ minus the sum over units, with σ′(w_{0,j}ᵀx), or σ′(w_jᵀx)."""
    W, start, a, x, sigma = any_activation()
    f = unit_sum(a, [sigma(w @ x) for w in start])
    tangent = f + sum(sympy.diff(f, start[j, k]) * (W - start)[j, k] for j, k in np.ndindex(W.shape))
    slopes = [slope_at(sigma, z) for z in (start if slopes_at_start else W) @ x]
    printed = unit_sum(a, [sigma(v @ x) - d * (v @ x) + d * (w @ x) for w, v, d in zip(W, start, slopes)])
    return sympy.simplify(sympy.expand((tangent - printed).doit()))


def quadratic_instances(draws: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """W, W_0, a = ±1/√m and x for σ = z²/2, m = 1, 4, 9; in every other one W − W_0 ∥ x and all signs are equal."""
    found = [{"W": exact([[1]]), "start": exact([[0]]), "a": exact([1]), "x": exact([1])}]
    for i in range(1, count):
        root = 1 + i % 3
        x, start = rationals(draws, 2), rationals(draws, root**2, 2)
        tight = i % 2 == 0
        move = np.outer(rationals(draws, root**2), x) if tight else rationals(draws, root**2, 2)
        signs = np.ones(root**2, int) if tight else draws.choice([-1, 1], root**2)
        found.append({"W": start + move, "start": start, "a": exact(signs) / root, "x": x})
    return found


def quadratic_gap(W: np.ndarray, start: np.ndarray, a: np.ndarray, x: np.ndarray, width_power: int = 1,
                  same_point: bool = False, factor: int = 1) -> Fraction:
    """eth.2c for σ = z²/2, β = 1: excess of |f(W) − f_0(W)| over β m^(−`width_power`/2) ‖W − W_0‖_F² ‖x‖²/2.

    `same_point`: over the printed bound, `factor` · β/(2√m) ‖W − V‖_F² ‖x‖², at V = W.
    """
    z, z0, root = W @ x, start @ x, {1: 1, 4: 2, 9: 3}[len(a)]
    gap = abs(np.sum(a * z**2) / 2 - np.sum(a * (z0**2 / 2 + z0 * (z - z0))))
    distance = np.sum((W - W) ** 2) if same_point else np.sum((W - start) ** 2)
    return excess(gap, factor * distance * np.sum(x**2) / (2 * root**width_power))
