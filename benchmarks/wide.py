"""Wide networks: peak memory of a process at m = 65,536 and, where there is a GPU, widths up to 2^20 on it.

The GPU's table is the width experiment of tau.4.3 on random samples, n = 500, d = 40: several networks at each width
against the discrete kernel dynamics (I − ηH∞)^k r(0), and one large ensemble; times beside those of the CPU's fused
kernel on one core, and how far the GPU's outputs are from the CPU's. Without a GPU one line says: unmeasured.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import contest

SAMPLES, DIMENSION, STEPS, CPU_STEPS = 500, 40, 100, 10
MEMORY_WIDTH, MEMORY_LIMIT_MIB = 2**16, 2048
# Relative difference of the outputs from the CPU's beyond which no number is printed.
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
# Width and networks; the last is the ensemble.
SIZES = [*((2**k, 6) for k in range(8, 21, 2)), (2**14, 64)]


def problem(width: int, networks: int):
    """Hidden weights (e, m, d), signs (e, m, 1), samples, targets, half the largest stable step, scale."""
    from descent.networks.theorem_network import stable_step

    rng = np.random.default_rng(0)
    x = rng.standard_normal((SAMPLES, DIMENSION))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = rng.standard_normal((SAMPLES, 1))
    hidden = rng.standard_normal((networks, width, DIMENSION))
    signs = rng.choice([-1.0, 1.0], (networks, width, 1))
    return hidden, signs, x, y, float(stable_step(0.5, "theorem", x, width)), width**-0.5


def memory(dtype: str) -> dict[str, float]:
    """Peak memory in MiB of this process, which takes steps and the kernel of their patterns."""
    from descent.dynamics.gradient_descent import GradientDescent
    from descent.kernels.neural_tangent_kernel import h_patterns

    hidden, signs, *rest = problem(MEMORY_WIDTH, 1)
    descent = GradientDescent(hidden[0], signs[0], *rest, dtype=np.dtype(dtype).type)
    descent.step()
    h_patterns(rest[0], descent.patterns.T)
    status = Path("/proc/self/status").read_text("utf-8").splitlines()
    return {"peak": next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024}


def print_memory(cache: Path) -> None:
    """A line for each precision."""
    for dtype in ("float64", "float32"):
        peak = contest.measured("benchmarks.wide", "memory", [dtype], cache)["peak"]
        print(json.dumps({"name": "Peak memory of the process",
                          "setting": f"m = {MEMORY_WIDTH}, n = {SAMPLES}, d = {DIMENSION}, {dtype}",
                          "memory_mib": peak, "memory_limit_mib": MEMORY_LIMIT_MIB}), flush=True)


def milliseconds(step: Callable[[], None], count: int, finish: Callable[[], None] = lambda: None) -> float:
    """Wall milliseconds of one of `count` steps, after one that is not counted."""
    step()
    finish()
    start = time.perf_counter()
    for _ in range(count):
        step()
    finish()
    return (time.perf_counter() - start) * 1e3 / count


def on_cpu(arguments) -> tuple[np.ndarray, float]:
    """The first network's residual after `CPU_STEPS` + 1 steps of the fused kernel in float64; milliseconds a step."""
    from descent.dynamics.gradient_descent import GradientDescent

    hidden, signs, *rest = arguments
    descent = GradientDescent(hidden[0], signs[0], *rest)
    per_step = milliseconds(descent.step, CPU_STEPS)
    return descent.residual[:, 0], per_step


def kernel_deviation(residuals: np.ndarray, gram: np.ndarray, eta: float) -> np.ndarray:
    """max_k ‖r(k) − (I − ηH∞)^k r(0)‖ / ‖r(0)‖ for each network of residuals (k, e, n)."""
    values, vectors = np.linalg.eigh(gram)
    factors = (1 - eta * values) ** np.arange(len(residuals))[:, None, None]
    predicted = (factors * (residuals[0] @ vectors)) @ vectors.T
    return np.linalg.norm(residuals - predicted, axis=2).max(axis=0) / np.linalg.norm(residuals[0], axis=1)


