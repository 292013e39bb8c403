"""Interactive views: their data in the page, their fallback everywhere else, and what they do in a browser."""

import importlib
import json
import re
from functools import partial

import numpy as np
import pytest

from descent.bounds.convergence_view import spectra_view
from descent.bounds.wide_minima_view import basin_lines, map_view, window_lines
from descent.dynamics.scalar_descent import ENDS, ESCAPED, RETURN, descend
from descent.dynamics.two_minima import curvature, evaluate, slope, stationary_points, value
from descent.dynamics.width_view import QUANTITIES, sweep_view
from descent.report.formatting import integer, num
from descent.report.stages import SCRIPTS
from descent.report.templates import ReportError
from descent.report.view_data import with_data
from descent.views import write_view
from tests.report.small import CHECKOUT, SECTION, SmallReport
from tests.test_views import logarithms, unpacked

KINDS = {"basins": "basin_map", "window": "basin_map", "spectra": "spectra", "sweep": "width_sweep"}
PLACES = "\n\n".join(f'::: {{.view data="<< view("{name}") >>" kind="{kind}"}}\nInstead of {name}.\n:::'
                     for name, kind in KINDS.items())
STOP = {"tolerance": 1e-8, "step_limit": 3000}


def ends_map(steps: tuple[float, float], starts: tuple[float, float], lines: dict[str, float]) -> dict:
    alpha, start = (axis.ravel() for axis in np.meshgrid(np.geomspace(*steps, 25), np.linspace(*starts, 20),
                                                         indexing="ij"))
    found = descend(start, alpha, STOP["step_limit"], STOP["tolerance"], stationary_points()[1])
    return map_view({"alpha": alpha, "start": start, **found}, 20, lines, STOP)


def spectra() -> dict:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((12, 5))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    kept, steps = np.array([0, 1, 4, 20, 100]), np.arange(101)
    trajectory = {"replicate": np.repeat([0, 1], 5), "step": np.tile(kept, 2),
                  "hidden": rng.standard_normal((10, 2000))}
    metrics = {"replicate": np.repeat([0, 1], 101), "step": np.tile(steps, 2), "flow_time": 0.1 * np.tile(steps, 2),
               "loss": np.tile(np.exp(-0.05 * steps), 2)}
    runs = dict.fromkeys(("digit_full_lr", "digit_full_stable"), (trajectory, metrics))
    return spectra_view(x, np.linspace(2, 0.1, 12), runs, 400)


def sweep() -> dict:
    rng = np.random.default_rng(2)
    grid = np.array([(time, width, replicate) for time in (1.0, 8.0) for width in (32, 128, 512, 2048)
                     for replicate in range(4)])
    rows = {"flow_time": grid[:, 0], "width": grid[:, 1].astype(int), "replicate": grid[:, 2].astype(int)}
    return sweep_view({name: {**rows, **{column: np.exp(0.2 * rng.standard_normal(len(grid))) * grid[:, 1] ** -0.5
                                         for column, *_ in QUANTITIES}}
                       for name in ("synthetic_regression_theorem", "diabetes_theorem", "diabetes_antisymmetric")})


@pytest.fixture(scope="module")
def data() -> dict[str, dict]:
    return {"basins": ends_map((0.01, 5), (-5, 20), basin_lines()),
            "window": ends_map((0.0975, 0.1022), (-5, 4), window_lines()), "spectra": spectra(), "sweep": sweep()}


@pytest.fixture(scope="module")
def made(tmp_path_factory, data):
    root, texts = tmp_path_factory.mktemp("views"), {}
    for name, found in data.items():
        write_view(root / f"{name}.json", found)
        texts[name] = (root / f"{name}.json").read_text("utf-8")
    report = SmallReport(root / "report", views=texts)
    report.root.mkdir()
    report.write(f"{SECTION}\n\n{PLACES}\n")
    for proof in (report.root / "report" / "proofs").glob("*.md"):
        proof.unlink()
    return report.make("ledger", "report_source", "report_html", "report_tex")


