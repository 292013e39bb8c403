"""Training to convergence and the table of its trajectory."""

import numpy as np
import pytest

from descent.curvature.hessian_spectrum import hessian_spectrum
from descent.curvature.linear_hessian import extreme_eigenvalues
from descent.dynamics.linear_descent import LinearDescent, Moments
from descent.dynamics.linear_training import converge, depths_of, excess, flat_rows, gradient_norm, layer_stacks
from descent.networks.linear_network import gaussian_layers, product
from descent.pipeline.tables import read_table, write_table


def problem(rng, depth: int, width: int = 4, d: int = 3):
    data = {"x": rng.standard_normal((20, d)), "y": rng.standard_normal(20)}
    return data, Moments(**dict(zip(("inputs", "targets"), data.values()))), gaussian_layers(
        rng, [d, *[width] * (depth - 1), 1], 0.3)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_it_ends_at_least_squares_and_keeps_what_descent_passes(rng, depth):
    _, moments, layers = problem(rng, depth)
    steps, kept = converge(layers, moments, 0.02, 0.1, 1e-10, 10**6)
    answer = moments.least_squares()
    saddle = excess(0 * answer, answer, moments)
    assert excess(product(kept[-1])[0], answer, moments) <= 1e-10 * saddle
    assert excess(product(kept[-2])[0], answer, moments) > 1e-10 * saddle
    descent = LinearDescent(layers, moments, 0.02)
    for before, step, expected in zip([0, *steps], steps, kept):
        descent.step(int(step - before))
        for mine, theirs in zip(descent.layers, expected):
            np.testing.assert_array_equal(mine, theirs)
    moved = [np.linalg.norm(product(b) - product(a)) / np.linalg.norm(product(a)) for a, b in zip(kept[9:], kept[10:])]
    assert max(moved) < 0.2


def test_it_ends_after_the_most_steps_and_says_when_it_diverges(rng):
    _, moments, layers = problem(rng, 3)
    assert converge(layers, moments, 0.02, 0.1, 1e-10, 77)[0][-1] == 77
    with pytest.raises(FloatingPointError, match="diverged"):
        converge(layers, moments, 50.0, 0.1, 1e-10, 10**6)


def test_the_gradient_norm_is_the_rate_at_which_the_loss_falls(rng):
    _, moments, layers = problem(rng, 3)
    descent = LinearDescent(layers, moments, 1e-7)
    descent.step()
    fall = moments.loss(product(layers)[0]) - moments.loss(product(descent.layers)[0])
    assert fall / 1e-7 == pytest.approx(gradient_norm(layers, moments) ** 2, rel=1e-4)


def test_a_trajectory_of_several_depths_comes_back_and_gets_its_spectrum(rng, tmp_path):
    data, moments, _ = problem(rng, 2)
    networks = [[gaussian_layers(rng, [3, *[4] * (depth - 1), 1], 1.0) for _ in range(3)] for depth in (2, 3, 4)]
    parts = [flat_rows(same, 4) for same in networks]
    table = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    assert depths_of(table).tolist() == [2] * 3 + [3] * 3 + [4] * 3
    write_table(tmp_path / "trajectory", {"step": np.arange(9), **table})
    write_table(tmp_path / "data", data)
    inputs = {"trajectory": tmp_path / "trajectory", "data": tmp_path / "data"}
    hessian_spectrum({}, inputs, {"table": tmp_path / "spectrum"})
    found = read_table(tmp_path / "spectrum")
    assert list(found) == ["step", "lambda_min", "lambda_max"]
    for row, layers in enumerate(layers for same in networks for layers in same):
        for mine, theirs in zip(layer_stacks(table, np.array([row])), layers):
            np.testing.assert_array_equal(mine[0], theirs)
        np.testing.assert_allclose((found["lambda_min"][row], found["lambda_max"][row]),
                                   extreme_eigenvalues(layers, moments), atol=1e-13)


def test_two_layers_alone_need_no_hidden_column(rng):
    _, _, layers = problem(rng, 2)
    table = flat_rows([layers], 2)
    assert "hidden" not in table
    assert depths_of(table).tolist() == [2]
    for mine, theirs in zip(layer_stacks(table, np.array([0])), layers):
        np.testing.assert_array_equal(mine[0], theirs)
