"""The PyTorch path on the CPU, in place of a GPU, against the fused kernel."""

import numpy as np
import pytest
import torch

from descent.dynamics import device_descent
from descent.dynamics.device_descent import DeviceDescent
from descent.dynamics.gradient_descent import GradientDescent
from descent.dynamics.recorded_descent import record
from tests.dynamics.test_gradient_descent import CASES, EPS32, M, N, problem


@pytest.fixture(params=[device_descent.BLOCK["cpu"], 5 * N], ids=["one block", "blocks of five units"])
def block(request, monkeypatch):
    monkeypatch.setitem(device_descent.BLOCK, "cpu", request.param)


def pair(outputs, batch, train_outputs, dtype):
    scale, eta = (1.0, 0.005) if train_outputs else (M**-0.5, 0.1)
    arguments = (*problem(outputs), eta, scale, batch, train_outputs, dtype)
    return GradientDescent(*arguments), DeviceDescent(*arguments, device="cpu")


@pytest.mark.parametrize(("dtype", "steps", "error"), [(np.float64, 60, 1e-10), (np.float32, 30, 16 * EPS32)])
@pytest.mark.parametrize(("outputs", "batch", "train_outputs"), CASES)
def test_agrees_with_the_fused_kernel(block, outputs, batch, train_outputs, dtype, steps, error):
    """Every result at every step, relative to its largest entry; no pattern is decided by rounding here."""
    reference, descent = pair(outputs, batch, train_outputs, dtype)
    for _ in range(steps):
        for name in ("hidden", "outputs", "residual"):
            expected, found = getattr(reference, name), getattr(descent, name)
            assert found.dtype == expected.dtype == dtype
            np.testing.assert_allclose(found, expected, rtol=0, atol=error * np.abs(expected).max())
        np.testing.assert_array_equal(descent.patterns, reference.patterns)
        assert descent.loss() == pytest.approx(reference.loss(), rel=2 * error)
        assert descent.remainder() == pytest.approx(reference.remainder(), rel=0, abs=error * reference.loss() ** 0.5)
        reference.step()
        descent.step()
    assert descent.steps == reference.steps
    assert descent.full_batch == reference.full_batch


def test_records_like_the_fused_kernel():
    expected, found = ([*record(descent, 0.1, 20, 1, [0, 3, 20])] for descent in pair(1, N, False, np.float64))
    for table, columns in zip(found, expected):
        assert table.keys() == columns.keys()
        for name, values in columns.items():
            np.testing.assert_allclose(table[name], values, rtol=1e-10, atol=1e-12)


def test_divergence_is_recorded_and_ends_the_run():
    descent = DeviceDescent(*problem(), 100.0, M**-0.5, train_outputs=True, device="cpu")
    metrics, _ = record(descent, 100.0, 1000, 1, [0, 1000])
    assert len(metrics["step"]) < 1000
    assert not metrics["loss"][-1] <= 1e6 * metrics["loss"][0]


@pytest.mark.parametrize("batch", [N, 10])
def test_an_ensemble_is_its_members(block, batch):
    members = [problem(3, seed) for seed in (0, 1)]
    hidden, outputs = (np.stack([member[i] for member in members]) for i in (0, 1))
    x, y = members[0][2:]
    ensemble = DeviceDescent(hidden, outputs, x, y, 0.1, M**-0.5, batch, True, device="cpu")
    single = [DeviceDescent(*member[:2], x, y, 0.1, M**-0.5, batch, True, device="cpu") for member in members]
    for _ in range(20):
        for descent in (ensemble, *single):
            descent.step()
    for name in ("hidden", "outputs", "residual", "patterns"):
        np.testing.assert_allclose(getattr(ensemble, name), [getattr(d, name) for d in single], rtol=0, atol=1e-12)
    np.testing.assert_allclose(ensemble.loss(), [descent.loss() for descent in single], rtol=1e-12)
    np.testing.assert_allclose(ensemble.remainder(), [descent.remainder() for descent in single], atol=1e-12)


@pytest.mark.parametrize("train_outputs", [False, True])
def test_goes_on_from_a_state_with_the_same_bits(train_outputs):
    first, second = (DeviceDescent(*problem(), 0.1, M**-0.5, 10, train_outputs, device="cpu") for _ in range(2))
    for _ in range(7):
        first.step()
    second.restore({name: np.array(value) for name, value in first.state().items()})
    for _ in range(7):
        first.step()
        second.step()
    assert second.steps == 14
    assert second.loss() == first.loss()
    for name, value in first.state().items():
        np.testing.assert_array_equal(second.state()[name], value)


def test_results_are_copies():
    descent = DeviceDescent(*problem(), 0.1, M**-0.5, device="cpu")
    before = [descent.hidden, descent.outputs, descent.residual, descent.patterns]
    for array in before:
        array[:] = 0
    assert all(np.any(array) for array in (descent.hidden, descent.outputs, descent.residual, descent.patterns))


@pytest.mark.parametrize(("change", "line"), [
    ({"batch_size": 7}, "divides the 30 samples"), ({"dtype": np.float16}, "float64 or float32"),
    ({"device": "tpu"}, "device 'tpu': .*allowed: cpu"), ({"device": "cuda"}, "device 'cuda': .*allowed: cpu"),
])
def test_what_it_cannot_do_is_one_line(monkeypatch, change, line):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=line) as error:
        DeviceDescent(*problem(), 0.1, 1.0, **{"device": "cpu", **change})
    assert "\n" not in str(error.value)