def test_the_page_holds_the_data_beside_the_fallback(made, data):
    page = made["html"].read_text("utf-8")
    element = r'<div class="view"[^>]*>\s*<script type="application/json">(.*?)</script>\s*<p>Instead of (\w+)\.'
    held = re.findall(element, page, re.DOTALL)
    assert {name: json.loads(text) for text, name in held} == {
        name: json.loads(json.dumps(found)) for name, found in data.items()}


def test_other_formats_have_the_fallback_only(made):
    text = made["tex"].read_text("utf-8")
    assert all(f"Instead of {name}." in text for name in KINDS)
    assert "basin_map" not in text
    assert ".json" not in text


def test_a_view_that_is_not_there_is_one_line(tmp_path):
    report = SmallReport(tmp_path, views={"ends": "{}"}).write(f'{SECTION}\n<< view("basins") >>\n')
    with pytest.raises(ReportError, match=r"no view 'basins' \(there are: ends\)"):
        report.make("ledger", "report_source")


@pytest.mark.parametrize(("attributes", "complaint"), [
    ('data="../bowl/views/none.json" kind="spectra"', "not '../bowl/views/none.json' and 'spectra'"),
    ('data="../bowl/views/ends.json"', "not '../bowl/views/ends.json' and ''"),
    ('kind="spectra"', "not '' and 'spectra'"),
])
def test_a_view_without_data_or_kind_is_one_line(tmp_path, attributes, complaint):
    (tmp_path / "bowl" / "views").mkdir(parents=True)
    path = tmp_path / "bowl" / "views" / "ends.json"
    path.write_text('{"text": "</script>"}')
    with pytest.raises(ReportError, match=re.escape(complaint)):
        with_data(f'<p>One</p><div class="view" {attributes}>', [path])
    page = with_data('<div id="a" class="view" kind="spectra" data="../bowl/views/ends.json">', [path])
    assert page == ('<div id="a" class="view" data-kind="spectra">\n<script type="application/json">'
                    '{"text": "<\\/script>"}</script>')


def test_the_sections_name_kinds_and_views_that_there_are():
    scripts = "".join((CHECKOUT / path).read_text("utf-8") for path in SCRIPTS)
    kinds, places = set(re.findall(r"views\.kinds\.(\w+) =", scripts)), 0
    for section in (CHECKOUT / "report" / "sections").glob("*.md"):
        study = importlib.import_module(f"descent.studies.{section.stem}")
        for name, kind in re.findall(r"^::: {\.view data=\"<< view\(\"(\w+)\"\) >>\" kind=\"(\w+)\"}$",
                                     section.read_text("utf-8"), re.MULTILINE):
            assert hasattr(study, f"view_{name}")
            assert kind in kinds
            places += 1
        assert section.read_text("utf-8").count("{.view ") == section.read_text("utf-8").count('<< view("')
    assert (places, kinds) == (4, set(KINDS.values()))


@pytest.fixture(scope="module")
def page_file(made):
    return made["html"]


@pytest.fixture
def opened(opened):
    """`opened(width, …)`, where nothing moves by itself."""
    return partial(opened, "", reduced_motion="reduce")


def view(page, name: str):
    return page.locator("div.view").nth(list(KINDS).index(name))


def spoken(panel) -> str:
    return panel.locator(".view-readout").inner_text()


def with_minus(number: str) -> str:
    return number.replace("$", "").replace("-", "−")


def test_descent_in_the_page_ends_as_in_python(opened):
    alpha = np.array([0.02, 0.02, 0.3, 0.3, 1.3, 2.5, 0.0985, 0.0996, 0.0999, 0.1, 0.104, 0.108])
    start = np.array([-4.0, 7.5, 2.0, 19.0, -3.0, 11.0, 0.4, 0.4, 1.0, -1.0, 0.7, 0.7])
    stop = {**STOP, "boundary": stationary_points()[1], "escaped": ESCAPED, "return": RETURN}
    found = opened().evaluate("([alpha, start, stop]) => alpha.map((a, i) => { const { orbit, ...run } = "
                              "descent.views.twoMinima.descend(start[i], a, stop); return run; })",
                              [alpha.tolist(), start.tolist(), stop])
    expected = descend(start, alpha, STOP["step_limit"], STOP["tolerance"], stop["boundary"])
    assert [run["end"] for run in found] == [ENDS[end] for end in expected["end"]]
    assert set(expected["end"]) == set(range(len(ENDS)))
    assert [run["period"] for run in found] == expected["period"].tolist()
    settled = np.isin(expected["end"], [ENDS.index("sharp"), ENDS.index("wide")])
    position = np.array([run["position"] for run in found])
    assert position[settled] == pytest.approx(expected["position"][settled], abs=1e-7)
    steps = np.array([run["steps"] for run in found])
    assert np.abs(steps - expected["steps"])[settled].max() <= 1


