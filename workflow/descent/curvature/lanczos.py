"""Both ends of the spectrum of a symmetric matrix that is known only through its products with vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

Product = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class End:
    """One end of the spectrum: `value` λ = vᵀAv for a unit `vector` v, and the `residual` ‖Av − λv‖.

    A has an eigenvalue within the residual of λ, and λ itself never lies outside the spectrum.
    """

    value: float
    residual: float
    vector: np.ndarray


def spectrum_end(product: Product, start: np.ndarray, side: str, tolerance: float = 1e-8) -> End:
    """The least (`side` "SA") or greatest ("LA") eigenvalue of the symmetric A with v ↦ Av = `product`.

    Lanczos' method with implicit restarts (ARPACK), from the vector `start` (n,), n ≥ 3: along a trajectory, the last
    step's. An end is asked for by its side, never by magnitude. `tolerance` is relative to |λ|; where ARPACK gives up
    its best vector is taken, and the residual tells.
    """
    operator = LinearOperator((len(start),) * 2, matvec=product, dtype=np.float64)
    try:
        vector = eigsh(operator, k=1, which=side, v0=start, tol=tolerance)[1][:, 0]
    except ArpackError as error:
        # Not converged, or A maps the start to zero.
        found = getattr(error, "eigenvectors", np.empty((0, 0)))
        vector = found[:, 0] if found.size else start / np.linalg.norm(start)
    image = product(vector)
    value = float(vector @ image)
    return End(value, float(np.linalg.norm(image - value * vector)), vector)


class Counted:
    """A product that counts how often it was taken, in `products`."""

    def __init__(self, product: Product):
        self._product, self.products = product, 0

    def __call__(self, vector: np.ndarray) -> np.ndarray:
        """A v."""
        self.products += 1
        return self._product(vector)
