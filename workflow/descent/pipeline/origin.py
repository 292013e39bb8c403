"""What a stage is computed from, as it was when its key was made: what comes of anything else belongs to no key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from descent.pipeline.sidecar import file_digest, file_state

State = list[int]


def current_states(paths) -> dict[str, State]:
    """`file_state` of every path; raises OSError when one is missing."""
    return {str(path): file_state(Path(path)) for path in paths}


@dataclass
class Origin:
    """Code and inputs of a stage: digests, and the states of files and folders that show that nobody touched them."""

    rule: str
    entry: str
    replicated: bool
    code: str
    sources: dict[str, State]
    inputs: dict[str, str]
    input_states: dict[str, State]

    def fault(self) -> str | None:
        """What is not as it was, in one line; None when nothing has changed."""
        if self._code_changed():
            return f"{self.rule}: the code changed while the stage ran; run it again"
        for path, state in self.input_states.items():
            if file_state(Path(path)) != state and file_digest(Path(path)) != self.inputs[path]:
                return f"{path}: changed while the stage ran; run it again"
        return None

    def _code_changed(self) -> bool:
        try:
            if current_states(self.sources) == self.sources:
                return False
        except OSError:
            pass  # the closure says whether what is missing matters
        from descent.pipeline.fingerprint import FingerprintError, Fingerprints
        from descent.pipeline.recipes import stage_closure

        fingerprints = Fingerprints()
        try:
            changed = stage_closure(fingerprints, self.entry, self.replicated).digest != self.code
        except FingerprintError:
            return True
        if not changed:  # a comment, a touch
            self.sources = fingerprints.sources
        return changed

    def record(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return dict(vars(self))
