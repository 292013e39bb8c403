"""Fitted power laws against SciPy and exact laws; each check on data that fulfil its statement, and that do not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from descent.dynamics import width_checks as checks
from descent.kernels.neural_tangent_kernel import h_infinity, h_patterns
from descent.networks.two_layer import activation_patterns

RNG = np.random.default_rng(3)
WIDTHS = np.repeat([32, 128, 512, 2048, 8192], 6)
X = RNG.standard_normal((9, 4))
X /= np.linalg.norm(X, axis=1, keepdims=True)


def law(exponent: float, scatter: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    return WIDTHS, 0.7 * WIDTHS**exponent * np.exp(scatter * RNG.standard_normal(len(WIDTHS)))


def test_the_fit_agrees_with_scipy():
    widths, values = law(-0.5)
    found, expected = checks.power_law(widths, values), stats.linregress(np.log(widths), np.log(values))
    margin = stats.t.ppf(0.975, len(widths) - 2) * expected.stderr
    assert found.exponent == pytest.approx(expected.slope)
    assert found.intercept == pytest.approx(expected.intercept)
    assert (found.low, found.high) == pytest.approx((expected.slope - margin, expected.slope + margin))


@given(st.floats(-2, 2), st.floats(-5, 5))
def test_an_exact_law_is_found_exactly(exponent, level):
    found = checks.power_law(WIDTHS, np.exp(level) * WIDTHS**exponent)
    assert found.exponent == pytest.approx(exponent, abs=1e-9)
    assert found.intercept == pytest.approx(level, abs=1e-8)


def test_the_interval_has_its_coverage():
    hits = [checks.power_law(*law(-0.5)) for _ in range(400)]
    covered = sum(fit.low <= -0.5 <= fit.high for fit in hits)
    assert stats.binomtest(covered, 400, 0.95).pvalue > 1e-4


def test_the_band_is_narrowest_in_the_middle_and_known_there():
    widths, values = law(-0.5)
    middle = np.exp(np.mean(np.log(widths)))
    line, low, high = checks.law_band(widths, values, np.array([32.0, middle, 8192.0]))
    fit = np.polyval(np.polyfit(np.log(widths), np.log(values), 1), np.log(widths))
    spread = np.sqrt(np.sum((np.log(values) - fit) ** 2) / (len(widths) - 2))
    margin = stats.t.ppf(0.975, len(widths) - 2) * spread / np.sqrt(len(widths))
    assert np.log(high / line)[1] == pytest.approx(margin)
    assert np.log(line / low) == pytest.approx(np.log(high / line))
    assert np.log(high / line)[1] < np.log(high / line)[[0, 2]].min()


def test_values_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        checks.power_law(WIDTHS, np.zeros(len(WIDTHS)))


@pytest.mark.parametrize(("exponents", "scatter", "holds"), [
    ((-0.5, -0.48), 0.1, True), ((-0.5, -0.35), 0.1, False), ((-0.5, -1.0), 0.1, False), ((-0.5, -0.5), 2.0, False),
])
def test_every_interval_must_be_within(exponents, scatter, holds):
    series = [law(exponent, scatter) for exponent in exponents]
    assert checks.exponent_within(series, -0.5, -0.5, 0.1).holds is holds


def test_an_exponent_between_two():
    assert checks.exponent_within([law(-0.6)], -0.75, -0.5, 0.1).holds
    assert not checks.exponent_within([law(-0.6)], -1.0, -1.0, 0.1).holds
    assert checks.exponent_within([law(-0.6)], -0.75, -0.5, 0.1).observed < 0


def test_closer_with_width():
    assert checks.closer_with_width([law(-0.5), law(-0.2)]).holds
    assert not checks.closer_with_width([law(-0.5), law(-0.2)], rotation=1).holds
    assert not checks.closer_with_width([law(0.0)]).holds


def test_not_too_many_widths_are_permuted():
    widths = np.tile(2 ** np.arange(2, 18), 3)
    assert checks.closer_with_width([(widths, widths**-0.5)]).cases == 3 * 6
    assert checks.closer_with_width([(widths, widths**-0.5)]).holds


def test_by_width_keeps_the_order_of_replicates():
    np.testing.assert_array_equal(checks.by_width(np.array([8, 4, 8, 4]), np.array([1, 2, 3, 4])), [[2, 4], [1, 3]])


def fluctuations(width: int, count: int) -> np.ndarray:
    grams = (h_patterns(X, activation_patterns(RNG.standard_normal((width, 4)), X)) for _ in range(count))
    return np.array([width * np.sum((gram - h_infinity(X)) ** 2) for gram in grams])


def test_squared_fluctuation_is_the_mean_square_distance():
    for width in (8, 64):
        samples = fluctuations(width, 4000)
        error = samples.std(ddof=1) / np.sqrt(len(samples))
        assert abs(samples.mean() - checks.squared_fluctuation(X)) < 4.5 * error


def test_fluctuation_agrees_notices_the_missing_factor():
    samples = [fluctuations(16, 300)]
    assert checks.fluctuation_agrees([X], samples, True).holds
    assert not checks.fluctuation_agrees([X], samples, False).holds


def stepped(exponents: dict[float, float]) -> dict[str, np.ndarray]:
    widths = np.tile([10, 100, 1000], len(exponents))
    sizes = np.repeat(list(exponents), 3)
    return {"width": widths, "step_size": sizes, "deviation": widths ** np.array([exponents[eta] for eta in sizes])}


def test_the_step_must_not_change_the_exponent():
    assert checks.step_does_not_matter([stepped({0.1: -0.5, 0.05: -0.505, 0.025: -0.51})], "deviation", 0.02).holds
    assert not checks.step_does_not_matter([stepped({0.1: -0.5, 0.05: -0.5, 0.025: -0.45})], "deviation", 0.02).holds
    assert checks.step_exponents(stepped({0.05: -0.4, 0.1: -0.5}), "deviation") == pytest.approx([-0.5, -0.4])
    assert checks.step_changes(stepped({0.1: -0.5, 0.05: -0.4}), "deviation") == pytest.approx([0.1 * np.log(1000)])
