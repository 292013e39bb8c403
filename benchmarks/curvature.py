"""Both ends of a Hessian's spectrum: Descent's products and Lanczos' method against curvlinops and SciPy.

The loss is ½ Σ (f(x_i) − y_i)² of a two-layer tanh network with fixed outputs and 40,000 weights. Both contenders ask
ARPACK for the greatest and for the least eigenvalue, with the same tolerance and the same start; the peer's products
are `curvlinops.HessianLinearOperator`'s, on PyTorch in float64. Each runs in a process of its own on one core; the
products and eigenvalues are timed after a warm-up (`kernel`), the whole process from outside (`process`). The ratio is
the median over the pairs of neighbouring runs, and no number is printed unless the eigenvalues agree.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import contest

REPEATS = 5
SAMPLES, DIMENSION, WIDTH = 500, 40, 1000
# Relative, for ARPACK; the eigenvalues must agree much better than that, being quadratic in the vector's error.
TOLERANCE, AGREEMENT = 1e-6, 1e-8


def problem():
    """Hidden weights (m, d), outputs (m, 1), samples of unit norm, targets, the start of the iterations."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((SAMPLES, DIMENSION))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    hidden, signs = rng.standard_normal((WIDTH, DIMENSION)), rng.choice([-1.0, 1.0], (WIDTH, 1))
    return hidden, signs, x, rng.standard_normal((SAMPLES, 1)), rng.standard_normal(WIDTH * DIMENSION)


def descent() -> Callable[[], dict[str, float]]:
    """Descent's products, and its `spectrum_end`."""
    from descent.curvature.lanczos import Counted, spectrum_end
    from descent.curvature.two_layer_hessian import TwoLayerHessian, tanh_derivatives

    hidden, signs, x, y, start = problem()

    def ends():
        product = Counted(TwoLayerHessian(hidden, signs, x, y, *tanh_derivatives(), WIDTH**-0.5))
        found = {name: spectrum_end(product, start, side, TOLERANCE).value for name, side in SIDES.items()}
        return {**found, "products": product.products}

    return ends


SIDES = {"greatest": "LA", "least": "SA"}


def curvlinops() -> Callable[[], dict[str, float]]:
    """The same with `curvlinops.HessianLinearOperator` and `scipy.sparse.linalg.eigsh`."""
    import torch
    from curvlinops import HessianLinearOperator
    from scipy.sparse.linalg import LinearOperator, eigsh

    from descent.curvature.lanczos import Counted

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    hidden, signs, x, y, start = (torch.from_numpy(array) for array in problem())
    layers = [torch.nn.Linear(DIMENSION, WIDTH, bias=False), torch.nn.Tanh(), torch.nn.Linear(WIDTH, 1, bias=False)]
    network = torch.nn.Sequential(*layers)
    with torch.no_grad():
        layers[0].weight.copy_(hidden)
        # The sum of squares that PyTorch has lacks the ½.
        layers[2].weight.copy_(signs.T * (2 * WIDTH) ** -0.5)
    layers[2].weight.requires_grad_(False)
    loss, batches = torch.nn.MSELoss(reduction="sum"), [(x, y / 2**0.5)]

    def ends():
        operator = HessianLinearOperator(network, loss, [layers[0].weight], batches, check_deterministic=False)
        product = Counted(operator.to_scipy(dtype=np.float64).matvec)
        operator, found = LinearOperator(operator.shape, matvec=product, dtype=np.float64), {}
        for name, side in SIDES.items():
            values = eigsh(operator, k=1, which=side, v0=start.numpy(), tol=TOLERANCE, return_eigenvectors=False)
            found[name] = float(values[0])
        return {**found, "products": product.products}

    return ends


CONTENDERS = {"Descent": descent, "curvlinops and SciPy": curvlinops}


def run(name: str) -> dict[str, float]:
    """Both eigenvalues, and the CPU seconds they took after one product's warm-up."""
    ends = CONTENDERS[name]()
    ends()
    start = time.process_time()
    found = ends()
    return {**found, "kernel": time.process_time() - start}


def print_rows(runs: dict[str, list[dict]]) -> None:
    """A line of JSON for the kernel and one for the process; raises SystemExit where the eigenvalues differ."""
    (ours, mine), (peer, theirs) = runs.items()
    difference = max(abs(a[name] / b[name] - 1) for a, b in zip(mine, theirs) for name in SIDES)
    if not difference <= AGREEMENT:
        raise SystemExit(f"{ours} and {peer}: eigenvalues differ by {difference:.2g}")
    for scope in ("kernel", "process"):
        print(json.dumps({
            "name": "curvature", "setting": f"least and greatest eigenvalue, m = {WIDTH}, d = {DIMENSION}, "
            f"n = {SAMPLES}, {scope}", "ours_s": median(row[scope] for row in mine), "peer": peer,
            "peer_s": median(row[scope] for row in theirs),
            "ratio": median(b[scope] / a[scope] for a, b in zip(mine, theirs)), "difference": difference}), flush=True)


def main() -> None:
    """The comparison, or with --contender one run of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contender", choices=CONTENDERS)
    arguments = parser.parse_args()
    if arguments.contender:
        print(json.dumps(run(arguments.contender)))
        return
    with tempfile.TemporaryDirectory() as cache:
        print_rows(contest.rounds("benchmarks.curvature", CONTENDERS, [], Path(cache), REPEATS))


if __name__ == "__main__":
    main()
