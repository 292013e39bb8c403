"""The one style of all figures, and writing them the same byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# Okabe and Ito's palette: distinguishable with the common colour vision deficiencies.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
THEORY = "#444444"
WIDTH = 6.4

STYLE = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 9.5, "axes.labelsize": 9, "legend.fontsize": 8,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25, "grid.linewidth": 0.6,
    "lines.linewidth": 1.5, "legend.frameon": False, "figure.dpi": 150, "savefig.dpi": 150, "axes.axisbelow": True,
    "svg.hashsalt": "descent", "svg.fonttype": "path", "pdf.fonttype": 42, "figure.constrained_layout.use": True,
    "axes.prop_cycle": f"cycler('color', {list(COLORS)})",
}


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
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once, not again for each format
    metadata = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None},
                "pdf": {"CreationDate": None, "Creator": None, "Producer": None}}
    for kind, path in outputs.items():
        figure.savefig(path, format=kind, metadata=metadata[kind])


def band(axes, x, samples, color: str, label: str, **line) -> None:
    """Draw the mean over axis 0 of `samples` (replicates, points) and a band from the least to the greatest."""
    axes.plot(x, samples.mean(axis=0), color=color, label=label, **line)
    axes.fill_between(x, samples.min(axis=0), samples.max(axis=0), color=color, alpha=0.2, linewidth=0)
