"""Configuration files that are no plain settings, in process and through `snakemake`: one line, and nothing is run."""

import json
import random
import subprocess
from pathlib import Path

import pytest
from snakemake.common.configfile import load_configfile

from descent.pipeline.configuration import LIMIT, ConfigError, load
from tests.laboratory import Laboratory, fresh_checkout

LISTS = "a: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
MAPPINGS = "a: &a0 {k: x}\n" + "".join(
    f"a{i}: &a{i} {{{', '.join(f'k{j}: *a{i - 1}' for j in range(9))}}}\n" for i in range(1, 12))
CHAIN = "a: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 40))
SCRIPT = "touch canary"
YTE = f"__use_yte__: true\n__definitions__:\n  - import os\n  - os.system('{SCRIPT}')\n"

# What the file holds, and words of the line that refuses it (None: it is a configuration).
FILES = {
    "a tag that would run a command": (f"studies: !!python/object/apply:os.system ['{SCRIPT}']", "line 1: the tag"),
    "a tag for bytes": ("report: {title: !!binary aGVsbG8=}", "line 1: the tag"),
    "a tag of its own": ("master_seed: !seed 3", "line 1: the tag"),
    "statements that Snakemake would run": (YTE, "__use_yte__ is refused"),
    "an expression that Snakemake would run": (
        f"__use_yte__: true\nmaster_seed: \"?__import__('os').system('{SCRIPT}')\"", "__use_yte__ is refused"),
    "statements behind a merge key": (f"x: &x\n  __use_yte__: true\n  __definitions__: [\"{SCRIPT}\"]\n<<: *x",
                                      "__use_yte__ is refused"),
    "Snakemake's own key": ("pathvars: 5", "pathvars is refused"),
    "aliases that explode": (LISTS, "the aliases up to here stand for more than"),
    "mappings that explode": (MAPPINGS, "the aliases up to here stand for more than"),
    "aliases that nest": (CHAIN, "more than 20 levels"),
    "a mapping that contains itself": ("studies: &a\n  planted_relu: *a", "line 2: *a stands for something"),
    "an unknown alias": ("master_seed: *x", "undefined alias"),
    "deep lists": ("a: " + "[" * 3000 + "]" * 3000, "more than 20 levels"),
    "deep JSON": ('{"a":' + "[" * 3000 + "]" * 3000 + "}", "more than 20 levels"),
    "deep indentation": ("".join(" " * i + f"k{i}:\n" for i in range(60)), "more than 20 levels"),
    "a key twice": ("master_seed: 1\npreview: true\nmaster_seed: 2", 'line 3: the key "master_seed" is given twice'),
    "a key twice in JSON": ('{"master_seed": 1, "master_seed": 2}', 'the key "master_seed" is given twice'),
    "a list as key": ("? [1]\n: 2", "line 1: a key must be a word"),
    "two documents": ("master_seed: 1\n---\nmaster_seed: 2", "line 2: a second document"),
    "tabs": ("report:\n\ttitle: x", "line 2: while scanning"),
    "UTF-16": ("master_seed: 1".encode("utf-16"), "line 1: not UTF-8 text"),
    "Latin-1": ("preview: true\nreport: {title: café}".encode("latin-1"), "line 2: not UTF-8 text"),
    "a NUL": (b"report: {title: 'a\0b'}", "not allowed"),
    "a large file": (b"#" * (LIMIT + 1), "larger than 1 MiB"),
    "a number of 5000 digits": ("master_seed: " + "9" * 5000, "5000 digits"),
    "an octal number": ("master_seed: 017", 'line 1: "017" would be read as'),
    "base 60": ("master_seed: 1:30", 'line 1: "1:30" would be read as'),
    "a date": ("report: {title: 2026-01-31}", 'line 1: "2026-01-31" would be read as'),
    "no date": ("report: {title: 2026-99-99}", "would be read as"),
    "a list": ("- 1", "must be a mapping"),
    "nothing": ("", "must be a mapping"),
    "a pickle": (b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94.", "not UTF-8 text"),
    "a byte order mark": ("\ufeffmaster_seed: 1", None),
    "JSON": ('{"master_seed": 1, "report": {"title": "A\\/B"}}', None),
    "quoted dates and merge keys": ("report: &x {title: 'On 2026-01-31'}\nstudies: {}\n", None),
}


def raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_a_configuration_or_is_refused_in_one_line(name, tmp_path):
    text, words = FILES[name]
    path = tmp_path / "mine.yaml"
    path.write_bytes(raw(text))
    if words is None:
        assert load(str(path)) == load_configfile(path)
        return
    with pytest.raises(ConfigError) as raised:
        load(str(path))
    line = str(raised.value)
    assert line.startswith(f"{path}: ")
    assert words in line
    assert line.isprintable()
    assert len(line) < 300 + len(str(path))


BASE = """# comment
master_seed: 7
report: {title: "Mine", engine: typst}
store:
  path: null
  exact: false
shared: &rates [0.1, 1e-2, .5]
studies:
  planted_relu:
    learning_rate: {rates: *rates, epochs: 4}
    width: {factors: [1, 2, 4]}
  eigenmodes: {widths: [64, 256], 'steps': 120}
"""
PIECES = ["&a ", "*a", "*rates", "<<: ", "!!int ", "!", "? ", "- ", ": ", "\n", "\n---\n", "...\n", "\t", "  ", "[",
          "]", "{", "'", '"', "|\n", ">-\n", "#", "%YAML 1.1\n", "\\x", "\0", "\u2028", "\ufeff", "é", "\U0001f642",
          "}", "~", "0o7", "1:2", "2026-01-01", "on", ".nan", "0x", "__use_yte__: true\n", "=", "@", "`", "\x85"]


def mutated(rng: random.Random) -> bytes:
    text = BASE
    for _ in range(rng.choice([1, 1, 2, 4])):
        i, j, piece = rng.randrange(len(text)), rng.randrange(len(text)), rng.choice(PIECES)
        lines = text.split("\n")
        text = rng.choice([
            text[:i] + piece + text[i:], text[:i] + piece * rng.choice([3, 200]) + text[i:], text[:i] or text,
            text[: min(i, j)] + text[max(i, j):] or text, text[:i] + text[j: j + 30] + text[i:],
            "\n".join(rng.sample(lines, k=len(lines)))])
    data = text.encode()
    return data if rng.random() < 0.9 else data[: len(data) // 2] + bytes([rng.randrange(256)]) + data[len(data) // 2:]


@pytest.mark.parametrize("block", range(4))
def test_what_is_accepted_is_what_snakemake_reads(block, tmp_path):
    rng, path, accepted = random.Random(block), tmp_path / "mine.yaml", 0
    for _ in range(150):
        path.write_bytes(mutated(rng))
        found, line = read_or_refused(path)
        if line:
            assert line.startswith(f"{path}: ")
            assert "\n" not in line
        else:
            accepted += 1
            assert repr(found) == repr(dict(load_configfile(path)))  # by repr: NaN is not equal to itself
    assert 5 < accepted < 145


def read_or_refused(path: Path) -> tuple[dict, str]:
    try:
        return load(str(path)), ""
    except ConfigError as error:
        return {}, str(error)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Laboratory:
    """A checkout in which nothing is ever run; its parent folder holds nothing else."""
    return fresh_checkout(tmp_path_factory.mktemp("bad input") / "a checkout")


def tree(checkout: Laboratory) -> dict[str, tuple]:
    files = [path for path in checkout.root.parent.rglob("*") if ".snakemake" not in path.parts
             and "__pycache__" not in path.parts and path.name not in ("mine.yaml", "config.yaml")]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files if path.is_file()}


def dry_run(checkout: Laboratory, *more: str) -> subprocess.CompletedProcess:
    before = tree(checkout)
    words = checkout.command("--dry-run", "report")
    done = subprocess.run([*words, *more], cwd=checkout.root, env=checkout.environment(), capture_output=True,
                          text=True, timeout=300)
    assert tree(checkout) == before
    assert "Traceback" not in done.stdout + done.stderr
    assert not list(checkout.root.parent.rglob("canary"))
    return done


def refusal(done: subprocess.CompletedProcess) -> str:
    """The one line that a refused run says beside Snakemake's own two."""
    assert done.returncode == 1, done.stdout + done.stderr
    own = ("Using workflow specific profile", "Config file config.yaml is extended")
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    (line,) = [line for line in said if not line.startswith(own)]
    return line


BY_COMMAND = [name for name in FILES if name.startswith((
    "a tag that", "statements", "an expression", "Snakemake's", "aliases that explode", "mappings that explode",
    "a mapping that", "deep JSON", "a key twice", "UTF-16", "Latin-1", "a large", "a number of", "a pickle"))]


@pytest.mark.parametrize("name", BY_COMMAND)
def test_snakemake_refuses_the_file_in_one_line_and_runs_nothing(checkout, name):
    text, words = FILES[name]
    checkout.path("mine.yaml").write_bytes(raw(text))
    line = refusal(dry_run(checkout, "mine.yaml"))
    assert line.startswith("mine.yaml: ")
    assert words in line


VALUES = {
    "a command in a title": ({"report": {"title": "\\input{/etc/passwd}"}}, "config: report.title = "),
    "a hidden direction": ({"report": {"title": "a\u202eb"}}, "config: report.title = "),
    "half a surrogate pair": ({"report": {"title": "\ud800"}}, "config: report.title = "),
    "a store that is a file": ({"store": {"path": "/etc/passwd"}}, "config: store.path = '/etc/passwd': "),
    "a NUL in a path": ({"data": {"user_regression": {"path": "a\0.csv"}}}, "config: data.user_regression.path = "),
    "a device as a source": ({"data": {"user_regression": {"path": "mine.csv"}}}, "mine.csv: must be a regular file"),
    "a homoglyph": ({"studies": {"plаnted_relu": {}}}, "config: studies.plаnted_relu = "),
    "replicates beyond reason": ({"studies": {"planted_relu": {"replicates": 10**9}}},
                                 "config: studies.planted_relu.replicates = 1000000000: should be less than"),
    "a file outside": ({"data": {"user_regression": {"path": "../nothing.csv"}}}, "../nothing.csv: cannot read this"),
}


@pytest.mark.parametrize("name", VALUES)
def test_snakemake_refuses_the_value_in_one_line(checkout, name):
    config, words = VALUES[name]
    if not (device := checkout.path("mine.csv")).exists():
        device.mkdir()
    checkout.path("mine.yaml").write_text(json.dumps(config))
    assert refusal(dry_run(checkout, "mine.yaml")).startswith(words)


def test_a_source_with_an_odd_name_is_a_name_and_no_command(checkout):
    name = "$(touch canary); `touch canary` 'a\" *&.csv"
    config = {"data": {"user_regression": {"path": name}}, "report": {"title": "Résumé: what (if anything) holds?"}}
    checkout.path("mine.yaml").write_text(json.dumps(config))
    checkout.path(name).write_bytes(checkout.path("docs/iris.csv").read_bytes())
    done = dry_run(checkout, "mine.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    target = "results/data/user_regression.parquet"
    words = [*checkout.command(target), "mine.yaml"]
    subprocess.run(words, cwd=checkout.root, env=checkout.environment(), capture_output=True, check=True)
    assert checkout.path(target).exists()
    assert not list(checkout.root.parent.rglob("canary"))


@pytest.mark.parametrize(("words", "line"), [
    (["--config", "pathvars=5"], "--config: pathvars is refused"),
    (["--config", "studies=&a {planted_relu: *a}"], "--config studies: line 1: *a stands for something"),
    (["--config", "master_seed=-1"], "config: master_seed = -1: should be greater"),
])
def test_values_of_the_command_line_are_settings_too(checkout, words, line):
    assert refusal(dry_run(checkout, *words)).startswith(line)


@pytest.mark.parametrize("profile", ["default", "none"])
def test_the_laboratory_s_own_file_is_looked_at_like_any_other(checkout, profile):
    path = checkout.path("config.yaml")
    good = path.read_bytes()
    try:
        path.write_bytes(good + YTE.encode())
        line = refusal(dry_run(checkout, *([] if profile == "default" else ["--workflow-profile", "none"])))
    finally:
        path.write_bytes(good)
    assert line.startswith("config.yaml: __use_yte__ is refused")


def test_a_file_that_is_none_is_named(tmp_path):
    for path, words in [(tmp_path, "must be a regular file"), (tmp_path / "none", "cannot be read (No such file"),
                        (Path("/dev/zero"), "must be a regular file")]:
        with pytest.raises(ConfigError, match=f"^{path}: ") as raised:
            load(str(path))
        assert words in str(raised.value)
