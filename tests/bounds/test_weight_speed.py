"""Speeds of the weights against autograd, and the inequalities of Lemma 3.3."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from descent.bounds import weight_speed
from descent.dynamics.gradient_descent import GradientDescent
from descent.dynamics.recorded_descent import record
from descent.kernels.neural_tangent_kernel import h_patterns
from descent.networks.two_layer import activation_patterns

N, D, M = 12, 5, 8


def problem(seed: int):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, D))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x, rng.standard_normal((N, 1)), rng.standard_normal((M, D)), rng.choice([-1.0, 1.0], (M, 1))


@given(st.integers(0, 10**6))
def test_speeds_are_norms_of_gradients_and_obey_the_chain(seed):
    x, y, hidden, signs = problem(seed)
    weights = torch.tensor(hidden, requires_grad=True)
    outputs = torch.relu(torch.tensor(x) @ weights.T) @ torch.tensor(signs) / M**0.5
    residual = outputs - torch.tensor(y)
    (gradient,) = torch.autograd.grad(0.5 * (residual**2).sum(), weights)
    found = weight_speed.weight_speeds(x, activation_patterns(hidden, x), residual.detach().numpy()[:, 0])
    np.testing.assert_allclose(found, np.linalg.norm(gradient.numpy(), axis=1), rtol=1e-12)
    row = weight_speed.chain_row(x, y, hidden, signs, hidden + 2.0)
    assert row["speed"] == pytest.approx(found.max())
    assert row["speed"] <= row["summed"] <= row["root"]
    assert row["cancelled"] <= row["summed"]
    assert row["root"] == pytest.approx(np.sqrt(N / M) * row["norm"])
    assert row["norm"] == pytest.approx(float(residual.detach().norm()))
    assert row["movement"] == pytest.approx(2 * np.sqrt(D))
    eigenvalues = np.linalg.eigvalsh(h_patterns(x, activation_patterns(hidden, x)))
    assert (row["lambda_min"], row["lambda_max"]) == pytest.approx((eigenvalues[0], eigenvalues[-1]))


def test_equal_inputs_and_residuals_make_both_equalities():
    x, patterns, residual = np.repeat(np.eye(3)[:1], 6, axis=0), np.ones((6, 2), bool), np.full(6, -0.7)
    speed = weight_speed.weight_speeds(x, patterns, residual)
    assert speed == pytest.approx(weight_speed.speed_bounds(residual, 2)[0])
    assert speed == pytest.approx(weight_speed.speed_bounds(residual, 2)[1])


def test_columns_of_runs():
    eta, steps, kept, tables, signs = 0.05, 40, [0, 3, 10, 40], [], []
    for replicate in range(2):
        x, y, hidden, outputs = problem(7)
        hidden = hidden + replicate
        descent = GradientDescent(hidden, outputs, x, y, eta, M**-0.5)
        tables.append([{"replicate": np.full(len(part["step"]), replicate), **part}
                       for part in record(descent, eta, steps, 1, kept)])
        signs.append(outputs)
    metrics, trajectory = ({name: np.concatenate([part[i][name] for part in tables]) for name in tables[0][i]}
                           for i in range(2))
    columns = weight_speed.chain_columns(x, y, trajectory, metrics, signs)
    assert columns["replicate"].tolist() == [0] * 4 + [1] * 4
    assert columns["step"].tolist() == kept * 2
    assert (columns["movement"] <= columns["integrated"] + 1e-15).all()
    assert (columns["movement"][[0, 4]] == 0).all()
    losses = metrics["loss"][metrics["replicate"] == 1]
    np.testing.assert_allclose(columns["norm"][4:] ** 2 / 2, losses[kept], rtol=1e-10)
    assert columns["integrated"][5] == pytest.approx(np.sqrt(N / M) * eta * np.sqrt(2 * losses[:3]).sum())
