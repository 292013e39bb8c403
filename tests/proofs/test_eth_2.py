"""The formulas of report/proofs/eth.2-linearization.md for softplus, tanh and z^2/2."""

from itertools import product

import numpy as np
import pytest
from scipy.integrate import quad

ROUNDING = 1e-12  # relative to numbers of order one


def softplus(z):
    return np.log(1 + np.exp(z))


def logistic(z):
    return 1 / (1 + np.exp(-z))


# sigma, sigma', sigma'', beta = max |sigma''|, gamma = max |sigma'''|, a place where |sigma''| = beta
ACTIVATIONS = {
    "softplus": (softplus, logistic, lambda z: logistic(z) * logistic(-z), 1 / 4, np.sqrt(3) / 18, 0.0),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2, lambda z: -2 * np.tanh(z) * (1 - np.tanh(z) ** 2),
             4 / (3 * np.sqrt(3)), 2.0, np.arctanh(1 / np.sqrt(3))),
    "half square": (lambda z: z * z / 2, lambda z: z, lambda z: 1 + 0 * z, 1.0, 0.0, 0.3),
}
each_activation = pytest.mark.parametrize("name", ACTIVATIONS)


def network(name, w, a, x):
    return a @ ACTIVATIONS[name][0](w @ x) / np.sqrt(len(a))


def gradient(name, w, a, x):
    """The derivative by every entry with a complex step, which has no cancellation."""
    found = np.empty(w.shape)
    for j, k in product(*map(range, w.shape)):
        moved = w.astype(complex)
        moved[j, k] += 1e-30j
        found[j, k] = network(name, moved, a, x).imag / 1e-30
    return found


def linearized(name, w, w0, a, x):
    return network(name, w0, a, x) + np.sum(gradient(name, w0, a, x) * (w - w0))


def drawn(seed, m=5, d=3):
    rng = np.random.default_rng(seed)
    return rng, rng.standard_normal((m, d)), rng.choice([-1.0, 1.0], m), rng.standard_normal(d)


def test_constants_of_the_activations():
    z = np.linspace(-8, 8, 2001)
    for _, first, second, beta, gamma, place in ACTIVATIONS.values():
        assert beta * (1 - 1e-4) <= abs(second(z)).max() <= beta * (1 + ROUNDING)
        assert abs(second(place)) == pytest.approx(beta)
        assert abs(np.diff(second(z))).max() <= gamma * (z[1] - z[0]) * (1 + 1e-6)
        assert (first(z + 1e-30j).imag / 1e-30) == pytest.approx(second(z), abs=ROUNDING)


@each_activation
@pytest.mark.parametrize("seed", range(3))
def test_gradient_and_linearization(name, seed):
    sigma, first, *_ = ACTIVATIONS[name]
    rng, w0, a, x = drawn(seed)
    w, root = w0 + rng.standard_normal(w0.shape), np.sqrt(len(a))
    outer = np.diag(first(w0 @ x)) @ np.outer(a, x) / root
    assert outer == pytest.approx(gradient(name, w0, a, x), abs=ROUNDING)
    z = w0 @ x
    closed = a @ ((sigma(z) - first(z) * z) + first(z) * (w @ x)) / root
    assert closed == pytest.approx(linearized(name, w, w0, a, x), abs=ROUNDING)
    products = np.sum(gradient(name, w0, a, x) * (w - w0))
    assert products == pytest.approx(sum(a * first(z) * ((w - w0) @ x)) / root, abs=ROUNDING)
    assert products == pytest.approx(a @ (first(z) * (w @ x - z)) / root, abs=ROUNDING)


def test_printed_bound_fails_in_the_example_by_hand():
    def f(w):
        return w**2 / 2

    def f_0(w):
        return f(0) + 0 * (w - 0)

    beta, w, v = 1, 1, 1
    assert abs(f(w) - f_0(v)) == 0.5 > beta / 2 * (w - v) ** 2 == 0


@each_activation
def test_remainder_of_one_unit(name):
    sigma, first, _, beta, *_ = ACTIVATIONS[name]
    for z, delta in np.random.default_rng(0).uniform(-3, 3, (6, 2)):
        remainder = sigma(z + delta) - sigma(z) - first(z) * delta
        integral = quad(lambda s, z=z, delta=delta: (first(z + s * delta) - first(z)) * delta, 0, 1)[0]
        bound = quad(lambda s, delta=delta: beta * s * abs(delta) * abs(delta), 0, 1)[0]
        assert remainder == pytest.approx(integral, abs=ROUNDING)
        assert bound == pytest.approx(beta / 2 * delta**2, rel=ROUNDING)
        assert abs(remainder) <= beta / 2 * delta**2 * (1 + ROUNDING)


