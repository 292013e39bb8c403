"""Fixtures that several folders of tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from tests.laboratory import Laboratory, finished_laboratory, whole_laboratory

# A busy machine is no failure.
settings.register_profile("descent", deadline=None)
settings.load_profile("descent")


def _shared(factory) -> Path:
    base = factory.getbasetemp()
    return base.parent if base.name.startswith("popen-") else base


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Laboratory:
    """The finished smoke laboratory of two studies; not to be changed."""
    return finished_laboratory(_shared(tmp_path_factory))


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Laboratory:
    """The finished smoke laboratory of all studies; not to be changed."""
    return whole_laboratory(_shared(tmp_path_factory))


@pytest.fixture
def laboratory(smoke, tmp_path) -> Laboratory:
    """A copy of the finished smoke laboratory, in a path with a space, with a store of its own."""
    return smoke.copy(tmp_path / "a laboratory")


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers for cases and references, the same in every run."""
    return np.random.default_rng(0)
