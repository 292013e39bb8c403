"""Digests of code on small packages: what must change them, and what must not."""

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descent.pipeline.fingerprint import FingerprintError, Fingerprints, digest_text

ENTRY = "descent.main:entry"


def write(root: Path, files: dict[str, str]) -> Path:
    for name in ("__init__.py", *files):
        path = root / "descent" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files.get(name, ""))
    return root


def closure(root: Path, files: dict[str, str], *entries: str):
    return Fingerprints(write(root, files)).closure(*(entries or (ENTRY,)))


def edited(files: dict[str, str], name: str, old: str, new: str) -> dict[str, str]:
    assert old in files[name]
    return {**files, name: files[name].replace(old, new)}


A = {"a.py": "LIMIT = 1\n\n\ndef f(x):\n    return x + 1\n\n\ndef g(x):\n    return x + 2\n"}
PACKAGE = {"pkg/__init__.py": "from .x import y\n", "pkg/x.py": "def y():\n    return 1\n"}

# Name: files, and the edit (file, old, new) that must change the digest of descent.main:entry.
NOTICED = {
    "body": ({"main.py": "def entry():\n    return 1\n"}, ("main.py", "1", "2")),
    "default argument": ({"main.py": "def entry(x=1):\n    return x\n"}, ("main.py", "1", "2")),
    "constant": ({"main.py": "K = 1\ndef entry():\n    return K\n"}, ("main.py", "1", "2")),
    "constant behind a constant": (
        {"main.py": "J = 1\nK = J + 1\ndef entry():\n    return K\n"}, ("main.py", "J = 1", "J = 2")),
    "rebound constant": ({"main.py": "K = [0]\nK += [1]\ndef entry():\n    return K\n"}, ("main.py", "[1]", "[2]")),
    "constant changed in a loop": (
        {"main.py": "K = {}\nfor n in (1, 2):\n    K[n] = n + 1\ndef entry():\n    return K\n"},
        ("main.py", "n + 1", "n + 3")),
    "constant changed by a call": (
        {"main.py": "K = []\nK.append(1)\ndef entry():\n    return K\n"}, ("main.py", "append(1)", "append(2)")),
    "item of a constant": ({"main.py": "K = {}\nK['a'] = 1\ndef entry():\n    return K\n"}, ("main.py", "= 1", "= 2")),
    "bound by with": (
        {"main.py": "import io\nwith io.StringIO('1') as file:\n    K = file.read()\ndef entry():\n    return K\n"},
        ("main.py", "'1'", "'2'")),
    "lambda": ({"main.py": "f = lambda: 1\ndef entry():\n    return f()\n"}, ("main.py", "1", "2")),
    "class": ({"main.py": "class C:\n    k = 1\ndef entry():\n    return C().k\n"}, ("main.py", "1", "2")),
    "method": ({"main.py": "class C:\n    def m(self):\n        return 1\ndef entry():\n    return C().m()\n"},
               ("main.py", "return 1", "return 2")),
    "base class": (
        {"main.py": "class B:\n    k = 1\nclass C(B):\n    pass\ndef entry():\n    return C.k\n"},
        ("main.py", "1", "2")),
    "decorator": (
        {"main.py": "def twice(f):\n    return lambda: 2 * f()\n@twice\ndef entry():\n    return 1\n"},
        ("main.py", "2 *", "3 *")),
    "decorator dropped": (
        {"main.py": "from functools import cache\n@cache\ndef entry():\n    return 1\n"}, ("main.py", "@cache", "")),
    "async function": (
        {"main.py": "async def f():\n    return 1\ndef entry():\n    return f()\n"},
        ("main.py", "return 1", "return 2")),
    "nested function": (
        {"main.py": "def entry():\n    def inner():\n        return 1\n    return inner()\n"}, ("main.py", "1", "2")),
    "recursion": (
        {"main.py": "def even(n):\n    return n == 0 or odd(n - 1)\ndef odd(n):\n    return n != 0 and even(n - 1)\n"
                    "def entry():\n    return even(4)\n"}, ("main.py", "n != 0", "n > 0")),
    "one of two definitions": (
        {"main.py": "import sys\nif sys.maxsize:\n    def f():\n        return 1\n"
                    "else:\n    def f():\n        return 2\n"
                    "def entry():\n    return f()\n"}, ("main.py", "return 2", "return 3")),
    "from module import name": (
        {**A, "main.py": "from descent.a import f\ndef entry():\n    return f(0)\n"}, ("a.py", "x + 1", "x + 3")),
    "two modules away": (
        {**A, "b.py": "from descent.a import f\ndef h():\n    return f(0)\n",
         "main.py": "from descent.b import h\ndef entry():\n    return h()\n"}, ("a.py", "x + 1", "x + 3")),
    "import as": (
        {**A, "main.py": "import descent.a as c\ndef entry():\n    return c.f(0)\n"}, ("a.py", "x + 1", "x + 3")),
    "dotted import": (
        {**A, "main.py": "import descent.a\ndef entry():\n    return descent.a.f(0)\n"}, ("a.py", "x + 1", "x + 3")),
    "from package import module": (
        {**A, "main.py": "from descent import a\ndef entry():\n    return a.f(0)\n"}, ("a.py", "x + 1", "x + 3")),
    "from . import module": (
        {**A, "main.py": "from . import a\ndef entry():\n    return a.f(0)\n"}, ("a.py", "x + 1", "x + 3")),
    "from .module import name": (
        {**A, "main.py": "from .a import f\ndef entry():\n    return f(0)\n"}, ("a.py", "x + 1", "x + 3")),
    "from ..module import name": (
        {**A, "sub/__init__.py": "", "sub/b.py": "from ..a import f\ndef h():\n    return f(0)\n",
         "main.py": "from .sub.b import h\ndef entry():\n    return h()\n"}, ("a.py", "x + 1", "x + 3")),
    "renamed import": (
        {**A, "main.py": "from .a import f as h\ndef entry():\n    return h(0)\n"}, ("a.py", "x + 1", "x + 3")),
    "another name imported": (
        {**A, "main.py": "from .a import f as h\ndef entry():\n    return h(0)\n"},
        ("main.py", "import f", "import g")),
    "names imported the other way round": (
        {**A, "main.py": "from .a import f as p, g as q\ndef entry():\n    return p(0) - q(0)\n"},
        ("main.py", "f as p, g as q", "g as p, f as q")),
    "modules imported the other way round": (
        {"a.py": "def f():\n    return 1\n", "b.py": "def f():\n    return 2\n",
         "main.py": "from . import a as p, b as q\ndef entry():\n    return p.f() - q.f()\n"},
        ("main.py", "a as p, b as q", "b as p, a as q")),
    "another library's function": (
        {"main.py": "from math import sin as op\ndef entry():\n    return op(1)\n"}, ("main.py", "sin", "cos")),
    "local import": (
        {**A, "main.py": "def entry():\n    from .a import f\n    return f(0)\n"}, ("a.py", "x + 1", "x + 3")),
    "local dotted import": (
        {**A, "main.py": "def entry():\n    import descent.a\n    return descent.a.f(0)\n"},
        ("a.py", "x + 1", "x + 3")),
    "local import of a name that the module has too": (
        {**A, "main.py": "from .a import f\ndef entry():\n    def h():\n        from .a import g as f\n"
                         "        return f(0)\n    return h() + f(0)\n"}, ("a.py", "x + 1", "x + 3")),
    "import that may fail, first choice": (
        {**A, "b.py": A["a.py"], "main.py": "try:\n    from .a import f\nexcept ImportError:\n    from .b import f\n"
                                            "def entry():\n    return f(0)\n"}, ("a.py", "x + 1", "x + 3")),
    "import that may fail, second choice": (
        {**A, "b.py": A["a.py"], "main.py": "try:\n    from .a import f\nexcept ImportError:\n    from .b import f\n"
                                            "def entry():\n    return f(0)\n"}, ("b.py", "x + 1", "x + 3")),
    "import that may fail, with a definition": (
        {**A, "main.py": "try:\n    from .a import f\nexcept ImportError:\n    def f(x):\n        return x - 1\n"
                         "def entry():\n    return f(0)\n"}, ("main.py", "x - 1", "x - 2")),
    "reexported": (
        {**PACKAGE, "main.py": "from .pkg import y\ndef entry():\n    return y()\n"}, ("pkg/x.py", "1", "2")),
    "reexported, through the package": (
        {**PACKAGE, "main.py": "from . import pkg\ndef entry():\n    return pkg.y()\n"}, ("pkg/x.py", "1", "2")),
    "reexported under its module's name": (
        {"pkg/__init__.py": "from .y import y\n", "pkg/y.py": "class y:\n    def make():\n        return 1\n",
         "main.py": "from .pkg import y\ndef entry():\n    return y.make()\n"}, ("pkg/y.py", "1", "2")),
    "effect in a package's __init__": (
        {**PACKAGE, "pkg/__init__.py": "from .x import y\nprint(1)\n",
         "main.py": "from .pkg.x import y\ndef entry():\n    return y()\n"}, ("pkg/__init__.py", "1", "2")),
    "constant in a package's __init__": (
        {"pkg/__init__.py": "K = 1\n", "pkg/x.py": "", "main.py": "import descent.pkg.x\ndef entry():\n    return 0\n"},
        ("pkg/__init__.py", "1", "2")),
    "effect in an imported module": (
        {"a.py": "import warnings\nwarnings.simplefilter('error')\n",
         "main.py": "import descent.a\ndef entry():\n    return 0\n"},
        ("a.py", "error", "ignore")),
    "effect of a function": (
        {"a.py": "def f():\n    print(1)\nf()\n", "main.py": "from . import a\ndef entry():\n    return 0\n"},
        ("a.py", "1", "2")),
    "module handed on": (
        {**A, "main.py": "from . import a\ndef entry(name):\n    return getattr(a, name)(0)\n"},
        ("a.py", "x + 2", "x + 4")),
    "module handed on, imported name": (
        {**A, "b.py": "from .a import g\n",
         "main.py": "from . import b\ndef entry(name):\n    return getattr(b, name)(0)\n"},
        ("a.py", "x + 2", "x + 4")),
    "package handed on": (
        {**PACKAGE, "main.py": "from . import pkg\ndef entry(name):\n    return getattr(pkg, name)()\n"},
        ("pkg/x.py", "1", "2")),
    "name made at run time": (
        {"a.py": "def f():\n    return 1\nglobals()['h'] = f\n",
         "main.py": "from . import a\ndef entry():\n    return a.h()\n"},
        ("a.py", "1", "2")),
    "module's __getattr__": (
        {"a.py": "def __getattr__(name):\n    return 1\n",
         "main.py": "from . import a\ndef entry():\n    return a.h\n"},
        ("a.py", "1", "2")),
    "mutual imports": (
        {"a.py": "from . import b\ndef f():\n    return b.K\n",
         "b.py": "from . import a\nK = 1\ndef g():\n    return a.f()\n",
         "main.py": "from .b import g\ndef entry():\n    return g()\n"}, ("b.py", "1", "2")),
    "annotation with a class": (
        {"main.py": "class C:\n    k: int = 1\ndef entry(c: C):\n    return c.k\n"}, ("main.py", "1", "2")),
    "type of a number": ({"main.py": "def entry():\n    return 1\n"}, ("main.py", "1", "1.0")),
    "text that is no docstring": (
        {"main.py": "def entry():\n    'about'\n    return 'text'\n"}, ("main.py", "text", "other")),
    "a name that another function has for itself": (
        {"main.py": "def f():\n    return 1\ndef entry():\n    def inner():\n        f = 0\n        return f\n"
                    "    return inner() + f()\n"}, ("main.py", "return 1", "return 2")),
    "a name that only a comprehension has for itself": (
        {"main.py": "def f():\n    return 1\ndef entry():\n    return [f for f in (0, 0)], f()\n"},
        ("main.py", "return 1", "return 2")),
    "what a comprehension goes through": (
        {"main.py": "def f():\n    return [1]\ndef entry():\n    return [f for f in f()]\n"},
        ("main.py", "[1]", "[2]")),
    "a name declared global": (
        {"main.py": "def f():\n    return 1\ndef entry():\n    global f\n    f = f or 0\n    return f()\n"},
        ("main.py", "return 1", "return 2")),
    "default of a parameter of the same name": (
        {"main.py": "def f():\n    return 1\ndef entry(f=f()):\n    return f\n"},
        ("main.py", "return 1", "return 2")),
    "default of a keyword of the same name": (
        {"main.py": "def f():\n    return 1\ndef entry(*, f=f()):\n    return f\n"},
        ("main.py", "return 1", "return 2")),
    "attribute of a local class by the same name": (
        {"main.py": "def f():\n    return 1\ndef entry():\n    class C:\n        f = f\n    return C.f()\n"},
        ("main.py", "return 1", "return 2")),
    "attribute of a class by the same name": (
        {"main.py": "def f():\n    return 1\nclass C:\n    f = f\ndef entry():\n    return C.f()\n"},
        ("main.py", "return 1", "return 2")),
    "annotation of a field, kept as text": (
        {"main.py": "from __future__ import annotations\nclass K:\n    k = 1\nclass C:\n    field: K\n"
                    "def entry():\n    return C\n"}, ("main.py", "k = 1", "k = 2")),
    "annotation kept as text that a decorator asks for": (
        {"main.py": "from __future__ import annotations\nfrom pydantic import validate_call\nclass C:\n    k = 1\n"
                    "@validate_call\ndef entry(c: C):\n    return c\n"}, ("main.py", "k = 1", "k = 2")),
}

