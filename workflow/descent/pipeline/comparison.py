"""Two results side by side: what made them differ, and which verdicts and numbers moved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from descent.pipeline.movement import ABSENT, OTHER_CPU, SAME_CPU, Movement, moved, pairs, same
from descent.pipeline.snapshot import LedgerRow, Record, Snapshot
from descent.pipeline.stage import canonical_json

_REPORT = "report/report.md"  # the stage whose settings are the configuration
_LEDGER_NUMBERS = ("cases", "bound", "observed", "slack")
_LEDGER_TEXTS = ("statement", "kind", "form")


@dataclass(frozen=True)
class Cause:
    """Something that differs (`old` in the first result, `new` in the second) and the outputs made with it."""

    name: str
    old: Any
    new: Any
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClaimMovement:
    """A claim that both results have, its `fields` moved."""

    study: str
    old: LedgerRow
    new: LedgerRow
    fields: tuple[str, ...]


class Comparison:
    """Differences from snapshot `old` to snapshot `new`.

    `tolerance`: relative difference up to which numbers without an interval are the same; by default that of rounding
    on one type of CPU, or on several where the records name several.
    """

    def __init__(self, old: Snapshot, new: Snapshot, tolerance: float | None = None):
        self.old, self.new = old, new
        self.shared = sorted(old.outputs.keys() & new.outputs.keys())
        cpus = {record.cpu for snapshot in (old, new) for record in snapshot.outputs.values()} - {None}
        self.tolerance = (OTHER_CPU if len(cpus) > 1 else SAME_CPU) if tolerance is None else tolerance

    def _records(self, path: str) -> tuple[Record, Record]:
        return self.old.outputs[path], self.new.outputs[path]

    def _tables(self, table: Callable[[Record], Mapping[str, Any]]) -> dict[str, tuple[Mapping, Mapping]]:
        return {path: tuple(map(table, self._records(path))) for path in self.shared}

    @cached_property
    def configured(self) -> list[Cause]:
        """Settings that differ, by their keys in the configuration."""
        old, new = _configuration(self.old), _configuration(self.new)
        return [Cause(*change) for part in sorted(old.keys() & new.keys())
                for change in _changes(old[part], new[part], part)]

    @cached_property
    def derived(self) -> list[Cause]:
        """Settings of stages that differ, other than those of the configuration handed on under their own names."""
        handed_on = {_label(cause.name.rpartition(".")[2], cause.old, cause.new) for cause in self.configured}
        return _grouped(
            (path, *change) for path, settings in self._tables(_settings).items() if path != _REPORT
            for change in _changes(*settings) if _label(change[0].rpartition(".")[2], *change[1:]) not in handed_on
        )

    @cached_property
    def code(self) -> list[Cause]:
        """Definitions `module:name` whose digests differ."""
        return _global_changes({path: (self.old.code[old.code], self.new.code[new.code])
                                for path in self.shared for old, new in [self._records(path)]})

    @cached_property
    def versions(self) -> list[Cause]:
        """Packages, tools and Python whose versions differ, types of CPU, and the functions that stages enter by."""
        others = _grouped((path, name, old, new) for name in ("cpu", "entry") for path in self.shared
                          for old, new in [[getattr(record, name) for record in self._records(path)]]
                          if old != new and None not in (old, new))
        return _global_changes(self._tables(lambda record: record.versions)) + others

    @cached_property
    def sources(self) -> list[Cause]:
        """Files that no stage makes, read by stages with other contents."""
        return _global_changes(self._tables(_sources))

    @cached_property
    def changed_bytes(self) -> list[str]:
        """Outputs of both results whose contents differ."""
        return [path for path in self.shared for old, new in [self._records(path)] if old.digest != new.digest]

    @cached_property
    def unexplained(self) -> list[str]:
        """Outputs whose contents differ though recipe, contents of the inputs and type of CPU are the same."""
        return [path for path in self.changed_bytes for old, new in [self._records(path)]
                if (old.recipe, old.inputs, old.cpu) == (new.recipe, new.inputs, new.cpu)]

    def _claims(self) -> Iterator[tuple[str, LedgerRow | None, LedgerRow | None]]:
        for study in sorted(self.old.claims.keys() & self.new.claims.keys()):
            old, new = ({row.id: row for row in side.claims[study]} for side in (self.old, self.new))
            for name in sorted(old.keys() | new):
                yield study, old.get(name), new.get(name)

    @cached_property
    def claims_in_one(self) -> list[tuple[str, LedgerRow, bool]]:
        """Claims of studies that both results have, but of one result only: study, row, whether it is the new one."""
        return [(study, old or new, old is None) for study, old, new in self._claims() if old is None or new is None]

    @cached_property
    def common_claims(self) -> list[tuple[str, LedgerRow, LedgerRow]]:
        """Claims of both results: study and both rows."""
        return [found for found in self._claims() if None not in found]

    @cached_property
    def claims(self) -> list[ClaimMovement]:
        """Claims whose verdict, control, wording or numbers moved."""
        rows = (ClaimMovement(*found, self._moved_fields(*found[1:])) for found in self.common_claims)
        return [row for row in rows if row.fields]

    def _moved_fields(self, old: LedgerRow, new: LedgerRow) -> tuple[str, ...]:
        texts = (name for name in ("verdict", "control_verdict", *_LEDGER_TEXTS)
                 if getattr(old, name) != getattr(new, name))
        # A sampling claim's observed value is within its interval as long as it is within the bound of that confidence.
        sampled = old.confidence is not None and new.confidence is not None and old.verdict == new.verdict
        numbers = _LEDGER_NUMBERS[:2] if sampled else _LEDGER_NUMBERS
        return (*texts, *(n for n in numbers if not same(getattr(old, n), getattr(new, n), self.tolerance)))

    @cached_property
    def verdicts(self) -> list[ClaimMovement]:
        """Claims whose verdict, or whose control's, moved."""
        return [row for row in self.claims if {"verdict", "control_verdict"} & set(row.fields)]

    @cached_property
    def compared(self) -> list[Movement]:
        """All values that studies of both results have, side by side, under `study.key`."""
        return [found for study in sorted(self.old.values.keys() & self.new.values.keys())
                for found in pairs(self.old.values[study], self.new.values[study], study)]

    @cached_property
    def numbers(self) -> list[Movement]:
        """Values that moved beyond their intervals or the tolerance, the largest relative change first."""
        found = [row for row in self.compared if moved(row.old, row.new, self.tolerance)]
        return sorted(found, key=lambda row: (-row.change, row.key))

    @property
    def differs(self) -> bool:
        """Whether the results differ: verdicts, numbers, what there is, or contents without a cause."""
        return bool(self.claims or self.claims_in_one or self.numbers or self.unexplained
                    or self.old.paths != self.new.paths)


