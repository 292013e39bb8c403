"""Cauchy's inequalities on random symmetric matrices, and where they must fail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descent.kernels.interlacing import interlacing_excess, principal_spectra


@given(seed=st.integers(0, 10**6), order=st.integers(2, 12), dropped=st.integers(1, 6))
def test_principal_submatrices_interlace(seed, order, dropped):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((order, order))
    matrix += matrix.T
    mask = np.ones(order, bool)
    mask[rng.permutation(order)[: min(dropped, order - 1)]] = False
    inner, outer = principal_spectra(matrix, [mask, np.ones(order, bool)])
    np.testing.assert_allclose(outer, np.linalg.eigvalsh(matrix), atol=1e-12)
    assert interlacing_excess(inner, outer) <= 1e-12 * np.abs(outer).max()


def test_excess_is_the_greatest_violation():
    outer = np.array([0.0, 1.0, 2.0])
    assert interlacing_excess(np.array([0.5, 1.5]), outer) == -0.5
    assert interlacing_excess(np.array([0.5, 2.25]), outer) == 0.25
    assert interlacing_excess(np.array([-0.5, 1.0]), outer) == 0.5
    with pytest.raises(ValueError, match="order 3 does not fit"):
        interlacing_excess(outer, np.array([0.5]))
