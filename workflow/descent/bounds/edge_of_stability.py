"""Sharpness along gradient descent, the quadratic model of the loss, and checks (Cohen et al. 2021)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from descent.claims import Outcome
from descent.curvature.lanczos import Counted, spectrum_end
from descent.curvature.two_layer_hessian import TwoLayerHessian, tanh_derivatives
from descent.dynamics.tanh_descent import TanhDescent
from descent.statistics import agreement


class MeanHessian:
    """∇²L v of the mean loss L that `TanhDescent` goes down, with its `gradient`, `loss` and `size`."""

    def __init__(self, hidden, outputs, inputs, targets):
        self._sum = TwoLayerHessian(hidden, outputs, inputs, targets, *tanh_derivatives(), len(hidden) ** -0.5, True)
        self._samples, self.size = len(inputs), self._sum.size
        self.gradient, self.loss = self._sum.gradient / self._samples, self._sum.loss / self._samples

    def __call__(self, vector: np.ndarray) -> np.ndarray:
        """∇²L v, shape (size,)."""
        return self._sum(vector) / self._samples


def trace_and_square(hessian: MeanHessian) -> tuple[float, float]:
    """tr H and ‖H‖_F² from all columns of H."""
    trace = square = 0.0
    for i in range(hessian.size):
        image = hessian(np.eye(1, hessian.size, i)[0])
        trace, square = trace + float(image[i]), square + float(image @ image)
    return trace, square


def recorded(descent: TanhDescent, every: int, points: int) -> Iterator[tuple[int, float]]:
    """Step number and share of the steps since the last record in which the loss rose, at k = 0, `every`, ….

    The state of `descent` is that of the step; after `points` intervals it ends.
    """
    last, yet = np.inf, 0.0
    for point in range(points + 1):
        yield point * every, yet
        if point < points:
            rises = 0
            for _ in range(every):
                loss = descent.step()
                rises += loss > last
                last = loss
            yet = rises / every


def spectrum_rows(descent: TanhDescent, inputs: np.ndarray, targets: np.ndarray, every: int, points: int,
                  tolerance: float, generator: np.random.Generator) -> list[dict[str, float]]:
    """Loss and both ends of ∇²L's spectrum with residuals, at every record of `descent`.

    Each iteration starts from the last record's vector, with a hundredth of a random one added: a vector that is
    orthogonal to the wanted one would stay so. `tolerance` is relative to λ_max at both ends, so that a least
    eigenvalue near zero costs no more: it is sought as that of ∇²L − λ_max I.
    """
    rows, starts = [], {}
    for step, rises in recorded(descent, every, points):
        product = Counted(hessian := MeanHessian(descent.hidden, descent.outputs, inputs, targets))
        row, shift = {"step": step, "flow_time": step * descent.eta, "loss": hessian.loss, "rises": rises}, 0.0
        for name, side in (("greatest", "LA"), ("least", "SA")):
            noise = generator.standard_normal(hessian.size)
            start = starts.get(name, 0) + 0.01 * noise / np.linalg.norm(noise)
            end = spectrum_end(lambda v, product=product, shift=shift: product(v) - shift * v, start, side, tolerance)
            starts[name] = end.vector
            row |= {name: end.value + shift, f"{name}_residual": end.residual}
            shift = row[name]
        rows.append({**row, "products": product.products})
    return rows


def model_path(product: Callable[[np.ndarray], np.ndarray], gradient: np.ndarray, eta: float, steps: int) -> np.ndarray:
    """δ_1, …, δ_k (k = `steps`) of gradient descent on q(δ) = gᵀδ + ½ δᵀHδ from δ_0 = 0: shape (steps, size)."""
    delta, path = np.zeros_like(gradient), []
    for _ in range(steps):
        delta = delta - eta * (gradient + product(delta))
        path.append(delta)
    return np.array(path)


def model_component(share: float, sharpness: float, eta: float, steps: int, factor: float = 1.0) -> np.ndarray:
    """vᵀδ_k = −(1 − (1 − ηλ)^k) (vᵀg)/λ for an eigenvector v, `share` = vᵀg; `factor` on η makes it wrong."""
    return -share * (1 - (1 - factor * eta * sharpness) ** np.arange(1, steps + 1)) / sharpness


def model_row(descent: TanhDescent, inputs: np.ndarray, targets: np.ndarray, steps: int,
              generator: np.random.Generator) -> dict[str, Any]:
    """Gradient descent on the quadratic model of L at the state of `descent`, and on L itself, along v.

    `model`, `half`, `network`: the largest |vᵀδ_k| over so many `steps` on the model with η, on the model with η/2, and
    of the network; `component`, `half_component`: the largest relative distance of `model_component` from the model's
    vᵀδ_k, with η and with η/2 in the formula.
    """
    hessian = MeanHessian(descent.hidden, descent.outputs, inputs, targets)
    end = spectrum_end(hessian, generator.standard_normal(hessian.size), "LA", 1e-12)
    eta, gradient, v = descent.eta, hessian.gradient, end.vector
    seen, calm = (model_path(hessian, gradient, rate, steps) @ v for rate in (eta, eta / 2))
    errors = [np.abs(model_component(v @ gradient, end.value, eta, steps, factor) / seen - 1).max()
              for factor in (1.0, 0.5)]
    moved, start = [], v @ state(descent)
    for _ in range(steps):
        descent.step()
        moved.append(v @ state(descent) - start)
    largest = {name: np.abs(path).max() for name, path in (("model", seen), ("half", calm), ("network", moved))}
    return {"sharpness": end.value, **largest, "component": errors[0], "half_component": errors[1]}


def state(descent: TanhDescent) -> np.ndarray:
    """All weights in the order of the Hessian's vectors."""
    return np.concatenate([descent.hidden.ravel(), descent.outputs.ravel()])


