"""The implicit convolution against the dense matrix, and what it takes at n = 10⁶ (snu.5).

Huber descent as the document writes it: 100 iterations with the operator and with the matrix, at the largest n whose
matrix is small enough to try (8 n (n − r + 1) bytes). Each contender runs in a process of its own on one core; the
iterations are timed (`kernel`), the whole process from outside (`process`), and no number is printed unless the
iterates agree. Then the operator alone at n = 10⁶, with the peak memory of its arrays as `tracemalloc` counts them;
the matrix's time there is extrapolated from the sizes before, per entry.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import tracemalloc
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import contest
from descent.dynamics.huber_descent import descend, legacy_problem

REPEATS, ITERATIONS = 5, 100
SIZES, LARGE, KERNEL, RIDGE, STEP = (1000, 4000, 10000), 10**6, 3, 0.1, 0.01
AGREEMENT = 1e-12
CONTENDERS = ("Descent", "dense matrix")


def run(name: str, size: int) -> dict[str, float]:
    """CPU seconds of the iterations, peak memory of one before them, and two numbers that tell the last iterate."""
    problem = legacy_problem(size, KERNEL, RIDGE)
    tracemalloc.start()
    matrix = problem.operator if name == "Descent" else problem.dense
    x = np.zeros(size)
    descend(matrix, problem.targets, RIDGE, STEP, x, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    start = time.process_time()
    x = descend(matrix, problem.targets, RIDGE, STEP, x, ITERATIONS)
    seconds = time.process_time() - start
    return {"kernel": seconds, "peak": peak, "sum": float(x.sum()), "norm": float(np.linalg.norm(x))}


def print_rows(size: int, runs: dict[str, list[dict]]) -> None:
    """A line for the kernel and one for the process; raises SystemExit where the iterates differ."""
    mine, theirs = runs.values()
    difference = max(abs(a[key] - b[key]) / b["norm"] for a, b in zip(mine, theirs) for key in ("sum", "norm"))
    if not difference <= AGREEMENT:
        raise SystemExit(f"n = {size}: iterates differ by {difference:.2g}")
    for scope in ("kernel", "process"):
        print(json.dumps({
            "name": "convolution", "setting": f"Huber descent, n = {size}, {ITERATIONS} iterations, {scope}",
            "ours_s": median(row[scope] for row in mine), "peer": "dense matrix",
            "peer_s": median(row[scope] for row in theirs),
            "ratio": median(b[scope] / a[scope] for a, b in zip(mine, theirs))}), flush=True)


def print_memory(size: int, peak: float) -> None:
    """A line with the peak of an iteration's arrays; ten vectors of length n are the limit."""
    print(json.dumps({"name": "Peak memory of an iteration's arrays", "setting": f"implicit convolution, n = {size}",
                      "memory_mib": peak / 2**20, "memory_limit_mib": 80 * size / 2**20}), flush=True)


def main() -> None:
    """The comparison, or with --contender one run of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contender", choices=CONTENDERS)
    parser.add_argument("size", nargs="?", type=int)
    arguments = parser.parse_args()
    if arguments.contender:
        print(json.dumps(run(arguments.contender, arguments.size)))
        return
    with tempfile.TemporaryDirectory() as cache:
        for size in SIZES:
            runs = contest.rounds("benchmarks.convolution", CONTENDERS, [str(size)], Path(cache), REPEATS)
            print_rows(size, runs)
        entry = median(row["kernel"] for row in runs["dense matrix"]) / (size * (size - KERNEL + 1))
        large = contest.rounds("benchmarks.convolution", CONTENDERS[:1], [str(LARGE)], Path(cache), REPEATS)["Descent"]
    dense = 8 * LARGE * (LARGE - KERNEL + 1)
    print_memory(LARGE, median(row["peak"] for row in large))
    print(json.dumps({"note": f"At n = {LARGE:,} the operator takes {median(row['kernel'] for row in large):.3g} s for "
                      f"{ITERATIONS} iterations. The matrix would take {dense / 1e12:.3g} TB; at the time per entry of "
                      f"n = {size:,} its iterations would take {entry * dense / 8 / 86400:.2g} days."}), flush=True)


if __name__ == "__main__":
    main()
