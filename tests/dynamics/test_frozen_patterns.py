"""Flow without flips: the closed form against gradient descent, and the constructed networks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descent.dynamics import frozen_patterns as frozen
from descent.kernels.neural_tangent_kernel import h_infinity, h_patterns
from descent.networks.two_layer import activation_patterns, relu_outputs


def gaussian(seed: int, n: int = 6, d: int = 7, m: int = 60):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x, rng.standard_normal((m, d)), rng.choice([-1.0, 1.0], (m, 1))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0, 2, -1]))
def test_descent_contracts_by_one_minus_eta_mu_and_follows_the_flow(seed, index):
    mode = frozen.frozen_mode(*gaussian(seed), index=index)
    eta = 0.02 / mode.rate if mode.rate > 0.05 else 0.2
    run = frozen.run_frozen(mode, eta, 60, 20)
    assert mode.stays_frozen()
    assert run["frozen"].all()
    # Rounding of the outputs, of order 1e-15, counts relative to the residual.
    noise = 1e-12 / mode.amplitude
    np.testing.assert_allclose(run["log_error"], run["step"] * np.log1p(-eta * mode.rate), atol=noise)
    difference = np.abs(run["log_error"] - mode.log_error(run["flow_time"]))
    assert (difference <= eta * mode.rate**2 * run["flow_time"] + noise).all()
    np.testing.assert_allclose(run["movement"], mode.movement(run["flow_time"]),
                               rtol=2 * eta * mode.rate + 10 * noise, atol=1e-12)


def test_closed_form_solves_the_differential_equation():
    mode = frozen.frozen_mode(*gaussian(3), index=1)
    times, step = 0.7, 1e-6
    rates = (mode.log_error(times + step) - mode.log_error(times - step)) / (2 * step)
    assert rates == pytest.approx(-mode.rate)
    outputs = relu_outputs(mode.hidden, mode.signs, mode.inputs) / np.sqrt(len(mode.hidden))
    np.testing.assert_allclose((outputs - mode.targets)[:, 0], mode.amplitude * mode.direction, atol=1e-15)
    gram = h_patterns(mode.inputs, activation_patterns(mode.hidden, mode.inputs))
    np.testing.assert_allclose(gram @ mode.direction, mode.rate * mode.direction, atol=1e-14)
    assert mode.lambda_min == pytest.approx(np.linalg.eigvalsh(gram)[0])
    assert mode.lambda_0 == pytest.approx(np.linalg.eigvalsh(h_infinity(mode.inputs))[0])


def test_a_larger_amplitude_flips_a_pattern():
    for share, stays in ((0.99, True), (1.01, False)):
        assert frozen.frozen_mode(*gaussian(5), share=share).stays_frozen() is stays
    mode = frozen.frozen_mode(*gaussian(5), share=0.5)
    run = frozen.run_frozen(replace(mode, amplitude=20 * mode.amplitude), 0.5, 200, 50)
    assert not run["frozen"].all()


def test_one_sample_decays_at_the_share_of_active_units():
    mode = frozen.frozen_mode(*frozen.one_sample(4, 1, 3))
    assert (mode.rate, mode.lambda_min, mode.lambda_0) == (0.25, 0.25, 0.5)
    assert mode.movement(np.inf) == pytest.approx(mode.amplitude / (0.25 * 2))
    silent = frozen.one_sample(4, 0, 3)
    with pytest.raises(ValueError, match="does not decay"):
        frozen.frozen_mode(*silent)


@given(st.integers(2, 8), st.floats(0.9, 0.995))
def test_narrow_cone_has_the_stated_matrices(samples, cosine):
    x, hidden, signs = frozen.narrow_cone(samples, cosine, 1000)
    np.testing.assert_allclose(x @ x.T, cosine + (1 - cosine) * np.eye(samples), atol=1e-12)
    np.testing.assert_allclose(np.abs(x @ hidden.T), 1, atol=1e-9)
    lambda_0 = np.linalg.eigvalsh(h_infinity(x))[0]
    each = np.ceil(1000 * lambda_0 / 2)
    expected = ((each + 1 - cosine) * np.eye(samples) + cosine) / 1000
    np.testing.assert_allclose(h_patterns(x, activation_patterns(hidden, x)), expected, atol=1e-12)
    mode = frozen.frozen_mode(x, hidden, signs, index=-1)
    assert mode.lambda_min >= lambda_0 / 2
    np.testing.assert_allclose(mode.direction, samples**-0.5, atol=1e-9)
    furthest = np.sqrt(1 - cosine + samples * cosine) * mode.amplitude / (mode.rate * np.sqrt(1000))
    assert mode.movement(np.inf) == pytest.approx(furthest)


def test_a_cone_needs_enough_units():
    with pytest.raises(ValueError, match="need"):
        frozen.narrow_cone(16, 0.9, 60)


def test_columns_carry_the_closed_form_beside_the_run():
    mode = frozen.frozen_mode(*frozen.one_sample(4, 1, 3))
    columns = frozen.constructed_columns("one_sample", 2, mode, 0.04, 4.0, points=10)
    assert set(columns["case"]) == {"one_sample"}
    assert columns["step"].tolist() == list(range(0, 101, 10))
    assert (columns["replicate"] == 2).all()
    np.testing.assert_array_equal(columns["log_flow"], -0.25 * columns["flow_time"])
    assert columns["frozen"].all()
    assert columns["start"][0] == mode.amplitude