@each_activation
@pytest.mark.parametrize("scale", [0.1, 1.0, 4.0])
def test_linearization_bound(name, scale):
    sigma, first, _, beta, *_ = ACTIVATIONS[name]
    for seed in range(4):
        rng, w0, a, x = drawn(seed)
        w, root = w0 + scale * rng.standard_normal(w0.shape), np.sqrt(len(a))
        z, delta = w0 @ x, (w - w0) @ x
        remainders = sigma(z + delta) - sigma(z) - first(z) * delta
        gap = network(name, w, a, x) - linearized(name, w, w0, a, x)
        assert gap == pytest.approx(a @ remainders / root, abs=ROUNDING * (1 + scale**2) * 10)
        chain = [abs(gap), abs(remainders).sum() / root, beta / (2 * root) * (delta @ delta),
                 beta / (2 * root) * np.sum(np.sum((w - w0) ** 2, axis=1) * (x @ x)),
                 beta / (2 * root) * np.sum((w - w0) ** 2) * (x @ x)]
        assert (np.diff(chain) >= -ROUNDING * (1 + scale**2) * 10).all()


def test_equality_in_the_linearization_bound():
    """z^2/2: equality for rows along x and equal signs of what moves, and for nothing else."""
    rng, w0, a, x = drawn(0)

    def ratio(change, a):
        gap = abs(network("half square", w0 + change, a, x) - linearized("half square", w0 + change, w0, a, x))
        return gap / (np.sum(change**2) * (x @ x) / (2 * np.sqrt(len(a))))

    along = np.outer(rng.standard_normal(5), x)
    equal, mixed = np.ones(5), np.array([1.0, 1.0, -1.0, 1.0, 1.0])
    assert ratio(along, equal) == pytest.approx(1, rel=1e-10)
    assert ratio(along, mixed) < 0.99
    still = along.copy()
    still[2] = 0
    assert ratio(still, mixed) == pytest.approx(1, rel=1e-10)
    assert ratio(along + 0.3 * rng.standard_normal((5, 3)), equal) < 0.999


@each_activation
def test_constant_of_the_linearization_bound(name):
    sigma, first, second, beta, gamma, place = ACTIVATIONS[name]
    _, w0, a, x = drawn(1)
    w0[0] += (place - w0[0] @ x) * x / (x @ x)
    change = np.zeros_like(w0)
    change[0] = 1e-3 * x
    delta = 1e-3 * (x @ x)
    assert np.sum(change**2) * (x @ x) == pytest.approx(delta**2)
    gap = abs(network(name, w0 + change, a, x) - linearized(name, w0 + change, w0, a, x))
    ratio = gap / (beta / (2 * np.sqrt(len(a))) * delta**2)
    remainder = sigma(place + delta) - sigma(place) - first(place) * delta
    assert ratio == pytest.approx(2 * abs(remainder) / (beta * delta**2), rel=1e-5)
    assert ratio == pytest.approx(abs(second(place)) / beta, abs=gamma * delta / beta + 1e-5)


# training

def losses(name, w, a, x, y):
    """The loss of a batch and its gradient, by the formula that has been tested above."""
    sigma, first, *_ = ACTIVATIONS[name]
    r = a @ sigma(w @ x.T) / np.sqrt(len(a)) - y
    return r @ r / 2, a[:, None] / np.sqrt(len(a)) * (first(w @ x.T) * r) @ x


def batch(seed, m=20, n=4, d=3):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    x /= np.linalg.norm(x, axis=1)[:, None]
    return rng.standard_normal((m, d)), rng.choice([-1.0, 1.0], m), x, rng.standard_normal(n)


def gaps(name, w, w0, a, x):
    sigma, first, *_ = ACTIVATIONS[name]
    z, delta = w0 @ x.T, (w - w0) @ x.T
    return abs(a @ (sigma(z + delta) - sigma(z) - first(z) * delta)) / np.sqrt(len(a))


@each_activation
def test_training_by_flow(name):
    """Runge and Kutta's fourth-order steps; the integrals by the trapezoidal rule, of second order."""
    beta, step = ACTIVATIONS[name][3], 0.02
    w0, a, x, y = batch(0)
    w, start = w0, losses(name, w0, a, x, y)[0]
    length, square = 0.0, 0.0
    speed = np.linalg.norm(losses(name, w, a, x, y)[1])
    for k in range(1, 60):
        k1 = -losses(name, w, a, x, y)[1]
        k2 = -losses(name, w + step / 2 * k1, a, x, y)[1]
        k3 = -losses(name, w + step / 2 * k2, a, x, y)[1]
        k4 = -losses(name, w + step * k3, a, x, y)[1]
        w = w + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        loss, after = losses(name, w, a, x, y)
        length += step * (speed + np.linalg.norm(after)) / 2
        square += step * (speed**2 + np.sum(after**2)) / 2
        speed, t = np.linalg.norm(after), step * k
        assert square == pytest.approx(start - loss, rel=0.01)
        moved = np.linalg.norm(w - w0)
        assert moved**2 <= length**2 * 1.001
        assert length**2 <= t * square
        assert moved**2 <= t * (start - loss)
        if k == 1:  # where the path is nearly straight the bound is attained
            assert moved**2 == pytest.approx(t * (start - loss), rel=0.02)
        assert gaps(name, w, w0, a, x).max() <= beta * t * start / (2 * np.sqrt(len(a)))


