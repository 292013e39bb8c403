"""The environment of a stage, and versions of what it runs on."""

import ast
import importlib.metadata
import platform
import site
import sys
from pathlib import Path

import pytest

from descent.pipeline import versions
from descent.pipeline.environment import EPOCH, stage_environment
from descent.pipeline.fingerprint import ROOT
from descent.pipeline.versions import cpu, package_versions, runtime_versions


def third_party() -> set[str]:
    """Every package outside the standard library that the library imports anywhere."""
    found = set()
    for path in (ROOT / "descent").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                found.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names - {"descent"}


def test_the_version_of_everything_that_the_library_imports_is_known():
    found = package_versions(third_party())
    assert len(found) >= 5
    assert {name: version for name, version in found.items() if version == "absent"} == {}
    for name, version in found.items():
        assert importlib.metadata.version(name) == version


def test_packages_bring_the_versions_of_what_they_compute_with():
    assert package_versions(["numba"]).keys() >= {"numba", "llvmlite"}
    assert package_versions(["scipy"]).keys() >= {"scipy", "numpy"}
    assert package_versions(["matplotlib"]).keys() >= {"matplotlib", "numpy"}


def test_what_is_not_installed_is_absent():
    assert package_versions(["no_such_package"]) == {"no_such_package": "absent"}


def test_only_python_s_minor_version_counts():
    assert runtime_versions([], []) == {"python": ".".join(platform.python_version_tuple()[:2])}


def test_packages_are_looked_for_where_a_stage_finds_them(tmp_path, monkeypatch):
    installed = importlib.metadata.version("numpy")
    (tmp_path / "numpy-0.1.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    versions._installed.cache_clear()
    assert package_versions(["numpy"]) == {"numpy": installed}
    versions._installed.cache_clear()
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(tmp_path)])
    assert package_versions(["numpy"]) == {"numpy": "0.1"}
    versions._installed.cache_clear()


def test_the_cpu_is_one_line():
    assert cpu()
    assert "\n" not in cpu()


def test_only_what_a_process_needs_is_kept_of_the_environment(monkeypatch):
    for name in ("PYTHONPATH", "LD_PRELOAD", "OMP_NUM_THREADS", "LC_ALL", "TEXMFHOME"):
        monkeypatch.setenv(name, "odd")
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.delenv("TMPDIR", raising=False)
    found = stage_environment("code")
    assert (found["PATH"], found["PYTHONPATH"], found["OMP_NUM_THREADS"], found["LC_ALL"]) == (
        "/bin", str(ROOT), "1", "C.UTF-8")
    assert {"LD_PRELOAD", "TEXMFHOME", "TMPDIR"} & found.keys() == set()
    assert found["CUDA_VISIBLE_DEVICES"] == "3"
    assert found["SOURCE_DATE_EPOCH"] == str(EPOCH)
    assert all(Path(found[name]).is_absolute() for name in ("MPLCONFIGDIR", "NUMBA_CACHE_DIR", "PYTHONPATH"))


@pytest.mark.parametrize("change", ["code", "cpu"])
def test_compiled_kernels_belong_to_code_and_cpu(monkeypatch, change):
    from descent.pipeline import environment

    before = stage_environment("code")["NUMBA_CACHE_DIR"]
    monkeypatch.setattr(environment, "cpu", lambda: "another" if change == "cpu" else cpu())
    assert stage_environment("other" if change == "code" else "code")["NUMBA_CACHE_DIR"] != before
