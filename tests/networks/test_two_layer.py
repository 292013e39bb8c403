"""The network's map against loops."""

import numpy as np

from descent.networks.two_layer import activation_patterns, relu_outputs

RNG = np.random.default_rng(0)
HIDDEN, OUTPUTS, INPUTS = RNG.standard_normal((5, 3)), RNG.standard_normal((5, 2)), RNG.standard_normal((4, 3))


def test_outputs_are_sums_over_units():
    units = list(zip(HIDDEN, OUTPUTS, strict=True))
    expected = [[sum(a[c] * max(w @ x, 0) for w, a in units) for c in (0, 1)] for x in INPUTS]
    np.testing.assert_allclose(relu_outputs(HIDDEN, OUTPUTS, INPUTS), expected)


def test_a_unit_on_the_boundary_is_active():
    patterns = activation_patterns(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[0.0, 1.0], [2.0, 0.0]]))
    assert patterns.tolist() == [[True, True], [True, False]]
