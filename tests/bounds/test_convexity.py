"""Evidence on convexity and smoothness against closed forms and autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from descent.bounds import convexity
from descent.networks.linear_network import product

TORCH = {
    "quadratic": lambda w, t: 0.5 * torch.sum((w - t) ** 2), "affine": lambda w, t: torch.sum(w * t),
    "log_cosh": lambda w, t: torch.sum(torch.log(torch.cosh(w - t))), "constant": lambda w, t: 0 * torch.sum(w),
}


@given(st.sampled_from(list(TORCH)), st.integers(1, 4), st.integers(0, 10**6))
def test_the_hessian_over_all_factors_is_autograd_s(kind, depth, seed):
    rng = np.random.default_rng(seed)
    factors, target = rng.standard_normal((depth, 2, 2)), rng.standard_normal((2, 2))

    def value(flat):
        matrix = torch.eye(2, dtype=torch.float64)
        for factor in flat.reshape(depth, 2, 2):
            matrix = factor @ matrix
        return TORCH[kind](matrix, torch.tensor(target))

    expected = torch.autograd.functional.hessian(value, torch.tensor(factors.ravel())).numpy()
    np.testing.assert_allclose(convexity.factor_hessian(list(factors), kind, target), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_rescaling_leaves_the_product(depth, rng):
    matrix = rng.standard_normal((3, 3))
    np.testing.assert_allclose(product(convexity.rescaled(matrix, depth, 64.0)), matrix, rtol=1e-15)


@given(st.integers(2, 5), st.integers(2, 4))
def test_the_bound_in_the_ball_is_attained(depth, d):
    factors, target = convexity.aligned(depth, d)
    curvature = np.linalg.norm(convexity.factor_hessian(factors, "quadratic", target), 2)
    assert curvature == pytest.approx(convexity.ball_bound(depth, 1.0, 2.0), rel=1e-12)


def test_draws_stay_in_the_ball(rng):
    norms = [np.linalg.norm(factor) for _ in range(50) for factor in convexity.in_unit_ball(rng, 3, 2)]
    assert max(norms) <= 1 + 1e-15
    assert min(norms) < 0.9


def test_losses_fall_along_the_path_like_the_depth_says(rng):
    x, y = rng.standard_normal((40, 3)), rng.standard_normal((40, 2))
    for depth in (2, 3, 4):
        losses = convexity.path_losses(depth, 3, "tanh", x, y, np.array([0.0, 0.01, 0.02]))
        assert (losses[0] - losses[2]) / (losses[0] - losses[1]) == pytest.approx(2**depth, rel=1e-2)


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="not one of quadratic"):
        convexity.loss_gradient("cubic", np.eye(2), np.eye(2))