def last_third(table: Mapping[str, np.ndarray], name: str, eta: float) -> np.ndarray:
    """Mean of a column over the last third of the flow time, for each replicate of the runs with `eta`."""
    return runs(table, name, eta)[:, -(len(np.unique(table["flow_time"])) // 3) :].mean(axis=1)


def runs(table: Mapping[str, np.ndarray], name: str, eta: float) -> np.ndarray:
    """A column of the runs with `eta` as (replicates, records)."""
    rows = table["eta"] == eta
    return table[name][rows].reshape(len(np.unique(table["replicate"][rows])), -1)


def reached(table: Mapping[str, np.ndarray], eta: float) -> np.ndarray:
    """First record of each run with sharpness 2/η, residual taken off; the number of records where there is none."""
    above = runs(table, "greatest", eta) - runs(table, "greatest_residual", eta) >= 2 / eta
    return np.where(above.any(axis=1), above.argmax(axis=1), above.shape[1])


def plateau(table: Mapping[str, np.ndarray], rates: Sequence[float], least: float, greatest: float,
            limit: float = 2.0) -> Outcome:
    """Whether the mean sharpness over the last third is within [least, greatest] · `limit`/η in every run.

    Observed: the ratio to `limit`/η that is farthest from 1 on the logarithmic scale.
    """
    ratios = np.concatenate([last_third(table, "greatest", eta) * eta / limit for eta in rates])
    worst = float(ratios[np.abs(np.log(ratios)).argmax()])
    bound = greatest if worst > 1 else least
    return Outcome(worst, bound, len(ratios), bool(least <= ratios.min() and ratios.max() <= greatest))


def sharpens(table: Mapping[str, np.ndarray], rates: Sequence[float], share: float, after: bool = False) -> Outcome:
    """Whether the sharpness rises in at least a `share` of the intervals before it reaches 2/η (or `after`)."""
    rises = []
    for eta in rates:
        for path, first in zip(np.diff(runs(table, "greatest", eta)), reached(table, eta)):
            rises += list(path[first:] > 0 if after else path[:first] > 0)
    found = float(np.mean(rises))
    return Outcome(found, share, len(rises), found >= share)


def reference_is_sharper(table: Mapping[str, np.ndarray], rates: Sequence[float], reference: float | None,
                         factor: float) -> Outcome:
    """Whether the run with the small step ends `factor` times sharper than each large step's last third.

    Observed: the least ratio over rates and replicates; `reference` None takes the large step's own end.
    """
    ends = [runs(table, "greatest", reference or eta)[:, -1] / last_third(table, "greatest", eta) for eta in rates]
    found = float(np.min(ends))
    return Outcome(found, factor, np.size(ends), found >= factor)


def rises_and_falls(table: Mapping[str, np.ndarray], rates: Sequence[float], share: float, part: float) -> Outcome:
    """Whether the loss rises in a `share` of the last two thirds' steps, though its mean over the last third is less
    than `part` of that over the second. Observed: the least share over the runs; all must have both.
    """
    shares, falls = [], []
    for eta in rates:
        third = len(np.unique(table["flow_time"])) // 3
        shares += list(runs(table, "rises", eta)[:, -2 * third :].mean(axis=1))
        loss = runs(table, "loss", eta)
        falls += list(loss[:, -third:].mean(axis=1) / loss[:, -2 * third : -third].mean(axis=1))
    found = float(min(shares))
    return Outcome(found, share, len(shares), bool(found >= share and max(falls) <= part))


def component_grows(errors: np.ndarray, tolerance: float) -> Outcome:
    """Whether the quadratic model's component along v is `model_component` in every run."""
    return Outcome(float(errors.max()), tolerance, len(errors), bool(errors.max() <= tolerance))


def model_leaves(model: np.ndarray, network: np.ndarray, factor: float) -> Outcome:
    """Whether the model goes `factor` times as far along v as the network; observed: the least ratio over the runs."""
    found = float(np.min(model / network))
    return Outcome(found, factor, len(model), found >= factor)


def moments(density: Mapping[str, np.ndarray], state: str) -> np.ndarray:
    """tr H and ‖H‖_F² as each probe of the quadrature sees them: shape (2, probes)."""
    rows = np.array(density["state"]) == state
    probes, size = density["probe"][rows], density["size"][0]
    return np.array([size * np.bincount(probes, density["weight"][rows] * density["node"][rows] ** k) for k in (1, 2)])


def quadrature_moments(density: Mapping[str, np.ndarray], states: Sequence[str], exact: Sequence[str]) -> Outcome:
    """Whether trace and squared Frobenius norm at `states` agree with the matrix's own at the states `exact`."""
    seen = np.concatenate([moments(density, state) for state in states])
    names = np.array(density["state"])
    expected = [density[name][names == state][0] for state in exact for name in ("trace", "frobenius")]
    errors = seen.std(axis=1, ddof=1) / np.sqrt(seen.shape[1])
    return agreement(seen.mean(axis=1), errors, expected, seen.shape[1])
