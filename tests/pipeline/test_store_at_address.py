"""The store at an S3 address: a real server, real clients, and what is not there or may not be written."""

import json
import multiprocessing
import socket
from pathlib import Path

import pytest
import s3fs

from descent.pipeline import remote_store
from descent.pipeline.store import open_store
from tests.laboratory import Laboratory, fresh_checkout
from tests.object_server import ObjectServer, object_server
from tests.scratch_library import ScratchLibrary

KEY = "ab" + "0" * 30
CONTENTS = {"metrics": b"1 2 3" * 1000, "svg": bytes(range(256))}
# Three stages: a data set, trainings in replicates, a figure in three files.
STUDY, TARGET = "width_experiment", "results/width_experiment/figures/predictions.svg"
TOY = '''
import os
from descent.pipeline.tables import write_table

def variables(settings, inputs, outputs):
    outputs["made"].write_text(" ".join(sorted(os.environ)))

def train(settings, inputs, outputs, replicate):
    write_table(outputs["made"], {"x": [float(replicate)]}, {"x": "1"}, settings)
'''


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with object_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def address(server, tmp_path):
    """Of an empty store at the server."""
    return server.store(f"{tmp_path.name}/descent")


@pytest.fixture
def store(server, address, tmp_path, monkeypatch):
    """The same, used by this process."""
    use(server.environment(tmp_path / "home"), monkeypatch)
    return open_store(address)


def use(environment: dict[str, str], monkeypatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()  # they were made for another environment


def files_in(folder: Path, contents: dict[str, bytes]) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in contents}


def test_what_is_fetched_is_what_was_put(store, tmp_path):
    assert store.access()
    got = {name: tmp_path / f"got {name}" for name in CONTENTS}
    assert store.fetch(KEY, got) is None
    assert not store.holds(KEY)
    store.put(KEY, files_in(tmp_path / "made", CONTENTS), {"rule": "train"})
    assert store.holds(KEY)
    assert store.fetch(KEY, got)["rule"] == "train"
    assert {name: path.read_bytes() for name, path in got.items()} == CONTENTS
    entry, = store.entries()
    assert entry.key == KEY
    assert entry.size > sum(map(len, CONTENTS.values()))
    assert store.records([KEY])[KEY]["rule"] == "train"


