"""SGD on fresh samples of a planted ReLU network in float32: Descent's kernel against PyTorch and a JAX scan.

Sizes of jhu.2d (D = 150, r0 = 60, n = 10, batches of 10), data generation included on each side. Each contender runs
in a process of its own on one core and times its steps after a warm-up (`kernel`); the CPU time of the whole process,
imports and compilation included, is measured from outside (`process`). Repeats alternate between the contenders, and
medians are printed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import contest

DIMENSION, TEACHER, OUTPUTS, BATCH, RATE = 150, 60, 10, 10, 1e-3
WIDTHS = (60, 120, 240, 480)
STEPS, PART, REPEATS = 100_000, 1000, 3  # half of a run of jhu.2d


def networks(width: int):
    """Weights (U, V) of teacher and student, with the scaling of the assignment."""
    rng = np.random.default_rng(0)
    return [
        ((rng.standard_normal((OUTPUTS, r)) / r**0.5).astype(np.float32),
         (rng.standard_normal((DIMENSION, r)) / DIMENSION**0.5).astype(np.float32)) for r in (TEACHER, width)
    ]


def descent(teacher, weights):
    """The study's own kernel."""
    from descent.dynamics.planted_sgd import PlantedSGD

    run = PlantedSGD(teacher, weights, BATCH, (np.uint32(1), np.uint32(2)))
    return lambda: float(run.advance(PART, RATE).mean())


def pytorch(teacher, weights):
    """A plain autograd loop with `torch.optim.SGD`."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    teacher_output, teacher_hidden = (torch.tensor(w) for w in teacher)
    output, hidden = (torch.tensor(w, requires_grad=True) for w in weights)
    optimizer = torch.optim.SGD([output, hidden], lr=RATE)

    def part():
        total = torch.zeros(())
        for _ in range(PART):
            x = torch.randn(BATCH, DIMENSION)
            y = torch.relu(x @ teacher_hidden) @ teacher_output.T
            objective = 0.5 * (torch.relu(x @ hidden) @ output.T - y).square().sum() / BATCH
            optimizer.zero_grad()
            objective.backward()
            optimizer.step()
            total += objective.detach()
        return total.item() / PART

    return part


def jax(teacher, weights):
    """One jitted `lax.scan` over blocks, each of which draws its samples at once and scans over its mini-batches."""
    import jax
    import jax.numpy as jnp

    block_steps = 200  # of 20, 40, 100 and 200 the fastest
    teacher_output, teacher_hidden = map(jnp.array, teacher)

    def objective(weights, x, y):
        output, hidden = weights
        return 0.5 * jnp.sum((jax.nn.relu(x @ hidden) @ output.T - y) ** 2) / BATCH

    def step(weights, batch):
        value, gradients = jax.value_and_grad(objective)(weights, *batch)
        return [w - RATE * gradient for w, gradient in zip(weights, gradients)], value

    def block(state, _):
        weights, key = state
        key, part = jax.random.split(key)
        x = jax.random.normal(part, (block_steps, BATCH, DIMENSION))
        weights, values = jax.lax.scan(step, weights, (x, jax.nn.relu(x @ teacher_hidden) @ teacher_output.T))
        return (weights, key), values.mean()

    run = jax.jit(lambda state: jax.lax.scan(block, state, length=PART // block_steps), donate_argnums=0)
    state = [jnp.array(w) for w in weights], jax.random.key(0)

    def part():
        nonlocal state
        state, values = run(state)
        return values.mean().item()

    return part


CONTENDERS = {"Descent": descent, "PyTorch autograd": pytorch, "JAX jit scan": jax}


def contend(name: str, width: int) -> dict[str, float]:
    """CPU seconds of `STEPS` steps after a warm-up, and the mean objective of the last `PART` of them."""
    part = CONTENDERS[name](*networks(width))
    part()
    start = time.process_time()
    objectives = [part() for _ in range(STEPS // PART)]
    return {"kernel": time.process_time() - start, "objective": objectives[-1]}


def compare(cache: Path) -> None:
    """Print each width's rows and the sum over the widths; refuses to when the contenders' objectives disagree."""
    scopes = {"kernel": [], "process": []}
    for width in WIDTHS:
        runs = contest.rounds("benchmarks.planted_sgd", CONTENDERS, [str(width)], cache, REPEATS)
        objectives = [run["objective"] for results in runs.values() for run in results]
        # Each contender draws its own samples: 10,000 of them leave half a percent of sampling error.
        if not np.allclose(objectives, objectives[0], rtol=0.04):
            raise SystemExit(f"r = {width}: the contenders disagree, objectives {objectives}")
        for scope, found in scopes.items():
            found.append(contest.medians(runs, scope))
            contest.print_ratios("planted_sgd", f"r = {width}, {STEPS} steps, {scope}", found[-1])
    for scope, found in scopes.items():
        total = {name: sum(seconds[name] for seconds in found) for name in CONTENDERS}
        contest.print_ratios("planted_sgd", f"sum over the widths, {scope}", total)


def main() -> None:
    """All widths, or one contender's run for `contest.measured`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contender", nargs=2, metavar=("NAME", "WIDTH"))
    contender = parser.parse_args().contender
    if contender:
        print(json.dumps(contend(contender[0], int(contender[1]))))
        return
    with tempfile.TemporaryDirectory() as cache:
        compare(Path(cache))


if __name__ == "__main__":
    main()
