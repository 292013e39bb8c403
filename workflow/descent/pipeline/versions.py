"""Versions of what a stage runs on: third-party packages, native tools, Python and the CPU."""

from __future__ import annotations

import os
import platform
import site
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

# Import names whose distribution is called otherwise, and packages whose results depend on another one's version.
_DISTRIBUTIONS = {
    "PIL": "pillow", "fontTools": "fonttools", "pypandoc": "pypandoc_binary", "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}
_COMPANIONS = {
    "numba": ("llvmlite",), "scipy": ("numpy",), "sympy": ("mpmath",), "mnist1d": ("numpy", "scipy"),
    "matplotlib": ("contourpy", "fonttools", "kiwisolver", "numpy", "pillow"),
}


@cache
def _installed() -> dict[str, str]:
    versions = {}
    # Where a stage's process finds packages: not the user's own folder, nor what PYTHONPATH names.
    for folder in site.getsitepackages():
        if os.path.isdir(folder):
            for name in os.listdir(folder):
                if name.endswith(".dist-info"):
                    distribution, _, version = name.removesuffix(".dist-info").partition("-")
                    versions.setdefault(distribution.lower().replace("-", "_"), version)
    return versions


def package_versions(packages: Iterable[str]) -> dict[str, str]:
    """Installed version of each import name, and of what its results depend on; `absent` if not installed."""
    names = {companion for package in packages for companion in (package, *_COMPANIONS.get(package, ()))}
    distributions = sorted(_DISTRIBUTIONS.get(name, name) for name in names)
    return {name: _installed().get(name.lower().replace("-", "_"), "absent") for name in distributions}


def runtime_versions(packages: Iterable[str], tools: Iterable[str]) -> dict[str, str]:
    """Versions of packages and native tools, and Python's minor version."""
    versions = package_versions(packages)
    if tools:
        from descent.report.tools import tool_version

        versions.update({tool: tool_version(tool) for tool in sorted(tools)})
    return {**versions, "python": f"{sys.version_info.major}.{sys.version_info.minor}"}


@cache
def cpu() -> str:
    """The CPU's model name and the widest vector instructions that it has."""
    model, flags = platform.machine(), ""
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            elif key.strip() == "flags":
                flags = value
                break
    widest = next((flag for flag in ("avx512f", "avx2", "avx", "sse4_2") if f" {flag} " in f" {flags} "), "")
    return f"{model} {widest}".strip()
