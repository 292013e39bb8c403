"""Mutations: what a change of each function would run again, against what every stage is seen to execute.

`make test CORES=0 PYTEST_ARGUMENTS="-s tests/pipeline/test_closures.py"` prints which functions run a stage again
that does not execute them.
"""

import ast
import contextlib
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from descent.pipeline import plan as plans
from descent.pipeline.fingerprint import Fingerprints
from descent.pipeline.plan import Plan
from descent.pipeline.recipes import Identity
from descent.pipeline.settings import read
from tests.laboratory import CHECKOUT, call_record

PRECISION = 0.95
SAMPLE, PLANNED = 20, 3


@pytest.fixture(scope="module")
def calls(whole):
    """For every stage the functions that it calls, and those that it runs by importing."""
    return call_record(whole)


def definitions(tree: ast.Module):
    """Functions and methods of a module: their names, the top-level definition each is part of, and the syntax."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node.name, node
        elif isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    yield f"{node.name}.{method.name}", node.name, method


def modules(root: Path) -> dict[str, Path]:
    paths = sorted((root / "descent").rglob("*.py"))
    return {".".join(p.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): p for p in paths}


def functions(root: Path) -> dict[str, str]:
    """`module:function` and `module:Class.method` -> the part of a closure that it belongs to."""
    return {f"{module}:{name}": f"{module}:{part}" for module, path in modules(root).items()
            for name, part, _ in definitions(ast.parse(path.read_bytes()))}


def mutate(root: Path, names) -> None:
    """Give the functions `names` of the library in `root` another body."""
    for module in {name.partition(":")[0] for name in names}:
        path = modules(root)[module]
        tree = ast.parse(path.read_bytes())
        for name, _, node in definitions(tree):
            if f"{module}:{name}" in names:
                node.body.insert(ast.get_docstring(node) is not None, ast.parse("assert True").body[0])
        path.write_text(ast.unparse(ast.fix_missing_locations(tree)))


@contextlib.contextmanager
def laboratory_plan(whole, root: Path):
    """The plan of the whole laboratory with the code in `root`."""
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(whole.root):
        patch.setattr(plans, "Fingerprints", lambda: Fingerprints(root))
        yield Plan(read(["config.yaml", *whole.overlays]))


@pytest.fixture(scope="module")
def plan(whole):
    with laboratory_plan(whole, CHECKOUT / "workflow") as made:
        return made


@pytest.fixture(scope="module")
def stale(plan, tmp_path_factory):
    """For each function the entries whose code digest its mutation changes.

    All are mutated at once and the closures compared part by part: a mutation refers to nothing new, so that each
    changes its own part and no other. Some are made one by one below.
    """
    root, names = tmp_path_factory.mktemp("all") / "workflow", functions(CHECKOUT / "workflow")
    shutil.copytree(CHECKOUT / "workflow", root)
    mutate(root, names)
    mutants, found = Fingerprints(root), {name: set() for name in names}
    for stage in plan.stages:
        before, after = plan.identity(stage).parts, Identity(stage, mutants).parts
        assert before.keys() == after.keys()
        for name, part in names.items():
            if part in before and before[part] != after[part]:
                found[name].add(stage.entry)
    return found


def executed(stage) -> set[str]:
    # Expressions of a module, run when it is imported, are no functions.
    return {*stage["called"], *(name for name in stage["importing"] if ":<" not in name)}


def skipped(calls, stale) -> set[tuple[str, str]]:
    """Functions that a stage executed and whose change would not run it again."""
    return {(stage["output"], name) for stage in calls for name in executed(stage)
            if stage["entry"] not in stale.get(name, ())}


def test_the_record_has_every_stage_and_sees_kernels(calls, plan):
    assert [stage["output"] for stage in calls] == [next(iter(stage.outputs.values())) for stage in plan.stages]
    assert all(stage["entry"] in stage["called"] for stage in calls)
    everything = set().union(*map(executed, calls))
    # Compiled into another kernel; run by the compiler alone; the worker's part.
    assert everything >= {"descent.dynamics.gradient_descent:_down", "descent.dynamics.lanes:_broadcast_row",
                          "descent.pipeline.tables:join_tables", "descent.pipeline.environment:stage_environment"}


def test_no_stage_that_executes_a_changed_function_is_skipped(calls, stale):
    assert skipped(calls, stale) == set()


def test_a_change_that_went_unnoticed_would_show(calls, stale):
    for name in random.Random(0).sample(sorted(set().union(*map(executed, calls))), SAMPLE):
        blind = {**stale, name: set()}
        assert skipped(calls, blind) == {(stage["output"], name) for stage in calls if name in executed(stage)} != set()


def of_resumption(name: str) -> bool:
    """Whether only a stage with checkpoints executes this: those of the record run without, and say nothing of it."""
    return name.startswith("descent.pipeline.checkpoint:") or name.endswith((".state", ".restore"))


def test_nearly_all_reruns_are_needed(calls, stale):
    ran: dict[str, set[str]] = {}
    for stage in calls:
        ran.setdefault(stage["entry"], set()).update(executed(stage))
    pairs = [(name, entry) for name, entries in stale.items() for entry in entries if not of_resumption(name)]
    unneeded = [(name, entry) for name, entry in pairs if name not in ran[entry]]
    print("\n" + table(pairs, unneeded))
    assert len(unneeded) <= (1 - PRECISION) * len(pairs), table(pairs, unneeded)


def table(pairs, unneeded) -> str:
    def module(pair):
        return pair[0].partition(":")[0]

    public = [pair for pair in pairs if not any(word.startswith("_") for word in pair[0].partition(":")[2].split("."))]
    by_module, by_function = Counter(map(module, pairs)), Counter(name for name, _ in unneeded)
    lines = [share("all functions", len(pairs), len(unneeded)),
             share("public functions", len(public), len(set(public).intersection(unneeded))), ""]
    lines += [share(name, by_module[name], count) for name, count in Counter(map(module, unneeded)).most_common()]
    return "\n".join([*lines, "", *(f"{count:6} unneeded  {name}" for name, count in by_function.most_common(40))])


def share(what: str, reruns: int, unneeded: int) -> str:
    return f"{reruns - unneeded:6} of {reruns:5} reruns needed ({1 - unneeded / reruns:6.1%})  {what}"


@pytest.fixture
def mutants(stale, tmp_path):
    """Copies of the library with one function mutated, one after the other; some functions change no stage."""
    choose, root = random.Random(1), tmp_path / "workflow"
    names = choose.sample(sorted(name for name in stale if stale[name]), SAMPLE - 4)
    names += choose.sample(sorted(name for name in stale if not stale[name]), 4)
    shutil.copytree(CHECKOUT / "workflow", root)

    def copies():
        for name in names:
            path = modules(root)[name.partition(":")[0]]
            original = path.read_bytes()
            mutate(root, {name})
            yield name, root
            path.write_bytes(original)

    return copies()


def test_mutating_one_function_changes_the_code_of_the_stages_that_have_it(plan, stale, mutants, whole):
    entire = Fingerprints(CHECKOUT / "workflow")
    for stage in plan.stages:
        Identity(stage, entire)
    for i, (name, root) in enumerate(mutants):
        mutant = Fingerprints(root)
        # Modules that are the same are read once.
        mutant._modules.update((key, value) for key, value in entire._modules.items() if key != name.partition(":")[0])
        mutant._statements.update(entire._statements)
        changed = [stage for stage in plan.stages if Identity(stage, mutant).code != plan.identity(stage).code]
        assert {stage.entry for stage in changed} == stale[name], name
        if i < PLANNED:
            with laboratory_plan(whole, root) as other:
                assert rerun(plan, other) == downstream(plan, changed), name


def rerun(plan, mutant) -> set[str]:
    paths = [path for stage in plan.stages for path in stage.outputs.values()]
    return {path for path in paths if mutant.recipe(path) != plan.recipe(path)}


def downstream(plan, changed) -> set[str]:
    """Outputs of the stages `changed` and of all that read them."""
    found: set[str] = set()
    for stage in plan.upstream(path for made in plan.stages for path in made.outputs.values()):
        if stage in changed or found.intersection(stage.input_paths):
            found.update(stage.outputs.values())
    return found
