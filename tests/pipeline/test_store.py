"""The store: what is fetched is what was put, or nothing."""

import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import time
from pathlib import Path

import fsspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descent.pipeline import store as store_module
from descent.pipeline.remote_store import RemoteStore
from descent.pipeline.store import FolderStore, open_store

KEY = "ab" + "0" * 30
CONTENTS = {"metrics": b"1 2 3" * 1000, "trajectory": b"", "svg": bytes(range(256))}


def files_in(folder: Path, contents: dict[str, bytes]) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in contents}


def destinations(folder: Path) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return {name: folder / name for name in CONTENTS}


def read(files: dict[str, Path]) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in files.items()}


@pytest.fixture(params=["folder", "file", "memory"])
def store(request, tmp_path):
    """Each kind of store, with one entry."""
    path = {"folder": "", "file": "file://", "memory": "memory://"}[request.param] + str(tmp_path / "the store")
    opened = open_store(path)
    opened.put(KEY, files_in(tmp_path / "made", CONTENTS), {"cpu_seconds": 2.5})
    return opened


@pytest.fixture
def folder(tmp_path) -> FolderStore:
    opened = FolderStore(tmp_path / "the store")
    opened.put(KEY, files_in(tmp_path / "made", CONTENTS), {"cpu_seconds": 2.5})
    return opened


def test_no_store():
    assert open_store(None) is None
    assert open_store("") is None


@pytest.mark.parametrize("path", ["nosuch://bucket/a", "memory+nosuch://a"])
def test_an_address_that_cannot_be_opened_is_named(path):
    with pytest.raises(ValueError, match="store " + path.replace("+", r"\+")) as raised:
        open_store(path)
    assert "\n" not in str(raised.value)


def test_what_is_fetched_is_what_was_put(store, tmp_path):
    got = destinations(tmp_path / "got")
    assert store.fetch(KEY, got)["cpu_seconds"] == 2.5
    assert read(got) == CONTENTS


def test_a_store_knows_what_it_holds(store):
    assert store.holds(KEY)
    assert not store.holds("cd" + "0" * 30)


def test_what_was_not_put_is_not_there(store, tmp_path):
    got = destinations(tmp_path / "got")
    assert store.fetch("cd" + KEY[2:], got) is None
    assert list((tmp_path / "got").iterdir()) == []


def test_a_hit_is_a_copy_that_can_be_edited(folder, tmp_path):
    for turn in ("one", "two"):
        got = destinations(tmp_path / turn)
        assert folder.fetch(KEY, got) is not None
        assert all(path.stat().st_nlink == 1 for path in folder.root.rglob("*") if path.is_file())
        for path in got.values():
            path.write_bytes(b"edited")
            os.utime(path, (0, 0))
    assert folder.fetch(KEY, got) is not None
    assert read(got) == CONTENTS


def test_the_store_does_not_follow_later_edits_of_what_was_put(folder, tmp_path):
    files_in(tmp_path / "made", dict.fromkeys(CONTENTS, b"edited"))
    got = destinations(tmp_path / "got")
    assert folder.fetch(KEY, got) is not None
    assert read(got) == CONTENTS


def test_entries_can_be_read_by_whom_the_umask_lets(folder):
    umask = os.umask(0)
    os.umask(umask)
    assert folder._entry(KEY).stat().st_mode & 0o777 == 0o777 & ~umask


def flipped(path: Path) -> None:
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


def replaced_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = {
    "a bit of a file": lambda entry: flipped(entry / "metrics"),
    "a file cut short": lambda entry: os.truncate(entry / "metrics", 100),
    "an empty file": lambda entry: os.truncate(entry / "metrics", 0),
    "a file too long": lambda entry: (entry / "trajectory").write_bytes(b"more"),
    "a missing file": lambda entry: (entry / "svg").unlink(),
    "a folder for a file": lambda entry: replaced_by_folder(entry / "svg"),
    "files exchanged": lambda entry: (entry / "svg").replace(entry / "metrics"),
    "a missing record": lambda entry: (entry / "record.json").unlink(),
    "an empty record": lambda entry: os.truncate(entry / "record.json", 0),
    "a record cut short": lambda entry: os.truncate(entry / "record.json", 40),
    "a record of another kind": lambda entry: (entry / "record.json").write_text("[1]"),
    "a record without digests": lambda entry: (entry / "record.json").write_text('{"cpu_seconds": 1}'),
    "a record without one digest": lambda entry: (entry / "record.json").write_text('{"outputs": {"svg": "0"}}'),
    "a record that is no text": lambda entry: (entry / "record.json").write_bytes(b"\xff\xfe\x00"),
}


