"""Faults around a stage: killed at any moment, a full disk, folders that cannot be written, odd environments."""

import contextlib
import ctypes
import json
import os
import random
import resource
import signal
import subprocess
import time

import pytest

from tests.scratch_library import ScratchLibrary

TOY = '''
import json, os, sys, time

def slow(settings, inputs, outputs):
    with open(outputs["made"], "w") as file:
        file.write("half ")
        file.flush()
        time.sleep(settings["seconds"])
        file.write("whole")

def endless(settings, inputs, outputs):
    with open(settings["process"], "w") as file:
        file.write(str(os.getpid()))
    time.sleep(600)

def large(settings, inputs, outputs):
    outputs["made"].write_bytes(bytes(settings["bytes"]))

def environment(settings, inputs, outputs):
    import locale
    seen = {"variables": dict(os.environ), "path": sys.path, "locale": locale.getpreferredencoding(),
            "timezone": time.tzname, "hash": hash("text"), "site": sys.flags.no_user_site, "folder": os.getcwd()}
    outputs["made"].write_text(json.dumps(seen, sort_keys=True))
'''
OUTPUT = "results/a/text.txt"


@pytest.fixture
def library(tmp_path) -> ScratchLibrary:
    return ScratchLibrary(tmp_path / "a library", TOY)


