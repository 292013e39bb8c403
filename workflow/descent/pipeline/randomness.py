"""Random generators derived from what a draw is, never from when it happens."""

from __future__ import annotations

import hashlib
from typing import Any

from descent.pipeline.stage import canonical_json


def philox_key(master_seed: int, role: str, replicate: int, **distribution: Any) -> tuple[int, int]:
    """Two 64-bit words: BLAKE2b-128 of (master seed, role, replicate, settings of the distribution).

    `distribution` names only the settings that determine the law of the draw (sizes, scales), so
    that runs which differ in anything else share their data and initialization.
    """
    text = canonical_json([master_seed, role, replicate, distribution])
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def generator(master_seed: int, role: str, replicate: int, **distribution: Any):
    """A numpy Generator on Philox4x64 keyed by `philox_key` of the same arguments."""
    import numpy as np

    key = philox_key(master_seed, role, replicate, **distribution)
    return np.random.Generator(np.random.Philox(key=np.array(key, dtype=np.uint64)))
