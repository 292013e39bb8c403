"""A comparison of two results as lines for a terminal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from descent.pipeline.comparison import Cause, ClaimMovement, Comparison
from descent.pipeline.movement import ABSENT, Movement
from descent.pipeline.snapshot import LedgerRow

_SHOWN = 20  # lines of a section that may be long
_ALL = 10**9
_LONG = 60  # characters of a text that is prose


def lines(comparison: Comparison, names: tuple[str, str], everything: bool = False) -> list[str]:
    """What differs, section by section, causes first; long sections are cut unless `everything`."""
    limit = _ALL if everything else _SHOWN
    found = [f"{side}: {name} ({len(snapshot.paths)} outputs)"
             for side, name, snapshot in zip("AB", names, (comparison.old, comparison.new))]
    sections = [*_causes(comparison, limit), *_outputs(comparison, limit), *_results(comparison, limit)]
    for title, rows, most in sections:
        if rows:
            found += ["", title, *(f"  {row}" for row in rows[:most])]
            found += [f"  and {len(rows) - most} more (--all)"] if len(rows) > most else []
    return [*found, "", _summary(comparison)]


def _causes(comparison: Comparison, limit: int) -> list[tuple[str, list[str], int]]:
    return [
        ("Settings that differ", [_cause(cause) for cause in comparison.configured], _ALL),
        ("Settings of stages that differ otherwise", [_cause(cause) for cause in comparison.derived], limit),
        ("Code that differs", _code(comparison.code), limit),
        ("Versions that differ", [_cause(cause) for cause in comparison.versions], _ALL),
        ("Source files that differ", _files(comparison.sources), limit),
    ]


def _outputs(comparison: Comparison, limit: int) -> list[tuple[str, list[str], int]]:
    old, new = comparison.old.paths, comparison.new.paths
    faults = [f"{side}: {path}: {fault}" for side, snapshot in zip("AB", (comparison.old, comparison.new))
              for path, fault in sorted(snapshot.faults.items())]
    return [
        ("Outputs only in A", _folders(old, new), limit),
        ("Outputs only in B", _folders(new, old), limit),
        ("Files that do not have a valid record", faults, _ALL),
        ("Other bytes from the same recipe, inputs and type of CPU", comparison.unexplained, limit),
    ]


def _results(comparison: Comparison, limit: int) -> list[tuple[str, list[str], int]]:
    others = [row for row in comparison.claims if row not in comparison.verdicts]
    with_interval = [_number(row) for row in comparison.numbers if row.has_interval]
    without = [_number(row) for row in comparison.numbers if not row.has_interval]
    return [
        ("Verdicts that moved", [_claim(row) for row in comparison.verdicts], _ALL),
        ("Claims only in one", [_lone_claim(*found) for found in comparison.claims_in_one], _ALL),
        ("Claims that moved under the same verdict", [_claim(row) for row in others], limit),
        ("Numbers that moved beyond their intervals", with_interval, limit),
        (f"Values without an interval that moved (numbers by more than {comparison.tolerance:g} of their size)",
         without, limit),
    ]


def _summary(comparison: Comparison) -> str:
    claims, values = comparison.common_claims, comparison.compared
    within = sum(row.old != row.new for row in values) - len(comparison.numbers)
    return (f"descent: {len(comparison.verdicts)} of {_count(len(claims), 'verdict')} and {len(comparison.numbers)} of "
            f"{_count(len(values), 'value')} moved ({within} more within their intervals or {comparison.tolerance:g}); "
            f"bytes differ in {len(comparison.changed_bytes)} of {_count(len(comparison.shared), 'common output')}")


def _cause(cause: Cause) -> str:
    return f"{cause.name}: {_value(cause.old)} -> {_value(cause.new)}{_readers(cause.outputs)}"


def _readers(outputs: Iterable[str]) -> str:
    studies = Counter(path.split("/")[0] for path in outputs)
    if not studies:
        return ""
    names = list(studies) if len(studies) <= 3 else [*list(studies)[:2], f"{len(studies) - 2} more"]
    return f"  [{_count(studies.total(), 'output')}: {', '.join(names)}]"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _code(causes: list[Cause]) -> list[str]:
    rows = []
    for module, group in groupby(causes, key=lambda cause: cause.name.partition(":")[0]):
        found = list(group)
        old = {cause.name for cause in found if cause.old is not ABSENT}
        new = {cause.name for cause in found if cause.new is not ABSENT}
        kinds = {"changed": old & new, "new": new - old, "gone": old - new}
        text = "; ".join(f"{kind} {_names(names)}" for kind, names in kinds.items() if names)
        rows.append(f"{module}: {text}{_readers(sorted({path for cause in found for path in cause.outputs}))}")
    return rows


def _names(labels: set[str]) -> str:
    return ", ".join(sorted(label.partition(":")[2] for label in labels))


def _files(causes: list[Cause]) -> list[str]:
    kinds = {(True, False): "only in B", (False, True): "only in A", (False, False): "other contents"}
    return [f"{cause.name}: {kinds[cause.old is ABSENT, cause.new is ABSENT]}{_readers(cause.outputs)}"
            for cause in causes]


def _folders(paths: set[str], others: set[str]) -> list[str]:
    # The files of a whole study, of one run, or of one figure, in one line.
    known = {path.split("/")[0] for path in others}
    groups = Counter(_folder(path, known) for path in sorted(paths - others))
    return [f"{name}  [{_count(number, 'file')}]" for name, number in groups.items()]


def _folder(path: str, known: set[str]) -> str:
    words = path.split("/")
    if words[0] not in known:
        return words[0]
    return "/".join(words[:3]) if words[1] == "runs" else path.rpartition(".")[0]


def _claim(row: ClaimMovement) -> str:
    verdicts = [f"{name.replace('_verdict', '')} {getattr(row.old, name)} -> {getattr(row.new, name)}"
                for name in ("verdict", "control_verdict") if name in row.fields]
    wording = [f"other {name}" for name in ("statement", "kind", "form") if name in row.fields]
    # With a moved verdict, what decided it, moved or not.
    shown = ("observed", "bound", "slack") if verdicts else ("cases", "bound", "observed", "slack")
    numbers = [f"{name} {' -> '.join(_texts(getattr(row.old, name), getattr(row.new, name)))}"
               for name in shown if verdicts or name in row.fields]
    return f"{row.study} {row.old.id}: " + ", ".join([*verdicts, *wording, *numbers])


def _lone_claim(study: str, row: LedgerRow, is_new: bool) -> str:
    return f"{study} {row.id}: only in {'B' if is_new else 'A'} ({row.verdict})"


def _number(row: Movement) -> str:
    old, new = row.old, row.new
    if all(isinstance(value, str) and len(value) > _LONG for value in (old.value, new.value)):
        return f"{row.key}: other text"
    texts = _texts(old.value, new.value)
    if row.has_interval:
        lows, highs = _texts(old.low, new.low), _texts(old.high, new.high)
        texts = tuple(f"{text} [{low}, {high}]" for text, low, high in zip(texts, lows, highs))
    return f"{row.key}: {' -> '.join(texts)}"


def _texts(old: Any, new: Any) -> tuple[str, str]:
    # No more digits than it takes to see the difference.
    for digits in (6, 10, 17):
        texts = tuple(f"{value:.{digits}g}" if isinstance(value, float) else _value(value) for value in (old, new))
        if texts[0] != texts[1] or old == new:
            break
    return texts


def _value(value: Any) -> str:
    return "absent" if value is ABSENT else json.dumps(value, sort_keys=True, ensure_ascii=False)
