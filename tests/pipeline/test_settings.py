"""The configuration: every fault is one line that names the key, the value and what is allowed."""

import copy
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator
from snakemake.utils import update_config

from descent.pipeline import discovery
from descent.pipeline.settings import Block, ConfigError, in_order_of, read, schema, validate

ROOT = Path(__file__).parents[2]


class Part(Block):
    name: str = Field(..., min_length=1, description="Name")
    weight: float = Field(1.0, ge=0, description="Weight")


class Toy(Block):
    eta: float = Field(..., gt=0, le=1, description="Learning rate")
    steps: int = Field(..., ge=1, description="Steps")
    widths: list[int] = Field([1], min_length=1, description="Widths")
    rates: list[float] = Field([0.1], description="Rates")
    kind: Literal["gaussian", "uniform"] = Field("gaussian", description="Initialization")
    parts: list[Part] = Field([], description="Parts")
    first: Part | None = Field(None, description="The first part")

    @model_validator(mode="after")
    def _steps_fit(self):
        if self.steps < len(self.widths):
            raise ValueError("steps must be at least the number of widths")
        return self


class Noise(Block):
    size: int = Field(..., ge=1, description="Samples")


MODULES = {("studies", "toy"): Toy, ("data", "noise"): Noise}
GOOD = {"master_seed": 1, "report": {"title": "T"}, "data": {"noise": {"size": 3}},
        "studies": {"toy": {"eta": 0.5, "steps": 3}}}


@pytest.fixture(autouse=True)
def small_laboratory(monkeypatch):
    monkeypatch.setattr(discovery, "module_names", lambda package: [name for kind, name in MODULES if kind == package])
    monkeypatch.setattr(discovery, "load", lambda package, name: SimpleNamespace(
        Settings=MODULES[package, name], __doc__="A toy.\n\nMore."))


def changed(key: str, value) -> dict:
    config = copy.deepcopy(GOOD)
    *folders, last = key.split(".")
    block = config
    for name in folders:
        block = block[name]
    if value is MISSING:
        del block[last]
    else:
        block[last] = value
    return config


MISSING = object()
NAN, INF = math.nan, math.inf

