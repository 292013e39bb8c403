"""The staleness table, row by row: what really computes after a change, with the real Snakemake."""

import json
import shutil

import pytest

from tests.laboratory import Laboratory, fresh_checkout

REPORT = {f"results/report/report.{kind}" for kind in ("html", "tex", "pdf")}


def rules(laboratory: Laboratory, paths) -> set[str]:
    return {laboratory.record(path)["rule"] for path in paths}


def test_unchanged_rerun_has_nothing_to_do(laboratory):
    ran = laboratory.run()
    assert not ran.outputs
    assert "Nothing to be done" in ran.text


def test_touch_comments_docstrings_and_formatting_rerun_nothing(laboratory):
    for module in laboratory.path("workflow/descent").rglob("*.py"):
        module.write_text("# A remark.\n" + module.read_text() + "\n\n# Another one.\n")
    laboratory.replace("workflow/descent/kernels/arc_cosine.py", 'def ', 'def  ')
    laboratory.replace("workflow/descent/figures.py", '"""The one style', '"""The only style')
    for file in [*laboratory.path("results").rglob("*.parquet"), *laboratory.path("report").rglob("*.md")]:
        file.touch()
    ran = laboratory.run()
    assert not ran.outputs
    assert "Nothing to be done" in ran.text


def test_one_setting_reruns_its_runs_and_their_readers_alone(laboratory):
    laboratory.configure("studies: {planted_relu: {learning_rate: {epochs: 3}}}")
    ran = laboratory.run()
    assert {path for path in ran.computed if path.startswith("results/convergence_bound")} == set()
    assert "train" in rules(laboratory, ran.computed)
    assert "results/data/planted_relu.parquet" not in ran.outputs
    assert ran.outputs >= REPORT


def test_a_function_reruns_the_stages_whose_closure_has_it(laboratory):
    laboratory.replace(
        "workflow/descent/kernels/neural_tangent_kernel.py", "import numpy as np", "import numpy as np\n\nUNUSED = 1"
    )
    assert not laboratory.run().outputs
    laboratory.replace("workflow/descent/claims.py", "FAMILY_WISE_ERROR = 1e-3", "FAMILY_WISE_ERROR = 2e-3")
    ran = laboratory.run()
    assert rules(laboratory, ran.computed) <= {"claims", "table", "values", "ledger", "report_source", *_REPORT_RULES}
    assert "results/planted_relu/claims.parquet" in ran.computed


_REPORT_RULES = {"ledger_page", "report_html", "report_tex", "report_pdf", "verdict"}


def test_figure_style_reruns_figures_and_report_and_set_back_nothing(laboratory):
    original, style = laboratory.results(), ('"lines.linewidth": 1.5', '"lines.linewidth": 1.7')
    laboratory.replace("workflow/descent/figures.py", *style)
    ran = laboratory.run()
    assert rules(laboratory, ran.computed) <= {"figure", "report_source", *_REPORT_RULES}
    assert {"figure", "report_html"} <= rules(laboratory, ran.computed)
    laboratory.replace("workflow/descent/figures.py", *reversed(style))
    assert not laboratory.run().computed
    assert laboratory.results() == original


def test_section_prose_reruns_the_report_alone(laboratory):
    section = laboratory.path("report/sections/planted_relu.md")
    section.write_text(section.read_text() + "\nOne more sentence.\n")
    ran = laboratory.run()
    assert rules(laboratory, ran.outputs) <= {"report_source", *_REPORT_RULES}
    assert ran.computed >= REPORT
    assert "One more sentence." in laboratory.path("results/report/report.html").read_text()


def test_theme_reruns_the_page_alone(laboratory):
    theme = laboratory.path("report/theme/report.css")
    theme.write_text(theme.read_text() + "\nbody { outline: 0 }\n")
    # The ledger's page takes its rows from the report's.
    assert laboratory.run().outputs == {"results/report/report.html", "results/claims.html"}


def test_an_added_replicate_computes_alone(laboratory):
    before = {path: laboratory.record(path)["replicates"] for path in _trained(laboratory)}
    laboratory.configure("studies: {planted_relu: {replicates: 3}}")
    ran = laboratory.run("results/planted_relu/runs/init=gaussian/best_learning_rate.parquet")
    trained = ran.computed & before.keys()
    assert trained
    for path in trained:
        assert ran.replicates[path] == sorted(set(laboratory.record(path)["replicates"]) - set(before[path]))