UNNOTICED = {
    "comment": ({"main.py": "def entry():\n    return 1\n"}, ("main.py", "1", "1  # one")),
    "docstring": ({"main.py": "def entry():\n    '''One.'''\n    return 1\n"}, ("main.py", "One", "1")),
    "docstring of a class": (
        {"main.py": "class C:\n    '''One.'''\n    k = 1\ndef entry():\n    return C.k\n"}, ("main.py", "One", "1")),
    "docstring of a module": (
        {"main.py": "'''One.'''\ndef entry():\n    return 1\n"}, ("main.py", "'''One.'''", "")),
    "a docstring more": ({"main.py": "def entry():\n    pass\n"}, ("main.py", "pass", "'''Nothing.'''")),
    "formatting": ({"main.py": "def entry():\n    return [1, 2]\n"}, ("main.py", "[1, 2]", "[\n    1,\n    2,\n]")),
    "quotes": ({"main.py": "def entry():\n    return 'a'\n"}, ("main.py", "'a'", '"a"')),
    "spelling of a number": ({"main.py": "def entry():\n    return 1000.0\n"}, ("main.py", "1000.0", "1_000.00")),
    "another function": ({"main.py": "def entry():\n    return 1\ndef f():\n    return 2\n"}, ("main.py", "2", "3")),
    "another constant": ({"main.py": "K = 2\ndef entry():\n    return 1\n"}, ("main.py", "2", "3")),
    "a function more": (
        {"main.py": "def entry():\n    return 1\n"}, ("main.py", "return 1\n", "return 1\ndef f(): pass\n")),
    "order of functions": (
        {"main.py": "def f():\n    return 2\n\n\ndef entry():\n    return 1\n"},
        ("main.py", "def f():\n    return 2\n\n\ndef entry():\n    return 1\n",
         "def entry():\n    return 1\n\n\ndef f():\n    return 2\n")),
    "another function of an imported module": (
        {**A, "main.py": "from . import a\ndef entry():\n    return a.f(0)\n"}, ("a.py", "x + 2", "x + 4")),
    "an unused import": (
        {**A, "main.py": "from .a import f\ndef entry():\n    return 1\n"}, ("main.py", "import f", "import g")),
    "attributes of a module itself": (
        {**A, "main.py": "from . import a\ndef entry():\n    return a.__name__\n"}, ("a.py", "x + 2", "x + 4")),
    "another function by the name of a variable": (
        {"main.py": "def f():\n    return 1\ndef entry():\n    f = 0\n    return f\n"},
        ("main.py", "return 1", "return 2")),
    "another function by the name of a parameter": (
        {"main.py": "def f():\n    return 1\ndef entry(f):\n    return (lambda: f)()\n"},
        ("main.py", "return 1", "return 2")),
    "another function by the name of a method's variable": (
        {"main.py": "def f():\n    return 1\nclass C:\n    def m(self, f):\n        return f\n"
                    "def entry():\n    return C().m(0)\n"}, ("main.py", "return 1", "return 2")),
    "another function by the name of what a comprehension counts": (
        {"main.py": "def f():\n    return 1\ndef entry():\n    return [f for f in (0, 0)]\n"},
        ("main.py", "return 1", "return 2")),
    "annotation kept as text": (
        {"main.py": "from __future__ import annotations\nclass C:\n    k = 1\ndef entry(c: C) -> C:\n    return c\n"},
        ("main.py", "k = 1", "k = 2")),
}


