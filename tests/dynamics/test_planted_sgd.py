"""The fused kernel against automatic differentiation in double precision on the same samples."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from descent.dynamics.lanes import aligned_zeros, from_tiles, to_tiles
from descent.dynamics.planted_run import fresh_objectives, measured_epochs
from descent.dynamics.planted_sgd import PlantedMoments, PlantedSGD, sample_inputs
from descent.kernels.arc_cosine import PlantedRisk

KEY = (np.uint32(3), np.uint32(5))


def network(rng, outputs, width, dimension):
    return rng.standard_normal((outputs, width)) / width**0.5, rng.standard_normal((dimension, width)) / dimension**0.5


def by_autograd(teacher, weights, batch, key, steps, rate):
    """Objectives and final weights of plain SGD in float64."""
    dimension = len(teacher[1])
    inputs = torch.tensor(sample_inputs(dimension, 0, steps * batch, key).astype(float))
    teacher = [torch.tensor(w) for w in teacher]
    weights = [torch.tensor(w, requires_grad=True) for w in weights]
    objectives = []
    for step in range(steps):
        x = inputs[:, step * batch : (step + 1) * batch]
        residual = weights[0] @ torch.relu(weights[1].T @ x) - teacher[0] @ torch.relu(teacher[1].T @ x)
        objective = 0.5 * residual.square().sum() / batch
        gradients = torch.autograd.grad(objective, weights)
        with torch.no_grad():
            for w, gradient in zip(weights, gradients):
                w -= rate * gradient
        objectives.append(objective.item())
    return np.array(objectives), [w.detach().numpy() for w in weights]


@pytest.mark.parametrize("width", [60, 120])
def test_first_steps_in_the_assignment_s_setting(rng, width):
    teacher, weights = network(rng, 10, 60, 150), network(rng, 10, width, 150)
    run = PlantedSGD(teacher, weights, 10, KEY)
    objectives = run.advance(100, 0.01)
    expected, (output, hidden) = by_autograd(teacher, weights, 10, KEY, 100, 0.01)
    np.testing.assert_allclose(objectives, expected, rtol=2e-5)
    np.testing.assert_allclose(run.weights[0], output, atol=2e-6)
    np.testing.assert_allclose(run.weights[1], hidden, atol=2e-6)


@settings(max_examples=15)
@given(st.integers(1, 5), st.integers(1, 40), st.integers(1, 20), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_one_step_in_any_shape(outputs, width, dimension, teacher_width, seed):
    rng = np.random.default_rng(seed)
    teacher, weights = network(rng, outputs, teacher_width, dimension), network(rng, outputs, width, dimension)
    run = PlantedSGD(teacher, weights, 3, KEY)
    objectives = run.advance(1, 0.1)
    expected, final = by_autograd(teacher, weights, 3, KEY, 1, 0.1)
    np.testing.assert_allclose(objectives, expected, rtol=1e-4, atol=1e-6)
    for found, wanted in zip(run.weights, final):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


OPTIMIZERS = {
    "momentum": ({"momentum": 0.9}, lambda weights, rate: torch.optim.SGD(weights, rate, momentum=0.9)),
    "adam": ({"momentum": 0.9, "dampening": 0.9, "decay": 0.99, "floor": 1e-8},
             lambda weights, rate: torch.optim.Adam(weights, rate, betas=(0.9, 0.99), eps=1e-8)),
}


def by_torch(optimizer, teacher, weights, batch, steps, rate):
    """Objectives and final weights of one of PyTorch's optimizers in float64."""
    inputs = torch.tensor(sample_inputs(len(teacher[1]), 0, steps * batch, KEY).astype(float))
    teacher = [torch.tensor(w) for w in teacher]
    weights = [torch.tensor(w, requires_grad=True) for w in weights]
    stepper, objectives = optimizer(weights, rate), []
    for x in inputs.split(batch, dim=1):
        residual = weights[0] @ torch.relu(weights[1].T @ x) - teacher[0] @ torch.relu(teacher[1].T @ x)
        objective = 0.5 * residual.square().sum() / batch
        stepper.zero_grad()
        objective.backward()
        stepper.step()
        objectives.append(objective.item())
    return np.array(objectives), [w.detach().numpy() for w in weights]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_moments_agree_with_pytorch_s_optimizers(rng, name):
    constants, optimizer = OPTIMIZERS[name]
    teacher, weights = network(rng, 4, 6, 20), network(rng, 4, 24, 20)
    run = PlantedMoments(teacher, weights, 10, KEY, **constants)
    objectives = np.concatenate([run.advance(70, 0.003), run.advance(80, 0.003)])
    expected, final = by_torch(optimizer, teacher, weights, 10, 150, 0.003)
    np.testing.assert_allclose(objectives, expected, rtol=2e-4)
    for found, wanted in zip(run.weights, final):
        np.testing.assert_allclose(found, wanted, atol=5e-5)


def test_without_momentum_it_is_sgd_up_to_rounding(rng):
    teacher, weights = network(rng, 4, 6, 20), network(rng, 4, 21, 20)
    with_moments = PlantedMoments(teacher, weights, 10, KEY, momentum=0.0)
    plain = PlantedSGD(teacher, weights, 10, KEY)
    np.testing.assert_allclose(with_moments.advance(100, 0.02), plain.advance(100, 0.02), rtol=1e-4)
    for tiles in with_moments._weights:
        assert not from_tiles(tiles, 32)[:, 21:].any()


