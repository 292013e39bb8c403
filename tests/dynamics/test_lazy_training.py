"""Scaled models against autograd and limits, the tangent model against descent in weights, power laws."""

import numpy as np
import pytest
import torch

from descent.dynamics import lazy_training as lazy
from descent.networks.squareplus import network_outputs

N, D, M, ETA = 9, 3, 16, 0.05
X, Y = lazy.planted_sphere(1, 0, N, D, 2)


def started(start: str, rounding: float) -> lazy.Start:
    return lazy.initial(start, rounding, 1, 0, M, D)


def test_planted_data_are_normalized_and_do_not_depend_on_their_number():
    x, y = lazy.planted_sphere(3, 1, 60_000, 4, 3)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1)
    assert np.mean(y**2) == pytest.approx(1, abs=6 * np.std(y**2) / 60_000**0.5)
    few = lazy.planted_sphere(3, 1, 5, 4, 3)
    np.testing.assert_array_equal(few[0], x[:5])
    np.testing.assert_array_equal(few[1], y[:5])


def test_starts():
    twins, drawn = started("doubled", 0.5), started("centred", 0.5)
    np.testing.assert_allclose(network_outputs(0.5, twins.hidden, twins.outputs, X), 0, atol=1e-13)
    assert twins.hidden.shape == drawn.hidden.shape == (M, D)
    np.testing.assert_allclose(drawn.model(drawn.hidden, drawn.outputs, X), 0, atol=1e-15)
    with pytest.raises(ValueError, match="doubled or centred"):
        started("halved", 0.5)


@pytest.mark.parametrize(("start", "rounding"), [("doubled", 0.0), ("centred", 0.0), ("centred", 0.5)])
@pytest.mark.parametrize("scale", [0.5, -3.0])
def test_descent_follows_the_gradient_of_the_scaled_loss(start, rounding, scale):
    begun = started(start, rounding)
    descent = begun.descent(X, Y, ETA, scale)
    weights = [torch.tensor(part) for part in (begun.hidden, begun.outputs)]
    first = network_outputs(rounding, begun.hidden, begun.outputs, X)[:, 0]
    for _ in range(4):
        for part in weights:
            part.requires_grad_(True)
        z = torch.tensor(X) @ weights[0].T
        phi = (z + torch.sqrt(z**2 + rounding**2)) / 2
        residual = scale * ((phi @ weights[1])[:, 0] - torch.tensor(first)) / M**0.5 - torch.tensor(Y)
        np.testing.assert_allclose(descent.residual[:, 0], residual.detach(), atol=1e-12)
        gradients = torch.autograd.grad(torch.sum(residual**2) / (2 * scale**2), weights)
        weights = [(part - ETA * gradient).detach() for part, gradient in zip(weights, gradients, strict=True)]
        descent.step()
    np.testing.assert_allclose(descent.hidden, weights[0], atol=1e-12)


def test_tangent_model_is_descent_on_the_linearization():
    begun, steps = started("centred", 0.5), 30
    tangent = lazy.Tangent(begun, X, Y, ETA)
    fresh = lazy.planted_sphere(1, 0, N + 5, D, 2)[0][N:]

    def jacobian(inputs):
        def network(flat):
            z = torch.tensor(inputs) @ flat[: M * D].reshape(M, D).T
            return (z + torch.sqrt(z**2 + 0.25)) / 2 @ flat[M * D :] / M**0.5

        return torch.autograd.functional.jacobian(network, flat).numpy()

    flat = torch.tensor(np.concatenate([begun.hidden.ravel(), begun.outputs.ravel()]))
    here, there, moved = jacobian(X), jacobian(fresh), np.zeros(M * D + M)
    for _ in range(steps):
        moved -= ETA * here.T @ (here @ moved - Y)
    np.testing.assert_allclose(tangent.outputs(np.array([steps]))[0], here @ moved, atol=1e-11)
    np.testing.assert_allclose(tangent.elsewhere(fresh, steps), there @ moved, atol=1e-10)
    assert tangent.scaled_movement(steps) == pytest.approx(np.linalg.norm(moved) / np.linalg.norm(flat), rel=1e-9)


@pytest.mark.parametrize("start", ["doubled", "centred"])
def test_a_large_scale_comes_close_to_the_tangent_model(start):
    begun, kept, fresh = started(start, 0.5), [0, 1, 10, 40], lazy.planted_sphere(1, 0, N + 20, D, 2)
    fresh = (fresh[0][N:], fresh[1][N:])
    tangent = lazy.Tangent(begun, X, Y, ETA)
    metrics, looks = lazy.record_scale(begun, tangent, 1e4, (X, Y), fresh, kept, [0, 40])
    limit, ends = lazy.record_tangent(tangent, (X, Y), fresh, kept)
    assert metrics["squared_error"][0] == pytest.approx(1)
    np.testing.assert_allclose(metrics["squared_error"], limit["squared_error"], rtol=1e-3)
    assert looks["scaled_movement"][1] == pytest.approx(ends["scaled_movement"][0], rel=1e-3)
    assert looks["test_error"][1] == pytest.approx(ends["test_error"][0], rel=1e-3)
    assert looks["movement"][0] == looks["drift"][0] == looks["flipped"][0] == 0
    assert metrics["deviation"].max() < 1e-3
    assert looks["stability"][0] == pytest.approx(ETA * np.linalg.eigvalsh(tangent.gram)[-1])


def test_tables_are_read_by_replicate_and_scale():
    table = {"replicate": np.repeat([0, 1], 6), "scale": np.tile([1.0, 1.0, 2.0, 2.0, np.inf, np.inf], 2),
             "step": np.tile([0, 5], 6), "value": np.arange(12.0)}
    kept = lazy.finite(table)
    np.testing.assert_array_equal(lazy.final_rows(kept, "value"), [[1, 3], [7, 9]])
    np.testing.assert_array_equal(lazy.greatest_rows({**kept, "value": -kept["value"]}, "value"), [[0, -2], [-6, -8]])


def test_slopes_of_powers():
    scales = np.array([1.0, 2, 4, 8, 16])
    values = np.stack([3 * scales**-0.5, scales**-1.0])
    np.testing.assert_allclose(lazy.power_slopes(scales, values, [2, 16]), [-0.5, -1])
    broken = np.where(scales > 1, values, 7.0)
    np.testing.assert_allclose(lazy.power_slopes(scales, broken, [2, 16]), [-0.5, -1])


def test_the_jackknife_is_exact_for_equal_replicates_and_centred_on_the_moment(rng):
    scales = 2.0 ** np.arange(6)
    same = np.tile(5 * scales**-0.5, (4, 1))
    np.testing.assert_allclose(lazy.jackknife_slopes(scales, same, [1, 32], 2), -0.5)
    # A root mean square sees rare events that a mean of logarithms would not: one replicate in ten, at random.
    events = np.where(rng.random((4000, 6)) < 0.1, 1.0, 1e-9) * scales**-1.0
    slopes = lazy.jackknife_slopes(scales, events, [1, 32], 2)
    assert abs(slopes.mean() + 1) < 5 * slopes.std() / 4000**0.5


def test_weights_in_the_plane_stay_for_a_large_scale():
    columns = lazy.plane_columns(1, [0.1, 1e4], 8, 6, 2, 5.0, 300)
    large = columns["scale"] == 1e4
    np.testing.assert_allclose(columns["end_1"][large], columns["start_1"][large], atol=1e-3)
    assert np.abs(columns["end_1"][~large] - columns["start_1"][~large]).max() > 0.1
    assert columns["squared_error"].max() < 1