@pytest.mark.parametrize("name", NOTICED)
def test_a_change_that_can_matter_is_noticed(name, tmp_path):
    files, edit = NOTICED[name]
    before = closure(tmp_path, files)
    assert closure(tmp_path, edited(files, *edit)).digest != before.digest
    assert closure(tmp_path, files).digest == before.digest


@pytest.mark.parametrize("name", UNNOTICED)
def test_a_change_that_cannot_matter_is_not_noticed(name, tmp_path):
    files, edit = UNNOTICED[name]
    assert closure(tmp_path, files).digest == closure(tmp_path, edited(files, *edit)).digest


def test_neither_time_nor_place_matters(tmp_path):
    files = {**A, "main.py": "from .a import f\ndef entry():\n    return f(0)\n"}
    here, there = closure(tmp_path / "here", files), closure(tmp_path / "th ere", files)
    assert here == there
    (tmp_path / "here" / "descent" / "a.py").touch()
    assert closure(tmp_path / "here", files) == here


def test_third_party_packages_are_those_that_reached_code_uses(tmp_path):
    files = {
        "main.py": "import json\nimport numpy as np\nimport matplotlib.pyplot\nfrom . import a\n"
                   "def entry():\n    import scipy.linalg\n    return np, a.f, json\n",
        "a.py": "from numba import njit\nimport torch\n@njit\ndef f():\n    pass\ndef g():\n    return torch\n",
    }
    assert closure(tmp_path, files).packages == ("numba", "numpy", "scipy")


