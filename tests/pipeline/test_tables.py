"""Tables: what is read is what was written, the same content has the same bytes, and damage is named."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from descent.pipeline.sidecar import file_digest
from descent.pipeline.tables import TableError, join_tables, read_table, read_tables, table_settings, write_table

NUMBERS = [np.float64, np.float32, np.int64, np.int8, np.uint64, np.bool_]


@st.composite
def columns(draw):
    rows = draw(st.integers(1, 5))
    found = {}
    for i in range(draw(st.integers(1, 3))):
        shape = draw(st.sampled_from([(rows,), (rows, 3)]))
        found[f"c{i}"] = draw(arrays.arrays(draw(st.sampled_from(NUMBERS)), shape))
    return {**found, "text": draw(st.lists(st.text(max_size=3), min_size=rows, max_size=rows))}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns())
def test_what_is_read_is_what_was_written(tmp_path, written):
    path = tmp_path / "table"
    write_table(path, written)
    first = file_digest(path)
    found = read_table(path)
    assert list(found) == list(written)
    for name, values in written.items():
        if name == "text":
            assert found[name] == values
        else:
            assert found[name].dtype == values.dtype
            np.testing.assert_array_equal(found[name], values)
    write_table(path, written)
    assert file_digest(path) == first


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table"
    write_table(path, {"replicate": [0, 0], "loss": [0.5, np.nan], "w": np.arange(4.0).reshape(2, 2)},
                units={"loss": "nat"}, settings={"eta": 0.1, "name": "größer"})
    return path


def test_units_and_settings_are_in_the_file(table):
    schema = pq.read_schema(table)
    assert {field.name: field.metadata[b"unit"] for field in schema} == {"replicate": b"1", "loss": b"nat", "w": b"1"}
    assert table_settings(table) == {"eta": 0.1, "name": "größer"}


def test_some_columns(table):
    assert set(read_table(table, ["w", "loss"])) == {"w", "loss"}
    with pytest.raises(TableError, match="table: no column accuracy, error"):
        read_table(table, ["loss", "error", "accuracy"])


def test_the_name_of_a_run_s_folder_is_no_column(table):
    run = table.parent / "eta=0.1+init=a"
    run.mkdir()
    moved = table.rename(run / "replicate=3")
    assert list(read_table(moved)) == ["replicate", "loss", "w"]


def test_tables_may_be_empty(tmp_path):
    write_table(tmp_path / "table", {"a": np.zeros(0), "w": np.zeros((0, 3))})
    assert {name: values.shape for name, values in read_table(tmp_path / "table").items()} == {"a": (0,), "w": (0, 3)}


def test_columns_of_unequal_lengths_are_refused(tmp_path):
    with pytest.raises(ValueError, match="length"):
        write_table(tmp_path / "table", {"a": [1], "b": [1, 2]})


def test_missing_values_are_not_numbers(tmp_path):
    write_table(tmp_path / "table", {"a": [1.5, None], "n": [1, None], "t": ["a", None]})
    found = read_table(tmp_path / "table")
    assert np.isnan(found["a"][1])
    assert np.isnan(found["n"][1])
    assert found["t"] == ["a", None]


@pytest.mark.parametrize("damage", [
    lambda data: b"", lambda data: data[:-1], lambda data: data[:10], lambda data: b"text",
    lambda data: data[:20] + bytes(len(data) - 28) + data[-8:], lambda data: None,
])
def test_a_damaged_table_is_named_in_one_line(table, damage):
    data = damage(table.read_bytes())
    table.unlink() if data is None else table.write_bytes(data)
    for function in (read_table, table_settings):
        with pytest.raises(TableError) as raised:
            function(table)
        assert str(raised.value).startswith(f"{table}: not a readable Parquet table (")
        assert "\n" not in str(raised.value)


def test_damaged_contents_are_named(table):
    table.write_bytes(table.read_bytes()[4:])
    with pytest.raises(TableError, match="not a readable Parquet table"):
        read_table(table)


def test_tables_are_joined_in_order_with_the_first_s_metadata(table, tmp_path):
    other = tmp_path / "other"
    write_table(other, {"replicate": [1], "loss": [0.25], "w": np.array([[7.0, 8.0]])}, units={"loss": "nat"},
                settings={"eta": 0.1})
    join_tables([table, other], tmp_path / "joined")
    found = read_table(tmp_path / "joined")
    assert found["replicate"].tolist() == [0, 0, 1]
    np.testing.assert_array_equal(found["w"], [[0.0, 1.0], [2.0, 3.0], [7.0, 8.0]])
    assert table_settings(tmp_path / "joined") == table_settings(table)
    assert pq.read_schema(tmp_path / "joined").field("loss").metadata == {b"unit": b"nat"}


def test_joining_is_the_same_byte_for_byte(table, tmp_path):
    for name in ("first", "second"):
        join_tables([table, table], tmp_path / name)
    assert file_digest(tmp_path / "first") == file_digest(tmp_path / "second")


def test_tables_with_other_columns_are_not_joined(table, tmp_path):
    write_table(tmp_path / "other", {"replicate": [1]})
    with pytest.raises(ValueError, match="[Ss]chema"):
        join_tables([table, tmp_path / "other"], tmp_path / "joined")


def test_tables_of_a_kind_are_read_by_name(table):
    found = read_tables({"metrics_b": table, "spectrum_b": table, "metrics_a": table}, "metrics")
    assert list(found) == ["b", "a"]
    np.testing.assert_array_equal(found["a"]["w"], read_table(table)["w"])
