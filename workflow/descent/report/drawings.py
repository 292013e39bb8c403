"""Figures within the page: matplotlib's SVG cut down to what is drawn, glyphs and styles shared by all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from xml.etree import ElementTree

from descent.report.templates import ReportError

_NAMESPACE = re.compile(r"\{[^}]*\}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)|^#(.+)$")
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_PATH = re.compile(r"[A-Za-z]|-?[\d.]+(?:e-?\d+)?")
_LONGEST_SHARED = 1000  # characters of a path; longer ones are curves, of one figure only
_POINTS = {"M": 1, "L": 1, "Q": 2, "C": 3, "Z": 0}


class Drawings:
    """The figures of one page: `inline` gives each as an element, then `sheet` and `styles` what they share."""

    def __init__(self) -> None:
        self._count = 0
        self._shapes: dict[tuple[tuple[str, str], ...], str] = {}
        self._classes: dict[str, str] = {}

    def inline(self, path: Path, label: str) -> str:
        """The SVG file as an element with the accessible name `label`; raises ReportError when it is not one."""
        try:
            root = ElementTree.parse(path).getroot()
        except ElementTree.ParseError as error:
            raise ReportError(f"{path}: not a readable figure ({error})") from error
        self._count += 1
        _strip(root)
        names = self._names(root)
        self._share(root, names)
        for element in root.iter():
            self._shorten(element, names)
        root.attrib = {"viewBox": root.get("viewBox", ""), "width": root.get("width", ""),
                       "height": root.get("height", ""), "role": "img", "aria-label": label}
        return "".join(_written(root))

    def sheet(self) -> str:
        """The shapes that figures use, in an element of no size."""
        shapes = "".join(f'<path id="{name}"{_attributes(dict(shape))}/>' for shape, name in self._shapes.items())
        return f'<svg class="shapes" width="0" height="0" aria-hidden="true"><defs>{shapes}</defs></svg>'

    def styles(self) -> str:
        """CSS of the classes that figures use."""
        return "\n".join(f".{name}{{{style}}}" for style, name in self._classes.items())

    def _names(self, root: ElementTree.Element) -> dict[str, str]:
        # Only what is referred to keeps an id, and a short one of its own on the page.
        used = {found for element in root.iter() for value in element.attrib.values()
                for found in _references(value)}
        return {old: f"f{self._count}-{number}" for number, old in enumerate(sorted(used))}

    def _share(self, root: ElementTree.Element, names: dict[str, str]) -> None:
        for parent in root.iter("defs"):
            for element in list(parent):
                if element.tag == "path" and len(element.get("d", "")) <= _LONGEST_SHARED:
                    parent.remove(element)
                    name = element.attrib.pop("id", "")
                    names |= {name: self._shape(element)} if name in names else {}

    def _shape(self, element: ElementTree.Element) -> str:
        self._shorten(element, {})
        return self._shapes.setdefault(tuple(sorted(element.attrib.items())), f"g{len(self._shapes)}")

    def _shorten(self, element: ElementTree.Element, names: dict[str, str]) -> None:
        attributes = {}
        for name, value in element.attrib.items():
            value = _REFERENCE.sub(lambda m: f"url(#{names[m[1]]})" if m[1] else f"#{names[m[2]]}", value)
            if name == "id":
                attributes |= {"id": names[value]} if value in names else {}
            elif name == "d":
                attributes["d"] = short_path(value)
            elif name == "style":
                attributes["class"] = self._class(re.sub(r"\s*([:;])\s*", r"\1", value).strip("; "))
            else:
                attributes[name] = value if value.startswith("data:") else _NUMBER.sub(_rounded, value)
        element.attrib = attributes

    def _class(self, style: str) -> str:
        return self._classes.setdefault(style, f"s{len(self._classes)}")


def _references(value: str) -> Iterator[str]:
    for found in _REFERENCE.finditer(value):
        yield found[1] or found[2]


def _strip(root: ElementTree.Element) -> None:
    for parent in list(root.iter()):
        parent.tag = _NAMESPACE.sub("", parent.tag)
        parent.attrib = {_NAMESPACE.sub("", name): value for name, value in parent.attrib.items()}
        for child in list(parent):
            if _NAMESPACE.sub("", child.tag) in ("metadata", "style"):
                parent.remove(child)


def short_path(text: str, decimals: int = 2) -> str:
    """The same path with relative coordinates, rounded to `decimals` places; `M L Q C Z` are what matplotlib writes.

    Rounded are the points themselves, so that errors do not add up. Raises ReportError on another command.
    """
    tokens = iter(_PATH.findall(text))
    at, start, last, parts = (0, 0), (0, 0), "", []
    for command in tokens:
        if command.upper() not in _POINTS or command.islower() and command != "z":
            raise ReportError(f"a figure's path has the command {command!r}, which is none of M L Q C Z")
        points = [(_units(next(tokens), decimals), _units(next(tokens), decimals))
                  for _ in range(_POINTS[command.upper()])]
        if command == "L" and last in ("l", "h", "v") and points[0] == at:
            continue
        letter, numbers = _step(command, at, points)
        parts.append(("" if letter == last and letter not in "mz" else letter) + _joined(numbers, decimals))
        if parts[-1][0] in ".0123456789":
            parts[-1] = " " + parts[-1]
        at = points[-1] if points else start
        start = at if command == "M" else start
        last = letter
    return "".join(parts)


def _step(command: str, at: tuple[int, int], points: list[tuple[int, int]]) -> tuple[str, list[int]]:
    numbers = [value for x, y in points for value in (x - at[0], y - at[1])]
    if command == "L" and numbers[1] == 0:
        return "h", numbers[:1]
    if command == "L" and numbers[0] == 0:
        return "v", numbers[1:]
    return command.lower(), numbers


def _units(token: str, decimals: int) -> int:
    return round(float(token) * 10**decimals)


def _joined(numbers: list[int], decimals: int) -> str:
    words = [_decimal(number, decimals) for number in numbers]
    return "".join(word if index == 0 or word[0] == "-" else " " + word for index, word in enumerate(words))


def _decimal(number: int, decimals: int) -> str:
    whole, rest = divmod(abs(number), 10**decimals)
    digits = f"{rest:0{decimals}d}".rstrip("0") if rest else ""
    text = f"{whole or ''}.{digits}" if digits else str(whole)
    return f"-{text}" if number < 0 else text


def _rounded(match: re.Match) -> str:
    # Scales of glyphs and of rotations are small numbers, and need their digits.
    value = float(match[0])
    return match[0] if abs(value) < 1 else f"{value:.2f}".rstrip("0").rstrip(".")


def _attributes(attributes: dict[str, str]) -> str:
    return "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())


def _written(element: ElementTree.Element) -> Iterator[str]:
    children = [part for child in element for part in _written(child)]
    text = element.text or ""
    if element.tag in ("g", "defs") and not (element.attrib and children):
        yield from children
        return
    keep = element.tag in ("text", "tspan")
    yield f"<{element.tag}{_attributes(element.attrib)}"
    content = [escape(text, quote=False) if keep else text.strip(), *children]
    yield ">" + "".join(content) + f"</{element.tag}>" if any(content) else "/>"
    if keep and (element.tail or "").strip():
        yield escape(element.tail, quote=False)
