"""Parts of the report for other pages: each its own, or nothing."""

from descent.claims import write_claims
from descent.report.captions import Captions
from tests.report.test_assembly import row


def test_what_the_page_lacks_has_no_caption_and_no_cells(tmp_path):
    page, source, ledger = (tmp_path / name for name in ("page.html", "source.md", "claims.parquet"))
    page.write_text('<figure id="fig-b"><figcaption>The <a href="#x">second</a>.</figcaption></figure>'
                    '<table><tr><td id="claim-tau.2">Two</td></tr></table>')
    source.write_text("![A](../s/figures/a){#fig-a}\n\n![B](../s/figures/b){#fig-b}\n")
    write_claims(ledger, [row(id="tau.1"), row(id="tau.2"), row(id="tau.3", form="erratum", verdict="refuted")])
    captions = Captions(page, source, ledger)
    assert [captions.figure("s", name) for name in "abc"] == ["", "The second.", ""]
    assert captions.rows(captions.claims) == "<tr><td>tau.1</td></tr> <tr><td>Two</td></tr> <tr><td>tau.3</td></tr>"
    assert captions.verdicts == {"holds": 2}
