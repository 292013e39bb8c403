"""What the filters make of a few lines of Markdown: ids of headings, and what stays together on paper."""

import re
from pathlib import Path

import pytest

from descent.report.pandoc import convert, desk
from descent.report.stages import FILTERS, REFERENCES
from tests.report.small import CHECKOUT

ROWS = "\n".join(f"| {row} | 1 |" for row in range(5))
TEXT = f"""# Descent on a bowl {{#sec-bowl}}

## Setting

### How steep is $f''$?

Words before a list:

- an item.

## Setting

| a | b |
|--|--|
{ROWS}

: Rows. {{#tbl-rows}}

# A valley {{#sec-valley}}

::: {{.findings}}
**Found.**

- It is narrow.
:::

## Setting
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """`written(writer)`: the body that pandoc makes of TEXT."""
    folder = tmp_path_factory.mktemp("filters")
    (folder / "text.md").write_text(TEXT)
    (folder / "template").write_text("$body$")

    def write(writer: str) -> str:
        inputs = {"filters": [CHECKOUT / path for path in FILTERS], "template": folder / "template",
                  "references": CHECKOUT / REFERENCES}
        with desk([]) as directory:
            return convert(Path(directory), folder / "text.md", writer, inputs)

    return write


def test_headings_are_called_after_their_sections(written):
    assert re.findall(r'<h\d[^>]* id="([^"]*)"', written("html5")) == [
        "sec-bowl", "bowl-setting", "bowl-how-steep-is-f", "bowl-setting-2", "sec-valley", "valley-setting"]


def test_latex_leaves_room_for_headings_and_what_follows(written):
    text = written("latex")
    asked = re.findall(r"\\room\{(\d+)\}\s*\\(\w+)", text)
    assert asked == [("13", "section"), ("13", "subsection"), ("10", "begin"), ("8", "section"), ("5", "textbf"),
                     ("7", "subsection")]
    assert len(re.findall(r"\\(?:sub)*section\*?\{", text)) == 6


def test_typst_keeps_words_with_their_list_and_a_short_table_whole(written):
    text = written("typst")
    assert re.findall(r"^#lead\[(.*)\]$", text, re.MULTILINE) == ["Words before a list:", "#strong[Found.]"]
    assert re.search(r"#whole\[\s*#figure\(", text)
