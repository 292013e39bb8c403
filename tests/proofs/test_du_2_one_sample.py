"""The formulas of report/proofs/du.2.one_sample.md: exact flows on one sample, descent with a tiny step, and limits."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from tests.proofs.exact_instances import fractions, relu, signs

SEEDS = st.integers(0, 2**32 - 1)


def path_integral(tau, z, active, stopping):
    """F(tau): each active unit counts until it stops."""
    return sum((min(tau, zk) if stops else tau for zk, is_active, stops in zip(z, active, stopping, strict=True)
                if is_active), start=0 * tau)


@given(SEEDS, st.integers(1, 3))
@settings(max_examples=10)
def test_flow_on_one_sample(seed, root):
    """The path of the proof, in fractions: its residual, from the definition of the network, is what it says."""
    rng = np.random.default_rng(seed)
    m, y = root**2, fractions(rng, 1)[0]
    z, a = fractions(rng, m), signs(rng, m)
    first = a @ relu(z) / root - y
    if first == 0 or (z == 0).any():
        return
    sign = 1 if first > 0 else -1
    active, stopping = z > 0, a * sign > 0
    levels = [abs(value) / 3 for value in fractions(rng, 3) if value] + [zk for zk in z if zk > 0]
    for tau in levels:
        f = path_integral(tau, z, active, stopping)
        fall = np.where(stopping, np.where(z < tau, z, tau), -tau)
        moved = np.where(active, z - fall, z)
        assert (relu(moved) - relu(z)) @ a / root == -sign * f / root
        assert abs(first) - f / root == sign * (a @ relu(moved) / root - y)
        step = tau / 10**6
        slope = (path_integral(tau, z, active, stopping) - path_integral(tau - step, z, active, stopping)) / step
        assert slope == active.sum() - (active & stopping & (z < tau)).sum()
        assert slope == (moved > 0).sum() + (active & stopping & (z == tau)).sum()


STEP = 2e-3


def descent(z, a, y, step, time):
    """Residuals and fractions of active units of gradient descent on one sample."""
    r, h, path = [], [], [0.0]
    for _ in range(int(time / step)):
        active = z > 0
        r.append(a @ np.maximum(z, 0) / np.sqrt(len(a)) - y)
        h.append(active.mean())
        path.append(path[-1] + step * abs(r[-1]) / np.sqrt(len(a)))
        z = z - step * a * r[-1] * active / np.sqrt(len(a))
    return np.array(r), np.array(h), np.array(path[:-1])


@cache
def followed(seed):
    rng = np.random.default_rng(seed)
    z, a = rng.standard_normal(25), rng.choice([-1.0, 1.0], 25)
    return z, a, *descent(z, a, 1.0, STEP, 4.0)


@pytest.mark.parametrize("seed", [0, 1])
def test_residual_is_the_exponential_of_the_kernel(seed):
    """Descent approaches the flow at the order of its step: where F and H are compared, and the residual."""
    z, a, r, h, path = followed(seed)
    assert abs(r) == pytest.approx(abs(r[0]) * np.exp(-STEP * (np.cumsum(h) - h)), abs=STEP * abs(r[0]))
    active, stopping = z > 0, a * r[0] > 0
    for k in (0, 100, 500, 1900):
        exact = abs(r[0]) - path_integral(path[k], z, active, stopping) / 5
        assert abs(r[k]) == pytest.approx(exact, abs=STEP * abs(r[0]))
    assert (np.diff(h) <= 0).all()


def stops_and_times(z, a, first):
    """Errors and times of the exact flow at which units stop: in between |r| falls at the rate H."""
    m, sign = len(a), np.sign(first)
    active = int((z > 0).sum())
    stops = np.sort(z[(z > 0) & (a * sign > 0)])
    error, time, tau, table = abs(first), 0.0, 0.0, []
    for tau_next in stops:
        fallen = error - active * (tau_next - tau) / np.sqrt(m)
        if fallen <= 0 or active == 0:
            break
        time += np.log(error / fallen) * m / active
        error, tau, active = fallen, tau_next, active - 1
        table.append((error, time))
    if active:
        table += [(error * np.exp(-active / m * t), time + t) for t in (0.1, 1.0, 10.0)]
    return table


def test_printed_rate_fails_from_the_start():
    rng, seen = np.random.default_rng(0), 0
    for _ in range(200):
        m = int(rng.integers(3, 40))
        z, a = rng.standard_normal(m), rng.choice([-1.0, 1.0], m)
        first = a @ np.maximum(z, 0) / np.sqrt(m) - 1.0
        if np.sum(z > 0) < m / 2:
            seen += 1
            assert all(error > np.exp(-time / 2) * abs(first) for error, time in stops_and_times(z, a, first))
    assert seen > 50


# many Gaussian starts of one width

WIDTH, STARTS, LABEL = 2500, 2000, 1.0


@cache
def starts():
    """Of each start: S, |r(0)|, whether H ends below 1/2, F(q) against sqrt(m)|r(0)|, the integral of D, D at the end.

    The path ends beyond a stop exactly if F is there below sqrt(m) |r(0)|.
    """
    rng, rows, root = np.random.default_rng(7), [], np.sqrt(WIDTH)
    for _ in range(STARTS):
        z = rng.standard_normal(WIDTH)
        positive, z = np.split(z[z > 0], [rng.binomial((z > 0).sum(), 0.5)])
        first = (positive.sum() - z.sum()) / root - LABEL
        count, level = len(positive) + len(z), root * abs(first)
        stops = positive if first > 0 else z
        stops = np.sort(stops[stops < 20 * abs(first) / root])  # ten times as far as the path goes
        # F at the j-th stop: those before have stopped, all others have not
        f = np.cumsum(stops) + (count - 1 - np.arange(len(stops))) * stops
        passed = int((f < level).sum())
        q = 2 * abs(first) / root
        overlap = np.maximum(q - stops, 0).sum()
        rows.append(((count - WIDTH / 2) / (root / 2), abs(first), count - passed < WIDTH / 2,
                     count * q - overlap < level, overlap, passed))
    return [np.array(column) for column in zip(*rows, strict=True)]


def limit(factor):
    """E Phi(factor |g - y| / sqrt(2 pi)) for g ~ N(0, 1/2)."""
    return quad(lambda g: norm.pdf(g, scale=np.sqrt(0.5)) * norm.cdf(factor * abs(g - LABEL) / np.sqrt(2 * np.pi)),
                -6, 6, points=[LABEL])[0]


def test_limits_of_both_probabilities():
    """Within four standard errors and 1/sqrt(m), the order of the bias; the limits are 0.77 and 0.66."""
    _, error, rate_fails, radius_fails, _, _ = starts()
    tolerance = 4 * np.sqrt(0.25 / STARTS) + 1 / np.sqrt(WIDTH)
    assert rate_fails.mean() == pytest.approx(limit(2), abs=tolerance)
    assert radius_fails.mean() == pytest.approx(limit(1), abs=tolerance)
    assert limit(2) - limit(1) > tolerance
    # given |r(0)|, whose size decides: the smaller and the greater half of the starts
    for half in (error < np.median(error), error >= np.median(error)):
        for fails, factor in ((rate_fails, 2), (radius_fails, 1)):
            expected = norm.cdf(factor * error[half] / np.sqrt(2 * np.pi)).mean()
            assert fails[half].mean() == pytest.approx(expected, abs=tolerance * np.sqrt(2))


def test_number_of_units_that_stop():
    for m, q in ((10**4, 1.0), (10**6, 3.0)):
        mean = m / 2 * (norm.cdf(q / np.sqrt(m)) - 0.5)
        integral = m / (2 * np.sqrt(2 * np.pi)) * quad(lambda t: np.exp(-t * t / 2), 0, q / np.sqrt(m))[0]
        assert mean == pytest.approx(integral, rel=1e-9)
        assert mean == pytest.approx(np.sqrt(m) * q / (2 * np.sqrt(2 * np.pi)), rel=q**2 / (5 * m))
        assert mean != pytest.approx(np.sqrt(m) * q / (2 * np.sqrt(2 * np.pi)), rel=q**2 / (7 * m))
        draws = np.random.default_rng(0).binomial(m // 2, mean / (m / 2), 4000) / np.sqrt(m)
        assert draws.mean() == pytest.approx(q / (2 * np.sqrt(2 * np.pi)), abs=5 * draws.std() / np.sqrt(4000))
    _, error, _, _, _, passed = starts()
    assert passed.mean() / np.sqrt(WIDTH) == pytest.approx(error.mean() / np.sqrt(2 * np.pi), rel=0.05)


def test_joint_characteristic_function():
    """One unit's factor from its definition, and its m-th power, which tends to the product of two normal ones."""
    p, t = 0.7, 1.3
    for m in (10, 10**4, 10**8):
        unit = quad(lambda z, m=m: norm.pdf(z) * np.cos(t * z / np.sqrt(m)), 0, np.inf)[0]
        assert unit == pytest.approx(0.5 * np.exp(-t**2 / (2 * m)), rel=1e-9)
    closed = {m: (0.5 * np.exp(-1j * p / np.sqrt(m)) + 0.5 * np.exp(1j * p / np.sqrt(m) - t**2 / (2 * m)))**m
              for m in (10, 10**4, 10**8)}
    counts = np.arange(11)
    binomial = np.exp(1j * p * (2 * counts - 10) / np.sqrt(10) - t**2 * counts / 20) @ (
        np.array([1, 10, 45, 120, 210, 252, 210, 120, 45, 10, 1]) / 2**10)
    assert closed[10] == pytest.approx(binomial, rel=1e-12)
    assert closed[10**8] == pytest.approx(np.exp(-p**2 / 2) * np.exp(-t**2 / 4), rel=1e-3)


def test_second_condition():
    """F(q) < sqrt(m) |r(0)| says S |r(0)| < the integral of D, start by start; that is near r(0)^2 / sqrt(2 pi)."""
    s, error, _, radius_fails, overlap, _ = starts()
    assert (radius_fails == (s * error < overlap)).all()
    q = 2 * error
    assert quad(lambda level: level / (2 * np.sqrt(2 * np.pi)), 0, q[0])[0] == pytest.approx(
        error[0] ** 2 / np.sqrt(2 * np.pi), rel=1e-9)
    assert overlap.mean() == pytest.approx((error**2).mean() / np.sqrt(2 * np.pi), rel=0.05)
