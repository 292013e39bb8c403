"""The device that a study trains on: what the setting asks for and what this machine has."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

DeviceSetting = Literal["auto", "cpu", "cuda"]


def resolve(setting: DeviceSetting) -> str:
    """`cpu` or `cuda`, which becomes part of a stage's settings: `auto` is `cuda` where `has_cuda()`, else `cpu`.

    `cuda` is taken at its word, since the machine that plans (a cluster's login node) need not be the one that
    trains: `Session.refusal` stops a run on this machine, and a stage that finds no GPU stops itself.
    """
    if setting == "auto":
        return "cuda" if has_cuda() else "cpu"
    return setting


@cache
def has_cuda() -> bool:
    """Whether PyTorch can use an NVIDIA GPU here; imports it (a second) only where both seem to be there."""
    if not _nvidia_nodes() or find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def _nvidia_nodes() -> list[Path]:
    return sorted(Path("/dev").glob("nvidia[0-9]*"))