# No object store has folders.
REMOTE = [("file", damage) for damage in DAMAGES if damage != "a folder for a file"]


@pytest.mark.parametrize(("kind", "damage"), [*(("folder", damage) for damage in DAMAGES), *REMOTE])
def test_a_damaged_entry_is_not_served_and_can_be_put_again(kind, damage, tmp_path):
    opened = open_store(("file://" if kind == "file" else "") + str(tmp_path / "store"))
    made = files_in(tmp_path / "made", CONTENTS)
    opened.put(KEY, made, {})
    DAMAGES[damage](tmp_path / "store" / KEY[:2] / KEY)
    got = destinations(tmp_path / "got")
    assert opened.fetch(KEY, got) is None
    assert list((tmp_path / "got").iterdir()) == []
    opened.put(KEY, made, {})
    assert opened.fetch(KEY, got) is not None
    assert read(got) == CONTENTS


def test_a_file_in_the_place_of_an_entry_is_not_served(folder, tmp_path):
    shutil.rmtree(folder._entry(KEY))
    folder._entry(KEY).write_bytes(b"not an entry")
    assert folder.fetch(KEY, destinations(tmp_path / "got")) is None
    folder.put(KEY, files_in(tmp_path / "made", CONTENTS), {})
    assert folder.fetch(KEY, destinations(tmp_path / "got")) is not None


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_to_an_entry_s_files_is_ever_served(data, folder, tmp_path):
    shutil.rmtree(folder._entry(KEY), ignore_errors=True)
    folder.put(KEY, files_in(tmp_path / "made", CONTENTS), {"cpu_seconds": 2.5})
    path = folder._entry(KEY) / data.draw(st.sampled_from([*CONTENTS, "record.json"]))
    before = path.read_bytes()
    place = data.draw(st.integers(0, len(before)))
    path.write_bytes(before[:place] + data.draw(st.binary(max_size=3)) + before[place + data.draw(st.integers(0, 3)):])
    got = destinations(tmp_path / "got")
    assert folder.fetch(KEY, got) is None or read(got) == CONTENTS


def test_what_a_killed_writer_left_is_invisible_and_goes_after_a_day(folder, tmp_path):
    partial = folder.root / "partial-0123"
    shutil.copytree(folder._entry(KEY), partial)
    assert folder.evict(1e9, set()) == 0
    assert partial.exists()
    os.utime(partial, (time.time() - 2 * 86400,) * 2)
    assert folder.evict(1e9, set()) == 0
    assert [path.name for path in folder.root.iterdir()] == [KEY[:2]]


def test_a_full_disk_leaves_nothing_behind(folder, tmp_path, monkeypatch):
    def full(source, target):
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module, "copy_file", full)
    with pytest.raises(OSError, match="No space left"):
        folder.put("cd" + KEY[2:], files_in(tmp_path / "made", CONTENTS), {})
    assert folder.fetch(KEY, destinations(tmp_path / "got")) is None
    assert list((tmp_path / "got").iterdir()) == []
    monkeypatch.undo()
    assert [path.name for path in folder.root.rglob("partial-*")] == []
    assert folder.fetch(KEY, destinations(tmp_path / "got")) is not None


def test_a_store_that_cannot_be_made_raises(tmp_path):
    (tmp_path / "store").write_text("a file in the way")
    opened = FolderStore(tmp_path / "store")
    with pytest.raises(OSError, match="store"):
        opened.put(KEY, files_in(tmp_path / "made", CONTENTS), {})
    assert opened.fetch(KEY, destinations(tmp_path / "got")) is None
    assert opened.evict(0, set()) == 0


