"""Finding data sets and studies by file name: the library's only dynamic imports."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def module_names(package: str) -> list[str]:
    """Names of the modules of `descent.PACKAGE` (`studies` or `data`), sorted, private ones left out."""
    path = importlib.import_module(f"descent.{package}").__path__
    return sorted(info.name for info in pkgutil.iter_modules(path) if not info.name.startswith("_"))


def load(package: str, name: str) -> ModuleType:
    """The module `descent.PACKAGE.NAME`; raises KeyError when there is none."""
    if name not in module_names(package):
        raise KeyError(name)
    return importlib.import_module(f"descent.{package}.{name}")


def load_entry(entry: str):
    """The function that an entry `module:function` names; raises ValueError when there is none."""
    module, _, function = entry.partition(":")
    if not module.startswith("descent."):
        raise ValueError(f"entry {entry!r}: must be in the package descent")
    try:
        return getattr(importlib.import_module(module), function)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(f"entry {entry!r}: {error}") from error
