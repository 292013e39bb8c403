"""Numbers as the reader sees them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descent.report.formatting import integer, num, num_math, pct


@pytest.mark.parametrize(("value", "digits", "text"), [
    (0.01234, 3, "0.0123"), (12345.6, 3, "12,300"), (12345.6, 6, "12,345.6"), (1.0, 3, "1"), (0.9996, 3, "1"),
    (0, 2, "0"),
    (99999.6, 5, "$1 \\times 10^{5}$"), (1.2345e-7, 3, "$1.23 \\times 10^{-7}$"), (-0.5, 2, "$-0.5$"), (None, 3, "–"),
    (1e21, 2, "$1 \\times 10^{21}$"), (0.001, 1, "0.001"), (100, 1, "100"),
])
def test_num(value, digits, text):
    assert num(value, digits) == text


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300), st.integers(1, 12))
def test_num_math_says_the_number_to_its_digits(value, digits):
    text = num_math(value, digits).replace("{,}", "").replace(" \\times 10^{", "e").replace("}", "")
    assert math.isclose(float(text), value, rel_tol=5.01 * 10.0**-digits, abs_tol=1e-320)


@pytest.mark.parametrize("wrong", [True, "1", [1]])
def test_only_numbers(wrong):
    for function in (num, pct, integer):
        with pytest.raises(TypeError, match="is not a number"):
            function(wrong)


def test_only_finite_numbers():
    with pytest.raises(ValueError, match="not finite"):
        num(math.nan)
    with pytest.raises(ValueError, match="not a whole number"):
        integer(0.5)


def test_percentages_and_whole_numbers():
    assert (pct(0.1234), pct(-0.5, 0), pct(None)) == ("12.3%", "−50%", "–")
    assert (integer(1234567), integer(-3.0), integer(None)) == ("1,234,567", "−3", "–")