def start(library: ScratchLibrary, *words) -> subprocess.Popen:
    return subprocess.Popen(library.command(library.words(*words)), cwd=library.root, env=library.environment(),
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # a background shell's


def stop(process: subprocess.Popen, which: signal.Signals, group: bool) -> str:
    """Send the signal, to the runner alone or also to its stage as a terminal does; what it printed."""
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(process.pid, which)
    return process.communicate(timeout=30)[1]


def wait_until(condition, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as status:
        return status.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    return False


@pytest.mark.parametrize(("which", "group"), [(signal.SIGKILL, False), (signal.SIGKILL, True), (signal.SIGTERM, False),
                                              (signal.SIGTERM, True), (signal.SIGINT, True), (signal.SIGHUP, True)])
def test_killed_at_any_moment_nothing_half_made_is_taken_for_whole(library, which, group):
    moments = random.Random(f"{which} {group}")
    for turn in range(3):
        process = start(library, "slow", {"seconds": 0.1, "turn": turn})
        time.sleep(moments.uniform(0.0, 0.35))
        printed = stop(process, which, group)
        # An interrupt while Python itself starts, before a line of ours, is told in Python's own way.
        assert "Traceback" not in printed or "__main__.py" not in printed
        output = library.root / OUTPUT
        assert not output.exists() or output.read_text() == "half whole"
        if which in (signal.SIGTERM, signal.SIGINT) and process.returncode > 0:
            assert library.leftovers() == []
        library.made("slow", {"seconds": 0.1, "turn": turn})
        assert output.read_text() == "half whole"
        assert library.leftovers() == []


def test_a_stage_dies_with_its_runner(library):
    note = library.root / "process"
    runner = start(library, "endless", {"process": str(note)})
    wait_until(lambda: note.exists() and note.read_text())
    stage = int(note.read_text())
    assert is_running(stage)
    stop(runner, signal.SIGKILL, group=False)
    wait_until(lambda: not is_running(stage))


@pytest.mark.parametrize(("which", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_runner_says_nothing_and_takes_its_stage_along(library, which, status):
    note = library.root / "process"
    runner = start(library, "endless", {"process": str(note)})
    wait_until(lambda: note.exists() and note.read_text())
    assert stop(runner, which, group=False) == ""
    assert runner.returncode == status
    assert not is_running(int(note.read_text()))
    assert library.leftovers() == []


def test_what_an_earlier_process_of_the_same_number_left_is_no_obstacle(library):
    left = "import os, socket\nos.makedirs(f'results/a/.partial-{socket.gethostname()}-{os.getpid()}')\n"
    assert library.run("slow", {"seconds": 0}, prelude=left).returncode == 0
    assert library.leftovers() == []


def test_a_running_stage_in_the_same_folder_is_left_alone(library):
    note = library.root / "process"
    runner = start(library, "endless", {"process": str(note)})
    wait_until(lambda: note.exists() and note.read_text())
    library.made("slow", {"seconds": 0}, "results/a/other.txt")
    assert len(library.leftovers()) == 1
    assert is_running(int(note.read_text()))
    stop(runner, signal.SIGTERM, group=False)


def limited(size: int):
    """A file size limit: writes beyond it fail like those on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_stage_that_cannot_write_its_output(library):
    line = library.refused("large", {"bytes": 10**6}, preexec=limited(100_000))
    assert line == f"descent: toy: OSError: [Errno 27] File too large (log: {OUTPUT}.log)"
    assert not (library.root / OUTPUT).exists()
    assert library.leftovers() == []
    library.made("large", {"bytes": 10**6})


# Each makes one call of the runner fail as on a full disk.
FULL = "import errno, os\ndef full(*_, **__): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n"
WATCHED = {
    "putting the output into place": FULL + "os.replace = full\n",
    "making the folders": FULL + "os.mkdir = full\n",
    "writing the record": (
        FULL + "import pathlib\nwrite = pathlib.Path.write_text\n"
        "def writing(path, *more, **options):\n"
        "    if path.name == 'record': full()\n"
        "    return write(path, *more, **options)\n"
        "pathlib.Path.write_text = writing\n"
    ),
}


@pytest.mark.parametrize("moment", WATCHED)
def test_a_full_disk_is_one_line_and_nothing_half_made_has_a_record(library, moment):
    done = library.run("slow", {"seconds": 0}, prelude=WATCHED[moment])
    assert done.returncode == 1
    line = f"descent: toy: no space left on the disk to make {OUTPUT}; make room and run it again"
    assert done.stderr.splitlines()[-1] == line
    assert "Traceback" not in done.stderr
    assert not (library.root / "results/a/.provenance/text.txt.json").exists()
    assert library.leftovers() == []
    library.made("slow", {"seconds": 0})


def test_a_full_store_costs_only_reuse(library):
    prelude = FULL + "import descent.pipeline.store as store\nstore.copy_file = full\n"
    done = library.run("slow", {"seconds": 0}, prelude=prelude)
    assert done.returncode == 0
    line = "descent: warning: the store cannot be written ([Errno 28] No space left on device)"
    assert done.stderr.splitlines() == [line]
    assert library.leftovers() == []
    assert not library.made("slow", {"seconds": 0})["from_store"]


@pytest.mark.parametrize("path", ["results", "results/a", "results/a/.provenance", "results/a/text.txt"])
def test_something_in_the_way_of_the_results_is_named(library, path):
    (library.root / path).parent.mkdir(parents=True, exist_ok=True)
    if path.endswith(".txt"):
        (library.root / path).mkdir()
    else:
        (library.root / path).write_text("a file in the way")
    assert path in library.refused("slow", {"seconds": 0})
    assert library.leftovers() == []


def without_privilege() -> None:
    # Root writes whatever the permissions say, unless these capabilities are dropped.
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability)  # PR_CAPBSET_DROP


@pytest.fixture
def locked():
    """Take the right to write from a folder until the test ends."""
    folders = []

    def lock(folder):
        folder.chmod(0o555)
        folders.append(folder)

    yield lock
    for folder in folders:
        folder.chmod(0o755)


def test_results_that_cannot_be_written_are_named(library, locked):
    (library.root / "results/a").mkdir(parents=True)
    locked(library.root / "results/a")
    line = library.refused("slow", {"seconds": 0}, preexec=without_privilege)
    assert line.startswith("descent: [Errno 13] Permission denied: 'results/a/")


def test_a_store_that_may_only_be_read_serves(library, locked):
    library.made("slow", {"seconds": 0})
    for folder in [library.root / "store", *(library.root / "store").rglob("*")]:
        if folder.is_dir():
            locked(folder)
    assert library.made("slow", {"seconds": 0}, preexec=without_privilege)["from_store"]
    done = library.run("slow", {"seconds": 0.01}, preexec=without_privilege)
    assert done.returncode == 0
    assert done.stderr.startswith("descent: warning: the store cannot be written ([Errno 13]")


ODD = {
    "PYTHONHASHSEED": "7", "PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error", "PYTHONUSERBASE": "/nowhere",
    "PYTHONSTARTUP": "/nowhere", "OMP_NUM_THREADS": "7", "OPENBLAS_NUM_THREADS": "7", "MKL_NUM_THREADS": "7",
    "NUMBA_NUM_THREADS": "7", "NUMBA_DISABLE_JIT": "1", "NUMBA_CACHE_DIR": "/nowhere", "MPLBACKEND": "nonsense",
    "MPLCONFIGDIR": "/nowhere", "LC_ALL": "tr_TR.ISO-8859-9", "LC_NUMERIC": "de_DE.UTF-8", "LANG": "de_DE",
    "TZ": "Pacific/Auckland", "SOURCE_DATE_EPOCH": "0", "OPENBLAS_CORETYPE": "Prescott", "XDG_CONFIG_HOME": "/nowhere",
    "XDG_DATA_HOME": "/nowhere", "TEXINPUTS": "/nowhere", "LANGUAGE": "de", "FOO": "bar",
}


def test_a_stage_sees_the_same_environment_however_it_is_started(library):
    seen = []
    for turn, variables in enumerate([{}, ODD]):
        library.made("environment", {"turn": turn}, environment=variables)
        seen.append(json.loads((library.root / OUTPUT).read_text()))
    assert seen[0] == seen[1]
    variables = seen[1]["variables"]
    assert {"FOO", "XDG_CONFIG_HOME", "OPENBLAS_CORETYPE", "PYTHONOPTIMIZE"} & variables.keys() == set()
    assert variables["OMP_NUM_THREADS"] == variables["NUMBA_NUM_THREADS"] == variables["OPENBLAS_NUM_THREADS"] == "1"
    assert (variables["TZ"], variables["LC_ALL"], variables["PYTHONHASHSEED"]) == ("UTC", "C.UTF-8", "0")
    assert seen[1]["timezone"] == ["UTC", "UTC"]
    assert seen[1]["site"] == 1
    assert "" not in seen[1]["path"]
    assert seen[1]["folder"] not in seen[1]["path"]


def test_compiled_kernels_are_kept_apart_by_code(library):
    folders = []
    for turn in (1, 2):
        library.toy.write_text(TOY.replace("seen = {", f"seen = {{'turn': {turn}, "))
        library.made("environment", {})
        folders.append(json.loads((library.root / OUTPUT).read_text())["variables"]["NUMBA_CACHE_DIR"])
    assert folders[0] != folders[1]
    assert all(folder.startswith(str(library.root / ".descent" / "numba")) for folder in folders)
