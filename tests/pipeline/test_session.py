"""What a run says at its end."""

import os

from descent.pipeline.session import size_warning


def test_a_page_that_is_too_large_to_be_sent_is_told_of(tmp_path):
    page = tmp_path / "report.html"
    page.touch()
    os.truncate(page, 6_000_000)
    assert size_warning(page) == ""
    os.truncate(page, 6_450_000)
    assert size_warning(page) == f"descent: warning: {page}: has 6.5 MB; mail and hand-in forms may refuse it\n"
