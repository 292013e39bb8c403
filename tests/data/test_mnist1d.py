"""The MNIST-1D stage against the package's own generator."""

import numpy as np
import pytest

from descent.data.mnist1d import Settings, mnist1d, stage
from descent.pipeline.tables import read_table, table_settings


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "mnist1d"
    mnist1d(stage(Settings(num_samples=500), 1).settings, {}, {"table": path})
    return path


def test_there_are_500_unit_vectors_with_fifty_of_each_digit(table):
    data = read_table(table)
    assert data["x"].shape == (500, 40)
    np.testing.assert_allclose(np.sum(data["x"] ** 2, axis=1), 1, rtol=1e-14)
    assert np.bincount(data["digit"]).tolist() == [50] * 10
    assert table_settings(table) == {"num_samples": 500}


def test_samples_are_the_generator_s_own_up_to_their_length(table):
    from mnist1d.data import get_dataset_args, make_dataset

    arguments = get_dataset_args()
    arguments.num_samples, arguments.train_split = 500, 1.0
    made, data = make_dataset(arguments), read_table(table)
    assert len(made["x_test"]) == 0
    np.testing.assert_array_equal(data["digit"], made["y"])
    cosines = np.sum(data["x"] * made["x"], axis=1) / np.linalg.norm(made["x"], axis=1)
    np.testing.assert_allclose(cosines, 1, rtol=1e-14)


def test_the_same_bytes_come_out_again(table, tmp_path):
    np.random.default_rng(0).random()
    mnist1d({"num_samples": 500}, {}, {"table": tmp_path / "again"})
    assert (tmp_path / "again").read_bytes() == table.read_bytes()