def _label(name: str, old: Any, new: Any) -> tuple[str, ...]:
    return (name, *("" if value is ABSENT else canonical_json(value) for value in (old, new)))


def _grouped(changes: Iterable[tuple[str, str, Any, Any]]) -> list[Cause]:
    groups: dict[tuple[str, ...], Cause] = {}
    for path, name, old, new in changes:
        label = _label(name, old, new)
        outputs = groups[label].outputs if label in groups else ()
        groups[label] = Cause(name, old, new, (*outputs, path))
    return [cause for _, cause in sorted(groups.items())]


def _global_changes(tables: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]]) -> list[Cause]:
    # What a stage begins or ceases to use is a cause only where the other result has it nowhere: else some caller is.
    old_ever, new_ever = (set().union(*(pair[side].items() for pair in tables.values())) for side in (0, 1))
    changes = ((path, name, old.get(name, ABSENT), new.get(name, ABSENT)) for path, (old, new) in tables.items()
               for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name))
    return _grouped(
        change for change in changes
        if not (change[2] is ABSENT and (change[1], change[3]) in old_ever)
        and not (change[3] is ABSENT and (change[1], change[2]) in new_ever)
    )


def _settings(record: Record) -> dict[str, Any]:
    replicates = record.replicates
    if not replicates or "replicates" in record.settings:
        return record.settings
    # 0 … n − 1 are n replicates, as the configuration says it.
    counted = replicates == list(range(len(replicates)))
    return {**record.settings, "replicates": len(replicates) if counted else replicates}


def _configuration(snapshot: Snapshot) -> dict[str, Any]:
    # By the first words of a key: each study and each data set apart, so that one of them alone is no difference.
    parts = {f"data.{record.rule}": {name: value for name, value in record.settings.items() if name != "master_seed"}
             for path, record in snapshot.outputs.items() if path.startswith("data/")}
    if _REPORT in snapshot.outputs:
        settings = snapshot.outputs[_REPORT].settings
        parts.update({f"studies.{name}": block for name, block in settings.get("studies", {}).items()})
        parts[""] = {name: settings.get(name) for name in ("master_seed", "preview")}
        parts["report"] = {"title": settings.get("title")}
    return parts


def _changes(old: Any, new: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted(old.keys() | new.keys()):
            yield from _changes(old.get(name, ABSENT), new.get(name, ABSENT), f"{key}.{name}" if key else name)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (before, after) in enumerate(zip(old, new)):
            yield from _changes(before, after, f"{key}[{place}]")
    elif _label(key, old, old) != _label(key, new, new):
        yield key, old, new


def _sources(record: Record) -> dict[str, str]:
    return {path: digest for path, digest in record.inputs.items() if not path.startswith("results/")}
