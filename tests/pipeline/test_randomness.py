"""Streams: the same draw for the same purpose, independent draws for different ones."""

import hashlib
import itertools
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descent.pipeline.randomness import generator, philox_key

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.tuples(st.integers(0, 2**63 - 1), st.text(max_size=5), st.integers(0, 1000),
                  st.dictionaries(st.sampled_from(["width", "scale"]), NUMBERS))


def test_a_stream_is_what_it_was_when_this_was_written():
    digest = hashlib.blake2b(b'[1,"teacher",0,{"width":60}]', digest_size=16).digest()
    assert philox_key(1, "teacher", 0, width=60) == struct.unpack("<QQ", digest)
    np.testing.assert_array_equal(generator(1, "teacher", 0, width=60).standard_normal(2),
                                  [0.40184600691550476, 2.2887553965407514])


def test_the_order_of_settings_and_of_draws_does_not_matter():
    assert philox_key(1, "a", 0, width=1, scale=2.0) == philox_key(1, "a", 0, scale=2.0, width=1)
    first = generator(1, "a", 0).random(3)
    generator(1, "b", 0).random(5)
    np.testing.assert_array_equal(generator(1, "a", 0).random(3), first)


@given(first=WORDS, second=WORDS)
def test_different_purposes_have_different_keys(first, second):
    (*words, distribution), (*other_words, other) = first, second
    if (words, distribution) != (other_words, other):
        assert philox_key(*words, **distribution) != philox_key(*other_words, **other)


def test_keys_are_two_words_of_64_bits():
    for replicate in range(50):
        assert all(0 <= word < 2**64 for word in philox_key(2**63 - 1, "a", replicate))


def test_streams_are_uncorrelated():
    streams = [generator(seed, role, replicate).standard_normal(4000)
               for seed, role, replicate in itertools.product((1, 2), ("teacher", "data"), (0, 1))]
    correlations = np.corrcoef(streams)[np.triu_indices(8, 1)]
    # 28 correlations, each N(0, 1/4000): beyond 5 standard deviations with probability 2e-5.
    assert np.abs(correlations).max() < 5 / np.sqrt(4000)


def test_what_is_no_plain_number_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        philox_key(1, "a", 0, scale=float("inf"))
    with pytest.raises(TypeError):
        philox_key(1, "a", 0, width=np.int64(3))
