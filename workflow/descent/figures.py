"""The one style of all figures, what colours and lines mean, and writing figures the same byte for byte."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from descent.vector_graphics import shrink

# Okabe and Ito's palette: distinguishable with the common colour vision deficiencies.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")

# What a colour means is the same in every figure. Theory is grey, or dashed in the colour of what it is about;
# levels, thresholds and guides of a slope are dotted; a statement as printed that is not true is vermilion.
THEORY = "#444444"
MEASURED, PRINTED = COLORS[0], COLORS[1]
PREDICTION = {"color": THEORY, "linestyle": (0, (4, 2)), "linewidth": 1.3}
LEVEL = {"color": THEORY, "linestyle": ":", "linewidth": 1.1}
# A bound that is nearly attained lies behind what it bounds.
BROAD = {"color": "#B9B9B9", "linewidth": 4.5, "solid_capstyle": "butt"}

DEPTHS = dict(zip(range(1, 9), COLORS, strict=True))
DATA_SETS = {"synthetic_regression": COLORS[0], "diabetes": COLORS[1], "mnist1d": COLORS[2],
             "user_regression": COLORS[3], "planted_relu": COLORS[7]}
STARTS = {"gaussian": COLORS[0], "uniform": COLORS[1]}
# Quantities with an order have a scale from dark to light instead: the first colour and the last, and the map.
SCALES = {"width": ("viridis", 0.0, 0.66), "scale": ("viridis", 0.0, 0.66), "step": ("plasma", 0.0, 0.68),
          "time": ("magma", 0.0, 0.7)}

WIDTH = 6.4

STYLE = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 9.5, "axes.labelsize": 9, "legend.fontsize": 8,
    "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.title_fontsize": 8, "legend.handlelength": 1.8,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25, "grid.linewidth": 0.6,
    "lines.linewidth": 1.5, "legend.frameon": False, "figure.dpi": 150, "savefig.dpi": 150, "axes.axisbelow": True,
    "svg.hashsalt": "descent", "svg.fonttype": "path", "pdf.fonttype": 42, "figure.constrained_layout.use": True,
    "axes.prop_cycle": f"cycler('color', {list(COLORS)})", "path.simplify_threshold": 0.15,
}


def sequence(quantity: str, count: int) -> list[str]:
    """`count` colours from dark to light for an ordered quantity, a key of `SCALES`."""
    import matplotlib
    from matplotlib.colors import to_hex

    name, first, last = SCALES[quantity]
    scale = matplotlib.colormaps[name]
    return [to_hex(scale(first + (last - first) * i / max(count - 1, 1))) for i in range(count)]


def new_figure(rows: int = 1, columns: int = 1, height: float = 3.2, **subplots):
    """A figure of print width (6.4 in) and its axes array of shape (rows, columns)."""
    import matplotlib
    from matplotlib import font_manager
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bundled = matplotlib.get_data_path()
    fonts = font_manager.fontManager
    fonts.ttflist = [font for font in fonts.ttflist if font.fname.startswith(bundled)]
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(STYLE)
    figure = Figure(figsize=(WIDTH, height))
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **subplots)


def save_figure(figure, outputs: Mapping[str, Path], preview: bool) -> None:
    """Write `figure` in the formats that `outputs` names (svg, pdf, png), watermarked when `preview`."""
    if preview:
        figure.text(0.5, 0.5, "PREVIEW", fontsize=56, color="#D55E00", alpha=0.22, rotation=24, ha="center",
                    va="center", zorder=1000)
    name_logarithmic_ticks(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once, not again for each format
    metadata = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None},
                "pdf": {"CreationDate": None, "Creator": None, "Producer": None}}
    for kind, path in outputs.items():
        figure.savefig(path, format=kind, metadata=metadata[kind])
        if kind == "svg":
            shrink(path)


def name_logarithmic_ticks(figure) -> None:
    """Label powers of ten only, and 1, 2 and 5 times them where an axis of `figure` has few."""
    for axes in figure.axes:
        _name_ticks(axes.xaxis)
        _name_ticks(axes.yaxis)


def _name_ticks(axis) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if axis.get_scale() != "log" or type(axis.get_major_locator()) is not LogLocator or axis.get_transform().base != 10:
        return
    low, high = axis.get_view_interval()
    axis.set_minor_formatter(NullFormatter())
    powers = math.floor(math.log10(high)) - math.ceil(math.log10(low)) + 1
    # Beside one another labels need more room than above one another.
    if powers < 2 or axis.axis_name == "y" and high < 100 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high > 4 * low else range(1, 10), numticks=20))
        if low > 1e-4 and high < 1e5:
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def band(axes, x, samples, color: str, label: str, **line) -> None:
    """Draw the mean over axis 0 of `samples` (replicates, points) and a band from the least to the greatest."""
    axes.plot(x, samples.mean(axis=0), color=color, label=label, **line)
    axes.fill_between(x, samples.min(axis=0), samples.max(axis=0), color=color, alpha=0.2, linewidth=0)


def label_ends(axes, ends: Iterable[tuple[float, str, str]], gap: float = 0.075) -> None:
    """Name lines at the right edge of `axes`: pairs of height in data, text and colour, at least `gap` apart.

    The limits must be final; `gap` is a share of the axes' height.
    """
    found = sorted(ends)
    transform = axes.transData.transform, axes.transAxes.inverted().transform
    edge = axes.get_xlim()[1]
    axes.get_ylim()  # limits are settled when they are asked for
    heights = [float(transform[1](transform[0]((edge, height)))[1]) for height, _, _ in found]
    for height, place, (_, text, color) in zip(heights, _apart(heights, gap), found):
        axes.annotate(text, (1, height), (1.06, place), xycoords="axes fraction", textcoords="axes fraction",
                      color=color, fontsize=8, va="center", annotation_clip=False,
                      arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0,
                                  "relpos": (0, 0.5)})  # to the text's edge, and so not through its neighbours


def _apart(heights: list[float], gap: float) -> list[float]:
    """Places in ascending order, `gap` apart, each group around the middle of what it names and not below the axes."""
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and _lowest(groups[-1], gap) - _lowest(groups[-2], gap) < gap * len(groups[-2]):
            groups[-2:] = [groups[-2] + groups[-1]]
    return [_lowest(group, gap) + gap * i for group in groups for i in range(len(group))]


def _lowest(group: list[float], gap: float) -> float:
    return max(sum(group) / len(group) - gap * (len(group) - 1) / 2, 0.02)
