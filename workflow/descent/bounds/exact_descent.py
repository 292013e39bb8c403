"""Descent and its bounds in exact arithmetic: least squares, noise, kernels, norms (snu, tau.2, tau.4, jhu.1c).

Residuals that are 0 where a statement holds.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product as combinations
from math import factorial, isqrt
from typing import Any

import numpy as np
import sympy

from descent.bounds.exact_arithmetic import (
    SMALL_STEP,
    derivative,
    exact,
    excess,
    gradient,
    identity,
    orthogonal,
    rationals,
)

# Fixed-point unit of the sums: integers rounded in the direction that makes an inequality harder to satisfy.
UNIT = 10**12


def least_squares_gradient(sign: int = 1) -> list[sympy.Expr]:
    """snu.1: ∇ℓ_i − (X_iᵀθ − Y_i)X_i and ∇L − Xᵀ(Xθ − Y) for symbols X (3, 2); `sign` in front of Y."""
    X = sympy.Matrix(3, 2, sympy.symbols("x:6"))
    Y, theta = (sympy.Matrix(sympy.symbols(names)) for names in ("y:3", "t:2"))
    wrong = X * theta - sign * Y
    parts = [((X.row(i) * theta)[0] - Y[i]) ** 2 / 2 for i in range(3)]
    single = [sympy.diff(part, theta) - wrong[i] * X.row(i).T for i, part in enumerate(parts)]
    found = [*single, sympy.diff(sum(parts), theta) - X.T * wrong]
    return [sympy.expand(entry) for matrix in found for entry in matrix]


def scalar_descent(steps: int, sign: int = -1) -> sympy.Expr:
    """snu.2: the k-th iterate of descent on θ²/2 for a symbolic step α, minus (1 + `sign` α)^k θ_0."""
    alpha, start = sympy.symbols("alpha theta")
    theta, z = start, sympy.Symbol("z")
    for _ in range(steps):
        theta = sympy.expand(theta - alpha * sympy.diff(z**2 / 2, z).subs(z, theta))
    return sympy.expand(theta - (1 + sign * alpha) ** steps * start)


def oscillation(steps: int, more: Fraction = Fraction(0)) -> Fraction:
    """snu.2: θ_k − (−1)^k θ_0 for k = `steps` steps of descent on θ²/2 from θ_0 = 1 with α = 2 + `more`."""
    theta = Fraction(1)
    for _ in range(steps):
        theta = theta - (2 + more) * theta
    return theta - (-1) ** steps


def regression_instances(draws: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """X (3, 2), minimizer θ*, Y = Xθ* + z with Xᵀz = 0, start θ_0 and step α; first X = Y = 1, α = ½, θ_0 = 0."""
    first = {"X": exact([[1]]), "Y": exact([1]), "minimizer": exact([1]), "start": exact([0]), "alpha": Fraction(1, 2)}
    found = [first]
    for _ in range(1, count):
        X, minimizer = rationals(draws, 3, 2), rationals(draws, 2)
        (a, b, c), (d, e, f) = X.T
        normal = np.array([b * f - c * e, c * d - a * f, a * e - b * d])
        Y = X @ minimizer + rationals(draws, 1)[0] * normal
        alpha = Fraction(int(draws.integers(1, 9)), 4)
        found.append({"X": X, "Y": Y, "minimizer": minimizer, "start": rationals(draws, 2), "alpha": alpha})
    return found


def error_recursion(X: np.ndarray, Y: np.ndarray, minimizer: np.ndarray, start: np.ndarray, alpha: Fraction,
                    sign: int = -1, steps: int = 4) -> list[np.ndarray]:
    """snu.3: θ^k − θ* − (I + `sign` α XᵀX)^k (θ^0 − θ*) for descent on ½‖Xθ − Y‖², k ≤ `steps`."""
    matrix = identity(len(start)) + sign * alpha * X.T @ X
    theta, error, found = start, start - minimizer, []
    for _ in range(steps):
        theta = theta - alpha * gradient(lambda t: np.sum((X @ t - Y) ** 2) / 2, theta)
        error = matrix @ error
        found.append(theta - minimizer - error)
    return found


def printed_step(X: np.ndarray, Y: np.ndarray, minimizer: np.ndarray, start: np.ndarray, alpha: Fraction,
                 factor: int = -1) -> np.ndarray:
    """snu.3: one step of descent minus (I − αXᵀX)θ + `factor` · αXᵀY; the document prints the factor −1, right is 1."""
    taken = start - alpha * gradient(lambda t: np.sum((X @ t - Y) ** 2) / 2, start)
    return taken - (start - alpha * X.T @ (X @ start) + factor * alpha * X.T @ Y)


# XᵀX has the eigenvalues 1/4 with (4, 3)/5 and 4 with (−3, 4)/5: with α = 1 the factors are 3/4 and −3.
EXCEPTIONAL = exact([[1, 0], [0, 4]]) @ exact([[4, 3], [-3, 4]]) / 10


def exceptional_path(steps: int, displacement: Fraction = Fraction(0)) -> list[np.ndarray]:
    """θ^k − θ* for k ≤ `steps`, `EXCEPTIONAL`, α = 1 > 2/ρ = ½ and θ^0 − θ* = (4, 3) + `displacement` (−3, 4)."""
    path, factor = [exact([4, 3]) + displacement * exact([-3, 4])], identity(2) - EXCEPTIONAL.T @ EXCEPTIONAL
    for _ in range(steps):
        path.append(factor @ path[-1])
    return path


def exceptional_start(steps: int, displacement: Fraction = Fraction(0)) -> np.ndarray:
    """snu.3: θ^k − θ* − (3/4)^k (θ^0 − θ*) at the end of `exceptional_path`: it converges although α > 2/ρ."""
    path = exceptional_path(steps, displacement)
    return path[-1] - Fraction(3, 4) ** steps * path[0]


def rounded_path(steps: int) -> np.ndarray:
    """Norms of `exceptional_path` in double precision, shape (`steps` + 1,)."""
    X, error = EXCEPTIONAL.astype(float), np.array([4.0, 3.0])
    norms = [np.linalg.norm(error)]
    for _ in range(steps):
        error = error - X.T @ (X @ error)
        norms.append(np.linalg.norm(error))
    return np.array(norms)


def wide_minima_slope(chain: int = 3) -> sympy.Expr:
    """snu.4: f′ minus 20θ + s(θ − 10 − 20θ) + `chain` s(1 − s)((θ − 10)²/2 + 50 − 10θ²), s = 1/(1 + e^{−3(θ−3)})."""
    theta, E = sympy.symbols("theta E", positive=True)
    bowl, wide = 10 * theta**2, (theta - 10) ** 2 / 2 + 50
    value = (bowl + E * wide) / (1 + E)
    # E stands for e^{3(θ−3)}, whose derivative is 3E.
    slope = sympy.diff(value, theta) + 3 * E * sympy.diff(value, E)
    s = E / (1 + E)
    formula = 20 * theta + s * (theta - 10 - 20 * theta) + chain * s * (1 - s) * (wide - bowl)
    return sympy.cancel(slope - formula)


def convolution_instances(draws: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """A kernel (3,), x (n,), b and y (n − 2,), n = 5 to 7, and λ; no |(Ax − b)_i| is 1, where two pieces meet."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        n = 5 + len(found) % 3
        instance = {"kernel": rationals(draws, 3), "x": rationals(draws, n), "b": rationals(draws, n - 2),
                    "y": rationals(draws, n - 2), "weight": Fraction(1, int(draws.integers(1, 11)))}
        if not np.any(abs(correlate(instance["kernel"], instance["x"]) - instance["b"]) == 1):
            found.append(instance)
    return found


