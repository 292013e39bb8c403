"""Digest of the code that a stage runs: the static closure of its entry function, function by function."""

from __future__ import annotations

import ast
import hashlib
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

PACKAGE = "descent"
ROOT = Path(__file__).resolve().parents[2]


def digest_text(text: str) -> str:
    """BLAKE2b-128 of a text, 32 hexadecimal digits."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class FingerprintError(ValueError):
    """Code whose closure cannot be determined; the message names the place."""


@dataclass(frozen=True)
class Reference:
    """What an imported name stands for: a module, or a name in one (`attribute`)."""

    module: str
    attribute: str | None = None


@dataclass(frozen=True)
class Closure:
    """`parts`: digest of each definition reached, by `module:name`; `packages`: third-party imports."""

    parts: dict[str, str]
    packages: tuple[str, ...]

    @cached_property
    def digest(self) -> str:
        """BLAKE2b-128 over all parts."""
        return digest_text("\n".join(f"{name} {part}" for name, part in sorted(self.parts.items())))


@dataclass
class Module:
    """One parsed module: statements that bind each top-level name, imports, and statements run for effect."""

    name: str
    is_package: bool
    bindings: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, Reference] = field(default_factory=dict)
    effects: list[ast.stmt] = field(default_factory=list)


class Fingerprints:
    """Closures of entries under one root folder; modules are parsed once per instance."""

    def __init__(self, root: Path = ROOT):
        self.root = root
        self._modules: dict[str, Module | None] = {}

    def closure(self, *entries: str) -> Closure:
        """The joint closure of entries `module:function`; raises FingerprintError when one does not exist."""
        walk = _Walk(self)
        for entry in entries:
            module, _, name = entry.partition(":")
            if self._module(module) is None:
                raise FingerprintError(f"entry {entry!r}: no module {module}")
            if name not in self._module(module).bindings:
                raise FingerprintError(f"entry {entry!r}: {module} has no {name}")
            walk.reach(module, name)
        return Closure(walk.parts, tuple(sorted(walk.packages)))

    def _module(self, name: str) -> Module | None:
        if name not in self._modules:
            path = self._path(name)
            self._modules[name] = None if path is None else _parse(name, path)
        return self._modules[name]

    def _path(self, name: str) -> Path | None:
        if name.split(".")[0] != PACKAGE:
            return None
        base = self.root.joinpath(*name.split("."))
        candidates = (base / "__init__.py", base.with_suffix(".py"))
        return next((path for path in candidates if path.is_file()), None)


def _parse(name: str, path: Path) -> Module:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise FingerprintError(f"{path}: {error}") from error
    module = Module(name, path.name == "__init__.py")
    _strip_docstrings(tree)
    for statement in tree.body:
        _bind(module, statement)
    return module


def _strip_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | _DEFINITIONS):
            continue
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
            node.body = node.body[1:] or [ast.Pass()]


_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_IMPORTS = ast.Import | ast.ImportFrom


def _bind(module: Module, statement: ast.stmt) -> None:
    if isinstance(statement, _DEFINITIONS):
        module.bindings.setdefault(statement.name, []).append(statement)
        return
    imports = _imports(statement, module)
    module.imports.update(imports)
    names = _assigned_names(statement)
    for name in names:
        module.bindings.setdefault(name, []).append(statement)
    if not names and not isinstance(statement, _IMPORTS | ast.Pass):
        module.effects.append(statement)


def _assigned_names(statement: ast.stmt) -> list[str]:
    names = {}
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names[node.id] = None
        elif isinstance(node, _DEFINITIONS):
            names[node.name] = None
    return list(names)


def _imports(node: ast.AST, module: Module) -> dict[str, Reference]:
    found: dict[str, Reference] = {}
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                target = alias.name if alias.asname else alias.name.split(".")[0]
                found[alias.asname or target] = Reference(target)
        elif isinstance(child, ast.ImportFrom):
            source = _absolute(child, module)
            for alias in child.names:
                if alias.name == "*":
                    raise FingerprintError(f"{module.name}: `from {source} import *` hides what is used")
                found[alias.asname or alias.name] = Reference(source, alias.name)
    return found


def _absolute(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    parts = parts[: len(parts) - node.level + module.is_package]
    return ".".join([*parts, *([node.module] if node.module else [])])


class _Walk:
    """Reaches definitions from an entry, recording a digest of each and the third-party packages on the way."""

    def __init__(self, fingerprints: Fingerprints):
        self._module = fingerprints._module
        self.parts: dict[str, str] = {}
        self.packages: set[str] = set()
        self._loaded: set[str] = set()

    def reach(self, module_name: str, name: str) -> None:
        module = self._module(module_name)
        label = f"{module_name}:{name}"
        if label in self.parts:
            return
        self._load(module_name)
        if name in module.imports:
            self._follow(module.imports[name], ())
        if name in module.bindings:
            statements = module.bindings[name]
            self.parts[label] = digest_text("\n".join(ast.dump(statement) for statement in statements))
            for statement in statements:
                self._references(statement, module)

    def _load(self, name: str) -> None:
        # Importing a module runs its packages' __init__ and whatever it and its imports do for effect.
        if name in self._loaded or (module := self._module(name)) is None:
            return
        self._loaded.add(name)
        if "." in name:
            self._load(name.rpartition(".")[0])
        for position, statement in enumerate(module.effects):
            self.parts[f"{name}:<effect {position}>"] = digest_text(ast.dump(statement))
            self._references(statement, module)
        for reference in module.imports.values():
            self._load(reference.module)
            self._load(f"{reference.module}.{reference.attribute}")
        if module.is_package:
            for bound in module.bindings:
                self.reach(name, bound)

    def _references(self, node: ast.AST, module: Module) -> None:
        local = _imports(node, module)
        for reference in local.values():
            self._load(reference.module)
            self._load(f"{reference.module}.{reference.attribute}")
        for chain in _chains(node):
            reference = local.get(chain[0]) or module.imports.get(chain[0])
            if reference is not None:
                self._external(module, chain[0], reference)
                self._follow(reference, chain[1:])
            elif chain[0] in module.bindings:
                self.reach(module.name, chain[0])

    def _external(self, module: Module, alias: str, reference: Reference) -> None:
        package = reference.module.split(".")[0]
        if package == PACKAGE:
            return
        # What a name stands for is part of the code, even when the definition is not ours.
        self.parts[f"{module.name}:import {alias}"] = f"{reference.module} {reference.attribute}"
        if package not in sys.stdlib_module_names:
            self.packages.add(package)

    def _follow(self, reference: Reference, rest: tuple[str, ...]) -> None:
        name, chain = reference.module, ((reference.attribute,) if reference.attribute else ()) + rest
        if self._module(name) is None:
            return
        while chain and self._module(f"{name}.{chain[0]}") is not None:
            name, chain = f"{name}.{chain[0]}", chain[1:]
        self._load(name)
        module = self._module(name)
        if chain:
            self.reach(name, chain[0])
        elif not module.is_package:
            # The module itself is passed around: anything in it may be used.
            for bound in module.bindings:
                self.reach(name, bound)


def _chains(node: ast.AST) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    pending = [node]
    while pending:
        current = pending.pop()
        chain = _dotted(current)
        if chain:
            found.append(chain)
        else:
            pending.extend(ast.iter_child_nodes(current))
    return found


def _dotted(node: ast.AST) -> tuple[str, ...]:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()
