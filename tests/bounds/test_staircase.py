"""What the checks of the staircase see in made-up runs."""

import numpy as np
import pytest

from descent.bounds import staircase as checks
from descent.dynamics.staircase import sigmoid

VALUES = [4.0, 1.0]


def made_up(scale: float) -> dict[str, np.ndarray]:
    times = np.linspace(0, 20, 2001)
    modes = sigmoid(times, scale**2, VALUES)
    return {"flow_time": times, "modes": modes, "loss": 0.5 * np.sum((modes - VALUES) ** 2, axis=1),
            "scale": np.full(2001, scale), "depth": np.full(2001, 2)}


def test_sigmoids_are_recognized_and_others_are_not():
    assert checks.sigmoids([made_up(1e-3)], VALUES).holds
    assert not checks.sigmoids([made_up(1e-3)], VALUES, rate=1.0).holds
    assert not checks.scalar_modes([{name: column[:200] for name, column in made_up(1e-2).items()}], VALUES, 1.0).holds


def test_exponents_are_exact_for_powers_with_a_constant():
    scales = np.array([0.4, 0.2, 0.1])
    times = (5 + 3 * scales[:, None] ** [-1.0, -2.0])[None]
    np.testing.assert_allclose(checks.escape_exponents(times, scales), [[[1, 2]]])
    logarithmic = np.log(1 / scales)[None, :, None] + 7
    assert checks.exponents({2: logarithmic}, {2: scales}, 0.01).holds
    assert not checks.exponents({2: logarithmic}, {2: scales}, 0.01, less=1.0).holds


def test_the_plateau_is_half_the_square_of_the_mode_to_come():
    (loss, learnt), = checks.plateaus(made_up(1e-4), VALUES)
    assert learnt == 1
    assert loss == pytest.approx(0.5, rel=0.01)
    assert checks.unlearnt_losses(made_up(1e-4), VALUES) == [0.5]
    assert checks.unlearnt_losses(made_up(1e-4), VALUES, late=1) == [8.5]
    assert checks.plateaus(made_up(1e-4), VALUES, apart=10) == []


def test_deviations_from_their_own_starts_vanish():
    runs, starts = [[made_up(1e-2), made_up(1e-3)]], np.array([[[1e-4, 1e-4], [1e-6, 1e-6]]])
    assert checks.effective_deviations(runs, starts, VALUES).max() < 1e-12
    assert checks.effective_deviations(runs, 2 * starts, VALUES).min() > 0.1
