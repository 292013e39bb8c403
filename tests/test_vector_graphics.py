"""Smaller SVG files: the same points to the grid, corners within the tolerance, nothing lost that is referred to."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from descent.figures import new_figure
from descent.vector_graphics import GRID, TOLERANCE, kept_corners, shrink, shrunk_path

LENGTHS = {"m": 2, "l": 2, "q": 4, "c": 6, "h": 1, "z": 0}


def absolute(data: str) -> list[np.ndarray]:
    """The points of each subpath of relative path data, in absolute coordinates."""
    here, paths = np.zeros(2), []
    for command, text in re.findall(r"([a-z])([^a-z]*)", data):
        steps = np.array(re.findall(r"-?(?:\d+\.?\d*|\.\d+)", text), float)
        assert len(steps) % max(LENGTHS[command], 1) == 0
        for step in steps.reshape(-1, LENGTHS[command]) if len(steps) else ():
            if command == "m":
                paths.append([])
            points = here + (np.array([[step[0], 0]]) if command == "h" else step.reshape(-1, 2))
            paths[-1] += list(points)
            here = points[-1]
        if command == "z":
            here = paths[-1][0]
    return [np.array(path) for path in paths]


def written(points) -> str:
    return "M " + " L ".join(f"{x:.6f} {y:.6f}" for x, y in points)


def distance_to(line: np.ndarray, point: np.ndarray) -> float:
    first, along = line[:-1], np.diff(line, axis=0)
    share = np.clip(np.sum((point - first) * along, axis=1) / np.maximum(np.sum(along**2, axis=1), 1e-30), 0, 1)
    return np.min(np.hypot(*(point - first - share[:, None] * along).T))


def test_points_stay_where_they_are_and_rounding_does_not_add_up(rng):
    points = np.cumsum(rng.normal(size=(500, 2)), axis=0) + 200
    (found,) = absolute(shrunk_path(written(points), GRID, 0))
    np.testing.assert_allclose(found, points, rtol=0, atol=0.5 / GRID + 1e-6)


def test_curves_and_subpaths_come_back():
    data = "M 10.5 -0.25 Q 1 2 3.125 4 C 5 6 7 8 9 10 z M 0.001 0.5 L 0.5 0.001 z M -3 -3 L -2 -3 "
    one, other, last = absolute(shrunk_path(data, GRID, 0))
    np.testing.assert_allclose(one, [[10.5, -0.25], [1, 2], [3.12, 4], [5, 6], [7, 8], [9, 10]], atol=0.5 / GRID)
    np.testing.assert_allclose(other, [[0, 0.5], [0.5, 0]], atol=0.5 / GRID)
    np.testing.assert_allclose(last, [[-3, -3], [-2, -3]], atol=1e-9)


def test_no_corner_is_further_away_than_the_tolerance(rng):
    x = np.linspace(0, 300, 3000)
    points = np.column_stack([x, 100 * np.sin(x / 20) + 0.02 * rng.normal(size=len(x))])
    (found,) = absolute(shrunk_path(written(points), GRID, TOLERANCE))
    assert len(found) < len(points) / 5
    assert max(distance_to(found, point) for point in points) < (TOLERANCE + 1) / GRID


def test_corners_are_kept_where_the_line_turns():
    line = [(0, 0), (10, 1), (20, 0), (30, 40), (40, 0), (50, 0)]
    assert kept_corners(line, 5) == [(0, 0), (20, 0), (30, 40), (40, 0), (50, 0)]
    assert kept_corners([(0, 0), (0, 30), (30, 30), (0, 0)], 5) == [(0, 0), (0, 30), (30, 30), (0, 0)]
    assert kept_corners(line[:2], 50) == line[:2]


@pytest.mark.parametrize("data", ["M 0 0 A 1 1 0 0 0 1 1", "M 0 0 l 1 1", "M nan 0 L 1 1", "M 0 0 L inf 1"])
def test_other_commands_and_numbers_are_refused(data):
    with pytest.raises(ValueError, match="path command"):
        shrunk_path(data, GRID, 0)


def position(node) -> tuple[float, float]:
    moved = re.search(r"translate\(([-\d.]+)[ ,]+([-\d.]+)\)", node.get("transform", "translate(0 0)"))
    return float(node.get("x", 0)) + float(moved[1]), float(node.get("y", 0)) + float(moved[2])


@pytest.fixture
def pair(tmp_path, rng):
    """The same figure as matplotlib writes it and shrunk."""
    figure, ((axes,),) = new_figure()
    x = np.linspace(0.1, 10, 900)
    axes.fill_between(x, np.sin(x), np.sin(x) + 0.1, alpha=0.3)
    axes.plot(x[::100], np.cos(x[::100]), "o")
    axes.pcolormesh(np.arange(6.0), np.arange(4.0), rng.random((3, 5)), rasterized=True)
    axes.set(title="$\\lambda_{\\min}$", xlabel="position")
    figure.savefig(tmp_path / "whole.svg", format="svg", metadata={"Date": None})
    (tmp_path / "small.svg").write_bytes((tmp_path / "whole.svg").read_bytes())
    shrink(tmp_path / "small.svg")
    return (tmp_path / "whole.svg").read_text(), (tmp_path / "small.svg").read_text()


def test_the_picture_keeps_its_elements_and_what_they_refer_to(pair):
    whole, small = (ElementTree.fromstring(text) for text in pair)
    for name in ("use", "image", "clipPath"):
        tag = f"{{http://www.w3.org/2000/svg}}{name}"
        assert len(list(small.iter(tag))) == len(list(whole.iter(tag))) > 0, name
    drawn = [len(re.findall(r"[Mm]", " ".join(node.get("d", "") for node in tree.iter()))) for tree in (whole, small)]
    assert drawn[0] == drawn[1] > 40
    names = [node.get("id") for node in small.iter() if node.get("id")]
    assert len(names) == len(set(names))
    assert set(re.findall(r'(?:url\(|href=")#([\w-]+)', pair[1])) == set(names)
    places = [[position(node) for node in tree.iter() if "use" in node.tag] for tree in (whole, small)]
    # Within a text the unit is a hundredth of the font's size.
    np.testing.assert_allclose(places[1], places[0], atol=0.051)
    images = [next(node for node in tree.iter() if "image" in node.tag) for tree in (whole, small)]
    href = "{http://www.w3.org/1999/xlink}href"
    assert images[0].get(href).replace("\n", "") == images[1].get(href).replace("\n", "")


def test_the_file_is_smaller_and_says_nothing_of_its_maker(pair):
    whole, small = pair
    assert len(small) < 0.6 * len(whole)
    assert "<metadata" not in small
    assert "<style" not in small  # it would hold for the whole page
    assert small.startswith("<?xml")
