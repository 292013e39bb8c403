"""Which tools there are."""

import shutil
from importlib.metadata import version

import pytest

from descent.pipeline import versions
from descent.report.tools import pdf_engine, tool_version


def test_versions_of_bundled_tools():
    assert tool_version("pandoc") == version("pypandoc_binary")
    assert tool_version("typst") == version("typst")
    with pytest.raises(ValueError, match="unknown tool 'word'"):
        tool_version("word")


def test_a_tool_whose_package_is_not_installed_is_absent(monkeypatch):
    monkeypatch.setattr(versions, "_installed", dict)
    assert tool_version.__wrapped__("pandoc") == "absent"


@pytest.mark.skipif(shutil.which("pdftex") is None, reason="needs LaTeX")
def test_version_of_latex():
    assert tool_version("latex").startswith("pdfTeX 3.14")


def test_the_engine(monkeypatch):
    assert (pdf_engine("latex"), pdf_engine("typst")) == ("latex", "typst")
    assert pdf_engine("auto") in ("latex", "typst")
    monkeypatch.setenv("PATH", "")
    pdf_engine.cache_clear()
    assert pdf_engine("auto") == "typst"
    pdf_engine.cache_clear()
