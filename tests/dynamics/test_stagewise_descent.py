"""Stages against a plain loop, and one stage with all samples against ordinary descent."""

import numpy as np
import pytest

from descent.dynamics.gradient_descent import GradientDescent
from descent.dynamics.recorded_descent import record
from descent.dynamics.stagewise_descent import Training, TrainingStage, run_stages, stage_rows

RNG = np.random.default_rng(8)
X = RNG.standard_normal((18, 6))
X /= np.linalg.norm(X, axis=1, keepdims=True)
DIGITS = np.repeat([0, 4, 9], 6)
W, A, Y = RNG.standard_normal((8, 6)), RNG.choice([-1.0, 1.0], (8, 1)), RNG.standard_normal((18, 1))
TRAINING = Training(A, X, Y, DIGITS, 8**-0.5)


def outputs(weights: np.ndarray) -> np.ndarray:
    return np.array([[sum(a * max(w @ x, 0.0) for w, a in zip(weights, A[:, 0])) / np.sqrt(8)] for x in X])


def plain(stages: list[TrainingStage]) -> list[np.ndarray]:
    weights, trajectory = W.copy(), []
    for stage in stages:
        chosen = stage.digits > DIGITS
        trajectory.append(weights.copy())
        for _ in range(stage.steps):
            residual = (outputs(weights) - Y)[chosen]
            gradient = (A * (weights @ X[chosen].T >= 0)) @ (residual * X[chosen]) / np.sqrt(8)
            weights = weights - stage.eta * gradient
            trajectory.append(weights.copy())
    return trajectory


def test_stages_against_a_plain_loop():
    stages = [TrainingStage(1, 4, 0.3), TrainingStage(5, 3, 0.2), TrainingStage(10, 2, 0.1)]
    metrics, states = run_stages(W, TRAINING, stages, 2, [0, 1, 2, 3, 4])
    squares = np.array([0.5 * (outputs(weights) - Y)[:, 0] ** 2 for weights in plain(stages)])
    seen = np.array([count > DIGITS for count in np.repeat([1, 5, 10], [5, 4, 3])])
    np.testing.assert_allclose(metrics["loss"], (squares * seen).sum(axis=1), rtol=1e-10)
    recorded = np.isfinite(metrics["all_loss"])
    assert metrics["stage_step"][recorded].tolist() == [0, 2, 4, 0, 2, 3, 0, 2]
    np.testing.assert_allclose(metrics["all_loss"][recorded], squares.sum(axis=1)[recorded], rtol=1e-10)
    np.testing.assert_allclose(states["digit_loss"].sum(axis=1), squares.sum(axis=1), rtol=1e-10)
    np.testing.assert_allclose(states["digit_loss"][:, 4], squares[:, 6:12].sum(axis=1), rtol=1e-10)
    assert metrics["step"].tolist() == [0, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9]
    assert metrics["samples"][[0, 5, 9]].tolist() == [6, 12, 18]
    np.testing.assert_allclose(metrics["flow_time"][[4, 8, 11]], [1.2, 1.8, 2.0])


def test_states_hold_the_spectrum_on_the_stage_s_samples():
    stages = [TrainingStage(5, 3, 0.2)]
    _, states = run_stages(W, TRAINING, stages, 1, [0, 3])
    weights, x = plain(stages)[-1], X[:12]
    active = (x @ weights.T >= 0).astype(float)
    eigenvalues = np.linalg.eigvalsh((x @ x.T) * (active @ active.T) / 8)
    np.testing.assert_allclose([states["lambda_min"][1], states["lambda_max"][1]], eigenvalues[[0, -1]], atol=1e-12)
    assert states["flipped"].tolist() == [0.0, np.mean((x @ weights.T >= 0) != (x @ W.T >= 0))]


def test_one_stage_with_all_samples_is_ordinary_descent():
    metrics, _ = run_stages(W, TRAINING, [TrainingStage(10, 30, 0.2)], 7, [0])
    expected, _ = record(GradientDescent(W, A, X, Y, 0.2, 8**-0.5), 0.2, 30, 1, [0])
    for name in ("step", "flow_time", "loss", "remainder"):
        np.testing.assert_array_equal(metrics[name], expected[name])
    np.testing.assert_array_equal(metrics["all_loss"][::7], expected["loss"][::7])


def test_rows_of_a_stage_keep_their_order():
    table = {"replicate": np.array([0, 0, 0, 1, 1]), "stage": np.array([1, 1, 2, 1, 2]), "step": np.arange(5)}
    assert [rows["step"].tolist() for rows in stage_rows(table)] == [[0, 1], [2], [3], [4]]


def test_losses_by_digit():
    assert TRAINING.digit_losses(W).shape == (10,)
    assert TRAINING.digit_losses(W)[9] == pytest.approx(0.5 * np.sum((outputs(W) - Y)[12:] ** 2))
