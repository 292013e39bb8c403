"""Figures within the page: the same points in fewer bytes, and nothing that two figures could confuse."""

import re

import numpy as np
import pytest

from descent.figures import new_figure, save_figure
from descent.report.drawings import Drawings, short_path
from descent.report.templates import ReportError

STEPS = {"m": 2, "l": 2, "h": 1, "v": 1, "q": 4, "c": 6, "z": 0}


def points(path: str) -> list[tuple[float, float]]:
    """The end points and control points of a path of relative commands."""
    tokens, at, start, found, command = re.findall(r"[a-z]|-?(?:\d+\.?\d*|\.\d+)", path), (0.0, 0.0), None, [], ""
    while tokens:
        if tokens[0].isalpha():
            command = tokens.pop(0)
        numbers = [float(tokens.pop(0)) for _ in range(STEPS[command])]
        pairs = {"h": [(*numbers, 0)], "v": [(0, *numbers)]}.get(command, list(zip(numbers[::2], numbers[1::2])))
        ends = [(at[0] + x, at[1] + y) for x, y in pairs]
        at = start if command == "z" else ends[-1]
        start = at if command == "m" else start
        found += ends
    return found


def test_rounding_does_not_add_up():
    generator = np.random.default_rng(0)
    steps = generator.normal(size=(5000, 2)).cumsum(axis=0)
    text = "M 1.234567 2.345678 " + "\n".join(f"L {x:.6f} {y:.6f}" for x, y in steps)
    short = points(short_path(text))
    assert len(short) == len(steps) + 1
    assert np.abs(np.array(short[1:]) - steps).max() <= 0.005 + 1e-6


def test_every_command_of_matplotlib():
    text = "M 1 2 \nL 1 5 \nL 4 5 \nL 4 5 \nQ 5 6 7.5 8 \nC 1 2 3 4 5 6 \nz \nM -1 -1 \nL -0.25 0.004 \n"
    assert short_path(text) == "m1 2v3h3q1 1 3.5 3c-6.5-6-4.5-4-2.5-2zm-2-3l.75 1"
    assert points(short_path(text)) == pytest.approx(np.array(
        [(1, 2), (1, 5), (4, 5), (5, 6), (7.5, 8), (1, 2), (3, 4), (5, 6), (-1, -1), (-0.25, 0)]))


@pytest.mark.parametrize("text", ["M 0 0 A 1 1 0 0 0 1 1", "m 0 0 l 1 1"])
def test_another_command_is_refused(text):
    with pytest.raises(ReportError, match="none of M L Q C Z"):
        short_path(text)


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
    assert sum(map(len, figures)) + len(sheet) < 0.4 * sum(path.stat().st_size for path in files)


def test_the_first_figure_does_not_depend_on_the_second(files):
    one, both = Drawings(), Drawings()
    assert one.inline(files[0], "x") == [both.inline(path, "x") for path in files][0]


def test_what_is_no_figure_is_named(tmp_path):
    (tmp_path / "a.svg").write_text("<svg><g></svg>")
    with pytest.raises(ReportError, match=r"a\.svg: not a readable figure"):
        Drawings().inline(tmp_path / "a.svg", "")
