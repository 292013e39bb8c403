"""What a stage is: a function applied to settings and input files, writing output files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


def canonical_json(value: Any) -> str:
    """Text that is equal for equal values: sorted keys, no spaces, shortest floats; raises ValueError on NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


@dataclass(frozen=True)
class Stage:
    """One cached computation.

    `entry` names a function `module:function` called as `function(settings, inputs, outputs)`,
    where `settings` is a dict of JSON values (all that the stage may read), and `inputs` and
    `outputs` map names to paths (an input given as a tuple of paths arrives as a list).
    With `replicates`, the function takes a fourth argument `replicate`, is called once for each,
    every output is a Parquet table, and the tables are joined in the order of `replicates`.
    """

    rule: str
    entry: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str | tuple[str, ...]]
    outputs: Mapping[str, str]
    replicates: tuple[int, ...] = ()
    tools: tuple[str, ...] = ()
    seconds: float = 1.0
    memory_mb: int = 500
    megabytes: float = 0.1

    def __post_init__(self) -> None:
        # Plain JSON values only, so that the settings compare equal with those of a record.
        object.__setattr__(self, "settings", json.loads(canonical_json(self.settings)))
        for asked, most, what in self._demands():
            if not asked <= most:
                path = next(iter(self.outputs.values()))
                raise ValueError(f"{path}: asks for {asked:.3g} {what}; at most {most:.3g} are possible")

    def _demands(self) -> list[tuple[float, float, str]]:
        # Beyond these a setting is a slip of the pen. A command line longer than 128 KiB does not start.
        words = canonical_json([self.settings, self.inputs, self.outputs, self.replicates])
        return [(len(words.encode()), 120_000, "bytes of settings and paths"), (self.seconds, 1e8, "seconds"),
                (self.memory_mb, 1e7, "MB of memory"), (self.megabytes, 1e7, "MB of disk")]

    @property
    def input_paths(self) -> list[str]:
        """All input paths, in the order of the inputs' names as given."""
        paths: list[str] = []
        for value in self.inputs.values():
            paths.extend([value] if isinstance(value, str) else value)
        return paths
