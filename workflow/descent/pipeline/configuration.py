"""Configuration files as plain data: UTF-8, YAML or JSON, each key once, and nothing that is run or grows when read."""

from __future__ import annotations

import argparse
import json
import os
import re
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

LIMIT = 2**20  # bytes of a file, and characters of its content with every alias written out
DEPTH = 20  # levels of mappings and lists within one another

# What YAML 1.1 does not read as it looks: 017 is 15, 1:30 is 90, 2026-01-31 is a date.
_MISREAD = re.compile(r"[-+]?0[0-7_]+|[-+]?\d[\d_]*(:[0-5]?\d)+(\.[\d_]*)?|\d{4}-\d\d?-\d\d?([Tt ].*)?", re.ASCII)

# Keys that Snakemake itself acts on, before anybody else sees them.
_SNAKEMAKE = {"__use_yte__", "pathvars"}


class ConfigError(ValueError):
    """A configuration that cannot be used; one line for each wrong key."""


class _Refused(Exception):
    """What a file may not contain, with the line (from 1) where it is known."""

    def __init__(self, words: str, line: int = 0):
        super().__init__(f"line {line}: {words}" if line else words)


def check_files(paths: Iterable[str]) -> None:
    """Raise ConfigError unless each file is a configuration's: to be called before anything else reads them."""
    for path in paths:
        load(path)


def check_command_line(words: list[str]) -> None:
    """End with one line when a file after `--configfile`, or a value after `--config`, is no configuration.

    For Snakemake's profile: Snakemake reads these before the Snakefile, and would run Python that they contain.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--configfile", "--configfiles", nargs="*", action="extend", default=[])
    parser.add_argument("--config", "-C", nargs="*", action="extend", default=[])
    given, _ = parser.parse_known_args(words)
    try:
        check_files(given.configfile)
        for entry in given.config:
            key, _, text = entry.partition("=")
            _refuse_snakemake("--config", [key])
            _parsed(f"--config {key}", text.encode(errors="surrogateescape"))
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


def load(path: str) -> dict[str, Any]:
    """The mapping that a file holds; raises ConfigError with the file, the line and what is wrong there."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe could be read only once
            raise ConfigError(f"{path}: must be a regular file")
        with open(path, "rb") as file:
            raw = file.read(LIMIT + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    data = _parsed(path, raw)
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: must be a mapping of keys to values")
    _refuse_snakemake(path, data)
    return data


def _refuse_snakemake(path: str, keys: Iterable[str]) -> None:
    for key in _SNAKEMAKE.intersection(keys):
        raise ConfigError(f"{path}: {key} is refused: it would have Snakemake run or rename things, and is no setting")


def _parsed(path: str, raw: bytes) -> Any:
    try:
        text = _text(raw)
        try:
            return _json(text)
        except ValueError:  # as Snakemake does: what is no JSON is YAML
            return _yaml(text)
    except _Refused as error:
        raise ConfigError(f"{path}: {error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = ", ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(f"{path}: line {mark.line + 1}: {words}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ConfigError(f"{path}: more than {DEPTH} levels of lists and mappings within one another") from None


def _text(raw: bytes) -> str:
    if len(raw) > LIMIT:
        raise _Refused(f"larger than {LIMIT // 2**20} MiB, which no configuration is")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Refused(f"not UTF-8 text ({error.reason}); save it as utf-8", raw.count(b"\n", 0, error.start) + 1) \
            from None


def _json(text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        twice = [key for key in dict(pairs) if keys.count(key) > 1] if len(set(keys)) < len(keys) else []
        if twice:
            raise _Refused(f"the key {_quoted(twice[0])} is given twice in one mapping")
        return dict(pairs)

    data = json.loads(text, object_pairs_hook=once)
    _refuse_deep(data, 0)
    return data


def _refuse_deep(value: Any, depth: int) -> None:
    if depth > DEPTH:
        raise _Refused(f"more than {DEPTH} levels of lists and mappings within one another")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _refuse_deep(item, depth + 1)


def _quoted(text: str) -> str:
    short = text if len(text) <= 60 else text[:57] + "..."
    return json.dumps(short, ensure_ascii=not short.isprintable())


def _yaml(text: str) -> Any:
    structure = _Structure()
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        structure.take(event)
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    def construct_object(self, node, deep=False):
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError):
            words = f"{_quoted(str(node.value))} cannot be read as a number (it has {len(node.value)} digits)"
            raise _Refused(words, node.start_mark.line + 1) from None


@dataclass
class _Open:
    """A mapping or list whose end has not come: its keys, whether one comes next, and its height up to here."""

    anchor: str | None
    size: int
    keys: set[str] | None
    at_key: bool
    height: int = 1


@dataclass
class _Structure:
    """Refuses, event by event and before anything is built, what YAML has beyond plain settings.

    `anchors` has the size and height of what an alias stands for; None while that is still open.
    """

    size: int = 0
    documents: int = 0
    open: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[int, int] | None] = field(default_factory=dict)

    def take(self, event: yaml.Event) -> None:
        """Account for the next event of the parser; raises _Refused."""
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise _Refused("a second document begins (---), but a configuration is one", line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()
        elif isinstance(event, yaml.NodeEvent):
            self._key(event, line)
            self._node(event, line)

    def _key(self, event: yaml.NodeEvent, line: int) -> None:
        if getattr(event, "tag", None) is not None:
            raise _Refused(f"the tag {_quoted(event.tag)} is refused: settings are plain data", line)
        top = self.open[-1] if self.open else None
        if top is None or top.keys is None:
            return
        if top.at_key:
            if not isinstance(event, yaml.ScalarEvent):
                raise _Refused("a key must be a word, not a list, a mapping or an alias", line)
            if event.value in top.keys:
                raise _Refused(f"the key {_quoted(event.value)} is given twice in one mapping", line)
            top.keys.add(event.value)
        top.at_key = not top.at_key

    def _node(self, event: yaml.NodeEvent, line: int) -> None:
        size, height = 1, 0
        if isinstance(event, yaml.ScalarEvent):
            size += len(event.value)
            if event.implicit[0] and _MISREAD.fullmatch(event.value):
                raise _Refused(f"{_quoted(event.value)} would be read as an octal number, a time or a date: write a "
                               "plain number, or put text in quotes", line)
        elif isinstance(event, yaml.AliasEvent):
            known = self.anchors.get(event.anchor, (1, 0))  # an unknown one is found when the data are built
            if known is None:
                raise _Refused(f"*{event.anchor} stands for something that contains it", line)
            size, height = known
        else:
            keys = set() if isinstance(event, yaml.MappingStartEvent) else None
            self.open.append(_Open(event.anchor, self.size, keys, at_key=True))
        self._grow(size, height, line)
        if event.anchor and not isinstance(event, yaml.AliasEvent):
            self.anchors[event.anchor] = (size, height) if isinstance(event, yaml.ScalarEvent) else None

    def _grow(self, size: int, height: int, line: int) -> None:
        self.size += size
        if self.size > LIMIT:
            raise _Refused(f"the aliases up to here stand for more than {LIMIT} characters", line)
        if len(self.open) + height > DEPTH:
            raise _Refused(f"more than {DEPTH} levels of lists and mappings within one another", line)
        if self.open:
            self.open[-1].height = max(self.open[-1].height, height + 1)

    def _close(self) -> None:
        closed = self.open.pop()
        if closed.anchor:
            self.anchors[closed.anchor] = (self.size - closed.size, closed.height)
        if self.open:
            self.open[-1].height = max(self.open[-1].height, closed.height + 1)