def on_device(arguments, dtype: str, device: str, reference: np.ndarray) -> dict[str, float]:
    """One row of the table: means over the networks, and the distance from the CPU's residual `reference`."""
    import torch

    from descent.dynamics.device_descent import DeviceDescent
    from descent.kernels.neural_tangent_kernel import h_infinity
    from descent.kernels.tangent_spectrum import spectrum_row

    finish = torch.cuda.synchronize if device == "cuda" else lambda: None
    hidden, _, x, _, eta, _ = arguments
    descent = DeviceDescent(*arguments, dtype=np.dtype(dtype).type, device=device)
    residuals = [descent.residual[..., 0]]
    for _ in range(STEPS):
        descent.step()
        residuals.append(descent.residual[..., 0])
    residuals = np.array(residuals, dtype=float)
    moved = [spectrum_row(x, end.astype(float), start) for end, start in zip(descent.hidden, hidden)]
    difference = np.linalg.norm(residuals[CPU_STEPS + 1, 0] - reference) / np.linalg.norm(reference)
    return {"step_ms": milliseconds(descent.step, CPU_STEPS, finish), "cpu_difference": float(difference),
            "deviation": float(kernel_deviation(residuals, h_infinity(x), eta).mean()),
            **{name: float(np.mean([row[name] for row in moved])) for name in ("kernel_drift", "movement", "flipped")}}


def print_device(device: str, sizes: list[tuple[int, int]]) -> None:
    """A line for each size and precision, and the slopes over the widths."""
    import torch

    name, rows = torch.cuda.get_device_name() if device == "cuda" else "CPU", []
    for width, networks in sizes:
        arguments = problem(width, networks)
        reference, cpu_ms = on_cpu(arguments)
        for dtype in ("float64", "float32"):
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            found = on_device(arguments, dtype, device, reference)
            if not found["cpu_difference"] <= TOLERANCE[dtype]:
                raise SystemExit(f"m = {width}, {dtype}: {name} differs from the CPU by {found['cpu_difference']:.2g}")
            peak = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else 0.0
            rows.append({"device": name, "width": width, "networks": networks, "dtype": dtype, **found,
                         "cpu_step_ms": networks * cpu_ms, "speedup": networks * cpu_ms / found["step_ms"],
                         "device_mib": peak})
            print(json.dumps(rows[-1]), flush=True)
    print(json.dumps({"note": slopes([row for row in rows if row["dtype"] == "float64"][:-1])}), flush=True)


def slopes(rows: list[dict]) -> str:
    """A sentence with the fitted powers of the width."""
    logarithms = np.log([row["width"] for row in rows])
    fits = {name: np.polyfit(logarithms, np.log([row[name] for row in rows]), 1)[0]
            for name in ("deviation", "kernel_drift", "movement", "flipped")}
    return "Fitted powers of the width, in float64: " + ", ".join(f"{key} {fit:.3f}" for key, fit in fits.items()) + "."


def main() -> None:
    """Everything, or one process's part for `contest.measured`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contender", nargs=2, metavar=("memory", "DTYPE"))
    parser.add_argument("--try-on-cpu", action="store_true", help="the GPU's table at small sizes without a GPU")
    arguments = parser.parse_args()
    if arguments.contender:
        print(json.dumps(memory(arguments.contender[1])))
        return
    from descent.pipeline.device import has_cuda

    if arguments.try_on_cpu:
        print_device("cpu", [(256, 3), (1024, 3), (256, 8)])
        return
    with tempfile.TemporaryDirectory() as cache:
        print_memory(Path(cache))
    if has_cuda():
        print_device("cuda", SIZES)
    else:
        print(json.dumps({"note": "No GPU was found: widths up to 2^20 and ensembles of 64 networks on one are "
                                  "unmeasured here; the same code is tested on the CPU."}), flush=True)


if __name__ == "__main__":
    main()
