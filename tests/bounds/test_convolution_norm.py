"""Bounds of the norm against singular values."""

import numpy as np
import pytest

from descent.bounds.convolution_norm import singular_range, symbol_range, wave_norm


@pytest.mark.parametrize("seed", range(5))
def test_singular_values_lie_between_the_bounds(seed):
    draws = np.random.default_rng(seed)
    for r, n in ((2, 5), (3, 40), (6, 17), (9, 9)):
        kernel = draws.standard_normal(r)
        (least, greatest), (lower, upper) = singular_range(kernel, n), symbol_range(kernel, n)
        assert lower * (1 - 1e-12) <= least <= greatest <= upper * (1 + 1e-12)
        assert wave_norm(kernel, n) <= greatest * (1 + 1e-12)


@pytest.mark.parametrize("kernel", [[1.0, 2.0, 1.0], [1.0, -2.0, 1.0], [1.0, 0.3, -1.0]])
def test_the_wave_brackets_the_norm_of_large_operators(kernel):
    """The greatest |k̂| is at frequency 0, π, and between."""
    upper = symbol_range(np.array(kernel), 2**16)[1]
    widths = [upper - wave_norm(np.array(kernel), n) for n in (2**10, 2**12, 2**14)]
    np.testing.assert_array_less(0, widths)
    assert widths[-1] < 1e-6
    np.testing.assert_allclose(np.divide(widths[:-1], widths[1:]), 16, rtol=0.05)


def test_the_symbol_of_a_difference():
    lower, upper = symbol_range(np.array([1.0, -1.0]), 8)
    assert (lower, upper) == (pytest.approx(0), pytest.approx(2))
