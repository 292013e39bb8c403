"""Figures within the page: what they share stands there once, and nothing that two figures could confuse."""

import base64
import re
from io import BytesIO

import numpy as np
import pytest
from matplotlib.image import imread

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
    used = {name for figure in [*figures, sheet] for name in re.findall(r'(?:href="#|url\(#)([^")]+)', figure)}
    assert used == set(ids)
    classes = {name for figure in [*figures, sheet] for name in re.findall(r'class="(s\d+)"', figure)}
    assert classes == set(re.findall(r"^\.(s\d+)\{", drawings.styles(), re.MULTILINE))
    assert 'aria-label="&lt;first&gt;"' in figures[0]
    glyphs = {re.sub(r"\s+", " ", outline).strip() for path in files
              for outline in re.findall(r'<path id="DejaVu[^"]*" d="([^"]*)"', path.read_text())}
    assert glyphs <= set(re.findall(r' d="([^"]*)"', sheet))
    assert all(outline not in figure for outline in glyphs for figure in figures)


def test_ticks_are_one_path_and_words_are_drawn_once(tmp_path):
    figure, axes = new_figure(columns=2)
    for panel in axes[0]:
        panel.loglog([1e-6, 1e6], [1e-6, 1e6])
        panel.set_title("the same words")
    save_figure(figure, {"svg": tmp_path / "ticks.svg"}, preview=False)
    drawings = Drawings()
    drawn = drawings.inline(tmp_path / "ticks.svg", "")
    ticks = (tmp_path / "ticks.svg").read_text().count("<use") - drawn.count("<use")
    assert ticks > 90
    words = dict(re.findall(r'<g id="(w\d+)">(.*?)</g>', drawings.sheet()))
    title = max(words, key=lambda name: words[name].count("<use"))
    assert words[title].count("<use") == len("the same words")
    assert drawn.count(f'href="#{title}"') == 2
    assert len(drawn) < 0.4 * (tmp_path / "ticks.svg").stat().st_size


def rasters(figure, path) -> list[bytes]:
    """The picture in a figure's file, and what becomes of it in the page."""
    save_figure(figure, {"svg": path}, preview=False)
    return [base64.b64decode(re.search(r'base64,([^"]*)"', text)[1])
            for text in (path.read_text(), Drawings().inline(path, ""))]


def test_a_map_keeps_its_colours(tmp_path):
    figure, axes = new_figure()
    axes[0, 0].pcolormesh(np.arange(90.0).reshape(9, 10), alpha=0.8, rasterized=True)
    before, after = rasters(figure, tmp_path / "map.svg")
    assert len(after) < len(before)
    assert np.array_equal(imread(BytesIO(before)), imread(BytesIO(after)))


def test_a_raster_keeps_its_looks_in_a_palette(tmp_path):
    figure, axes = new_figure()
    points = np.random.default_rng(0).normal(size=(2, 4000))
    axes[0, 0].scatter(*points, c=points[0], s=6, alpha=0.3, rasterized=True)
    pictures = rasters(figure, tmp_path / "dots.svg")
    assert len(pictures[1]) < len(pictures[0]) / 2
    before, after = (imread(BytesIO(picture)) for picture in pictures)
    composed = [picture[..., :3] * picture[..., 3:] + 1 - picture[..., 3:] for picture in (before, after)]
    assert abs(composed[0] - composed[1]).mean() < 0.01 < composed[0].std()


def test_the_first_figure_does_not_depend_on_the_second(files):
    one, both = Drawings(), Drawings()
    assert one.inline(files[0], "x") == [both.inline(path, "x") for path in files][0]


def test_what_is_no_figure_is_named(tmp_path):
    (tmp_path / "a.svg").write_text("<svg><g></svg>")
    with pytest.raises(ReportError, match=r"a\.svg: not a readable figure"):
        Drawings().inline(tmp_path / "a.svg", "")


def test_a_long_shape_that_is_only_defined_is_not_drawn(tmp_path):
    long = "m0 0l" + " ".join(["1 1"] * 400)
    (tmp_path / "a.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg"><defs/><g><defs>'
        f'<path id="m" d="{long}"/></defs><use href="#m" y="9"/></g></svg>')
    drawn = Drawings().inline(tmp_path / "a.svg", "")
    assert re.search(r'<defs><path id="(.*?)" d="[^"]*"/></defs><use href="#\1"', drawn)
    assert drawn.count("<defs>") == 1
