"""The synthetic set: its distribution, its teacher, and rows that do not depend on how many there are."""

import numpy as np

from descent.data.synthetic_regression import Settings, stage, synthetic_regression
from descent.pipeline.tables import read_table, table_settings


def made(folder, samples: int, noise: float):
    path = folder / f"{samples} {noise}"
    block = Settings(samples=samples, input_dimension=6, noise=noise)
    synthetic_regression(stage(block, 7).settings, {}, {"table": path})
    return read_table(path), np.array(table_settings(path)["teacher"])


def test_inputs_are_standard_normal_and_the_noise_has_its_size(tmp_path):
    data, teacher = made(tmp_path, 20000, 0.5)
    assert abs(np.linalg.norm(teacher) - 1) < 1e-14
    covariance = data["x"].T @ data["x"] / 20000
    assert np.abs(covariance - np.eye(6)).max() < 5 * np.sqrt(2 / 20000)
    residual = data["y"] - data["x"] @ teacher
    assert abs(residual.var() / 0.25 - 1) < 5 * np.sqrt(2 / 20000)
    assert np.abs(np.corrcoef(data["x"].T, residual)[-1, :-1]).max() < 5 / np.sqrt(20000)


def test_without_noise_the_teacher_is_found_by_least_squares(tmp_path):
    data, teacher = made(tmp_path, 50, 0.0)
    np.testing.assert_allclose(np.linalg.lstsq(data["x"], data["y"], rcond=None)[0], teacher, atol=1e-13)


def test_first_rows_do_not_depend_on_the_number_of_rows(tmp_path):
    few, many = made(tmp_path, 30, 0.5)[0], made(tmp_path, 60, 0.5)[0]
    for name in ("x", "y"):
        np.testing.assert_array_equal(few[name], many[name][:30])
