"""The smallest counterexample to each wrong printed form, its numbers computed exactly, as Markdown with formulas."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from descent.bounds import exact_descent, exact_linear_networks, exact_shallow_networks
from descent.bounds.exact_arithmetic import identity
from descent.networks.linear_network import product


def tex(value: Any) -> str:
    """A number, vector or matrix of fractions as TeX, without dollar signs."""
    array = np.asarray(value, dtype=object)
    if array.ndim == 2:
        return r"\begin{pmatrix} " + r" \\ ".join(" & ".join(map(tex, row)) for row in array) + r" \end{pmatrix}"
    if array.ndim == 1:
        return r"\left(" + ", ".join(map(tex, array)) + r"\right)"
    number = Fraction(array.item())
    if number.denominator == 1:
        return str(number.numerator)
    return f"{'-' if number < 0 else ''}\\frac{{{abs(number.numerator)}}}{{{number.denominator}}}"


def counterexamples(draws: np.random.Generator) -> list[dict[str, str]]:
    """For each erratum the claim's id, the printed form and the counterexample; the first instances of the checks."""
    first = {
        "balanced": exact_linear_networks.balanced_instances(draws, 1)[0],
        "joint": exact_shallow_networks.joint_instances(draws, 1)[0],
        "chain": exact_shallow_networks.chain_instances(draws, 1)[0],
        "share": exact_shallow_networks.share_instances(4)[0],
        "quadratic": exact_shallow_networks.quadratic_instances(draws, 1)[0],
        "regression": exact_descent.regression_instances(draws, 1)[0],
    }
    return [
        one_factor(), indefinite_kernel(4), scanned_chain(**first["chain"]), slow_sample(**first["share"]),
        far_weight(**first["share"]), sum_over_samples(**first["joint"]), unequal_grams(**first["balanced"]),
        free_signs(**first["balanced"]), wrong_index(**first["balanced"]), same_point(**first["quadratic"]),
        sign_slip(**first["regression"]),
    ]


def _entry(id: str, printed: str, shown: str) -> dict[str, str]:
    return {"id": id, "printed": printed, "shown": shown}


def one_factor() -> dict[str, str]:
    """tau.2.3 at N = 1."""
    one = np.array([[1]], dtype=object)
    curvature = exact_linear_networks.ray_curvature(one, 0 * one, one[None], "quadratic")
    return _entry("tau.2.3.exact_printed", r"$\varphi$ is smooth iff $\ell$ is constant, or affine with $N = 2$",
                  rf"$N = d = 1$, $\varphi(w) = \ell(w) = \frac12 w^2$: $\varphi'' = {curvature}$ everywhere, so that "
                  r"$\varphi$ is smooth, and $\ell$ is not affine.")


def indefinite_kernel(time: int) -> dict[str, str]:
    """tau.4.2 with ε > λ; e^t is at least the whole part of a partial sum of its series."""
    least = int(exact_descent.partial_exponential(time)) - 1
    return _entry("tau.4.2.exact_printed", r"$\|\delta(t)\| \le C \sqrt{\epsilon t}\, \|r_0\|$",
                  r"$m = 1$, $H^* = \lambda = 1$, $H(t) = -1$, $\epsilon = 2$, $r_0 = 1$: $\delta(t) = e^t - e^{-t}$. "
                  rf"At $t = {time}$ this is more than ${least}$, while $\sqrt{{\epsilon t}} = \sqrt{{{2 * time}}}$; "
                  "every $C$ is exceeded in this way, at a time that depends on it.")


def scanned_chain(X: np.ndarray, residual: np.ndarray, active: np.ndarray) -> dict[str, str]:
    """du.2 (ii) without √n."""
    return _entry("du.2.exact_scanned", r"(ii) as scanned: $\sum_i |r_i| \le \|r\|$ for $r = y - u$",
                  rf"$n = {len(residual)}$, $r = {tex(residual)}$: ${tex(np.sum(abs(residual)))} \le "
                  rf"\sqrt{{{tex(np.sum(residual**2))}}}$.")


def slow_sample(active: int, width: int) -> dict[str, str]:
    """du.2, the printed rate."""
    rate = exact_shallow_networks.one_sample_rate(active, width)
    return _entry("du.2.exact_rate_printed", r"$\|r(s)\| \le e^{-\lambda_0 s}\, \|r(0)\|$, $r = y - u$",
                  rf"$n = 1$, $m = {width}$, one unit active ($w_1^\top x = 1$, $a_1 = 1$, the others $-1$), "
                  rf"$u(0) < y$: $H = {tex(rate)} = \lambda_0/2$ at all times and "
                  rf"$\|r(s)\| = e^{{-s/{1 / rate}}}\, \|r(0)\|$, more than $e^{{-s/2}}\, \|r(0)\|$ at every $s > 0$.")


def far_weight(active: int, width: int) -> dict[str, str]:
    """du.2, the printed radius."""
    ratio = exact_shallow_networks.RATE / exact_shallow_networks.one_sample_rate(active, width)
    return _entry("du.2.exact_radius_printed",
                  r"No weight moves further than $\sqrt n\, \|r(0)\| / (\sqrt m\, \lambda_0)$",
                  rf"The same network: the active weight moves with speed $|r(s)|/\sqrt m$, in the end by "
                  rf"$|r(0)|/(\sqrt m\, H)$, which is {tex(ratio)} times the printed radius.")


