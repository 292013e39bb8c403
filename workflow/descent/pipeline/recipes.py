"""Recipes and keys: what an output should have been made by, and where the store keeps it.

The *recipe* of a stage is known before anything runs: a digest over its code, settings, versions and
the recipes of its inputs. An output whose record carries another recipe is stale. The *key* is known
when the inputs exist: it has the contents of the inputs instead of their recipes, so that a change
upstream that leaves the bytes alone ends there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from descent.pipeline.fingerprint import Closure, Fingerprints, digest_text
from descent.pipeline.stage import Stage, canonical_json
from descent.pipeline.versions import cpu, runtime_versions

# Code that shapes results without being called by the entry.
_SURROUNDINGS = ("descent.pipeline.environment:stage_environment",)
_JOIN = ("descent.pipeline.tables:join_tables",)


def stage_closure(fingerprints: Fingerprints, entry: str, replicated: bool) -> Closure:
    """The code of a stage: its entry's, and what surrounds every entry."""
    return fingerprints.closure(entry, *_SURROUNDINGS, *(_JOIN if replicated else ()))


class Identity:
    """What a stage is apart from its inputs: entry, code, settings, versions, outputs and replicates."""

    def __init__(self, stage: Stage, fingerprints: Fingerprints, exact: bool = False):
        closure = stage_closure(fingerprints, stage.entry, bool(stage.replicates))
        self.parts = closure.parts
        self.code = closure.digest
        self.versions = runtime_versions(closure.packages, stage.tools)
        self._fields = {
            "entry": stage.entry,
            "code": self.code,
            "settings": stage.settings,
            "versions": self.versions,
            "outputs": sorted(stage.outputs),
            "cpu": cpu() if exact else None,
        }

    def digest(self, inputs: Mapping[str, Any], replicates: tuple[int, ...] | int) -> str:
        """Recipe (given the recipes of the inputs) or key (given their digests), of all replicates or of one."""
        return digest_text(canonical_json({**self._fields, "inputs": inputs, "replicates": replicates}))


def by_name(stage: Stage, value) -> dict[str, Any]:
    """`value(path)` for every input path, under the inputs' names: paths themselves are no part of a key."""
    return {
        name: value(paths) if isinstance(paths, str) else [value(path) for path in paths]
        for name, paths in stage.inputs.items()
    }
