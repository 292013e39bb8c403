"""Deep linear networks with one output: a step, and both ends of the full Hessian, against PyTorch.

Three layers of width 10 on the diabetes set's size (n = 442, d = 10), float64. A step: the compiled descent on moments
against plain autograd on the samples. The ends of the Hessian: the reduced matrix, for one point and for many at once,
against `torch.func.hessian` and `numpy.linalg.eigvalsh`. Contenders take turns in one process on one core after a
warm-up; nothing is printed unless weights and eigenvalues agree.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from benchmarks.contest import print_ratios
from descent.curvature.linear_hessian import extreme_eigenvalues
from descent.dynamics.linear_descent import LinearDescent, Moments
from descent.networks.linear_network import gaussian_layers

SAMPLES, DIMENSION, WIDTH, DEPTH, ETA = 442, 10, 10, 3, 1e-2
REPEATS, POINTS, AGREEMENT = 5, 200, 1e-12


def problem():
    """Layers, inputs (n, d) and targets (n)."""
    rng = np.random.default_rng(0)
    sizes = [DIMENSION, *[WIDTH] * (DEPTH - 1), 1]
    return gaussian_layers(rng, sizes, 0.8), rng.standard_normal((SAMPLES, DIMENSION)), rng.standard_normal(SAMPLES)


def autograd_steps(layers, x, y, steps: int) -> list[np.ndarray]:
    """Layers after `steps` steps of the usual loop: modules, a loss, `backward` and an optimizer."""
    import torch

    modules = [torch.nn.Linear(*layer.shape[::-1], bias=False, dtype=torch.float64) for layer in layers]
    for module, layer in zip(modules, layers):
        module.weight.data = torch.tensor(layer)
    network, inputs, targets = torch.nn.Sequential(*modules), torch.tensor(x), torch.tensor(y)[:, None]
    # The mean of squares that PyTorch has lacks the 1/2.
    optimizer, loss = torch.optim.SGD(network.parameters(), lr=ETA / 2), torch.nn.MSELoss()
    for _ in range(steps):
        optimizer.zero_grad()
        loss(network(inputs), targets).backward()
        optimizer.step()
    return [module.weight.detach().numpy() for module in modules]


def dense_ends(layers, x, y) -> tuple[float, float]:
    """λ_min and λ_max of the dense Hessian over all weights, by `torch.func.hessian`."""
    import torch

    sizes, shapes = [layer.size for layer in layers], [layer.shape for layer in layers]
    inputs, targets = torch.tensor(x).T, torch.tensor(y)

    def loss(flat):
        output = inputs
        for part, shape in zip(torch.split(flat, sizes), shapes):
            output = part.reshape(shape) @ output
        return 0.5 * torch.mean((output[0] - targets) ** 2)

    flat = torch.tensor(np.concatenate([layer.ravel() for layer in layers]))
    return tuple(np.linalg.eigvalsh(torch.func.hessian(loss)(flat).numpy())[[0, -1]])


def seconds(function: Callable[[], object], times: int) -> float:
    """CPU seconds of one call, as the mean over so many."""
    start = time.process_time()
    for _ in range(times):
        function()
    return (time.process_time() - start) / times


def check(layers, x, y) -> None:
    """Raise SystemExit unless both routes give the same weights and the same eigenvalues."""
    moments = Moments(x, y)
    descent = LinearDescent(layers, moments, ETA)
    descent.step(100)
    weights = [np.abs(a - b).max() for a, b in zip(descent.layers, autograd_steps(layers, x, y, 100))]
    ends = np.abs(np.array(extreme_eigenvalues(layers, moments)) - dense_ends(layers, x, y)).max()
    if not max(*weights, ends) <= AGREEMENT:
        raise SystemExit(f"linear_networks: weights differ by {max(weights):.2g}, eigenvalues by {ends:.2g}")


def main() -> None:
    """Medians over alternating repeats, as lines of JSON."""
    import torch

    torch.set_num_threads(1)
    layers, x, y = problem()
    check(layers, x, y)
    moments = Moments(x, y)
    descent, many = LinearDescent(layers, moments, 1e-9), [np.stack([layer] * POINTS) for layer in layers]
    contests = {
        "a step": (lambda: seconds(lambda: descent.step(100000), 1) / 100000,
                   lambda: seconds(lambda: autograd_steps(layers, x, y, 300), 1) / 300, "PyTorch autograd"),
        "both ends of the full Hessian, one point": (
            lambda: seconds(lambda: extreme_eigenvalues(layers, moments), 200),
            lambda: seconds(lambda: dense_ends(layers, x, y), 5), "torch.func.hessian"),
        f"both ends of the full Hessian, each of {POINTS} points": (
            lambda: seconds(lambda: extreme_eigenvalues(many, moments), 5) / POINTS,
            lambda: seconds(lambda: dense_ends(layers, x, y), 5), "torch.func.hessian"),
    }
    for setting, (ours, theirs, peer) in contests.items():
        pairs = [(ours(), theirs()) for _ in range(REPEATS)]
        mine, other = (median(column) for column in zip(*pairs))
        print_ratios("linear networks", f"N = {DEPTH}, width {WIDTH}, {setting}", {"Descent": mine, peer: other})


if __name__ == "__main__":
    main()
