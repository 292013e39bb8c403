"""What is stale on a folder that a cluster's nodes share: after each change the jobs make what a local run makes.

`tests/pipeline/test_staleness.py` says what a local run must make. Here two laboratories with equal results, one on the
cluster and one on this machine, meet the same changes one after another.
"""

import shutil
import subprocess

import pytest

from tests.cluster.on_cluster import OnCluster
from tests.laboratory import Laboratory

CLAIMS, SOURCE = "results/planted_relu/claims.parquet", "results/report/report.md"
VALUES, PAGE = "results/planted_relu/values.json", "results/report/report.html"
DATA, TABLE = "results/data/planted_relu.parquet", "results/planted_relu/tables/mini_batches.parquet"
RUN = "results/planted_relu/runs/init=gaussian+factor=2+eta=0.01/metrics.parquet"
BATCH = "results/planted_relu/runs/init=gaussian/best_learning_rate.parquet"


@pytest.fixture(scope="module")
def pair(finished, cluster, smoke, tmp_path_factory) -> tuple[OnCluster, Laboratory]:
    """Two laboratories with the same results and a store each: on the cluster, and on this machine."""
    folder = tmp_path_factory.mktemp("stale")
    shutil.copytree(finished.root, folder / "on the cluster", symlinks=True)
    return OnCluster(folder / "on the cluster", finished.overlays, cluster), smoke.copy(folder / "local")


def damage(laboratory: Laboratory) -> None:
    """A missing intermediate, one that was edited, a final output that was edited, one without its record."""
    laboratory.path(CLAIMS).unlink()
    edited = laboratory.path(VALUES)
    edited.write_text(edited.read_text().replace("0", "1"))
    with open(laboratory.path(PAGE), "a") as page:
        page.write("<!-- mine -->")
    table = laboratory.path(TABLE)
    (table.parent / ".provenance" / f"{table.name}.json").unlink()


def remarks(laboratory: Laboratory) -> None:
    for module in laboratory.path("workflow/descent").rglob("*.py"):
        module.write_text("# A remark.\n" + module.read_text())


def touch(laboratory: Laboratory) -> None:
    for file in laboratory.path("results").rglob("*.parquet"):
        file.touch()


def forget(laboratory: Laboratory) -> None:
    shutil.rmtree(laboratory.path(".snakemake"))
    laboratory.configure("report: {title: Another title}")


def swap(laboratory: Laboratory) -> None:
    settings = laboratory.record(DATA)["settings"]
    width, outputs = settings["teacher_width"], settings["output_dimension"]
    laboratory.configure(f"data: {{planted_relu: {{teacher_width: {outputs}, output_dimension: {width}}}}}")


def swap_back(laboratory: Laboratory) -> None:
    laboratory.overlays.pop()


def imported(laboratory: Laboratory) -> None:
    laboratory.replace("workflow/descent/claims.py", "FAMILY_WISE_ERROR = 1e-3", "FAMILY_WISE_ERROR = 2e-3")


def equal_bytes(laboratory: Laboratory) -> None:
    source = laboratory.path("workflow/descent/data/planted_relu.py")
    name = laboratory.record(DATA)["entry"].partition(":")[2]
    head, _, tail = source.read_text().partition(f"def {name}(")
    signature, _, body = tail.partition(":\n")
    source.write_text(f"{head}def {name}({signature}:\n    assert True\n{body}")


def kernel(laboratory: Laboratory) -> None:
    laboratory.replace("workflow/descent/dynamics/philox.py", "0x9E3779B9", "0x9E3779BB")


def theme(laboratory: Laboratory) -> None:
    with open(laboratory.path("report/theme/report.css"), "a") as style:
        style.write("\nbody { outline: 0 }\n")


def replicate(laboratory: Laboratory) -> None:
    laboratory.configure("studies: {planted_relu: {replicates: 3}}")


