"""Static closures against what really runs: stages of the smoke laboratory, traced."""

import json
import subprocess
import sys

TRACED = """
import json, sys, tempfile
from pathlib import Path
from descent.pipeline import settings
from descent.pipeline.discovery import load_entry
from descent.pipeline.fingerprint import ROOT
from descent.pipeline.plan import Plan

def module_of(file):
    return ".".join(Path(file).relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")

def importing(frame):
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(str(ROOT)):
            return True
        frame = frame.f_back
    return False

def called_by(function, *arguments):
    names, known = set(), set()
    def profile(frame, event, _):
        code = frame.f_code
        if code in known or event != "call":
            return
        if not code.co_filename.startswith(str(ROOT)):
            known.add(code)
        elif not importing(frame):
            known.add(code)
            names.add(f"{module_of(code.co_filename)}:{code.co_qualname.split('.')[0]}")
    sys.setprofile(profile)
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    return sorted(names)

plan, found = Plan(settings.read(sys.argv[1:])), {}
# One stage for each operation of each study: all of them would take a minute.
for stage in {(stage.entry.partition(":")[0], stage.rule): stage for stage in plan.stages}.values():
    inputs = {name: Path(p) if isinstance(p, str) else [Path(x) for x in p] for name, p in stage.inputs.items()}
    with tempfile.TemporaryDirectory() as folder:
        outputs = {name: Path(folder) / name for name in stage.outputs}
        called = called_by(load_entry(stage.entry), dict(stage.settings), inputs, outputs, *stage.replicates[:1])
    found[stage.entry] = {"called": called, "closure": sorted(plan.identity(stage).parts)}
print(json.dumps(found))
"""


def test_what_a_stage_calls_is_in_its_closure(whole, tmp_path):
    from descent.pipeline.environment import stage_environment

    environment = {**stage_environment("traced"), "PYTHONPATH": str(whole.root / "workflow")}
    environment["NUMBA_CACHE_DIR"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", TRACED, "config.yaml", *whole.overlays], cwd=whole.root, env=environment,
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) >= 15
    for entry, traced in found.items():
        assert entry in traced["called"]
        assert set(traced["called"]) - set(traced["closure"]) == set(), entry
