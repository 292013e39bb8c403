"""Data of the page's interactive views: JSON, rounded to what can be seen, the same byte for byte."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MOST_BYTES = 150_000
# What stands for a value that has no logarithm.
NO_LOGARITHM = -32768


def write_view(path: Path, data: Mapping[str, Any]) -> None:
    """Write the data of one view; raises ValueError when it has more than 150 kB."""
    from descent.pipeline.stage import canonical_json

    text = canonical_json(dict(data))
    if len(text.encode()) > MOST_BYTES:
        raise ValueError(f"{path.name}: {len(text.encode())} bytes; the data of a view has at most {MOST_BYTES}")
    path.write_text(text, encoding="utf-8")


def packed(values: np.ndarray, kind: str) -> str:
    """Base64 of the values, in order, as little-endian 16-bit integers: `kind` u2 or i2."""
    import numpy as np

    return base64.b64encode(np.asarray(values).astype(f"<{kind}").tobytes()).decode()


def packed_logarithms(values: np.ndarray) -> dict[str, Any]:
    """Positive values as 16-bit logarithms: value = 10^(q / `per_decade`), q in `logarithms`.

    `per_decade` is the greatest of at most 10,000 with which all fit, so that the rounding is at most a factor
    10^(1 / (2 `per_decade`)): 0.012% over three decades on each side of 1, 0.12% over thirty. What is not positive and
    finite is q = −32768.
    """
    import numpy as np

    values = np.asarray(values, float).ravel()
    valid = np.isfinite(values) & (values > 0)
    decades = np.log10(np.where(valid, values, 1.0))
    per_decade = int(min(10_000, 32_000 / max(np.abs(decades).max(initial=0), 1e-9)))
    found = np.where(valid, np.rint(decades * per_decade), NO_LOGARITHM)
    return {"per_decade": per_decade, "logarithms": packed(found, "i2")}


def thinned(count: int, most: int) -> slice:
    """Every k-th of `count` entries from the first, with the least k that leaves at most `most`."""
    return slice(None, None, -(-count // most))
