"""Loops that go on where their process was killed: what is kept, what is trusted, and when nothing happens."""

import json
import time

import numpy as np
import pytest

from descent.pipeline import checkpoint
from descent.pipeline.checkpoint import Checkpoint, kept_in
from tests.scratch_library import ScratchLibrary


class Killed(Exception):
    """Stands for the end of the process."""


class Total:
    """A sum, as an object that a loop carries."""

    def __init__(self):
        self.sum = 0.0

    def state(self):
        return {"sum": self.sum}

    def restore(self, state):
        self.sum = float(state["sum"])


def squares(folder, count=6, stop=None, seconds=0.0, current=lambda: True) -> tuple[list[int], float, int]:
    """Rows and sum of a loop that is killed in pass `stop`, and how many passes this call has done."""
    done = 0
    with kept_in(folder, seconds, current):
        total, rows = Total(), []
        for k in Checkpoint(total, rows).over(range(count)):
            if k == stop:
                raise Killed
            total.sum += k
            rows.append(k * k)
            done += 1
    return rows, total.sum, done


@pytest.fixture
def killed(tmp_path):
    """The folder of a loop of six passes that was killed in its fourth."""
    with pytest.raises(Killed):
        squares(tmp_path / "key", stop=3)
    return tmp_path / "key"


def test_a_killed_loop_goes_on_in_its_pass(killed, capfd):
    assert squares(killed) == ([0, 1, 4, 9, 16, 25], 15.0, 3)
    assert capfd.readouterr().err == "descent: loop 1 goes on after 3 passes\n"


def test_a_finished_loop_is_not_run_again(tmp_path):
    assert squares(tmp_path)[2] == 6
    assert squares(tmp_path) == ([0, 1, 4, 9, 16, 25], 15.0, 0)


def test_elsewhere_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = []
    for k in Checkpoint(rows).over(range(3)):
        rows.append(k)
        # Also inside each other.
        assert list(Checkpoint().over("ab", until=lambda: False)) == ["a", "b"]
    assert rows == [0, 1, 2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:10], lambda data: data[:-1],
                                    lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
                                    lambda data: bytes([data[0] ^ 1]) + data[1:], lambda data: bytes(len(data))])
def test_a_damaged_file_is_no_checkpoint(killed, damage):
    file = killed / "1"
    file.write_bytes(damage(file.read_bytes()))
    assert squares(killed) == ([0, 1, 4, 9, 16, 25], 15.0, 6)


@pytest.mark.parametrize("place", ["other key/1", "key/2"])
def test_a_file_of_another_computation_or_loop_is_no_checkpoint(killed, place):
    moved = killed.parent / place
    moved.parent.mkdir(exist_ok=True)
    (killed / "1").rename(moved)
    with kept_in(moved.parent, 0, lambda: True):
        assert [Checkpoint().passes for _ in range(2)] == [0, 0]


def test_a_writing_that_was_killed_leaves_the_one_before(killed):
    (killed / "1.partial").write_bytes(b"half")
    assert squares(killed)[2] == 3
    assert sorted(path.name for path in killed.iterdir()) == ["1"]


@pytest.mark.parametrize("rows", [
    [], [1.5, 2.5], [True, False], ["a", "bcd"], [np.arange(3.0), np.arange(3.0)], [np.eye(2), np.ones((3, 2))],
    [(1, np.float32(0.5), np.arange(2)), (2, np.nan, np.arange(2, 4))], [(0, 0.0, "text"), (1, 0.1, "t")],
    [{"step": 0, "loss": 1.0}, {"step": 1, "loss": np.inf}], [{"x": np.arange(2)}, {"x": np.arange(0)}],
], ids=str)
def test_rows_of_every_form_come_back(tmp_path, rows):
    found: list = []
    with kept_in(tmp_path, 0, lambda: True):
        for row in Checkpoint(found).over(rows):
            found.append(row)
    again: list = []
    with kept_in(tmp_path, 0, lambda: True):
        assert list(Checkpoint(again).over(rows)) == []
    assert [type(row) for row in again if isinstance(row, tuple | dict)] == [
        type(row) for row in rows if isinstance(row, tuple | dict)]
    np.testing.assert_equal(again, rows)


