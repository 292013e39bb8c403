"""Completion by descent against torch's gradients, and the least nuclear norm against known solutions."""

import numpy as np
import pytest
import torch

from descent.dynamics import matrix_completion as completion
from descent.networks.linear_network import imbalance, product


@pytest.fixture(scope="module")
def problem():
    return completion.random_problem(np.random.default_rng(0), 20, 2, 200)


def test_problems_have_the_stated_rank_norm_and_observations(problem):
    assert np.linalg.matrix_rank(problem.target) == 2
    assert np.linalg.norm(problem.target) == pytest.approx(20)
    assert problem.observed.sum() == 200
    assert set(np.unique(problem.observed)) == {0, 1}
    zero = np.zeros_like(problem.target)
    assert problem.train_error(zero) == pytest.approx(1)
    assert problem.test_error(zero) == pytest.approx(1)
    assert problem.test_error(problem.target) == 0


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_step_is_one_of_gradient_descent(problem, depth):
    layers = completion.starting_factors(np.random.default_rng(1), "gaussian", 20, depth, 2.0)
    weights = [torch.tensor(layer, requires_grad=True) for layer in layers]
    matrix = weights[0]
    for layer in weights[1:]:
        matrix = layer @ matrix
    loss = 0.5 * torch.sum((matrix - torch.tensor(problem.target)) ** 2 * torch.tensor(problem.observed))
    loss.backward()
    partial = completion.partial_products(layers)
    moved = completion.descend(layers, partial, problem.residual(partial[-1]), 0.1)
    for after, before in zip(moved, weights, strict=True):
        np.testing.assert_allclose(after, (before - 0.1 * before.grad).detach().numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["gaussian", "balanced"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_starts_have_the_stated_norm_and_balance(kind, depth):
    layers = completion.starting_factors(np.random.default_rng(2), kind, 10, depth, 0.5)
    assert len(layers) == depth
    assert np.linalg.norm(product(layers)) == pytest.approx(0.5)
    if kind == "balanced":
        assert max([0.0, *(np.abs(difference).max() for difference in imbalance(layers))]) < 1e-14


def test_effective_rank_counts_equal_singular_values():
    assert completion.effective_rank(np.diag([2.0, 2.0, 2.0, 0.0])) == pytest.approx(3)
    assert completion.effective_rank(np.ones((5, 5))) == pytest.approx(1)


def test_runs_end_at_the_tolerance_or_at_the_cap(problem):
    layers = completion.starting_factors(np.random.default_rng(3), "balanced", 20, 2, 0.2)
    eta = completion.stable_step(problem, 2, 1.0)
    run = completion.complete(problem, layers, eta, 0.05, 5000)
    assert run["train_error"][-1] <= 0.05 < run["train_error"][-2]
    assert run["step"][-1] % 10 == 0
    assert completion.complete(problem, layers, eta, 1e-12, 37)["step"][-1] == 37
    assert np.all(np.diff(run["step"]) > 0)
    assert run["moved"][0] == 0


def test_one_layer_moves_no_unobserved_entry(problem):
    layers = completion.starting_factors(np.random.default_rng(4), "gaussian", 20, 1, 2.0)
    run = completion.complete(problem, layers, completion.stable_step(problem, 1, 0.5), 1e-3, 100)
    assert np.all(run["moved"] == 0)
    assert run["train_error"][-1] <= 1e-3


def test_the_least_nuclear_norm_completes_what_it_must_and_reports_its_gap():
    easy = completion.random_problem(np.random.default_rng(5), 20, 1, 300)
    found, gap = completion.least_nuclear_norm(easy, 1e-6)
    assert gap <= 1e-6
    assert easy.test_error(found) < 1e-3
    assert easy.train_error(found) < 1e-12
    # Three entries of [[1, 1], [1, ?]]: 1 in the missing place has rank 1 and the least sum of singular values, 2.
    corner = completion.CompletionProblem(np.ones((2, 2)), np.array([[1.0, 1.0], [1.0, 0.0]]))
    found, _ = completion.least_nuclear_norm(corner, 1e-9)
    assert found[1, 1] == pytest.approx(1, abs=1e-3)
    assert np.linalg.norm(found, "nuc") == pytest.approx(2, abs=1e-6)
    with pytest.raises(RuntimeError, match="duality gap"):
        completion.least_nuclear_norm(completion.random_problem(np.random.default_rng(6), 20, 5, 150), 1e-12, 25)