@pytest.mark.parametrize(("name", "form"), [("value", value), ("slope", slope), ("curvature", curvature)])
def test_the_function_does_not_overflow_in_the_page(opened, name, form):
    theta = np.array([-1e100, -300.0, -5.0, 0.0, 2.9, 3.0, 3.1, 10.0, 300.0, 1e5, 1e100])
    found = opened().evaluate(f"(theta) => theta.map((t) => descent.views.twoMinima.{name}(t))", theta.tolist())
    assert found == pytest.approx(evaluate(form, theta).tolist(), rel=1e-14, abs=1e-300)


def test_pointing_at_the_map_reads_the_table(opened, data):
    page, found = opened(), data["basins"]
    panel = view(page, "basins")
    plot = panel.get_by_role("application")
    plot.scroll_into_view_if_needed()
    picture = plot.locator("image").bounding_box()
    cells, most = unpacked(found["cells"], "u2"), found["most_steps"]
    for column, row in ((2, 3), (12, 10), (22, 17)):
        at = [picture["x"] + (column + 0.5) / 25 * picture["width"],
              picture["y"] + (1 - (row + 0.5) / 20) * picture["height"]]
        page.mouse.move(*at)
        kind, steps = divmod(int(cells[column * 20 + row]), most + 1)
        place = f"α = {num(found['alpha'][column], 4)}, θ⁰ = {with_minus(num(found['start'][row], 4))}"
        assert spoken(panel) == f"{place}: {found['classes'][kind]['name']}, {integer(steps)} steps."
    page.mouse.click(*at)
    assert spoken(panel).startswith(f"{place}: ")
    assert "Run in this page: diverges" in spoken(panel)


def test_arrow_keys_and_sliders_choose_the_same_run(opened, data):
    page, found = opened(), data["window"]
    panel = view(page, "window")
    step, start = panel.get_by_label("Step α", exact=True), panel.get_by_label("Start θ⁰", exact=True)
    before = int(step.input_value()), int(start.input_value())
    panel.get_by_role("application").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    after = before[0] + 1, min(before[1] + 10, 19)
    assert (int(step.input_value()), int(start.input_value())) == after
    by_arrows = spoken(panel)
    assert step.get_attribute("aria-valuetext") == num(found["alpha"][after[0]], 4)
    start.focus()
    page.keyboard.press("ArrowLeft")
    assert int(start.input_value()) == after[1] - 1
    page.keyboard.press("ArrowRight")
    assert spoken(panel) == by_arrows
    first = panel.locator("tbody tr").first.locator("td").first
    assert first.text_content() == with_minus(num(found["start"][after[1]], 5))


