"""Loss and gradient against autograd, the minimizer against SciPy, gaps against rationals, the document's loop."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from descent.dynamics import huber_descent
from descent.dynamics.huber_descent import HuberProblem, huber_grad, huber_loss, legacy_problem, scaled

PROBLEMS = [legacy_problem(20, 3, 0.1), scaled(legacy_problem(20, 3, 0.1), 10, 1.0),
            scaled(legacy_problem(12, 5, 0.1), 40, 0.3)]


def torch_objective(problem: HuberProblem, x: torch.Tensor) -> torch.Tensor:
    residual = torch.from_numpy(problem.dense) @ x - torch.from_numpy(problem.targets)
    loss = torch.nn.functional.huber_loss(residual, torch.zeros_like(residual), reduction="sum", delta=1.0)
    return loss + problem.ridge / 2 * (x @ x)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_objective_gradient_and_curvature_are_those_of_autograd(rng, problem):
    x = torch.tensor(2 * rng.standard_normal(problem.size), requires_grad=True)
    loss = torch_objective(problem, x)
    (gradient,) = torch.autograd.grad(loss, x)
    hessian = torch.autograd.functional.hessian(lambda z: torch_objective(problem, z), x)
    at = x.detach().numpy()
    assert problem.objective(at) == pytest.approx(loss.item(), rel=1e-13)
    np.testing.assert_allclose(problem.gradient(at), gradient.numpy(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(problem.curvature(at), hessian.numpy(), rtol=1e-12, atol=1e-12)


def test_the_loss_is_the_document_s():
    u = np.array([-3.0, -1, -0.5, 0, 1, 2])
    printed = np.where(np.abs(u) <= 1, u**2 / 2, np.abs(u) - 0.5)
    assert huber_loss(u) == printed.sum()
    np.testing.assert_array_equal(huber_grad(u), [-1, -1, -0.5, 0, 1, 1])
    assert huber_grad(np.array([Fraction(1, 3), Fraction(-5, 2)])).tolist() == [Fraction(1, 3), -1]


def test_the_draws_are_those_of_the_legacy_generator():
    state = np.random.get_state()  # noqa: NPY002
    problem = legacy_problem(20, 3, 0.1)
    np.testing.assert_array_equal(np.random.get_state()[1], state[1])  # noqa: NPY002
    assert problem.kernel[0] == pytest.approx(1.764052345967664, abs=0)
    assert problem.targets[0] == pytest.approx(2.240893199201458, abs=0)
    assert len(problem.targets) == 18


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_minimizer_is_certified_and_agrees_with_scipy(problem):
    x = huber_descent.minimizer(problem)
    assert huber_descent.certified_distance(problem, x) < 1e-12 * np.linalg.norm(x)
    found = minimize(problem.objective, np.zeros(problem.size), jac=problem.gradient, method="BFGS",
                     options={"gtol": 1e-9})
    np.testing.assert_allclose(x, found.x, atol=1e-6)
    # The certificate is no smaller than a distance that is known.
    assert huber_descent.certified_distance(problem, x + 0.125) >= 0.125 * np.sqrt(problem.size) * 0.999


@pytest.mark.parametrize("problem", PROBLEMS)
def test_tiny_gaps_are_those_in_rational_numbers(rng, problem):
    optimum = huber_descent.minimizer(problem)
    near = optimum + 1e-5 * rng.standard_normal(problem.size)

    def objective(x):
        x, half = [Fraction(v) for v in x], Fraction(1, 2)
        residuals = [sum(Fraction(a) * v for a, v in zip(row, x)) - Fraction(b)
                     for row, b in zip(problem.dense, problem.targets)]
        loss = sum(u * u * half if abs(u) <= 1 else abs(u) - half for u in residuals)
        return loss + Fraction(problem.ridge) * half * sum(v * v for v in x)

    exact = float(objective(near) - objective(optimum))
    assert problem.gap(near[:, None], optimum)[0] == pytest.approx(exact, rel=1e-7)


def test_the_document_s_loop_gives_the_same_as_with_the_matrix():
    problem = PROBLEMS[0]
    A, b, lam, alpha, x = problem.dense, problem.targets, 0.1, 0.01, np.zeros(20)
    for _ in range(100):
        x = x - alpha*(A.T@(huber_grad(A@x-b))+lam*x)
    found = huber_descent.descend(problem.operator, b, lam, alpha, np.zeros(20), 100)
    np.testing.assert_allclose(found, x, rtol=0, atol=1e-14)
    single = huber_descent.descend(HuberProblem(problem.kernel.astype(np.float32), b, lam).operator,
                                   b.astype(np.float32), lam, alpha, np.zeros(20, np.float32), 100)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, x, rtol=0, atol=1e-5)


def test_records_are_those_of_one_descent_after_another():
    problem = PROBLEMS[1]
    optimum, steps = huber_descent.minimizer(problem), np.array([0.01, 0.15, 1.9])
    table = huber_descent.record(problem, optimum, steps, np.array([0, 3, 50]))
    for step in steps:
        path = [np.zeros(problem.size)]
        huber_descent.descend(problem.dense, problem.targets, problem.ridge, step, path[0], 50,
                              lambda k, x, path=path: path.append(x))
        path = np.array(path[1:])
        distance = np.linalg.norm(path - optimum, axis=1)
        rows = {name: values[table["step"] == step] for name, values in table.items()}
        np.testing.assert_allclose(rows["distance"], distance[[0, 3, 50]], rtol=1e-9)
        np.testing.assert_allclose(rows["slowest"][1:], [(distance[1:k + 1] / distance[:k]).max() for k in (3, 50)])
        np.testing.assert_allclose(rows["fastest"][1:], [(distance[1:k + 1] / distance[:k]).min() for k in (3, 50)])
        np.testing.assert_allclose(rows["peak"], [np.linalg.norm(path[:k + 1], axis=1).max() for k in (0, 3, 50)])
        gaps = [problem.objective(path[k]) - problem.objective(optimum) for k in (0, 3, 50)]
        np.testing.assert_allclose(rows["gap"], gaps, rtol=1e-9, atol=1e-10)


def test_limits_of_a_problem_with_residuals_in_the_tails():
    problem = PROBLEMS[1]
    optimum = huber_descent.minimizer(problem)
    found = huber_descent.limits(problem, optimum)
    values = np.linalg.eigvalsh(problem.curvature(optimum))
    assert found.outside == np.count_nonzero(np.abs(problem.dense @ optimum - problem.targets) > 1) > 0
    assert found.local == pytest.approx(values[-1])
    assert found.smoothness == pytest.approx(np.linalg.norm(problem.dense, 2) ** 2 + problem.ridge)
    assert found.local < found.smoothness
