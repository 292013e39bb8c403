"""The counterexamples by hand: every number of the report's table, typed here once from a calculation on paper."""

from fractions import Fraction

import numpy as np
import pytest

from descent.bounds.exact_counterexamples import counterexamples, tex

PAPER = {
    "tau.2.3.exact_printed": r"\varphi'' = 1$",
    "tau.4.2.exact_printed": r"more than $53$, while $\sqrt{\epsilon t} = \sqrt{8}$",
    "du.2.exact_scanned": r"$2 \le \sqrt{2}$",
    "du.2.exact_rate_printed": r"H = \frac{1}{4} = \lambda_0/2",
    "du.2.exact_radius_printed": "2 times the printed radius",
    "du.3.exact_printed": "the left side is $-2$ for $i = 1$, the right one $-1$ for $j = 1$ and $-1$ for $j = 2$",
    "eth.1b.exact_printed": r"$W_1^\top W_1 = \begin{pmatrix} 1 & 0 \\ 0 & 4 \end{pmatrix}$",
    "eth.1c.exact_printed": r"$\Sigma = \begin{pmatrix} 2 & 0 \\ 0 & 1 \end{pmatrix}$ has $U_1 = I$",
    "eth.1d.exact_printed": r"gives $\begin{pmatrix} \frac{1}{2} & 0 \\ 0 & 1 \end{pmatrix}$",
    "eth.2c.exact_printed": r"$\frac{1}{2} \le 0$",
    "snu.3.exact_printed": r"$-\frac{1}{2}, -\frac{3}{4}, -\frac{7}{8}, \dots$",
}


def test_the_table_is_that_on_paper():
    shown = {row["id"]: row["shown"] for row in counterexamples(np.random.default_rng(0))}
    assert shown.keys() == PAPER.keys()
    assert [id for id, text in PAPER.items() if text not in shown[id]] == []


def test_the_examples_do_not_depend_on_the_draws():
    assert counterexamples(np.random.default_rng(1)) == counterexamples(np.random.default_rng(2))


def test_the_sequence_of_the_growing_error_on_paper():
    # e^4 = 54.6 and e^-4 < 1, against C sqrt(8) for C = 2.
    assert np.exp(4) - np.exp(-4) > 53
    assert 2 * np.sqrt(8) < 53


@pytest.mark.parametrize(("value", "expected"), [
    (3, "3"), (Fraction(-2, 4), r"-\frac{1}{2}"), ([1, Fraction(1, 3)], r"\left(1, \frac{1}{3}\right)"),
    ([[1, 0], [0, -1]], r"\begin{pmatrix} 1 & 0 \\ 0 & -1 \end{pmatrix}"),
])
def test_tex(value, expected):
    assert tex(value) == expected
