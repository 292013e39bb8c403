"""The rules of the house that ruff does not know, and ruff itself."""

import ast
import os
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "workflow" / "descent"
CODE = [path for folder in ("workflow", "benchmarks", "report", "tests")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".py", ".smk", ".lua", ".css", ".js"}
        and not path.is_relative_to(LIBRARY.parent / "schemas")]
PYTHON = [path for path in CODE if path.suffix == ".py"]
LOCKS = sorted((ROOT / "envs").glob("*.txt"))
HEAVY = {"numpy", "scipy", "numba", "pyarrow", "pandas", "matplotlib", "torch", "mnist1d", "sklearn", "snakemake"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> dict[str, int]:
    """Lines of every function, from its `def` to its end, docstring excluded."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            has_docstring = ast.get_docstring(node, clean=False) is not None
            docstring = node.body[0].end_lineno - node.body[0].lineno + 1 if has_docstring else 0
            found[f"{name(path)}:{node.lineno} {node.name}"] = node.end_lineno - node.lineno + 1 - docstring
    return found


def locked(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9_.-]+)==([a-z0-9.]+)", path.read_text("utf-8"), re.MULTILINE))


def test_style():
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", "."], cwd=ROOT, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_no_function_is_over_60_lines(path):
    assert {function: lines for function, lines in functions(path).items() if lines > 60} == {}


def test_half_of_the_library_s_functions_have_at_most_10_lines():
    lengths = [lines for path in PYTHON if path.is_relative_to(LIBRARY) for lines in functions(path).values()]
    assert statistics.median(lengths) <= 10


@pytest.mark.parametrize("path", CODE, ids=name)
def test_no_file_is_over_400_lines(path):
    assert len(path.read_text("utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", CODE, ids=name)
def test_nothing_is_left_to_do(path):
    text = path.read_text("utf-8")
    assert [mark for mark in ("TO" + "DO", "FIX" + "ME", "X" * 3) if mark in text] == []


def test_modules_are_named_after_what_they_hold():
    vague = {"utils", "util", "helpers", "misc", "common"}
    assert [name(path) for path in PYTHON if path.stem.strip("_") in vague] == []


def test_describing_the_workflow_loads_nothing_slow():
    """Every module that Snakemake's own process imports to describe the workflow."""
    described = [path for path in PYTHON if path.is_relative_to(LIBRARY)
                 and path.relative_to(LIBRARY).parts[0] in {"data", "pipeline", "studies", "claims.py", "figures.py"}]
    modules = [".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts) for path in described]
    script = f"import sys, importlib\nfor module in {modules}: importlib.import_module(module)\nprint(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY.parent)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert HEAVY.intersection(done.stdout.split()) == set()


def test_locks_agree():
    tests = locked(ROOT / "envs" / "test.txt")
    for lock in LOCKS:
        differing = {package for package, version in locked(lock).items() if tests.get(package, version) != version}
        assert differing == set(), name(lock)


def test_locks_hold_for_every_build_of_torch_and_name_no_address():
    for lock in LOCKS:
        text = lock.read_text("utf-8")
        text = text.replace("--hash=sha256:", "")
        assert [word for word in ("+cpu", "+cu", "nvidia", "://", "--") if word in text] == [], name(lock)


@pytest.mark.parametrize("lock", LOCKS, ids=name)
def test_every_file_is_locked_by_its_hash_where_there_is_no_torch(lock):
    text = lock.read_text("utf-8")
    hashed = re.findall(r"^[a-z0-9_.-]+==[a-z0-9.]+ \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert len(hashed) == (0 if "torch" in locked(lock) else len(locked(lock)))


def test_the_conda_environment_agrees_with_the_lock():
    environment = yaml.safe_load((ROOT / "envs" / "environment.yaml").read_text("utf-8"))
    pinned = dict(line.split("==") for line in environment["dependencies"][-1]["pip"])
    lock = locked(ROOT / "envs" / "run.txt")
    assert pinned == {package: lock[package] for package in pinned}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["run"],
             *project["optional-dependencies"]["report"]]
    assert pinned.keys() >= {re.match(r"[\w-]+", words)[0].replace("_", "-").lower() for words in asked}
