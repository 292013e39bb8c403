"""Runs of the study of implicit convolutions: descents with many steps, products and descent at large n (snu.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from descent.bounds.convolution_norm import singular_range, symbol_range
from descent.dynamics import huber_descent
from descent.dynamics.huber_descent import HuberProblem, Limits
from descent.networks.convolution import DIRECT_TAPS, Convolution1d

# What a step is called, and how it follows from the limits, the ridge λ and the document's α.
STEPS = ("document", "quarter", "half", "near", "best", "between", "beyond_local", "middle", "below_ridge",
         "beyond_ridge")
# Iterations at the end of a descent whose objective gaps show whether it has settled.
LATE = 40


def named_steps(limits: Limits, ridge: float, document: float) -> dict[str, float]:
    """The steps α of `STEPS`: the document's; 1/4, 1/2 and 0.98 of 2/L; 2/(L + λ); 1/L + 1/L*; 1.02 of 2/L*; the
    geometric mean of 2/L and 2/λ; 0.99 and 1.01 of 2/λ."""
    limit, last = 2 / limits.smoothness, 2 / ridge
    steps = (document, limit / 4, limit / 2, 0.98 * limit, 2 / (limits.smoothness + ridge),
             (limit + 2 / limits.local) / 2, 1.02 * 2 / limits.local, np.sqrt(limit * last), 0.99 * last, 1.01 * last)
    return dict(zip(STEPS, steps))


def recorded_iterations(document: int, most: int, points: int) -> np.ndarray:
    """About `points` iterations even in the logarithm, the `document`'s last one, and the last `LATE` of `most`."""
    spread = np.geomspace(1, most, points).round().astype(int)
    return np.unique([0, document, *spread, *range(most - LATE, most + 1)])


def grids(limits: Limits, ridge: float, points: int) -> dict[str, np.ndarray]:
    """Steps for the figure: `grid` from 0.005 of 2/L to 1.25 of 2/λ, and `close` around 2/L and 2/L*."""
    limit = 2 / limits.smoothness
    return {"grid": np.geomspace(0.005 * limit, 1.25 * 2 / ridge, points),
            "close": limit * np.linspace(0.94, 1.3, points)}


def descents(cases: Sequence[tuple[str, int, HuberProblem]], document: float, grid_points: int,
             recorded: np.ndarray) -> dict[str, np.ndarray]:
    """Every descent of the study, as `huber_descent.record` gives it, with what theory needs to judge it.

    `cases`: (case, replicate, problem). Columns besides: case, replicate, name (one of `STEPS`; grid or close for the
    first replicate), ridge, rows m, optimum ‖x*‖, start (gap at x = 0), least_squares (λ + σ_min(A)²), and the fields
    of `Limits`.
    """
    parts = [_case(name, replicate, problem, document, grid_points, recorded) for name, replicate, problem in cases]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _case(case: str, replicate: int, problem: HuberProblem, document: float, grid_points: int,
          recorded: np.ndarray) -> dict[str, np.ndarray]:
    optimum = huber_descent.minimizer(problem)
    found = huber_descent.limits(problem, optimum)
    named = named_steps(found, problem.ridge, document)
    extra = grids(found, problem.ridge, grid_points) if replicate == 0 else {}
    steps = np.concatenate([list(named.values()), *extra.values()])
    with np.errstate(over="ignore", invalid="ignore"):
        rows = huber_descent.record(problem, optimum, steps, recorded)
    names = np.repeat([*named, *(name for name, values in extra.items() for _ in values)], len(recorded))
    least = singular_range(problem.kernel, problem.size)[0]
    constants = {"case": case, "replicate": replicate, "ridge": problem.ridge, "rows": len(problem.targets),
                 "optimum": np.linalg.norm(optimum), "start": problem.gap(np.zeros((problem.size, 1)), optimum)[0],
                 "least_squares": problem.ridge + least**2, **vars(found)}
    return {"name": names, **{key: np.full(len(names), value) for key, value in constants.items()}, **rows}


