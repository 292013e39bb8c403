"""Compiled functions on disk, where several processes compile at once and files may be damaged or not be written.

numba keeps one index for all versions of a function, numbering their files: two processes that compile different
versions at once give both the same number, and a later one then runs the code that belongs to other constants.
Nor would it notice a damaged file before running what is in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os

from numba.core import caching

_DIGEST_SIZE = 16


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_SIZE).digest()


class CompiledFiles(caching.IndexDataCacheFile):
    """One file for each compiled version, named after all that tells it from others, and ending in its digest."""

    def _label(self, key) -> str:
        return repr((self._version, self._source_stamp, key))

    def _name(self, key) -> str:
        return f"{self._index_name.removesuffix('.nbi')}.{_digest(self._label(key).encode()).hex()}.nbc"

    def save(self, key, data) -> None:
        """Keep a compiled version; where that cannot be done, only its reuse is lost."""
        content = self._dump((self._label(key), data))
        with contextlib.suppress(OSError), self._open_for_write(self._data_path(self._name(key))) as file:
            file.write(content + _digest(content))

    def load(self, key):
        """The compiled version; None when it is not there or damaged."""
        with contextlib.suppress(OSError):
            with open(self._data_path(self._name(key)), "rb") as file:
                content = file.read()
            if _digest(content[:-_DIGEST_SIZE]) == content[-_DIGEST_SIZE:]:
                label, data = self._load_data(self._name(key))
                return data if label == self._label(key) else None
        return None


class StageLocator(caching.UserProvidedCacheLocator):
    """The folder that the environment names; one that cannot be written is no fault."""

    def ensure_cache_path(self) -> None:
        """Make the folder if that can be done."""
        with contextlib.suppress(OSError):
            os.makedirs(self.get_cache_path(), exist_ok=True)


# numba imports this module, since NUMBA_CACHE_LOCATOR_CLASSES names it, before it makes its first cache; it has a
# setting for where the files are, but none for what they are.
caching.IndexDataCacheFile = CompiledFiles
