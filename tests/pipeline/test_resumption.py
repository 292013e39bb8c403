"""The smoke pipeline's trainings killed with SIGKILL at more than fifty moments: nothing saved is ever lost again."""

import contextlib
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from descent.pipeline.checkpoint import FOLDER, Keeper
from tests.laboratory import Laboratory, fresh_checkout
from tests.pipeline.test_faults import is_running, wait_until

KILLS = 52
OF_EACH = 4
OF_ALL = {20, 40}  # these take Snakemake along


class Pipeline:
    """Snakemake making `targets`, one stage at a time, and whatever it starts."""

    def __init__(self, laboratory: Laboratory, targets: list[str]):
        self._command = laboratory.command(*targets, "--retries", str(OF_EACH + 1), "--nolock", cores=1)
        self._laboratory, self._printed = laboratory, laboratory.path("snakemake.txt")
        self.start()

    def start(self) -> None:
        with open(self._printed, "ab") as output:
            self.process = subprocess.Popen(
                self._command, cwd=self._laboratory.root, env=self._laboratory.environment(), stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True)

    def stages(self) -> dict[int, list[str]]:
        """Command lines of the stage that runs now: its runner and the process in which it computes."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.getsid(int(folder.name)) == self.process.pid:
                    words = (folder / "cmdline").read_bytes().decode().split("\0")
                    if {"descent", "descent.pipeline.worker"}.intersection(words[1:4]):
                        found[int(folder.name)] = words
        return found

    def runner(self) -> tuple[int, str] | None:
        """The runner's process, and the metrics or table that it makes."""
        for number, words in self.stages().items():
            if "--output" in words:
                return number, words[words.index("--output") + 1].partition("=")[2]
        return None

    def attempts(self) -> Iterator[tuple[int, str]]:
        """Every process of a stage, once each, until Snakemake ends."""
        seen = None
        while self.process.poll() is None:
            found = self.runner()
            if found and found[0] != seen:
                seen = found[0]
                yield found
            time.sleep(0.02)

    def kill(self, runner: int, everything: bool) -> None:
        """Kill one stage, whose own process dies with its runner, or the whole group; Snakemake waits for `go_on`."""
        self.process.send_signal(signal.SIGSTOP)
        killed = self.stages().keys()
        if everything:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        else:
            os.kill(runner, signal.SIGKILL)
        wait_until(lambda: killed.isdisjoint(self.stages()))

    def go_on(self) -> None:
        """Let Snakemake see that the stage has ended; a new one when it has been killed too."""
        self.process.send_signal(signal.SIGCONT)
        if self.process.poll() is not None:
            self.start()

    def end(self) -> int:
        """Snakemake's exit status; killed if it is still there."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()

    def printed(self) -> str:
        """What Snakemake has printed."""
        return self._printed.read_text()


def passes(laboratory: Laboratory) -> list[int]:
    """The passes that are saved in every checkpoint, in the order in which the replicates of a stage were begun."""
    found = []
    for folder in laboratory.path(str(FOLDER)).glob("*"):
        state = Keeper(folder, 0, lambda: True).read("1")
        if state is not None:
            found.append((folder.stat().st_mtime_ns, int(state["passes"])))
    return [count for _, count in sorted(found)]


def written(laboratory: Laboratory) -> dict[str, int]:
    """When each file among the checkpoints was written."""
    found = {}
    for file in laboratory.path(str(FOLDER)).glob("*/*"):
        with contextlib.suppress(OSError):
            found[str(file)] = file.stat().st_mtime_ns
    return found


def wait_for_moment(laboratory: Laboratory, runner: int, draws: random.Random) -> None:
    """A random time after the stage's start, or after its next checkpoint."""
    if draws.random() < 0.3:
        time.sleep(draws.uniform(0.0, 0.6))
        return
    before = written(laboratory)
    wait_until(lambda: written(laboratory) != before or not is_running(runner), 60.0)
    time.sleep(draws.uniform(0.0, 0.2))


@pytest.fixture
def laboratory(smoke, tmp_path) -> Laboratory:
    """A checkout with an empty store, and with the kernels compiled that the smoke laboratory has."""
    fresh = fresh_checkout(tmp_path / "killed")
    fresh.configure("checkpoint_seconds: 0")
    fresh.take_kernels(smoke)
    return fresh


def take_log(laboratory: Laboratory, output: str) -> str:
    """What the killed process has said; taken away, as the next one may be killed before it begins a log of its own."""
    log = laboratory.path(f"{output}.log")
    text = log.read_text() if log.exists() else ""
    log.unlink(missing_ok=True)
    return text


def trainings(smoke: Laboratory) -> list[str]:
    return sorted(path for path in smoke.results() if path.endswith("/metrics.parquet"))


@pytest.fixture
def pipeline(laboratory, smoke) -> Iterator[Pipeline]:
    """The trainings, being made; what a failed test leaves is killed."""
    running = Pipeline(laboratory, trainings(smoke))
    yield running
    running.end()


def test_killed_at_fifty_moments_and_resumed(laboratory, pipeline, smoke):
    """A kill costs at most the pass under way: with `checkpoint_seconds: 0` each one is saved.

    So no process may go on from less than its predecessors had saved. When the trainings are done, all else comes
    from the smoke laboratory's store, as its inputs have the same bytes.
    """
    targets, draws = trainings(smoke), random.Random(6)
    kills, saved, resumed, finished = Counter(), {path: [] for path in targets}, [], set()
    for runner, output in pipeline.attempts():
        if kills.total() >= KILLS or output not in targets or kills[output] == OF_EACH or output in finished:
            continue
        wait_for_moment(laboratory, runner, draws)
        if pipeline.runner() != (runner, output):
            continue
        kills[output] += 1
        pipeline.kill(runner, kills.total() in OF_ALL)
        # Of its replicates the first may be finished and in the store; the others go on from their checkpoints.
        went_on = [int(n) for n in re.findall(r"goes on after (\d+) passes", take_log(laboratory, output))]
        assert went_on == saved[output][len(saved[output]) - len(went_on) :]
        resumed += went_on
        before, saved[output] = saved[output], passes(laboratory)
        if len(saved[output]) < len(before):  # it was just removing them, all being in the store
            finished.add(output)
        else:
            assert all(old <= new for old, new in zip(before, saved[output], strict=False)), (before, saved[output])
        pipeline.go_on()
    assert pipeline.end() == 0, pipeline.printed()
    assert kills.total() >= 50
    assert all(laboratory.record(output)["from_store"] for output in finished)
    assert len(resumed) >= 10  # in the midst of a replicate
    laboratory.configure(f"store: {{path: '{smoke.path('.descent/store')}'}}")
    assert laboratory.run("report").computed == frozenset()
    assert laboratory.results() == smoke.results()
    assert written(laboratory) == {}
    assert not list(laboratory.path("results").rglob(".partial-*"))
