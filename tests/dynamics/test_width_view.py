"""The width sweep as the page gets it, against the table it was made from."""

import numpy as np
import pytest

from descent.dynamics.width_view import QUANTITIES, sweep_view
from tests.test_views import logarithms

WIDTHS, TIMES, REPLICATES = [32, 128, 512], [0.5, 2.0], 3


@pytest.fixture
def table(rng):
    rows = [(time, width, replicate) for width in WIDTHS for replicate in range(REPLICATES) for time in TIMES]
    shuffled = np.array(rows)[rng.permutation(len(rows))]
    columns = {"flow_time": shuffled[:, 0], **dict(zip(("width", "replicate"), shuffled[:, 1:].astype(int).T))}
    noise = {name: np.exp(0.1 * rng.standard_normal(len(rows))) for name, *_ in QUANTITIES}
    return {**columns, **{name: factor * columns["width"] ** -0.5 for name, factor in noise.items()}}


def test_every_value_is_that_of_the_table(table):
    view = sweep_view({"diabetes_theorem": table})
    shape = (len(QUANTITIES), len(TIMES), len(WIDTHS), REPLICATES)
    values = logarithms(view["series"][0]["values"]).reshape(shape)
    assert (view["widths"], view["times"], view["replicates"]) == (WIDTHS, TIMES, REPLICATES)
    for row in range(len(table["width"])):
        place = (TIMES.index(table["flow_time"][row]), WIDTHS.index(table["width"][row]), table["replicate"][row])
        for quantity, (name, *_) in enumerate(QUANTITIES):
            assert values[quantity, *place] == pytest.approx(table[name][row], rel=1.2e-4)


def test_exponents_are_those_of_a_line_through_the_logarithms(table):
    series = sweep_view({"diabetes_theorem": table})["series"][0]
    for quantity, (name, *_) in enumerate(QUANTITIES):
        for time, found in zip(TIMES, series["exponents"][quantity], strict=True):
            rows = table["flow_time"] == time
            slope = np.polyfit(np.log(table["width"][rows]), np.log(table[name][rows]), 1)[0]
            assert found[0] == pytest.approx(slope, abs=6e-4)
            assert found[1] < found[0] < found[2]


def test_what_is_not_positive_has_no_exponent(table):
    table["flipped"][table["flow_time"] == 0.5] = 0.0
    view = sweep_view({"synthetic_regression_antisymmetric": table})
    exponents = view["series"][0]["exponents"][[name for name, *_ in QUANTITIES].index("flipped")]
    assert exponents[0] is None
    assert exponents[1] is not None
    assert view["series"][0]["words"] == "synthetic, antisymmetric units"


def test_many_widths_replicates_and_times_are_thinned():
    grid = np.array([(time, width, replicate) for time in range(1, 21) for width in range(4, 404, 4)
                     for replicate in range(30)])
    table = {"flow_time": grid[:, 0].astype(float), "width": grid[:, 1], "replicate": grid[:, 2],
             **{name: grid[:, 1] ** -0.5 for name, *_ in QUANTITIES}}
    view = sweep_view({"diabetes_theorem": table})
    assert (len(view["widths"]), len(view["times"]), view["replicates"]) == (16, 8, 20)
    assert (view["widths"][0], view["widths"][-1], view["times"][-1]) == (4, 400, 20.0)
