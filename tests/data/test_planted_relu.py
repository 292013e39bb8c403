"""Teachers: their distribution, and independence of how many are drawn."""

import numpy as np
import pytest

from descent.data.planted_relu import mini_batches, read_teacher, stream, teacher_squares, teachers
from descent.pipeline.tables import TableError, read_table

SIZES = {"master_seed": 1, "input_dimension": 150, "teacher_width": 60, "output_dimension": 10}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("teachers") / "table"
    teachers({**SIZES, "teachers": 6}, {}, {"table": path})
    return path


def test_teachers_have_the_assignment_s_distribution(table):
    draws = [read_teacher(table, i) for i in range(6)]
    output, hidden = (np.concatenate([draw[k].ravel() for draw in draws]) for k in (0, 1))
    assert draws[0][0].shape == (10, 60)
    assert draws[0][1].shape == (150, 60)
    for weights, variance in ((output, 1 / 60), (hidden, 1 / 150)):
        assert abs(weights.mean()) < 5 * np.sqrt(variance / weights.size)
        assert abs(weights.var() / variance - 1) < 5 * np.sqrt(2 / weights.size)


def test_a_teacher_does_not_depend_on_the_others(table, tmp_path):
    teachers({**SIZES, "teachers": 2}, {}, {"table": tmp_path / "two"})
    for few, many in zip(read_teacher(tmp_path / "two", 1), read_teacher(table, 1)):
        np.testing.assert_array_equal(few, many)
    assert not np.array_equal(read_teacher(table, 0)[0], read_teacher(table, 1)[0])


def test_a_missing_teacher_is_named(table):
    with pytest.raises(TableError, match="replicate 6 has no teacher"):
        read_teacher(table, 6)


def test_streams_are_separate():
    keys = [stream(1, role, i, 150) for role in ("training", "mini_batches") for i in range(3)]
    assert len(set(keys)) == 6


def test_mini_batches_agree_with_the_closed_form(table, tmp_path):
    settings = {"master_seed": 1, "replicates": 3, "count": 10, "size": 50}
    mini_batches(settings, {"teachers": table}, {"table": tmp_path / "batches"})
    batches = read_table(tmp_path / "batches")
    assert len(batches["batch"]) == 30
    squares = teacher_squares(batches, 50)
    deviation = np.abs(squares["means"] - squares["expected"]) / squares["errors"]
    assert deviation.max() < 5
    np.testing.assert_allclose(squares["means"], batches["mean_square"].reshape(3, 10).mean(axis=1))
