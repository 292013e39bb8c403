"""What the ledger checks about linearization: each function compares data with one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from descent.claims import Outcome
from descent.dynamics.width_checks import exponent_within
from descent.networks.smooth_activation import ACTIVATIONS, SMOOTHNESS, SOFTPLUS, Elementwise, SmoothActivation
from descent.networks.smooth_network import linearization_by_units, network_gradient, network_outputs

Table = Mapping[str, np.ndarray]
EPS = float(np.finfo(float).eps)
# So small a step that its square is nothing to a number of order 1: the complex-step derivative has no truncation.
_STEP = 1e-100


@dataclass(frozen=True)
class Case:
    """A network with weights W_0 `start` (m, d) and `signs` (m,), an input x (d,) and a displacement `move` (m, d)."""

    name: str
    start: np.ndarray
    signs: np.ndarray
    x: np.ndarray
    move: np.ndarray

    @property
    def activation(self) -> SmoothActivation:
        """σ of this case."""
        return ACTIVATIONS[self.name]


def drawn_cases(generator: np.random.Generator, shapes: Sequence[tuple[int, int]]) -> list[Case]:
    """One case of Gaussian weights, input and displacement for each activation and each shape (m, d)."""
    return [Case(name, generator.standard_normal(shape), generator.choice([-1.0, 1.0], shape[0]),
                 generator.standard_normal(shape[1]), generator.standard_normal(shape))
            for name in ACTIVATIONS for shape in shapes]


def slopes_of(cases: Sequence[Case]) -> list[Elementwise]:
    """σ′ for every case."""
    return [case.activation.slope for case in cases]


def values_of(cases: Sequence[Case]) -> list[Elementwise]:
    """σ for every case: what one writes who forgets to differentiate."""
    return [case.activation.value for case in cases]


def gradient_matches(cases: Sequence[Case], derivatives: Sequence[Elementwise]) -> Outcome:
    """D a xᵀ with D from `derivatives` is the gradient: every entry against a complex step, to rounding.

    Observed: the largest difference over the largest entry; its bound allows 16 roundings.
    """
    worst = 0.0
    for case, derivative in zip(cases, derivatives, strict=True):
        gradient = network_gradient(case.start, case.signs, case.x, derivative)
        reference = _complex_step_gradient(case)
        worst = max(worst, float(np.abs(gradient - reference).max() / np.abs(reference).max()))
    return Outcome(worst, 16 * EPS, sum(case.start.size for case in cases), worst <= 16 * EPS)


def _complex_step_gradient(case: Case) -> np.ndarray:
    steps = 1j * _STEP * np.eye(case.start.size).reshape(-1, *case.start.shape)
    outputs = [network_outputs(case.start + step, case.signs, case.x[None], case.activation.value)[0] for step in steps]
    return np.imag(outputs).reshape(case.start.shape) / _STEP


def forms_agree(cases: Sequence[Case], slopes_at: float) -> Outcome:
    """⟨∇f(W_0), W − W_0⟩ + f(W_0) is the sum over units of 2b, with slopes at W_0 + `slopes_at` (W − W_0).

    Observed: the largest difference over the sum of the absolute terms; its bound allows a rounding for each of the
    m d products and eight more.
    """
    worst, bound = 0.0, 0.0
    for case in cases:
        value, slope, hidden = case.activation.value, case.activation.slope, case.start + case.move
        inner = network_gradient(case.start, case.signs, case.x, slope) * case.move
        start = network_outputs(case.start, case.signs, case.x[None], value)[0]
        slopes = slope((case.start + slopes_at * case.move) @ case.x)
        summed = linearization_by_units(case.start, hidden, case.signs, case.x, value, slopes)
        size = abs(start) + np.abs(inner).sum()
        worst = max(worst, float(abs(start + inner.sum() - summed) / size))
        bound = max(bound, (case.start.size + 8) * EPS)
    return Outcome(worst, bound, len(cases), worst <= bound)


def tangency(cases: Sequence[Case], derivatives: Sequence[Elementwise], order: float = 2.0,
             margin: float = 0.05) -> Outcome:
    """|f(W_0 + s E) − f_0(W_0 + s E)| falls like s^`order` as s halves; the gradient is built with `derivatives`.

    Observed: how far the exponent between s = 2⁻⁷ and 2⁻⁸ is from `order`, at most; root mean square over the cases of
    one activation, because single gaps may change their sign.
    """
    squares = np.zeros((len(ACTIVATIONS), 2))
    for case, derivative in zip(cases, derivatives, strict=True):
        first = network_outputs(case.start, case.signs, case.x[None], case.activation.value)[0]
        inner = np.sum(network_gradient(case.start, case.signs, case.x, derivative) * case.move)
        for k, s in enumerate((2.0**-7, 2.0**-8)):
            moved = network_outputs(case.start + s * case.move, case.signs, case.x[None], case.activation.value)[0]
            squares[list(ACTIVATIONS).index(case.name), k] += (moved - first - s * inner) ** 2
    observed = float(np.abs(np.log2(squares[:, 0] / squares[:, 1]) / 2 - order).max())
    return Outcome(observed, margin, len(cases), observed <= margin)


def drawn_steps(generator: np.random.Generator, widths: Sequence[int], samples: int = 8, dimension: int = 5):
    """Softplus networks before a step: (W_0, signs, unit inputs, labels) for each width, random and equal signs."""
    for width in widths:
        hidden, labels = generator.standard_normal((width, dimension)), generator.standard_normal(samples)
        inputs = generator.standard_normal((samples, dimension))
        inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
        for signs in (generator.choice([-1.0, 1.0], width), np.ones(width)):
            yield hidden, signs, inputs, labels


def one_step_expansion(steps: Sequence[tuple], signed: bool = True, eta: float = 0.5) -> Outcome:
    """|f(W_1) − f_0(W_1) − ½ m^(−3/2) Σ_j a_j σ″(w_{0,j}ᵀx) b_j²| ≤ γ/(6m²) Σ_j |b_j|³ after a step from residual −y.

    b_j = η Σ_k y_k σ′(w_{0,j}ᵀx_k) x_kᵀx, γ = sup |σ‴| = 1/(6√3) of softplus; at all inputs. Unless `signed`, the sum
    is taken without the a_j. Observed: the greatest ratio of the two sides.
    """
    softplus, ratios = SOFTPLUS, []
    for hidden, signs, inputs, labels in steps:
        first, width = hidden @ inputs.T, len(signs)
        b = eta * (softplus.slope(first) * labels) @ (inputs @ inputs.T)
        gap = signs @ softplus.remainder(first, signs[:, None] * b / np.sqrt(width)) / np.sqrt(width)
        weights = signs if signed else np.ones(width)
        expansion = weights @ (softplus.curvature(first) * b**2) / (2 * width**1.5)
        ratios.append(np.abs(gap - expansion) * 6 * np.sqrt(3) * 6 * width**2 / np.sum(np.abs(b) ** 3, axis=0))
    together = np.concatenate(ratios)
    return Outcome(float(together.max()), 1.0, len(together), bool(np.all(together <= 1)))


def smoothness_constants(constants: Mapping[str, float]) -> Outcome:
    """sup |σ″| equals the claimed β for every activation; σ″ from σ′ by a complex step, its maximum by a search.

    Observed: the largest relative difference; the bound leaves a search half of the digits of its argument and so all
    but the last few of the maximum.
    """
    worst = max(abs(_greatest_curvature(ACTIVATIONS[name]) / beta - 1) for name, beta in constants.items())
    return Outcome(worst, 64 * EPS, len(constants), worst <= 64 * EPS)


def _greatest_curvature(activation: SmoothActivation) -> float:
    def negative(z):
        return -np.abs(np.imag(activation.slope(z + 1j * _STEP)) / _STEP)

    grid = np.linspace(-20, 20, 4001)
    best = grid[np.argmin(negative(grid))]
    found = minimize_scalar(negative, bounds=(best - 0.02, best + 0.02), method="bounded", options={"xatol": 1e-9})
    return float(max(-negative(grid).min(), -found.fun))


def bound_ratios(table: Table, smoothness: float, width_power: float = 0.5, input_power: float = 1.0) -> np.ndarray:
    """|f(W) − f_0(W)| over β/(2 m^p) ‖W − W_0‖_F² (‖x‖²)^q for each draw; corrected bound: p = ½, q = 1."""
    bounds = smoothness / 2 * table["squared_movement"] * table["squared_input"] ** input_power
    # Both sides times √m, so that equality is not blurred by its rounding.
    return table["scaled_gap"] * table["width"] ** (width_power - 0.5) / bounds


def corrected_bound(table: Table, smoothness: float, width_power: float = 0.5, input_power: float = 1.0) -> Outcome:
    """No draw exceeds the bound of `bound_ratios`. Observed: the greatest ratio, compared with 1 without allowance."""
    ratios = bound_ratios(table, smoothness, width_power, input_power)
    return Outcome(float(ratios.max()), 1.0, len(ratios), bool(np.all(ratios <= 1)))


def equality(table: Table, smoothness: float, directions: Sequence[str], margin: float = 1e-12) -> Outcome:
    """Draws displaced in one of `directions` attain the bound. Observed: the largest |ratio − 1|."""
    chosen = np.isin(table["direction"], directions)
    errors = np.abs(bound_ratios({name: np.asarray(column)[chosen] for name, column in table.items()}, smoothness) - 1)
    return Outcome(float(errors.max(initial=0.0)), margin, len(errors), bool(np.all(errors <= margin)))


def sharpness(tables: Mapping[str, Table], factor: float = 1.0, share: float = 0.999) -> Outcome:
    """For every activation some draw reaches `share` of the bound with `factor` β. Observed: the least best ratio."""
    best = [bound_ratios(table, factor * SMOOTHNESS[name]).max() for name, table in tables.items()]
    cases = sum(len(table["width"]) for table in tables.values())
    return Outcome(float(min(best)), share, cases, bool(min(best) >= share))


def printed_failures(table: Table, smoothness: np.ndarray, same_point: bool, factor: float = 1.0) -> np.ndarray:
    """Whether |f(W) − f_0(V)| ≤ `factor` β/(2√m) ‖W − V‖_F² ‖x‖² fails, for each draw: V = W, or V drawn by itself."""
    if same_point:
        return table["scaled_gap"] > 0
    return table["scaled_printed_gap"] > factor * smoothness / 2 * table["squared_distance"] * table["squared_input"]


def printed_bound(table: Table, smoothness: np.ndarray, same_point: bool, factor: float = 1.0) -> Outcome:
    """No draw violates the printed bound (see `printed_failures`). Observed: the fraction of those that do."""
    failed = printed_failures(table, smoothness, same_point, factor)
    return Outcome(float(failed.mean()), 0.0, len(failed), not failed.any())


def training_ratios(table: Table, smoothness: float, width_power: float = 0.5) -> np.ndarray:
    """max_i |f(W_k) − f_0(W_k)| over β/(2 m^p) ‖W_k − W_0‖_F² at the recorded steps after the first; unit inputs."""
    later = table["step"] > 0
    bounds = smoothness / 2 * table["movement"][later] ** 2 / table["width"][later] ** width_power
    return table["gap"][later] / bounds


def bound_along_training(tables: Sequence[Table], smoothness: float, width_power: float = 0.5) -> Outcome:
    """The corrected bound at every recorded step of every run. Observed: the greatest ratio."""
    ratios = np.concatenate([training_ratios(table, smoothness, width_power) for table in tables])
    return Outcome(float(ratios.max()), 1.0, len(ratios), bool(np.all(ratios <= 1)))


def printed_sides(table: Table, smoothness: float) -> np.ndarray:
    """max_i |f(W_k) − f_0(V_k)| and β/(2√m) ‖W_k − V_k‖_F² at the recorded steps after the start, shape (2, rows)."""
    later = table["step"] > 0
    bounds = smoothness / 2 * table["model_distance"] ** 2 / np.sqrt(table["width"])
    return np.stack([table["model_gap"][later], bounds[later]])


def printed_along_training(tables: Sequence[Table], smoothness: float, factor: float = 1.0) -> Outcome:
    """max_i |f(W_k) − f_0(V_k)| ≤ `factor` β/(2√m) ‖W_k − V_k‖_F², V_k the weights of the trained linearization.

    Observed: the fraction of recorded steps after the start at which it fails.
    """
    sides = np.concatenate([printed_sides(table, smoothness) for table in tables], axis=1)
    failed = sides[0] > factor * sides[1]
    return Outcome(float(failed.mean()), 0.0, len(failed), not failed.any())


def movement_along_training(tables: Sequence[Table], whole_time: bool = True) -> Outcome:
    """‖W_k − W_0‖_F² ≤ 2 t_k (L(W_0) − L(W_k)); as a control with the length of one step for the time t_k.

    Hypothesis: every step lowers the loss by at least η/2 ‖∇L‖². Observed: the greatest ratio of the square roots.
    """
    ratios = np.concatenate([_movement_ratios(table, whole_time) for table in tables])
    decreases = min(float(table["least_decrease"].min()) for table in tables)
    hypotheses = {r"each step lowers the loss by $\frac{\eta}{2}\|\nabla L\|^2$ or more": decreases >= 0.5}
    return Outcome(float(ratios.max()), 1.0, len(ratios), bool(np.all(ratios <= 1)), hypotheses=hypotheses)


def _movement_ratios(table: Table, whole_time: bool) -> np.ndarray:
    # Rows come in blocks that start with step 0: each later row belongs to the last start before it.
    starts = np.flatnonzero(table["step"] == 0)
    first = starts[np.searchsorted(starts, np.arange(len(table["step"])), side="right") - 1]
    later = table["step"] > 0
    time = table["flow_time"] if whole_time else table["flow_time"] / np.maximum(table["step"], 1)
    squared = 2 * time * (table["loss"][first] - table["loss"])
    return table["movement"][later] / np.sqrt(squared[later])


def greatest_over_time(table: Table, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Widths and the greatest value of `column` over the recorded steps, for every width and replicate."""
    pairs = np.stack([table["width"], table["replicate"]], axis=1)
    groups, member = np.unique(pairs, axis=0, return_inverse=True)
    greatest = np.full(len(groups), -np.inf)
    np.maximum.at(greatest, member.ravel(), table[column])
    return groups[:, 0], greatest


def slopes_within(tables: Sequence[Table], column: str, expected: float, margin: float) -> Outcome:
    """`exponent_within`: in every run the interval for the exponent of sup_t `column` lies in `expected` ± `margin`."""
    return exponent_within([greatest_over_time(table, column) for table in tables], expected, expected, margin)
