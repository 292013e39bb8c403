"""The embedded fonts: only the glyphs that a page uses."""

from __future__ import annotations

import base64
import contextlib
import unicodedata
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

from descent.report.templates import ReportError

FACES = {
    "stix-two-math": ("STIX Two Math", "normal", 400), "stix-two-text-regular": ("STIX Two Text", "normal", 400),
    "stix-two-text-italic": ("STIX Two Text", "italic", 400),
    "stix-two-text-semibold": ("STIX Two Text", "normal", 600),
    "stix-two-text-semibold-italic": ("STIX Two Text", "italic", 600),
}


def font_faces(page: str, fonts: list[Path]) -> str:
    """CSS `@font-face` rules that carry the glyphs `page` (HTML) needs of each font, named as in FACES."""
    points = code_points(page)
    return "\n".join(_face(font, points) for font in fonts)


def _face(font: Path, points: set[int]) -> str:
    family, style, weight = FACES[font.stem]
    data = base64.b64encode(subset(font, points)).decode()
    return (f'@font-face {{ font-family: "{family}"; font-style: {style}; font-weight: {weight}; '
            f'src: url("data:font/woff;base64,{data}") format("woff"); }}')


def subset(font: Path, points: set[int]) -> bytes:
    """The font reduced to `points` and the glyphs that its layout and MATH tables build from them, as WOFF.

    Plain WOFF: WOFF2 would save a third and cost a dependency on brotli.
    """
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    options = Options(layout_features=["*"], notdef_outline=True, recalc_timestamp=False, name_IDs=[0, 1, 2, 13, 14])
    subsetter, file = Subsetter(options), BytesIO()
    subsetter.populate(unicodes=sorted(points))
    with _named(font):
        face = TTFont(font, recalcTimestamp=False)
        subsetter.subset(face)
        face.flavor = "woff"
        face.save(file)
    return file.getvalue()


def plain(font: Path, target: Path) -> None:
    """Write the font uncompressed, for programs that read no WOFF."""
    from fontTools.ttLib import TTFont

    with _named(font):
        face = TTFont(font, recalcTimestamp=False)
        face.flavor = None
        face.save(target)


@contextlib.contextmanager
def _named(font: Path):
    try:
        yield
    except Exception as error:  # whatever the tables of a damaged font lead to
        raise ReportError(f"{font}: not a readable font ({' '.join(str(error).split())})") from error


def code_points(page: str) -> set[int]:
    """The code points of the page's text, with those that browsers themselves put in: slanted letters, root signs."""
    reader = _Text()
    reader.feed(page)
    letters = set("".join(reader.identifiers))
    slanted = {ord(c) for c in _mathematical_italics() if unicodedata.normalize("NFKC", c) in letters}
    return {ord(c) for c in "".join(reader.text)} | slanted | {ord("√")} | set(range(0x20, 0x7F))


def _mathematical_italics() -> list[str]:
    return [chr(point) for point in [0x210E, *range(0x1D434, 0x1D468), *range(0x1D6E2, 0x1D71C)]]


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.identifiers: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag in ("style", "script", "svg", "mi"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data):
        if not {"style", "script", "svg"} & set(self._open):
            self.text.append(data)
            if self._open[-1:] == ["mi"]:
                self.identifiers.append(data)