@each_activation
def test_training_by_descent(name):
    beta, eta = ACTIVATIONS[name][3], 0.2
    w0, a, x, y = batch(1)
    w, norms, start = w0, [], losses(name, w0, a, x, y)[0]
    for k in range(1, 30):
        before, slope = losses(name, w, a, x, y)
        w = w - eta * slope
        loss = losses(name, w, a, x, y)[0]
        norms.append(np.linalg.norm(slope))
        assert before - loss >= eta / 2 * norms[-1] ** 2  # the hypothesis
        chain = [np.sum((w - w0) ** 2), (eta * sum(norms)) ** 2, eta * k * eta * sum(norm**2 for norm in norms),
                 2 * eta * k * (start - loss)]
        assert (np.diff(chain) >= -ROUNDING).all()
        assert gaps(name, w, w0, a, x).max() <= beta * eta * k * start / np.sqrt(len(a))


@each_activation
def test_mean_square_of_the_output(name):
    _, w0, _, x = drawn(2, m=6)
    mean = np.mean([network(name, w0, np.array(a), x) ** 2 for a in product((-1.0, 1.0), repeat=6)])
    assert mean == pytest.approx(np.mean(ACTIVATIONS[name][0](w0 @ x) ** 2), rel=ROUNDING)


def one_step(name, a, eta=0.7):
    """f(W_1) - f_0(W_1) at the first input, and b, sigma'' and gamma, the labels being counted from f(W_0)."""
    sigma, first, second, beta, gamma, _ = ACTIVATIONS[name]
    w0, _, x, y = batch(3, m=len(a))
    labels = a @ sigma(w0 @ x.T) / np.sqrt(len(a)) + y
    w1 = w0 - eta * losses(name, w0, a, x, labels)[1]
    z, delta = w0 @ x[0], (w1 - w0) @ x[0]
    gap = a @ (sigma(z + delta) - sigma(z) - first(z) * delta) / np.sqrt(len(a))
    b = eta * first(w0 @ x.T) @ (y * (x @ x[0]))
    return gap, b, second(z), delta, beta, gamma


@each_activation
def test_one_step(name):
    sigma, first, *_ = ACTIVATIONS[name]
    for seed in range(4):
        a = np.random.default_rng(seed).choice([-1.0, 1.0], 8)
        gap, b, curvature, delta, _, gamma = one_step(name, a)
        assert delta == pytest.approx(a * b / np.sqrt(8), abs=ROUNDING)
        main = a @ (curvature * b**2) / (2 * 8**1.5)
        rest = gamma / 6 * np.mean(abs(b) ** 3) / 8
        assert abs(gap - main) <= rest + ROUNDING
        z = batch(3, m=8)[0] @ batch(3, m=8)[2][0]
        rho = sigma(z + delta) - sigma(z) - first(z) * delta - curvature * delta**2 / 2
        assert gap == pytest.approx(main + a @ rho / np.sqrt(8), abs=ROUNDING)
        assert (abs(rho) <= gamma / 6 * abs(delta) ** 3 + ROUNDING).all()
    gap, b, curvature, *_ = one_step("half square", np.ones(8))  # no remainder: equality
    assert gap == pytest.approx(8**-0.5 * np.mean(curvature * b**2) / 2, rel=1e-10)


def test_remainder_of_one_step_is_attained():
    """z^3/6 has gamma = 1; with one sample and y > 0 no b_j is negative, and the cubic terms add up for all signs."""
    rng = np.random.default_rng(0)
    w0, a, x, y, eta = rng.standard_normal((8, 3)), rng.choice([-1.0, 1.0], 8), np.array([0.6, 0.0, 0.8]), 1.3, 0.7
    z = w0 @ x
    w1 = w0 + eta * y * a[:, None] / np.sqrt(8) * np.outer(z**2 / 2, x)
    b, delta = eta * y * z**2 / 2, (w1 - w0) @ x
    gap = a @ ((z + delta) ** 3 / 6 - z**3 / 6 - z**2 / 2 * delta) / np.sqrt(8)
    assert gap - a @ (z * b**2) / (2 * 8**1.5) == pytest.approx(np.mean(b**3) / 6 / 8, rel=1e-9)


@each_activation
def test_mean_square_over_the_signs(name):
    """Over all signs; for z^2/2 it is an equality, since sigma'' = beta and gamma = 0."""
    found = [one_step(name, np.array(a)) for a in product((-1.0, 1.0), repeat=7)]
    _, b, _, _, beta, gamma = found[0]
    root = np.sqrt(np.mean([gap**2 for gap, *_ in found]))
    bound = (beta / 2 * np.sqrt(np.mean(b**4)) + gamma / 6 * np.mean(abs(b) ** 3)) / 7
    assert root <= bound * (1 + 1e-10)
    if name == "half square":
        assert root == pytest.approx(bound, rel=1e-10)
