"""Displacements and both sides of the linearization bound against rational arithmetic and the network itself."""

from fractions import Fraction

import numpy as np
import pytest

from descent.bounds import linearization
from descent.networks.smooth_activation import ACTIVATIONS
from descent.networks.smooth_network import Linearization, network_outputs

EXPONENTS = (-3, 1)


def drawn(name: str, direction: str, count: int = 20, width: int = 16, dimension: int = 6, exponents=EXPONENTS):
    return linearization.displacements(np.random.default_rng(1), ACTIVATIONS[name], direction, count, width, dimension,
                                       exponents)


@pytest.mark.parametrize("direction", linearization.DIRECTIONS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_columns_are_those_of_the_network(name, direction):
    draws = drawn(name, direction)
    columns = linearization.bound_columns(draws, ACTIVATIONS[name])
    for k, (start, signs, x) in enumerate(zip(draws.start, draws.signs, draws.inputs, strict=True)):
        tangent = Linearization(start, signs, x[None], ACTIVATIONS[name])
        w, v = start + draws.moves[k], start + draws.others[k]
        output = network_outputs(w, signs, x[None], ACTIVATIONS[name].value)
        assert columns["scaled_gap"][k] == pytest.approx(4 * abs(output - tangent(w))[0], rel=1e-6, abs=1e-12)
        assert columns["scaled_printed_gap"][k] == pytest.approx(4 * abs(output - tangent(v))[0], rel=1e-6, abs=1e-12)
        assert columns["squared_movement"][k] == pytest.approx(np.linalg.norm(w - start) ** 2)
        assert columns["squared_distance"][k] == pytest.approx(np.linalg.norm(w - v) ** 2)
        assert columns["squared_input"][k] == pytest.approx(x @ x)


def test_of_the_quadratic_network_both_sides_are_exact():
    draws = drawn("quadratic", "one_signed", exponents=(-10, 2), width=64, dimension=32)
    columns = linearization.bound_columns(draws, ACTIVATIONS["quadratic"])
    for k in range(3):
        x = [Fraction(value) for value in draws.inputs[k]]
        along = [sum(Fraction(w) * y for w, y in zip(row, x, strict=True)) for row in draws.moves[k]]
        gap = sum(Fraction(a) * s * s / 2 for a, s in zip(draws.signs[k], along, strict=True))
        assert Fraction(columns["scaled_gap"][k]) == abs(gap)
        assert Fraction(columns["squared_movement"][k]) == sum(Fraction(w) ** 2 for w in draws.moves[k].ravel())
        assert Fraction(columns["squared_input"][k]) == sum(y * y for y in x)
    ratios = columns["scaled_gap"] / (columns["squared_movement"] * columns["squared_input"] / 2)
    assert (ratios == 1).all()


def test_the_grid_has_no_zero():
    values = linearization.on_grid(np.array([0.0, 0.01, -0.01, 0.1, -1.97]))
    np.testing.assert_array_equal(values, np.array([1, 1, -1, 2, -32]) / 16)


@pytest.mark.parametrize("direction", linearization.DIRECTIONS[1:])
def test_directions_are_along_the_input(direction):
    draws = drawn("tanh", direction)
    along = np.einsum("kmd,kd->km", draws.moves, draws.inputs)
    np.testing.assert_allclose(along**2, np.sum(draws.moves**2, axis=2) * np.sum(draws.inputs**2, axis=1)[:, None],
                               rtol=1e-12)
    assert (np.abs(draws.moves).sum(axis=(1, 2)) > 0).all()


@pytest.mark.parametrize("direction", ["one_signed", "steepest"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_adversaries_let_no_terms_cancel(name, direction):
    draws, activation = drawn(name, direction, exponents=(-10, -10)), ACTIVATIONS[name]
    first = np.einsum("kmd,kd->km", draws.start, draws.inputs)
    moves = np.abs(draws.moves).sum(axis=2) > 0
    bent = np.where(moves, draws.signs * activation.curvature(first), 0.0)
    assert (np.abs(bent.sum(axis=1)) == pytest.approx(np.abs(bent).sum(axis=1)))
    if direction == "steepest":
        np.testing.assert_allclose(np.abs(activation.curvature(first)), activation.smoothness, rtol=1e-12)


def test_scales_are_powers_of_two_within_the_exponents():
    scales = drawn("softplus", "gaussian", count=200, width=2).scale
    assert set(np.log2(scales)) == {-3.0, -2.0, -1.0, 0.0, 1.0}


def test_another_direction_is_refused():
    with pytest.raises(ValueError, match="not one of gaussian"):
        drawn("tanh", "sideways")
