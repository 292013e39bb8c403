"""Deep linear networks with one output: training step and extremes of the full Hessian against PyTorch.

tau.2.4's network of three layers, width 10, on 128 samples of 10 inputs, float64. A step of Descent's kernel against
a plain autograd loop with `torch.optim.SGD`; both ends of the spectrum against `torch.func.hessian` and `eigvalsh`, one
point at a time and 250 kept points in a call. Each contender runs in a process of its own on one core; repeats
alternate, and medians are printed, in seconds for one step or one point.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import contest
from descent.curvature.linear_hessian import extreme_eigenvalues
from descent.dynamics.linear_descent import LinearDescent, Moments
from descent.networks.linear_network import gaussian_layers

# As many samples as the diabetes set has.
SAMPLES, WIDTH, DIMENSION, DEPTH, ETA = 442, 10, 10, 3, 0.01
CHECKED, POINTS, REPEATS = 500, 250, 5


def problem(scale: float = 0.5, draw: int = 0):
    """Data (x, y), the same for all, and layers."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((SAMPLES, DIMENSION))
    y = x @ rng.standard_normal(DIMENSION) / DIMENSION**0.5 + 0.5 * rng.standard_normal(SAMPLES)
    sizes = [DIMENSION, *[WIDTH] * (DEPTH - 1), 1]
    return x, y, gaussian_layers(np.random.default_rng(100 + draw), sizes, scale)


def points():
    """Layers of 250 points of all sizes between the saddle and beyond the minimum."""
    return [problem(scale, draw)[2] for draw, scale in enumerate(np.geomspace(1e-2, 1.0, POINTS))]


def seconds(function, count: int) -> float:
    """CPU seconds of one of `count` calls."""
    start = time.process_time()
    for _ in range(count):
        function()
    return (time.process_time() - start) / count


def our_step():
    """The study's kernel: seconds of a step, and the weights' sums after CHECKED steps."""
    x, y, layers = problem()
    run = LinearDescent(layers, Moments(x, y), ETA)
    run.step(CHECKED)
    checked = [float(layer.sum()) for layer in run.layers]
    return seconds(lambda: run.step(100_000), 5) / 100_000, checked


def torch_step():
    """A plain autograd loop."""
    import torch

    torch.set_num_threads(1)
    x, y, layers = problem()
    x, y = torch.tensor(x), torch.tensor(y)
    weights = [torch.tensor(layer, requires_grad=True) for layer in layers]
    optimizer = torch.optim.SGD(weights, lr=ETA)

    def step():
        output = x
        for weight in weights:
            output = output @ weight.T
        objective = 0.5 * (output[:, 0] - y).square().mean()
        optimizer.zero_grad()
        objective.backward()
        optimizer.step()

    for _ in range(CHECKED):
        step()
    checked = [float(weight.detach().sum()) for weight in weights]
    return seconds(step, 3000), checked


def our_points():
    """Both ends at the kept points, in one call."""
    x, y, _ = problem()
    moments, stacks = Moments(x, y), [np.stack(layers) for layers in zip(*points())]
    checked = np.concatenate(extreme_eigenvalues(stacks, moments))
    return seconds(lambda: extreme_eigenvalues(stacks, moments), 20) / POINTS, checked.tolist()


def our_point():
    """Both ends at one point after the other."""
    x, y, _ = problem()
    moments, kept = Moments(x, y), points()
    checked = np.transpose([extreme_eigenvalues(layers, moments) for layers in kept]).ravel()
    one = seconds(lambda: [extreme_eigenvalues(layers, moments) for layers in kept], 3) / POINTS
    return one, checked.tolist()


def torch_points():
    """Dense Hessian by `torch.func.hessian`, all eigenvalues."""
    import torch

    torch.set_num_threads(1)
    x, y, layers = problem()
    x, y, sizes = torch.tensor(x), torch.tensor(y), [layer.size for layer in layers]

    def loss(flat):
        output = x
        for part, layer in zip(torch.split(flat, sizes), layers):
            output = output @ part.reshape(layer.shape).T
        return 0.5 * (output[:, 0] - y).square().mean()

    hessian = torch.func.hessian(loss)
    kept = [torch.tensor(np.concatenate([layer.ravel() for layer in one])) for one in points()]
    spectra = [torch.linalg.eigvalsh(hessian(point)) for point in kept]
    checked = np.transpose([(float(spectrum[0]), float(spectrum[-1])) for spectrum in spectra]).ravel()
    return seconds(lambda: torch.linalg.eigvalsh(hessian(kept[-1])), 100), checked.tolist()


CONTENDERS = {"step": our_step, "PyTorch autograd": torch_step, "points": our_points, "point": our_point,
              "torch.func.hessian": torch_points}
ROWS = {"N = 3, width 10: a step": ("step", "PyTorch autograd"),
        f"N = 3, width 10: extremes of the Hessian, {POINTS} points in a call": ("points", "torch.func.hessian"),
        "N = 3, width 10: extremes of the Hessian, point by point": ("point", "torch.func.hessian")}


def compare(cache: Path) -> None:
    """Print a row for each comparison; refuses to when ours and the peer disagree by more than 1e-12."""
    runs = contest.rounds("benchmarks.linear_networks", CONTENDERS, [], cache, REPEATS)
    measured = contest.medians(runs, "kernel")
    for setting, (ours, peer) in ROWS.items():
        expected, found = (np.array(runs[name][0]["checked"]) for name in (peer, ours))
        worst = np.abs(found - expected).max() / max(1.0, np.abs(expected).max())
        if not worst <= 1e-12:
            raise SystemExit(f"{setting}: ours and {peer} differ by {worst}")
        contest.print_ratios("linear_networks", setting, {ours: measured[ours], peer: measured[peer]})


def main() -> None:
    """All comparisons, or one contender's run for `contest.measured`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contender", choices=CONTENDERS)
    contender = parser.parse_args().contender
    if contender:
        kernel, checked = CONTENDERS[contender]()
        print(json.dumps({"kernel": kernel, "checked": checked}))
        return
    with tempfile.TemporaryDirectory() as cache:
        compare(Path(cache))


if __name__ == "__main__":
    main()
