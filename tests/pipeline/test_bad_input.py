"""Mutated configurations: each plans or is refused by its key. The library unpickles nothing and runs no text."""

import ast
import copy
import math
import random
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descent.pipeline.fingerprint import Fingerprints
from descent.pipeline.plan import Plan
from descent.pipeline.settings import ConfigError, laboratory_model, read
from tests.in_process import CHECKOUT

CONFIG = read([str(CHECKOUT / "config.yaml"), str(CHECKOUT / "tests" / "config.yaml")])
BLOCKS = 10
CASES = 220  # in each block
FINGERPRINTS = Fingerprints()

ODD = [
    # wrong types and empty things
    None, True, False, "", "no", "yes", [], {}, [[]], [{}], {"a": 1}, {"": {}}, [None], b"bytes", object(), {1, 2},
    (1, 2),
    # numbers
    0, -0.0, -1, 1, 2, 3, 0.5, 1e-300, 1e300, 10**6, 10**9, 10**12, 2**63, -(2**63), 10**400, math.nan, math.inf,
    -math.inf,
    "1e400", "1_000", "0x10", "1:30", "٣", "½", 4.0, "4", [10**9] * 20, [1] * 50, [0.5] * 3, list(range(1, 2001)),
    # texts
    "x", "x" * 100_000, "a\0b", "a\nb", "\ud800", "\u202egnp", "\u200b", "ρeplicates", "🙂", "שלום", "é", "e\u0301",
    "../../../etc/passwd", "/etc/passwd", "~root", "~nobody-at-all/x", "$(touch canary)", "`id`", "<script>",
    "\\input{x}",
    "#read(1)", "{0.__class__}", "%s", "!!python/object/apply:os.system [id]",
    "?__import__('os').system('id')",
    "a.csv", "/dev/zero", "/dev/zero.csv", "docs/../docs/iris.csv", "{x}.csv", "s3://bucket/x", "nowhere://x",
    "zip://x::y",
    "memory://x", "file:///proc/nothing", "con", "A" * 300 + "/x", ".", "..", "results", "2026-01-31",
]


def paths_of(value, path=()):
    """Every key of the configuration, as the keys that lead to it; of lists the first two items."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths_of(item, (*path, key))


PATHS = list(paths_of(CONFIG))


def changed(config: dict, path: tuple, change) -> dict:
    """A copy in which `change(block, key)` was applied to the block that holds the path's last key."""
    found = block = copy.copy(config)
    for key in path[:-1]:
        block[key] = copy.copy(block[key])
        block = block[key]
    change(block, path[-1])
    return found


def renamed(block, key):
    words = ("ſtudies", "replicаtes", "a" * 2000, "\0", "\ud800", "", "__class__", "model_config", 1)
    value = block.pop(key)
    if isinstance(block, dict):
        block[words[len(key) % len(words)]] = value


def doubled(block, key):
    block[key] = [block[key]] * 2 if block[key] is None or isinstance(block[key], dict) else block[key] * 2


def huge(block, key):
    if isinstance(block[key], int | float):
        block[key] *= 10**6
    elif isinstance(block[key], list):
        block[key] = block[key] * 500


def removed(block, key):
    del block[key]


def mutated(rng: random.Random) -> tuple[dict, list[tuple]]:
    config, paths = CONFIG, []
    for _ in range(rng.choice([1, 1, 1, 1, 2, 3])):
        apart = [path for path in PATHS if all(path[: len(p)] != p and p[: len(path)] != path for p in paths)]
        path = rng.choice(apart)
        kind = rng.random()
        if kind < 0.8:
            value = rng.choice(ODD)
            config = changed(config, path, lambda block, key, value=value: block.__setitem__(key, copy.copy(value)))
        else:
            change = rng.choice([renamed, doubled, huge, removed])
            config = changed(config, path, change)
        paths.append(path)
    return config, paths


def outcome(config) -> list[str]:
    """Lines of the refusal, each of which is looked at; none when the configuration plans, to outputs in results."""
    try:
        plan = Plan(config, FINGERPRINTS)
    except ConfigError as error:
        lines = str(error).split("\n")
        for line in lines:
            line.encode()
            assert line.isprintable(), line
            assert len(line) <= 1000, line  # all names of studies, at worst
        return lines
    for stage in plan.stages:
        for path in stage.outputs.values():
            assert path.startswith("results/")
            assert ".." not in PurePosixPath(path).parts
    # The limit of a single argument is 128 KiB, quotes included.
    assert max(len(plan.command(stage).encode()) for stage in plan.stages) < 2**17
    return []


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(CHECKOUT)


def tree() -> dict[str, float]:
    return {str(path): path.stat().st_mtime for name in (".", "docs", "report", "report/sections", "envs")
            for path in (CHECKOUT / name).iterdir() if not path.name.startswith(".")}


def test_the_unchanged_configuration_plans():
    assert outcome(CONFIG) == []


@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_mutated_configuration_plans_or_is_refused_by_its_key(block):
    rng, before = random.Random(block), tree()
    counts = {"planned": 0, "refused": 0}
    for _ in range(CASES):
        config, paths = mutated(rng)
        lines = outcome(config)
        counts["refused" if lines else "planned"] += 1
        # The key, its block, or the file that it names.
        names = {str(key) for path in paths for key in path[:2]}
        names |= {"not plain data", "source file", "regular file", "key = "}
        assert not lines or any(name in line for line in lines for name in names), (lines, paths)
    assert min(counts.values()) > 0  # the mutations are neither all harmless nor all fatal
    assert tree() == before


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(ODD[:17]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=5)


