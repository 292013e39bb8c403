"""Matplotlib's SVG written again in fewer bytes: the same picture to a hundredth of a point."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
GRID = 100  # steps to a point, the unit of matplotlib's coordinates
GLYPH_GRID, GLYPH_SCALE = 0.125, 0.015625  # outlines come in 64 units to a hundredth of the font's size
TOLERANCE = 5.0  # in steps of the grid: corners closer than this to the line without them are left out
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_TOKEN = re.compile(r"[A-Za-z]|-?[\d.]+(?:e-?\d+)?")
_DOUBLED = re.compile(r"#([0-9a-f])\1([0-9a-f])\2([0-9a-f])\3(?![0-9a-f])")
_SHORT = re.compile(r"([A-Za-z]\w*(?:-[A-Z][A-Za-z]+)?)(-[0-9a-f]+)$")
_MOVED = re.compile(r"translate\(([-\d.]+)[ ,]+([-\d.]+)\)")
_REFERENCE = re.compile(r"#([\w-]+)")


def shrink(path: Path) -> None:
    """Write the SVG file at `path` again with relative, rounded paths and without names that nothing refers to."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(path.read_bytes())
    _without_remarks(root)
    for axis in [node for node in root.iter() if node.get("id", "").startswith("matplotlib.axis")]:
        _merge_lines(axis)
    _without_repeated_styles(root)
    known = set(_REFERENCE.findall(" ".join(value for node in root.iter() for value in node.attrib.values())))
    for node in root.iter():
        _shrink_element(node, known)
    _without_empty_groups(root)
    root.set("stroke-linejoin", "round")
    text = ElementTree.tostring(root, encoding="unicode", short_empty_elements=True).replace(" />", "/>")
    path.write_text(f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n', encoding="utf-8")


def _without_remarks(root) -> None:
    # The style sheet says how all lines of a page are joined; the root's attribute says it of this picture alone.
    for node in root.iter():
        for child in [child for child in node if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style")]:
            node.remove(child)
        node.tail = None
        node.text = None if node.text is None or not node.text.strip() else node.text
    for child in [child for child in root if child.tag == f"{{{SVG}}}defs" and not len(child)]:
        root.remove(child)


def _merge_lines(axis) -> None:
    """One path for all lines of an axis' grid, which look alike and do not touch."""
    first: dict[tuple, ElementTree.Element] = {}
    for parent in list(axis.iter()):
        for path in [child for child in parent if child.tag == f"{{{SVG}}}path" and child.get("clip-path")]:
            kept = first.setdefault((path.get("style"), path.get("clip-path")), path)
            if kept is not path:
                kept.set("d", f"{kept.get('d')} {path.get('d')}")
                parent.remove(path)


def _without_repeated_styles(root) -> None:
    # What is referred to has its own style, which wins over that of the reference.
    styles = {f"#{node.get('id')}": node.get("style") for node in root.iter() if node.get("id")}
    for node in root.iter(f"{{{SVG}}}use"):
        name = node.attrib.pop(f"{{{XLINK}}}href")
        node.set("href", _SHORT.sub(_initials, name))
        _place(node)
        if node.get("style") and styles[name] and set(_parts(node)) <= set(styles[name].split("; ")):
            del node.attrib["style"]


def _initials(match: re.Match) -> str:
    """A glyph's name with its font's initials: the same in every figure, as its outline is."""
    return "".join(re.findall(r"[A-Z0-9]", match[1])) + match[2]


def _place(node) -> None:
    moved = _MOVED.fullmatch(node.get("transform", ""))
    if moved:
        del node.attrib["transform"]
        for name, value in zip("xy", moved.groups()):
            if round(float(value), 1):
                node.set(name, f"{float(value):.1f}")


def _parts(node) -> list[str]:
    return node.get("style").split("; ")


def _shrink_element(node, known: set[str]) -> None:
    if "id" in node.attrib:
        node.set("id", _SHORT.sub(_initials, node.get("id")))
    if node.get("id") not in known:
        node.attrib.pop("id", None)
    if "style" in node.attrib:
        style = node.get("style").replace(": ", ":").replace("; ", ";").rstrip(";")
        node.set("style", _DOUBLED.sub(r"#\1\2\3", style))
    if "d" in node.attrib:
        glyph = node.get("transform") == f"scale({GLYPH_SCALE})"
        node.set("d", shrunk_path(node.get("d"), GLYPH_GRID if glyph else GRID, 0 if glyph else TOLERANCE))
        if glyph:
            node.set("transform", f"scale({GLYPH_SCALE / GLYPH_GRID:g})")
    for name in ("x", "y", "width", "height", "transform", "style"):
        if name in node.attrib:
            node.set(name, _NUMBER.sub(_rounded, node.get(name)))
    styles = {child.get("style") for child in node}
    if len(node) > 1 and len(styles) == 1 and "style" not in node.attrib and _inherited(styles):
        node.set("style", styles.pop())
        for child in node:
            del child.attrib["style"]


def _inherited(styles: set[str | None]) -> bool:
    (style,) = styles
    return style is not None and not re.search(r"(?<!-)\bopacity", style)


def _rounded(match: re.Match) -> str:
    return f"{float(match[0]):.4g}" if abs(float(match[0])) < 10 else f"{float(match[0]):.2f}".rstrip("0").rstrip(".")


def _without_empty_groups(node) -> None:
    for child in list(node):
        _without_empty_groups(child)
        if child.tag == f"{{{SVG}}}g" and not child.attrib:
            place = list(node).index(child)
            node.remove(child)
            for i, grandchild in enumerate(list(child)):
                node.insert(place + i, grandchild)


def shrunk_path(data: str, grid: float, tolerance: float) -> str:
    """Path data with M, L, Q, C and z in steps of 1/`grid`, relative; corners within `tolerance` steps left out.

    Numbers that are not finite, or another command, raise ValueError.
    """
    written, here, start, line = [], (0, 0), (0, 0), []
    for command, numbers in _commands(data):
        points = [(round(x * grid), round(y * grid)) for x, y in zip(numbers[::2], numbers[1::2])]
        if command == "L":
            line += points
            continue
        here, line = _write_line(written, here, line, grid, tolerance), []
        if command == "z":
            here = start
            written.append("z")
            continue
        if command == "M":
            start = points[0]
        written.append(command.lower() + _numbers([c - o for p in points for c, o in zip(p, here)], grid))
        here = points[-1]
    _write_line(written, here, line, grid, tolerance)
    return "".join(written)


def _commands(data: str) -> Iterator[tuple[str, list[float]]]:
    command, numbers = "", []
    for token in _TOKEN.findall(data):
        if not token.isalpha():
            numbers.append(float(token))
            continue
        if token not in "MLQCz":
            raise ValueError(f"path command {token!r}: known are M, L, Q, C and z")
        if command:
            yield command, numbers
        command, numbers = token, []
    if command:
        yield command, numbers


def _write_line(written: list[str], here: tuple[int, int], line: list, grid: float, tolerance: float) -> tuple:
    previous, steps = here, []
    for point in (kept_corners([here, *line], tolerance)[1:] if tolerance else line):
        step = point[0] - previous[0], point[1] - previous[1]
        if step != (0, 0):
            steps += step
            previous = point
    if steps:
        written.append("l" + _numbers(steps, grid))
    elif line:
        written.append("h0")  # a stroke of no length, which round caps show
    return previous


def _numbers(steps: Sequence[int], grid: float) -> str:
    texts = [f"{step / max(grid, 1):.2f}".rstrip("0").rstrip(".") if grid >= 1 else str(step) for step in steps]
    texts = [text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text for text in texts]
    return "".join(text if not i or text.startswith("-") else f" {text}" for i, text in enumerate(texts))


def kept_corners(points: Sequence[tuple[int, int]], tolerance: float) -> list[tuple[int, int]]:
    """Corners of an open line that Douglas and Peucker's rule keeps.

    Source: Douglas & Peucker, Cartographica 10 (1973) 112-122.
    """
    import numpy as np

    if len(points) < 3:
        return list(points)
    corners = np.array(points, float)
    kept = np.zeros(len(corners), bool)
    kept[[0, -1]] = True
    waiting = [(0, len(corners) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        distances = _distances(corners[first + 1 : last], corners[first], corners[last])
        most = int(np.argmax(distances))
        if distances[most] > tolerance:
            kept[first + 1 + most] = True
            waiting += [(first, first + 1 + most), (first + 1 + most, last)]
    return [point for point, stays in zip(points, kept) if stays]


def _distances(points, first, last):
    import numpy as np

    along = last - first
    length = float(along @ along)
    share = np.clip((points - first) @ along / length, 0, 1) if length else np.zeros(len(points))
    return np.hypot(*(points - first - share[:, None] * along).T)