def test_entries_share_a_closure(tmp_path):
    files = {**A, "main.py": "def entry():\n    return 1\n"}
    both = closure(tmp_path, files, "descent.a:f", ENTRY)
    assert both.parts == {**closure(tmp_path, files).parts, **closure(tmp_path, files, "descent.a:f").parts}
    assert both.digest == closure(tmp_path, files, ENTRY, "descent.a:f").digest


@pytest.mark.parametrize(("files", "message"), [
    ({"main.py": "from .a import *\ndef entry():\n    pass\n", "a.py": ""}, "hides what is used"),
    ({"main.py": "def entry():\n    from numpy import *\n"}, "only allowed at module level"),
    ({"main.py": "def entry(:\n"}, "main.py"),
    ({"main.py": "def entry():\n    return '\x00'\n"}, "main.py"),
    ({"main.py": "def other():\n    pass\n"}, "descent.main has no entry"),
    ({"a.py": ""}, "no module descent.main"),
    ({"main.py": "from .sub.b import f\ndef entry():\n    return f()\n", "sub/c.py": ""}, "no such module"),
    ({"main.py": "from .sub import b\ndef entry():\n    return b.f()\n", "sub/b.py": "def f(): pass\n"}, "__init__"),
])
def test_code_whose_closure_is_unknown_is_refused(files, message, tmp_path):
    with pytest.raises(FingerprintError, match=message):
        closure(tmp_path, files)


