"""The environment of a stage: the same wherever and however it is started."""

from __future__ import annotations

import os
from pathlib import Path

from descent.pipeline.fingerprint import ROOT, digest_text
from descent.pipeline.versions import cpu

# One fixed date for everything that insists on one (2026-01-01T00:00:00Z).
EPOCH = 1767225600
# The last says which of several GPUs a cluster has given to the job.
_KEPT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
_THREADS = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "NUMBA", "VECLIB_MAXIMUM")


def stage_environment(code: str) -> dict[str, str]:
    """Variables of a stage's process: one thread, C locale, UTC, no user configuration, caches of its own.

    `code` is the stage's code digest: numba does not notice changes in the modules that a cached kernel
    calls, so compiled kernels are kept for each digest and CPU type.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    caches = Path(".descent").absolute()
    return {
        **kept,
        **{f"{name}_NUM_THREADS": "1" for name in _THREADS},
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": str(caches / "matplotlib"),
        "NUMBA_CACHE_LOCATOR_CLASSES": "descent.compilation.StageLocator",
        "NUMBA_CACHE_DIR": str(caches / "numba" / f"{code}-{digest_text(cpu())[:8]}"),
    }

