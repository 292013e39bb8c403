"""Digest of the code that a stage runs: the static closure of its entry function, function by function."""

from __future__ import annotations

import ast
import hashlib
import symtable
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from descent.pipeline.sidecar import file_state

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
    """One parsed module: statements that bind each top-level name, imports, and statements run for effect.

    `imports` has all that a name may stand for (both branches of a `try`), `loaded` the modules that
    importing this one imports.
    """

    name: str
    is_package: bool
    bindings: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, list[Reference]] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)
    effects: list[ast.stmt] = field(default_factory=list)
    scopes: dict[tuple[str, int], symtable.SymbolTable] = field(default_factory=dict)


class Statement:
    """What a closure takes from one statement: its digest, what it imports, and the dotted names it uses.

    `chains` has all of these, `globals` those that may be the module's: not a function's own variables.
    """

    def __init__(self, node: ast.stmt, module: Module):
        self.text = ast.dump(node)
        self.loaded = list(dict.fromkeys(_imported_modules(node, module)))
        self.imports = _imports(node, module)
        self.chains = list(dict.fromkeys(_chains(node)))
        names = _global_names(node, module)
        self.globals = [chain for chain in self.chains if names is None or chain[0] in names]


class Fingerprints:
    """Closures of entries under one root folder; modules are parsed, and statements looked at, once per instance.

    `sources`: states of the files read so far and of their folders, from before they were read.
    """

    def __init__(self, root: Path = ROOT):
        self.root = root
        self.sources: dict[str, list[int]] = {}
        self._modules: dict[str, Module | None] = {}
        self._statements: dict[int, Statement] = {}
        self._closures: dict[tuple[str, ...], Closure] = {}

    def closure(self, *entries: str) -> Closure:
        """The joint closure of entries `module:function`; raises FingerprintError when one does not exist."""
        if entries not in self._closures:
            self._closures[entries] = self._closure(entries)
        return self._closures[entries]

    def _closure(self, entries: tuple[str, ...]) -> Closure:
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
            self._modules[name] = None if path is None else self._read(name, path)
        return self._modules[name]

    def _read(self, name: str, path: Path) -> Module:
        for source in (path.parent, path):  # a new file in a folder may stand in for another one
            self.sources.setdefault(str(source), file_state(source))
        return _parse(name, path)

    def _statement(self, node: ast.stmt, module: Module) -> Statement:
        # By identity: the modules keep their statements alive.
        if id(node) not in self._statements:
            self._statements[id(node)] = Statement(node, module)
        return self._statements[id(node)]

    def _path(self, name: str) -> Path | None:
        if name.split(".")[0] != PACKAGE:
            return None
        base = self.root.joinpath(*name.split("."))
        candidates = (base / "__init__.py", base.with_suffix(".py"))
        return next((path for path in candidates if path.is_file()), None)


def _parse(name: str, path: Path) -> Module:
    source = path.read_bytes()
    try:
        tree, scopes = ast.parse(source), symtable.symtable(source, str(path), "exec").get_children()
    except (SyntaxError, ValueError) as error:
        raise FingerprintError(f"{path}: {error}") from error
    module = Module(name, path.name == "__init__.py", scopes={(s.get_name(), s.get_lineno()): s for s in scopes})
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


def _bind(module: Module, statement: ast.stmt) -> None:
    if isinstance(statement, _DEFINITIONS):
        module.bindings.setdefault(statement.name, []).append(statement)
        return
    for alias, references in _imports(statement, module).items():
        module.imports.setdefault(alias, []).extend(references)
    module.loaded.extend(_imported_modules(statement, module))
    for name in _assigned_names(statement):
        module.bindings.setdefault(name, []).append(statement)
    if not _only_binds(statement):
        module.effects.append(statement)


def _only_binds(statement: ast.stmt) -> bool:
    # `for key in KEYS: TABLE[key] = ...` binds `key` and changes TABLE, so it is an effect as well.
    if isinstance(statement, ast.Assign):
        return all(_is_name(target) for target in statement.targets)
    if isinstance(statement, ast.AnnAssign | ast.AugAssign):
        return _is_name(statement.target)
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass)


