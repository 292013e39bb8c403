"""Figures: one style, the same bytes every time, a mark on previews."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from descent.figures import COLORS, STYLE, THEORY, WIDTH, band, new_figure, save_figure

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
