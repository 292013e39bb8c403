"""What a machine does to a stage: disks that are full or read-only, memory that runs out, other packages, kernels."""

import contextlib
import re
import resource
import site
import subprocess
import sys
from pathlib import Path

import pytest

from descent.pipeline.session import check_results_folder
from tests.scratch_library import ScratchLibrary

TOY = '''
def large(settings, inputs, outputs):
    outputs["made"].write_bytes(bytes(settings["bytes"]))

def all_there_is(settings, inputs, outputs):
    with open(outputs["made"], "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass

def hungry(settings, inputs, outputs):
    outputs["made"].write_bytes(bytes(settings["bytes"]))

def numbers(settings, inputs, outputs):
    import numpy as np
    outputs["made"].write_text(str(np.ones(3).sum()))

def compiled(settings, inputs, outputs):
    import numba
    factor = settings["factor"]

    @numba.njit(cache=True)
    def times(x):
        return factor * x

    product = times(10)
    outputs["made"].write_text(f"{product} {sum(times.stats.cache_hits.values())}")
'''
OUTPUT = "results/a/text.txt"
NO_SPACE = f"descent: toy: no space left on the disk to make {OUTPUT}; make room and run it again"


@pytest.fixture
def library(tmp_path) -> ScratchLibrary:
    return ScratchLibrary(tmp_path / "a library", TOY)


def mount(*words: str) -> None:
    try:
        subprocess.run(["mount", *words], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here (that takes root and CAP_SYS_ADMIN)")


@pytest.fixture
def disk(library):
    """Make a folder of the library a disk of its own with 256 KiB."""
    with contextlib.ExitStack() as mounted:

        def make(name: str) -> Path:
            folder = library.root / name
            folder.mkdir()
            mount("-t", "tmpfs", "-o", "size=256k", "descent-test", str(folder))
            mounted.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
            return folder

        yield make


def test_a_full_disk_is_named_and_nothing_is_half_made(library, disk):
    results = disk("results")
    assert library.refused("large", {"bytes": 10**6}) == NO_SPACE
    assert not (library.root / OUTPUT).exists()
    assert library.leftovers() == []
    mount("-o", "remount,size=4m", str(results))
    assert not library.made("large", {"bytes": 10**6})["from_store"]


def test_what_was_computed_is_served_when_only_its_record_found_no_room(library, disk):
    results = disk("results")
    assert library.refused("all_there_is", {}) == NO_SPACE
    assert library.leftovers() == []
    line = library.refused("large", {"bytes": 1}, "other.txt", inputs={"made": OUTPUT})
    assert line == f"descent: {OUTPUT}: has no record of what made it; run the workflow again to remake it"
    mount("-o", "remount,size=4m", str(results))
    assert library.made("all_there_is", {})["from_store"]


def test_a_disk_that_is_full_from_the_start_is_named_before_any_work(disk, monkeypatch):
    folder = disk("checkout")
    mount("-o", "remount,size=4m", str(folder))
    monkeypatch.chdir(folder)
    check_results_folder()
    Path("filler").write_bytes(bytes(3_500_000))
    with pytest.raises(OSError, match="checkout: no space left on this disk; make room and run it again"):
        check_results_folder()


def test_a_store_on_a_full_disk_costs_only_reuse(library, disk):
    store = disk("store")
    done = library.run("large", {"bytes": 10**6})
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "descent: warning: the store cannot be written ([Errno 28] No space left on device)"]
    assert [path for path in store.rglob("*") if path.is_file()] == []
    assert (library.root / OUTPUT).stat().st_size == 10**6


def test_a_disk_that_may_only_be_read_is_named(library, disk):
    results = disk("results")
    mount("-o", "remount,ro", str(results))
    line = library.refused("large", {"bytes": 1})
    assert line == "descent: [Errno 30] Read-only file system: 'results/a'"


def test_memory_that_cannot_be_had_is_named(library):
    def limited():
        resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))

    line = library.refused("hungry", {"bytes": 10**10}, preexec=limited)
    assert line == f"descent: toy: MemoryError (log: {OUTPUT}.log)"
    assert library.leftovers() == []


@pytest.fixture
def other_python(tmp_path) -> Path:
    """This environment's Python, in which numpy says that it has another version."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "other")], check=True)
    packages = next((tmp_path / "other").glob("lib/python*/site-packages"))
    (packages / "all.pth").write_text("\n".join(site.getsitepackages()))
    (packages / "numpy-9.9.9.dist-info").mkdir()
    return tmp_path / "other" / "bin" / "python"


def test_a_worker_with_another_numpy_is_refused_and_never_served(library, other_python):
    here = library.made("numbers", {})
    words = library.words("numbers", {}, "results/b/text.txt")

    def there(*more: str) -> subprocess.CompletedProcess:
        command = [str(other_python), *library.command([*words, *more])[1:]]
        return subprocess.run(command, cwd=library.root, env=library.environment(), capture_output=True, text=True)

    refused = there("--recipe", here["recipe"])
    assert refused.returncode == 1
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert refused.stderr == (
        "descent: toy: code, inputs or versions are not those that the workflow planned with (versions here: "
        f"numpy 9.9.9, python {python}); run it again, in the same environment on every machine\n")
    assert not (library.root / "results/b").exists()
    assert there().returncode == 0
    record = library.record("results/b/text.txt")
    assert record["versions"]["numpy"] == "9.9.9"
    assert not record["from_store"]
    assert record["key"] != here["key"]


def kernels(library) -> list[Path]:
    return sorted((library.root / ".descent" / "numba").rglob("*.nbc"))


def test_kernels_that_are_compiled_at_once_are_never_mixed_up(library):
    running = []
    for factor in (2, 3):
        words = library.words("compiled", {"factor": factor}, f"results/{factor}/text.txt")
        running.append(subprocess.Popen(library.command(words), cwd=library.root, env=library.environment()))
    assert [process.wait() for process in running] == [0, 0]
    assert len(kernels(library)) == 2
    for factor in (2, 3):
        assert (library.root / f"results/{factor}/text.txt").read_text() == f"{10 * factor} 0"
        library.made("compiled", {"factor": factor, "turn": 2}, f"results/{factor}/text.txt")
        assert (library.root / f"results/{factor}/text.txt").read_text() == f"{10 * factor} 1"


def test_a_damaged_kernel_is_compiled_again(library):
    for turn, damage in enumerate([lambda data: data, lambda data: data[: len(data) // 2], lambda data: b"",
                                   lambda data: data[:900] + bytes([data[900] ^ 1]) + data[901:]]):
        for path in kernels(library):
            path.write_bytes(damage(path.read_bytes()))
        library.made("compiled", {"factor": 2, "turn": turn})
        assert (library.root / OUTPUT).read_text() == "20 0"
    library.made("compiled", {"factor": 2, "turn": "last"})
    assert (library.root / OUTPUT).read_text() == "20 1"


def test_kernels_that_cannot_be_kept_are_compiled_all_the_same(library):
    (library.root / ".descent").mkdir()
    (library.root / ".descent" / "numba").write_text("in the way")
    library.made("compiled", {"factor": 2})
    assert (library.root / OUTPUT).read_text() == "20 0"


def test_a_killed_stage_says_that_memory_may_be_why(library):
    library.toy.write_text("import os\ndef killed(settings, inputs, outputs): os.kill(os.getpid(), 9)\n")
    line = library.refused("killed", {})
    assert re.fullmatch(r"descent: toy: the computation was killed by SIGKILL \(out of memory\? it had \d+ MB\)", line)
