"""Training the theorem's network: Descent's fused step against a PyTorch autograd loop and a JAX scan.

Beside a plain autograd loop, Descent's own PyTorch path for GPUs (gradients written out, blocks of units with kept
buffers) takes part on the CPU: it shows what PyTorch can do without the costs of autograd and of large new arrays.

Each contender runs in a process of its own on one core and times its steps after a warm-up (`kernel`); the CPU time of
the whole process, imports and compilation included, is measured from outside (`process`). Repeats alternate between
the contenders and medians are printed. JAX is one compiled `lax.scan`; PyTorch stores the weights in its faster layout.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import contest

REPEATS = 5
# Width, batch, steps and precision.
SETTINGS = {
    "full batch": (1000, 500, 1000, "float64"),
    "mini-batches of 100": (1000, 100, 4000, "float64"),
    "m = 16384, full batch": (16384, 500, 100, "float64"),
    "m = 16384, full batch, float32": (16384, 500, 100, "float32"),
}
NOTE = ("PyTorch autograd makes new arrays of samples × units in every step. In float64 at m = 16384 each is larger "
        "than what the C library keeps for reuse, so that much of its time goes to fresh pages; PyTorch in blocks is "
        "free of that.")
AGREEMENT = {"float64": 1e-6, "float32": 1e-3}


def problem(width: int, dtype: str, data: Path):
    """Hidden weights, signs, samples, digit labels, step and scale of the study's run with the large step."""
    from descent.networks.theorem_network import hidden_weights, label_targets, output_weights, stable_step
    from descent.pipeline.tables import read_table

    table = read_table(data)
    x, y = table["x"], label_targets("digit", table["digit"])
    hidden, signs = hidden_weights(0, 0, width, x.shape[1]), output_weights("theorem", 0, 0, width, 1)
    eta = stable_step(0.5, "theorem", x, width)
    return *(array.astype(dtype) for array in (hidden, signs, x, y)), float(eta), width**-0.5


def descent(hidden, signs, x, y, eta, scale, batch, steps):
    """Descent's own step, remainder included."""
    from descent.dynamics.gradient_descent import GradientDescent

    return _stepping(GradientDescent(hidden, signs, x, y, eta, scale, batch, dtype=hidden.dtype.type))


def blocks(hidden, signs, x, y, eta, scale, batch, steps):
    """Descent's path for GPUs, on the CPU."""
    import torch

    from descent.dynamics.device_descent import DeviceDescent

    torch.set_num_threads(1)
    return _stepping(DeviceDescent(hidden, signs, x, y, eta, scale, batch, dtype=hidden.dtype.type, device="cpu"))


def _stepping(run):
    def advance(count):
        for _ in range(count):
            run.step()
        return run.hidden

    return advance


def pytorch(hidden, signs, x, y, eta, scale, batch, steps):
    """A plain autograd loop."""
    import torch

    torch.set_num_threads(1)
    weights = torch.tensor(hidden.T.copy(), requires_grad=True)
    signs, eta = torch.tensor(signs), eta * len(x) / batch
    parts = [(torch.tensor(x[i : i + batch]), torch.tensor(y[i : i + batch])) for i in range(0, len(x), batch)]
    done = 0

    def advance(count):
        nonlocal done
        for k in range(done, done + count):
            samples, targets = parts[k % len(parts)]
            loss = 0.5 * ((scale * (torch.relu(samples @ weights) @ signs) - targets) ** 2).sum()
            (gradient,) = torch.autograd.grad(loss, weights)
            with torch.no_grad():
                weights.sub_(eta * gradient)
        done += count
        return weights.detach().numpy().T

    return advance


def jax(hidden, signs, x, y, eta, scale, batch, steps):
    """`value_and_grad` in one jitted `lax.scan` over blocks of steps, so that every call has the same length."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    parts = jnp.array(x.reshape(-1, batch, x.shape[1])), jnp.array(y.reshape(-1, batch, 1))
    signs, factor, weights = jnp.array(signs), eta * len(x) / batch, jnp.array(hidden)

    def loss(weights, samples, targets):
        return 0.5 * jnp.sum((scale * (jax.nn.relu(samples @ weights.T) @ signs) - targets) ** 2)

    def step(weights, k):
        part = [jax.lax.dynamic_index_in_dim(p, k % len(parts[0]), keepdims=False) for p in parts]
        value, gradient = jax.value_and_grad(loss)(weights, *part)
        return weights - factor * gradient, value

    block = jax.jit(lambda weights: jax.lax.scan(step, weights, jnp.arange(steps // 10))[0], donate_argnums=0)

    def advance(count):
        nonlocal weights
        for _ in range(count // (steps // 10)):
            weights = block(weights)
        return np.asarray(jax.block_until_ready(weights))

    return advance


CONTENDERS = {"Descent": descent, "PyTorch autograd": pytorch, "JAX jit scan": jax, "PyTorch in blocks": blocks}


def contend(name: str, setting: str, data: Path) -> dict[str, float]:
    """CPU seconds of the steps after a tenth of them as warm-up, and the loss that they reach."""
    width, batch, steps, dtype = SETTINGS[setting]
    hidden, signs, x, y, eta, scale = problem(width, dtype, data)
    advance = CONTENDERS[name](hidden, signs, x, y, eta, scale, batch, steps)
    advance(steps // 10)
    start = time.process_time()
    weights = advance(steps)
    seconds = time.process_time() - start
    residual = scale * np.maximum(x.astype(float) @ weights.T, 0) @ signs - y
    return {"kernel": seconds, "loss": 0.5 * float(np.sum(residual**2))}


def compare(setting: str, data: Path) -> None:
    """Print the rows of one setting; refuses to when the contenders do not reach the same loss."""
    runs = contest.rounds("benchmarks.convergence_bound", CONTENDERS, [setting, str(data)], data.parent, REPEATS)
    losses = [run["loss"] for results in runs.values() for run in results]
    steps, dtype = SETTINGS[setting][2:]
    if not np.allclose(losses, losses[0], rtol=AGREEMENT[dtype]):
        raise SystemExit(f"{setting}: the contenders disagree, losses {losses}")
    for scope in ("kernel", "process"):
        label = f"{setting}, {steps} steps, {scope}"
        contest.print_ratios("convergence_bound", label, contest.medians(runs, scope))


def main() -> None:
    """All settings, or one contender's run for `contest.measured`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contender", nargs=3, metavar=("NAME", "SETTING", "DATA"))
    contender = parser.parse_args().contender
    if contender:
        print(json.dumps(contend(contender[0], contender[1], Path(contender[2]))))
        return
    from descent.data.mnist1d import mnist1d

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "mnist1d.parquet"
        mnist1d({"num_samples": 500}, {}, {"table": data})
        for setting in SETTINGS:
            compare(setting, data)
    print(json.dumps({"note": NOTE}))


if __name__ == "__main__":
    main()
