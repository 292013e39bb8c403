"""Every displayed formula of a proof names what evaluates it, in a comment on the line after the display.

The comment is one of `evaluated:` and tests, `ledger:` and ids of claims, `definition`, and `not evaluated:` and why
not. It may also follow a line that has formulas within the text.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROOFS = sorted((ROOT / "report" / "proofs").glob("*.md"))
SOURCES = sorted((ROOT / "workflow" / "descent").rglob("*.py"))

DISPLAY = re.compile(r"\$\$(?P<formula>.+?)\$\$(?P<rest>[^\n]*)\n(?P<mark>[^\n]*)", re.DOTALL)
REST = re.compile(r"( \{#eq-[\w-]+\})?")
MARK = re.compile(r"\s*<# (?:(definition)|(evaluated|ledger|not evaluated): (\S.*)) #>")
ITEM = re.compile(r"\"(tau|du|eth|jhu|snu|saxe|arora|edge)\.")
TEST = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")


def names(path: Path) -> str:
    return path.stem


def displays(text: str) -> list[tuple[str, str, str]]:
    return [(found["formula"].strip(), found["rest"], found["mark"]) for found in DISPLAY.finditer(text)]


def marks(text: str, kind: str) -> list[str]:
    found = [MARK.fullmatch(line) for line in text.splitlines() if "<#" in line]
    return [item.strip() for mark in found if mark and mark[2] == kind for item in mark[3].split(",")]


@cache
def defined_tests(path: Path) -> set[str]:
    """Functions that pytest collects: those of the module, and none that is skipped."""
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)
            and not any("skip" in ast.unparse(decorator) for decorator in node.decorator_list)}


@cache
def ids_of(path: Path) -> tuple[frozenset[str], tuple[re.Pattern, ...]]:
    """The strings of a source file, and its f-strings as patterns with a group for each value."""
    text = path.read_text("utf-8")
    nodes = list(ast.walk(ast.parse(text))) if ITEM.search(text) else []
    strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    parts = [[re.escape(part.value) if isinstance(part, ast.Constant) else "([a-z0-9_]+)" for part in node.values]
             for node in nodes if isinstance(node, ast.JoinedStr)]
    return frozenset(strings), tuple(re.compile("".join(part)) for part in parts)


def is_produced(claim: str) -> bool:
    """Whether a source file has the id as a string, or as an f-string with values that are strings of that file."""
    for path in SOURCES:
        strings, patterns = ids_of(path)
        found = [pattern.fullmatch(claim) for pattern in patterns if pattern.pattern.count("(") == pattern.groups]
        if claim in strings or any(match and match.groups() and set(match.groups()) <= strings for match in found):
            return True
    return False


@pytest.mark.parametrize("path", PROOFS, ids=names)
def test_each_display_has_a_mark(path):
    text = path.read_text("utf-8")
    assert text.count("$$") == 2 * len(displays(text))
    bare = [formula for formula, rest, mark in displays(text) if not (REST.fullmatch(rest) and MARK.fullmatch(mark))]
    assert bare == []


@pytest.mark.parametrize("path", PROOFS, ids=names)
def test_each_comment_is_a_mark(path):
    lines = path.read_text("utf-8").splitlines()
    assert [line for line in lines if ("<#" in line or "#>" in line) and not MARK.fullmatch(line)] == []


@pytest.mark.parametrize("path", PROOFS, ids=names)
def test_named_tests_exist(path):
    named = [(name, TEST.fullmatch(name)) for name in marks(path.read_text("utf-8"), "evaluated")]
    assert [name for name, test in named
            if not test or not (ROOT / test[1]).is_file() or test[2] not in defined_tests(ROOT / test[1])] == []


@pytest.mark.parametrize("path", PROOFS, ids=names)
def test_named_rows_of_the_ledger_are_made_by_a_study(path):
    assert [claim for claim in marks(path.read_text("utf-8"), "ledger") if not is_produced(claim)] == []


def test_no_proof_goes_unseen():
    assert {path.stem.partition(".")[0] for path in PROOFS} >= {"tau", "du", "jhu", "eth", "snu"}


def test_a_mark_leaves_the_text_as_it_was(tmp_path):
    """The comment takes its own line with it: neither paragraph nor number nor end of a theorem changes."""
    from descent.report.templates import render

    marked = """Let
$$
a = b
$$ {#eq-one}
<# definition #>
and
$$
b = c .
$$
<# evaluated: tests/proofs/test_marks.py::test_a_line_is_a_mark #>
:::

- an item
  $$c = d$$
  <# not evaluated: an example #>
  and more
"""
    bare = re.sub(r"(?m)^ *<#.*\n", "", marked)
    assert "<#" not in bare
    for name, text in (("bare.md", bare), ("marked.md", marked)):
        (tmp_path / name).write_text(text)
    assert render(tmp_path / "marked.md", {}) == render(tmp_path / "bare.md", {})


@pytest.mark.parametrize(("line", "valid"), [
    ("<# definition #>", True),
    ("  <# evaluated: tests/proofs/test_marks.py::test_a_line_is_a_mark #>", True),
    ("<# ledger: tau.2.1.average, tau.2.1.sharp #>", True),
    ("<# not evaluated: #>", False),
    ("<# evaluated #>", False),
    ("<# definition #> and", False),
    ("of the text", False),
])
def test_a_line_is_a_mark(line, valid):
    assert bool(MARK.fullmatch(line)) is valid


def test_ids_that_no_study_makes_are_noticed():
    assert is_produced("tau.2.1.average")
    assert is_produced("tau.4.lazy.drift_twins")
    assert not is_produced("tau.2.1.averages")
    assert not is_produced("tau.4.lazy.unheard_of")
