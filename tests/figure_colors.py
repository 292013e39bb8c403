"""Whether what a caption calls blue, or grey and dashed, is drawn so, and by that name in the legend."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import to_rgb, to_rgba_array
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

# The nearest of these says what a colour is called; the palette's own names first, then those of maps.
NAMES = {
    "#0072B2": "blue", "#D55E00": "orange", "#009E73": "green", "#CC79A7": "pink", "#E69F00": "amber",
    "#56B4E9": "light blue", "#8C6D31": "brown", "#000000": "black", "#FFFFFF": "white", "#444444": "grey",
    "#B9B9B9": "grey", "#EEEEEE": "grey", "#808080": "grey", "#67001F": "red", "#B2182B": "red", "#053061": "blue",
    "#FDE725": "yellow", "#440154": "purple", "#7201A8": "purple",
}
STYLES = {"solid": "-", "dashed": "--", "dotted": ":", "dash-dotted": "-."}
WIDE = 3  # points
_COLOR = f"light blue|{'|'.join(sorted({*NAMES.values()} - {'light blue'}))}|vermilion|violet|gray|cyan|magenta"
_STYLE = "|".join([*STYLES, "wide"])
_SAID = re.compile(rf"\b(?:(?P<before>{_STYLE}), )?(?P<color>{_COLOR})\b(?:, (?P<after>{_STYLE})\b)?", re.IGNORECASE)
# `Blue: random signs;` and `the largest speed of a weight (blue)`: what the colour is said to belong to.
_OWNER = re.compile(rf"\b(?:{_COLOR})\b[^:;.()]{{0,20}}: ([^;,.]*)|([^,;.:()]*) \([^()]*\b(?:{_COLOR})\b[^()]*\)",
                    re.IGNORECASE)

_FILLED_IN = re.compile(r"<<.*?>>|<%.*?%>|\$.*?\$")


def faults(figure, caption: str) -> list[str]:
    """One line for each colour, or colour and style, of which `caption` speaks and the figure has nothing."""
    drawn = set(_drawn(figure))
    return [f"{found[0]!r}: nothing in the figure is that" for found in _SAID.finditer(caption)
            if not any(_is(found, *one) for one in drawn)] + [*_differently_named(figure, caption)]


def _is(found: re.Match, color: str, style: str, wide: bool) -> bool:
    said = (found["before"] or found["after"] or "").lower()
    # Without a style, a colour is that of something whole, not of a broken line.
    fits = wide if said == "wide" else style == STYLES.get(said, "-")
    return fits and found["color"].lower() in (color, color.removeprefix("light "))


def _drawn(artist) -> Iterator[tuple[str, str, bool]]:
    """Name, style of line (solid for what is no line) and whether it is wide, of all that `artist` shows."""
    for part in artist.findobj(lambda part: part.get_visible()):
        if isinstance(part, Line2D):
            yield from _line(part)
        elif isinstance(part, ScalarMappable) and part.get_array() is not None:
            yield from {(name(color), "-", False) for color in part.cmap(np.linspace(0, 1, 33))}
        elif hasattr(part, "get_facecolors"):
            yield from {(name(color), "-", False) for color in (*part.get_facecolors(), *part.get_edgecolors())}
        elif isinstance(part, Patch):
            yield name(part.get_facecolor()), "-", False


def _line(line: Line2D) -> Iterator[tuple[str, str, bool]]:
    nothing = ("None", "none", "", " ")
    if line.get_linestyle() not in nothing:
        yield name(line.get_color()), line.get_linestyle(), line.get_linewidth() >= WIDE
    if line.get_marker() not in nothing:
        yield name(line.get_markeredgecolor()), "-", False


def _differently_named(figure, caption: str) -> Iterator[str]:
    """Colours that belong in the caption to words which the legend gives to other colours."""
    entries = [(_words(text.get_text()), {color for color, _, _ in _drawn(handle)}) for legend in figure.findobj(Legend)
               for handle, text in zip(legend.legend_handles, legend.get_texts())]
    entries += [(_words(text.get_text()), {name(text.get_color())}) for axes in figure.axes for text in axes.texts]
    for found in _OWNER.finditer(_FILLED_IN.sub("", caption)):
        said, colors = _words(found[1] or found[2] or ""), set(re.findall(_COLOR, found[0].lower()))
        most = max((len(said & words) for words, _ in entries), default=0)
        meant = [names for words, names in entries if len(said & words) == most]
        if most and not any(colors & names for names in meant):
            yield f"{found[0]!r}: in the legend that is {' or '.join(sorted(set.union(*meant)))}"


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{4,}", text.lower()))


def name(color) -> str:
    """What a colour is called, whatever its transparency."""
    known = to_rgba_array(list(NAMES))[:, :3]
    return list(NAMES.values())[int(np.argmin(((known - to_rgb(color)) ** 2).sum(axis=1)))]
