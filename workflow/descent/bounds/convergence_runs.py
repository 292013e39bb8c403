"""The runs of the Theorem-3.2 study: their settings by name, which of them each question is about, what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# The large step, then half and a quarter of it: the limit of gradient flow.
LIMIT = ("digit_full_stable", "digit_full_half", "digit_full_quarter")


def runs_of(settings: Any) -> dict[str, dict[str, Any]]:
    """Settings that name each run, by `LABELS_BATCH_STEP`, from the study's settings (du.6)."""
    rules = {"lr": {"lr": settings.learning_rate}, "stable": {"stable": settings.stable_fraction}}
    batches = {"full": {"batch": "full"}, "mini": {"batch": settings.batch_size}}
    runs = {f"{labels}_{batch}_{rule}": {"network": "theorem", "labels": labels, **batches[batch], **rules[rule]}
            for labels in settings.labels for batch in batches for rule in rules}
    for name, parts in (("half", 2), ("quarter", 4)):
        runs[f"digit_full_{name}"] = {"network": "theorem", "labels": "digit", "batch": "full",
                                      "stable": settings.stable_fraction / parts}
    for batch, rule in (("full", "stable"), ("mini", "stable"), ("full", "lr")):
        runs[f"literal_{batch}_{rule}"] = {"network": "literal", "labels": "digit", **batches[batch], **rules[rule]}
    return runs


def covered(labels: Iterable[str]) -> list[str]:
    """Runs that the theorem is about: scalar outputs, fixed signs and all samples in each step."""
    return [f"{kind}_full_{step}" for kind in labels if kind != "one_hot" for step in ("lr", "stable")]


def compared(names: Iterable[str]) -> list[str]:
    """All runs but those that only repeat another with a part of its step."""
    return [name for name in names if name not in LIMIT[1:]]


def cost(run: Mapping[str, Any], more: Mapping[str, Any], replicates: int) -> dict[str, float]:
    """Seconds on one core, memory in MB and megabytes on disk of a run `run` with the further settings `more`."""
    # Measured at n = 500, d = 40, m = 1000: milliseconds a step.
    milliseconds = (0.8 if run["network"] == "theorem" else 1.2) * (1.5 if run["labels"] == "one_hot" else 1)
    milliseconds = milliseconds if run["batch"] == "full" else 0.22 * milliseconds + 1.3 / more["record_every"]
    scale = replicates * more["width"] / 1000
    return {"seconds": 0.5 + scale * more["steps"] * milliseconds * 1e-3, "memory_mb": 400,
            "megabytes": scale * (0.32 * more["kept_steps"] + 24e-6 * more["steps"] / more["record_every"])}
