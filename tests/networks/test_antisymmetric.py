"""A network of twins is the zero function."""

import numpy as np

from descent.kernels.neural_tangent_kernel import h_patterns
from descent.networks.antisymmetric import doubled, initial_weights
from descent.networks.two_layer import activation_patterns, relu_outputs


def test_twins_cancel_everywhere_and_keep_the_units(rng):
    hidden, outputs = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    twice, signed = doubled(hidden, outputs)
    assert twice.shape == (12, 3)
    np.testing.assert_array_equal(twice[:6], twice[6:])
    np.testing.assert_array_equal(signed, np.concatenate([outputs, -outputs]))
    np.testing.assert_allclose(relu_outputs(twice, signed, rng.standard_normal((20, 3))), 0, atol=1e-14)


def test_the_antisymmetric_start_is_zero_and_has_the_gram_matrix_of_half_its_width(rng):
    x = rng.standard_normal((7, 4))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    hidden, outputs = initial_weights(True, 3, 1, 16, 4)
    half, signs = initial_weights(False, 3, 1, 8, 4)
    assert hidden.shape == (16, 4)
    np.testing.assert_allclose(relu_outputs(hidden, outputs, x), 0, atol=1e-14)
    assert np.abs(relu_outputs(half, signs, x)).max() > 0.1
    grams = [h_patterns(x, activation_patterns(w, x)) for w in (hidden, half)]
    np.testing.assert_allclose(*grams, rtol=1e-14)