def _is_name(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return all(_is_name(element) for element in target.elts)
    return isinstance(target, ast.Name) or (isinstance(target, ast.Starred) and _is_name(target.value))


def _assigned_names(statement: ast.stmt) -> list[str]:
    names = {}
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names[node.id] = None
        elif isinstance(node, _DEFINITIONS):
            names[node.name] = None
    return list(names)


def _imports(node: ast.AST, module: Module) -> dict[str, list[Reference]]:
    found: dict[str, list[Reference]] = {}
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                target = alias.name if alias.asname else alias.name.split(".")[0]
                found.setdefault(alias.asname or target, []).append(Reference(target))
        elif isinstance(child, ast.ImportFrom):
            source = _absolute(child, module)
            for alias in child.names:
                if alias.name == "*":
                    raise FingerprintError(f"{module.name}: `from {source} import *` hides what is used")
                found.setdefault(alias.asname or alias.name, []).append(Reference(source, alias.name))
    return found


def _imported_modules(node: ast.AST, module: Module) -> list[str]:
    found: list[str] = []
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            found.extend(alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            source = _absolute(child, module)
            found.extend([source, *(f"{source}.{alias.name}" for alias in child.names)])
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
        self._module, self._statement = fingerprints._module, fingerprints._statement
        self.parts: dict[str, str] = {}
        self.packages: set[str] = set()
        self._loaded: set[str] = set()
        self._reached: set[tuple] = set()

    def reach(self, module_name: str, name: str, attributes: tuple[str, ...] = ()) -> None:
        if (module_name, name, attributes) in self._reached:
            return
        self._reached.add((module_name, name, attributes))
        self._load(module_name)
        module = self._module(module_name)
        if name in module.imports:
            references = module.imports[name]
            # What a name stands for is part of the code, whoever's the definition is.
            self.parts[f"{module_name}:import {name}"] = "; ".join(f"{r.module} {r.attribute}" for r in references)
            for reference in references:
                self._follow(reference, attributes)
        self._define(module, name)

    def _define(self, module: Module, name: str) -> None:
        label = f"{module.name}:{name}"
        if name not in module.bindings or label in self.parts:
            return
        statements = [self._statement(node, module) for node in module.bindings[name]]
        self.parts[label] = digest_text("\n".join(statement.text for statement in statements))
        for statement in statements:
            self._references(statement, module)

    def _load(self, name: str) -> None:
        # Importing a module runs its packages' __init__ and whatever it and its imports do for effect.
        if name in self._loaded or (module := self._module(name)) is None:
            return
        self._loaded.add(name)
        if "." in name:
            self._load(name.rpartition(".")[0])
        for position, node in enumerate(module.effects):
            statement = self._statement(node, module)
            self.parts[f"{name}:<effect {position}>"] = digest_text(statement.text)
            self._references(statement, module)
        for imported in module.loaded:
            self._load(imported)
        if module.is_package:
            for bound in module.bindings:
                self.reach(name, bound)

    def _references(self, statement: Statement, module: Module) -> None:
        for imported in statement.loaded:
            self._load(imported)
            self._external(imported)
        for chain in statement.chains:
            for reference in statement.imports.get(chain[0], ()):
                self._follow(reference, chain[1:])
        for chain in statement.globals:
            if chain[0] in module.imports or chain[0] in module.bindings:
                self.reach(module.name, chain[0], chain[1:])

    def _follow(self, reference: Reference, attributes: tuple[str, ...]) -> None:
        self._external(reference.module)
        if reference.module.split(".")[0] == PACKAGE:
            self._resolve(reference.module, ((reference.attribute,) if reference.attribute else ()) + attributes)

    def _external(self, module_name: str) -> None:
        package = module_name.split(".")[0]
        if package != PACKAGE and package not in sys.stdlib_module_names:
            self.packages.add(package)

    def _resolve(self, name: str, chain: tuple[str, ...]) -> None:
        module = self._module(name)
        if module is None:
            raise FingerprintError(f"{name}: imported, but there is no such module (a folder without __init__.py?)")
        self._load(name)
        known = bool(chain) and (chain[0] in module.bindings or chain[0] in module.imports)
        if known:
            # Also where there is a submodule of this name: `__init__` may have bound it to something else.
            self.reach(name, chain[0], chain[1:])
        if chain and self._module(f"{name}.{chain[0]}") is not None:
            self._resolve(f"{name}.{chain[0]}", chain[1:])
        elif not known:
            self._whole(module, chain)

    def _whole(self, module: Module, chain: tuple[str, ...]) -> None:
        # The module is passed around, or asked for what it makes at run time: anything in it may be used.
        if chain and chain[0].startswith("__"):
            return
        for name in [*module.imports, *module.bindings]:
            self.reach(module.name, name)


def _global_names(node: ast.stmt, module: Module) -> set[str] | None:
    """Names in a definition that Python looks up in its module; None for other statements, where all may be."""
    if not isinstance(node, _DEFINITIONS) or (node.name, node.lineno) not in module.scopes:
        return None
    names = {chain[0] for part in _evaluated_outside(node, module) for chain in _chains(part)}
    pending = [module.scopes[node.name, node.lineno]]
    while pending:
        scope = pending.pop()
        # A class looks its names up in itself and then in the module.
        names.update(s.get_name() for s in scope.get_symbols() if s.is_global() or scope.get_type() == "class")
        pending.extend(scope.get_children())
    return names


def _evaluated_outside(node: ast.stmt, module: Module) -> list[ast.expr | ast.keyword]:
    parts: list[ast.expr | ast.keyword] = list(node.decorator_list)
    if isinstance(node, ast.ClassDef):
        parts += [*node.bases, *node.keywords]
    else:
        parts += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
    if _annotations_matter(node, module):
        held = [getattr(child, name, None) for child in ast.walk(node) for name in ("annotation", "returns")]
        parts += filter(None, held)
    return parts


def _annotations_matter(node: ast.stmt, module: Module) -> bool:
    # Under the future statement they stay texts, unless a class or a decorator asks for what they mean.
    texts = Reference("__future__", "annotations") in module.imports.get("annotations", ())
    asking = (isinstance(child, ast.ClassDef) or getattr(child, "decorator_list", ()) for child in ast.walk(node))
    return not texts or any(asking)


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