def norm_rows(kernels: Sequence[np.ndarray], sizes: Sequence[int]) -> list[dict[str, Any]]:
    """For every kernel and n: singular values' least and greatest, and the bounds from n and from r frequencies."""
    rows = []
    for replicate, kernel in enumerate(kernels):
        for size in sizes:
            (least, greatest), bounds = singular_range(kernel, size), symbol_range(kernel, size)
            coarse = symbol_range(kernel, len(kernel))
            rows.append({"replicate": replicate, "size": size, "least": least, "greatest": greatest, "lower": bounds[0],
                         "upper": bounds[1], "coarse_lower": coarse[0], "coarse_upper": coarse[1]})
    return rows


def product_rows(draws: np.random.Generator, size: int, kernel_sizes: Mapping[str, int]) -> list[dict[str, Any]]:
    """Products at `size` n, a row for each dtype of `kernel_sizes` (name: r, ends in the dtype).

    error: max |Ax − z| / max |z| against z in extended precision (for long kernels: summed directly); adjoint:
    |<Ax, y> − <x, Aᵀy>| / (‖Ax‖ ‖y‖), both inner products in extended precision, integers exactly.
    """
    return [_product_row(draws, size, r, np.dtype(name.split(" ")[-1])) for name, r in kernel_sizes.items()]


def _draw(draws: np.random.Generator, length: int, dtype: np.dtype, largest: int) -> np.ndarray:
    if dtype.kind == "i":
        return draws.integers(-largest, largest + 1, length, dtype)
    values = draws.standard_normal(length)
    return (values + 1j * draws.standard_normal(length) if dtype.kind == "c" else values).astype(dtype)


def _product_row(draws: np.random.Generator, size: int, r: int, dtype: np.dtype) -> dict[str, Any]:
    kernel, x = _draw(draws, r, dtype, 9), _draw(draws, size, dtype, 1000)
    y = _draw(draws, size - r + 1, dtype, 1000)
    a = Convolution1d(kernel, size)
    forward, backward = a @ x, a.H @ y
    wide = np.result_type(dtype, np.longdouble if r <= DIRECT_TAPS else np.float64)
    reference = np.convolve(x.astype(wide), kernel[::-1].astype(wide), "valid")
    inner = np.vdot(_wide(y), _wide(forward)) - np.vdot(_wide(backward), _wide(x))
    scale = float(np.linalg.norm(forward.astype(wide))) * float(np.linalg.norm(y.astype(wide)))
    return {"dtype": str(forward.dtype), "taps": r, "direct": r <= DIRECT_TAPS, "kernel_bytes": kernel.nbytes,
            "dense_bytes": float(dtype.itemsize) * size * (size - r + 1), "vector_bytes": float(x.nbytes),
            "error": float(np.abs(forward - reference).max() / np.abs(reference).max()),
            "adjoint": float(np.abs(inner)) / scale}


def _wide(values: np.ndarray) -> np.ndarray:
    return values if values.dtype.kind == "i" else values.astype(np.result_type(values.dtype, np.longdouble))


def large_descents(problem: HuberProblem, runs: Mapping[str, tuple[float, int]]) -> dict[str, np.ndarray]:
    """Descents from 0 on a problem too large for matrices; `runs`: name: (step, iterations).

    Rows: run, step, iteration, gradient ‖∇(x_k)‖, contraction ‖∇(x_k)‖/‖∇(x_{k−1})‖ (NaN at the start), and certified
    ‖∇(x_k)‖/(λ‖x_k‖ − ‖∇(x_k)‖), which bounds ‖x_k − x*‖/‖x*‖ (infinite where it says nothing).
    """
    parts = []
    for name, (step, iterations) in runs.items():
        norms: list[tuple[float, float]] = []

        def seen(k: int, x: np.ndarray, norms=norms) -> None:
            norms.append((float(np.linalg.norm(problem.gradient(x))), float(np.linalg.norm(x))))

        huber_descent.descend(problem.operator, problem.targets, problem.ridge, step, np.zeros(problem.size),
                              iterations, seen)
        gradient, norm = np.array(norms).T
        margin = problem.ridge * norm - gradient
        certified = np.divide(gradient, margin, out=np.full(len(gradient), np.inf), where=margin > 0)
        parts.append({"run": np.full(len(gradient), name), "step": np.full(len(gradient), step),
                      "iteration": np.arange(len(gradient)), "gradient": gradient,
                      "contraction": np.append(np.nan, gradient[1:] / gradient[:-1]), "certified": certified})
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
