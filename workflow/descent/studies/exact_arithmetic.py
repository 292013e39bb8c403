"""Do the documents' identities hold exactly, and which printed forms do small rational counterexamples refute?"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import Field

from descent.claims import write_claims
from descent.figures import save_figure
from descent.pipeline.randomness import generator
from descent.pipeline.settings import Block
from descent.pipeline.study import StudyPlan

TITLE = "Identities and counterexamples without rounding"
PART = "exact"


class Settings(Block):
    """Settings of the study; the spec gives exact statements but no sizes, so these are the laboratory's own."""

    instances: int = Field(..., ge=8, le=2000, description="Random rational instances of each statement (all items)")
    symbolic_instances: int = Field(
        ..., ge=4, le=200, description="Random instances that keep a symbol (tau.1.1, tau.2.3)")
    largest_power: int = Field(..., ge=2, le=40, description="Largest k in the symbolic iterates (snu.2)")
    steps: int = Field(..., ge=60, le=400, description="Steps of descent at its limit and from the exceptional start "
                       "(snu.2, snu.3)")
    displacement: int = Field(..., ge=6, le=30, description="The exceptional start is moved by 5e-N (snu.3)")
    largest_width: int = Field(..., ge=4, le=200, description="Largest number of units in the list of networks on one "
                               "sample (du.2)")
    largest_denominator: int = Field(..., ge=4, le=200, description="Largest q of the angles pi p/q (du.5)")
    largest_sum: int = Field(..., ge=100, le=10**6, description="Largest T of the sums over steps (tau.2.2)")


def plan(study: StudyPlan, settings: Settings) -> None:
    """Declare the ledger's rows, the counterexamples and the figure."""
    shared = {"master_seed": study.master_seed, **settings.model_dump()}
    rows = study.claims(shared, {}, seconds=0.12 * settings.instances + 2)
    study.figure("exceptional_start", {"steps": settings.steps, "displacement": settings.displacement}, {})
    study.values({"master_seed": study.master_seed, "steps": settings.steps}, {"claims": rows}, seconds=1)


