"""One store for many: processes that put, fetch, evict and are killed; checkouts at once; users of a group."""

import contextlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from descent.pipeline.store import FolderStore
from tests.laboratory import Laboratory, fresh_checkout
from tests.pipeline.test_faults import without_privilege

KEYS = [f"{i:02x}" + "4" * 30 for i in range(5)]
NAMES = ("metrics", "trajectory")
# Three stages: a data set, trainings in replicates, a figure in three files.
STUDY, TARGET = "width_experiment", "results/width_experiment/figures/predictions.svg"


def contents_by(writer: int, key: str, repeated: int) -> dict[str, bytes]:
    return {name: f"{writer} {key} {name} ".encode() * repeated for name in NAMES}


def put(store: FolderStore, scratch: Path, writer: int, key: str, repeated: int) -> None:
    files = {name: scratch / name for name in NAMES}
    for name, data in contents_by(writer, key, repeated).items():
        files[name].write_bytes(data)
    store.put(key, files, {"writer": writer})


def fetch(store: FolderStore, scratch: Path, key: str, repeated: int) -> bool:
    """Whether it was there, and then whole: all files as one writer put them."""
    got = {name: scratch / f"got {name}" for name in NAMES}
    record = store.fetch(key, got)
    if record is None:
        assert not any(path.exists() for path in got.values())
        return False
    assert {name: path.read_bytes() for name, path in got.items()} == contents_by(record["writer"], key, repeated)
    return True


def damage(store: FolderStore, draw: random.Random) -> None:
    with contextlib.suppress(FileNotFoundError):  # evicted meanwhile
        files = sorted(store.root.glob("??/*/*"))
        if files:
            os.truncate(draw.choice(files), draw.randrange(40))


def _take_turns(root: Path, scratch: Path, writer: int, turns: int, hits) -> None:
    store, draw = FolderStore(root), random.Random(writer)
    scratch.mkdir()
    for _ in range(turns):
        key, action = draw.choice(KEYS), draw.random()
        if action < 0.45:
            hits.value += fetch(store, scratch, key, 3000)
        elif action < 0.85:
            put(store, scratch, writer, key, 3000)
        elif action < 0.95:
            damage(store, draw)
        else:
            store.evict(400_000, {KEYS[0]})


