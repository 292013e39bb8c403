"""Formulas of the page: smaller than pandoc's, and the same to a browser."""

import pytest

from descent.report.markup import legible_formulas, plain_tables


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


@pytest.mark.parametrize(("content", "written"), [
    ("width", '<th scope="col">width</th>'),
    ("", "<td></td>"),
    ("<math><mi>α</mi></math>", '<th scope="col"><math aria-label="α"><mi>α</mi></math></th>'),
    ("<math><mi>α</mi></math> on top", '<th scope="col"><math><mi>α</mi></math> on top</th>'),
])
def test_heads_of_columns_have_a_name(content, written):
    assert plain_tables(f'<tr><th style="text-align: left;">{content}</th></tr>') == f"<tr>{written}</tr>"


@pytest.mark.parametrize(("formula", "name"), [
    ("<mfrac><mrow><mn>2</mn><mi>β</mi></mrow><msup><mi>ϵ</mi><mn>2</mn></msup></mfrac>", "2β/ϵ^2"),
    ("<mfrac><mn>1</mn><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow></mfrac>", "1/(a+b)"),
    ("<msqrt><mi>n</mi></msqrt><msub><mi>λ</mi><mrow><mi>min</mi><mo>\u2061</mo></mrow></msub>", "√(n)λ_min"),
    ("<mi>a</mi></math>, <math><mi>b</mi>", "b"),
])
def test_the_name_of_a_formula_stands_on_one_line(formula, name):
    assert f'aria-label="{name}"' in plain_tables(f"<th><math>{formula}</math></th>")
