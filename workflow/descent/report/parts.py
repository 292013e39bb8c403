"""The parts of the report, in their order; each study names the one that it belongs to, as `PART` in its module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PARTS = {
    "descent": ("Gradient descent from the ground up", "What can be said exactly where the Hessian is known: on a "
                "quadratic loss, and on a convex one whose curvature is bounded."),
    "stochastic": ("Stochastic gradients", "What noise in the gradient costs, with a step that stays the same and with "
                   "one that decays."),
    "landscapes": ("Landscapes and minima", "What the losses of networks look like, which of their minimizers a "
                   "penalty selects, and which of them a step size does."),
    "linear": ("Deep linear networks", "Networks that can only represent a matrix, whose training is nonlinear all "
               "the same: what is conserved, what is learnt first, and what depth prefers."),
    "convergence": ("The convergence theorem", "Gradient descent drives the training error of a wide network to zero. "
                    "How much of the theorem, of its lemmas and of its hypothesis shows in a network that can be "
                    "trained?"),
    "kernels": ("Wide networks and their kernels", "A wide network is almost linear in its weights. How nearly, how "
                "long, and for which reason?"),
    "teachers": ("Width and order: networks that learn a network", "Data from a planted network, and students of many "
                 "widths: do larger ones converge faster?"),
    "exact": ("Exact arithmetic", "What an identity or a counterexample has to say when nothing is rounded."),
}


def arranged(studies: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """The parts that have studies: key, title, lead and sections, the studies in the order given.

    `studies`: name of the study -> key of its part. Raises ValueError naming a study whose part is none of `PARTS`.
    """
    for name, part in studies.items():
        if part not in PARTS:
            said = "declares no PART" if part is None else f"declares PART = {part!r}"
            raise ValueError(f"studies.{name}: its module {said} (there are: {', '.join(PARTS)})")
    parts = [{"key": key, "title": title, "lead": lead, "sections": [name for name in studies if studies[name] == key]}
             for key, (title, lead) in PARTS.items()]
    return [part for part in parts if part["sections"]]


def in_order(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    """The studies of `parts` in the order of the report."""
    return [name for part in parts for name in part["sections"]]
