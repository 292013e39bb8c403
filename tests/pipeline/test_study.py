"""Names of runs, and stages as a study declares them."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descent.pipeline.stage import Stage, canonical_json
from descent.pipeline.study import StudyPlan, slug

SAFE = st.text(string.ascii_letters + string.digits + "_+-", min_size=1, max_size=30)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
RUNS = st.dictionaries(st.sampled_from(["eta", "init", "width", "depth", "a_very_long_name_of_a_setting"]),
                       NUMBERS | SAFE, min_size=1)


@pytest.mark.parametrize(("settings", "name"), [
    ({"eta": 0.01, "init": "gaussian"}, "eta=0.01+init=gaussian"),
    ({"init": "Gaussian", "eta": 1e-2}, "init=gaussian+eta=0.01"),
    ({"eta": 0.1 + 0.2}, "eta=0.30000000000000004"),
    ({"eta": 1e-5, "r": 1e22}, "eta=1e-05+r=1e+22"),
    ({"eta": 1.0, "n": 1}, "eta=1.0+n=1"),
    ({"fixed": True, "decay": None, "t": -0.5}, "fixed=true+decay=none+t=-0.5"),
])
def test_names_are_readable(settings, name):
    assert slug(settings) == name


@pytest.mark.parametrize("settings", [
    {}, {"init": ""}, {"init": "a/b"}, {"init": ".."}, {"init": "."}, {"init": ".hidden"}, {"init": "a b"},
    {"init": "a,b"}, {"init": "a=b"}, {"init": "a\n"}, {"init": "a\x00"}, {"init": "naïve"}, {"init": "²"},
    {"init": "*"}, {"init": "$HOME"}, {"init": "a'b"}, {"init": "{run}"}, {"widths": [1, 2]}, {"a/b": 1},
    {"a=b": 1}, {"": 1}, {".": 1},
], ids=repr)
def test_what_is_no_safe_name_is_refused(settings):
    with pytest.raises(ValueError, match="run"):
        slug(settings)


@given(first=RUNS, second=RUNS)
def test_different_settings_have_different_names(first, second):
    if list(first.items()) == list(second.items()) and canonical_json(first) == canonical_json(second):
        assert slug(first) == slug(second)
    elif [shown(item) for item in first.items()] != [shown(item) for item in second.items()]:
        assert slug(first).lower() != slug(second).lower()


def shown(item) -> tuple[str, str]:
    """A setting without what no name shows: the case of a text, and whether `1` is a text or a number."""
    key, value = item
    return key, repr(value) if isinstance(value, float) else str(value).lower()


@given(RUNS)
def test_names_are_safe_and_short(settings):
    name = slug(settings)
    assert len(name) <= 80
    assert set(name) <= set(string.ascii_letters + string.digits + "._+-=,~")
    assert not name.startswith((".", "-"))


def test_long_names_keep_their_beginning_and_differ_in_their_end():
    settings = {f"setting_{i}": 0.1 for i in range(12)}
    other = {**settings, "setting_11": 0.2}
    assert slug(settings)[:55] == slug(other)[:55] == "+".join(f"setting_{i}=0.1" for i in range(4))
    assert len(slug(settings)) == 80
    assert slug(settings) != slug(other)
    cased = {**settings, "name": "A"}, {**settings, "name": "a"}
    assert slug(cased[0]).lower() != slug(cased[1]).lower()


@pytest.fixture
def plan():
    return StudyPlan("toy", 7, True, {"noise": "results/data/noise.parquet"})


def test_data_sets_are_known_by_name(plan):
    assert plan.data("noise") == "results/data/noise.parquet"
    with pytest.raises(ValueError, match="study toy: no data set 'nois' \\(configured: noise\\)"):
        plan.data("nois")


def test_a_study_s_stages(plan):
    run = {"eta": 0.1}
    trained = plan.train(run, {"eta": 0.1, "seed": 7}, {"data": plan.data("noise")}, range(3), seconds=4, memory_mb=90)
    assert trained == {"metrics": "results/toy/runs/eta=0.1/metrics.parquet",
                       "trajectory": "results/toy/runs/eta=0.1/trajectory.parquet"}
    spectrum = plan.analysis(run, "spectrum", "descent.curvature.dense:spectrum", {}, {"run": trained["trajectory"]})
    assert spectrum == "results/toy/runs/eta=0.1/spectrum.parquet"
    best = plan.table("best", {}, {"runs": (path for path in [trained["metrics"]])})
    assert best == "results/toy/tables/best.parquet"
    assert plan.figure("loss", {"log": True}, {"best": best})["svg"] == "results/toy/figures/loss.svg"
    assert plan.view("ends", {"rows": 3}, {"best": best}) == "results/toy/views/ends.json"
    assert plan.claims({}, {"best": best}) == "results/toy/claims.parquet"
    assert plan.values({}, {"best": best}) == "results/toy/values.json"
    train, analysis, table, figure, view, claims, values = plan.stages
    assert (train.entry, train.replicates) == ("descent.studies.toy:train", (0, 1, 2))
    assert (train.seconds, train.memory_mb) == (4, 90)
    assert (analysis.rule, analysis.entry) == ("spectrum", "descent.curvature.dense:spectrum")
    assert (table.entry, table.inputs) == ("descent.studies.toy:table_best", {"runs": (trained["metrics"],)})
    assert figure.settings == {"log": True, "preview": True}
    assert set(figure.outputs) == {"svg", "pdf", "png"}
    assert (view.rule, view.entry, view.settings) == ("view", "descent.studies.toy:view_ends", {"rows": 3})
    assert (claims.entry, values.entry) == ("descent.studies.toy:claims", "descent.studies.toy:values")


def test_input_paths_are_in_order():
    stage = Stage("r", "descent.a:b", {}, {"z": "1", "a": ("3", "2")}, {"table": "t"})
    assert stage.input_paths == ["1", "3", "2"]


def test_settings_are_plain_values():
    stage = Stage("r", "descent.a:b", {"b": (1, 2), "a": {2: None}}, {}, {"table": "t"})
    assert stage.settings == {"a": {"2": None}, "b": [1, 2]}
    with pytest.raises(ValueError, match="JSON"):
        Stage("r", "descent.a:b", {"a": float("nan")}, {}, {"table": "t"})
    with pytest.raises(TypeError):
        Stage("r", "descent.a:b", {"a": object()}, {}, {"table": "t"})


@given(st.recursive(NUMBERS | st.none() | st.text(max_size=5),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner), max_leaves=6))
def test_canonical_json_keeps_the_value_and_forgets_the_order(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    if isinstance(value, dict):
        assert canonical_json(dict(reversed(value.items()))) == text
