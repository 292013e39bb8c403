"""Formulas of the page: smaller than pandoc's, and the same to a browser."""

import pytest

from descent.report.markup import legible_formulas


@pytest.mark.parametrize(("written", "legible"), [
    ('<math><mrow><mo stretchy="false" form="prefix">(</mo><mi>x</mi><mo stretchy="false" form="postfix">)</mo></mrow>'
     '</math>', '<math><mo stretchy="false">(</mo><mi>x</mi><mo stretchy="false">)</mo></math>'),
    ('<math><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></math>',
     '<math><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></math>'),
    ('<math><mo stretchy="false" form="prefix">|</mo></math>',
     '<math><mo stretchy="false" form="prefix">|</mo></math>'),
    ('<p>(<math><mi>x</mi></math>, of <math><mi>y</mi></math></p>',
     '<p><span class="joined">(<math><mi>x</mi></math>,</span> of <math><mi>y</mi></math></p>'),
])
def test_formulas_keep_what_browsers_need(written, legible):
    assert legible_formulas(written) == legible
