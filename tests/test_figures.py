"""Figures: one style, the same bytes every time, a mark on previews."""

import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from descent.figures import (
    COLORS,
    DATA_SETS,
    SCALES,
    STARTS,
    STYLE,
    THEORY,
    WIDTH,
    band,
    label_ends,
    name_logarithmic_ticks,
    new_figure,
    save_figure,
    sequence,
)
from descent.pipeline import discovery
from tests import figure_colors
from tests.figure_texts import faults
from tests.in_process import planned

CHECKOUT = Path(__file__).parents[1]
STUDIES = discovery.module_names("studies")

KINDS = ("svg", "pdf", "png")
SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.test_figures import drawn
drawn(Path(sys.argv[2]), preview=False)
"""


@pytest.fixture(autouse=True)
def settings_put_back():
    from matplotlib import font_manager

    fonts = list(font_manager.fontManager.ttflist)
    with matplotlib.rc_context():
        yield
    font_manager.fontManager.ttflist = fonts


def drawn(folder: Path, preview: bool) -> dict[str, bytes]:
    figure, axes = new_figure(1, 2, sharey=True)
    samples = np.array([[1.0, 2.0, 4.0], [3.0, 2.0, 0.0]])
    band(axes[0, 0], [0, 1, 2], samples, COLORS[0], r"$\\eta = 0.1$", linestyle="--")
    axes[0, 1].plot([0, 1], [0, 1], color=THEORY, label="theory")
    axes[0, 1].legend()
    axes[0, 0].set_xlabel("step $k$")
    outputs = {kind: folder / f"temporary.{kind}.0" for kind in KINDS}
    save_figure(figure, outputs, preview)
    return {kind: path.read_bytes() for kind, path in outputs.items()}


def test_the_formats_are_those_of_the_names(tmp_path):
    made = drawn(tmp_path, preview=False)
    assert made["svg"].startswith(b"<?xml")
    assert b"<svg" in made["svg"]
    assert made["pdf"].startswith(b"%PDF")
    assert made["png"].startswith(b"\x89PNG")


def test_bytes_are_the_same_in_another_process_place_and_environment(tmp_path):
    (tmp_path / "there").mkdir()
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": f"{root}/workflow", "MPLBACKEND": "svg", "TZ": "Asia/Tokyo",
                   "SOURCE_DATE_EPOCH": "1", "PYTHONHASHSEED": "3"}
    (tmp_path / "there" / "matplotlibrc").write_text("lines.linewidth: 9\nfont.size: 30\n")
    subprocess.run([sys.executable, "-c", SCRIPT, root, str(tmp_path / "there")], check=True, env=environment,
                   cwd=tmp_path / "there")
    for kind, data in drawn(tmp_path, preview=False).items():
        assert (tmp_path / "there" / f"temporary.{kind}.0").read_bytes() == data, kind


def test_no_date_and_no_version_is_in_the_files(tmp_path):
    for kind, data in drawn(tmp_path, preview=False).items():
        assert b"Date" not in data, kind
        assert matplotlib.__version__.encode() not in data.replace(b'"http://www.w3.org', b""), kind


def test_previews_are_marked(tmp_path):
    plain, marked = drawn(tmp_path, preview=False), drawn(tmp_path, preview=True)
    assert all(plain[kind] != marked[kind] for kind in KINDS)
    figure, _ = new_figure()
    save_figure(figure, {"svg": tmp_path / "svg"}, preview=True)
    assert [text.get_text() for text in figure.texts] == ["PREVIEW"]


def test_the_style_is_ours_whatever_was_set_before():
    matplotlib.rcParams.update({"font.size": 40, "axes.facecolor": "red"})
    figure, axes = new_figure(2, 3, height=5)
    assert axes.shape == (2, 3)
    assert figure.get_size_inches().tolist() == [WIDTH, 5]
    assert axes[0, 0].get_facecolor() == (1.0, 1.0, 1.0, 1.0)
    assert matplotlib.rcParams["font.size"] == STYLE["font.size"]
    assert [style["color"] for style in matplotlib.rcParams["axes.prop_cycle"]] == list(COLORS)


def test_a_band_goes_from_the_least_to_the_greatest_around_the_mean():
    _, axes = new_figure()
    samples = np.array([[1.0, 2.0], [3.0, 2.5], [5.0, 0.0]])
    band(axes[0, 0], [0, 1], samples, COLORS[1], "runs")
    (line,) = axes[0, 0].lines
    np.testing.assert_allclose(line.get_ydata(), [3.0, 1.5])
    (area,) = axes[0, 0].collections
    corners = {tuple(point) for point in area.get_paths()[0].vertices}
    assert {(0.0, 1.0), (0.0, 5.0), (1.0, 0.0), (1.0, 2.5)} <= corners
    assert line.get_label() == "runs"


def test_colours_are_distinct():
    assert len({*COLORS, THEORY}) == len(COLORS) + 1
    for meaning in (DATA_SETS, STARTS):
        assert len(set(meaning.values())) == len(meaning)


@pytest.mark.parametrize("quantity", SCALES)
def test_scales_go_from_dark_to_light_and_stay_legible_on_white(quantity):
    lightness = [_luminance(color) for color in sequence(quantity, 6)]
    assert lightness == sorted(lightness)
    assert np.all(np.diff(lightness) > 0)
    assert (1 + 0.05) / (lightness[-1] + 0.05) > 2.2
    assert sequence(quantity, 1) == sequence(quantity, 6)[:1]


def _luminance(color: str) -> float:
    """Relative luminance of sRGB, as the Web Content Accessibility Guidelines define it."""
    channels = np.array(matplotlib.colors.to_rgb(color))
    return float(np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
                 @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(("limits", "scale", "expected"), [
    ((1e-3, 1e3), "log", ["$\\mathdefault{10^{-2}}$", "$\\mathdefault{10^{0}}$", "$\\mathdefault{10^{2}}$"]),
    ((0.4, 6), "log", ["0.5", "1", "2", "5"]), ((2.5, 4.5), "log", ["3", "4"]), ((0, 2), "linear", None)])
def test_logarithmic_axes_have_at_least_two_labels_and_not_one_for_each_line(tmp_path, limits, scale, expected):
    figure, ((axes,),) = new_figure()
    axes.set(yscale=scale, ylim=limits)
    save_figure(figure, {}, preview=False)
    shown = [label.get_text() for label in axes.get_yticklabels(which="both")
             if limits[0] <= label.get_position()[1] <= limits[1] and label.get_text()]
    if expected:
        assert set(expected) <= set(shown)
    assert 2 <= len(shown) <= 9


def test_names_at_the_ends_of_lines_keep_their_order_and_apart():
    figure, ((axes,),) = new_figure()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    label_ends(axes, [(0.5, "b", COLORS[1]), (0.499, "a", COLORS[0]), (0.9, "d", COLORS[3]), (0.501, "c", COLORS[2])])
    save_figure(figure, {}, preview=False)
    assert faults(figure) == []
    texts = sorted(axes.texts, key=lambda text: text.get_position()[1])
    assert "".join(text.get_text() for text in texts) == "abcd"
    assert texts[1].get_position()[1] == pytest.approx(0.5, abs=1e-3)
    assert texts[3].get_position()[1] == pytest.approx(0.9)


def test_faults_of_colours_are_found():
    figure, ((axes,),) = new_figure()
    axes.plot([0, 1], [0, 1], color=COLORS[0], label="random signs")
    axes.plot([0, 1], [1, 0], "--", color=COLORS[1], label="Gaussian noise")
    axes.fill_between([0, 1], [0, 1], color=THEORY, linewidth=0, alpha=0.2)
    axes.plot([0, 1], [2, 2], "--", color=COLORS[5])
    axes.legend()
    right = "Blue: random signs; light blue, dashed: the limit; the noise (orange, dashed). A grey band, not bluish."
    assert figure_colors.faults(figure, right) == []
    wrong = ("In green, a line", "light blue: the limit", "the noise (blue)", "Wide, grey: the bound", "dotted, blue")
    assert [len(figure_colors.faults(figure, caption)) for caption in wrong] == [1] * len(wrong)


def test_faults_of_texts_are_found():
    figure, ((axes,),) = new_figure()
    axes.plot([0, 1], [0, 1], label="under the line")
    axes.legend(loc="center")
    axes.text(0.2, 0.8, "one", fontsize=6)
    axes.text(0.2, 0.8, "other")
    axes.text(1.4, 0.5, "outside")
    save_figure(figure, {}, preview=True)
    found = faults(figure)
    assert [sum(words in fault for fault in found) for words in (
        "6 points", "'one' lies over 'other'", "beyond the figure", "crosses 'under the line'")] == [1, 1, 1, 1]
    assert len(found) == 4


@pytest.mark.parametrize("study", STUDIES)
def test_texts_of_every_figure_are_legible_and_its_colours_those_of_the_caption(whole, monkeypatch, study):
    module, drawn = discovery.load("studies", study), []
    captions = {image[2]: f"{image[1]} {image[3]}" for image in images(study)}

    def look_at(figure, outputs, preview):
        name_logarithmic_ticks(figure)
        drawn.append([*faults(figure), *figure_colors.faults(figure, captions[name])])

    monkeypatch.setattr(module, "save_figure", look_at)
    for stage in figure_stages(study):
        name = Path(stage.outputs["svg"]).stem
        inputs = {name: whole.path(paths) if isinstance(paths, str) else [whole.path(path) for path in paths]
                  for name, paths in stage.inputs.items()}
        discovery.load_entry(stage.entry)(dict(stage.settings), inputs, {})
    assert len(drawn) == len(figure_stages(study)) > 0
    assert {i: found for i, found in enumerate(drawn) if found} == {}


def figure_stages(study: str) -> list:
    return [stage for stage in planned(study).stages if stage.rule == "figure"]


IMAGE = re.compile(r"^!\[(.*)\]\(<< figure\(\"(\w+)\"\) >>\)\{#fig-[\w-]+ alt=\"([^\"]*)\"\}$")


def images(study: str) -> list[re.Match]:
    lines = (CHECKOUT / "report" / "sections" / f"{study}.md").read_text("utf-8").splitlines()
    found = [IMAGE.match(line) for line in lines if line.startswith("![")]
    assert all(found)
    return found


@pytest.mark.parametrize("study", STUDIES)
def test_every_figure_is_shown_once_with_a_caption_and_a_description(study):
    assert sorted(image[2] for image in images(study)) == sorted(
        Path(stage.outputs["svg"]).stem for stage in figure_stages(study))
    for image in images(study):
        caption, description = image[1], image[3]
        assert len(caption) > 60, image[2]
        assert len(description) > 60, image[2]
        assert "$" not in description, f"{image[2]}: a description is read aloud"
