"""Learning curves: metric tables with one row for each replicate and epoch, read and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from descent.figures import band, new_figure, sequence
from descent.pipeline.tables import read_table


def epoch_curves(path: Path, column: str, epochs: int):
    """(replicates, epochs) of one column, NaN where a run had ended."""
    import numpy as np

    table = read_table(path, ["replicate", "epoch", column])
    curves = np.full((int(table["replicate"].max()) + 1, epochs), np.nan)
    curves[table["replicate"], table["epoch"] - 1] = table[column]
    return curves


def run_endings(path: Path, epochs: int) -> list[dict[str, Any]]:
    """Each replicate's last objective and its mean log10 over all epochs (infinite when it diverged)."""
    import numpy as np

    objective, steps = (epoch_curves(path, name, epochs) for name in ("objective", "diverged_step"))
    rate = float(read_table(path, ["learning_rate"])["learning_rate"][0])
    ended, tiny = np.isfinite(objective).all(axis=1), np.finfo(np.float32).tiny
    return [
        {"replicate": i, "rate": rate, "objective": float(curve[-1]) if whole else float("inf"),
         "log_objective": float(np.log10(np.maximum(curve, tiny)).mean()) if whole else float("inf"),
         "diverged_step": int(np.nanmax(step))}
        for i, (curve, step, whole) in enumerate(zip(objective, steps, ended))
    ]


def objective_panels(panels, labels, epochs: int, quantity: str):
    """A figure with one panel for each pair (title, metric tables) in `panels`; its axes.

    Labels name the tables, whose colours are those of `quantity` in `figures.SCALES`.
    """
    colors = sequence(quantity, len(labels))
    figure, axes = new_figure(1, len(panels), height=3.5, sharey=True)
    for panel, (title, paths) in zip(axes[0], panels):
        draw_objectives(panel, paths, epochs, colors)
        panel.set_title(title, pad=9)
    axes[0, 0].set_ylabel("mean mini-batch objective")
    shared_legend(figure, axes[0, 0], labels, colors)
    return figure, axes[0]


def draw_objectives(axes, paths, epochs: int, colors) -> None:
    """A band and thin lines for the replicates that ended; crosses at the top where the others diverged."""
    import numpy as np

    for color, path in zip(colors, paths):
        curves, steps = (epoch_curves(path, name, epochs) for name in ("objective", "diverged_step"))
        ended = np.isfinite(curves).all(axis=1)
        axis = np.arange(1, epochs + 1)
        if ended.any():
            band(axes, axis, curves[ended], color, "")
            axes.plot(axis, curves[ended].T, color=color, linewidth=0.4, alpha=0.6, zorder=1.5, rasterized=epochs > 50)
        if not ended.all():
            last, top = 1 + np.nanargmax(steps[~ended], axis=1), axes.get_xaxis_transform()
            axes.plot(last, np.full(len(last), 0.97), "x", color=color, transform=top)
            axes.annotate(f"{len(last)} of {len(curves)} diverge", (last.max(), 0.97), xycoords=top, color=color,
                          xytext=(6, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set(yscale="log", xlabel="epoch")


def shared_legend(figure, axes, labels, colors) -> None:
    """One legend for all panels, below them."""
    lines = [axes.plot([], [], color=color)[0] for color in colors]
    figure.legend(lines, labels, loc="outside lower center", ncols=len(labels))


def draw_risk(top, bottom, path, epochs: int, color: str) -> None:
    """Means over the replicates that ended; the shade is twice the standard error of the mean objective."""
    import numpy as np

    names = ("objective", "mean_risk", "objective_error")
    objective, risk, error = (epoch_curves(path, name, epochs) for name in names)
    ended = np.isfinite(objective).all(axis=1)
    if not ended.any():
        return
    objective, risk, error = objective[ended].sum(axis=0), risk[ended].sum(axis=0), error[ended]
    axis = np.arange(1, epochs + 1)
    top.plot(axis, risk / len(error), color=color, linewidth=1)
    shown = np.unique(np.geomspace(1, epochs, 48).astype(int)) - 1  # the axis is logarithmic
    top.plot(axis[shown], (objective / len(error))[shown], ".", color=color, markersize=3)
    bottom.plot(axis, 100 * (objective / risk - 1), color=color, linewidth=0.8)
    sampling = 200 * np.sqrt(np.sum(error**2, axis=0)) / risk
    bottom.fill_between(axis, -sampling, sampling, color=color, alpha=0.12, linewidth=0)
