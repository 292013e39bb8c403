"""The bounds of tau.4.2 against each other and against numerical maxima."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descent.bounds import perturbed_kernel as bounds

positive = st.floats(1e-3, 50)


@given(positive, positive, positive)
def test_bounds_are_in_their_order(time, epsilon, rate):
    linear = bounds.linear_bound(time, epsilon)
    saturating = bounds.saturating_bound(time, epsilon, rate)
    assert saturating <= min(linear, epsilon / rate) * (1 + 1e-12)
    assert min(linear, 2) <= np.sqrt(2) * bounds.square_root_bound(time, epsilon) * (1 + 1e-12)
    if epsilon <= rate:
        assert bounds.growth_bound(time, epsilon, rate) <= saturating * (1 + 1e-9)


@pytest.mark.parametrize("ratio", [1e-6, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_worst_case_is_the_maximum_over_time(ratio):
    times = -np.log1p(-ratio) / ratio * np.linspace(0.5, 1.5, 20001)
    assert bounds.worst_case(ratio) == pytest.approx(bounds.growth_bound(times, ratio, 1.0).max(), rel=1e-8)


def test_limits_of_the_worst_case():
    assert bounds.worst_case(1e-9) == pytest.approx(1e-9 / np.e, rel=1e-6)
    assert bounds.worst_case(1 - 1e-12) == pytest.approx(1, abs=1e-9)
    assert bounds.worst_case(0.5) == pytest.approx(0.25)
