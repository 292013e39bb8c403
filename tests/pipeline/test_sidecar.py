"""Records beside outputs: digests, states, and what counts as a record."""

import hashlib
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descent.pipeline.sidecar import (
    file_digest,
    file_state,
    read_sidecar,
    recorded_digest,
    same_file,
    sidecar_path,
    write_sidecar,
)

WHOLE = {"digest": "0", "recipe": "1", "inputs": {}, "key": "2"}


@pytest.fixture
def output(tmp_path):
    path = tmp_path / "eta=0.1,init=a b" / "metrics.parquet"
    path.parent.mkdir()
    path.write_bytes(b"contents")
    record = {**WHOLE, "digest": file_digest(path), "state": file_state(path)}
    write_sidecar(path, record, path.with_name("partial"))
    return path


@given(st.binary(max_size=100))
def test_digest_is_blake2b_of_the_bytes(data):
    path = os.memfd_create("data")
    os.write(path, data)
    assert file_digest(f"/proc/self/fd/{path}") == hashlib.blake2b(data, digest_size=16).hexdigest()
    os.close(path)


def test_a_record_is_read_as_it_was_written(output):
    record = read_sidecar(output)
    assert record == {**WHOLE, "digest": file_digest(output), "state": file_state(output)}
    assert sidecar_path(output) == output.parent / ".provenance" / "metrics.parquet.json"
    assert [path.name for path in output.parent.iterdir() if "partial" in path.name] == []


def test_a_record_that_cannot_be_written_leaves_the_old_one(output):
    before = read_sidecar(output)
    with pytest.raises(OSError, match="nowhere"):
        write_sidecar(output, WHOLE, output.parent / "nowhere" / "partial")
    assert read_sidecar(output) == before


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"', "{}", "[" * 100_000, *(
    json.dumps({name: value for name, value in {**WHOLE, "state": []}.items() if name != missing})
    for missing in ("digest", "recipe", "inputs", "key", "state"))], ids=lambda text: text[:60])
def test_a_damaged_record_is_none(output, text):
    sidecar_path(output).write_text(text)
    assert read_sidecar(output) is None


@pytest.mark.parametrize(("name", "value"), [
    ("digest", None), ("recipe", 1), ("state", "then"), ("inputs", []), ("key", {}), ("settings", []), ("parts", "f"),
    ("versions", ["numpy"]), ("replicates", 3), ("cpu_seconds", "long"), ("wall_seconds", []), ("peak_memory_mb", {}),
    ("cpu", 4),
])
def test_a_record_that_says_something_else_than_records_do_is_none(output, name, value):
    write_sidecar(output, {**read_sidecar(output), name: value}, output.with_name("partial"))
    assert read_sidecar(output) is None


def test_an_untouched_file_is_not_read_again(output):
    record = {**read_sidecar(output), "digest": "as recorded"}
    assert recorded_digest(output, record) == "as recorded"


def test_a_touched_file_has_its_digest_still(output):
    os.utime(output, (0, 0))
    record = read_sidecar(output)
    assert record["state"] != file_state(output)
    assert recorded_digest(output, record) == record["digest"]


def test_an_edit_of_the_same_length_and_time_is_noticed(output):
    status = output.stat()
    output.write_bytes(b"CONTENTS")
    os.utime(output, ns=(status.st_atime_ns, status.st_mtime_ns))
    record = read_sidecar(output)
    assert recorded_digest(output, record) != record["digest"]


def test_a_file_put_in_its_place_with_the_same_length_and_time_is_noticed(output):
    status = output.stat()
    other = output.with_name("other")
    other.write_bytes(b"CONTENTS")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(other, output)
    record = read_sidecar(output)
    assert recorded_digest(output, record) != record["digest"]


def test_a_renamed_file_is_the_same_and_an_edited_one_is_not(output):
    before = file_state(output)
    moved = output.rename(output.with_name("moved"))
    assert same_file(before, file_state(moved))
    moved.write_bytes(b"longer contents")
    assert not same_file(before, file_state(moved))
