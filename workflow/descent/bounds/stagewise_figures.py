"""Drawing stagewise and full training; each function returns a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from descent.bounds.convergence_checks import replicates
from descent.dynamics.stagewise_descent import stage_rows
from descent.figures import BROAD, COLORS, LEVEL, PREDICTION, THEORY, band, new_figure, sequence

Table = Mapping[str, np.ndarray]
RULES = {"stable": "the same step in every stage", "lr": "the same rate on the stage's mean error"}
FULL, STAGEWISE, OWN = COLORS[0], COLORS[1], COLORS[2]


def _by_stage(table: Table) -> list[list[Table]]:
    rows = stage_rows(table)
    return [[part for part in rows if part["stage"][0] == stage] for stage in np.unique(table["stage"])]


def _thinned(count: int, points: int = 60) -> np.ndarray:
    # Each stage begins with a fast transient.
    early = np.geomspace(1, count, points) - 1
    return np.unique(np.concatenate([early, np.linspace(0, count - 1, points)]).astype(int))


def _stage_band(panel, parts: Sequence[Table], column: str, color: str, label: str, scale=np.asarray, **line) -> None:
    recorded = np.flatnonzero(np.isfinite(parts[0][column]))
    chosen = recorded[_thinned(len(recorded))]
    steps = parts[0]["total_step" if "total_step" in parts[0] else "step"][chosen]
    band(panel, steps, scale(np.array([part[column][chosen] for part in parts])), color, label, **line)


def _mark_stages(panel, table: Table) -> None:
    above = {"xycoords": ("data", "axes fraction"), "fontsize": 7.5}
    for parts in _by_stage(table):
        first, last, digits = parts[0]["step"][0], parts[0]["step"][-1], parts[0]["digits"][0]
        panel.axvline(first, color=THEORY, linewidth=0.5, alpha=0.6)
        text = "0" if digits == 1 else f"0–{digits - 1}"
        panel.annotate(text, ((first + last) / 2, 1.03), ha="center", **above)
    panel.annotate("digits:", (0, 1.03), xytext=(-4, 0), textcoords="offset points", ha="right", **above)
    panel.set_xlim(0, last)


def draw_losses(metrics: Mapping[str, Mapping[str, Table]]):
    """Loss against the step for both rules of the step: full training, and stagewise on all and on its own samples."""
    figure, axes = new_figure(len(metrics), 1, height=5.6, sharex=True)
    for panel, (rule, tables) in zip(axes[:, 0], metrics.items(), strict=True):
        _stage_band(panel, replicates(tables["full"]), "all_loss", FULL, "full training, all samples")
        for i, parts in enumerate(_by_stage(tables["stagewise"])):
            names = ("", "") if i else ("stagewise, all samples", "stagewise, the stage's samples")
            _stage_band(panel, parts, "all_loss", STAGEWISE, names[0], linewidth=3.5, alpha=0.5)
            _stage_band(panel, parts, "loss", OWN, names[1])
        _mark_stages(panel, tables["stagewise"])
        panel.set(yscale="log", ylabel="loss $\\frac{1}{2}\\|u-y\\|^2$")
        panel.set_title(RULES[rule].capitalize(), pad=18)
    axes[-1, 0].set_xlabel("step $k$")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def draw_eigenvalues(spectra: Mapping[int, np.ndarray], states: Mapping[str, Table]):
    """Spectra of the nested H∞[S] (rising, by number of digits), and λ_min(H(t)) of both trainings against λ_0/2."""
    figure, ((left, right),) = new_figure(1, 2, height=3.4)
    _draw_nested(left, spectra)
    line = {"marker": "o", "markersize": 2.5}
    _stage_band(right, replicates(states["full"]), "lambda_min", FULL, "full training, $H$ on all samples", **line)
    for i, parts in enumerate(_by_stage(states["stagewise"])):
        _stage_band(right, parts, "lambda_min", STAGEWISE, "" if i else "stagewise, $H[S]$", **line)
        level = spectra[int(parts[0]["digits"][0])][0] / 2
        right.plot(parts[0]["step"][[0, -1]], [level, level], color=THEORY, linewidth=1.1,
                   label="" if i else "$\\lambda_0(S)/2$")
    right.axhline(level, **LEVEL, label="$\\lambda_0/2$, all samples")
    top = 1.5 * max(table["lambda_min"].max() for table in states.values())
    right.set(xlabel="step $k$", ylabel="$\\lambda_{\\min}$", ylim=(0, top), title="Least eigenvalue in training")
    right.legend(loc="upper right")
    return figure


def _draw_nested(panel, spectra: Mapping[int, np.ndarray]) -> None:
    names = {min(spectra): "first stage", max(spectra): "last stage, all digits"}
    for (count, spectrum), shade in zip(spectra.items(), sequence("scale", len(spectra))[::-1], strict=True):
        panel.loglog(np.arange(1, len(spectrum) + 1), spectrum[::-1], color=shade, linewidth=1.2,
                     label=names.get(count, ""))
    panel.set(xlabel="index, from the largest", ylabel="eigenvalue of $H^\\infty[S]$", title="Nested Gram matrices")
    panel.legend(loc="lower left")


def draw_stage_bounds(bounds: Mapping[str, Table]):
    """Squared error of each stage over its first value against the bounds with the stage's own rate."""
    figure, axes = new_figure(len(bounds), 1, height=5.2, sharex=True)
    lines = (("log_remainder_bound", BROAD, "discrete bound with measured remainder"),
             ("log_flow_bound", PREDICTION, "flow bound $e^{-\\lambda_0(S)\\,t}$"),
             ("log_error", {"color": OWN}, "measured"))
    for panel, (rule, table) in zip(axes[:, 0], bounds.items(), strict=True):
        for i, parts in enumerate(_by_stage(table)):
            for column, line, label in lines:
                _stage_band(panel, parts, column, label="" if i else label,
                            scale=lambda values: (values - values[:, :1]) / np.log(10), **line)
        panel.set(ylabel="$\\log_{10}$ of squared error\nover the stage's first", title=RULES[rule].capitalize())
    axes[-1, 0].set(xlabel="step $k$", xlim=(0, None))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def draw_digits(states: Mapping[str, Table], steps: Sequence[int]):
    """Loss of each digit at the ends of the stages, geometric mean over replicates, for both kinds of training."""
    figure, (panels,) = new_figure(1, 2, height=3.4, sharey=True)
    maps = {name: _digit_map(table, steps) for name, table in states.items()}
    low, high = min(m.min() for m in maps.values()), max(m.max() for m in maps.values())
    counts = [parts[0]["digits"][0] for parts in _by_stage(states["stagewise"])]
    for panel, (name, values) in zip(panels, maps.items(), strict=True):
        image = panel.imshow(values, origin="lower", aspect="auto", cmap="viridis", vmin=low, vmax=high)
        panel.grid(visible=False)
        panel.set(xticks=range(len(steps)), xticklabels=["0", *range(1, len(steps))], yticks=range(10),
                  xlabel="end of stage (0: the start)", title=f"{name.capitalize()} training")
    panels[0].step(np.arange(len(counts) + 1) + 0.5, [*counts, 10] - np.array(0.5), where="post", color="white")
    panels[0].set_ylabel("digit")
    figure.colorbar(image, ax=list(panels), label="$\\log_{10}$ of the digit's loss", shrink=0.9)
    return figure


def _digit_map(states: Table, steps: Sequence[int]) -> np.ndarray:
    at = [states["digit_loss"][states["step"] == step] for step in steps]
    return np.log10(np.array([np.exp(np.mean(np.log(rows), axis=0)) for rows in at])).T