def test_only_arrays_are_written(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"), kept_in(tmp_path, 0, lambda: True):
        for _ in Checkpoint([object()]).over(range(2)):
            pass


def test_an_interval_is_waited_for_and_then_earlier_loops_are_kept_too(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with kept_in(tmp_path, 10.0, lambda: True):
        for clock[0] in Checkpoint(first := [1.0]).over([3.0, 6.0]):
            pass
        first[0] = 2.0  # after its loop
        assert list(tmp_path.iterdir()) == []
        for clock[0] in Checkpoint().over([9.0, 11.0, 12.0, 20.0]):
            pass
    with kept_in(tmp_path, 10.0, lambda: True):
        assert (Checkpoint(first).passes, Checkpoint().passes) == (2, 2)
    assert first == [1.0]


def test_nothing_is_kept_of_what_belongs_to_no_key(tmp_path):
    assert squares(tmp_path / "key", current=lambda: False)[2] == 6
    assert not (tmp_path / "key").exists()


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path, capfd):
    (tmp_path / "file").touch()
    assert squares(tmp_path / "file" / "key")[2] == 6
    line, = capfd.readouterr().err.splitlines()
    assert line.startswith("descent: warning: no checkpoint could be written (")


def test_loops_inside_each_other_are_refused(tmp_path):
    with kept_in(tmp_path, 0, lambda: True):
        next(outer := Checkpoint().over(range(2)))
        with pytest.raises(RuntimeError, match="inside another"):
            Checkpoint()
        outer.close()


def test_what_nobody_went_on_with_is_removed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint.remove_abandoned()
    for name in ("old", "new"):
        (checkpoint.FOLDER / name).mkdir(parents=True)
    monkeypatch.setattr(checkpoint, "_ABANDONED", -3600.0)
    checkpoint.remove_abandoned()
    assert list(checkpoint.FOLDER.iterdir()) == []


TOY = '''
import json, os
from pathlib import Path
from descent.pipeline.checkpoint import Checkpoint

FACTOR = 1

def loop(settings, inputs, outputs):
    rows = []
    for k in Checkpoint(rows).over(range(settings["passes"])):
        rows.append(FACTOR * k)
        with open("passes", "a") as log:
            log.write(f"{k} ")
        action = Path("action")
        if k == 3 and action.exists():
            act(action.read_text())
    outputs["made"].write_text(json.dumps([int(row) for row in rows]))

def act(action):
    os.remove("action")
    if action == "edit":
        source = Path(__file__)
        source.write_text(source.read_text().replace("FACTOR = 1\\n", "FACTOR = 2\\n"))
        Path("action").write_text("kill")
    elif action == "comment":
        Path(__file__).write_text(Path(__file__).read_text() + "# a comment\\n")
        Path("action").write_text("kill")
    elif action == "kill":
        os.kill(os.getpid(), 9)

def table(settings, inputs, outputs, replicate):
    from descent.pipeline.tables import write_table
    loop(settings, inputs, {"made": Path("text")})
    write_table(outputs["made"], {"replicate": [replicate], "x": [replicate]})
'''
NOW = ("--checkpoint-seconds", "0")


@pytest.fixture
def library(tmp_path) -> ScratchLibrary:
    return ScratchLibrary(tmp_path / "a library", TOY)


def passes(library: ScratchLibrary) -> list[int]:
    return list(map(int, (library.root / "passes").read_text().split()))


def kept(library: ScratchLibrary) -> list:
    return list((library.root / ".descent" / "checkpoints").glob("*"))


def run_killed(library: ScratchLibrary, action: str, *words, **more) -> None:
    (library.root / "action").write_text(action)
    assert "killed by SIGKILL" in library.refused(*words, **more)


def test_a_killed_stage_goes_on_and_leaves_nothing(library):
    words = ("loop", {"passes": 6}, "results/a/text.txt", *NOW)
    run_killed(library, "kill", *words)
    assert len(kept(library)) == 1
    library.made(*words)
    assert json.loads((library.root / "results/a/text.txt").read_text()) == [0, 1, 2, 3, 4, 5]
    assert passes(library) == [0, 1, 2, 3, 3, 4, 5]
    assert (library.root / "results/a/text.txt.log").read_text() == "descent: loop 1 goes on after 3 passes\n"
    assert kept(library) == []


def test_replicates_and_settings_have_checkpoints_of_their_own(library):
    words = ("table", {"passes": 6}, "results/a/table.parquet", *NOW)
    run_killed(library, "kill", *words, replicates=[0, 1])
    library.made("table", {"passes": 5}, "results/a/other.parquet", *NOW, replicates=[0])
    assert passes(library)[4:] == [0, 1, 2, 3, 4]
    library.made(*words, replicates=[1, 0])
    assert passes(library)[9:] == [0, 1, 2, 3, 4, 5, 3, 4, 5]
    assert kept(library) == []


def test_seldom_by_default(library):
    run_killed(library, "kill", "loop", {"passes": 6})
    library.made("loop", {"passes": 6})
    assert passes(library) == [0, 1, 2, 3, 0, 1, 2, 3, 4, 5]


def act_at_each(library: ScratchLibrary, action: str) -> None:
    # In pass 3 the action, in pass 5 the end.
    library.toy.write_text(TOY.replace("if k == 3 and", "if k in (3, 5) and"))
    run_killed(library, action, "loop", {"passes": 8}, "results/a/text.txt", *NOW)


def test_what_a_process_computes_after_its_code_was_edited_is_not_kept(library):
    act_at_each(library, "edit")
    library.toy.write_text(library.toy.read_text().replace("FACTOR = 2\n", "FACTOR = 1\n"))
    library.made("loop", {"passes": 8}, "results/a/text.txt", *NOW)
    assert passes(library) == [0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7]


def test_a_comment_does_not_end_the_checkpoints(library):
    act_at_each(library, "comment")
    library.made("loop", {"passes": 8}, "results/a/text.txt", *NOW)
    assert passes(library) == [0, 1, 2, 3, 4, 5, 5, 6, 7]
