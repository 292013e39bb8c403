"""The norm of an implicit convolution without its matrix: bounds from the Fourier transform of the kernel (snu.5)."""

from __future__ import annotations

import numpy as np

from descent.dynamics.huber_descent import dense_convolution
from descent.networks.convolution import Convolution1d


def symbol_range(kernel: np.ndarray, points: int) -> tuple[float, float]:
    """Least and greatest |k̂(ω)| of k̂(ω) = Σ_j k_j e^{−ijω} over the frequencies ω = 2πl/`points`.

    With points = n these bound the singular values of A: it consists of n − r + 1 rows of the circulant matrix of k,
    whose singular values they are. `points` ≥ r.
    """
    sizes = np.abs(np.fft.fft(kernel, points))
    return float(sizes.min()), float(sizes.max())


def singular_range(kernel: np.ndarray, size: int) -> tuple[float, float]:
    """Least and greatest singular value of A (n − r + 1, n), from the dense matrix."""
    values = np.linalg.svd(dense_convolution(kernel, size), compute_uv=False)
    return float(values[-1]), float(values[0])


def wave_norm(kernel: np.ndarray, size: int) -> float:
    """A lower bound of ‖A‖ that is ‖Ax‖/‖x‖ at x_j = sin(πj/(n + 1)) e^{iωj}, ω where |k̂| is greatest; no matrix."""
    frequency = 2 * np.pi * np.argmax(np.abs(np.fft.fft(kernel, size))) / size
    j = np.arange(1, size + 1)
    x = np.sin(np.pi * j / (size + 1)) * np.exp(1j * frequency * j)
    return float(np.linalg.norm(Convolution1d(kernel, size) @ x) / np.linalg.norm(x))
