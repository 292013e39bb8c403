"""What browsers, screen readers and links need of pandoc's HTML."""

from __future__ import annotations

import re
from html import escape
from xml.etree import ElementTree

# What pandoc's MathML says of bars and accents, and what browsers need to hear.
_ACCENTS = {"\u0302": "\u02c6", "\u0303": "\u02dc", "\u203e": "\u00af"}
_ACCENTED = re.compile(r'(<mover><mi>[^<]</mi><mo accent="true")>([\u0302\u0303\u203e])</mo>')
_BARS = re.compile(r'<mo stretchy="true" form="(prefix|postfix)">([‖∥])</mo>')


_ANNOTATION = re.compile(r"<annotation[^>]*>.*?</annotation></semantics>", re.DOTALL)
# Of an opening or closing bracket browsers know the form; of a bar they do not.
_BRACKET = re.compile(r'<mo stretchy="(true|false)" form="(?:prefix|postfix)">([()\[\]{}⟨⟩⌈⌉⌊⌋])</mo>')
_PUNCTUATED = re.compile(r"(\(?)<math>(?:.(?!<math))*?</math>((?:[^\s<]{1,9}(?=[\s<]))?)", re.DOTALL)
_ROW = re.compile(r"(<math[^>]*>)<mrow>(.*?)</mrow></math>", re.DOTALL)


def legible_formulas(page: str) -> str:
    """The page with accents of the right size and norms of the right height, without what goes without saying.

    That is namespace and display of formulas, and their TeX, a quarter of their bytes, which no browser shows.
    """
    page = _ANNOTATION.sub("", page).replace("<semantics>", "")
    page = page.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "").replace('<math display="inline">', "<math>")
    page = page.replace('<mo accent="true">\u00af</mo>', '<mo accent="true" stretchy="true">\u203e</mo>')
    page = _BRACKET.sub(lambda m: f'<mo stretchy="{m[1]}">{m[2]}</mo>', page).replace("></mspace>", "/>")
    page = _PUNCTUATED.sub(_joined, _ROW.sub(_without_row, page))
    return _BARS.sub(_bar, _ACCENTED.sub(lambda m: f'{m[1]} stretchy="false">{_ACCENTS[m[2]]}</mo>', page))


def _joined(match: re.Match) -> str:
    # Browsers would break the line between a formula and its comma.
    return f'<span class="joined">{match[0]}</span>' if match[1] or match[2] else match[0]


def _without_row(match: re.Match) -> str:
    # A formula is a row by itself; the outermost one is spared where it is one, and not the first of several.
    depth = 0
    for tag in re.findall(r"</?mrow>", match[2]):
        depth += 1 if tag == "<mrow>" else -1
        if depth < 0:
            return match[0]
    return f"{match[1]}{match[2]}</math>"


def _bar(match: re.Match) -> str:
    # The filter writes norms as \lVert, which need not grow; what was \left\| has the other double bar, and must.
    form, bar = match.groups()
    stretchy, bar = ("true", "‖") if bar == "∥" else ("false", bar)
    return f'<mo stretchy="{stretchy}" form="{form}">{bar}</mo>'


_HEADING = re.compile(r'(<section\s+id="([^"]+)"[^>]*>\n)<h([1-6])\b([^>]*)>(.*?)</h\3>', re.DOTALL)


def outlined(page: str) -> str:
    """The page with its title as the only heading of the first level, and a link of its own at every heading."""
    return _HEADING.sub(_heading, page)


def _heading(match: re.Match) -> str:
    section, identifier, level, attributes, text = match.groups()
    tag = f"h{min(int(level) + 1, 6)}"
    number = re.search(r'data-number="([^"]+)"', attributes)
    label = f"Link to {_called(number[1])}" if number else "Link to this section"
    link = f'<a class="anchor" href="#{identifier}" aria-label="{label}"></a>'
    return f'{section}<div class="heading"><{tag}{attributes}>{text}</{tag}>{link}</div>'


def _called(number: str) -> str:
    return f"section {number}" if number[0].isdigit() else number


_HEAD = re.compile(r"<th\b([^>]*)>(.*?)</th>", re.DOTALL)
_FORMULA = re.compile(r"<math\b[^>]*>.*?</math>", re.DOTALL)


def plain_tables(page: str) -> str:
    """The page without what is so by itself (columns to the left), with scopes and names of head cells."""
    return _HEAD.sub(_head_cell, page.replace(' style="text-align: left;"', ""))


def _head_cell(match: re.Match) -> str:
    attributes, content = match.groups()
    if not content.strip():
        return f"<td{attributes}></td>"  # over the names of rows; a head that names nothing is none
    # Formulas alone are no name to programs that know no MathML.
    if not re.search(r"\w", re.sub(r"<[^>]*>", "", _FORMULA.sub("", content))):
        content = _FORMULA.sub(_named, content)
    return f'<th scope="col"{attributes}>{content}</th>'


def _named(match: re.Match) -> str:
    name = escape(_spoken(ElementTree.fromstring(match[0])))
    return f'<math aria-label="{name}"{match[0].removeprefix("<math")}'


_SPOKEN = {"msub": "{}_{}", "msup": "{}^{}", "msubsup": "{}_{}^{}", "mfrac": "{}/{}", "msqrt": "√({})"}
_COMPOUND = re.compile(r"[-−+=/,\s]")
_APPLIED = "\u2061"  # what MathML has between a function and its argument


def _spoken(node: ElementTree.Element) -> str:
    """A formula on one line: a fraction with its slash, what is raised after its sign."""
    parts = [_spoken(child) for child in node]
    form = _SPOKEN.get(node.tag, "")
    if parts and form.count("{}") == len(parts):
        return form.format(*(f"({part})" if len(parts) > 1 and _COMPOUND.search(part) else part for part in parts))
    tails = [child.tail or "" for child in node]
    text = (node.text or "").replace(_APPLIED, " ") + "".join(map("".join, zip(parts, tails)))
    return " ".join(text.split())