def test_names_imported_in_a_circle_do_not_go_round_for_ever(tmp_path):
    files = {"a.py": "from .b import x\n", "b.py": "from .a import x\n",
             "main.py": "from .a import x\ndef entry():\n    return x\n"}
    assert closure(tmp_path, files).digest


def test_digest_is_blake2b_of_128_bits():
    assert digest_text("descent") == "f8f992ec57dc02c5860ab53fb7b93add"


COUNT = 6
CALLS = st.lists(st.sets(st.integers(0, COUNT - 1)), min_size=COUNT, max_size=COUNT)
REFERENCES = st.lists(st.sampled_from(["from", "module", "dotted", "local"]), min_size=COUNT, max_size=COUNT)
IMPORTS = {
    "from": ("from descent.m{j} import f{j}\n", "", "f{j}"),
    "module": ("from . import m{j}\n", "", "m{j}.f{j}"),
    "dotted": ("import descent.m{j}\n", "", "descent.m{j}.f{j}"),
    "local": ("", "    from .m{j} import f{j}\n", "f{j}"),
}


def source(i: int, calls: set[int], styles: list[str], literal: float) -> str:
    at_top = inside = ""
    used = []
    for j in sorted(calls - {i}):
        top, local, name = (text.format(j=j) for text in IMPORTS[styles[j]])
        at_top, inside, used = at_top + top, inside + local, [*used, name]
    return f"{at_top}\n\ndef f{i}(depth):\n{inside}    return [{literal!r}, {', '.join(used)}]\n"