def test_adam_leaves_the_exact_student_at_rest(rng):
    teacher = network(rng, 3, 16, 9)
    run = PlantedMoments(teacher, teacher, 10, KEY, **OPTIMIZERS["adam"][0])
    assert not run.advance(20, 0.1).any()
    np.testing.assert_array_equal(run.weights[1], teacher[1].astype(np.float32))


@pytest.mark.parametrize("parts", [[97, 3], [40, 60], [1] * 5 + [95]])
def test_stopping_and_resuming_changes_no_bit(rng, parts):
    teacher, weights = network(rng, 4, 6, 20), network(rng, 4, 24, 20)
    whole = PlantedSGD(teacher, weights, 10, KEY)
    at_once = whole.advance(100, 0.05)
    objectives, samples = [], 0
    for part in parts:
        run = PlantedSGD(teacher, weights, 10, KEY, samples)
        objectives.append(run.advance(part, 0.05))
        weights, samples = run.weights, run.samples
    np.testing.assert_array_equal(np.concatenate(objectives), at_once)
    for found, wanted in zip(weights, whole.weights):
        np.testing.assert_array_equal(found, wanted)


def test_columns_that_fill_the_last_tile_stay_zero(rng):
    run = PlantedSGD(network(rng, 3, 5, 9), network(rng, 3, 21, 9), 10, KEY)
    run.advance(50, 0.1)
    for tiles in run._weights:
        assert not from_tiles(tiles, 32)[:, 21:].any()


def test_divergence_shows_in_the_objectives(rng):
    run = PlantedSGD(network(rng, 3, 5, 9), network(rng, 3, 21, 9), 10, KEY)
    objectives = run.advance(200, 50.0)
    assert np.isfinite(objectives[0])
    assert not np.isfinite(objectives[-1])


def test_the_exact_student_stays_at_rest(rng):
    teacher = network(rng, 3, 16, 9)
    run = PlantedSGD(teacher, teacher, 10, KEY)
    assert not run.advance(20, 0.1).any()
    np.testing.assert_array_equal(run.weights[1], teacher[1].astype(np.float32))


def test_weights_of_another_shape_are_refused(rng):
    teacher = network(rng, 3, 16, 9)
    with pytest.raises(ValueError, match="do not fit"):
        PlantedSGD(teacher, network(rng, 3, 16, 8), 10, KEY)
    with pytest.raises(ValueError, match="do not fit"):
        PlantedSGD(teacher, (teacher[0], teacher[1][:, :5]), 10, KEY)


@given(st.integers(1, 5), st.integers(1, 70))
def test_tiles_hold_the_matrix(rows, units):
    matrix = np.arange(rows * units, dtype=np.float32).reshape(rows, units)
    tiles = to_tiles(matrix)
    assert tiles.ctypes.data % 64 == 0
    assert tiles.shape == (-(-units // 16), rows, 16)
    np.testing.assert_array_equal(from_tiles(tiles, units), matrix)
    assert tiles.sum() == matrix.sum()
    assert aligned_zeros((3, 5)).shape == (3, 5)


def test_fresh_objectives_have_the_risk_as_mean(rng):
    teacher = network(rng, 3, 5, 9)
    run = PlantedSGD(teacher, network(rng, 3, 21, 9), 10, KEY)
    fresh = fresh_objectives(run, teacher, 100_000)
    assert abs(fresh.mean() - PlantedRisk(*teacher)(*run.weights)) < 5 * fresh.std() / np.sqrt(len(fresh))
    np.testing.assert_allclose(run.advance(1, 0.0)[0], fresh[:10].mean(), rtol=1e-5)


CHOICES = {"epochs": 5, "steps": 40, "halve_every": 2, "dense_epochs": 1, "dense_points": 20, "fresh_samples": 50}


def test_measured_epochs(rng):
    teacher = network(rng, 3, 5, 9)
    run = PlantedSGD(teacher, network(rng, 3, 21, 9), 10, KEY)
    rows = list(measured_epochs(run, teacher, learning_rate=0.02, **CHOICES))
    assert [row["learning_rate"] for row in rows] == [0.02, 0.02, 0.01, 0.01, 0.005]
    assert [row["time"] for row in rows] == pytest.approx([0.8, 1.6, 2.0, 2.4, 2.6])
    assert run.samples == 5 * 40 * 10
    assert rows[-1]["risk"] == PlantedRisk(*teacher)(*run.weights)
    for before, row in zip(rows, rows[1:]):
        assert row["first_risk"] == before["risk"]
        assert row["objective"] == pytest.approx(row["mean_risk"], abs=5 * row["objective_error"])
    assert all(row["diverged_step"] == 0 for row in rows)


def test_a_diverging_run_ends_with_the_epoch_in_which_it_does(rng):
    teacher = network(rng, 3, 5, 9)
    run = PlantedSGD(teacher, network(rng, 3, 21, 9), 10, KEY)
    rows = list(measured_epochs(run, teacher, learning_rate=50.0, **CHOICES))
    assert len(rows) < 5
    assert np.isnan(rows[-1]["objective"])
    assert 0 < rows[-1]["diverged_step"] <= 40 * len(rows)
    assert run.samples < 5 * 40 * 10