# The key that is set, its value, and the line's key, value and words on what is allowed.
FAULTS = [
    ("studies.toy.eta", "fast", "studies.toy.eta = \"fast\"", "valid number"),
    ("studies.toy.eta", 2.0, "studies.toy.eta = 2.0", "less than or equal to 1"),
    ("studies.toy.eta", 0, "studies.toy.eta = 0", "greater than 0"),
    ("studies.toy.eta", -1e-3, "studies.toy.eta = -0.001", "greater than 0"),
    ("studies.toy.eta", True, "studies.toy.eta = true", "valid number"),
    ("studies.toy.eta", None, "studies.toy.eta = null", "valid number"),
    ("studies.toy.eta", [0.5], "studies.toy.eta = [0.5]", "valid number"),
    ("studies.toy.eta", {"a": 1}, "studies.toy.eta = {\"a\": 1}", "valid number"),
    ("studies.toy.eta", NAN, "studies.toy.eta = NaN", "finite number"),
    ("studies.toy.eta", INF, "studies.toy.eta = Infinity", "finite number"),
    ("studies.toy.eta", "1e400", "studies.toy.eta = Infinity", "finite number"),
    ("studies.toy.eta", "0.5", "studies.toy.eta = \"0.5\"", "valid number"),
    ("studies.toy.steps", 1.5, "studies.toy.steps = 1.5", "valid integer"),
    ("studies.toy.steps", False, "studies.toy.steps = false", "valid integer"),
    ("studies.toy.steps", "3", "studies.toy.steps = \"3\"", "valid integer"),
    ("studies.toy.steps", 0, "studies.toy.steps = 0", "greater than or equal to 1"),
    ("studies.toy.steps", NAN, "studies.toy.steps = NaN", "integer"),
    ("studies.toy.steps", MISSING, "studies.toy.steps", "is missing and has no default"),
    ("studies.toy.widths", [], "studies.toy.widths = []", "at least 1 item"),
    ("studies.toy.widths", 5, "studies.toy.widths = 5", "valid array"),
    ("studies.toy.widths", [1, 2, "x"], "studies.toy.widths[2] = \"x\"", "valid integer"),
    ("studies.toy.rates", [0.1, NAN], "studies.toy.rates[1] = NaN", "finite number"),
    ("studies.toy.kind", "cauchy", "studies.toy.kind = \"cauchy\"", "'gaussian' or 'uniform'"),
    ("studies.toy.parts", [{"name": ""}], "studies.toy.parts[0].name = \"\"", "at least 1 character"),
    ("studies.toy.parts", [{"name": "a"}, {}], "studies.toy.parts[1].name", "is missing and has no default"),
    ("studies.toy.parts", [{"name": "a", "wait": 1}], "studies.toy.parts[0].wait = 1", "no such key"),
    ("studies.toy.first", {"name": "a", "w": 1}, "studies.toy.first.w = 1", "no such key (allowed: name, weight)"),
    ("studies.toy.speed", 1, "studies.toy.speed = 1", "no such key (allowed: eta, steps, widths"),
    ("studies.toy", [], "studies.toy = []", "object"),
    ("studies.tie", {}, "studies.tie = {}", "no such key (allowed: toy)"),
    ("studies", None, "studies = null", "object"),
    ("studies", MISSING, "studies", "is missing and has no default"),
    ("data.noise", {"size": -1}, "data.noise.size = -1", "greater than or equal to 1"),
    ("data.nois", {"size": 1}, "data.nois = {\"size\": 1}", "no such key (allowed: noise)"),
    ("master_seed", -1, "master_seed = -1", "greater than or equal to 0"),
    ("master_seed", 2**63, "master_seed = 9223372036854775808", "less than"),
    ("master_seed", 10**400, "master_seed = 1000", "less than"),
    ("preview", 1, "preview = 1", "valid boolean"),
    ("preview", "yes", "preview = \"yes\"", "valid boolean"),
    ("report", {"title": ""}, "report.title = \"\"", "at least 1 character"),
    ("report", {"title": "T", "engine": "word"}, "report.engine = \"word\"", "'auto', 'latex' or 'typst'"),
    ("store", {"limit_gib": 0}, "store.limit_gib = 0", "greater than 0"),
    ("colour", "red", "colour = \"red\"", "no such key (allowed: master_seed, preview, checkpoint_seconds, store, "),
]


def faults(config) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        validate(config)
    return str(raised.value).split("\n")


@pytest.mark.parametrize(("key", "value", "named", "allowed"), FAULTS)
def test_a_fault_is_one_line_with_key_value_and_what_is_allowed(key, value, named, allowed):
    (line,) = faults(changed(key, value))
    assert line.startswith(f"config: {named}")
    assert allowed in line


def test_a_combination_that_cannot_be_is_one_line():
    (line,) = faults(changed("studies.toy", {"eta": 0.5, "steps": 1, "widths": [1, 2]}))
    assert line.startswith("config: studies.toy = ")
    assert line.endswith("steps must be at least the number of widths")


def test_each_fault_has_its_line():
    lines = faults({**changed("studies.toy", {"eta": 0, "steps": 0}), "extra": 1})
    assert [line.split()[1] for line in lines] == ["studies.toy.eta", "studies.toy.steps", "extra"]


def test_a_long_value_is_cut_short():
    (line,) = faults(changed("studies.toy.eta", "x" * 1000))
    assert len(line) < 150


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "1e-04", "1.e-4", "1.0e-4", ".1e-3", "+1e-4", "0.01e-2"])
def test_every_way_to_write_a_number_is_a_number(text):
    config = validate(changed("studies.toy.eta", yaml.safe_load(text)))
    assert config.studies.toy.eta == 1e-4
    assert validate(changed("studies.toy.rates", [yaml.safe_load(text)])).studies.toy.rates == [1e-4]


def test_a_good_configuration_keeps_its_values_and_takes_defaults():
    config = validate(GOOD)
    assert config.studies.toy.model_dump() == {
        "eta": 0.5, "steps": 3, "widths": [1], "rates": [0.1], "kind": "gaussian", "parts": [], "first": None}
    assert (config.preview, config.store.path, config.report.engine) == (False, ".descent/store", "auto")
    assert validate(changed("studies.toy", None)).studies.toy is None
    assert validate(changed("studies.toy.eta", 1)).studies.toy.eta == 1.0


