"""Numbers of the report on tables made up so that the answers are known."""

import numpy as np
import pytest

from descent.bounds import kernel_dynamics_summary as summary
from descent.dynamics.perturbed_cases import perturbed_cases
from descent.dynamics.relaxation import relaxation
from descent.kernels.neural_tangent_kernel import h_infinity

SETTINGS = {"master_seed": 3, "replicates": 2, "sizes": [5], "ratios": [0.5, 1.0, 4.0], "pieces": 5, "points": 3}


@pytest.fixture(scope="module")
def perturbed():
    return summary.perturbation_values(perturbed_cases(SETTINGS, {}))


def test_cases_are_counted_by_family(perturbed):
    # 3 ratios for 4 drawn families and 2 replicates, ε > λ also indefinite; 2 ratios of the slowed mode; 1 rotating.
    assert (perturbed["random_cases"], perturbed["indefinite_cases"], perturbed["count"]) == (24, 8, 24 + 4 + 1)
    assert perturbed["cases"] == 24 + 8 + 6 + 1
    assert [row["count"] for row in perturbed["families"]] == [6, 6, 6, 6, 4, 1]
    assert [row["count"] for row in perturbed["lost_families"]] == [2, 2, 2, 2, 2]
    assert (perturbed["least_ratio"], perturbed["greatest_ratio"], perturbed["turned_ratio"]) == (0.5, 4.0, 1000.0)


def test_ratios_are_the_greatest_of_all_families(perturbed):
    for name in ("linear", "saturation", "contraction", "minimum", "square_root", "growth"):
        assert perturbed[name] == max(row[name] for row in perturbed["families"])
    assert perturbed["minimum"] <= 1
    assert perturbed["scalar_square_root"] == pytest.approx(0.638172686)
    assert perturbed["lost_square_root"] > 1e6


def relaxed(faster: float = 1.0):
    x = np.random.default_rng(0).standard_normal((12, 4))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y, gram = x[:, 0], h_infinity(x)
    steps = np.unique(np.geomspace(1, 2000, 40).astype(int))
    rows = relaxation(gram, y, np.column_stack([np.zeros(12), np.ones(12)]), steps, 0.1, 1e-10)
    table = {**rows, "data": ["diabetes"] * len(rows["start"]),
             "kind": np.array(["zero", "gaussian", "slowest"])[rows["start"]].tolist()}
    return summary.relaxation_values({**table, "rate": faster * table["rate"]}, {"diabetes": (x, y)}), gram


def test_row_of_a_data_set():
    values, gram = relaxed()
    row = values["relaxation"][0]
    assert (row["name"], row["n"], row["d"]) == ("diabetes", 12, 4)
    assert row["lambda_min"] == pytest.approx(np.linalg.eigvalsh(gram)[0])
    assert row["bound"] == pytest.approx(np.exp(-1), rel=0.3)
    assert row["zero"] < row["bound"]
    assert row["gaussian"] < row["bound"]
    assert values["equality_error"] < 1e-8


def test_findings_follow_the_numbers(perturbed):
    good = summary.findings({**relaxed()[0], **perturbed})
    assert "decays at least" in good[0]
    assert "exactly" in good[0]
    assert "$10^{" in good[1]
    assert "holds in all of 29 " in good[1]
    bad = summary.findings({**relaxed(2.0)[0], **perturbed, "minimum": 1.2, "lost_square_root": 1.0})
    assert "does not always decay" in bad[0]
    assert "does not hold" in bad[1]
    assert "not exceeded by much" in bad[1]