def test_whatever_many_processes_do_at_once_what_is_fetched_is_whole(tmp_path):
    context = multiprocessing.get_context("forkserver")
    hits = [context.Value("i", 0) for _ in range(8)]
    processes = [context.Process(target=_take_turns, args=(tmp_path / "store", tmp_path / f"{i}", i, 150, hits[i]))
                 for i in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    assert sum(each.value for each in hits) > 0
    assert [path.name for path in (tmp_path / "store").iterdir() if len(path.name) > 2] == []


def _write_for_ever(root: Path, scratch: Path, writer: int) -> None:
    store = FolderStore(root)
    scratch.mkdir(exist_ok=True)
    while True:
        for key in KEYS:
            put(store, scratch, writer, key, 40_000)
        store.evict(0, set())


def test_writers_killed_while_they_write_leave_nothing_that_is_served(tmp_path):
    root, draw = tmp_path / "store", random.Random(0)
    store = FolderStore(root)
    context = multiprocessing.get_context("forkserver")
    end = time.monotonic() + 120
    for turn in range(1000):
        writer = context.Process(target=_write_for_ever, args=(root, tmp_path / "writer", turn))
        before = set(root.glob("partial-*"))
        writer.start()
        while set(root.glob("partial-*")) <= before:  # it has begun to write
            assert time.monotonic() < end
        time.sleep(draw.uniform(0, 0.003))
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        for key in KEYS:
            fetch(store, tmp_path, key, 40_000)
        if len(list(root.glob("partial-*"))) >= 5:
            break
    assert len(list(root.glob("partial-*"))) >= 5, "no writer was killed half way"
    for key in KEYS:
        put(store, tmp_path, 7, key, 40_000)
        assert fetch(store, tmp_path, key, 40_000)
    for leftover in [*root.glob("partial-*"), *root.glob("damaged-*")]:
        os.utime(leftover, (time.time() - 2 * 86400,) * 2)
    store.evict(1e9, set())
    assert [path.name for path in root.iterdir() if len(path.name) > 2] == []
    assert all(fetch(store, tmp_path, key, 40_000) for key in KEYS)


def test_an_entry_put_anew_while_it_was_read_is_not_taken_for_damaged(tmp_path, monkeypatch):
    store, key = FolderStore(tmp_path / "store"), KEYS[0]
    put(store, tmp_path, 1, key, 10)
    read_bytes = Path.read_bytes

    def overtaken(path: Path) -> bytes:
        text = read_bytes(path)
        if path.name == "record.json":
            monkeypatch.undo()
            store.evict(0, set())
            put(store, tmp_path, 2, key, 10)
        return text

    monkeypatch.setattr(Path, "read_bytes", overtaken)
    assert not fetch(store, tmp_path, key, 10)
    assert fetch(store, tmp_path, key, 10)


def test_what_is_made_in_a_folder_of_a_group_is_the_group_s(tmp_path):
    root = tmp_path / "store"
    root.mkdir()
    root.chmod(0o2775)
    umask = os.umask(0o077)
    try:
        put(FolderStore(root), tmp_path, 1, KEYS[0], 10)
    finally:
        os.umask(umask)
    entry = root / KEYS[0][:2] / KEYS[0]
    assert {path.stat().st_mode & 0o777 for path in (entry, entry.parent)} == {0o775}
    assert {path.stat().st_mode & 0o777 for path in entry.iterdir()} == {0o664}


def _as_another_user(root: Path, scratch: Path, group: int) -> None:
    os.setgroups([])
    os.setgid(group)
    os.setuid(54321)
    store = FolderStore(root)
    assert fetch(store, scratch, KEYS[0], 10)
    put(store, scratch, 2, KEYS[0][:2] + "5" * 30, 10)  # in a folder that the other user made
    store.evict(0, set())
    assert store.entries() == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become two users")
def test_another_user_of_the_group_reads_adds_and_evicts(tmp_path):
    # Not below tmp_path, which is closed to others.
    shared = Path("/tmp") / f"descent-{tmp_path.name}-{os.getpid()}"
    (shared / "scratch").mkdir(parents=True)
    try:
        root, group = shared / "store", 54322
        root.mkdir()
        for folder, mode in ((shared, 0o755), (root, 0o2770), (shared / "scratch", 0o777)):
            os.chown(folder, 0, group)
            folder.chmod(mode)
        put(FolderStore(root), tmp_path, 1, KEYS[0], 10)
        user = multiprocessing.get_context("forkserver").Process(target=_as_another_user,
                                                           args=(root, shared / "scratch", group))
        user.start()
        user.join()
        assert user.exitcode == 0
    finally:
        shutil.rmtree(shared)


def checkout(root: Path, store: Path) -> Laboratory:
    made = fresh_checkout(root, [STUDY])
    made.configure(json.dumps({"store": {"path": str(store)}}))
    return made


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Two checkouts that ran at once on one store."""
    folder = tmp_path_factory.mktemp("shared")
    both = [checkout(folder / name, folder / "a store") for name in ("one", "another")]
    running = [subprocess.Popen(each.command(TARGET, cores=1), cwd=each.root, env=each.environment(), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for each in both]
    said = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    return both


def test_two_checkouts_at_once_on_one_store(shared, tmp_path):
    one, another = shared
    assert one.results() == another.results()
    third = checkout(tmp_path / "third", one.root.parent / "a store")
    ran = third.run(TARGET)
    assert ran.computed == frozenset()
    assert ran.served
    assert third.results() == one.results()


def lines_of(laboratory: Laboratory, *words: str) -> dict[str, str]:
    text = laboratory.stage("store", *words, "--configfile", *laboratory.overlays).stdout
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


def test_a_store_that_may_only_be_read_is_said_once(shared, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(shared[0].root.parent / "a store", store)
    laboratory = checkout(tmp_path / "a checkout", store)
    laboratory.configure(json.dumps({"studies": {STUDY: {"replicates": 21}}}))
    folders = [store, *(path for path in store.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        done = subprocess.run(laboratory.command(TARGET), cwd=laboratory.root, env=laboratory.environment(), text=True,
                              capture_output=True, preexec_fn=without_privilege)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "warning" in line] == [
        f"descent: warning: the store {store} can only be read: what it has is taken, what is computed is not added"
    ]
    assert laboratory.record("results/data/synthetic_regression.parquet")["from_store"]
    assert not laboratory.record(TARGET)["from_store"]
    assert lines_of(laboratory)["last run"].startswith(
        "1 of 3 stages and 20 of 21 replicates of the others from the store; ")


def test_the_status_says_what_the_store_holds_and_gave(shared, tmp_path):
    laboratory = checkout(tmp_path / "a checkout", shared[0].root.parent / "a store")
    laboratory.run(TARGET)
    laboratory.run(TARGET)  # nothing to do, nothing to remember
    lines = lines_of(laboratory)
    keys = sorted(path.parent.name for path in (tmp_path / lines["store"]).glob("??/*/record.json"))
    assert int(lines["entries"]) == len(keys) > 3
    size = sum(path.stat().st_size for path in Path(lines["store"]).glob("??/*/*"))
    assert lines["size"].split(" of ")[0] == f"{size / 1024:.3g} KiB"
    assert lines["last run"].startswith("3 of 3 stages from the store; ")
    assert lines["current results"] == lines["last run"] == lines["all runs here (1)"]
    assert lines["eviction"] == "nothing to remove"
    # Another configuration's entries go first, and what the current results need stays.
    laboratory.configure(json.dumps({"store": {"path": "a copy", "limit_gib": 1e-9}}))
    shutil.copytree(lines["store"], laboratory.path("a copy"))
    assert lines_of(laboratory)["eviction"].startswith(f"would remove {len(keys) - 3} entries")
    lines = lines_of(laboratory, "--evict")
    assert lines["entries"] == "3"
    assert lines["eviction"] == "nothing to remove"


@pytest.mark.parametrize(("path", "reason"), [
    ("Makefile", "store Makefile: must be a folder, but something else is there"),
    ("Makefile/store", "does not exist, and cannot be made in Makefile (or: null, to do without)"),
])
def test_a_folder_that_cannot_be_a_store_is_one_line_before_any_work(shared, tmp_path, path, reason):
    laboratory = checkout(tmp_path / "a checkout", Path(path))
    done = laboratory.snakemake(TARGET, check=False)
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if "store" in line]
    assert lines == [f"config: store.path = '{path}': {reason}"]
    assert not laboratory.path("results").exists()
