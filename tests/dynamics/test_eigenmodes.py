"""Eigenmode-resolved predictions on a frozen kernel, where they are exact, and on networks beside autograd."""

import numpy as np
import pytest
import torch

from descent.dynamics import eigenmodes
from descent.dynamics.gradient_descent import GradientDescent
from descent.dynamics.kernel_dynamics import KernelDynamics
from descent.networks.antisymmetric import initial_weights

RNG = np.random.default_rng(3)
N, ETA = 12, 0.3
A = RNG.standard_normal((N, N))
GRAM = A @ A.T / N
DYNAMICS = KernelDynamics(GRAM, np.zeros(N))
X = RNG.standard_normal((N, 4))
X /= np.linalg.norm(X, axis=1, keepdims=True)


def frozen_run(gram: np.ndarray, steps: int = 40) -> tuple[dict, dict]:
    """Tables of a run in a fixed kernel, made step by step."""
    residuals = [RNG.standard_normal(N)]
    for _ in range(steps):
        residuals.append(residuals[-1] - ETA * gram @ residuals[-1])
    k = np.arange(steps + 1)
    kept = {"step": k, "flow_time": ETA * k, "residual": np.array(residuals)}
    return {"step": k, "defect": np.zeros(steps + 1)}, kept


def test_targets():
    digits = np.arange(50) % 10
    true, random, signs = (eigenmodes.targets(name, digits, 1, 0) for name in ("true", "random", "signs"))
    np.testing.assert_array_equal(np.sort(true), np.sort(random))
    assert not np.array_equal(true, random)
    assert set(signs) == {-1.0, 1.0}
    assert not np.array_equal(random, eigenmodes.targets("random", digits, 1, 1))
    with pytest.raises(ValueError, match="not one of"):
        eigenmodes.targets("inverted", digits, 1, 0)


def test_prediction_is_exact_in_a_fixed_kernel():
    metrics, kept = frozen_run(GRAM)
    y = RNG.standard_normal(N)
    columns = eigenmodes.prediction_columns(KernelDynamics(2 * GRAM, np.zeros(N)), DYNAMICS, y, metrics, kept)
    np.testing.assert_allclose(columns["zero"], columns["squared_error"], rtol=1e-9)
    assert columns["deviation_zero"].max() < 1e-13
    assert columns["deviation_infinity"][5] > 0.01
    assert columns["labels_only"][0] == pytest.approx(y @ y)
    assert columns["defect_sum"].max() == 0
    assert columns["stability"][0] == pytest.approx(ETA * DYNAMICS.eigenvalues[-1])


def test_defects_are_what_a_step_misses_the_kernel_by():
    hidden, outputs = initial_weights(False, 1, 0, 32, 4)
    y, gram = RNG.standard_normal((N, 1)), eigenmodes.initial_gram(X, hidden)
    descent = GradientDescent(hidden, outputs, X, y, ETA, scale=32**-0.5)
    metrics, kept = eigenmodes.record_residuals(descent, gram, ETA, 12, [0, 1, 2, 3, 12])
    residuals = kept["residual"]
    np.testing.assert_allclose(metrics["loss"][[0, 1, 2, 3, 12]], np.sum(residuals**2, axis=1) / 2, rtol=1e-12)
    for k in (1, 2, 3):
        expected = np.linalg.norm(residuals[k] - residuals[k - 1] + ETA * gram @ residuals[k - 1])
        assert metrics["defect"][k] == pytest.approx(expected, abs=1e-13)
    # With the patterns of the start the first step misses the kernel by flipped patterns only.
    assert metrics["defect"][1] < 0.2 * ETA * np.linalg.norm(gram @ residuals[0])


def test_decay_exponent_of_a_fixed_kernel_is_2_and_of_half_the_rate_1():
    _, kept = frozen_run(GRAM)
    for size in (1, 3):
        assert eigenmodes.decay_exponent(DYNAMICS, kept, size) == pytest.approx(2, abs=1e-6)
    halved = DYNAMICS.descent_factors(ETA, kept["step"] / 2)
    slow = {**kept, "residual": DYNAMICS.residuals(kept["residual"][0], halved)}
    assert eigenmodes.decay_exponent(DYNAMICS, slow, 1) == pytest.approx(1, abs=1e-6)


def test_mode_groups_go_from_the_greatest_eigenvalue_down():
    groups = eigenmodes.mode_groups(np.array([0.1, 0.5, 2.0, 3.0, 7.0]), 2)
    assert [group.tolist() for group in groups] == [[4, 3], [2, 1], [0]]


def test_time_to_fraction_interpolates_the_logarithm():
    times = np.array([0.0, 1.0, 2.0, 4.0])
    squared = 5 * np.exp(-0.7 * times)
    assert eigenmodes.time_to_fraction(times, squared, 0.2) == pytest.approx(np.log(5) / 0.7)
    assert np.isnan(eigenmodes.time_to_fraction(times, squared, 0.01))


def test_linearized_descent_is_that_of_the_taylor_polynomial():
    hidden, outputs = initial_weights(False, 2, 0, 8, 4)
    y = RNG.standard_normal(N)
    squared = eigenmodes.linearized_errors(hidden, outputs, X, y, 0.1, 5)

    def network(flat):
        return torch.relu(torch.tensor(X) @ flat.reshape(8, 4).T) @ torch.tensor(outputs[:, 0]) / 8**0.5

    start = torch.tensor(hidden.ravel())
    jacobian, first, weights = torch.autograd.functional.jacobian(network, start), network(start), start.clone()
    for error in squared:
        residual = first + jacobian @ (weights - start) - torch.tensor(y)
        assert error == pytest.approx(float(residual @ residual), rel=1e-12)
        weights = weights - 0.1 * jacobian.T @ residual


def test_permuted_errors_average_to_an_even_spread_of_the_energy():
    y = RNG.standard_normal(N)
    y -= y.mean()
    found = eigenmodes.permuted_errors(DYNAMICS, y, 0.4, np.random.default_rng(0), 9000, block=2000)
    assert found.shape == (9000,)
    # E[πy πyᵀ] = ‖y‖² (I − 11ᵀ/n) / (n − 1) for centred y.
    ones = DYNAMICS.eigenvectors.sum(axis=0)
    expected = DYNAMICS.flow_factors([0.4])[0] ** 2 @ (1 - ones**2 / N) / (N - 1)
    assert found.mean() == pytest.approx(expected, abs=5 * found.std() / np.sqrt(9000))


def test_tables_are_joined_selected_and_summarized():
    parts = []
    for m, rate in ((8, 0.5), (16, 0.9)):
        for r in range(2):
            k = np.arange(30)
            parts.append({"start": np.full(30, "gaussian"), "width": np.full(30, m), "labels": np.full(30, "true"),
                          "replicate": np.full(30, r), "step": k, "flow_time": 0.2 * k, "squared_error":
                          np.exp(-0.2 * rate * k), "zero": np.exp(-0.2 * k), "deviation_zero": k / m})
    table = eigenmodes.joined(parts)
    assert len(eigenmodes.selected(table, width=8, replicate=1)["step"]) == 30
    errors = eigenmodes.time_errors(table, "zero", [8, 16], "true", 0.3)
    np.testing.assert_allclose(errors, [[np.log(2), -np.log(0.9)]] * 2)
    np.testing.assert_allclose(eigenmodes.greatest_deviations(table, "deviation_zero", [8, 16], ["true"]),
                               [[29 / 8, 29 / 16]] * 2)
