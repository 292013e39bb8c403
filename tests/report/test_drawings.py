"""Figures within the page: what they share stands there once, and nothing that two figures could confuse."""

import re

import numpy as np
import pytest

from descent.figures import new_figure, save_figure
from descent.report.drawings import Drawings
from descent.report.templates import ReportError


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, paths = tmp_path_factory.mktemp("figures"), []
    for name, height in (("first", 3.0), ("second", 2.0)):
        figure, axes = new_figure(height=height)
        axes[0, 0].plot([0, 1, 2], [0, 1, 4], "o-", label="curve")
        axes[0, 0].fill_between(np.linspace(0, 2, 200), np.linspace(0, 1, 200), 2.0, alpha=0.2)
        axes[0, 0].legend()
        save_figure(figure, {"svg": folder / f"{name}.svg"}, preview=False)
        paths.append(folder / f"{name}.svg")
    return paths


def test_two_figures_share_shapes_and_no_name(files):
    drawings = Drawings()
    figures = [drawings.inline(path, f"<{path.stem}>") for path in files]
    sheet = drawings.sheet()
    ids = re.findall(r'\sid="([^"]+)"', "".join([*figures, sheet]))
    assert len(set(ids)) == len(ids)
    used = {name for figure in figures for name in re.findall(r'(?:href="#|url\(#)([^")]+)', figure)}
    assert used == set(ids)
    classes = {name for figure in [*figures, sheet] for name in re.findall(r'class="(s\d+)"', figure)}
    assert classes == set(re.findall(r"^\.(s\d+)\{", drawings.styles(), re.MULTILINE))
    assert 'aria-label="&lt;first&gt;"' in figures[0]
    glyphs = {re.sub(r"\s+", " ", outline).strip() for path in files
              for outline in re.findall(r'<path id="DejaVu[^"]*" d="([^"]*)"', path.read_text())}
    assert glyphs <= set(re.findall(r' d="([^"]*)"', sheet))
    assert all(outline not in figure for outline in glyphs for figure in figures)


def test_the_first_figure_does_not_depend_on_the_second(files):
    one, both = Drawings(), Drawings()
    assert one.inline(files[0], "x") == [both.inline(path, "x") for path in files][0]


def test_what_is_no_figure_is_named(tmp_path):
    (tmp_path / "a.svg").write_text("<svg><g></svg>")
    with pytest.raises(ReportError, match=r"a\.svg: not a readable figure"):
        Drawings().inline(tmp_path / "a.svg", "")
