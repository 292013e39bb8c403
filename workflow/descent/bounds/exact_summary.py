"""The numbers that the section on exact arithmetic shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from descent.bounds.exact_counterexamples import counterexamples
from descent.bounds.exact_descent import exceptional_path, rounded_path
from descent.claims import Claim

# How a claim is checked, where it is not by random rational instances.
SYMBOLIC = ("eth.2a.exact", "eth.2b.exact", "jhu.1c.exact", "jhu.1c.exact_balanced", "jhu.1c.exact_threshold",
            "jhu.2a.exact", "snu.1.exact", "snu.2.exact", "snu.4.exact", "tau.1.1.exact_hessian", "tau.2.3.exact",
            "tau.2.3.exact_affine", "tau.2.3.exact_printed")
INTEGERS = ("tau.2.2.exact_steps", "tau.2.2.exact_harmonic", "du.5.exact")
ENUMERATED = ("du.2.exact_rate", "du.2.exact_rate_printed", "du.2.exact_radius", "du.2.exact_radius_printed",
              "snu.2.exact_limit", "snu.3.exact_exceptional", "tau.4.2.exact", "tau.4.2.exact_printed")


def method(id: str) -> str:
    """`symbolic`, `integers`, `fractions, listed` or `fractions, random`."""
    named = {"symbolic": SYMBOLIC, "integers": INTEGERS, "fractions, listed": ENUMERATED}
    return next((name for name, ids in named.items() if id in ids), "fractions, random")


def summary(claims: Sequence[Claim], draws: np.random.Generator, steps: int) -> dict[str, Any]:
    """Flat values and rows for tables: the claims' methods, the counterexamples, and the exceptional start."""
    printed = [claim for claim in claims if claim.form == "erratum"]
    true = [claim for claim in claims if claim.form != "erratum"]
    rounded = rounded_path(steps)
    found = {
        "rows": [{"id": claim.id, "document": claim.document, "method": method(claim.id)} for claim in claims],
        "counterexamples": counterexamples(draws),
        "statements": len(true), "holding": sum(claim.verdict == "holds" for claim in true),
        "errata": len(printed), "refuted": sum(claim.verdict == "refuted" for claim in printed),
        "cases": sum(claim.cases for claim in true),
        "exact_end": float(np.sum(exceptional_path(steps)[-1] ** 2)) ** 0.5,
        "rounded_least": float(rounded.min()), "rounded_turn": int(rounded.argmin()), "rounded_end": float(rounded[-1]),
    }
    found["findings"] = [
        f"Without any rounding, {found['holding']} of {found['statements']} exact statements hold in all of their "
        f"{found['cases']:,} instances, and {found['refuted']} of {found['errata']} wrong printed forms are refuted by "
        "counterexamples small enough to check by hand (@sec-exact-printed)."]
    return found
