"""Every stage whose loops are checkpointed, interrupted again and again: the same bytes, and no pass done in vain."""

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from descent.pipeline import settings
from descent.pipeline.checkpoint import kept_in
from descent.pipeline.plan import Plan
from tests.in_process import CHECKOUT, run_stage

# Part of the run's name: those with the most to carry.
ENTRIES = {
    "planted_relu:train": "", "width_order:train": "", "convergence_bound:train": "batch=20",
    "kernel_drift:train": "precision=float32", "stagewise:train": "stagewise", "eigenmodes:train": "",
    "joint_training:train": "both",
    "width_experiment:train": "", "matrix_completion:table_runs": "", "edge_of_stability:table_spectrum": "",
    "matrix_sensing:table_descent": "", "matrix_sensing:table_sensing": "", "end_to_end:table_distances": "",
    "saddle_to_saddle:table_paths": "",
}
OTHER = {
    "width_order:train": {"optimizer": {"name": "adam", "batch_size": 2, "rates": [0.003, 30.0]}},
    "edge_of_stability:table_spectrum": {"points": 4}, "matrix_sensing:table_sensing": {"depths": [2]},
    "matrix_sensing:table_descent": {"descent_steps": [0.04, 0.02]},
    "saddle_to_saddle:table_paths": {"ladders": [{"depth": 2, "scales": [0.1, 0.01]}]},
}


class Killed(Exception):
    """Stands for the end of the process at the moment when it would write a checkpoint."""


class Moments:
    """Counts the passes of all loops; with `every`, lets a checkpoint be written now and then and kills in the next."""

    def __init__(self, every: int | None):
        self._draws, self._every, self.passes, self.kills = random.Random(every), every, 0, 0
        self._next = self._draw()

    def _draw(self) -> int | None:
        return None if self._every is None else self.passes + self._draws.randint(2, 2 * self._every)

    def __call__(self) -> bool:
        self.passes += 1
        if self.passes == self._next:
            self.kills += 1
            self._next = self._draw()
            raise Killed
        return self._next is not None and self.passes == self._next - 1


def finish(computation, folder: Path, moments: Moments) -> None:
    """Run it, and again whenever it is killed, in what stands for new processes."""
    while True:
        try:
            with kept_in(folder, 0.0, moments):
                return computation()
        except Killed:
            pass


@pytest.fixture(scope="module")
def plan() -> Plan:
    config = settings.read([str(CHECKOUT / "config.yaml"), str(CHECKOUT / "tests/config.yaml")])
    studies: Mapping = config["studies"]
    return Plan({**config, "studies": {name: studies[name] for name in {e.split(":")[0] for e in ENTRIES}}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("stages")


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_interrupted_stage_gives_the_same_bytes_and_does_no_pass_in_vain(plan, folder, tmp_path, entry, monkeypatch):
    monkeypatch.chdir(CHECKOUT)
    stage = next(stage for stage in plan.stages if stage.entry == f"descent.studies.{entry}"
                 and ENTRIES[entry] in next(iter(stage.outputs.values())))
    stage = replace(stage, replicates=stage.replicates[-1:], settings={**stage.settings, **OTHER.get(entry, {})})
    outputs = [folder / path for path in stage.outputs.values()]
    for needed in plan.upstream([next(iter(stage.outputs.values()))])[:-1]:
        if not all((folder / path).exists() for path in needed.outputs.values()):
            run_stage(needed, folder)
    finish(lambda: run_stage(stage, folder), tmp_path, whole := Moments(None))
    expected = [path.read_bytes() for path in outputs]
    finish(lambda: run_stage(stage, folder), tmp_path, killed := Moments(max(2, whole.passes // 6)))
    assert [path.read_bytes() for path in outputs] == expected
    assert killed.kills >= 2
    assert killed.passes <= whole.passes + killed.kills
