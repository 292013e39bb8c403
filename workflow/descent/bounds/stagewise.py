"""The convergence theorem stage by stage: bounds on the error of each stage from its own start, with its own rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from descent.bounds.convergence import bound_columns
from descent.dynamics.stagewise_descent import stage_rows
from descent.kernels.interlacing import principal_spectra
from descent.kernels.neural_tangent_kernel import h_infinity

Table = Mapping[str, np.ndarray]


def nested_subsets(labels: np.ndarray, digits: Sequence[int]) -> list[np.ndarray]:
    """For each count in `digits` the mask (n,) of the samples whose label is below it."""
    return [labels < count for count in digits]


def chain(sets: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Pairs (inner, outer) of nested subsets: each set within itself and one sample more, and that within the next set.

    One sample more makes interlacing tight: every eigenvalue then lies between two neighbours.
    """
    inner, outer = [], []
    for small, large in zip(sets, sets[1:], strict=False):
        more = small.copy()
        more[np.argmax(large & ~small)] = True
        inner += [small, more]
        outer += [more, large]
    return inner, outer


def exchanged(inner: Sequence[np.ndarray], outer: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The inner sets with their first sample exchanged for one outside the outer set, where there is one."""
    swapped = []
    for small, large in zip(inner, outer, strict=True):
        other = small.copy()
        if not large.all():
            other[np.argmax(small)], other[np.argmax(~large)] = False, True
        swapped.append(other)
    return swapped


def stage_rates(inputs: np.ndarray, labels: np.ndarray, digits: Sequence[int]) -> dict[int, float]:
    """λ_0(S) = λ_min(H∞[S, S]) of the samples S with labels below each count in `digits`."""
    spectra = principal_spectra(h_infinity(inputs), nested_subsets(labels, digits))
    return {int(count): float(spectrum[0]) for count, spectrum in zip(digits, spectra, strict=True)}


def stage_bounds(metrics: Table, states: Table, rates: Mapping[int, float]) -> dict[str, np.ndarray]:
    """`convergence.bound_columns` of every stage of every replicate, with `rates` λ_0(S) and times from its start.

    `metrics` and `states` as `dynamics.stagewise_descent.run_stages` makes them, with a column replicate. More columns:
    stage, digits, total_step and total_time (over all stages), rate λ_0(S), eta and relative_eigenvalue,
    λ_min(H[S]) over λ_0(S)/2 at the last kept step so far.
    """
    parts = []
    for rows, kept in zip(stage_rows(metrics), stage_rows(states), strict=True):
        rate, times = rates[int(rows["digits"][0])], rows["flow_time"] - rows["flow_time"][0]
        own = {**rows, "step": rows["stage_step"], "flow_time": times}
        columns = bound_columns(own, {**kept, "step": kept["stage_step"]}, rate)
        eta, last = times[-1] / rows["stage_step"][-1], np.searchsorted(kept["stage_step"], rows["stage_step"], "right")
        columns |= {"stage": rows["stage"], "digits": rows["digits"], "total_step": rows["step"],
                    "total_time": rows["flow_time"], "rate": np.full(len(times), rate),
                    "eta": np.full(len(times), eta),
                    "relative_eigenvalue": kept["lambda_min"][last - 1] / (rate / 2)}
        parts.append(columns)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