def reachable(calls: list[set[int]]) -> set[int]:
    seen, pending = set(), [0]
    while pending:
        i = pending.pop()
        if i not in seen:
            seen.add(i)
            pending.extend(calls[i])
    return seen


@settings(max_examples=40)
@given(calls=CALLS, styles=REFERENCES, changed=st.integers(0, COUNT - 1))
def test_a_literal_counts_exactly_where_it_can_be_reached(calls, styles, changed, tmp_path_factory):
    root = tmp_path_factory.mktemp("random")
    files = {f"m{i}.py": source(i, calls[i], styles, i + 0.5) for i in range(COUNT)}
    before = closure(root, files, "descent.m0:f0").digest
    files[f"m{changed}.py"] = source(changed, calls[changed], styles, changed + 0.25)
    assert (closure(root, files, "descent.m0:f0").digest != before) == (changed in reachable(calls))


@st.composite
def rewritten(draw, text: str) -> str:
    """The same program with comments, blank lines, trailing spaces and other docstrings."""
    lines = []
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip())]
        if draw(st.booleans()):
            lines.append(indent + "# " + draw(st.text("abc 1'\"(#", max_size=8)))
        lines.append(line + draw(st.sampled_from(["", "  ", "  # why"])))
        if line.startswith("def "):
            lines.append(f"    {draw(st.text('abc 1', min_size=1, max_size=8))!r}")
        lines.extend([""] * draw(st.integers(0, 2)))
    return "\n".join(lines) + "\n"


@settings(max_examples=40)
@given(data=st.data())
def test_a_rewrite_that_changes_nothing_keeps_the_digest(data, tmp_path_factory):
    root = tmp_path_factory.mktemp("random")
    files = {f"m{i}.py": source(i, {1, 2}, ["module"] * COUNT, i + 0.5) for i in range(3)}
    before = closure(root, files, "descent.m0:f0")
    texts = {name: data.draw(rewritten(text)) for name, text in files.items()}
    assert all(ast.parse(text) for text in texts.values())
    assert closure(root, texts, "descent.m0:f0") == before
