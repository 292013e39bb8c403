"""Kernels H* and perturbations of them, random and adversarial, on which the bounds of tau.4.2 are tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from descent.dynamics import perturbed_kernel as flows
from descent.kernels.neural_tangent_kernel import h_infinity
from descent.pipeline.randomness import generator

# A kernel whose eigenvalues are evenly spaced in the logarithm over three decades, λ_min(H*) = 1.
SPECTRUM = "spectrum"
TURNING = {"ratio": 1000.0, "lead": float(np.arccos(0.1)), "pieces": 120}


def kernel(name: str, inputs: Mapping[str, np.ndarray], master_seed: int, replicate: int, size: int) -> np.ndarray:
    """H* (size, size): H∞ of randomly chosen rows of the unit `inputs` called `name`, or one with a given spectrum."""
    draws = generator(master_seed, "fixed_kernel", replicate, kernel=name, size=size)
    if name == SPECTRUM:
        vectors = np.linalg.qr(draws.standard_normal((size, size)))[0]
        return (vectors * np.geomspace(1, 1000, size)) @ vectors.T
    x = inputs[name]
    return h_infinity(x[draws.choice(len(x), size, replace=False)])


def kernels(settings: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> Iterator[tuple[str, int, np.ndarray]]:
    """(name, replicate, H*) for every kind of kernel; `settings` has master_seed, replicates and sizes (cycled)."""
    for name in (SPECTRUM, *inputs):
        for replicate in range(settings["replicates"]):
            size = settings["sizes"][replicate % len(settings["sizes"])]
            yield name, replicate, kernel(name, inputs, settings["master_seed"], replicate, size)


def perturbed_cases(settings: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """`perturbed_flow` in every case, one after the other, with columns that name the case.

    `settings`: those of `kernels`, ratios (ε/λ), pieces and points. For every kernel and ratio each family of
    `perturbation`, as it is and, where ε > λ, also made positive semidefinite; `slowed`, H* − ε v vᵀ; and, for the
    first replicate, `rotating`. The start r_0 is Gaussian in even replicates and the slowest mode v in odd ones and
    for the last two families. Columns: case, family, kernel, replicate, size, ratio as asked for, semidefinite.
    """
    parts = []
    for name, replicate, fixed in kernels(settings, inputs):
        for family, ratio, semidefinite, columns in _flows(settings, name, replicate, fixed):
            case = {"family": family, "kernel": name}
            whole = {"case": len(parts), "replicate": replicate, "size": len(fixed), "semidefinite": semidefinite}
            rows = len(columns["flow_time"])
            parts.append({**{key: [value] * rows for key, value in case.items()}, "ratio": np.full(rows, ratio),
                          **{key: np.full(rows, value) for key, value in whole.items()}, **columns})
    return {key: sum((part[key] for part in parts), []) if key in ("family", "kernel")
            else np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _flows(settings: Mapping[str, Any], name: str, replicate: int, fixed: np.ndarray) -> Iterator[tuple]:
    eigenvalues, vectors = np.linalg.eigh(fixed)
    rate, slow, drawn = eigenvalues[0], vectors[:, 0], {"kernel": name, "size": len(fixed)}
    gaussian = generator(settings["master_seed"], "perturbed_start", replicate, **drawn).standard_normal(len(fixed))
    start = slow if replicate % 2 else gaussian
    for ratio in settings["ratios"]:
        for family in flows.FAMILIES:
            for semidefinite in (True,) if ratio <= 1 else (True, False):
                draws = generator(settings["master_seed"], f"perturbation_{family}", replicate, **drawn)
                choice = flows.perturbation(family, fixed, ratio * rate, draws, semidefinite and ratio > 1)
                ends = _ends(settings["pieces"], ratio, rate, semidefinite)
                yield family, ratio, semidefinite, flows.perturbed_flow(fixed, start, ends, choice, settings["points"])
        ends = _ends(settings["pieces"], ratio, rate, ratio <= 1)
        choice = flows.slowest_mode_slowed(fixed, ratio * rate)
        yield "slowed", ratio, ratio <= 1, flows.perturbed_flow(fixed, slow, ends, choice, settings["points"])
    if replicate == 0:
        ratio, lead = TURNING["ratio"], TURNING["lead"]
        # Half a turn takes the time π / (ε cos(lead) sin(lead)).
        ends = np.arange(1, TURNING["pieces"] + 1) / TURNING["pieces"] * 2.1 * np.pi / (ratio * rate * np.sin(2 * lead))
        choice = flows.rotating(fixed, ratio * rate, lead)
        yield "rotating", ratio, True, flows.perturbed_flow(fixed, slow, ends, choice, 1)


def _ends(pieces: int, ratio: float, rate: float, semidefinite: bool) -> np.ndarray:
    # An indefinite H(t) lets u − u* grow like e^{(ε − λ) t}: by e^20, and no further.
    horizon = 6.0 if semidefinite else 20.0 / (ratio - 1)
    return np.geomspace(0.05 / max(ratio, 1.0), horizon, pieces) / rate
