"""Whether the ledger lets a run pass."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from descent.claims import Claim, defects, read_claims


class LedgerDefects(RuntimeError):
    """A theorem is refuted or a negative control was not rejected; one line for each."""


def verdict(settings: dict[str, Any], inputs: dict[str, Path], outputs: dict[str, Path]) -> None:
    """Write how many claims got which verdict; raises LedgerDefects when the ledger has a defect."""
    claims = read_claims(inputs["claims"])
    found = defects(claims)
    if found:
        raise LedgerDefects("\n".join(found))
    outputs["verdict"].write_text(summary(claims))


def summary(claims: list[Claim]) -> str:
    """One line for each verdict, errata apart, which are to be refuted, and one for the controls, as text."""
    verdicts = Counter(claim.verdict for claim in claims if claim.form != "erratum")
    errata = Counter(claim.verdict for claim in claims if claim.form == "erratum")
    controls = Counter(claim.control_verdict for claim in claims if claim.control_verdict)
    lines = [f"{count} {name}" for name, count in sorted(verdicts.items())]
    lines += [f"{count} errata {name}" for name, count in sorted(errata.items())]
    lines += [f"{count} negative controls {name}" for name, count in sorted(controls.items())]
    return "\n".join(lines) + "\n"