def figure_exceptional_start(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The exceptional start in fractions and in double precision (snu.3)."""
    from descent.bounds.exact_figures import draw_exceptional

    save_figure(draw_exceptional(settings["steps"], settings["displacement"]), outputs, settings["preview"])


def claims(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The ledger's rows: residuals that are exactly 0, or are not."""
    rows = [*_depth_claims(settings), *_stationarity_claims(settings), *_end_to_end_claims(settings),
            *_kernel_claims(settings), *_speed_claims(settings), *_joint_claims(settings), *_norm_claims(settings),
            *_layer_claims(settings), *_sensing_claims(settings), *_linearization_claims(settings),
            *_regression_claims(settings), *_operator_claims(settings)]
    write_claims(outputs["claims"], rows)


def _draws(settings: dict[str, Any], family: str):
    return generator(settings["master_seed"], "exact_instances", 0, family=family)


def _exact(id: str, statement: str, instances: list, residual, right: dict, wrong: dict, wrong_text: str, **row):
    from descent.bounds.exact_arithmetic import vanishes
    from descent.claims import check

    given = {"instances": instances, "residual": residual, **right}
    return check(id, "theorem", statement, vanishes, given, wrong, wrong_text, **row)


def _depth_claims(settings: dict[str, Any]) -> list:
    from descent.bounds import exact_linear_networks as linear
    from descent.bounds import exact_shallow_networks as networks

    count, few, deep = settings["instances"], settings["symbolic_instances"], (2, 3, 4)
    drawn = networks.deep_instances(_draws(settings, "deep"), count, deep)
    single = networks.deep_instances(_draws(settings, "single"), count, (1,))
    rays = linear.ray_instances(_draws(settings, "rays"), few, deep)
    all_rays = linear.ray_instances(_draws(settings, "all_rays"), few, (1, *deep))
    alone = [instance for instance in all_rays if len(instance["directions"]) == 1]
    hidden, growth = r"with $\sigma(z) = \sigma'(0) z + z^2$", {"kind": "quadratic", "expected": (2, 2, 2, 2)}
    return [
        _exact("tau.1.1.exact_stationary", f"$\\nabla L(0) = 0$ for $N$ = 2, 3, 4 layers {hidden}", drawn,
               networks.stationary, {}, {"instances": single}, "$N = 1$"),
        _exact("tau.1.1.exact", r"Some $w$ has $L(w) < L(0) + \langle \nabla L(0), w \rangle$", drawn,
               networks.convexity_gap, {}, {"instances": single}, "$N = 1$"),
        _exact("tau.1.1.exact_hessian", r"$\nabla^2 L(0)$ has the eigenvalues $\pm|\sigma'(0)|\,\|X^\top y\|/n$, once "
               "for each hidden unit, and 0 for $N = 2$; it is 0 for $N$ = 3, 4", drawn[:few],
               networks.hessian_at_zero, {}, {"always": True}, "the first formula at every $N$", form="our own"),
        _exact("tau.2.3.exact", r"For $\ell = \frac12\|W - T\|^2$ and $N$ = 2, 3, 4 the second derivative in $W_1$ at "
               r"$(cI, I, \dots, W/c)$ is $c^2\|D\|^2$ in every direction $D$", rays, linear.factor_curvature,
               {"exponent": 2}, {"exponent": 1}, "$c$ in place of $c^2$"),
        _exact("tau.2.3.exact_affine", "The curvature of an affine loss, not constant, does not grow there for "
               "$N = 2$ and grows like $c$ for $N$ = 3, 4", rays, linear.ray_growth,
               {"kind": "affine", "expected": (0, 0, 1, 1)}, {"expected": (0, 0, 0, 0)}, "no growth at any depth"),
        _exact("tau.2.3.exact_printed", "A quadratic loss has unbounded curvature at every depth, $N = 1$ included",
               all_rays, linear.ray_growth, growth, {"instances": alone}, "$N = 1$ alone", form="erratum"),
    ]


def _stationarity_claims(settings: dict[str, Any]) -> list:
    from descent.bounds import exact_descent as descent

    noisy = descent.noise_instances(_draws(settings, "noise"), settings["instances"])
    sums = descent.sum_instances(settings["largest_sum"])
    own = {"form": "our own"}
    return [
        _exact("tau.2.1.exact", r"For $f = \frac\beta2\|w\|^2$ and noise of two values the mean of "
               r"$E\|\nabla f(w_t)\|^2$ over $t \le T$ is the bound $2\beta\Delta/T + \sigma^2$ less $\sigma^2/T$",
               noisy, descent.stationarity, {}, {"per_coordinate": True},
               r"$\sigma^2$ as the variance of each coordinate", **own),
        _exact("tau.2.2.exact_steps", r"$\sum_{t \le T} t^{-1/2} \ge 2(\sqrt{T + 1} - 1)$", sums, descent.step_sum, {},
               {"offset": 1}, r"$2\sqrt{T + 1} - 1$", **own),
        _exact("tau.2.2.exact_harmonic", r"$\sum_{t \le T} 1/t \le 1 + \ln T$", sums, descent.harmonic_sum, {},
               {"offset": 0}, r"$\ln T$", **own),
    ]


def _end_to_end_claims(settings: dict[str, Any]) -> list:
    from descent.bounds import exact_linear_networks as linear

    count = settings["instances"]
    balanced = linear.balanced_instances(_draws(settings, "balanced"), count)
    return [
        _exact("tau.3.1.exact", r"For balanced layers $W_{1:j}^\top W_{1:j} = [W_{1:N}^\top W_{1:N}]^{j/N}$", balanced,
               linear.power_identity, {}, {"rescaled": True}, r"$W_1/2$ and $2W_2$, not balanced"),
        _exact("tau.3.2.exact", r"For $W = UU^\top$, $\dot W = -(G + G^\top)W - W(G + G^\top)$",
               linear.symmetric_instances(_draws(settings, "symmetric"), count), linear.symmetric_factor, {},
               {"untransposed": True}, "$-2(GW + WG)$"),
        _exact("tau.3.3.exact", r"With one output $\dot w = -\|w\|^{2 - 2/N} \left(g + (N - 1)\, (w^\top g)\, "
               r"w/\|w\|^2\right)$", linear.vector_instances(_draws(settings, "vectors"), count),
               linear.scalar_velocity, {}, {"more": 1}, "$N$ in place of $N - 1$"),
        _exact("tau.3.4.exact", r"For balanced layers $\dot W = -\sum_{j=1}^N [WW^\top]^{\frac{j-1}{N}} \nabla\ell(W) "
               r"[W^\top W]^{\frac{N-j}{N}}$", balanced, linear.closed_form, {"per_layer": False}, {"dropped": 1},
               "the term $j = N$ dropped"),
    ]


def _kernel_claims(settings: dict[str, Any]) -> list:
    from descent.bounds import exact_descent as descent

    kernels = descent.kernel_instances(_draws(settings, "kernels"), settings["instances"])
    times = [{"time": time} for time in range(1, 41)]
    return [
        _exact("tau.4.1.exact", r"For $r = u - y$, $\frac{d}{dt}\|r\|^2 = -2\, r^\top H^* r \le -2\lambda\, \|r\|^2$ "
               r"with $\lambda = \lambda_{\min}(H^*)$", kernels, descent.slowest_decay, {}, {"index": 1},
               "the second eigenvalue"),
        _exact("tau.4.2.exact", r"For $H(t) = H^* - \epsilon v v^\top$, $r_0 \parallel v$ and $\lambda/\epsilon$ = 2, "
               r"3, …, 50: $\|\delta\|$ is stationary at its value $(\epsilon/\lambda)(1 - \epsilon/\lambda)^{(\lambda "
               r"- \epsilon)/\epsilon}\, \|r_0\|$", descent.slowed_instances(50), descent.slowed_supremum, {},
               {"shift": 0}, r"the exponent $\lambda/\epsilon$", form="our own"),
        _exact("tau.4.2.exact_printed", r"$\|\delta(t)\| \le 2\sqrt{\epsilon t}\, \|r_0\|$ for every $H(t)$ within "
               r"$\epsilon$ of $H^*$, at $t$ = 1, …, 40", times, descent.indefinite_growth, {"constant": 2},
               {"constant": 10**6}, "$10^6$ in place of 2", form="erratum"),
    ]


def _speed_claims(settings: dict[str, Any]) -> list:
    from descent.bounds import exact_shallow_networks as networks

    chain = networks.chain_instances(_draws(settings, "chain"), settings["instances"])
    shares = networks.share_instances(settings["largest_width"])
    half, one, error = Fraction(1, 2), Fraction(1), r"$\|y - u(s)\| \le"
    held = r"On one sample with $H \ge \lambda_0/2$ and frozen patterns"
    radius = r"\sqrt n\, \|y - u(0)\|/(\sqrt m\, \lambda_0)$"
    return [
        _exact("du.2.exact_i", r"$\left\|\sum_i r_i \theta_i x_i\right\| \le \sum_i |r_i|$, $r = y - u$, patterns "
               r"$\theta_i$", chain, networks.inequality_i, {}, {"cancelled": True}, r"$|\sum_i r_i|$",
               form="corrected"),
        _exact("du.2.exact_ii", r"$\sum_i |r_i| \le \sqrt n\, \|r\|$", chain, networks.inequality_ii, {},
               {"samples": half}, r"$\sqrt{n/2}$", form="corrected"),
        _exact("du.2.exact_scanned", r"$\sum_i |r_i| \le \|r\|$, (ii) as scanned", chain, networks.inequality_ii,
               {"samples": 0 * one, "constant": 1}, {"samples": half, "constant": 0}, r"$\sqrt{n/2}$", form="erratum"),
        _exact("du.2.exact_rate", f"{held} {error} e^{{-\\lambda_0 s/2}}\\, \\|y - u(0)\\|$", shares,
               networks.printed_rate, {"factor": half}, {"factor": Fraction(51, 100)}, "a rate higher by 2%",
               form="corrected"),
        _exact("du.2.exact_rate_printed", f"{held} {error} e^{{-\\lambda_0 s}}\\, \\|y - u(0)\\|$", shares,
               networks.printed_rate, {"factor": one}, {"factor": Fraction(51, 100)},
               r"$0.51\,\lambda_0$, just above $\lambda_0/2$", form="erratum"),
        _exact("du.2.exact_radius", f"{held} no weight moves further than $2{radius}", shares,
               networks.printed_radius, {"factor": 2 * one}, {"factor": Fraction(19, 10)}, "a radius smaller by 5%",
               form="corrected"),
        _exact("du.2.exact_radius_printed", f"{held} no weight moves further than ${radius}", shares,
               networks.printed_radius, {"factor": one}, {"factor": Fraction(19, 10)}, "1.9 times this radius",
               form="erratum"),
    ]


def _joint_claims(settings: dict[str, Any]) -> list:
    from descent.bounds import exact_shallow_networks as networks

    joint = networks.joint_instances(_draws(settings, "joint"), settings["instances"])
    left = r"$\sum_r (\partial u_i/\partial a_r)\, da_r/dt ="
    return [
        _exact("du.3.exact", r"With both layers trained, $du_i/dt = \sum_j (y_j - u_j)(H_{ij} + G_{ij})$ with $a_r^2$ "
               "in $H$", joint, networks.joint_derivative, {}, {"weighted": False}, "$H$ without $a_r^2$",
               form="corrected"),
        _exact("du.3.exact_output_layer", f"{left} \\sum_j (y_j - u_j) G_{{ij}}$, the sum over $r$ inside $G$", joint,
               networks.output_derivative, {}, {"weighted": True}, "$a_r^2$ in $G$ as in $H$", form="corrected"),
        _exact("du.3.exact_printed", f"{left} \\sum_r (y_j - u_j) G_{{ij}}$, the sum over $r$ outside and none over "
               "$j$ (for the best $j$)", joint, networks.printed_sum, {}, {"one_unit": True},
               "the sum over $j$ in place, but $G$ of one unit alone", form="erratum"),
        _exact("du.3.exact_gram", r"For $e = y - u$, $e^\top G e = \frac1m \sum_r \left(\sum_i e_i\, "
               r"\sigma(w_r^\top x_i)\right)^2 \ge 0$, from which (ii) of Lemma A.2 follows", joint,
               networks.gram_square, {}, {"weighted": True}, "$a_r$ as a factor under the sum", form="our own"),
        _exact("du.5.exact", r"A unit is active on both of two inputs at an angle $\theta = \pi p/q$ with probability "
               r"$(\pi - \theta)/2\pi$; the diagonal of $H^\infty$ is $\frac12$",
               networks.angle_instances(settings["largest_denominator"]), networks.active_share, {},
               {"supplement": False}, r"$\theta$ in place of $\pi - \theta$"),
    ]


def _norm_claims(settings: dict[str, Any]) -> list:
    from descent.bounds import exact_descent as descent
    from descent.bounds import exact_shallow_networks as networks

    drawn = networks.homogeneous_instances(_draws(settings, "homogeneous"), settings["instances"])
    own, angles = {"form": "our own"}, [{"angle": None}, *networks.angle_instances(4)]
    return [
        _exact("jhu.1a.exact", r"$(cU)\, \psi((V/c)^\top x) = U \psi(V^\top x)$ for $c > 0$", drawn,
               networks.rescaling, {}, {"sign": -1}, "$c < 0$"),
        _exact("jhu.1b.exact", r"$\langle U, \nabla_U F \rangle = \langle V, \nabla_V F \rangle$ for the data's part "
               r"$F$ of the objective, so that stationary points have $\|U\|_F = \|V\|_F$", drawn, networks.euler, {},
               {"weight": 2}, "twice the right side"),
        _exact("jhu.1c.exact", r"Stationary points of (3) with $\|U\|_F\|V\|_F = c > 0$ have $\|U\|_F/\|V\|_F = "
               r"(4c)^{1/3}$", [{}], descent.norm_ratio, {}, {"factor": 2}, "$(2c)^{1/3}$", **own),
        _exact("jhu.1c.exact_balanced", r"They are balanced only for $c = \frac14$", [{}], descent.balance_at, {},
               {"value": Fraction(1, 2)}, r"$c = \frac12$"),
        _exact("jhu.1c.exact_threshold", r"The smallest product of a scalar global minimizer that is not zero has "
               r"$c^4 = \lambda^3/4$", [{}], descent.threshold, {}, {"divisor": 2}, r"$\lambda^3/2$", **own),
        _exact("jhu.2a.exact", r"$E[\psi(v \cdot x)\, \psi(w \cdot x)]$ is $(\sin\theta + (\pi - "
               r"\theta)\cos\theta)/2\pi$ for unit $v$, $w$ at any angle $\theta$, and at "
               r"$\theta = \pi p/q$ with $q \le 4$", angles, networks.arc_cosine, {}, {"factor": 2},
               "Cho and Saul's kernel, without the half", **own),
    ]


def _layer_claims(settings: dict[str, Any]) -> list:
    from descent.bounds import exact_linear_networks as linear

    drawn = linear.layer_instances(_draws(settings, "layers"), settings["instances"])
    matrices = [{"matrix": instance["target"]} for instance in drawn if len(instance["target"]) == 2]
    return [
        _exact("eth.1a.exact", r"$\partial L/\partial W_k = \frac1L W_{k+1:L}^\top (W - W^\ast) W_{1:k-1}^\top$", drawn,
               linear.gradient_formula, {}, {"swapped": True}, "the outer factors exchanged"),
        _exact("eth.1a.exact_expectation", r"$E_A \langle M, A \rangle^2 = \|M\|_F^2$ for independent $N(0, 1)$ "
               "entries", matrices, linear.expected_square, {}, {"symmetric": True}, "$A$ symmetric"),
        _exact("eth.1b.exact", r"$W_{k+1}^\top \dot W_{k+1} = \dot W_k W_k^\top$", drawn, linear.velocity_identity, {},
               {"transposed": True}, r"$\dot W_k^\top W_k$ on the right"),
        _exact("eth.1b.exact_conserved", r"$\frac{d}{dt}(W_{k+1}^\top W_{k+1} - W_k W_k^\top) = 0$", drawn,
               linear.conserved, {}, {"transposed": True}, r"$W_k^\top W_k$ in place of $W_k W_k^\top$",
               form="corrected"),
    ]


def _sensing_claims(settings: dict[str, Any]) -> list:
    from descent.bounds import exact_linear_networks as linear

    balanced = linear.balanced_instances(_draws(settings, "balanced"), settings["instances"])
    velocity = r"$\dot W_k = \frac1L V_{k+1} \Sigma^{L-k} M \Sigma^{k-1} V_k^\top$"
    middle = r"with $M = U_L^\top (W^\ast - U_L \Sigma^L V_1^\top) V_1$"
    return [
        _exact("eth.1b.exact_printed", r"For balanced layers $W_{k+1}^\top W_{k+1} = W_k^\top W_k$", balanced,
               linear.printed_equality, {}, {"outer": True}, r"$W_{k+1} W_{k+1}^\top = W_k W_k^\top$", form="erratum"),
        _exact("eth.1c.exact_printed", "For balanced layers with distinct singular values the decompositions are "
               "unique, with $U_k = V_{k+1}$", balanced, linear.vectors_agree, {}, {"sign": -1}, "$U_k = -V_{k+1}$",
               form="erratum"),
        _exact("eth.1d.exact", f"For balanced layers {velocity} {middle}", balanced, linear.velocity_by_svd, {},
               {"shift": 1}, r"$\Sigma^{L-k+1}$", form="corrected"),
        _exact("eth.1d.exact_printed", r"The same with $V_{k-1}^\top$ as the last factor, $k \ge 2$", balanced,
               linear.velocity_by_svd, {"last": 2}, {"last": 0}, r"$V_{k+1}^\top$", form="erratum"),
        _exact("eth.1e.exact", r"For balanced layers $\dot W = \frac1L \sum_k U_L \Sigma^{2L-2k} M \Sigma^{2k-2} "
               f"V_1^\\top$ {middle}", balanced, linear.end_velocity_by_svd, {},
               {"halved": True}, r"$\Sigma^{L-k}$ and $\Sigma^{k-1}$"),
        _exact("eth.1f.exact", r"For balanced layers $\dot W = \frac1L \sum_k [WW^\top]^{\frac{L-k}{L}} (W^\ast - W) "
               r"[W^\top W]^{\frac{k-1}{L}}$", balanced, linear.closed_form, {"per_layer": True}, {"shift": 1},
               r"$[W^\top W]^{k/L}$"),
    ]


def _linearization_claims(settings: dict[str, Any]) -> list:
    from descent.bounds import exact_shallow_networks as networks

    quadratic = networks.quadratic_instances(_draws(settings, "quadratic"), settings["instances"])
    return [
        _exact("eth.2a.exact", r"$\nabla f(W) = D a x^\top$ for every differentiable $\sigma$", [{}],
               networks.network_gradient, {}, {"own": False}, r"$\sigma'$ of the other unit"),
        _exact("eth.2b.exact", r"$f_0$ is the sum over units with $\sigma'(w_{0,j}^\top x)$ for every differentiable "
               r"$\sigma$", [{}], networks.linearization, {}, {"slopes_at_start": False},
               r"slopes at $W$ in place of $W_0$", form="corrected"),
        _exact("eth.2c.exact", r"$|f(W) - f_0(W)| \le \frac{\beta}{2\sqrt m} \|W - W_0\|_F^2\, \|x\|^2$ for $\sigma = "
               r"z^2/2$, $m$ = 1, 4, 9", quadratic, networks.quadratic_gap, {}, {"width_power": 2},
               r"$1/m$ in place of $1/\sqrt m$", form="corrected"),
        _exact("eth.2c.exact_printed", r"$|f(W) - f_0(V)| \le \frac{\beta}{2\sqrt m} \|W - V\|_F^2\, \|x\|^2$ at $V = "
               "W$", quadratic, networks.quadratic_gap, {"same_point": True}, {"factor": 100},
               "a bound a hundred times larger", form="erratum"),
    ]


def _regression_claims(settings: dict[str, Any]) -> list:
    from descent.bounds import exact_descent as descent

    drawn = descent.regression_instances(_draws(settings, "regression"), settings["instances"])
    powers = [{"steps": steps} for steps in range(1, settings["largest_power"] + 1)]
    counted = [{"steps": steps} for steps in range(1, settings["steps"] + 1)]
    moved = Fraction(1, 10 ** settings["displacement"])
    step, own = r"One step of descent is $\theta^{k+1} = (I - \alpha X^\top X)\, \theta^k", {"form": "our own"}
    return [
        _exact("snu.1.exact", r"$\nabla\ell_i = (X_i^\top\theta - Y_i) X_i$ and $\nabla L = X^\top(X\theta - Y)$", [{}],
               descent.least_squares_gradient, {}, {"sign": -1}, "$+Y$ in place of $-Y$"),
        _exact("snu.2.exact", r"$\theta^k = (1 - \alpha)^k\, \theta^0$ for every $\alpha$", powers,
               descent.scalar_descent, {}, {"sign": 1}, r"$(1 + \alpha)^k$"),
        _exact("snu.2.exact_limit", r"For $\alpha = 2$, $\theta^k = (-1)^k\, \theta^0$", counted, descent.oscillation,
               {}, {"more": Fraction(1, 10**9)}, r"$\alpha = 2 + 10^{-9}$", **own),
        _exact("snu.3.exact", r"$\theta^k - \theta^\star = (I - \alpha X^\top X)^k (\theta^0 - \theta^\star)$", drawn,
               descent.error_recursion, {}, {"sign": 1}, "$I + \\alpha X^\\top X$"),
        _exact("snu.3.exact_step", f"{step} + \\alpha X^\\top Y$", drawn, descent.printed_step, {"factor": 1},
               {"factor": 0}, "without the last term", form="corrected"),
        _exact("snu.3.exact_printed", f"{step} - \\alpha X^\\top Y$", drawn, descent.printed_step, {"factor": -1},
               {"factor": 0}, "without the last term", form="erratum"),
        _exact("snu.3.exact_exceptional", r"With $\alpha = 1$, $X^\top X$ of eigenvalues $\frac14$ and 4, and a start "
               r"without a component along the second: $\theta^k - \theta^\star = (3/4)^k (\theta^0 - \theta^\star)$, "
               r"although $\alpha > 2/\rho$", counted, descent.exceptional_start, {}, {"displacement": moved},
               f"the start moved by $5 \\cdot 10^{{-{settings['displacement']}}}$", figure="exceptional_start", **own),
    ]


def _operator_claims(settings: dict[str, Any]) -> list:
    from descent.bounds import exact_descent as descent

    drawn = descent.convolution_instances(_draws(settings, "convolution"), settings["instances"])
    return [
        _exact("snu.4.exact", r"$f' = 20\theta + s\, (\theta - 10 - 20\theta) + 3 s\, (1 - s)\, q$ with $q = "
               r"\frac12(\theta - 10)^2 + 50 - 10\theta^2$ and $s = 1/(1 + e^{-3(\theta - 3)})$", [{}],
               descent.wide_minima_slope, {}, {"chain": 1}, "without the factor 3 of the exponent", form="our own"),
        _exact("snu.5.exact_adjoint", r"$\langle Ax, y \rangle = \langle x, A^\top y \rangle$ for the sliding products "
               "with $k$ and with its reversal", drawn, descent.adjoint, {}, {"flipped": True},
               r"$k$ not reversed in $A^\top$"),
        _exact("snu.5.exact_gradient", r"The document's loop descends along $\nabla \left(\ell(Ax - b) + \frac\lambda2 "
               r"\|x\|^2\right) = A^\top h'(Ax - b) + \lambda x$", drawn, descent.huber_gradient, {},
               {"factor": Fraction(1, 2)}, r"$\lambda x/2$"),
    ]


def values(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """The numbers and counterexamples that the section shows."""
    from descent.bounds.exact_summary import summary
    from descent.claims import read_claims

    found = summary(read_claims(inputs["claims"]), _draws(settings, "shown"), settings["steps"])
    outputs["values"].write_text(json.dumps(found, allow_nan=False, sort_keys=True, indent=1))
