"""The line under a figure: where it goes, and what it links to."""

from descent.pipeline.stage import Stage
from descent.report.figure_sources import input_lines, with_sources
from descent.report.stages import figure_source

SOURCE = {
    "study": "bowl", "figure": "loss", "entry": "descent.studies.bowl:figure_loss", "code": "0123456789ab",
    "data": ["results/bowl/tables/two words.parquet", "results/data/digits.parquet"],
}
FIGURE = '![A [link](x) and\n$x$.](../bowl/figures/loss){#fig-bowl-loss alt="A curve"}'


def test_a_line_follows_the_figure_that_is_known():
    text = f"Before.\n\n{FIGURE}\n\n{FIGURE.replace('loss', 'other')}\n\nAfter."
    before, line, after = with_sources(text, [SOURCE]).partition("\n\n::::: {.figure-source}\n")
    assert before == f"Before.\n\n{FIGURE}"
    assert after.partition("\n:::::\n")[2] == f"\n{FIGURE.replace('loss', 'other')}\n\nAfter."


def test_links_are_relative_to_the_report():
    line = with_sources(FIGURE, [SOURCE])
    assert "Data: [two words](../bowl/tables/two%20words.parquet), [digits](../data/digits.parquet)" in line
    assert "[Settings](#settings-bowl)" in line
    assert "[`figure_loss`](#code-studies.bowl.figure_loss) `0123456789ab`{.digest}" in line
    assert "`snakemake --cores 1 results/bowl/figures/loss.svg`{.command}" in line


def test_many_runs_are_one_list():
    runs = [f"results/bowl/runs/eta={eta}/metrics.parquet" for eta in (0.1, 0.2, 0.3)]
    line = with_sources(FIGURE, [{**SOURCE, "data": [*runs, "results/bowl/runs/eta=0.1/spectrum.parquet"]}])
    assert "Data: [spectrum](../bowl/runs/eta=0.1/spectrum.parquet)" in line
    assert ':::: {.runs title="metrics of 3 runs"}\n- [eta=0.1](../bowl/runs/eta=0.1/metrics.parquet)\n' in line
    assert line.count("](../bowl/runs/") == 4
    assert ':::: {.runs title="Data: metrics of 3 runs"}' in with_sources(FIGURE, [{**SOURCE, "data": runs}])


def test_the_table_of_figures_names_few_inputs_of_many():
    runs = [f"results/bowl/runs/eta={i}/metrics.parquet" for i in range(30)]
    data, one = "results/data/digits.parquet", "results/bowl/runs/eta=1/trajectory.parquet"
    stage = Stage("figure", SOURCE["entry"], {}, {"runs": tuple(runs), "data": data, "one": one},
                  {"svg": "results/bowl/figures/loss.svg"})
    source = figure_source("bowl", stage, "0123456789abcdef")
    assert source == {**SOURCE, "data": [*runs, data, one]}
    assert input_lines(source) == ["results/bowl/runs/*/metrics.parquet (30 runs)", data, one]
