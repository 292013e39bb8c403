"""Convolution in the sense of machine learning as a linear operator that is never formed as a matrix.

For a kernel k of length r the operator A of shape (n − r + 1, n) has A_ij = k_{j−i} for 0 ≤ j − i < r and zeros
elsewhere: (Ax)_i = Σ_j k_j x_{i+j}, which signal processing calls the cross-correlation with k. Its transpose is the
full convolution (Aᵀy)_i = Σ_j k_j y_{i−j}. Source: snu, problem 5.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

# Up to this length the sum itself is faster than overlapping Fourier transforms (measured at n = 10⁶, both precisions).
DIRECT_TAPS = 64


class _Operator:
    # Without this NumPy would take an operator on the right of an array for a number.
    __array_ufunc__ = None
    shape: tuple[int, int]

    def __matmul__(self, x) -> np.ndarray:
        """Product with a vector (n,) or a matrix of columns (n, p), in the precision that NumPy's own @ would give.

        Sums are taken directly when the kernel has at most `DIRECT_TAPS` entries or entries that have no fast Fourier
        transform (integers, fractions), so that integers and `Fraction`s give exact results. Otherwise they are taken
        by overlapping transforms: the error is then relative to the norms, not to each entry, and one entry that is
        not finite spreads. Raises TypeError for entries that are no numbers, ValueError for another shape.
        """
        array = _numbers(x, "the right side of @")
        if array.ndim not in (1, 2) or len(array) != self.shape[1]:
            n = self.shape[1]
            raise ValueError(f"{type(self).__name__} of shape {self.shape} @ an array of shape {array.shape}: "
                             f"needs ({n},) or ({n}, columns)")
        rows = self._rows(np.atleast_2d(array.T))
        return rows.T.reshape(self.shape[0], *array.shape[1:])

    # What scipy.sparse.linalg.aslinearoperator, and with it svds, lsqr and their like, looks for.
    matvec = matmat = __matmul__

    def rmatvec(self, y) -> np.ndarray:
        """Product of the adjoint (the conjugate transpose) with a vector or a matrix of columns."""
        return self.H @ y

    rmatmat = rmatvec


class Convolution1d(_Operator):
    """The operator A of shape (n − r + 1, n) with rows k_1 … k_r, each one place to the right of the row above.

    `kernel` k: r ≥ 1 numbers; `size` n ≥ r. `A @ x`, `A.T @ y`, `A.shape`, `A.dtype` are those of the matrix, `A.H` is
    its conjugate transpose. The r entries of the kernel are all it stores; A @ x takes O(nr) operations, O(n log r) for
    long kernels. Raises TypeError for entries that are no numbers, ValueError for another shape or n < r.
    Source: snu, problem 5.
    """

    def __init__(self, kernel, size: int):
        self.kernel = _numbers(kernel, "kernel").copy()
        if self.kernel.ndim != 1 or not 1 <= len(self.kernel) <= operator.index(size):
            raise ValueError(f"kernel of shape {self.kernel.shape} and size {size}: needs r numbers, 1 <= r <= size")
        self.kernel.setflags(write=False)
        self.shape = (int(size) - len(self.kernel) + 1, int(size))

    @property
    def dtype(self) -> np.dtype:
        """Type of the kernel's entries."""
        return self.kernel.dtype

    @property
    def T(self) -> TransposedConvolution1d:
        """The transpose Aᵀ of shape (n, n − r + 1), without conjugation."""
        return TransposedConvolution1d(self)

    @property
    def H(self) -> TransposedConvolution1d:
        """The adjoint."""
        return Convolution1d(self.kernel.conj(), self.shape[1]).T

    def _rows(self, rows: np.ndarray) -> np.ndarray:
        return _causal(rows, self.kernel[::-1])[:, len(self.kernel) - 1:]


class TransposedConvolution1d(_Operator):
    """The transpose of a `Convolution1d`; `.T` is the operator it was made from."""

    def __init__(self, original: Convolution1d):
        self.T, self.dtype, self.shape = original, original.dtype, original.shape[::-1]

    @property
    def H(self) -> Convolution1d:
        """The adjoint."""
        return Convolution1d(self.T.kernel.conj(), self.shape[0])

    def _rows(self, rows: np.ndarray) -> np.ndarray:
        kernel = self.T.kernel
        return _causal(np.pad(rows, ((0, 0), (0, len(kernel) - 1))), kernel)


def _numbers(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "iufcO":
        raise TypeError(f"{name} has entries of type {array.dtype}: needs integers, floats, complex numbers or objects")
    return array


def _causal(rows: np.ndarray, taps: np.ndarray) -> np.ndarray:
    # y_i = Σ_j taps_j x_{i−j} in every row (p, n). All rows are summed as one, so that the first r − 1 entries of a row
    # see the end of the row before: callers leave them out or end every row with r − 1 zeros.
    dtype = np.result_type(rows, taps)
    if not rows.size:
        return rows.astype(dtype)
    if len(taps) <= DIRECT_TAPS or dtype.char not in "fdFD":
        return np.convolve(rows.ravel(), taps)[:rows.size].reshape(rows.shape)
    # An import of half a second that short kernels do without.
    from scipy.signal import oaconvolve

    return oaconvolve(rows, taps[None], axes=1)[:, :rows.shape[1]].astype(dtype, copy=False)
