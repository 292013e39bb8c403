"""Gradient flow of a two-layer ReLU network in closed form: no pattern flips, the residual is an eigenvector of H.

Labels y = u(0) − ε v with H(0) v = μ v give, as long as all patterns are those of the start, u(t) − y = ε e^(−μt) v and
w_r(t) = w_r(0) − a_r ε (1 − e^(−μt))/(μ√m) g_r with g_r = Σ_i v_i 1{w_r(0)ᵀx_i ≥ 0} x_i: every weight moves on a
straight line, so that patterns which agree at both ends of it agree all along. A small enough ε achieves that for any
network whose pre-activations are not zero. Loss ½‖u − y‖², f(x) = m^(−1/2) Σ_r a_r relu(w_rᵀx).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descent.dynamics.gradient_descent import GradientDescent
from descent.kernels.neural_tangent_kernel import h_infinity, h_patterns
from descent.networks.two_layer import activation_patterns, relu_outputs


@dataclass(frozen=True)
class FrozenMode:
    """One eigenmode of a network whose patterns stay; see the module.

    inputs (n, d), hidden W(0) (m, d), signs (m, 1), direction v (n,) of length 1, pulls g (m, d), rate μ,
    lambda_min λ_min(H(0)), amplitude ε.
    """

    inputs: np.ndarray
    hidden: np.ndarray
    signs: np.ndarray
    direction: np.ndarray
    pulls: np.ndarray
    rate: float
    lambda_min: float
    amplitude: float

    @property
    def lambda_0(self) -> float:
        """λ_0 = λ_min(H∞) of the inputs."""
        return float(np.linalg.eigvalsh(h_infinity(self.inputs))[0])

    @property
    def targets(self) -> np.ndarray:
        """y = u(0) − ε v, shape (n, 1)."""
        outputs = relu_outputs(self.hidden, self.signs, self.inputs) / np.sqrt(len(self.hidden))
        return outputs - self.amplitude * self.direction[:, None]

    def log_error(self, times: np.ndarray) -> np.ndarray:
        """ln(‖u(t) − y‖/‖u(0) − y‖) = −μ t of gradient flow."""
        return -self.rate * np.asarray(times)

    def movement(self, times: np.ndarray) -> np.ndarray:
        """max_r ‖w_r(t) − w_r(0)‖ = ε max_r ‖g_r‖ (1 − e^(−μt))/(μ√m) of gradient flow."""
        furthest = self.amplitude * np.linalg.norm(self.pulls, axis=1).max() / np.sqrt(len(self.hidden))
        return -furthest * np.expm1(self.log_error(times)) / self.rate

    def stays_frozen(self) -> bool:
        """Whether the patterns at t = ∞ are those of the start, and with them all patterns in between."""
        end = self.hidden - self.amplitude * _direction_of_motion(self.signs, self.pulls, self.rate)
        return bool(np.all(activation_patterns(end, self.inputs) == activation_patterns(self.hidden, self.inputs)))


def frozen_mode(inputs: np.ndarray, hidden: np.ndarray, signs: np.ndarray, index: int = 0,
                share: float = 0.5) -> FrozenMode:
    """The mode of H(0)'s `index`-th eigenvalue from below, ε = `share` of the least at which a pattern flips (or of 1).

    Raises ValueError when the eigenvalue is not positive.
    """
    patterns = activation_patterns(hidden, inputs)
    values, vectors = np.linalg.eigh(h_patterns(inputs, patterns))
    rate, direction = float(values[index]), vectors[:, index]
    if rate <= 0:
        raise ValueError(f"eigenvalue {rate} of H(0): the error does not decay")
    # The sign of an eigenvector is the solver's choice.
    direction = direction * np.sign(direction[np.abs(direction).argmax()])
    pulls = (patterns * direction[:, None]).T @ inputs
    changes = -_direction_of_motion(signs, pulls, rate) @ inputs.T
    heights = hidden @ inputs.T
    nearing = changes * np.where(heights >= 0, 1, -1) < 0
    limit = min(1.0, (np.abs(heights[nearing]) / np.abs(changes[nearing])).min(initial=np.inf))
    return FrozenMode(inputs, hidden, signs, direction, pulls, rate, float(values[0]), share * limit)


def _direction_of_motion(signs: np.ndarray, pulls: np.ndarray, rate: float) -> np.ndarray:
    return signs * pulls / (rate * np.sqrt(len(pulls)))


def run_frozen(mode: FrozenMode, eta: float, steps: int, every: int) -> dict[str, np.ndarray]:
    """Gradient descent on `mode`'s network and labels; columns at every `every`-th step.

    step, flow_time, log_error = ln(‖u − y‖/‖u(0) − y‖), movement = max_r ‖w_r − w_r(0)‖, frozen (all patterns are
    those of the start).
    """
    descent = GradientDescent(mode.hidden, mode.signs, mode.inputs, mode.targets, eta, len(mode.hidden) ** -0.5)
    start, first, rows = descent.patterns, descent.loss(), []
    for k in range(steps + 1):
        if k % every == 0:
            rows.append((k, eta * k, 0.5 * np.log(descent.loss() / first),
                         np.linalg.norm(descent.hidden - mode.hidden, axis=1).max(),
                         np.array_equal(descent.patterns, start)))
        descent.step()
    names = ("step", "flow_time", "log_error", "movement", "frozen")
    return {name: np.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}


def constructed_columns(case: str, replicate: int, mode: FrozenMode, eta: float, flow_time: float,
                        points: int = 60) -> dict[str, np.ndarray]:
    """`run_frozen` up to `flow_time` at about `points` steps, beside gradient flow's closed form; a row for each step.

    More columns: case, replicate, samples, width; log_flow, flow_movement (the closed form); rate, lambda_min,
    lambda_0, start = ‖u(0) − y‖; `frozen` then says also that no pattern flips up to t = ∞.
    """
    steps = round(flow_time / eta)
    columns = run_frozen(mode, eta, steps, max(1, steps // points))
    times = columns["flow_time"]
    columns |= {"log_flow": mode.log_error(times), "flow_movement": mode.movement(times),
                "frozen": columns["frozen"] & mode.stays_frozen()}
    constants = {"case": case, "replicate": replicate, "samples": len(mode.inputs), "width": len(mode.hidden),
                 "rate": mode.rate, "lambda_min": mode.lambda_min, "lambda_0": mode.lambda_0, "start": mode.amplitude}
    return {**{name: np.full(len(times), value) for name, value in constants.items()}, **columns}


def one_sample(width: int, active: int, dimension: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One input e_1 and `active` of `width` units active on it, all at distance 1 from the hyperplane; λ_0 = 1/2.

    Returns inputs (1, d), hidden (m, d) and signs (m, 1); H(t) = active/width.
    """
    hidden = np.zeros((width, dimension))
    hidden[:, 0] = np.where(np.arange(width) < active, 1.0, -1.0)
    return np.eye(dimension)[:1], hidden, _alternating(width)


