"""Data of interactive views: what comes back out of the packing, within the rounding that it states."""

import base64

import numpy as np
import pytest

from descent.views import MOST_BYTES, packed, packed_logarithms, thinned, write_view


def unpacked(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), f"<{kind}").astype(int)


def logarithms(found: dict) -> np.ndarray:
    whole = unpacked(found["logarithms"], "i2")
    return np.where(whole == -32768, np.nan, 10.0 ** (whole / found["per_decade"]))


@pytest.mark.parametrize(("decades", "error"), [(0, 1.2e-4), (3, 1.2e-4), (30, 1.2e-3)])
def test_logarithms_come_back_within_the_stated_rounding(rng, decades, error):
    values = 10 ** rng.uniform(-decades, decades, 500)
    back = logarithms(packed_logarithms(values))
    assert np.abs(back / values - 1).max() <= error


def test_what_has_no_logarithm_is_marked():
    back = logarithms(packed_logarithms(np.array([1.0, 0.0, -2.0, np.nan, np.inf, 1e5])))
    assert np.isnan(back).tolist() == [False, True, True, True, True, False]
    assert back[5] == pytest.approx(1e5, rel=1e-3)
    assert np.isnan(logarithms(packed_logarithms(np.zeros(3)))).all()


def test_whole_numbers_come_back():
    values = np.array([[0, 1], [300, 65535]])
    assert unpacked(packed(values, "u2"), "u2").tolist() == [0, 1, 300, 65535]


@pytest.mark.parametrize(("count", "most", "left"), [(400, 200, 200), (240, 200, 120), (60, 200, 60), (401, 200, 134)])
def test_thinning_leaves_at_most_so_many(count, most, left):
    assert len(range(count)[thinned(count, most)]) == left <= most


def test_a_view_that_is_too_large_is_refused(tmp_path):
    path = tmp_path / "all.json"
    write_view(path, {"b": [1], "a": "λ"})
    assert path.read_text("utf-8") == '{"a":"λ","b":[1]}'
    with pytest.raises(ValueError, match=rf"all\.json: \d+ bytes; .* at most {MOST_BYTES}"):
        write_view(path, {"a": "x" * MOST_BYTES})