def test_the_table_says_every_cycle_by_its_period(opened, data):
    found = data["window"]
    cells = unpacked(found["cells"], "u2") // (found["most_steps"] + 1)
    panel = view(opened(), "window")
    for kind, words in ((2, "cycle of period 2,"), (3, "cycle of period 4,"), (4, "cycle of period ")):
        index = int(np.flatnonzero(cells == kind)[0])
        panel.get_by_label("Step α", exact=True).fill(str(index // 20))
        panel.get_by_label("Start θ⁰", exact=True).fill(str(index % 20))
        period = f"{found['periods'][str(index)]}," if kind == 4 else ""
        assert f": {words}{period}" in spoken(panel)
        assert f"Run in this page: {words}{period}" in spoken(panel)


def test_the_spectrum_moves_with_its_slider(opened, data):
    page, run = opened(), data["spectra"]["runs"][1]
    panel = view(page, "spectra")
    panel.get_by_label("Run", exact=True).select_option("1")
    panel.get_by_label("Replicate", exact=True).select_option("1")
    chosen = run["replicates"][1]
    values = logarithms(chosen["eigenvalues"]).reshape(len(chosen["steps"]), -1)
    panel.get_by_label("Step k", exact=True).fill("3")
    assert spoken(panel).startswith(f"Step 20, t = 2: λ min = {num(values[3, -1])}, ")
    assert f"Eigenvalue 12: {num(values[3, -1])} (at the start {num(values[0, -1])}" in spoken(panel)
    panel.get_by_role("application").focus()
    page.keyboard.press("ArrowLeft")
    assert f"Eigenvalue 11: {num(values[3, -2])} " in spoken(panel)
    page.keyboard.press("ArrowUp")
    assert spoken(panel).startswith("Step 100, t = 10: ")
    cells = panel.locator("tbody tr").nth(3).locator("td").all_text_contents()
    assert cells[:3] == ["2", num(values[3, 0]), num(values[3, -1])]


def test_the_sweep_reads_its_values(opened, data):
    page, found = opened(), data["sweep"]
    panel = view(page, "sweep")
    panel.get_by_label("Quantity", exact=True).select_option(label="movement of the weights")
    panel.get_by_label("Up to time t", exact=True).select_option(label="1")
    panel.get_by_label("Data set", exact=True).select_option(label="diabetes")
    panel.get_by_label("Start", exact=True).select_option(label="antisymmetric units")
    panel.get_by_label("Replicate", exact=True).select_option(label="2")
    values = logarithms(found["series"][2]["values"]).reshape(len(QUANTITIES), 2, 4, 4)[2, 0, :, 2]
    plot = panel.get_by_role("application")
    plot.focus()
    for width, number in zip(found["widths"], values, strict=True):
        assert f"diabetes, antisymmetric units, m = {integer(width)}, replicate 2: {num(number)}. " in spoken(panel)
        page.keyboard.press("ArrowRight")
    cells = panel.locator("tbody td").all_text_contents()
    assert cells[:4] == [num(number) for number in values]
    exponent = found["series"][2]["exponents"][2][0]
    assert cells[4] == f"{with_minus(num(exponent[0], 2))} [{with_minus(num(exponent[1], 2))}, " \
                       f"{with_minus(num(exponent[2], 2))}]"
    drawn = plot.locator("svg path[fill='var(--paper)']").all()
    assert len(drawn) == 4 + 1  # one a width and the legend's
    box = drawn[2].bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert f"m = 512, replicate 2: {num(values[2])}. " in spoken(panel)


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1600, "dark")])
def test_nothing_is_a_barrier_or_too_wide(opened, barriers, width, scheme):
    page = opened(width, color_scheme=scheme, has_touch=width == 360)
    for panel in page.locator("div.view").all():
        panel.locator("summary").click()
    assert barriers(page, context={"include": [["div.view"]]}) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    drawn = "[...document.querySelectorAll('.view-plot > svg')].every((one) => one.childElementCount > 9)"
    page.wait_for_function(drawn)


def test_a_tap_chooses_a_run(opened):
    page = opened(360, has_touch=True)
    panel = view(page, "basins")
    plot = panel.get_by_role("application")
    plot.scroll_into_view_if_needed()
    picture, before = plot.locator("image").bounding_box(), spoken(panel)
    page.touchscreen.tap(picture["x"] + 0.95 * picture["width"], picture["y"] + 0.5 * picture["height"])
    assert spoken(panel) != before
    assert "Run in this page: diverges" in spoken(panel)


def test_the_colours_follow_the_theme(opened):
    page = opened()
    plot = view(page, "window").get_by_role("application")
    light = plot.locator("image").get_attribute("href")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("(light) => document.querySelectorAll('.view image')[1].getAttribute('href') !== light",
                           arg=light)


def test_paper_and_pages_without_scripts_have_the_fallback(opened):
    page = opened()
    fallback = page.get_by_text("Instead of basins.")
    assert not fallback.is_visible()
    page.emulate_media(media="print")
    assert fallback.is_visible()
    assert not view(page, "basins").locator(".view-panel").is_visible()
    still = opened(java_script_enabled=False)
    assert still.get_by_text("Instead of basins.").is_visible()
    assert still.locator(".view-panel").count() == 0