def correlate(kernel: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(Ax)_i = Σ_j k_j x_{i+j}, shape (n − r + 1,)."""
    r = len(kernel)
    return np.array([kernel @ x[i:i + r] for i in range(len(x) - r + 1)])


def transposed(kernel: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(Aᵀy)_i = Σ_j k_j y_{i−j}, shape (len(y) + r − 1,): y between zeros, correlated with the reversed kernel."""
    zeros = exact([0] * (len(kernel) - 1))
    return correlate(kernel[::-1], np.concatenate([zeros, y, zeros]))


def adjoint(kernel: np.ndarray, x: np.ndarray, b: np.ndarray, y: np.ndarray, weight: Fraction,
            flipped: bool = False) -> Fraction:
    """snu.5: ⟨Ax, y⟩ − ⟨x, Aᵀy⟩; `flipped`: the reversed kernel in Aᵀ."""
    return correlate(kernel, x) @ y - x @ transposed(kernel[::-1] if flipped else kernel, y)


def huber_gradient(kernel: np.ndarray, x: np.ndarray, b: np.ndarray, y: np.ndarray, weight: Fraction,
                   factor: Fraction = Fraction(1)) -> np.ndarray:
    """snu.5: ∇ of ℓ(Ax − b) + (λ/2)‖x‖² minus Aᵀ h′(Ax − b) + `factor` λx, the step of the document's loop."""
    def objective(point):
        misfit = abs(correlate(kernel, point) - b)
        return np.sum(np.where(misfit <= 1, misfit**2 / 2, misfit - Fraction(1, 2))) + weight * np.sum(point**2) / 2

    clipped = np.clip(correlate(kernel, x) - b, -1, 1)
    return gradient(objective, x, SMALL_STEP) - transposed(kernel, clipped) - factor * weight * x


def noise_instances(draws: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """Smoothness β, start w (2,), σ and T = 2, …, 5."""
    return [{"beta": Fraction(int(draws.integers(1, 9)), 2), "start": rationals(draws, 2),
             "sigma": Fraction(int(draws.integers(1, 9)), 3), "steps": 2 + i % 4} for i in range(count)]


def stationarity(beta: Fraction, start: np.ndarray, sigma: Fraction, steps: int,
                 per_coordinate: bool = False) -> Fraction:
    """tau.2.1: (1/T) Σ_t E‖∇f(w_t)‖² − (2βΔ/T + σ² − σ²/T) for f = β‖w‖²/2 and η = 1/β, over all signs of the noise.

    The noise is ±σ(3/5, 4/5); `per_coordinate`: ±σ in each coordinate, so that its variance in total is 2σ².
    """
    unit = [exact([1, 1]), exact([1, -1])] if per_coordinate else [exact([3, 4]) / 5]
    noises = [sign * sigma * direction for direction in unit for sign in (-1, 1)]
    total = Fraction(0)
    for sequence in combinations(noises, repeat=steps - 1):
        w, squares = start, beta**2 * np.sum(start**2)
        for noise in sequence:
            w = w - (beta * w + noise) / beta
            squares += beta**2 * np.sum(w**2)
        total += squares
    gap = 2 * beta * (beta * np.sum(start**2) / 2)
    return total / len(noises) ** (steps - 1) / steps - (gap / steps + sigma**2 - sigma**2 / steps)


def sum_instances(largest: int) -> list[dict[str, int]]:
    """For T = 1, …, `largest`, in integers of 1/UNIT: Σ_{t≤T} 1/√t from below, Σ 1/t from above and ln T from below.

    ln T = Σ_{t=2}^T 2 artanh(1/(2t − 1)), of which the first terms Σ 2/(2t − 1) are kept.
    """
    roots = harmonic = logarithm = 0
    found = []
    for T in range(1, largest + 1):
        roots += isqrt(UNIT**2 // T)
        harmonic -= -UNIT // T
        logarithm += 2 * UNIT // (2 * T - 1) if T > 1 else 0
        found.append({"T": T, "roots": roots, "harmonic": harmonic, "logarithm": logarithm})
    return found


def step_sum(T: int, roots: int, harmonic: int, logarithm: int, offset: int = 2) -> int:
    """tau.2.2: excess of 2√(T + 1) − `offset` over Σ_{t≤T} 1/√t, rounded against the inequality."""
    return int(excess(2 * (isqrt(UNIT**2 * (T + 1)) + 1) - offset * UNIT, roots))


def harmonic_sum(T: int, roots: int, harmonic: int, logarithm: int, offset: int = 1) -> int:
    """tau.2.2: excess of Σ_{t≤T} 1/t over `offset` + ln T, rounded against the inequality."""
    return int(excess(harmonic, offset * UNIT + logarithm))


def kernel_instances(draws: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """Eigenvectors (3, 3), rising distinct eigenvalues and r; every other r is the eigenvector of the least one."""
    found = []
    for i in range(count):
        vectors, values = orthogonal(draws, 3), exact(np.sort(draws.choice(np.arange(1, 12), 3, replace=False))) / 3
        residual = rationals(draws, 3) if i % 2 else vectors[:, 0]
        found.append({"vectors": vectors, "values": values, "residual": residual})
    return found


def slowest_decay(vectors: np.ndarray, values: np.ndarray, residual: np.ndarray, index: int = 0) -> list[Fraction]:
    """tau.4.1: d‖r‖²/dt + 2rᵀHr along r′ = −Hr, and the excess of 2λ‖r‖² over 2rᵀHr, λ the eigenvalue `index`."""
    H = (vectors * values) @ vectors.T
    speed, form = derivative(lambda h: np.sum((residual - h * H @ residual) ** 2)), residual @ H @ residual
    return [speed + 2 * form, excess(2 * values[index] * np.sum(residual**2), 2 * form)]


def slowed_instances(largest: int) -> list[dict[str, Any]]:
    """ε/λ = 1/n for n = 2, …, `largest`."""
    return [{"n": n} for n in range(2, largest + 1)]


def slowed_supremum(n: int, shift: int = 1) -> list[Fraction]:
    """tau.4.2: at λt = −n ln(1 − 1/n), n = λ/ε: the slope of δ = e^{−(λ−ε)t} − e^{−λt}, and δ minus its closed form.

    There e^{−λt} = q^n and e^{−(λ−ε)t} = q^{n−1} with q = 1 − 1/n; the closed form is (ε/λ) q^{(λ − `shift` ε)/ε}.
    """
    q = 1 - Fraction(1, n)
    return [q * q ** (n - 1) - q**n, q ** (n - 1) - q**n - q ** (n - shift) / n]


def partial_exponential(time: int) -> Fraction:
    """Σ_{k ≤ 3t} t^k/k!, a lower bound of e^t."""
    return sum(Fraction(time**k, factorial(k)) for k in range(3 * time + 1))


def indefinite_growth(time: int, constant: int) -> int:
    """tau.4.2 as printed: 1 if |δ| > C√(εt) |r_0| at t = `time` for λ = 1, ε = 2, H(t) = −1, else 0.

    δ = e^t − e^{−t} there, and e^t is replaced by a partial sum of its series, which is smaller.
    """
    growth = partial_exponential(time)
    return int((growth - 1 / growth) ** 2 > constant**2 * 2 * time)


def scalar_minimizer() -> tuple:
    """jhu.1c: v, u = ‖U‖ from the stationarity of s u + v²/s² at s = 1, and the product c = uv."""
    u, v, s = sympy.symbols("u v s", positive=True)
    (norm,) = sympy.solve(sympy.diff(s * u + v**2 / s**2, s).subs(s, 1), u)
    return v, norm, norm * v


def norm_ratio(factor: int = 4) -> sympy.Expr:
    """jhu.1c: (‖U‖/‖V‖)³ − `factor` c."""
    v, norm, c = scalar_minimizer()
    return sympy.simplify((norm / v) ** 3 - factor * c)


def balance_at(value: Fraction = Fraction(1, 4)) -> list[sympy.Expr]:
    """jhu.1c: c − `value` at every positive ‖V‖ with ‖U‖ = ‖V‖."""
    v, norm, c = scalar_minimizer()
    return [c.subs(v, root) - sympy.Rational(value) for root in sympy.solve(norm - v, v)]


def threshold(divisor: int = 4) -> list[sympy.Expr]:
    """jhu.1c: at a stationary point of ½(uv − y)² + (λ/2)(u + v²) that is as good as 0: c⁴ − λ³/`divisor`, and ∂F/∂u.

    y comes from ∂F/∂v = 0, λ from F(u, v) = F(0, 0); a global minimizer has F(u, v) ≤ F(0, 0), that is a larger c.
    """
    v, norm, c = scalar_minimizer()
    u, y, rate = sympy.symbols("u y lambda", positive=True)
    F = (u * v - y) ** 2 / 2 + rate / 2 * (u + v**2)
    (label,) = sympy.solve(sympy.diff(F, v).subs(u, norm), y)
    (weight,) = sympy.solve(sympy.simplify((F.subs(u, norm) - y**2 / 2).subs(y, label)), rate)
    slope = sympy.diff(F, u).subs(u, norm).subs(y, label)
    return [sympy.simplify((c**4 - rate**3 / divisor).subs(rate, weight)), sympy.simplify(slope)]
