"""Standard normal inputs by number: sample i of a stream is a function of (key, i) and of nothing else.

Philox4x32-10 (Salmon, Moraes, Dror and Shaw, SC 2011) turns the counter (sample, group of four coordinates)
into four 32-bit words, and the Box-Muller transform these into four normals. A run can therefore stop after
any sample and resume, and every run reads the same stream whatever the order in which runs are made.
"""

from __future__ import annotations

import numpy as np
from numba import float32, int32, njit, uint32, uint64

# `contract` permits fused multiply-adds; NaN and infinity keep their meaning. Division by zero must not raise,
# and calls must be inlined, or the loops over samples are not vectorised.
_compiled = njit(cache=True, fastmath={"contract"}, error_model="numpy", forceinline=True)

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint32(0x9E3779B9), np.uint32(0xBB67AE85))
_SHIFT = np.uint64(32)

_ONE, _TWO = np.float32(1), np.float32(2)
_LN2 = np.float32(np.log(2))
_SQRT_HALF_BITS = np.int32(np.float32(np.sqrt(0.5)).view(np.int32))
_MANTISSA = np.int32(0x7FFFFF)
_TURN = np.float32(2 * np.pi / 2**32)
_EIGHTH, _QUARTER_MASK = np.uint32(1 << 29), np.uint32((1 << 30) - 1)
# Taylor coefficients of sin, cos and artanh: beyond float32 on |angle| <= pi/4 and |z| <= 3 - 2 sqrt(2).
_SIN = tuple(np.float32(c) for c in (-1 / 6, 1 / 120, -1 / 5040, 1 / 362880))
_COS = tuple(np.float32(c) for c in (-1 / 2, 1 / 24, -1 / 720, 1 / 40320))
_ARTANH = tuple(np.float32(c) for c in (1 / 3, 1 / 5, 1 / 7, 1 / 9))


@_compiled
def _round(counter, key, index):
    low = _MULTIPLIERS[0] * uint64(counter[0])
    high = _MULTIPLIERS[1] * uint64(counter[2])
    return (
        uint32(high >> _SHIFT) ^ counter[1] ^ uint32(key[0] + uint32(index) * _WEYL[0]), uint32(high),
        uint32(low >> _SHIFT) ^ counter[3] ^ uint32(key[1] + uint32(index) * _WEYL[1]), uint32(low),
    )


@_compiled
def philox4x32(counter, key):
    """Four random 32-bit words: ten Philox rounds of `counter` (4 x uint32) under `key` (2 x uint32)."""
    counter = _round(counter, key, 0)  # written out: a loop of rounds inside would keep the caller's from vectorising
    counter = _round(counter, key, 1)
    counter = _round(counter, key, 2)
    counter = _round(counter, key, 3)
    counter = _round(counter, key, 4)
    counter = _round(counter, key, 5)
    counter = _round(counter, key, 6)
    counter = _round(counter, key, 7)
    counter = _round(counter, key, 8)
    return _round(counter, key, 9)


@_compiled
def _log(u):
    # u = m 2^e with m in [sqrt(1/2), sqrt(2)), and log m = 2 artanh((m - 1) / (m + 1)).
    bits = np.float32(u).view(np.int32) - _SQRT_HALF_BITS
    mantissa = np.int32((bits & _MANTISSA) + _SQRT_HALF_BITS).view(np.float32)
    z = (mantissa - _ONE) / (mantissa + _ONE)
    q = z * z
    artanh = z * (_ONE + q * (_ARTANH[0] + q * (_ARTANH[1] + q * (_ARTANH[2] + q * _ARTANH[3]))))
    return float32(bits >> np.int32(23)) * _LN2 + _TWO * artanh


@_compiled
def _cos_sin(word):
    # The angle is 2 pi word / 2^32: its quarter turn is exact, and the rest lies within an eighth of a turn.
    turned = uint32(word + _EIGHTH)
    quarter = turned >> uint32(30)
    angle = float32(int32(turned & _QUARTER_MASK) - int32(_EIGHTH)) * _TURN
    q = angle * angle
    sin = angle * (_ONE + q * (_SIN[0] + q * (_SIN[1] + q * (_SIN[2] + q * _SIN[3]))))
    cos = _ONE + q * (_COS[0] + q * (_COS[1] + q * (_COS[2] + q * _COS[3])))
    odd = (quarter & uint32(1)) != uint32(0)
    x = sin if odd else cos
    y = cos if odd else sin
    return -x if quarter == uint32(1) or quarter == uint32(2) else x, -y if quarter >= uint32(2) else y


@_compiled
def box_muller(word, other):
    """Two independent standard normals (float32) from two random words: sqrt(-2 log u) (cos, sin)(2 pi v).

    u = (word + 1/2) / 2^32, rounded to float32, is never 0, so that |normal| <= sqrt(66 log 2) < 6.77.
    """
    radius = np.sqrt(-_TWO * _log(float32(word) * np.float32(2.0**-32) + np.float32(2.0**-33)))
    cos, sin = _cos_sin(other)
    return radius * cos, radius * sin


@_compiled
def fill_normals(inputs, first, key):
    """Fill the columns of `inputs` (coordinates, samples), float32, with samples first, first + 1, ... of a stream.

    Coordinates 4g .. 4g + 3 of sample i are the normals of counter (i mod 2^32, i div 2^32, g, 0); the number of
    rows is a multiple of 4 (`padded`), `key` is a pair of uint32 and `first` a non-negative integer.
    """
    for group in range(inputs.shape[0] // 4):
        for column in range(inputs.shape[1]):
            sample = uint64(first) + uint64(column)
            counter = (uint32(sample), uint32(sample >> _SHIFT), uint32(group), uint32(0))
            words = philox4x32(counter, key)
            inputs[4 * group, column], inputs[4 * group + 1, column] = box_muller(words[0], words[1])
            inputs[4 * group + 2, column], inputs[4 * group + 3, column] = box_muller(words[2], words[3])


def padded(dimension: int) -> int:
    """The least multiple of 4 that is not below `dimension`: rows that `fill_normals` needs."""
    return -(-dimension // 4) * 4


def stream_key(words: tuple[int, int]) -> tuple[np.uint32, np.uint32]:
    """The 64-bit Philox4x32 key in the first of the two 64-bit words of `pipeline.randomness.philox_key`."""
    return np.uint32(words[0] & 0xFFFFFFFF), np.uint32(words[0] >> 32)
