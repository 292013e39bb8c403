"""Flows in kernels that change with time against an integrator, closed forms and what each family promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from descent.bounds import perturbed_kernel as bounds
from descent.dynamics.perturbed_kernel import (
    FAMILIES,
    perturbation,
    perturbed_flow,
    rotating,
    slowest_mode_slowed,
)


def kernel(n: int, seed: int, greatest: float = 50.0) -> np.ndarray:
    vectors = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    return (vectors * np.geomspace(1, greatest, n)) @ vectors.T


@pytest.mark.parametrize("family", FAMILIES)
def test_the_difference_is_that_of_two_integrations(family):
    fixed, start, ends = kernel(6, 1), np.random.default_rng(2).standard_normal(6), np.array([0.1, 0.5, 2.0])
    grams = []

    def kept(*state):
        grams.append(perturbation(family, fixed, 1.5, np.random.default_rng(len(grams)), False)(*state))
        return grams[-1]

    found = perturbed_flow(fixed, start, ends, kept, 3)

    def slope(t, states):
        moving, still = states[:6], states[6:]
        return np.concatenate([-grams[min(np.searchsorted(ends, t, side="right"), 2)] @ moving, -fixed @ still])

    states, now = np.concatenate([start, start]), 0.0
    for end in ends:
        states = solve_ivp(slope, (now, end - 1e-12), states, "DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
        expected = np.linalg.norm(states[:6] - states[6:]) / np.linalg.norm(start)
        assert found["distance"][np.isclose(found["flow_time"], end)][0] == pytest.approx(expected, abs=1e-8)
        now = end
    assert found["rate"][0] == pytest.approx(1.0)
    assert found["epsilon"][0] == pytest.approx(1.5)
    assert found["least"][0] == pytest.approx(min(np.linalg.eigvalsh(gram)[0] for gram in grams))


@settings(max_examples=25)
@given(st.sampled_from(FAMILIES), st.integers(2, 9), st.integers(0, 10**6), st.floats(0.01, 30), st.booleans())
def test_perturbations_have_the_size_and_the_sign_asked_for(family, n, seed, size, semidefinite):
    fixed, draws = kernel(n, seed), np.random.default_rng(seed)
    choose = perturbation(family, fixed, size, draws, semidefinite)
    state = draws.standard_normal((2, n))
    gram = choose(0, *state)
    np.testing.assert_allclose(gram, gram.T, atol=1e-12)
    if semidefinite:
        assert np.linalg.eigvalsh(gram)[0] > -1e-12
    else:
        assert np.abs(np.linalg.eigvalsh(gram - fixed)).max() == pytest.approx(size, rel=1e-9)


def test_steering_drives_the_solutions_apart_as_fast_as_any_kernel_can():
    draws = np.random.default_rng(4)
    moving, still = draws.standard_normal((2, 7))
    fixed, apart = kernel(7, 4), moving - still
    gram = perturbation("steered", fixed, 0.8, draws, False)(0, moving, still)
    # d‖δ‖/dt = −δᵀ(H r − H* r*)/‖δ‖, in which −δᵀ E r*/‖δ‖ is at most ‖E‖ ‖r*‖.
    gained = -(apart @ (gram - fixed) @ still) / np.linalg.norm(apart)
    assert gained == pytest.approx(0.8 * np.linalg.norm(still))
    first = perturbation("steered", fixed, 0.8, draws, False)(0, still, still)
    np.testing.assert_allclose((first - fixed) @ still, -0.8 * still, atol=1e-12)


def test_a_family_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="not one of random"):
        perturbation("odd", np.eye(2), 1.0, np.random.default_rng(0), False)


@pytest.mark.parametrize("ratio", [0.2, 1.0, 2.5])
def test_the_slowed_mode_has_its_closed_form(ratio):
    fixed = kernel(8, 3)
    slow = np.linalg.eigh(fixed)[1][:, 0]
    found = perturbed_flow(fixed, 3 * slow, np.array([0.5, 3.0]), slowest_mode_slowed(fixed, ratio), 5)
    expected = bounds.growth_bound(found["flow_time"], found["epsilon"], found["rate"])
    np.testing.assert_allclose(found["distance"], expected, rtol=1e-9)


def test_rotating_turns_the_residual_round_and_stays_semidefinite():
    fixed, lead, ratio = kernel(5, 6), np.arccos(0.1), 1000.0
    ends = np.linspace(0, np.pi / (ratio * np.cos(lead) * np.sin(lead)), 200)[1:]
    slow = np.linalg.eigh(fixed)[1][:, 0]
    found = perturbed_flow(fixed, slow, ends, rotating(fixed, ratio, lead), 1)
    assert found["least"][0] > -1e-9
    assert found["epsilon"][0] <= ratio
    # Turned by half a circle, r is opposite to r*: their distance is the sum of their lengths, here above 1.7.
    assert 1.7 < found["distance"].max() < 2
