"""The fused step against dense double-precision autograd, and the identity of the remainder."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import descent as library
from descent.dynamics.gradient_descent import GradientDescent
from descent.dynamics.recorded_descent import log_spaced_steps, record
from descent.kernels.neural_tangent_kernel import g_activations, h_patterns
from descent.networks import two_layer
from descent.networks.two_layer import activation_patterns, relu_outputs

N, D, M = 30, 7, 12
EPS32 = float(np.finfo(np.float32).eps)


def problem(outputs: int = 1, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, D))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return rng.standard_normal((M, D)), rng.choice([-1.0, 1.0], (M, outputs)), x, rng.standard_normal((N, outputs))


def by_autograd(hidden, outputs, x, y, eta, scale, steps, batch, train_outputs):
    x, y = torch.tensor(x), torch.tensor(y)
    weights = [torch.tensor(hidden, requires_grad=True), torch.tensor(outputs, requires_grad=True)]
    for k in range(steps):
        rows = torch.arange(k * batch, (k + 1) * batch) % N
        loss = 0.5 * ((scale * torch.relu(x[rows] @ weights[0].T) @ weights[1] - y[rows]) ** 2).sum()
        gradients = torch.autograd.grad(loss * N / batch, weights)
        for weight, gradient in zip(weights[: 1 + train_outputs], gradients, strict=False):
            weight.data -= eta * gradient
    return [weight.detach().numpy() for weight in weights]


CASES = [(1, N, False), (1, 10, False), (3, N, False), (3, 10, False), (1, N, True), (1, 10, True)]


@pytest.mark.parametrize(("outputs", "batch", "train_outputs"), CASES)
def test_many_steps_agree_with_autograd(outputs, batch, train_outputs):
    hidden, signs, x, y = problem(outputs)
    scale = 1.0 if train_outputs else M**-0.5
    eta = 0.005 if train_outputs else 0.1
    descent = GradientDescent(hidden, signs, x, y, eta, scale, batch, train_outputs)
    for _ in range(200):
        descent.step()
    expected = by_autograd(hidden, signs, x, y, eta, scale, 200, batch, train_outputs)
    np.testing.assert_allclose(descent.hidden, expected[0], rtol=0, atol=1e-10)
    np.testing.assert_allclose(descent.outputs, expected[1], rtol=0, atol=1e-10)
    residual = scale * relu_outputs(*expected, x) - y
    assert descent.loss() == pytest.approx(0.5 * np.sum(residual**2), rel=1e-9)


@pytest.mark.parametrize(("outputs", "batch", "train_outputs"), CASES)
def test_single_precision_stays_within_rounding_of_double_autograd(outputs, batch, train_outputs):
    """Thirty steps, in which no pattern is decided by rounding, within 8 eps32 of the largest entry."""
    hidden, signs, x, y = problem(outputs)
    scale, eta = (1.0, 0.005) if train_outputs else (M**-0.5, 0.1)
    descent = GradientDescent(hidden, signs, x, y, eta, scale, batch, train_outputs, np.float32)
    for _ in range(30):
        descent.step()
    expected = by_autograd(hidden, signs, x, y, eta, scale, 30, batch, train_outputs)
    assert descent.hidden.dtype == descent.outputs.dtype == descent.residual.dtype == np.float32
    for found, weights in zip((descent.hidden, descent.outputs), expected, strict=True):
        np.testing.assert_allclose(found, weights, rtol=0, atol=8 * EPS32 * np.abs(weights).max())
    residual = scale * relu_outputs(*expected, x) - y
    rows = np.arange(30 * batch, 31 * batch) % N
    np.testing.assert_allclose(descent.residual, residual[rows], rtol=0, atol=8 * EPS32 * np.abs(residual).max())
    assert descent.loss() == pytest.approx(0.5 * np.sum(residual**2), rel=8 * EPS32)


@pytest.mark.parametrize("batch", [N, 10])
def test_residual_is_that_of_the_current_batch(batch):
    hidden, signs, x, y = problem(3)
    descent = GradientDescent(hidden, signs, x, y, 0.1, M**-0.5, batch)
    for k in range(3):
        rows = np.arange(k * batch, (k + 1) * batch) % N
        expected = M**-0.5 * relu_outputs(descent.hidden, signs, x[rows]) - y[rows]
        np.testing.assert_allclose(descent.residual, expected, rtol=0, atol=1e-13)
        descent.step()


@pytest.mark.parametrize("batch", [N, 10])
def test_blocks_of_units_change_nothing_but_rounding(monkeypatch, batch):
    runs = []
    for block in (two_layer.BLOCK, 5):
        monkeypatch.setattr(two_layer, "BLOCK", block)
        descent = GradientDescent(*problem(3), 0.1, M**-0.5, batch)
        runs.append((descent.patterns, descent.residual, descent.loss()))
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    np.testing.assert_allclose(runs[0][1], runs[1][1], rtol=0, atol=1e-14)
    assert runs[0][2] == pytest.approx(runs[1][2], rel=1e-14)


WIDE = """
import numpy as np
from descent.dynamics.gradient_descent import GradientDescent
from descent.kernels.neural_tangent_kernel import h_patterns
from descent.networks.two_layer import activation_patterns
rng = np.random.default_rng(0)
x = rng.standard_normal((500, 40))
hidden, signs = rng.standard_normal((2**16, 40)), rng.choice([-1.0, 1.0], (2**16, 1))
descent = GradientDescent(hidden, signs, x, x[:, :1], 1e-3, 2**-8.0)
descent.step()
h_patterns(x, descent.patterns.T), h_patterns(x, activation_patterns(hidden, x)), descent.loss()
print(*[line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")])
"""


def test_width_65536_needs_less_than_2_gib():
    """Step, patterns and kernel of 65,536 units on 500 samples: the whole process, imports and weights included."""
    environment = {**os.environ, "PYTHONPATH": str(Path(library.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", WIDE], env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2 * 2**20


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(1e-3, 1.0))
def test_remainder_is_what_the_linear_recursion_misses(seed, eta):
    hidden, signs, x, y = problem(seed=seed)
    descent = GradientDescent(hidden, signs, x, y, eta, M**-0.5)
    for _ in range(3):
        before = descent.hidden
        residual = relu_outputs(before, signs, x) / M**0.5 - y
        descent.step()
        change = relu_outputs(descent.hidden, signs, x) / M**0.5 - y - residual
        missed = change + eta * h_patterns(x, activation_patterns(before, x)) @ residual
        assert descent.remainder() == pytest.approx(np.linalg.norm(missed), abs=1e-11)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(1e-3, 1.0))
def test_remainder_with_both_layers_trained_is_what_the_linear_recursion_misses(seed, eta):
    hidden, outputs, x, y = problem(seed=seed)
    descent = GradientDescent(hidden, outputs, x, y, eta, M**-0.5, train_outputs=True)
    for _ in range(3):
        before, weights = descent.hidden, descent.outputs
        residual = relu_outputs(before, weights, x) / M**0.5 - y
        descent.step()
        change = relu_outputs(descent.hidden, descent.outputs, x) / M**0.5 - y - residual
        kernel = h_patterns(x, activation_patterns(before, x), weights[:, 0]) + g_activations(x, before)
        missed = change + eta * kernel @ residual
        scale = 1 + np.linalg.norm(change) + eta * np.linalg.norm(kernel @ residual)
        assert descent.remainder() == pytest.approx(np.linalg.norm(missed), abs=1e-12 * scale)


def test_patterns_are_those_of_the_current_batch():
    hidden, signs, x, y = problem()
    descent = GradientDescent(hidden, signs, x, y, 0.1, M**-0.5, 10)
    for _ in range(4):
        descent.step()
    np.testing.assert_array_equal(descent.patterns.T, activation_patterns(descent.hidden, x[10:20]))


def test_the_same_bits_come_out_again():
    runs = []
    for _ in range(2):
        descent = GradientDescent(*problem(), 0.1, M**-0.5)
        for _ in range(50):
            descent.step()
        runs.append(descent.hidden.tobytes())
    assert runs[0] == runs[1]


@pytest.mark.parametrize(("units", "batch"), [(10, None), (12, 7)])
def test_sizes_that_do_not_fit_are_refused(units, batch):
    hidden, signs, x, y = problem()
    with pytest.raises(ValueError, match="multiple of 4"):
        GradientDescent(hidden[:units], signs[:units], x, y, 0.1, 1.0, batch)


def test_other_precisions_are_refused():
    with pytest.raises(ValueError, match="float64 or float32"):
        GradientDescent(*problem(), 0.1, 1.0, dtype=np.float16)


def test_divergence_is_recorded_and_ends_the_run():
    descent = GradientDescent(*problem(), 100.0, M**-0.5, train_outputs=True)
    metrics, trajectory = record(descent, 100.0, 1000, 1, [0, 1000])
    assert len(metrics["step"]) < 1000
    assert not metrics["loss"][-1] <= 1e6 * metrics["loss"][0]
    assert np.all(metrics["loss"][:-1] <= 1e6 * metrics["loss"][0])
    assert trajectory["step"].tolist() == [0, metrics["step"][-1]]


@pytest.mark.parametrize(("every", "batch"), [(1, None), (5, 10)])
def test_recorded_columns(every, batch):
    descent = GradientDescent(*problem(), 0.1, M**-0.5, batch)
    metrics, trajectory = record(descent, 0.1, 20, every, [0, 3, 20])
    assert metrics["step"].tolist() == list(range(0, 21, every))
    np.testing.assert_allclose(metrics["flow_time"], 0.1 * metrics["step"])
    assert np.isfinite(metrics["remainder"][1:]).all() == (every == 1)
    assert trajectory["step"].tolist() == [0, 3, 20]
    np.testing.assert_array_equal(trajectory["hidden"][-1], descent.hidden.ravel())
    np.testing.assert_array_equal(trajectory["outputs"][-1], descent.outputs.ravel())
    assert metrics["loss"][-1] == descent.loss()


def test_crossings_count_the_patterns_of_the_last_step():
    descent = GradientDescent(*problem(), 0.3, M**-0.5)
    _, trajectory = record(descent, 0.3, 6, 1, [0, 5, 6])
    before, after = (activation_patterns(trajectory["hidden"][i].reshape(M, D), problem()[2]) for i in (1, 2))
    assert trajectory["crossings"][2] == np.count_nonzero(before != after)


def test_kept_steps_contain_the_ends_and_grow():
    steps = log_spaced_steps(10000, 20)
    assert steps[0] == 0
    assert steps[1] == 1
    assert steps[-1] == 10000
    assert len(steps) <= 20
    assert steps == sorted(set(steps))
