"""The sliding kernel against explicit projections, its order, and the samples whose patterns must not matter."""

import numpy as np
import pytest

from descent.kernels.neural_tangent_kernel import h_patterns
from descent.kernels.sliding_kernel import sliding_correction

RNG = np.random.default_rng(4)
X = RNG.standard_normal((11, 4))
X /= np.linalg.norm(X, axis=1, keepdims=True)
PATTERNS = RNG.random((30, 11)) < 0.5
SLIDING = RNG.random((30, 11)) < 0.15


def by_projections(inputs, patterns, sliding) -> np.ndarray:
    """(1/m) Σ_r D_r X (I − Π_r) Xᵀ D_r with Π_r from a pseudo-inverse."""
    total = 0.0
    for active, held in zip(patterns, sliding):
        rows = inputs[held]
        projection = np.linalg.pinv(rows) @ rows if len(rows) else np.zeros((inputs.shape[1],) * 2)
        masked = inputs * active[:, None]
        total = total + masked @ (np.eye(inputs.shape[1]) - projection) @ masked.T
    return total / len(patterns)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.8])
def test_against_projections(share):
    # At the largest share a unit slides on more samples than there are dimensions.
    sliding = RNG.random((30, 11)) < share
    kernel = h_patterns(X, PATTERNS.T) - sliding_correction(X, PATTERNS, sliding)
    np.testing.assert_allclose(kernel, by_projections(X, PATTERNS, sliding), atol=1e-12)


def test_dependent_samples():
    doubled = np.vstack([X, X[:2], -X[:1]])
    patterns, sliding = (np.hstack([mask, mask[:, :2], mask[:, :1]]) for mask in (PATTERNS, SLIDING))
    kernel = h_patterns(doubled, patterns.T) - sliding_correction(doubled, patterns, sliding)
    np.testing.assert_allclose(kernel, by_projections(doubled, patterns, sliding), atol=1e-12)


def test_between_zero_and_the_kernel_of_the_patterns():
    gram, correction = h_patterns(X, PATTERNS.T), sliding_correction(X, PATTERNS, SLIDING)
    assert np.linalg.eigvalsh(correction)[0] > -1e-14
    assert np.linalg.eigvalsh(gram - correction)[0] > -1e-14
    assert correction.trace() > 0.01


def test_patterns_of_sliding_samples_do_not_matter():
    kernels = [h_patterns(X, patterns.T) - sliding_correction(X, patterns, SLIDING)
               for patterns in (PATTERNS | SLIDING, PATTERNS & ~SLIDING)]
    np.testing.assert_allclose(*kernels, atol=1e-14)
