"""What is wrong with a figure's texts: cut off, over one another, over the data, or too small to read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from unittest import mock

import numpy as np
from matplotlib.text import Text

LEAST_SIZE = 7  # points, at the width of print
SLACK = 1.5  # pixels by which two boxes may touch


def faults(figure) -> list[str]:
    """One line for each fault of `figure`, which is laid out by this."""
    boxes = {text: Text.get_window_extent(text) for text in drawn_texts(figure)}
    return [*_small(boxes), *_cut_off(figure, boxes), *_over_one_another(boxes), *_legends_over_data(figure)]


def drawn_texts(figure) -> list[Text]:
    """Texts that are drawn: no empty ones, no mark of a preview, no labels of ticks outside of an axis' limits."""
    found: list[Text] = []
    draw = Text.draw

    def record(self, renderer, *arguments):
        if self.get_visible() and self.get_text().strip() not in ("", "PREVIEW"):
            found.append(self)
        return draw(self, renderer, *arguments)

    with mock.patch.object(Text, "draw", record):
        figure.draw_without_rendering()
    return list(dict.fromkeys(found))


def _small(boxes) -> Iterator[str]:
    for text in boxes:
        if text.get_fontsize() < LEAST_SIZE:
            yield f"{text.get_text()!r} has {text.get_fontsize():g} points"


def _cut_off(figure, boxes) -> Iterator[str]:
    width, height = figure.bbox.width, figure.bbox.height
    for text, box in boxes.items():
        beyond = max(-box.x0, -box.y0, box.x1 - width, box.y1 - height)
        if beyond > SLACK:
            yield f"{text.get_text()!r} reaches {beyond:.0f} pixels beyond the figure"


def _over_one_another(boxes) -> Iterator[str]:
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        shared = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        if min(shared) > SLACK:
            yield f"{one.get_text()!r} lies over {other.get_text()!r}"


def _legends_over_data(figure) -> Iterator[str]:
    for axes in figure.axes:
        legend = axes.get_legend()
        if legend is None or not axes.get_visible():
            continue
        for text in legend.get_texts():
            box = Text.get_window_extent(text).padded(-SLACK)
            for line in axes.lines:
                if line.get_visible() and _crosses(line, box, axes.bbox):
                    yield f"a line crosses {text.get_text()!r} in the legend"
                    break


def _crosses(line, box, frame) -> bool:
    points = line.get_transform().transform(np.column_stack(line.get_data(orig=False)).astype(float))
    if line.get_linestyle() not in ("None", "none", "") and len(points) > 1:
        share = np.linspace(0, 1, 40)[:, None, None]
        points = (points[:-1] * (1 - share) + points[1:] * share).reshape(-1, 2)
    inside = (points > (max(box.x0, frame.x0), max(box.y0, frame.y0))) & (
        points < (min(box.x1, frame.x1), min(box.y1, frame.y1)))
    return bool(inside.all(axis=1).any())
