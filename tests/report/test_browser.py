"""The page in a real browser: what its scripts promise, at each width, in both themes, on paper, without scripts."""

import re

import pytest

from tests.report.conftest import PATIENCE
from tests.report.small import LargerReport

expect = pytest.importorskip("playwright.sync_api", reason="no playwright to drive a browser with").expect
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
ROWS = "[...document.querySelectorAll('.ledger:not(.errata) tbody tr')].filter((row) => !row.hidden)"
SHOWN = f"{ROWS}.map((row) => ({{...row.querySelector('[id^=claim-]').dataset}}))"
HITS = "#hits [role='option']"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    made = LargerReport(tmp_path_factory.mktemp("browsed"), preview=True).write()
    return made, made.make("ledger", "report_source", "report_html")["html"]


@pytest.fixture(scope="module")
def page_file(report):
    return report[1]


def texts(page, selector: str) -> list[str]:
    return page.locator(selector).all_inner_texts()


def settled(page) -> None:
    """Until the page has answered to what was scrolled."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_every_anchor_resolves_and_has_one_place(opened):
    page = opened()
    lost = page.evaluate("""() => [...document.querySelectorAll("a[href^='#']")]
        .map((link) => decodeURIComponent(link.hash.slice(1))).filter((id) => !document.getElementById(id))""")
    assert lost == []
    doubled = page.evaluate("""() => [...document.querySelectorAll("[id]")].map((element) => element.id)
        .filter((id, index, all) => all.indexOf(id) !== index)""")
    assert doubled == []
    drawn = page.evaluate("""() => [...document.querySelectorAll("svg use")]
        .filter((use) => !document.querySelector(use.getAttribute("href"))).length""")
    assert drawn == 0


@pytest.mark.parametrize("fragment", ["#%", "#sec-ledger&verdict=%&sort=-none", "#nowhere"])
def test_an_address_that_means_nothing_does_no_harm(opened, fragment):
    page = opened(fragment)
    assert page.evaluate(SHOWN) == opened().evaluate(SHOWN)


def test_headings_figures_tables_claims_and_theorems_link_to_themselves(opened):
    page = opened()
    for place in ("sec-valley", "sec-valley-along", "fig-valley-width", "tbl-valley", "claim-tau.3", "eq-valley",
                  "thm-h-infinity", "erratum-du.9.printed"):
        assert page.locator(f"main a:is(.anchor, .self)[href='#{place}']").count() == 1, place
    anchor = page.locator(".anchor[href='#sec-valley']")
    assert anchor.evaluate("(link) => getComputedStyle(link, '::before').opacity") == "0"
    anchor.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert anchor.evaluate("(link) => getComputedStyle(link, '::before').opacity") == "1"


def test_there_is_one_title_and_no_level_is_left_out(opened):
    headings = opened().locator("h1, h2, h3, h4, h5, h6")
    levels = headings.evaluate_all("(headings) => headings.map((heading) => Number(heading.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))


def test_the_contents_follow_the_reader(opened):
    page = opened("#sec-valley-along")
    current = page.locator(".contents a[aria-current]")
    expect(current).to_have_attribute("href", "#sec-valley-along")
    assert page.locator(".contents a[href='#sec-valley-across']").is_visible()
    assert not page.locator(".contents a[href='#sec-proof-h-infinity']").is_visible()
    page.get_by_role("button", name="Sections of Part III Proofs").click()
    assert page.locator(".contents a[href='#sec-proof-h-infinity']").is_visible()
    page.locator(".steps .previous").click()
    expect(current).to_have_attribute("href", "#valley-where-λ-is-least")
    page.locator(".steps .up").click()
    expect(current).to_have_count(0)
    assert page.evaluate("scrollY") == 0


def test_chapters_end_with_the_way_on(opened):
    page = opened()
    assert texts(page, "#sec-bowl > .chapter-end a") == ["Where the documents are wrong", "2 A narrow valley"]
    page.locator("#sec-bowl > .chapter-end .next").click()
    assert page.url.endswith("#sec-valley")


def test_on_a_phone_the_contents_are_a_drawer(opened):
    page = opened(width=360)
    entry = page.locator(".contents a[href='#part-landscapes']")
    assert not entry.is_visible()
    page.get_by_text("Contents", exact=True).click()
    entry.click()
    assert not entry.is_visible()
    assert page.url.endswith("#part-landscapes")
    page.get_by_text("Contents", exact=True).click()
    page.keyboard.press("Escape")
    assert not entry.is_visible()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


@pytest.mark.parametrize(("words", "kind", "title", "target"), [
    ("narrow", "Section", "2 A narrow valley", "sec-valley"),
    ("tau.3", "Claim", "tau.3", "claim-tau.3"),
    ("wid snu", "Claim", "snu.1", "claim-snu.1"),
    ("figure 2", "Figure", "Figure 2", "fig-valley-width"),
    ("landscapes minima", "Part", "Part II Landscapes and minima", "part-landscapes"),
    ("flat lemma 9", "Erratum", "Lemma 9 the flat valley", "erratum-du.9.printed"),
    ("limiting kernel", "Proof", "3 The limiting kernel in closed form", "sec-proof-h-infinity"),
    ("closed form theorem", "Theorem", "Theorem 1 (Closed form of H∞)", "thm-h-infinity"),
    ("table 3", "Table", "Table 3", "tbl-valley"),
])
def test_search_finds_and_goes_there(opened, words, kind, title, target):
    page = opened()
    page.keyboard.press("/")
    page.keyboard.type(words)
    assert texts(page, f"{HITS} .hit-kind")[0] == kind
    assert texts(page, f"{HITS} .hit-title")[0] == title
    page.keyboard.press("Enter")
    assert page.evaluate("decodeURIComponent(location.hash)") == f"#{target}"
    assert not page.locator("#hits").is_visible()
    settled(page)
    place = page.locator(f"[id='{target}']").bounding_box()
    assert 0 <= place["y"] < 400


@pytest.mark.parametrize("width", [360, 768, 1600])
def test_hits_stay_within_the_window(opened, width):
    page = opened(width=width)
    page.keyboard.press("/")
    page.keyboard.type("valley")
    box = page.locator("#hits").bounding_box()
    assert 0 <= box["x"] < box["x"] + box["width"] <= width
    assert page.evaluate(OVERFLOW) == 0


def test_search_by_keyboard(opened):
    page = opened()
    page.keyboard.press("/")
    field = page.get_by_role("combobox", name="Search this report")
    expect(field).to_be_focused()
    page.keyboard.type("valley")
    hits = page.locator(HITS).count()
    assert hits > 3
    assert page.locator(".search [role='status']").inner_text() == f"{hits} hits"
    assert page.locator("#hits mark").first.inner_text().lower() == "valley"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert field.get_attribute("aria-activedescendant") == f"hit-{hits - 1}"
    assert page.locator(f"{HITS}[aria-selected='true']").count() == 1
    page.keyboard.press("Escape")
    assert not page.locator("#hits").is_visible()
    field.fill("nothing like it")
    assert page.locator(".search [role='status']").inner_text() == "No hits"


def test_filters_count_and_show_what_they_say(opened):
    page = opened("#sec-ledger")
    everything = page.evaluate(SHOWN)
    status = page.locator(".ledger-tools [role='status']")
    assert status.inner_text() == f"All {len(everything)} claims"
    for name in ("document", "verdict", "kind", "form", "study"):
        select = page.locator(f".ledger-tools select[name={name}]")
        for option in select.locator("option").all_inner_texts()[1:]:
            value, count = re.fullmatch(r"(.+) \((\d+)\)", option).groups()
            select.select_option(label=option)
            shown = page.evaluate(SHOWN)
            assert shown == [claim for claim in everything if claim[name] == value]
            assert len(shown) == int(count)
            assert status.inner_text() == f"{count} of {len(everything)} claims"
        select.select_option("")
    assert page.evaluate(SHOWN) == everything


def test_filters_join_and_stand_in_the_address(opened):
    page = opened()
    page.locator("select[name=verdict]").select_option("holds")
    page.locator("select[name=document]").select_option("tau")
    page.locator("input[name=text]").fill("RESIDUAL tau.3")
    assert texts(page, ".ledger:not(.errata) tbody tr:not([hidden]) [id^=claim-]") == ["tau.3"]
    fragment = page.evaluate("location.hash")
    again = opened(fragment.replace("residual", "+Re%EF%BD%93idual+"))  # as if typed, with a wide s
    assert texts(again, ".ledger:not(.errata) tbody tr:not([hidden]) [id^=claim-]") == ["tau.3"]
    assert again.locator("select[name=verdict]").input_value() == "holds"
    again.evaluate("location.hash = 'claim-du.9'")
    expect(again.locator("[id='claim-du.9']")).to_be_in_viewport()
    page.get_by_role("button", name="Show all").click()
    assert page.evaluate("location.hash") == "#sec-ledger"
    rows = page.locator(".ledger:not(.errata) tbody tr")
    assert rows.and_(page.locator(":not([hidden])")).count() == rows.count()


@pytest.mark.parametrize("column", ["slack", "cases"])
def test_sorting_by_a_number(opened, column):
    page = opened()
    page.locator("select[name=sort]").select_option(column)
    for falling in (True, False):
        values = [claim[column] for claim in page.evaluate(SHOWN)]
        numbers = [float(value) for value in values if value]
        assert numbers == sorted(numbers, reverse=falling)
        assert values[len(numbers):] == [""] * (len(values) - len(numbers))
        page.locator(".ledger-tools .direction").click()


def test_sorting_by_verdict_and_back(opened):
    page = opened()
    before = page.evaluate(SHOWN)
    page.locator("select[name=sort]").select_option("verdict")
    order = list(dict.fromkeys(claim["verdict"] for claim in page.evaluate(SHOWN)))
    assert order == ["refuted", "hypothesis fails", "vacuous", "holds", "reported"]
    page.locator("select[name=sort]").select_option("id")
    assert page.evaluate(SHOWN) == before


def background(page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_theme_follows_the_system_until_it_is_chosen(opened):
    page = opened(color_scheme="dark")
    dark = background(page)
    page.emulate_media(color_scheme="light")
    light = background(page)
    assert light == "rgb(255, 255, 255)" != dark
    button = page.locator(".theme")
    seen = []
    for _ in range(3):
        button.click()
        seen.append((button.get_attribute("aria-label").partition(".")[0], background(page)))
    assert seen == [("Colours: light", light), ("Colours: dark", dark), ("Colours: auto", light)]
    button.click()
    button.click()
    page.reload()
    assert background(page) == dark
    assert page.locator("figure svg").first.evaluate("(figure) => getComputedStyle(figure).filter") != "none"


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("width", [360, 768, 1200, 1600])
def test_nothing_is_wider_than_the_window(opened, width, scripts):
    page = opened(width=width, java_script_enabled=scripts)
    assert page.evaluate(OVERFLOW) == 0
    wide = page.locator("#eq-valley math")
    assert wide.evaluate("(formula) => formula.scrollWidth > formula.clientWidth") == (width == 360)


def test_what_scrolls_can_be_reached_by_keyboard(opened):
    page = opened(width=360)
    assert page.locator("#eq-valley math").get_attribute("tabindex") == "0"
    assert page.locator("#eq-step math").get_attribute("tabindex") is None
    frame = page.locator(".table-frame:has(#tbl-valley)")
    assert frame.get_attribute("aria-label").startswith("Table, scrolls sideways: Table")


def test_labels_of_figures_are_as_large_on_a_phone_as_on_a_tablet(opened):
    phone, desktop = opened(width=360), opened()
    frame = phone.locator("#fig-valley-width .figure-frame")
    assert frame.get_attribute("tabindex") == "0"
    assert frame.get_attribute("aria-label") == "Figure\u00a02, scrolls sideways"
    points = 6.4 * 72  # across a figure
    assert frame.locator("svg").bounding_box()["width"] * 8 / points > 10  # pixels of a label
    frame.focus()
    phone.keyboard.press("End")
    assert frame.evaluate("(frame) => frame.scrollWidth - frame.clientWidth") > 0
    assert desktop.locator("#fig-valley-width .figure-frame").get_attribute("tabindex") is None


@pytest.mark.parametrize(("theme", "width"), [("light", 1200), ("dark", 360)])
def test_axe_finds_no_barrier(opened, barriers, theme, width):
    assert barriers(opened(color_scheme=theme, width=width)) == []


def test_paper_has_no_controls_and_figures_as_drawn(opened):
    page = opened(color_scheme="dark", width=800)
    page.emulate_media(media="print")
    assert background(page) == "rgb(255, 255, 255)"
    for control in (".tools", ".chapter-end", ".copy", ".anchor", ".ledger-tools label"):
        assert not page.locator(control).first.is_visible(), control
    assert page.locator("figure svg").first.evaluate("(figure) => getComputedStyle(figure).filter") == "none"
    assert page.locator(".preview").is_visible()


def test_without_scripts_all_of_it_is_there(opened):
    page = opened(java_script_enabled=False)
    assert page.locator(".contents a[href='#sec-proof-h-infinity']").is_visible()
    assert page.locator(".ledger:not(.errata) tbody tr").count() == 15
    for control in (".search", ".steps", ".ledger-tools"):
        assert page.locator(control).count() == 0 or not page.locator(control).is_visible(), control


def test_a_figure_says_what_it_is_made_of(opened):
    page = opened()
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    line = page.locator("#fig-valley-width + .figure-source")
    line.get_by_role("button", name="Copy").click()
    assert page.evaluate("copied") == "snakemake --cores 1 results/valley/figures/width.svg"
    expect(page.locator("#announcement")).to_have_text("Copied")
    line.locator("summary").click()
    links = line.locator("a").evaluate_all("(links) => links.map((link) => link.getAttribute('href'))")
    runs = [f"../valley/runs/eta=0.{number}+init=a/metrics.parquet" for number in range(1, 6)]
    assert sorted(links) == sorted(["../valley/tables/loss.parquet", *runs, "#settings-valley",
                                    "#code-studies.valley.figure_width"])


def test_a_figure_looks_like_its_file(opened, browser, report, tmp_path):
    from matplotlib.image import imread

    page = opened()
    figure, shapes, styles = (page.locator(place).first.evaluate("(element) => element.outerHTML")
                              for place in ("#fig-valley-width svg", ".shapes", "head style"))
    svg = (report[0].root / "results" / "valley" / "figures" / "width.svg").read_text()
    alone, pictures = browser.new_page(viewport={"width": 700, "height": 400}), []
    alone.set_default_timeout(PATIENCE)
    for number, content in enumerate((f"{styles}{shapes}<figure>{figure}</figure>", svg[svg.index("<svg"):])):
        alone.set_content(content)
        alone.add_style_tag(content="body, figure { margin: 0; display: block } "
                                    "svg[viewBox] { width: 700px; height: auto }")
        alone.screenshot(path=tmp_path / f"{number}.png", clip={"x": 0, "y": 0, "width": 690, "height": 340})
        pictures.append(imread(tmp_path / f"{number}.png")[8:, 8:, :3])
    alone.close()
    assert abs(pictures[0] - pictures[1]).mean() < 2e-3 < pictures[1].std()
