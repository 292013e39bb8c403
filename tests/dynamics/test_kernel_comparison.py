"""A network beside the kernel dynamics: against a stand-in that follows the kernel exactly, and by hand."""

import numpy as np
import pytest

from descent.dynamics import kernel_comparison as comparison
from descent.dynamics.gradient_descent import GradientDescent
from descent.dynamics.kernel_dynamics import KernelDynamics
from descent.kernels.neural_tangent_kernel import h_infinity, h_patterns
from descent.networks.antisymmetric import initial_weights
from descent.networks.two_layer import activation_patterns, relu_outputs

RNG = np.random.default_rng(11)
N, D, M, ETA = 12, 4, 20, 0.05
X = comparison.unit_rows(RNG.standard_normal((N, D)))
Y = RNG.standard_normal(N)


class FollowsTheKernel:
    """The interface of descent, without a network: u ← u − η H (u − y), one weight and one pattern change at step 3."""

    def __init__(self, gram, start):
        self.steps, self._gram, self._residual = 0, gram, start[:, None]
        self.hidden, self.patterns = np.zeros((M, D)), np.ones((M, N), dtype=bool)

    @property
    def residual(self):
        return self._residual

    def step(self):
        self._residual = self._residual - ETA * self._gram @ self._residual
        self.steps += 1
        if self.steps == 3:
            self.hidden, self.patterns = self.hidden.copy(), self.patterns.copy()
            self.hidden[0], self.patterns[0, 0] = [3, 0, 4, 0], False


def test_rows_have_unit_length():
    assert np.linalg.norm(X, axis=1) == pytest.approx(np.ones(N), abs=1e-15)
    with pytest.raises(ValueError, match="no direction"):
        comparison.unit_rows(np.zeros((2, 3)))


def test_a_network_that_follows_the_kernel_does_not_deviate():
    limit, start = h_infinity(X), RNG.standard_normal(N)
    descent, kernel = FollowsTheKernel(limit, start), KernelDynamics(limit, Y)
    columns, outputs = comparison.compare(descent, X, kernel, limit, ETA, [2, 10, 40], [0, 5], 8)
    assert columns["deviation"] == pytest.approx(np.zeros(3), abs=1e-14)
    assert (columns["doubled_deviation"] > 0.01).all()
    np.testing.assert_allclose(columns["error"], columns["kernel_error"], rtol=1e-12)
    np.testing.assert_allclose(columns["flow_time"], [0.1, 0.5, 2.0])
    np.testing.assert_allclose(outputs["network"], outputs["kernel"], atol=1e-13)
    np.testing.assert_allclose(outputs["network"][0], (start + Y)[[0, 5]], atol=1e-15)
    assert outputs["network"].shape == (len(outputs["step"]), 2)


def test_what_moved_and_flipped_is_counted():
    limit = h_infinity(X)
    rows, _ = comparison.descend(FollowsTheKernel(limit, Y), X, [2, 4], limit)
    assert [rows[0][name] for name in ("movement", "movement_rms", "flipped", "drift")] == [0, 0, 0, 0]
    assert rows[1]["movement"] == 5
    assert rows[1]["movement_rms"] == pytest.approx(5 / M**0.5)
    assert rows[1]["flipped"] == pytest.approx(1 / (M * N))
    change = np.zeros((N, N))
    change[0], change[:, 0] = X[0] @ X.T / M, X[0] @ X.T / M
    assert rows[1]["drift"] == pytest.approx(np.linalg.norm(change, 2))


def test_real_descent_step_by_step():
    """Deviations from loops over the definition; the Gram matrices from weights instead of stored patterns."""
    hidden, outputs = initial_weights(False, 3, 0, M, D)
    limit, kernel = h_infinity(X), KernelDynamics(h_infinity(X), Y)
    descent = GradientDescent(hidden, outputs, X, Y[:, None], ETA, M**-0.5)
    columns, _ = comparison.compare(descent, X, kernel, limit, ETA, [5, 30], [0], 4)
    again = GradientDescent(hidden, outputs, X, Y[:, None], ETA, M**-0.5)
    start = M**-0.5 * relu_outputs(hidden, outputs, X)[:, 0] - Y
    steps, worst = start.copy(), 0.0
    doubled, worst_doubled = start.copy(), 0.0
    values, vectors = np.linalg.eigh(limit)
    worst_flow = 0.0
    for k in range(1, 31):
        again.step()
        steps, doubled = steps - ETA * limit @ steps, doubled - 2 * ETA * limit @ doubled
        flow = vectors @ (np.exp(-ETA * k * values) * (vectors.T @ start))
        now = again.residual[:, 0]
        worst, worst_doubled, worst_flow = (max(before, np.linalg.norm(now - other) / np.linalg.norm(start))
                                            for before, other in ((worst, steps), (worst_doubled, doubled),
                                                                  (worst_flow, flow)))
    assert columns["deviation"][1] == pytest.approx(worst, rel=1e-10)
    assert columns["doubled_deviation"][1] == pytest.approx(worst_doubled, rel=1e-10)
    assert columns["flow_deviation"][1] == pytest.approx(worst_flow, rel=1e-10)
    first, last = (h_patterns(X, activation_patterns(w, X)) for w in (hidden, again.hidden))
    assert columns["drift"][1] == pytest.approx(np.linalg.norm(last - first, 2), rel=1e-12)
    assert columns["distance"][1] == pytest.approx(np.linalg.norm(first - limit, 2), rel=1e-12)
    assert columns["frobenius"][1] == pytest.approx(M * np.linalg.norm(first - limit) ** 2, rel=1e-12)
    assert columns["start_error"][1] == pytest.approx(np.linalg.norm(start))
