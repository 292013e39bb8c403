"""Initial weights against PyTorch's own default and the teacher's scaling."""

import numpy as np
import pytest
import torch

from descent.networks.initialization import two_layer_weights


def test_uniform_is_the_default_of_torch_s_linear(rng):
    torch.manual_seed(0)
    output, hidden = two_layer_weights(rng, "uniform", 400, 300, 200)
    for weights, layer in ((output, torch.nn.Linear(300, 400)), (hidden, torch.nn.Linear(200, 300))):
        reference = layer.weight.detach().numpy()
        assert weights.size == reference.size
        assert np.abs(weights).max() == pytest.approx(np.abs(reference).max(), rel=1e-3)
        assert weights.var() == pytest.approx(reference.var(), rel=0.02)


def test_gaussian_has_the_teacher_s_scaling(rng):
    output, hidden = two_layer_weights(rng, "gaussian", 40, 300, 200)
    assert output.shape == (40, 300)
    assert hidden.shape == (200, 300)
    assert output.var() * 300 == pytest.approx(1, rel=0.05)
    assert hidden.var() * 200 == pytest.approx(1, rel=0.05)


def test_another_kind_is_refused(rng):
    with pytest.raises(ValueError, match="gaussian or uniform"):
        two_layer_weights(rng, "xavier", 2, 2, 2)
