"""The cases of tau.4.2: which there are, what they share, and that every kernel is where it says it is."""

import numpy as np
import pytest

from descent.dynamics import perturbed_cases as cases
from descent.dynamics.perturbed_kernel import FAMILIES
from descent.kernels.neural_tangent_kernel import h_infinity

SETTINGS = {"master_seed": 7, "replicates": 2, "sizes": [4, 6], "ratios": [0.5, 1.0, 3.0], "pieces": 4, "points": 2}


@pytest.fixture(scope="module")
def inputs() -> dict[str, np.ndarray]:
    x = np.random.default_rng(0).standard_normal((15, 5))
    return {"data": x / np.linalg.norm(x, axis=1, keepdims=True)}


@pytest.fixture(scope="module")
def table(inputs):
    return cases.perturbed_cases(SETTINGS, inputs)


def test_every_combination_is_there(table):
    first = np.flatnonzero(np.diff(table["case"], prepend=-1))
    found = sorted((table["kernel"][i], table["replicate"][i], table["ratio"][i], table["family"][i],
                    table["semidefinite"][i]) for i in first)
    expected = []
    for name in ("data", cases.SPECTRUM):
        for replicate in range(2):
            for ratio in SETTINGS["ratios"]:
                expected += [(name, replicate, ratio, family, True) for family in FAMILIES]
                expected += [(name, replicate, ratio, family, False) for family in FAMILIES if ratio > 1]
                expected.append((name, replicate, ratio, "slowed", ratio <= 1))
        expected.append((name, 0, cases.TURNING["ratio"], "rotating", True))
    assert found == sorted(expected)
    assert {(row, size) for row, size in zip(table["replicate"], table["size"])} == {(0, 4), (1, 6)}


def test_semidefinite_cases_are_and_perturbations_have_their_size(table):
    semidefinite = table["semidefinite"]
    assert np.all(table["least"][semidefinite] > -1e-10)
    lost = ~semidefinite & (np.array(table["family"]) == "slowed")
    np.testing.assert_allclose(table["least"][lost], (table["rate"] - table["epsilon"])[lost], rtol=1e-9)
    untouched = ~semidefinite | (table["ratio"] <= 1)
    np.testing.assert_allclose((table["epsilon"] / table["rate"])[untouched], table["ratio"][untouched], rtol=1e-9)


def test_kernels_are_those_of_the_data_or_have_the_spectrum(inputs):
    from_data = cases.kernel("data", inputs, 7, 1, 6)
    whole = h_infinity(inputs["data"])
    assert all(np.isclose(whole, entry, rtol=0, atol=1e-15).any() for entry in from_data.ravel())
    np.testing.assert_allclose(np.diag(from_data), 0.5)
    assert np.abs(np.triu(from_data, 1)).max() < 0.5
    spectrum = np.linalg.eigvalsh(cases.kernel(cases.SPECTRUM, inputs, 7, 1, 6))
    np.testing.assert_allclose(spectrum, np.geomspace(1, 1000, 6), rtol=1e-10)


def test_cases_do_not_depend_on_which_others_there_are(inputs, table):
    fewer = cases.perturbed_cases({**SETTINGS, "ratios": [0.5, 1.0]}, inputs)
    for name in ("data", cases.SPECTRUM):
        some, all_of_them = ([t["distance"][(np.array(t["kernel"]) == name) & (t["ratio"] == 1.0)]]
                             for t in (fewer, table))
        np.testing.assert_array_equal(some, all_of_them)
