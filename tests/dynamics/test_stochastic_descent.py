"""Functions, noises and running sums against definitions, automatic differentiation and a plain loop."""

import numpy as np
import pytest
import torch

from descent.dynamics import stochastic_descent as sgd

RNG = np.random.default_rng(3)
FUNCTIONS = sgd.objectives(6, 0.1)


@pytest.mark.parametrize("objective", FUNCTIONS.values(), ids=FUNCTIONS)
def test_gradients_are_those_of_the_value(objective):
    w = RNG.standard_normal((2, objective.dimension, 5)) * 2
    variable = torch.tensor(w, requires_grad=True)
    value = (torch.log1p(variable**2) if isinstance(objective, sgd.LogarithmSum)
             else torch.tensor(objective.curvatures)[:, None] * variable**2 / 2).sum(dim=-2)
    np.testing.assert_allclose(objective.value(w), value.detach(), rtol=1e-14)
    value.sum().backward()
    np.testing.assert_allclose(objective.gradient(w), variable.grad, rtol=1e-14)


@pytest.mark.parametrize("objective", FUNCTIONS.values(), ids=FUNCTIONS)
def test_gradients_are_lipschitz_with_the_smoothness_and_no_less(objective):
    u, v = (RNG.standard_normal((objective.dimension, 4000)) * 2 for _ in range(2))
    v[:, :10] = 1e-4 * u[:, :10]
    u[:, :10] = 0
    ratios = (np.linalg.norm(objective.gradient(u) - objective.gradient(v), axis=0) / np.linalg.norm(u - v, axis=0))
    assert ratios.max() <= sgd.SMOOTHNESS * (1 + 1e-12)
    axis = np.zeros((objective.dimension, 1))
    axis[-1] = 1e-5
    assert np.linalg.norm(objective.gradient(axis)) / 1e-5 == pytest.approx(sgd.SMOOTHNESS, rel=1e-8)


@pytest.mark.parametrize("kind", ["rademacher", "gaussian", "frozen", "opposed"])
def test_noise_has_its_total_variance(kind):
    gradient = RNG.standard_normal((2, 7, 20000))
    draw = sgd.noise(kind, 3.0, 7, 20000, np.random.default_rng(1))
    first, second = draw(gradient), draw(gradient)
    squares = (first**2).sum(axis=-2)
    if kind == "gaussian":
        assert squares.mean() == pytest.approx(9.0, rel=0.02)
    else:
        np.testing.assert_allclose(squares, 9.0, rtol=1e-12)
    assert (first == second).all() == (kind in ("frozen", "opposed"))
    if kind == "opposed":
        assert np.einsum("sdn,sdn->sn", gradient, first).max() < 0
    else:
        assert np.abs(first.mean(axis=1)).max() < 6 * 3 / 7**0.5 / 20000**0.5


@pytest.mark.parametrize("name", FUNCTIONS)
def test_running_sums_are_those_of_a_plain_loop(name):
    objective, steps, count, sigma = FUNCTIONS[name], 30, 40, 0.7
    draws = [sgd.noise("gaussian", sigma, objective.dimension, count, np.random.default_rng(i)) for i in range(2)]
    found = sgd.ensemble(objective, ("constant", "decaying"), steps, 1.5, draws, count)
    xi = np.concatenate([np.random.default_rng(i).standard_normal((steps, objective.dimension, count))
                         for i in range(2)], axis=2) * sigma / objective.dimension**0.5
    for schedule, part in (("constant", lambda t: 1.0), ("decaying", lambda t: t**-0.5)):
        w, squares, noises = np.full((objective.dimension, 2 * count), 1.5), [], []
        for t in range(1, steps + 1):
            g = objective.gradient(w)
            squares.append((g**2).sum(axis=0))
            noises.append((xi[t - 1] ** 2).sum(axis=0))
            w = w - part(t) / sgd.SMOOTHNESS * (g + xi[t - 1])
        c = np.array([part(t) for t in range(1, steps)])
        weights = np.append(c * (2 - c), 1.0)
        average = weights @ np.array(squares) / weights.sum()
        rows, norms = found[schedule], np.sqrt(squares)
        np.testing.assert_allclose(rows["square"], np.mean(squares, axis=1), rtol=1e-12)
        np.testing.assert_allclose(rows["norm_error"][1:], norms[1:].std(axis=1, ddof=1) / (2 * count) ** 0.5,
                                   rtol=1e-8)
        assert rows["average"][-1] == pytest.approx(average.mean(), rel=1e-12)
        assert rows["average_error"][-1] == pytest.approx(average.std(ddof=1) / (2 * count) ** 0.5, rel=1e-8)
        allowed = sgd.excess(objective, 1.5) + c**2 @ np.array(noises[:-1])
        assert rows["pathwise"][-1] == pytest.approx((average * weights.sum() / allowed).max(), rel=1e-12)
        np.testing.assert_allclose(rows["batch_norm"], norms.reshape(steps, sgd.BATCHES, -1).mean(axis=2), rtol=1e-12)


def test_excess_of_the_known_functions():
    assert sgd.excess(FUNCTIONS["line"], 1.5) == pytest.approx((2 * 1.5) ** 2)
    assert sgd.excess(FUNCTIONS["logarithm"], 1.0) == pytest.approx(4 * 6 * np.log(2))
