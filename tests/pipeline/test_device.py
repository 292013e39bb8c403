"""Which device trains, and what is said where it is not there."""

import sys
from pathlib import Path

import pytest

from descent.pipeline import device, session, settings
from descent.pipeline.plan import Plan
from descent.pipeline.recipes import by_name
from descent.pipeline.sidecar import file_digest
from descent.pipeline.store import open_store

LINE = 'config: studies.convergence_bound.device: "cuda" needs an NVIDIA GPU'


@pytest.fixture
def machine(monkeypatch):
    """Pretends a machine with or without a GPU's device node, an installed torch, and a GPU that this torch can use."""
    device.has_cuda.cache_clear()

    def pretend(node: bool, installed: bool, usable: bool) -> None:
        class Torch:
            class cuda:  # noqa: N801
                is_available = staticmethod(lambda: usable)

        monkeypatch.setattr(device, "_nvidia_nodes", lambda: [Path("/dev/nvidia0")] * node)
        monkeypatch.setattr(device, "find_spec", lambda name: object() if installed else None)
        # None: importing it is an error.
        monkeypatch.setitem(sys.modules, "torch", Torch if node and installed else None)

    yield pretend
    device.has_cuda.cache_clear()


@pytest.mark.parametrize(("node", "installed", "usable", "expected"), [
    (True, True, True, "cuda"), (True, True, False, "cpu"), (True, False, True, "cpu"), (False, True, True, "cpu"),
])
def test_auto_is_a_gpu_only_where_all_is_there_and_asks_torch_last(machine, node, installed, usable, expected):
    machine(node, installed, usable)
    assert device.resolve("auto") == expected


@pytest.mark.parametrize("setting", ["cpu", "cuda"])
def test_a_named_device_is_taken_at_its_word(machine, setting):
    machine(False, False, False)
    assert device.resolve(setting) == setting


def test_a_wrong_device_is_named_with_what_is_allowed():
    config = settings.read(["config.yaml"])
    config["studies"]["convergence_bound"]["device"] = "tpu"
    with pytest.raises(settings.ConfigError, match='device = "tpu": should be .*auto.*cpu.*cuda'):
        settings.validate(config)


def planned(laboratory, monkeypatch) -> session.Session:
    monkeypatch.chdir(laboratory.root)
    laboratory.configure("studies: {convergence_bound: {device: cuda}}")
    return session.Session(Plan(settings.read(["config.yaml", *laboratory.overlays])), ["report"])


@pytest.mark.skipif(device.has_cuda(), reason="this machine has a GPU")
def test_a_local_run_without_the_gpu_refuses_before_any_work_and_a_plan_does_not(laboratory):
    laboratory.configure("studies: {convergence_bound: {device: cuda}}")
    before = laboratory.results()
    done = laboratory.snakemake("report", check=False)
    assert done.returncode != 0
    assert LINE in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert laboratory.results() == before
    assert "settings changed: device" in laboratory.snakemake("-n", "report").stderr


def test_what_the_store_has_needs_no_gpu(laboratory, monkeypatch):
    found = planned(laboratory, monkeypatch)
    monkeypatch.setattr(session, "has_cuda", lambda: False)
    assert found.refusal().startswith(LINE)
    store, record = open_store(found.plan.laboratory.store.path), Path("config.yaml")
    training = [stage for stage in found.plan.stages if stage.settings.get("device") == "cuda"]
    for position, stage in enumerate(training):
        digests = by_name(stage, lambda path: file_digest(Path(path)))
        # Whole, or replicate by replicate.
        for part in stage.replicates if position % 2 else [stage.replicates]:
            assert found.refusal() is not None
            store.put(found.plan.identity(stage).digest(digests, part), {"metrics": record}, {})
    assert len(training) > 2
    assert found.refusal() is None


def test_what_cannot_be_known_yet_is_left_to_the_stage(laboratory, monkeypatch):
    laboratory.path("results/data/mnist1d.parquet").unlink()
    found = planned(laboratory, monkeypatch)
    monkeypatch.setattr(session, "has_cuda", lambda: False)
    assert found.refusal() is None
    laboratory.configure("store: {path: null}")
    assert planned(laboratory, monkeypatch).refusal().startswith(LINE)


def test_a_machine_with_the_gpu_runs(laboratory, monkeypatch):
    found = planned(laboratory, monkeypatch)
    monkeypatch.setattr(session, "has_cuda", lambda: True)
    assert found.refusal() is None