DAMAGES = {
    "a file cut short": ("metrics", CONTENTS["metrics"][:100]),
    "other bits": ("svg", CONTENTS["svg"][::-1]),
    "a missing file": ("svg", None),
    "a missing record": ("record.json", None),
    "a record cut short": ("record.json", b'{"outputs": {"met'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_not_served_and_is_replaced(store, tmp_path, damage):
    made = files_in(tmp_path / "made", CONTENTS)
    store.put(KEY, made, {})
    name, data = DAMAGES[damage]
    path = f"{store.root}/{KEY[:2]}/{KEY}/{name}"
    store.files.rm_file(path) if data is None else store.files.pipe_file(path, data)
    got = {name: tmp_path / f"got {name}" for name in CONTENTS}
    assert store.fetch(KEY, got) is None
    assert [path for path in got.values() if path.exists()] == []
    store.put(KEY, made, {})
    assert store.fetch(KEY, got) is not None


def contents_by(writer: int, key: str) -> dict[str, bytes]:
    return {name: f"{writer} {key} {name} ".encode() * 3000 for name in CONTENTS}


def _take_turns(address: str, scratch: Path, writer: int, turns: int) -> None:
    store = open_store(address)
    got = {name: scratch / f"got {name}" for name in CONTENTS}
    scratch.mkdir()
    for turn in range(turns):
        key = f"{turn % 2:02x}" + "3" * 30
        if store.fetch(key, got) is not None:
            found = {name: path.read_bytes() for name, path in got.items()}
            assert found in [contents_by(each, key) for each in range(3)]
        if turn % 3 != writer:
            store.put(key, files_in(scratch / "made", contents_by(writer, key)), {})


def test_what_several_write_at_once_with_different_bytes_is_whole_or_not_served(store, address, tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_take_turns, args=(address, tmp_path / f"process {writer}", writer, 25))
                 for writer in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 3


def test_stages_on_two_machines_share_what_they_made_and_see_no_credentials(server, address, tmp_path):
    at = ("--store", address)
    machines = [ScratchLibrary(tmp_path / f"machine {i}", TOY) for i in range(2)]
    for turn, library in enumerate(machines):
        environment = server.environment(tmp_path / f"home {turn}")
        words = ("variables", {}, "results/a/text.txt", *at)
        assert library.made(*words, environment=environment)["from_store"] == bool(turn)
        assert "AWS" not in (library.root / "results/a/text.txt").read_text()
        words = ("train", {}, "results/a/table.parquet", *at)
        record = library.made(*words, environment=environment, replicates=list(range(2 + turn)))
        assert record["computed_replicates"] == ([2] if turn else [0, 1])


def machine(root: Path, store: str, study: str = STUDY) -> Laboratory:
    made = fresh_checkout(root, [study])
    made.configure(json.dumps({"store": {"path": store}}))
    return made


def run(laboratory: Laboratory, monkeypatch, environment: dict[str, str], *arguments: str):
    with monkeypatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return laboratory.run(TARGET, *arguments)


def test_the_first_run_of_a_second_machine_computes_nothing(server, address, tmp_path, monkeypatch):
    first, second = (machine(tmp_path / folder, address) for folder in ("first", "second"))
    ran = run(first, monkeypatch, server.environment(tmp_path / "home 1"))
    assert TARGET in ran.computed
    assert "warning" not in ran.text
    held = server.records(tmp_path.name)
    # The second may not even write.
    with object_server(server.folder, "--read-only") as reading:
        again = run(second, monkeypatch, reading.environment(tmp_path / "home 2"))
        assert again.computed == frozenset()
        assert again.outputs == ran.outputs
        assert again.text.count("warning") == 1
        assert f"descent: warning: the store {address} can only be read" in again.text
        assert second.results() == first.results()
        # What it computes for itself is not added.
        library = ScratchLibrary(tmp_path / "third", TOY)
        environment = reading.environment(tmp_path / "home 3", DESCENT_READ_ONLY_STORE="1")
        words = ("variables", {}, "results/a/text.txt", "--store", address)
        assert not library.made(*words, environment=environment)["from_store"]
    assert server.records(tmp_path.name) == held


def unreachable(server: ObjectServer, home: Path) -> dict[str, dict[str, str]]:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    return {
        "Could not connect to the endpoint URL": server.environment(home, AWS_ENDPOINT_URL=nobody),
        "signature": server.environment(home, AWS_SECRET_ACCESS_KEY="of another"),
    }


def test_an_address_out_of_reach_is_one_line_before_any_work(server, address, tmp_path, monkeypatch):
    laboratory = machine(tmp_path / "a machine", address)
    for reason, environment in unreachable(server, tmp_path / "home").items():
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            done = laboratory.snakemake(TARGET, check=False)
        assert done.returncode != 0
        line, = [line for line in done.stderr.splitlines() if "store" in line]
        assert line.startswith(f"config: store.path = '{address}': ")
        assert reason in line
        assert line.endswith("(or: null, to do without)")
        assert "Traceback" not in done.stderr
        assert not laboratory.path("results").exists()


def test_a_bucket_that_is_not_there_is_not_made(server, store):
    elsewhere = open_store("s3://mistyped/descent")
    with pytest.raises(OSError, match="bucket does not exist"):
        elsewhere.access()
    assert not (server.folder / "mistyped").exists()


def test_an_address_that_does_not_answer_is_not_waited_for(address, server, tmp_path, monkeypatch):
    monkeypatch.setattr(remote_store, "_PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        use(server.environment(tmp_path, AWS_ENDPOINT_URL=silent_address), monkeypatch)
        with pytest.raises(OSError, match="no answer within"):
            open_store(address).access()


def test_the_status_of_a_store_at_an_address(store, address, tmp_path):
    laboratory = machine(tmp_path / "a machine", address)
    store.put(KEY, files_in(tmp_path / "made", CONTENTS), {"rule": "a rare operation"})
    lines = laboratory.stage("store", "--configfile", *laboratory.overlays).stdout.splitlines()
    assert lines[0] == f"store: {address}"
    assert any(line.split() == ["a", "rare", "operation", "1", *line.split()[-2:]] for line in lines)
    assert lines[-1] == "eviction: none; the limit of a store at an address is its owner's to enforce"
