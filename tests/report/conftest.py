"""Fixtures of the report's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.small import SmallReport


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> tuple[SmallReport, dict[str, Path]]:
    """A report made in all formats, in a folder whose name has a space; not to be changed."""
    report = SmallReport(tmp_path_factory.mktemp("a report"), preview=True).write()
    return report, report.make()
