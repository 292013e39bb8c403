"""The diabetes stage against the package's own scaled copy."""

import numpy as np

from descent.data.diabetes import Settings, diabetes, stage
from descent.pipeline.tables import read_table


def test_columns_are_standardized_and_otherwise_the_package_s(tmp_path):
    from sklearn.datasets import load_diabetes

    diabetes(stage(Settings(), 1).settings, {}, {"table": tmp_path / "table"})
    data = read_table(tmp_path / "table")
    scaled, raw = load_diabetes(), load_diabetes(scaled=False)
    assert data["x"].shape == (442, 10)
    for columns in (data["x"], data["y"]):
        np.testing.assert_allclose(columns.mean(axis=0), 0, atol=1e-14)
        np.testing.assert_allclose(np.mean(columns**2, axis=0), 1, rtol=1e-13)
    # The package scales each column to unit length instead.
    np.testing.assert_allclose(data["x"] / np.sqrt(442), scaled.data, atol=1e-13)
    np.testing.assert_allclose(np.corrcoef(data["y"], raw.target)[0, 1], 1, rtol=1e-14)


def test_the_same_bytes_come_out_again(tmp_path):
    for name in ("once", "again"):
        diabetes({}, {}, {"table": tmp_path / name})
    assert (tmp_path / "once").read_bytes() == (tmp_path / "again").read_bytes()
