"""Numbers of two results side by side: which moved, judged by their intervals where they have them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from descent.pipeline.stage import canonical_json

# What to expect of equal code on one type of CPU, and of rounding that differs between types.
SAME_CPU, OTHER_CPU = 1e-9, 1e-6
# What studies call the estimate in the middle of a bare `low` and `high`.
_CENTRES = ("mean", "share")


class Absent:
    """The value of what only one of two results has."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent()


@dataclass(frozen=True)
class Estimate:
    """A value of the prose; `low` and `high` end its interval where it has one."""

    value: Any
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Movement:
    """A value in two results."""

    key: str
    old: Estimate
    new: Estimate

    @property
    def has_interval(self) -> bool:
        """Whether both values have one."""
        return self.old.low is not None

    @property
    def change(self) -> float:
        """Difference relative to the larger of two numbers; infinite for what is no finite number."""
        old, new = self.old.value, self.new.value
        if not (_finite(old) and _finite(new)):
            return math.inf
        return abs(new - old) / max(abs(old), abs(new)) if old != new else 0.0


def moved(old: Estimate, new: Estimate, tolerance: float) -> bool:
    """Whether two independent estimates differ by more than their intervals allow.

    With centres a, b (a < b) and intervals [l, u] and [l', u'] that is b − a > √((u − a)² + (b − l')²): 0 is outside
    the interval of the difference recovered from the two, of their confidence (Zou and Donner, Statistics in Medicine
    27, 2008). Without intervals, and for what has none: a relative difference of floats above `tolerance`, or any
    difference of other values.
    """
    if same(old.value, new.value, tolerance):
        return False
    if old.low is None or new.low is None:
        return True
    lower, upper = sorted((old, new), key=lambda estimate: estimate.value)
    return upper.value - lower.value > math.hypot(lower.high - lower.value, upper.value - upper.low)


def same(old: Any, new: Any, tolerance: float) -> bool:
    """Whether two JSON values are equal, floats up to a relative `tolerance`."""
    if _number(old) and _number(new) and float in (type(old), type(new)):
        return math.isclose(old, new, rel_tol=tolerance) or (math.isnan(old) and math.isnan(new))
    return type(old) is type(new) and (old is new or canonical_json(old) == canonical_json(new))


def pairs(old: Any, new: Any, key: str = "") -> Iterator[Movement]:
    """All values of two JSON objects side by side, rows of lists matched by what identifies them in both."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _object_pairs(old, new, f"{key}." if key else "")
    elif isinstance(old, list) and isinstance(new, list):
        yield from _list_pairs(old, new, key)
    else:
        yield Movement(key, Estimate(old), Estimate(new))


def _object_pairs(old: Mapping, new: Mapping, prefix: str) -> Iterator[Movement]:
    intervals = _intervals(old, new)
    covered = {name for ends in intervals.values() for name in ends}
    for name, (low, high) in intervals.items():
        estimates = [Estimate(_centre(row, name, low, high), row[low], row[high]) for row in (old, new)]
        yield Movement(prefix + name, *estimates)
    for name in sorted((old.keys() | new.keys()) - covered - intervals.keys()):
        yield from pairs(old.get(name, ABSENT), new.get(name, ABSENT), prefix + name)


def _intervals(old: Mapping, new: Mapping) -> dict[str, tuple[str, str]]:
    # Names of the two ends, by the name of the estimate between them (or by their own where there is none).
    found = {}
    for low in sorted(old.keys() & new.keys()):
        before, is_low, after = _split(low)
        high = "_".join([*before, "high", *after])
        if is_low and all(_finite(row[low]) and _finite(row.get(high)) for row in (old, new)):
            base = "_".join([*before, *after])
            names = [base, f"{base}_mean"] if base else _CENTRES
            inside = [name for name in names if all(_inside(row, low, name, high) for row in (old, new))]
            found[inside[0] if inside else f"{low}..{high}"] = (low, high)
    return found


def _split(name: str) -> tuple[list[str], bool, list[str]]:
    words = name.split("_")
    if "low" not in words:
        return words, False, []
    place = len(words) - 1 - words[::-1].index("low")
    return words[:place], True, words[place + 1:]


def _inside(row: Mapping, low: str, name: str, high: str) -> bool:
    return _finite(row.get(name)) and row[low] <= row[name] <= row[high]


def _centre(row: Mapping, name: str, low: str, high: str) -> float:
    return row[name] if name in row else (row[low] + row[high]) / 2


def _list_pairs(old: list, new: list, key: str) -> Iterator[Movement]:
    columns = _identity(old, new) if all(isinstance(row, Mapping) for row in [*old, *new]) else ()
    if columns:
        before, after = ({_label(row, columns): row for row in rows} for rows in (old, new))
        labels = [*before, *(label for label in after if label not in before)]
    else:
        before, after = dict(enumerate(old)), dict(enumerate(new))
        labels = range(max(len(old), len(new)))
    for label in labels:
        yield from pairs(before.get(label, ABSENT), after.get(label, ABSENT), f"{key}[{label}]")


def _identity(old: list[Mapping], new: list[Mapping]) -> tuple[str, ...]:
    # The columns, at most 3, that tell the rows of either list apart and have most values in common; of several such
    # those with the shortest text, since settings are shorter to write than measurements. Where fewer than half of
    # the rows find each other, their places say more.
    rows, shorter = [*old, *new], min(len(old), len(new))
    names = sorted(set.intersection(*(_telling(row) for row in rows))) if rows else []
    best, common = (), 0
    for size in (1, 2, 3):
        ranked = [(_in_common(old, new, columns), columns) for columns in combinations(names, size)]
        most = max((rank for rank, _ in ranked), default=(0, 0))
        if most[0] > common:
            best, common = next(columns for rank, columns in ranked if rank == most), most[0]
        if common == shorter:
            break
    return best if 2 * common >= shorter else ()


def _telling(row: Mapping) -> set[str]:
    return {name for name, value in row.items() if isinstance(value, str | int | float)}


def _in_common(old: list[Mapping], new: list[Mapping], columns: tuple[str, ...]) -> tuple[int, int]:
    before, after = ([_label(row, columns) for row in rows] for rows in (old, new))
    if len(set(before)) < len(before) or len(set(after)) < len(after):
        return 0, 0
    return len(set(before) & set(after)), -sum(map(len, before + after))


def _label(row: Mapping, columns: tuple[str, ...]) -> str:
    return ",".join(f"{name}={row[name]}" for name in columns)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finite(value: Any) -> bool:
    return _number(value) and math.isfinite(value)