def test_a_good_configuration_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        validate(GOOD).studies.toy.eta = 0.1


ODD = [
    {(1, 2): 3}, {1: 2}, {None: 1}, {True: 1}, {"studies": {1: {}}}, {"a\nb": 1},
    {"studies": {"toy": {"eta": "\ud800"}}}, {"studies": {"toy": {"eta": object()}}}, {"studies": b"bytes"},
    {"studies": {1, 2}}, {},
]


@pytest.mark.parametrize("config", ODD, ids=range(len(ODD)))
def test_odd_data_are_refused_in_words(config):
    for line in faults(config):
        line.encode()
        assert line.startswith("config: ")


def test_data_that_contain_themselves_are_refused():
    config = copy.deepcopy(GOOD)
    config["studies"]["toy"]["rates"] = config
    (line,) = faults(config)
    assert line.startswith("config: not plain data")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=5)


@given(key=st.sampled_from([fault[0] for fault in FAULTS if fault[0].startswith("studies.toy.")]), value=VALUES)
def test_any_value_is_taken_or_refused_in_lines_that_name_its_key(key, value):
    try:
        validate(changed(key, value))
    except ConfigError as error:
        for line in str(error).splitlines():
            assert line.startswith(("config: studies.toy", "config: Invalid JSON"))


FILES = [
    (b"- 1\n- 2\n", "must be a mapping of keys to values"), (b"", "must be a mapping"),
    (b"just text", "must be a mapping"),
    (b"a: [1\n", "expected"), (b"a: \xff\xfe", "utf-8"), (b"a: b: c", "not allowed"), (b"\xff\xfea\x00:\x00", "utf-8"),
    (b"a: !!python/object/apply:os.system [echo]", "python/object"), (b"a: " + b"9" * 5000, "digits"),
    (b"a: " + b"[" * 5000, ""), (b"? [1, 2]\n: 3\n", "line 1: a key must be a word"),
    (b"a: *b", "undefined alias"), (b"a:\tb: c", ""),
]


@pytest.mark.parametrize(("data", "words"), FILES, ids=range(len(FILES)))
def test_a_file_that_is_no_configuration_is_named_in_one_line(data, words, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as raised:
        read([str(path)])
    assert str(raised.value).startswith(f"{path}: ")
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        read([str(tmp_path / "none.yaml")])


LAYERS = st.recursive(st.integers() | st.lists(st.integers(), max_size=2) | st.none(),
                      lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8)


@given(layers=st.lists(st.dictionaries(st.sampled_from("abc"), LAYERS, max_size=3), min_size=1, max_size=3))
def test_overlays_merge_as_snakemake_merges_them(layers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers")
    paths, expected = [], {}
    for i, layer in enumerate(layers):
        paths.append(str(folder / f"{i}.yaml"))
        Path(paths[-1]).write_text(yaml.safe_dump(layer))
        update_config(expected, yaml.safe_load(Path(paths[-1]).read_text()))
    assert read(paths) == expected


@given(*[st.dictionaries(st.sampled_from("abc"), LAYERS, max_size=3)] * 2)
def test_keys_come_in_the_order_of_the_first_file(tmp_path_factory, base, overlay):
    folder, found = tmp_path_factory.mktemp("layers"), copy.deepcopy(overlay)
    paths = [str(folder / "base.json"), str(folder / "overlay.json")]
    for path, layer in zip(paths, (base, overlay)):
        Path(path).write_text(json.dumps(layer))
        update_config(found, layer)  # as Snakemake does, which begins with the overlay
    assert json.dumps(in_order_of(base, found)) == json.dumps(read(paths))


def test_the_schema_describes_every_key(small_laboratory):
    described = json.loads(schema())
    assert described["additionalProperties"] is False
    for block in [described, *described["$defs"].values()]:
        for name, field in block["properties"].items():
            assert field.get("description"), name


def test_the_schema_in_the_repository_is_the_generated_one(monkeypatch):
    monkeypatch.undo()
    assert (ROOT / "workflow" / "schemas" / "config.schema.json").read_text() == schema()


def test_every_setting_of_the_laboratory_is_described(monkeypatch):
    monkeypatch.undo()
    for name, block in json.loads(schema())["$defs"].items():
        for key, field in block["properties"].items():
            assert field.get("description"), f"{name}.{key}"
