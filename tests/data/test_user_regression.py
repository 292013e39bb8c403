"""A set of the user's own: what is read, and that every bad file is refused by name and line."""

import json
import pickle
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from descent.data.user_regression import Settings, stage, user_regression
from descent.pipeline.plan import Plan
from descent.pipeline.settings import ConfigError, read
from descent.pipeline.tables import TableError, read_table, table_settings
from tests.in_process import CHECKOUT

GOOD = "a,name,b,y\n1,u,2.5,0.5\n2,v,-1,1e1\n4,w,0,3\n8,x,7,-2\n"


def made(folder, text: str = "", name: str = "set.csv", **more):
    path = folder / name
    if text:
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    block = Settings(**{"path": str(path), "inputs": ["a", "b"], "target": "y", **more})
    user_regression(stage(block, 1).settings, {"source": path}, {"table": folder / "table"})
    return read_table(folder / "table"), table_settings(folder / "table")


def test_columns_are_standardized_and_the_metadata_undoes_it(tmp_path):
    data, record = made(tmp_path, GOOD)
    np.testing.assert_allclose(data["x"].mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(data["x"].var(axis=0), 1)
    raw = data["x"][:, 1] * record["scales"]["b"] + record["means"]["b"]
    np.testing.assert_allclose(raw, [2.5, -1, 0, 7])
    np.testing.assert_allclose(data["y"] * record["scales"]["y"] + record["means"]["y"], [0.5, 10, 3, -2])


def test_empty_lines_at_the_end_are_no_rows(tmp_path):
    assert len(made(tmp_path, GOOD + "\n\n")[0]["y"]) == 4


def test_without_standardizing_the_numbers_are_the_file_s(tmp_path):
    data, record = made(tmp_path, GOOD, standardize=False)
    np.testing.assert_array_equal(data["x"], [[1, 2.5], [2, -1], [4, 0], [8, 7]])
    np.testing.assert_array_equal(data["y"], [0.5, 10, 3, -2])
    assert record["scales"] == {"a": 1, "b": 1, "y": 1}


def test_a_column_of_ones_is_an_input_when_nothing_is_standardized(tmp_path):
    text = GOOD.replace("\n2,v,-1", "\n1,v,-1").replace("\n4", "\n1").replace("\n8", "\n1")
    assert np.all(made(tmp_path, text, standardize=False)[0]["x"][:, 0] == 1)


def test_parquet_gives_what_csv_gives(tmp_path):
    table = {"a": [1, 2, 4, 8], "b": [2.5, -1.0, 0.0, 7.0], "y": [0.5, 10.0, 3.0, -2.0], "name": list("uvwx")}
    pq.write_table(pa.table(table), tmp_path / "set.parquet")
    found = made(tmp_path, name="set.parquet")[0]
    expected = made(tmp_path, GOOD)[0]
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize(("text", "message"), [
    (GOOD.replace("2.5", "2,5"), "line 2: 5 cells, not 4"),
    (GOOD.replace("-1", "much"), "line 3, column 'b': 'much' is not a finite number"),
    ("\ufeff" + GOOD.replace("4,w,0", "4,w, "), "line 4, column 'b': the cell is empty"),
    (GOOD.replace("\n4", "\n\n4"), "line 4, column 'a': the cell is empty"),
    (GOOD.replace("1e1", "nan"), "line 3, column 'y': 'nan' is not a finite number"),
    (GOOD.replace("-2", "inf"), "line 5, column 'y': 'inf' is not a finite number"),
    (GOOD.replace("-2", "1_0"), "line 5, column 'y': '1_0' is not a finite number"),
    (GOOD.replace(",b,", ",c,"), "no column 'b' (there are: a, name, c, y)"),
    (GOOD.replace("name", "b"), "2 columns are called 'b'"),
    ("a,b,y\n1,2,3\n2,3,4\n3,4,6\n", "3 rows are too few for 2 inputs; at least 4 are needed"),
    ("a,b,y\n", "0 rows are too few"),
    ("a,b,y\n1,2,3\n1,3,4\n1,4,6\n1,0,5\n", "column 'a' is constant"),
    ("\n", "no column 'a'"),
    (GOOD.encode() + b"\xff\xfe,1,2,3\n", "line 6: not UTF-8 text"),
])
def test_bad_csv_files_are_refused_by_name_and_line(tmp_path, text, message):
    with pytest.raises(TableError) as fault:
        made(tmp_path, text)
    assert str(fault.value).startswith(f"{tmp_path}/set.csv: ")
    assert message in str(fault.value)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(("column", "message"), [
    ([1.0, None, 2.0, 3.0], "row 2, column 'b': not a finite number"),
    ([1.0, 2.0, 2.0, float("inf")], "row 4, column 'b': not a finite number"),
    (["1", "2", "2", "3"], "column 'b' holds string, not numbers"),
    ([2, 2, 2, 2], "column 'b' is constant"),
])
def test_bad_parquet_files_are_refused_by_name_and_row(tmp_path, column, message):
    pq.write_table(pa.table({"a": [1, 2, 4, 8], "b": column, "y": [1, 2, 3, 5]}), tmp_path / "set.parquet")
    with pytest.raises(TableError, match=message):
        made(tmp_path, name="set.parquet")


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    with pytest.raises(TableError, match="not a readable Parquet file"):
        made(tmp_path, GOOD, name="set.parquet")


@pytest.mark.parametrize(("more", "message"), [
    ({"path": "a.pkl"}, "must end in .csv or .parquet"),
    ({"path": "results/data/diabetes.parquet"}, "what the laboratory makes"),
    ({"path": "docs/../results/data/diabetes.parquet"}, "what the laboratory makes"),
    ({"path": "{x}.csv"}, "without braces and ://"),
    ({"path": "s3://bucket/a.csv"}, "without braces and ://"),
    ({"inputs": ["a", "y"]}, "must be different columns"),
    ({"inputs": ["a", "a"]}, "must be different columns"),
])
def test_settings_that_cannot_be_are_refused(tmp_path, more, message):
    with pytest.raises(ValidationError, match=message):
        made(tmp_path, GOOD, **more)


def test_a_missing_file_is_named_when_the_work_is_planned(tmp_path, monkeypatch):
    monkeypatch.chdir(CHECKOUT)
    block = {"path": "docs/absent.csv", "inputs": ["a"], "target": "y"}
    (tmp_path / "mine.yaml").write_text(json.dumps({"data": {"user_regression": block}}))
    with pytest.raises(ConfigError, match="docs/absent.csv: cannot read this source file .No such file"):
        Plan(read(["config.yaml", str(tmp_path / "mine.yaml")]))


FULL = "a,name,b,y\n" + "".join(f"{i},u,{i * i % 7}.5,{i**3 % 11}\n" for i in range(30))


def damaged(rng: random.Random, data: bytes) -> bytes:
    i, j, found = rng.randrange(len(data)), rng.randrange(len(data)), bytearray(data)
    found[i] ^= 1 << rng.randrange(8)
    return rng.choice([
        data[:i], bytes(found), data[:i] + rng.randbytes(rng.randrange(1, 9)) + data[i:], data[:i] + data[i + 9:],
        data[:i] + data[j:j + 40] + data[i:], data[:i] + data[i:i + 1] * 1000 + data[i:]])


@pytest.mark.parametrize("name", ["set.csv", "set.parquet"])
def test_a_damaged_file_is_read_or_refused_in_one_printable_line(tmp_path, name):
    good = FULL.encode()
    if name.endswith("parquet"):
        rows = np.loadtxt(FULL.splitlines(), delimiter=",", skiprows=1, usecols=(0, 2, 3)).T
        pq.write_table(pa.table(dict(zip("aby", rows))), tmp_path / name)
        good = (tmp_path / name).read_bytes()
    rng, refused = random.Random(0), 0
    for _ in range(400):
        line = refusal(tmp_path, damaged(rng, good), name)
        refused += bool(line)
        assert line == "" or line.startswith(f"{tmp_path}/{name}: ")
        assert line.isprintable()
        assert len(line) <= 320 + len(str(tmp_path))
    assert 0 < refused < 400


def refusal(folder, data: bytes, name: str) -> str:
    try:
        found = made(folder, data, name)[0]
    except TableError as error:
        return str(error)
    assert np.isfinite(found["x"]).all()
    return ""


@pytest.mark.parametrize("text", [
    pickle.dumps({"a": 1}), FULL.encode("utf-16"), b"PK\x03\x04" + bytes(50), b'"a\n\x07x",b,y\n1,2,3\n',
    b"a,b,y\n1e308,2,3\n-1e308,3,4\n1,1,1\n0,5,6\n", b"a,b,y\n1e-320,2,3\n2e-320,3,4\n1e-321,1,1\n0,5,6\n",
    b"a,b,y\n" + b"9" * 3_000_000 + b",2,3\n", b",".join(b"c%d" % i for i in range(20000)) + b"\n",
])
@pytest.mark.parametrize("name", ["set.csv", "set.parquet"])
def test_what_is_no_table_of_numbers_is_refused(tmp_path, text, name):
    assert refusal(tmp_path, text, name) != ""


def test_a_small_file_of_many_rows_is_refused_before_it_is_read(tmp_path):
    rows = np.zeros(2 * 10**6)
    pq.write_table(pa.table({"a": rows, "b": rows, "y": rows}), tmp_path / "set.parquet", compression="zstd")
    assert (tmp_path / "set.parquet").stat().st_size < 10**5
    with pytest.raises(TableError, match="2000000 rows of 3 columns are more than 5000000 numbers"):
        made(tmp_path, name="set.parquet")


def test_the_example_is_fisher_s(tmp_path):
    from sklearn.datasets import load_iris

    raw = load_iris().data
    names = ["sepal_length_cm", "sepal_width_cm", "petal_length_cm", "petal_width_cm"]
    block = Settings(path=str(CHECKOUT / "docs" / "iris.csv"), inputs=names[:3], target=names[3], standardize=False)
    user_regression(stage(block, 1).settings, {"source": CHECKOUT / "docs" / "iris.csv"}, {"table": tmp_path / "t"})
    data = read_table(tmp_path / "t")
    np.testing.assert_array_equal(np.column_stack([data["x"], data["y"]]), raw)