def narrow_cone(samples: int, cosine: float, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """n inputs with x_iᵀx_j = `cosine`; one unit active on all, k = ⌈m λ_0/2⌉ on each one alone, the others on none.

    H = ((k + 1 − c) I + c 11ᵀ)/m has its least eigenvalue (k + 1 − c)/m ≥ λ_0/2 and, on the vector of equal entries,
    its greatest, (k + 1 − c + nc)/m. All pre-activations are ±1. Returns inputs (n, n + 1), hidden (m, n + 1) and signs
    (m, 1). Raises ValueError when the width does not suffice.
    """
    height, side = np.sqrt(cosine), np.sqrt(1 - cosine)
    inputs = np.column_stack([np.full(samples, height), side * np.eye(samples)])
    each = int(np.ceil(width * np.linalg.eigvalsh(h_infinity(inputs))[0] / 2))
    if samples * each + 1 > width:
        raise ValueError(f"{samples} samples at cosine {cosine} need {samples * each + 1} units, not {width}")
    hidden = np.zeros((width, samples + 1))
    hidden[:, 0] = -1 / height
    hidden[0, 0] = 1 / height
    units = np.arange(samples * each)
    hidden[1 + units, 1 + units % samples] = 2 / side
    return inputs, hidden, _alternating(width)


def _alternating(width: int) -> np.ndarray:
    return np.where(np.arange(width) % 2, -1.0, 1.0)[:, None]