def version(laboratory: Laboratory) -> None:
    laboratory.replace("workflow/descent/pipeline/versions.py", "    versions = {}\n",
                       '    versions = {"numba": "99.0"}\n')


def cpu_type(laboratory: Laboratory) -> None:
    laboratory.configure("store: {exact: true}")


# Change, target, and what must be among the outputs that are computed and served.
CHANGES = [
    (damage, "report", set(), {CLAIMS, VALUES, PAGE, TABLE}),
    (remarks, "report", set(), set()),
    (forget, SOURCE, {SOURCE}, set()),
    (theme, PAGE, {PAGE}, set()),
    (touch, TABLE, set(), set()),
    (imported, CLAIMS, {CLAIMS}, set()),
    (replicate, BATCH, {BATCH}, set()),
    (equal_bytes, TABLE, {DATA}, set()),
    (swap, DATA, {DATA}, set()),
    (swap_back, DATA, set(), {DATA}),
    (kernel, RUN, {RUN}, set()),
    (version, TABLE, {TABLE}, set()),
    (cpu_type, DATA, {DATA}, set()),
]


@pytest.mark.parametrize(("change", "target", "computed", "served"), CHANGES, ids=[row[0].__name__ for row in CHANGES])
def test_after_a_change_the_jobs_make_what_a_local_run_makes(pair, change, target, computed, served):
    ran = []
    for laboratory in pair:
        change(laboratory)
        ran.append(laboratory.run(target))
    there, local = ran
    assert there.computed >= computed
    assert there.served >= served
    assert (there.computed, there.served) == (local.computed, local.served)
    assert there.replicates == local.replicates
    assert pair[0].results() == pair[1].results()
    if not computed | served:
        assert "submitted" not in there.text


def test_eviction_on_the_cluster_spares_what_the_report_needs(pair):
    there = pair[0]
    there.configure("store: {limit_gib: 0.000001}")
    there.run(DATA, "--forcerun", DATA)
    there.path(DATA).unlink()
    ran = there.run(DATA)
    assert (ran.computed, ran.served) == (frozenset(), frozenset({DATA}))


@pytest.fixture
def with_values(finished, cluster, tmp_path):
    """`with_values(LINES)`: the finished laboratory, where the stage that makes VALUES begins with other lines."""
    there = OnCluster(tmp_path / "on the cluster", finished.overlays, cluster)
    shutil.copytree(finished.root, there.root, symlinks=True)
    path = there.path("workflow/descent/studies/planted_relu.py")
    head, _, tail = path.read_text().partition("def values(")
    signature, _, body = tail.partition(":\n")
    docstring, _, rest = body.partition("\n")

    def made(*lines: str) -> OnCluster:
        inserted = "".join(f"    {line}\n" for line in lines)
        path.write_text(f"{head}def values({signature}:\n{docstring}\n{inserted}{rest}")
        return there

    return made


def test_a_job_may_not_read_the_configuration(with_values):
    done = with_values("open('config.yaml')").snakemake(VALUES, "--retries", "0", check=False)
    assert done.returncode != 0
    assert "a stage may not read the configuration" in done.stdout + done.stderr


def test_code_that_changes_while_a_job_runs_is_noticed_on_its_node(with_values, tmp_path):
    started, go = tmp_path / "started", tmp_path / "go"

    def waiting(pause: float) -> OnCluster:
        return with_values("import pathlib, time", f"pathlib.Path({str(started)!r}).touch()",
                           f"while not pathlib.Path({str(go)!r}).exists(): time.sleep({pause})")

    there = waiting(0.1)
    run = subprocess.Popen(there.command(VALUES, "--retries", "0"), cwd=there.root, env=there.environment(), text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while not started.exists():
        with pytest.raises(subprocess.TimeoutExpired):  # it has not ended before its time
            run.wait(timeout=0.2)
    waiting(0.2)
    go.touch()
    text = run.communicate(timeout=200)[0]
    assert run.returncode != 0
    assert "the code changed while the stage ran; run it again" in text
    assert VALUES not in there.results()
