"""`snakemake --report`: every figure once with its caption and claims, no warning, and nothing that is stale."""

import json
import re
from html import unescape

from descent.claims import read_claims
from descent.pipeline import discovery
from descent.report.captions import Captions
from descent.report.stages import LEDGER, REPORT, SOURCE
from tests.laboratory import fresh_checkout

PAGE = "results/workflow.html"


def shown(laboratory) -> dict[str, dict]:
    text = laboratory.path(PAGE).read_text("utf-8")
    return json.loads(re.search(r'<script id="results">\s*var results = (.*?);\s*</script>', text, re.DOTALL)[1])


def test_the_page_shows_all_figures_with_their_captions(laboratory):
    done = laboratory.snakemake("--report", PAGE)
    said = done.stdout + done.stderr
    assert [line for line in said.splitlines() if "warning" in line.lower() or "error" in line.lower()] == []
    results = shown(laboratory)
    figures = {str(path.relative_to(laboratory.root)) for path in laboratory.root.glob("results/*/figures/*.svg")}
    assert results.keys() == {*figures, REPORT["html"], "results/claims.html", "results/claims.csv"}
    for path in figures:
        assert re.search(r"Figure\s\d+", unescape(results[path]["caption"]))
        assert results[path]["labels"]["format"] == "SVG"
    for claim in read_claims(laboratory.path(LEDGER)):
        if claim.figure:
            study, name = claim.figure.split("/")
            caption = re.sub(r"<[^>]*>", "", results[f"results/{study}/figures/{name}.svg"]["caption"])
            assert claim.id in caption
            assert claim.verdict in caption


def test_titles_of_studies_differ_before_the_colon():
    titles = [discovery.load("studies", name).TITLE.partition(":")[0] for name in discovery.module_names("studies")]
    assert len(set(titles)) == len(titles)


def test_a_page_of_what_is_missing_or_stale_is_refused_in_one_line(laboratory, tmp_path):
    table = laboratory.path(LEDGER)
    original = table.read_bytes()
    table.write_bytes(original[:100])
    for place, name in ((laboratory, LEDGER), (fresh_checkout(tmp_path / "fresh"), "results/claims.csv")):
        done = place.snakemake("--report", PAGE, check=False)
        assert done.returncode != 0
        line, = [line for line in done.stderr.splitlines() if line.startswith("descent: ")]
        assert line.startswith(f"descent: {name}: missing or stale")
        assert "Traceback" not in done.stderr
        assert not place.path(PAGE).exists()
    assert table.read_bytes() == original[:100]


def test_captions_are_those_of_the_report(smoke):
    captions = Captions(*map(smoke.path, (REPORT["html"], SOURCE, LEDGER)))
    caption = captions.figure("planted_relu", "width")
    assert re.match(r"Figure\s\d+\. [A-Z]", caption)
    assert "href" not in caption
    assert captions.figure("planted_relu", "unheard_of") == ""
    rows = captions.rows(captions.claims)
    assert rows.count("<tr>") == len(captions.claims)
    assert max(map(len, rows.splitlines())) < 10_000
