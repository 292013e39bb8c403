"""The sample stream against the published test vectors of Philox and the normal distribution."""

import numpy as np
import pytest
from scipy import stats

from descent.dynamics.philox import box_muller, fill_normals, padded, philox4x32, stream_key

# Random123's kat_vectors: counter, key and output of philox4x32-10.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]
KEY = (np.uint32(7), np.uint32(11))


def samples(rows: int, first: int, count: int, key=KEY) -> np.ndarray:
    inputs = np.empty((rows, count), np.float32)
    fill_normals(inputs, first, key)
    return inputs


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers(counter, key, expected):
    words = philox4x32(tuple(map(np.uint32, counter)), tuple(map(np.uint32, key)))
    assert tuple(int(word) for word in words) == expected


def test_box_muller_against_float64(rng):
    words = rng.integers(0, 2**32, (2000, 2), dtype=np.uint32)
    words[:4] = [[0, 0], [2**32 - 1, 2**32 - 1], [0, 2**31], [2**31, 2**30]]
    uniform = (words[:, 0] * 2.0**-32 + 2.0**-33).astype(np.float32)
    radius = np.sqrt(-2 * np.log(uniform.astype(float)))
    angle = 2 * np.pi * words[:, 1] * 2.0**-32
    found = np.array([box_muller(*pair) for pair in words])
    np.testing.assert_allclose(found, np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), atol=2e-6)


def test_samples_do_not_depend_on_blocks():
    whole = samples(8, 100, 64)
    np.testing.assert_array_equal(whole, np.concatenate([samples(8, 100, 23), samples(8, 123, 41)], axis=1))
    np.testing.assert_array_equal(whole[:4], samples(4, 100, 64))


def test_sample_numbers_beyond_32_bits_are_new():
    assert not np.array_equal(samples(4, 5, 8), samples(4, 5 + 2**32, 8))
    np.testing.assert_array_equal(samples(4, 2**32 - 4, 8)[:, 4:], samples(4, 2**32, 4))


def test_normals_are_standard_and_uncorrelated():
    x = samples(16, 0, 250_000).astype(float)
    assert stats.kstest(x.ravel()[::7], "norm").pvalue > 1e-4
    moments = [(x**power).mean() for power in (1, 2, 3, 4)]
    deviations = np.abs(np.array(moments) - [0, 1, 0, 3]) / np.sqrt(np.array([1, 2, 15, 96]) / x.size)
    assert deviations.max() < 5
    correlation = np.corrcoef(x)[np.triu_indices(16, 1)] * np.sqrt(x.shape[1])
    assert np.abs(correlation).max() < 5
    assert abs(np.mean(x[:, 1:] * x[:, :-1]) * np.sqrt(x.size)) < 5


def test_streams_of_different_keys_differ():
    assert not np.array_equal(samples(4, 0, 8), samples(4, 0, 8, (np.uint32(7), np.uint32(12))))


def test_padding_and_keys():
    assert [padded(d) for d in (1, 4, 5, 150)] == [4, 4, 8, 152]
    assert stream_key((0x0123456789ABCDEF, 1)) == (0x89ABCDEF, 0x01234567)