def test_an_added_grid_point_runs_alone(laboratory):
    before = set(_trained(laboratory))
    laboratory.configure("studies: {planted_relu: {learning_rate: {rates: [0.001, 0.01, 0.02, 1.0]}}}")
    ran = laboratory.run("results/planted_relu/runs/init=gaussian/best_learning_rate.parquet")
    assert {path for path in ran.outputs if path.endswith("metrics.parquet")} == {
        "results/planted_relu/runs/init=gaussian+factor=2+eta=0.02/metrics.parquet"
    }
    assert not ran.outputs & before


def _trained(laboratory: Laboratory) -> list[str]:
    files = laboratory.path("results/planted_relu/runs").rglob("metrics.parquet")
    return [str(file.relative_to(laboratory.root)) for file in files]


def test_another_directory_with_the_same_store_computes_nothing(laboratory, tmp_path):
    elsewhere = fresh_checkout(tmp_path / "another clone")
    elsewhere.overlays = list(laboratory.overlays)
    elsewhere.configure(f"store: {{path: '{laboratory.path('.descent/store')}'}}")
    ran = elsewhere.run()
    assert not ran.computed
    assert ran.served >= REPORT
    assert elsewhere.results() == laboratory.results()


def test_a_refactor_with_equal_bytes_stops_at_its_stage(laboratory):
    laboratory.replace("workflow/descent/data/planted_relu.py", "def stage(", "UNIT = 1.0\n\n\ndef stage(")
    name = laboratory.record("results/data/planted_relu.parquet")["entry"].partition(":")[2]
    source = laboratory.path("workflow/descent/data/planted_relu.py")
    head, _, tail = source.read_text().partition(f"def {name}(")
    signature, _, body = tail.partition(":\n")
    source.write_text(f"{head}def {name}({signature}:\n    assert UNIT\n{body}")
    ran = laboratory.run("results/planted_relu/claims.parquet")
    assert ran.computed == {"results/data/planted_relu.parquet"}
    assert "train" in rules(laboratory, ran.served)


@pytest.mark.parametrize("damage", ["delete", "edit", "same size", "forget"])
@pytest.mark.parametrize("output", ["results/planted_relu/tables/mini_batches.parquet", "results/report/report.html"])
def test_a_lost_or_edited_output_comes_back_from_the_store(laboratory, output, damage):
    path = laboratory.path(output)
    original = path.read_bytes()
    if damage == "delete":
        path.unlink()
    elif damage == "forget":
        (path.parent / ".provenance" / f"{path.name}.json").unlink()
    else:
        path.write_bytes(original[:-1] + (b"" if damage == "edit" else bytes([original[-1] ^ 1])))
    ran = laboratory.run()
    assert output in ran.served
    assert not ran.computed
    assert path.read_bytes() == original


def test_a_package_version_reruns_the_stages_that_import_it(laboratory):
    laboratory.replace(
        "workflow/descent/pipeline/versions.py", "    versions = {}\n", '    versions = {"numba": "99.0"}\n'
    )
    ran = laboratory.run("report", "--dry-run")
    assert "versions changed: numba" in ran.text
    assert laboratory.run("results/planted_relu/tables/mini_batches.parquet").computed
    lines = [line for line in ran.text.splitlines() if line.endswith("versions changed: numba")]
    stale = {line.split(": ")[1].split(", ")[0] for line in lines}
    assert "train" in rules(laboratory, stale)
    assert not any(path.endswith(".svg") for path in stale)


def test_settings_that_swap_their_values_are_noticed(laboratory):
    record = laboratory.record("results/data/planted_relu.parquet")
    width, outputs = record["settings"]["teacher_width"], record["settings"]["output_dimension"]
    laboratory.configure(f"data: {{planted_relu: {{teacher_width: {outputs}, output_dimension: {width}}}}}")
    text = laboratory.run("results/data/planted_relu.parquet", "--dry-run").text
    assert "settings changed: output_dimension, teacher_width" in text


def test_changed_settings_are_noticed_without_snakemakes_memory(laboratory):
    shutil.rmtree(laboratory.path(".snakemake"))
    assert not laboratory.run().outputs
    shutil.rmtree(laboratory.path(".snakemake"))
    laboratory.configure("report: {title: Another title}")
    assert laboratory.run().outputs >= REPORT


def test_a_dry_run_changes_nothing_on_disk(laboratory):
    laboratory.path("results/claims.parquet").unlink()
    laboratory.configure("report: {title: Another title}")

    def state():
        files = [*laboratory.path("results").rglob("*"), *laboratory.path(".descent").rglob("*")]
        return {str(path): path.stat().st_mtime_ns for path in files}

    before = state()
    text = laboratory.run("report", "--dry-run").text
    assert "results/claims.parquet: missing" in text
    assert "settings changed: title" in text
    assert state() == before


