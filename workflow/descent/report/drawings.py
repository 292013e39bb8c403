"""Figures within the page: their SVG without what is no drawing, glyphs and styles shared by all of them."""

from __future__ import annotations

import base64
import io
import re
from array import array
from collections.abc import Iterator
from html import escape
from pathlib import Path
from xml.etree import ElementTree

from descent.report.templates import ReportError

_NAMESPACE = re.compile(r"\{[^}]*\}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_LONGEST_SHARED = 1000  # characters of a path; longer ones are curves, of one figure only
_MOST_COLORS = 256  # of a palette
_PNG = "data:image/png;base64,"
_STROKE = re.compile(r"m0 0(?:l| )?(-?[\d.]+ -?[\d.]+)")  # the outline of a tick: one straight line


class Drawings:
    """The figures of one page: `inline` gives each as an element, then `sheet` and `styles` what they share."""

    def __init__(self) -> None:
        self._count = 0
        self._shapes: dict[tuple[tuple[str, str], ...], str] = {}
        self._strokes: dict[str, tuple[str, dict[str, str]]] = {}
        self._letters: set[str] = set()
        self._words: dict[str, str] = {}
        self._used: set[str] = set()
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
        _flatten(root)
        for parent in root.iter():
            parent[:] = self._joined(parent)
        self._used |= {element.get("href", "") for element in root.iter("use")}
        kept = {name: value for name, value in root.attrib.items() if name not in ("id", "version", "xmlns")}
        root.attrib = {**kept, "role": "img", "aria-label": label}
        return "".join(_written(root))

    def sheet(self) -> str:
        """The shapes that figures use, in an element of no size."""
        shapes = "".join(f'<path id="{name}"{_attributes(dict(shape))}/>' for shape, name in self._shapes.items()
                         if f"#{name}" in self._used)
        words = "".join(f'<g id="{name}">{drawn}</g>' for drawn, name in self._words.items())
        return f'<svg class="shapes" width="0" height="0" aria-hidden="true"><defs>{shapes}{words}</defs></svg>'

    def styles(self) -> str:
        """CSS of the classes that figures use."""
        return "\n".join(f".{name}{{{style}}}" for style, name in self._classes.items())

    def _names(self, root: ElementTree.Element) -> dict[str, str]:
        # Only what is referred to keeps an id, and a short one of its own on the page.
        used = {found for element in root.iter() for name, value in element.attrib.items()
                for found in _references(name, value)}
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
        name = self._shapes.setdefault(tuple(sorted(element.attrib.items())), f"g{len(self._shapes)}")
        if "class" not in element.attrib:
            self._letters.add(f"#{name}")
        stroke = _STROKE.fullmatch(element.get("d", ""))
        if stroke and set(element.attrib) == {"d", "class"}:
            self._strokes[f"#{name}"] = _line(stroke[1]), {"class": element.attrib["class"]}
        return name

    def _joined(self, parent: ElementTree.Element) -> list[ElementTree.Element]:
        """The children of `parent`, ticks in a row as one path and the letters of a word as one shape."""
        children: list[ElementTree.Element] = []
        for child in parent:
            stroke, attributes = self._strokes.get(child.get("href", ""), ("", {}))
            if stroke and set(child.attrib) <= {"href", "x", "y"}:
                line = f"M{child.get('x', '0')} {child.get('y', '0')}{stroke}"
                last = children[-1] if children else None
                if last is not None and last.tag == "path" and last.get("ticks") == child.get("href"):
                    last.set("d", last.get("d", "") + line)
                    continue
                child = ElementTree.Element("path", {"d": line, **attributes, "ticks": child.get("href", "")})
            elif child.tag == "g" and len(child) > 1 and all(letter.get("href") in self._letters for letter in child):
                child = self._word(child)
            children.append(child)
        for child in children:
            child.attrib.pop("ticks", None)
        return children

    def _word(self, group: ElementTree.Element) -> ElementTree.Element:
        self._used |= {letter.get("href", "") for letter in group}
        drawn = "".join(part for letter in group for part in _written(letter))
        name = self._words.setdefault(drawn, f"w{len(self._words)}")
        return ElementTree.Element("use", {**group.attrib, "href": f"#{name}"})

    def _shorten(self, element: ElementTree.Element, names: dict[str, str]) -> None:
        attributes = {}
        for name, value in element.attrib.items():
            for found in _references(name, value):
                value = value.replace(f"#{found}", f"#{names[found]}")
            if name == "id":
                attributes |= {"id": names[value]} if value in names else {}
            elif name == "style":
                attributes["class"] = self._class(re.sub(r"\s*([:;])\s*", r"\1", value).strip("; "))
            else:
                attributes[name] = _raster(value) if value.startswith(_PNG) else " ".join(value.split())
        element.attrib = attributes

    def _class(self, style: str) -> str:
        return self._classes.setdefault(style, f"s{len(self._classes)}")


def _flatten(parent: ElementTree.Element) -> None:
    """Groups that say nothing are replaced by what is in them, and emptied definitions are left out."""
    for child in list(parent):
        _flatten(child)
    idle = [child for child in parent
            if child.tag == "g" and not child.attrib or child.tag == "defs" and not list(child)]
    parent[:] = [kept for child in parent for kept in (child if child in idle else [child])]


def _line(vector: str) -> str:
    across, along = vector.split()
    return f"v{along}" if across == "0" else f"h{across}" if along == "0" else f"l{vector}"


def _raster(value: str) -> str:
    from PIL import Image

    data = base64.b64decode(value.removeprefix(_PNG))
    written = io.BytesIO()
    _with_palette(Image.open(io.BytesIO(data)).convert("RGBA")).save(written, "PNG", optimize=True)
    return _PNG + base64.b64encode(min(written.getvalue(), data, key=len)).decode()


def _with_palette(image):
    # Dots over dots have thousands of nearly equal colours; 256 of them look the same and take a quarter of the bytes.
    # The few of a map are numbers, which Pillow would merge: they stay as they are.
    from PIL import Image

    pixels = memoryview(image.tobytes()).cast("I")
    colors = sorted(set(pixels))
    if len(colors) > _MOST_COLORS:
        return image.quantize(_MOST_COLORS, Image.Quantize.FASTOCTREE)
    place = {color: number for number, color in enumerate(colors)}
    exact = Image.frombytes("P", image.size, bytes(place[pixel] for pixel in pixels))
    exact.putpalette(array("I", colors).tobytes(), "RGBA")
    return exact


def _references(name: str, value: str) -> list[str]:
    return [value[1:]] if name == "href" and value.startswith("#") else _REFERENCE.findall(value)


def _strip(root: ElementTree.Element) -> None:
    for parent in list(root.iter()):
        parent.tag = _NAMESPACE.sub("", parent.tag)
        parent.attrib = {_NAMESPACE.sub("", name): value for name, value in parent.attrib.items()}
        for child in list(parent):
            if _NAMESPACE.sub("", child.tag) in ("metadata", "style"):
                parent.remove(child)


def _attributes(attributes: dict[str, str]) -> str:
    return "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())


def _written(element: ElementTree.Element) -> Iterator[str]:
    children = [part for child in element for part in _written(child)]
    text = element.text or ""
    if element.tag == "g" and not (element.attrib and children) or element.tag == "defs" and not children:
        yield from children
        return
    keep = element.tag in ("text", "tspan")
    yield f"<{element.tag}{_attributes(element.attrib)}"
    content = [escape(text, quote=False) if keep else text.strip(), *children]
    yield ">" + "".join(content) + f"</{element.tag}>" if any(content) else "/>"
    if keep and (element.tail or "").strip():
        yield escape(element.tail, quote=False)
