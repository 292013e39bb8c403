"""The documents: complete in themselves, the same everywhere, and strict about what they are made from."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from descent.report.stages import EARLY, SCRIPTS
from descent.report.templates import ReportError
from descent.report.tools import pdf_engine
from tests.report.small import CHECKOUT, SECTION, SmallReport

DOCUMENTS = ("report_source", "report_html", "report_tex", "report_pdf")


class Links(HTMLParser):
    """What a page loads, where it links to, and its ids."""

    def __init__(self, page: str):
        super().__init__()
        self.loaded, self.targets, self.ids = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        self.loaded += [names[name] for name in ("src", "srcset", "data", "poster") if name in names]
        self.loaded += [names["href"]] if tag == "link" else []
        self.targets += [names["href"][1:]] if tag == "a" and names.get("href", "").startswith("#") else []
        self.ids += [names["id"]] if "id" in names else []


def pdf_text(path) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext to read the PDF with")
    return subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True).stdout


def test_the_page_loads_nothing(finished):
    page = finished[1]["html"].read_text("utf-8")
    assert [url for url in Links(page).loaded if not url.startswith("data:")] == []
    styles = "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))
    assert [url for url in re.findall(r"url\(['\"]?([^'\")]*)", styles) if not url.startswith("data:")] == []
    assert "@import" not in styles
    assert re.search(r"<script[^>]*\ssrc", page) is None


def test_the_page_inlines_its_scripts_in_order(finished):
    page = finished[1]["html"].read_text("utf-8")
    texts = [(CHECKOUT / path).read_text("utf-8") for path in (EARLY, *SCRIPTS)]
    assert re.findall(r"<script>\n(.*?)</script>", page, re.DOTALL) == texts
    assert page.index(texts[0]) < page.index("</head>") < page.index("</main>") < page.index(texts[1])


def test_a_script_that_would_end_itself_stops_the_page(tmp_path):
    report = SmallReport(tmp_path).write()
    (tmp_path / SCRIPTS[0]).write_text('"</SCRIPT>"')
    with pytest.raises(ReportError, match="would end or hide the script"):
        report.make("ledger", "report_source", "report_html")


def test_the_page_s_links_and_ids_are_sound(finished):
    links = Links(finished[1]["html"].read_text("utf-8"))
    assert set(links.targets) <= set(links.ids)
    assert {"fig-bowl-loss", "tbl-bowl", "eq-step", "sec-bowl", "thm-h-infinity", "claim-bowl.1"} <= set(links.targets)
    assert len(set(links.ids)) == len(links.ids)


def test_the_page_shows_formulas_figures_and_fonts(finished):
    page = finished[1]["html"].read_text("utf-8")
    assert 'class="math' not in page
    assert len(re.findall(r'<figure[^>]*>\s*<div class="figure-frame"><svg', page)) == 1
    assert page.count('src: url("data:font/woff') == 5
    assert re.search(r'<svg[^>]*aria-label="A falling curve"', page)


def test_numbers_are_the_same_in_all_formats(finished):
    report, made = finished
    page = made["html"].read_text("utf-8")
    for text in ("Figure\u00a01", "Table\u00a02", "Section\u00a01", "Theorem\u00a01", "Part\u00a0I"):
        assert text in page
    text = " ".join(pdf_text(made["pdf"]).split())
    assert "See (1), Figure 1, Table 2 and Section 1" in text.replace("\u00a0", " ")
    assert "Part I Gradient descent from the ground up" in text.replace("\u00a0", " ")


def test_prose_is_filled_in(finished):
    page = re.sub("<[^>]*>", "", finished[1]["html"].read_text("utf-8"))
    assert "bowl.1: holds, with 12 samples" in " ".join(page.split())
    assert "1,000" in page
    assert "master seed is 7" in " ".join(page.split())


def test_a_preview_says_so_on_every_page(finished):
    report, made = finished
    assert 'class="preview"' in made["html"].read_text("utf-8")
    assert "\\fancyhead[R]{\\previewed}" in made["tex"].read_text("utf-8")
    pages = pdf_text(made["pdf"]).split("\f")[:-1]
    assert len(pages) > 2
    assert all("Preview: small sizes" in page for page in pages)


def test_a_full_report_says_nothing_of_previews(tmp_path):
    made = SmallReport(tmp_path).write().make("ledger", *DOCUMENTS)
    for name in ("source", "html", "tex"):
        text = made[name].read_text("utf-8")
        assert "review:" not in re.sub("preview: false", "", text.split("</head>")[-1]), name
    assert "Preview" not in pdf_text(made["pdf"])


def test_the_same_bytes_in_another_folder_and_environment(finished, tmp_path, monkeypatch):
    report, made = finished
    home = tmp_path / "home"
    (home / ".pandoc").mkdir(parents=True)
    (home / ".pandoc" / "default.html5").write_text("mine")
    for name, value in {"HOME": str(home), "LC_ALL": "C", "TZ": "Asia/Tokyo", "SOURCE_DATE_EPOCH": "1"}.items():
        monkeypatch.setenv(name, value)
    again = SmallReport(tmp_path, preview=True).write().make()
    assert {name: path.read_bytes() for name, path in made.items()} == {
        name: path.read_bytes() for name, path in again.items()}


def test_html_and_tex_do_not_know_the_engine(tmp_path):
    stages = {engine: SmallReport(tmp_path, engine=engine).stages()[:4] for engine in ("latex", "typst")}
    assert stages["latex"] == stages["typst"]


@pytest.mark.skipif(pdf_engine("auto") != "latex", reason="needs LaTeX")
def test_latex_makes_the_same_pdf_twice_and_says_so(finished, tmp_path):
    made = [SmallReport(root, engine="latex", preview=True).write().make("ledger", *DOCUMENTS)["pdf"]
            for root in (tmp_path / "a", tmp_path / "b b")]
    assert made[0].read_bytes() == made[1].read_bytes()
    text = pdf_text(made[0])
    assert "typeset by pdf" in text
    assert all("Preview: small sizes" in page for page in text.split("\f")[:-1])
    assert "See (1), Figure 1, Table 2 and Section 1" in " ".join(text.split())


def test_the_pdf_names_typst(finished):
    assert "typeset by Typst" in pdf_text(finished[1]["pdf"])


@pytest.mark.parametrize(("extra", "complaint"), [
    ("See @fig-nowhere.", 'unresolved reference @fig-nowhere (in "Descent on a bowl")'),
    ("See @eq-nowhere.", "unresolved reference @eq-nowhere"),
    ("See [here](#nowhere).", "a link to #nowhere, which is nowhere"),
    ("As [@nobody2000] said.", "citation nobody2000 not found"),
    ("$\\nosuchmacro{x}$", "nosuchmacro"),
    ("## Again {#sec-bowl}", "the id #sec-bowl is used twice"),
    ('![A](../bowl/figures/none){#fig-none alt="x"}', "none.svg"),
])
def test_a_fault_in_the_text_stops_the_page(tmp_path, extra, complaint):
    report = SmallReport(tmp_path).write(f"{SECTION}\n{extra}\n")
    with pytest.raises(ReportError) as caught:
        report.make("ledger", "report_source", "report_html")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rule", ["report_tex", "report_pdf"])
def test_an_unknown_reference_stops_the_other_formats(tmp_path, rule):
    report = SmallReport(tmp_path).write(f"{SECTION}\nSee @tbl-nowhere.\n")
    with pytest.raises(ReportError, match="unresolved reference @tbl-nowhere"):
        report.make("ledger", "report_source", rule)
