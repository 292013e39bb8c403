"""Running contenders in turn, each in a process of its own on one core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import median

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def measured(module: str, name: str, words: list[str], cache: Path) -> dict[str, float]:
    """The JSON that `python -m MODULE --contender NAME WORDS…` prints, with the process's CPU seconds as `process`."""
    environment = {**os.environ, **dict.fromkeys(THREADS, "1"), "NUMBA_CACHE_DIR": str(cache),
                   "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}
    command = [sys.executable, "-m", module, "--contender", name, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{module}: {name} {' '.join(words)}: exit status {process.returncode}")
    return {**json.loads(printed), "process": usage.ru_utime + usage.ru_stime}


def rounds(module: str, names: Iterable[str], words: list[str], cache: Path, repeats: int) -> dict[str, list[dict]]:
    """So many measurements of each contender, which take turns."""
    runs: dict[str, list[dict]] = {name: [] for name in names}
    for _ in range(repeats):
        for name, results in runs.items():
            results.append(measured(module, name, words, cache))
    return runs


def medians(runs: dict[str, list[dict]], scope: str) -> dict[str, float]:
    """The median of `scope` for each contender."""
    return {name: median(run[scope] for run in results) for name, results in runs.items()}


def print_ratios(name: str, setting: str, seconds: dict[str, float]) -> None:
    """A line of JSON for each peer: the first of `seconds` is ours."""
    ours, *peers = seconds.items()
    for peer, peer_seconds in peers:
        print(json.dumps({"name": name, "setting": setting, "ours_s": ours[1], "peer": peer, "peer_s": peer_seconds,
                          "ratio": peer_seconds / ours[1]}), flush=True)
