"""The kernel on the way against a recomputation from the weights, and sliding weights in a small network."""

import numpy as np

from descent.dynamics.drift_run import drift_run, examined_steps, opened_window
from descent.dynamics.gradient_descent import GradientDescent
from descent.kernels.neural_tangent_kernel import h_patterns
from descent.kernels.sliding_kernel import sliding_correction
from descent.networks.two_layer import activation_patterns

RNG = np.random.default_rng(11)
N, D, M = 12, 5, 24
X = RNG.standard_normal((N, D))
X /= np.linalg.norm(X, axis=1, keepdims=True)
W, A, Y = RNG.standard_normal((M, D)), RNG.choice([-1.0, 1.0], (M, 1)), RNG.standard_normal((N, 1))


def descent(eta: float) -> GradientDescent:
    return GradientDescent(W, A, X, Y, eta, M**-0.5)


def test_examined_steps():
    assert examined_steps(60, 100, 3, [50]) == [0, 4, 20, 50, 60]
    assert examined_steps(100, 100, 3, [50]) == [0, 4, 20, 50, 100]


def test_a_pattern_that_returns_is_told_from_one_that_crosses():
    window = opened_window(descent(0.1))
    for changes in ([1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1]):
        mask = np.zeros((M, N), bool)
        mask[0, :4] = changes
        window.update(np.full(N, 2.0), mask)
    assert window.returned[0, :4].tolist() == [False, True, False, True]
    assert window.returned.sum() == 2
    assert set(window.total) == {6.0}


def test_columns_against_the_weights():
    metrics, rows = drift_run(descent(0.2), X, 0.2, 30, [0, 3, 20, 30], 10)
    again = descent(0.2)
    losses, weights, residuals = [again.loss()], [again.hidden], [again.residual[:, 0]]
    for _ in range(30):
        again.step()
        losses, weights = [*losses, again.loss()], [*weights, again.hidden]
        residuals.append(again.residual[:, 0])
    np.testing.assert_array_equal(metrics["loss"], losses)
    patterns = [activation_patterns(w, X).T for w in weights]
    grams = [h_patterns(X, patterns[k].T) for k in (0, 3, 20, 30)]
    np.testing.assert_allclose(rows["lambda_min"], [np.linalg.eigvalsh(gram)[0] for gram in grams], atol=1e-13)
    np.testing.assert_allclose(rows["drift"], [np.linalg.norm(gram - grams[0], 2) for gram in grams], atol=1e-13)
    frobenius = np.sqrt(N) * rows["drift_rms"]
    np.testing.assert_allclose(frobenius, [np.linalg.norm(gram - grams[0]) for gram in grams], atol=1e-13)
    assert rows["flipped"][3] == np.mean(patterns[30] != patterns[0])
    assert rows["movement"][3] == np.linalg.norm(weights[30] - weights[0], axis=1).max()
    assert np.isnan(rows["rate"][:2]).all()
    assert rows["sliding_lambda_min"][0] == rows["lambda_min"][0]
    assert np.isnan(rows["sliding_lambda_min"][1])
    np.testing.assert_allclose(rows["rate"][2:], [np.log(losses[k - 10] / losses[k]) / 2 for k in (20, 30)])
    changes = np.array([patterns[k] != patterns[k - 1] for k in range(21, 31)]).sum(axis=0)
    kernel = grams[3] - sliding_correction(X, patterns[30], changes >= 2)
    assert rows["sliding"][3] == np.mean(changes >= 2)
    np.testing.assert_allclose(rows["sliding_lambda_min"][3], np.linalg.eigvalsh(kernel)[0], atol=1e-13)
    change = residuals[30] - residuals[20]
    expected = np.linalg.norm(change + 0.2 * kernel @ np.sum(residuals[20:30], axis=0)) / np.linalg.norm(change)
    np.testing.assert_allclose(rows["sliding_error"][3], expected, rtol=1e-10)


def test_sliding_weights_obey_the_sliding_kernel():
    """A network so narrow that weights slide: over many small steps r changes by −η H̃ Σ r and not by −η H Σ r."""
    _, rows = drift_run(descent(0.02), X, 0.02, 6000, [0, 6000], 1000)
    assert rows["sliding"][1] > 0.005
    assert rows["sliding_error"][1] < 0.02
    assert rows["pattern_error"][1] > 10 * rows["sliding_error"][1]
    assert rows["sliding_lowest"][1] <= rows["sliding_highest"][1] <= 1e-13
