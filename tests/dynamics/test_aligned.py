"""Closed forms of the saddle, the escape and the curvature against integration and dense Hessians."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from descent.curvature.linear_hessian import extreme_eigenvalues
from descent.dynamics import aligned
from descent.dynamics.end_to_end import scalar_velocity
from descent.dynamics.flow import flow
from descent.dynamics.linear_descent import Moments
from descent.networks.linear_network import balanced_layers


def whitened(rng, d: int, n: int = 40) -> Moments:
    x, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    q, _ = np.linalg.qr(x)
    return Moments(q * np.sqrt(n), y)


@settings(max_examples=30)
@given(st.integers(2, 6), st.floats(1e-6, 0.3), st.floats(0.31, 0.99), st.floats(0.2, 5),
       st.sampled_from([None, 1.5, 1.9]))
def test_times_are_the_integral(depth, start, end, target, power):
    p = 2 - 2 / depth if power is None else power
    found = aligned.aligned_time(start * target, end * target, target, depth, power)

    def integrand(log):  # ds = s d(ln s)
        return np.exp((1 - p) * log) / (depth * (target - np.exp(log)))

    assert found == pytest.approx(quad(integrand, np.log(start * target), np.log(end * target), epsabs=0)[0], rel=1e-6)


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_the_velocity_is_that_of_the_end_to_end_equation(rng, depth):
    moments = whitened(rng, 4)
    target = np.linalg.norm(moments.q)
    for share in (0.1, 0.6, 1.3):
        w = share * moments.q
        velocity = scalar_velocity(w, moments.gradient(w), depth)
        expected = aligned.aligned_velocity(share * target, target, depth) * moments.q / target
        np.testing.assert_allclose(velocity, expected, atol=1e-13)


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_extremes_are_those_of_the_hessian_below_and_beyond_the_target(rng, depth):
    moments = whitened(rng, 4)
    target = float(np.linalg.norm(moments.q))
    for share in (0.01, 0.12, 0.3, 0.8, 1.0, 1.4):
        layers = balanced_layers(share * moments.q[None], depth, 3)
        found = extreme_eigenvalues(layers, moments)
        np.testing.assert_allclose(aligned.aligned_extremes(np.array(share * target), target, depth), found, atol=1e-12)


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_the_least_curvature_is_that_of_a_fine_grid(rng, depth):
    moments = whitened(rng, 4)
    target = float(np.linalg.norm(moments.q))
    assert aligned.ray_end(moments) == pytest.approx(target)
    grid = np.linspace(1e-6, 1, 20001)
    values = aligned.aligned_extremes(grid * target, target, depth)[0]
    least, share = aligned.least_curvature(moments, depth)
    assert least == pytest.approx(values.min(), rel=1e-5)
    assert share == pytest.approx(grid[values.argmin()], abs=1e-4)


@pytest.mark.parametrize("depth", [3, 4, 5])
@pytest.mark.parametrize("angle", [0.3, 1.5, 2.6])
def test_the_saddle_time_is_when_the_flow_of_the_linear_loss_blows_up(depth, angle):
    slope, layer = 1.3, 0.2
    q = np.array([slope, 0.0])
    w = layer**depth * np.array([np.cos(angle), np.sin(angle)])
    time = aligned.saddle_time(layer, angle, slope, depth)
    path = flow(lambda v: scalar_velocity(v, -q, depth), w, [0.0, 0.9 * time, 0.999 * time])
    norms = np.linalg.norm(path, axis=1) ** (1 / depth)
    sines = path[:, 1] / np.linalg.norm(path, axis=1)
    np.testing.assert_allclose(norms * np.abs(sines), layer * np.sin(angle), rtol=1e-6)
    # Near the end the layers are ((N - 2) ‖q‖ times the time that is left)^(-1/(N - 2)).
    assert norms[2] == pytest.approx(((depth - 2) * slope * 0.001 * time) ** (-1 / (depth - 2)), rel=0.05)
    assert aligned.saddle_time(layer, 1e-7, slope, depth) == pytest.approx(
        aligned.saddle_time(layer, 1e-4, slope, depth), rel=1e-6)


def test_the_unstable_product_of_balanced_layers(rng):
    moments, layer, angle = whitened(rng, 2), 0.1, 2.0
    unit = moments.q / np.linalg.norm(moments.q)
    w = layer**2 * (np.cos(angle) * unit + np.sin(angle) * np.array([-unit[1], unit[0]]))
    layers = balanced_layers(w[None], 2, 3)
    assert aligned.unstable_product(*layers, moments) == pytest.approx(layer**2 * np.cos(angle / 2) ** 4)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_sharpness_is_that_of_the_hessian_at_the_minimum(rng, depth):
    moments = Moments(rng.standard_normal((30, 5)) * np.array([3, 1, 1, 0.5, 0.2]), rng.standard_normal(30))
    layers = balanced_layers(moments.least_squares()[None], depth, 4)
    assert aligned.balanced_sharpness(moments, depth) == pytest.approx(extreme_eigenvalues(layers, moments)[1])