def sum_over_samples(W: np.ndarray, a: np.ndarray, X: np.ndarray, y: np.ndarray) -> dict[str, str]:
    """du.3, the printed sum."""
    residual = y - exact_shallow_networks.joint_network(W, a, X)
    rate = exact_shallow_networks.output_rate(W, a, X, residual)
    G = exact_shallow_networks.joint_grams(W, a, X)[1]
    return _entry("du.3.exact_printed", r"$\sum_r \frac{du_i}{da_r} \frac{da_r}{dt} = \sum_r (y_j - u_j)\, G_{ij}$",
                  rf"$m = 1$, $w = {tex(W[0])}$, $a = {tex(a[0])}$, $x_1 = {tex(X[0])}$, $x_2 = {tex(X[1])}$, "
                  rf"$y = {tex(y)}$: $u = {tex(y - residual)}$, the left side is ${tex(rate[0])}$ for $i = 1$, the "
                  rf"right one ${tex(residual[0] * G[0, 0])}$ for $j = 1$ and ${tex(residual[1] * G[0, 1])}$ for "
                  "$j = 2$.")


def _layers(bases: list[np.ndarray], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lower, upper = exact_linear_networks.balanced(bases, values)
    return lower, upper


def unequal_grams(bases: list[np.ndarray], values: np.ndarray, target: np.ndarray) -> dict[str, str]:
    """eth.1b, formula (2)."""
    lower, upper = _layers(bases, values)
    return _entry("eth.1b.exact_printed", r"$W_{k+1}^\top W_{k+1} = W_k^\top W_k$",
                  rf"$L = 2$, $W_1 = {tex(lower)}$, $W_2 = {tex(upper)}$: balanced, as $W_2^\top W_2 = W_1W_1^\top = "
                  rf"{tex(lower @ lower.T)}$, and $W_1^\top W_1 = {tex(lower.T @ lower)}$.")


def free_signs(bases: list[np.ndarray], values: np.ndarray, target: np.ndarray) -> dict[str, str]:
    """eth.1c, uniqueness."""
    upper = _layers(bases, values)[1]
    return _entry("eth.1c.exact_printed", r"The decomposition is unique, and $U_k = V_{k+1}$",
                  rf"The same layers: $W_1 = I \Sigma V_1^\top$ with $\Sigma = {tex(upper)}$ has $U_1 = I$. Both "
                  rf"$W_2 = I \Sigma I$ and $W_2 = (-I) \Sigma (-I)$ are decompositions; in the second $V_2 = -I$.")


def wrong_index(bases: list[np.ndarray], values: np.ndarray, target: np.ndarray) -> dict[str, str]:
    """eth.1d, the last factor."""
    lower, upper = _layers(bases, values)
    velocity = exact_linear_networks.velocities([lower, upper], target, Fraction(1, 2))[1]
    wrong = exact_linear_networks.velocity_by_svd(bases, values, target, last=2)[0]
    return _entry("eth.1d.exact_printed", r"$V_{k-1}^\top$ as the last factor of $\dot W_k$",
                  rf"The same layers and $W^* = W_2W_1 + I = {tex(product([lower, upper]) + identity(2))}$: "
                  rf"$\dot W_2 = \frac12 (W^* - W_2W_1) W_1^\top = {tex(velocity)}$, and the printed form gives "
                  rf"${tex(velocity - wrong)}$.")


def same_point(W: np.ndarray, start: np.ndarray, a: np.ndarray, x: np.ndarray) -> dict[str, str]:
    """eth.2c at V = W."""
    gap = exact_shallow_networks.quadratic_gap(W, start, a, x, same_point=True)
    return _entry("eth.2c.exact_printed", r"$|f(W) - f_0(V)| \le \frac{\beta}{2\sqrt m} \|W - V\|_F^2\, \|x\|^2$",
                  rf"$m = d = 1$, $\sigma(z) = \frac12 z^2$, $a = x = 1$, $W_0 = {tex(start[0, 0])}$, $W = V = "
                  rf"{tex(W[0, 0])}$: ${tex(gap)} \le 0$.")


def sign_slip(X: np.ndarray, Y: np.ndarray, minimizer: np.ndarray, start: np.ndarray,
              alpha: Fraction) -> dict[str, str]:
    """snu.3, the sign in front of αXᵀY."""
    right, wrong, paths = start, start, []
    for _ in range(3):
        right, wrong = right - alpha * X.T @ (X @ right - Y), wrong - alpha * X.T @ (X @ wrong) - alpha * X.T @ Y
        paths.append((right[0], wrong[0]))
    good, bad = zip(*paths)
    return _entry("snu.3.exact_printed", r"$\theta^{k+1} = (I - \alpha X^\top X)\, \theta^k - \alpha X^\top Y$",
                  rf"$X = Y = 1$, $\alpha = {tex(alpha)}$, $\theta^0 = 0$: descent gives ${', '.join(map(tex, good))}, "
                  rf"\dots$ and tends to the minimizer ${tex(minimizer[0])}$; the printed step gives "
                  rf"${', '.join(map(tex, bad))}, \dots$ and tends to $-1$.")