@settings(max_examples=200)
@given(path=st.sampled_from(PATHS), value=ANYTHING)
def test_any_value_anywhere_plans_or_is_refused(path, value):
    outcome(changed(CONFIG, path, lambda block, key: block.__setitem__(key, value)))


def bounds(schema: dict) -> dict[str, dict]:
    """The fields of every block of a model's schema, items of lists and alternatives among them, by block and key."""
    blocks = {"": schema, **schema.get("$defs", {})}
    return {f"{name}.{key}": each for name, block in blocks.items() for key, fields in block["properties"].items()
            for each in (fields, fields.get("items", {}), *fields.get("anyOf", []))
            if each.get("type") in ("integer", "number")}


def test_every_number_among_the_settings_has_an_upper_bound():
    found = bounds(laboratory_model().model_json_schema())
    assert len(found) > 150
    assert [key for key, field in found.items() if not {"maximum", "exclusiveMaximum"} & field.keys()] == []


def greatest(value, schema: dict, definitions: dict):
    """`value` with every number at the upper bound that its schema gives."""
    schema = definitions.get(schema.get("$ref", "").rpartition("/")[2], schema)
    if isinstance(value, dict):
        return {key: greatest(item, schema["properties"][key], definitions) for key, item in value.items()}
    return schema.get("maximum", value)


@pytest.mark.parametrize("kind", ["data", "studies"])
def test_settings_at_their_upper_bounds_plan_or_are_refused(kind):
    definitions = laboratory_model().model_json_schema()["$defs"]
    blocks = definitions[f"{kind.capitalize()}Settings"]["properties"]
    for name, block in CONFIG[kind].items():
        largest = greatest(block, blocks[name]["anyOf"][0], definitions)
        outcome({**CONFIG, kind: {**CONFIG[kind], name: largest}})


@pytest.mark.parametrize(("where", "words"), [
    ({"studies": {"least_squares_descent": {"ratios": [1 + i / 1000 for i in range(1, 999)], "designs": [
        {"samples": 60, "features": i + 1} for i in range(59)]}}}, "studies.least_squares_descent"),
    ({"data": {"planted_relu": {"teachers": 1000, "teacher_width": 2000, "input_dimension": 2000}}},
     "must be at most 100000000"),
    ({"report": {"title": "x" * 10**6}}, "should have at most 1000 characters"),
    ({"data": {"user_regression": {"inputs": [f"column {i:0900}" for i in range(900)]}}},
     "bytes of settings and paths; at most 1.2e+05"),
    ({"studies": {"planted_relu": {"learning_rate": {"rates": [0.1] * 10**5}}}}, "should have at most 1000 items"),
])
def test_what_would_explode_is_refused_in_words(where, words):
    config = CONFIG
    for path, value in flat(where):
        config = changed(config, path, lambda block, key, value=value: block.__setitem__(key, value))
    (line,) = outcome(config)
    assert words in line


def flat(value: dict, path: tuple = ()):
    for key, item in value.items():
        if isinstance(item, dict):
            yield from flat(item, (*path, key))
        else:
            yield (*path, key), item


# What reads objects, and thereby code, from data; or runs text.
MODULES = {"pickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "dbm", "code", "codeop"}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.load_all",
         "yaml.full_load", "yaml.unsafe_load", "torch.load", "numpy.load", "np.load", "runpy.run_path"}


def dangers(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module] if (node.module or "").split(".")[0] in MODULES else []
        elif isinstance(node, ast.Call):
            words = {word.arg: ast.unparse(word.value) for word in node.keywords}
            arrays_alone = words.get("allow_pickle") == "False"
            found += [name for name in [ast.unparse(node.func)] if name in CALLS and not arrays_alone]
            found += [name for name in ("allow_pickle", "shell") if name in words and words[name] != "False"]
        elif isinstance(node, ast.Attribute) and node.attr in {"UnsafeLoader", "FullLoader", "read_pickle"}:
            found.append(node.attr)
    return found


@pytest.mark.parametrize("path", sorted((CHECKOUT / "workflow" / "descent").rglob("*.py")), ids=lambda path: path.stem)
def test_the_library_neither_unpickles_nor_runs_text(path):
    assert dangers(ast.parse(path.read_text("utf-8"))) == []


@pytest.mark.parametrize("text", [
    "import pickle", "from joblib import load", "def f():\n    import marshal", "eval('1')", "exec(x)", "yaml.load(x)",
    "np.load(p, allow_pickle=True)", "np.load(p)", "np.savez(p, allow_pickle=x)", "torch.load(p)",
    "subprocess.run(x, shell=True)",
    "yaml.parse(x, Loader=yaml.FullLoader)",
])
def test_the_scan_finds_what_it_looks_for(text):
    assert dangers(ast.parse(text)) != []


def test_modules_are_imported_by_name_in_one_place_only():
    dynamic = [path.name for path in (CHECKOUT / "workflow" / "descent").rglob("*.py")
               if "importlib.import_module" in path.read_text("utf-8")]
    assert dynamic == ["discovery.py"]