def test_an_edited_intermediate_never_reaches_a_reader(laboratory):
    edited = laboratory.path("results/planted_relu/values.json")
    edited.write_text(edited.read_text().replace("0", "1"))
    done = laboratory.stage("verify", "--configfile", *laboratory.overlays, check=False)
    assert done.returncode != 0
    assert "results/planted_relu/values.json: edited since it was made" in done.stderr
    stage = _stage_words(laboratory, "results/report/report.md")
    done = laboratory.stage(*stage, check=False)
    assert done.returncode != 0
    assert "results/planted_relu/values.json: was changed since it was made" in done.stderr


def _stage_words(laboratory: Laboratory, output: str) -> list[str]:
    record = laboratory.record(output)
    text = laboratory.run("report", "--dry-run", "--forceall", "--printshellcmds").text
    line = next(line for line in text.splitlines() if f"python -m descent {record['rule']} " in line)
    import shlex

    return shlex.split(line)[shlex.split(line).index("descent") + 1 :]


def test_a_cached_kernel_does_not_outlive_a_function_it_calls(laboratory):
    record = laboratory.record(_trained(laboratory)[0])
    assert any(part.startswith("descent.dynamics.") for part in record["parts"])
    folders = {path.name.split("-")[0] for path in laboratory.path(".descent/numba").iterdir()}
    assert record["code"] in folders
    path = "results/planted_relu/runs/init=gaussian+factor=2+eta=0.01/metrics.parquet"
    original = laboratory.path(path).read_bytes()
    laboratory.replace("workflow/descent/dynamics/philox.py", "0x9E3779B9", "0x9E3779BB")
    assert path in laboratory.run(path).computed
    assert laboratory.path(path).read_bytes() != original


def test_a_stage_may_not_read_the_configuration(laboratory):
    values = laboratory.path("workflow/descent/studies/planted_relu.py")
    values.write_text(values.read_text() + "\n\ndef table_peek(settings, inputs, outputs):\n    open('config.yaml')\n")
    done = laboratory.stage(
        "table", "--entry", "descent.studies.planted_relu:table_peek", "--settings", "{}",
        "--output", "table=results/x", "--log", "results/x.log", check=False,
    )
    assert done.returncode != 0
    assert "a stage may not read the configuration" in done.stderr


def test_the_cpu_type_belongs_to_the_key_when_asked(laboratory):
    assert laboratory.record("results/claims.parquet")["cpu"]
    laboratory.configure("store: {exact: true}")
    assert laboratory.run("results/data/planted_relu.parquet").computed == {"results/data/planted_relu.parquet"}


def test_eviction_spares_what_the_report_needs(laboratory):
    laboratory.configure("store: {limit_gib: 0.000001}\nreport: {title: Another title}")
    laboratory.run()
    keys = {record["key"] for record in laboratory._sidecars().values()}
    kept = {entry.name for entry in laboratory.path(".descent/store").glob("??/*")}
    assert keys <= kept
    laboratory.path("results/claims.parquet").unlink()
    assert not laboratory.run().computed


def test_verify_accepts_what_the_workflow_made(laboratory):
    assert "verified" in laboratory.stage("verify", "--configfile", *laboratory.overlays).stdout


def test_why_each_output_was_made_is_beside_it(laboratory):
    record = laboratory.record("results/claims.parquet")
    assert record["inputs"].keys() == {f"results/{study}/claims.parquet" for study in _studies(laboratory)}
    assert {"settings", "versions", "code", "cpu_seconds", "peak_memory_mb", "wall_seconds", "cpu"} <= record.keys()


def _studies(laboratory: Laboratory) -> list[str]:
    return sorted(path.parent.name for path in laboratory.path("results").glob("*/claims.parquet"))


def test_one_figure_is_remade_alone(laboratory):
    figures = sorted(laboratory.path("results/planted_relu/figures").glob("*.svg"))
    for kind in ("svg", "pdf", "png"):
        figures[0].with_suffix(f".{kind}").unlink()
    ran = laboratory.run(f"results/planted_relu/figures/{figures[0].name}")
    assert {path.rpartition(".")[0] for path in ran.outputs} == {f"results/planted_relu/figures/{figures[0].stem}"}


def test_values_are_plain_json(laboratory):
    for study in _studies(laboratory):
        assert json.loads(laboratory.path(f"results/{study}/values.json").read_text())
