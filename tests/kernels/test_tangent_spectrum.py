"""Spectra along a kept trajectory against dense linear algebra."""

import numpy as np

from descent.kernels.neural_tangent_kernel import h_patterns
from descent.kernels.tangent_spectrum import ntk_spectrum, spectrum_row
from descent.pipeline.tables import read_table, write_table

RNG = np.random.default_rng(3)
X = RNG.standard_normal((9, 4))
X /= np.linalg.norm(X, axis=1, keepdims=True)
STARTS = RNG.standard_normal((2, 12, 4))
ENDS = STARTS + 0.3 * RNG.standard_normal((2, 12, 4))


def test_row_against_singular_values_and_loops():
    row = spectrum_row(X, ENDS[0], STARTS[0])
    grams = [h_patterns(X, np.array([[w @ x >= 0 for w in weights] for x in X])) for weights in (STARTS[0], ENDS[0])]
    singular = np.linalg.svd(grams[1], compute_uv=False)
    np.testing.assert_allclose([row["lambda_max"], row["lambda_min"]], singular[[0, -1]], atol=1e-14)
    np.testing.assert_allclose(row["kernel_drift"], np.linalg.norm(grams[1] - grams[0], 2))
    assert row["movement"] == max(np.linalg.norm(a - b) for a, b in zip(STARTS[0], ENDS[0], strict=True))
    flips = [(w @ x >= 0) != (v @ x >= 0) for w, v in zip(STARTS[0], ENDS[0], strict=True) for x in X]
    assert row["flipped"] == np.mean(flips)


def test_each_replicate_is_compared_with_its_own_start(tmp_path):
    weights = np.array([STARTS[0], ENDS[0], STARTS[1], ENDS[1]]).reshape(4, -1)
    write_table(tmp_path / "kept", {"replicate": np.array([0, 0, 1, 1]), "step": np.array([0, 5, 0, 5]),
                                    "flow_time": np.zeros(4), "hidden": weights, "crossings": np.zeros(4)})
    write_table(tmp_path / "data", {"x": X})
    ntk_spectrum({}, {"trajectory": tmp_path / "kept", "data": tmp_path / "data"}, {"table": tmp_path / "out"})
    table = read_table(tmp_path / "out")
    expected = [spectrum_row(X, w, s) for s, e in zip(STARTS, ENDS, strict=True) for w in (s, e)]
    for name in ("lambda_min", "movement", "flipped"):
        np.testing.assert_array_equal(table[name], [row[name] for row in expected])
    assert table["movement"][[0, 2]].tolist() == [0, 0]