def test_an_entry_that_cannot_be_read_now_is_kept(folder, tmp_path, monkeypatch):
    def refused(source, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(store_module, "copy_file", refused)
    assert folder.fetch(KEY, destinations(tmp_path / "got")) is None
    monkeypatch.undo()
    assert folder.fetch(KEY, destinations(tmp_path / "got")) is not None


def entries(folder: FolderStore, count: int, tmp_path: Path) -> list[str]:
    """Entries of about 1000 bytes each, the first the least recently used."""
    keys = [f"{i:02x}" + "1" * 30 for i in range(count)]
    for age, key in enumerate(keys):
        folder.put(key, files_in(tmp_path / "made", {"table": bytes(1000)}), {})
        used = time.time() - 1000 + age
        os.utime(folder._entry(key) / "record.json", (used, used))
    return keys


def present(folder: FolderStore) -> set[str]:
    return {path.name for path in folder.root.glob("??/*")}


def test_eviction_takes_the_least_recently_used_and_spares_what_is_needed(tmp_path):
    folder = FolderStore(tmp_path / "store")
    keys = entries(folder, 6, tmp_path)
    assert folder.evict(1e9, set()) == 0
    assert folder.fetch(keys[1], {"table": tmp_path / "got"}) is not None
    freed = folder.evict(4000, keep={keys[0]})
    assert freed >= 3000
    assert present(folder) == {keys[0], keys[1], keys[5]}
    folder.evict(0, keep={keys[5]})
    assert present(folder) == {keys[5]}
    assert list(folder.root.glob("damaged-*")) == []


def test_evicting_at_the_same_time_is_no_fault(tmp_path, monkeypatch):
    folder, other = FolderStore(tmp_path / "store"), FolderStore(tmp_path / "store")
    keys = entries(folder, 6, tmp_path)
    size = store_module._size

    def interrupted(entry):
        other._discard(folder._entry(keys[2]))
        return size(entry)

    monkeypatch.setattr(store_module, "_size", interrupted)
    folder.evict(0, keep={keys[5]})
    assert present(folder) == {keys[5]}


def _put_and_fetch(root: Path, scratch: Path, turns: int) -> None:
    opened, got = FolderStore(root), destinations(scratch)
    for turn in range(turns):
        key = f"{turn % 3:02x}" + "2" * 30
        if opened.fetch(key, got) is not None:
            assert read(got) == CONTENTS
        opened.put(key, files_in(scratch / "made", CONTENTS), {})
        if turn % 7 == 0:
            opened.evict(2000, set())
    opened.evict(0, set())


def test_many_processes_write_fetch_and_evict_the_same_entries(tmp_path):
    context = multiprocessing.get_context("forkserver")
    store = tmp_path / "store"
    processes = [context.Process(target=_put_and_fetch, args=(store, tmp_path / f"process {i}", 60)) for i in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert [path for path in store.iterdir() if len(path.name) > 2] == []


def test_a_remote_entry_without_its_record_is_no_entry(tmp_path):
    opened = RemoteStore(f"memory://{tmp_path}")
    opened.put(KEY, files_in(tmp_path / "made", CONTENTS), {})
    opened.files.rm_file(f"{opened.root}/{KEY[:2]}/{KEY}/record.json")
    assert opened.fetch(KEY, destinations(tmp_path / "got")) is None


def test_a_remote_store_out_of_reach_costs_only_its_use(tmp_path, monkeypatch):
    opened = RemoteStore(f"memory://{tmp_path}")

    def unreachable(*_, **__):
        raise RuntimeError("no route to host")

    for method in ("cat_file", "makedirs"):
        monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, method, unreachable)
    assert opened.fetch(KEY, destinations(tmp_path / "got")) is None
    with pytest.raises(OSError, match="no route to host"):
        opened.put(KEY, files_in(tmp_path / "made", CONTENTS), {})
    assert opened.evict(0, set()) == 0


def test_records_carry_the_digests_of_what_was_put(folder):
    record = json.loads((folder._entry(KEY) / "record.json").read_text())
    digests = {name: hashlib.blake2b(data, digest_size=16).hexdigest() for name, data in CONTENTS.items()}
    assert record["outputs"] == digests
