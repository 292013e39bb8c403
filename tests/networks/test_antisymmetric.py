"""A network of twins is the zero function."""

import numpy as np

from descent.networks.antisymmetric import doubled
from descent.networks.two_layer import relu_outputs


def test_twins_cancel_everywhere_and_keep_the_units(rng):
    hidden, outputs = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    twice, signed = doubled(hidden, outputs)
    assert twice.shape == (12, 3)
    np.testing.assert_array_equal(twice[:6], twice[6:])
    np.testing.assert_array_equal(signed, np.concatenate([outputs, -outputs]))
    np.testing.assert_allclose(relu_outputs(twice, signed, rng.standard_normal((20, 3))), 0, atol=1e-14)
